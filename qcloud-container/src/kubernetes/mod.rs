//! What Kubernetes asks of a cloud, as small traits over plain types. Nothing here knows QCloud.
//!
//! A controller is written against these traits, and any cloud can implement them; `provider` (feature `provider`) does
//! it for QCloud. Each trait has a conformance suite that an implementation can run.
//!
//! Rules that every implementation keeps:
//! - A lookup has three outcomes: found, proven absent, unknown. A failed or cut-short lookup is never "not found".
//! - What the cloud holds (tags, names, descriptions) is the record of ownership and progress; process memory is a cache.
//! - Observe, plan (a pure function), execute, verify. Objects of others are never touched.
//! - Nothing waits inline for long tasks: they are reported as [`ErrorKind::Pending`] with the time to come back.
//! - A write with an unknown outcome is followed by a new observation, not by a repetition.
//!
//! Dropping a future abandons the operation at its next await; the next one observes what was done.

pub mod conformance;
mod error;
mod identity;
pub mod instances;
pub mod load_balancers;
mod provider_id;
pub mod routes;
pub mod volumes;

pub use error::{ErrorKind, Exhausted, ProviderError, Result, Retry};
pub use identity::ClusterIdentity;
pub use provider_id::{MachineKind, ParseProviderIdError, ProviderId, ProviderZone};

#![doc = include_str!("../../docs/kubernetes.md")]

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

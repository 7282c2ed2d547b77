#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod call;
mod client;
pub mod clock;
mod config;
pub mod credential;
mod decode;
mod dispatch;
mod endpoint;
pub mod environment;
mod error;
mod interceptor;
mod limit;
mod open_enum;
mod operation;
mod page;
mod region;
mod retry;
mod secret;
pub mod signing;
#[cfg_attr(not(feature = "metrics"), allow(clippy::missing_const_for_fn))]
mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
mod timestamp;
mod token;
pub mod transport;
pub mod wait;
#[doc(hidden)]
pub mod wire;

pub use call::Call;
pub use client::Client;
pub use config::{Config, ConfigBuilder, Language, Timeouts};
pub use endpoint::Endpoint;
pub use error::{Error, ErrorKind, Result, Sent};
pub use interceptor::{Attempt, Interceptor};
pub use limit::{RateLimits, Rates};
pub use operation::{Ack, Action, Effect, Operation, Raw, Service};
pub use page::{Items, PageCursor, PageNumber, Paginated};
pub use region::Region;
pub use retry::RetryPolicy;
pub use secret::Secret;
pub use timestamp::{ParseTimestampError, Timestamp};

#![doc = include_str!("../README.md")]
// The answers with the most members are built by one `json!` each.
#![recursion_limit = "256"]

mod api;
mod auth;
mod builder;
mod call;
mod calls;
mod cidr;
mod clock;
mod credentials;
mod emulator;
mod error;
mod ids;
mod listing;
mod model;
mod query;
mod request;
mod server;
mod settings;
mod table;
mod tags;
mod timeline;
mod validate;
mod world;
mod zones;

mod cbs;
mod clb;
mod cvm;
mod tke;
mod vpc;

pub use api::implemented_actions;
pub use builder::Builder;
pub use calls::{CallRecord, Calls};
pub use cbs::BlockDevice;
pub use clock::Clock;
pub use credentials::Credential;
pub use emulator::Emulator;
pub use error::StartError;
pub use server::Server;
pub use settings::{BusyInstance, Quota, SignatureTime, Task, UnknownIds};

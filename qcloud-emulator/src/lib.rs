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
mod data_path;
mod emulator;
mod error;
mod ids;
mod listing;
mod metadata;
mod model;
mod query;
mod quota;
mod request;
mod server;
mod settings;
mod table;
mod tags;
mod task;
mod timeline;
mod validate;
mod world;
mod zones;

mod cbs;
mod clb;
mod cvm;
mod sts;
mod tke;
mod vpc;

pub use api::implemented_actions;
pub use builder::Builder;
pub use calls::{CallRecord, Calls};
pub use cbs::BlockDevice;
pub use clb::{LoadBalancing, ReachedTarget, TargetCondition};
pub use clock::Clock;
pub use credentials::Credential;
pub use data_path::{NextHop, RouteKind, ServingRoute};
pub use emulator::Emulator;
pub use error::StartError;
pub use server::Server;
pub use settings::{
    BusyInstance, ClusterErrors, DetailPages, MissingBalancer, PublicAddress, Quota, SignatureTime, Task, UnknownIds,
};

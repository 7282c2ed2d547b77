#![doc = include_str!("../README.md")]
// The answers with the most members are built by one `json!` each.
#![recursion_limit = "256"]

mod access;
mod admin;
mod api;
mod auth;
mod builder;
mod call;
mod calls;
mod cidr;
mod client_tokens;
mod clock;
mod config;
mod connection;
mod credentials;
mod data_path;
mod emulator;
mod error;
mod exchange;
mod fault;
mod faults;
mod ids;
mod knobs;
mod listing;
mod luck;
mod metadata;
mod model;
mod page_shift;
mod patterns;
mod query;
mod quota;
mod rates;
mod request;
mod rows;
mod saved;
mod seconds;
mod server;
mod settings;
mod table;
mod tags;
mod task;
mod timeline;
mod validate;
mod visibility;
mod world;
mod zones;

mod cbs;
mod clb;
mod cvm;
mod sts;
mod tag;
mod tke;
mod vpc;

pub use api::implemented_actions;
pub use builder::Builder;
pub use calls::{CallRecord, Calls};
pub use cbs::BlockDevice;
pub use clb::{LoadBalancing, ReachedTarget, TargetCondition};
pub use clock::Clock;
pub use config::Config;
pub use credentials::Credential;
pub use data_path::{NextHop, RouteKind, ServingRoute};
pub use emulator::Emulator;
pub use error::{ConfigError, StartError, StateError};
pub use exchange::{NoAnswer, NoAnswerKind};
pub use fault::{Effect, Fault, When};
pub use faults::{Faults, PlannedFault};
pub use server::Server;
pub use settings::{
    BusyInstance, ClusterErrors, DetailPages, MissingBalancer, PublicAddress, Quota, SignatureTime, Task,
    UnknownFilters, UnknownIds,
};
pub use visibility::{Delay, Visibility};

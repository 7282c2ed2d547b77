#![doc = include_str!("../README.md")]

pub mod capability;
pub mod cli;
pub mod controller;
mod deadline;
#[cfg(feature = "emulator")]
pub mod demo;
pub mod driver;
mod fields;
pub mod identity;
pub mod node;
mod operations;
pub mod rpc_log;
pub mod run;
pub mod server;
pub mod status;
mod topology;

#[allow(missing_docs, clippy::all, clippy::use_self, clippy::future_not_send, rustdoc::all)] // as its generator makes it
#[path = "generated/csi.v1.rs"]
#[rustfmt::skip]
pub mod proto;

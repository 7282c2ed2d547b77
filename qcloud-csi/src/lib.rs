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

#[allow(missing_docs, rustdoc::all)] // as its generator makes it
#[allow(clippy::all, clippy::clone_on_ref_ptr, clippy::future_not_send, clippy::use_self)]
#[path = "generated/csi.v1.rs"]
#[rustfmt::skip]
pub mod proto;

//! TKE at API version 2022-05-01: nodes and node pools of every kind, native nodes and their health checks.

#[rustfmt::skip]
mod generated;
mod tags;
#[cfg(feature = "node_pool_v2022")]
pub mod wait;

pub use generated::*;

//! TKE at API version 2018-05-25: clusters, nodes, addons, logs, edge and serverless clusters, managed Prometheus.

#[rustfmt::skip]
mod generated;
mod tags;
#[cfg(any(feature = "cluster", feature = "node_pool"))]
pub mod wait;

pub use generated::*;

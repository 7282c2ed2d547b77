//! TKE at API version 2018-05-25: clusters, nodes, addons, logs, edge and serverless clusters, managed Prometheus.

#[rustfmt::skip]
mod generated;

pub use generated::*;

//! The adapters that do for QCloud what [`kubernetes`](crate::kubernetes) asks of a cloud.
//!
//! All calls go through the clients that an adapter is given. Make them of one [`Config`](qcloud_core::Config) with
//! [`RateLimits`](qcloud_core::RateLimits): that is the limiter of the whole process.

mod error;
pub mod instances;
pub mod load_balancers;
pub mod routes;
pub mod volumes;

#![doc = include_str!("../../docs/provider.md")]

mod error;
pub mod instances;
pub mod load_balancers;
pub mod routes;
pub mod volumes;

use qcloud_core::RateLimits;

/// The tag with the uid of the cluster that something belongs to.
pub const CLUSTER_TAG: &str = "qcloud-rs-cluster";

/// The documented rates of every service that the adapters call. What else the account does needs its share of them.
#[must_use]
pub fn rate_limits() -> RateLimits {
    [qcloud_cbs::RATES, qcloud_clb::RATES, qcloud_cvm::RATES, qcloud_vpc::RATES, crate::RATES]
        .into_iter()
        .fold(RateLimits::new(), RateLimits::with_rates)
}

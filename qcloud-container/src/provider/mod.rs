//! The adapters that do for QCloud what [`kubernetes`](crate::kubernetes) asks of a cloud.
//!
//! All calls go through the clients that an adapter is given. Make them of one [`Config`](qcloud_core::Config) with
//! [`RateLimits`](qcloud_core::RateLimits): that is the limiter of the whole process.

mod error;
pub mod instances;
pub mod load_balancers;
pub mod routes;
pub mod volumes;

use qcloud_core::RateLimits;

/// The documented rates of every service that the adapters call. What else the account does needs its share of them.
#[must_use]
pub fn rate_limits() -> RateLimits {
    [qcloud_cbs::RATES, qcloud_clb::RATES, qcloud_cvm::RATES, qcloud_vpc::RATES, crate::RATES]
        .into_iter()
        .fold(RateLimits::new(), RateLimits::with_rates)
}

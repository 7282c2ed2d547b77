use qcloud_core::Rates;

/// The documented rates of VPC's actions, in calls per second for each region and account, for
/// [`RateLimits`](qcloud_core::RateLimits). Nearly all allow 100.
pub const RATES: Rates = Rates { service: "vpc", default: 100, actions: &[] };

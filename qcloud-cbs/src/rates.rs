use qcloud_core::Rates;

/// The documented rates of CBS's actions, in calls per second for each region and account, for
/// [`RateLimits`](qcloud_core::RateLimits). Every write allows 20, and so do reads that are not listed.
pub const RATES: Rates = Rates { service: "cbs", default: 20, actions: &[("DescribeDisks", 100)] };

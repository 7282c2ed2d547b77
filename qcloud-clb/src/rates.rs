use qcloud_core::Rates;

/// The documented rates of CLB's actions, in calls per second for each region and account, for
/// [`RateLimits`](qcloud_core::RateLimits). Every action allows 20.
pub const RATES: Rates = Rates { service: "clb", default: 20, actions: &[] };

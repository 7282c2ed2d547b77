use qcloud_core::Rates;

/// The documented rates of the container service's actions, in calls per second for each region and account, for
/// [`RateLimits`](qcloud_core::RateLimits). Actions that are not listed allow 20.
pub const RATES: Rates = Rates {
    service: "tke",
    default: 20,
    actions: &[("DescribeClusterRoutes", 50), ("DescribeClusterRouteTables", 50)],
};

use qcloud_core::Rates;

/// The documented rates of CVM's actions, in calls per second for each region and account, for
/// [`RateLimits`](qcloud_core::RateLimits). Actions that are not listed allow 10.
pub const RATES: Rates = Rates {
    service: "cvm",
    default: 10,
    actions: &[("DescribeInstances", 40), ("DescribeInstancesStatus", 40), ("DescribeZones", 20)],
};

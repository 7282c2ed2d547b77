//! Rate limits: how often an action may be called in a region.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::error::ApiError;
use crate::patterns::Actions;

/// What a call costs, in the unit that buckets count in: fine enough for rates far below one per second.
const CALL: u64 = 1_000_000;

/// The limits. Without any, everything may be called as often as one likes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RateLimits {
    /// Whether the rates of the documentation hold where no other is given.
    pub(crate) documented: bool,
    /// Calls per second.
    pub(crate) per_second: BTreeMap<Actions, Rate>,
}

/// Calls per second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub(crate) struct Rate(f64);

impl TryFrom<f64> for Rate {
    type Error = String;

    fn try_from(rate: f64) -> Result<Self, String> {
        if rate > 0.0 && rate <= 1e6 {
            return Ok(Self(rate));
        }
        Err(format!("a rate is above 0 and at most 1,000,000 calls per second, not {rate}"))
    }
}

impl From<Rate> for f64 {
    fn from(rate: Rate) -> Self {
        rate.0
    }
}

impl Rate {
    /// The nearest rate that there is.
    pub(crate) fn near(rate: f64) -> Self {
        Self(if rate.is_nan() { 1e6 } else { rate.clamp(1e-3, 1e6) })
    }

    /// What a bucket gains in a millisecond.
    fn per_millisecond(self) -> u64 {
        // Within the range of u64 by construction.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
        let gain = (self.0 * 1_000.0).round() as u64;
        gain.max(1)
    }
}

impl RateLimits {
    pub(crate) fn are_on(&self) -> bool {
        self.documented || !self.per_second.is_empty()
    }

    fn of(&self, service: &str, action: &str) -> Option<Rate> {
        let given = self.per_second.iter().filter(|(actions, _)| actions.have(service, action));
        let given = given.max_by_key(|(actions, _)| actions.exactness()).map(|(_, rate)| *rate);
        given.or_else(|| self.documented.then(|| Rate(f64::from(documented(service, action)))))
    }
}

/// Actions of VPC that may be called 100 times per second.
const OFTEN_IN_VPC: &[&str] = &[
    "AttachClassicLinkVpc",
    "CheckAssistantCidr",
    "CreateAssistantCidr",
    "CreateDefaultVpc",
    "CreateRouteTable",
    "CreateRoutes",
    "CreateSecurityGroupPolicies",
    "CreateSubnet",
    "CreateVpc",
    "DeleteAssistantCidr",
    "DeleteRouteTable",
    "DeleteRoutes",
    "DeleteSubnet",
    "DeleteVpc",
    "DescribeAccountAttributes",
    "DescribeAssistantCidr",
    "DescribeClassicLinkInstances",
    "DescribeRouteConflicts",
    "DescribeRouteTables",
    "DescribeSecurityGroupPolicies",
    "DescribeSubnets",
    "DescribeVpcResourceDashboard",
    "DescribeVpcs",
    "DisableRoutes",
    "EnableRoutes",
    "ModifyAssistantCidr",
    "ModifyRouteTableAttribute",
    "ModifySubnetAttribute",
    "ReplaceRouteTableAssociation",
    "ReplaceRoutes",
    "ReplaceSecurityGroupPolicy",
    "ResetRoutes",
];
/// Actions of VPC that may be called 10 times per second.
const SELDOM_IN_VPC: &[&str] = &[
    "AllocateAddresses",
    "AssociateAddress",
    "DescribeAddressQuota",
    "DisassociateAddress",
    "ModifyAddressAttribute",
    "ModifyAddressInternetChargeType",
];

/// The rate that the documentation gives, per region and account.
fn documented(service: &str, action: &str) -> u32 {
    match (service, action) {
        ("cvm", "DescribeInstances" | "DescribeInstancesStatus") => 40,
        ("cvm", "DescribeZones" | "DescribeRegions") => 20,
        ("cvm", action) if !action.starts_with("Describe") => 10,
        ("cbs", "DescribeDisks") => 100,
        ("tke", "DescribeClusterRoutes" | "DescribeClusterRouteTables") => 50,
        ("vpc", action) if OFTEN_IN_VPC.contains(&action) => 100,
        ("vpc", action) if SELDOM_IN_VPC.contains(&action) => 10,
        _ => 20,
    }
}

/// How much of each limit is used up, by service, action and region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Buckets(BTreeMap<String, Bucket>);

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Bucket {
    level: u64,
    at: Time,
}

impl Buckets {
    /// Counts a call, or refuses it. A bucket holds the calls of one second.
    pub(crate) fn take(
        &mut self,
        limits: &RateLimits,
        (service, action, region): (&str, &str, &str),
        now: Time,
    ) -> Result<(), ApiError> {
        let Some(rate) = limits.of(service, action) else { return Ok(()) };
        let gain = rate.per_millisecond();
        let full = (gain * 1_000).max(CALL);
        let bucket = self.0.entry(format!("{service}/{action}/{region}")).or_insert(Bucket { level: full, at: now });
        if now > bucket.at {
            let passed = u64::try_from(now.distance(bucket.at).as_millis()).unwrap_or(u64::MAX);
            bucket.level = bucket.level.saturating_add(passed.saturating_mul(gain));
            bucket.at = now;
        }
        bucket.level = bucket.level.min(full);
        match bucket.level.checked_sub(CALL) {
            Some(left) => {
                bucket.level = left;
                Ok(())
            }
            None => {
                let message =
                    format!("{action} may be called {} times per second in {region}: slow down and try again.", rate.0);
                Err(ApiError::throttled(message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn limits(documented: bool, given: &[(&str, f64)]) -> RateLimits {
        let per_second =
            given.iter().map(|(actions, rate)| (Actions::try_from((*actions).to_owned()).unwrap(), Rate(*rate)));
        RateLimits { documented, per_second: per_second.collect() }
    }

    #[test]
    fn the_most_exact_rate_counts() {
        let limits = limits(true, &[("*:*", 7.0), ("cvm:Describe*", 8.0), ("cvm:DescribeZones", 9.0)]);
        let of = |service: &str, action: &str| limits.of(service, action).unwrap().0;
        assert_eq!(of("cvm", "DescribeZones"), 9.0);
        assert_eq!(of("cvm", "DescribeInstances"), 8.0);
        assert_eq!(of("cvm", "RunInstances"), 7.0);
        assert!(RateLimits::default().of("cvm", "RunInstances").is_none());
    }

    #[test]
    fn a_bucket_fills_as_time_passes() {
        let limits = limits(false, &[("cvm:RunInstances", 2.0), ("cvm:DescribeZones", 0.5)]);
        let mut buckets = Buckets::default();
        let start = Time::from_seconds(1_000_000);
        let mut calls = |action: &str, at: u64| {
            let at = start.after(Duration::from_millis(at));
            (0..10).take_while(|_| buckets.take(&limits, ("cvm", action, "ap-guangzhou"), at).is_ok()).count()
        };
        assert_eq!([0, 0, 499, 500, 999, 1_000, 9_000].map(|at| calls("RunInstances", at)), [2, 0, 0, 1, 0, 1, 2]);
        assert_eq!([0, 1_999, 2_000, 60_000].map(|at| calls("DescribeZones", at)), [1, 0, 1, 1]);
        assert_eq!(calls("StopInstances", 0), 10);
    }
}

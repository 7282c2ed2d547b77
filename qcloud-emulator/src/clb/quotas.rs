//! `DescribeQuota`.

use serde_json::{Value, json};

use crate::call::Call;
use crate::error::ApiError;
use crate::settings::Quota;
use crate::world::World;

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let here = world.local(call);
    let count = |public: bool| here.region.clb.balancers.values().filter(|balancer| balancer.public == public).count();
    let limit = |quota: Quota| here.settings.limit(quota);
    let quotas = [
        ("TOTAL_OPEN_CLB_QUOTA", Some(count(true)), limit(Quota::PublicLoadBalancers)),
        ("TOTAL_INTERNAL_CLB_QUOTA", Some(count(false)), limit(Quota::InternalLoadBalancers)),
        ("TOTAL_LISTENER_QUOTA", None, limit(Quota::ListenersPerLoadBalancer)),
        ("TOTAL_LISTENER_RULE_QUOTA", None, limit(Quota::RulesPerListener)),
        ("TOTAL_TARGET_BIND_QUOTA", None, limit(Quota::TargetsPerRule)),
        ("TOTAL_SNAT_IP_QUOTA", None, limit(Quota::SnatIpsPerLoadBalancer)),
        ("TOTAL_ISP_CLB_QUOTA", None, 3),
        ("TOTAL_FULL_PORT_RANGE_LISTENER_QUOTA", None, 1),
    ];
    let quotas =
        quotas.map(|(name, current, limit)| json!({ "QuotaId": name, "QuotaCurrent": current, "QuotaLimit": limit }));
    Ok(json!({ "QuotaSet": quotas }))
}

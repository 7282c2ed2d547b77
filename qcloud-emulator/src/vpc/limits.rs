//! The quotas, as the API tells them.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;
use crate::error::ApiError;
use crate::settings::Quota;
use crate::world::World;

/// The names of quotas that a knob stands behind.
const BY_KNOB: &[(&str, Quota)] = &[
    ("appid-max-vpcs", Quota::VpcsPerRegion),
    ("vpc-max-subnets", Quota::SubnetsPerVpc),
    ("vpc-max-route-tables", Quota::RouteTablesPerVpc),
    ("route-table-max-policies", Quota::RoutesPerTable),
];

/// Those of which the emulator only tells the usual number.
const FIXED: &[(&str, usize)] = &[
    ("vpc-max-vpn-gateways", 10),
    ("appid-max-custom-gateways", 20),
    ("appid-max-vpn-connections", 20),
    ("vpc-max-network-acls", 50),
    ("network-acl-max-inbound-policies", 20),
    ("network-acl-max-outbound-policies", 20),
    ("vpc-max-vpcpeers", 10),
    ("vpc-max-nat-gateways", 3),
    ("nat-gateway-max-eips", 10),
    ("vpc-max-enis", 1000),
    ("vpc-max-havips", 10),
    ("eni-max-private-ips", 10),
    ("vpc-max-assistant_cidrs", 5),
];

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        limit_types: Vec<String>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    if input.limit_types.len() > 100 {
        let message = "`LimitTypes` takes at most 100 names.";
        return Err(ApiError::new("InvalidParameterValue.LimitExceeded", message));
    }
    let limits: Result<Vec<Value>, ApiError> = input
        .limit_types
        .iter()
        .map(|name| {
            let by_knob = BY_KNOB.iter().find(|(known, _)| known == name).map(|(_, quota)| here.settings.limit(*quota));
            let value = by_knob.or_else(|| FIXED.iter().find(|(known, _)| known == name).map(|(_, value)| *value));
            let unknown = || ApiError::invalid_value(format!("`LimitTypes`: there is no quota `{name}`."));
            Ok(json!({ "LimitType": name, "LimitValue": value.ok_or_else(unknown)? }))
        })
        .collect();
    Ok(json!({ "VpcLimitSet": limits? }))
}

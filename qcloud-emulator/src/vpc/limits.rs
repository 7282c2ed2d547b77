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
    ("vpc-max-nat-gateways", Quota::NatGatewaysPerVpc),
    ("nat-gateway-max-eips", Quota::ElasticIpsPerNatGateway),
    ("vpc-max-enis", Quota::InterfacesPerVpc),
    ("vpc-max-havips", Quota::HaVipsPerVpc),
    ("vpc-max-assistant_cidrs", Quota::AssistantCidrsPerVpc),
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
    ("custom-gateway-max-vpn-connections", 5),
    ("vpn-gateway-max-custom-gateways", 10),
    ("vpc-max-available-vpcpeers", 10),
    ("vpc-max-basic-network-interconnections", 100),
    ("direct-connection-max-snats", 100),
    ("direct-connection-max-dnats", 100),
    ("direct-connection-max-snapts", 100),
    ("direct-connection-max-dnapts", 100),
    ("nat-gateway-max-dnapts", 100),
    ("eni-max-private-ips", 10),
    ("eni-max-ipv6s", 10),
    ("vpc-max-ipv6s", 1),
    ("appid-max-end-point-services", 10),
    ("appid-max-end-point-service-white-lists", 100),
    ("vpc-max-cmcc-ipv6-cidrs", 1),
    ("vpc-max-ctcc-ipv6-cidrs", 1),
    ("vpc-max-cucc-ipv6-cidrs", 1),
    ("vpc-max-bgp-ipv6-cidrs", 1),
    ("vpc-max-custom-ipv6-cidrs", 1),
    ("vpc-max-ula-ipv6-cidrs", 1),
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

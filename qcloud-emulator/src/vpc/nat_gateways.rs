//! NAT gateways: what they are, and how they are listed.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::interface_creation::check_groups;
use super::vpcs::refuse_unknown;
use super::{LISTS, MALFORMED, TOO_LONG, check_id};
use crate::call::Call;
use crate::clock::Time;
use crate::error::ApiError;
use crate::listing::{self, Dialect, Filter, Filters, Page};
use crate::tags::Tag;
use crate::world::{Region, World};

/// A NAT gateway.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct NatGateway {
    pub(crate) id: String,
    pub(super) name: String,
    pub(crate) vpc_id: String,
    pub(super) subnet_id: String,
    pub(super) zone: String,
    pub(crate) state: State,
    /// In Mbit/s.
    pub(super) bandwidth: u64,
    pub(super) connections: u64,
    /// The generation: 1 or 2.
    pub(super) version: u64,
    /// The ids of its elastic IPs.
    pub(super) elastic_ips: Vec<String>,
    pub(super) groups: Vec<String>,
    pub(super) protected: bool,
    pub(super) affinity: bool,
    pub(super) created: Time,
    pub(super) tags: Vec<Tag>,
    /// The request whose work on the gateway is not done yet.
    pub(super) task: Option<String>,
}

/// The state of a NAT gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum State {
    Pending,
    Available,
    Updating,
    Deleting,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Available => "AVAILABLE",
            Self::Updating => "UPDATING",
            Self::Deleting => "DELETING",
        }
    }
}

impl NatGateway {
    pub(super) fn show(&self, region: &Region) -> Value {
        let addresses: Vec<Value> = self
            .elastic_ips
            .iter()
            .filter_map(|id| region.vpc.elastic_ips.get(id))
            .map(|elastic| {
                json!({
                    "AddressId": elastic.id,
                    "PublicIpAddress": elastic.ip,
                    "IsBlocked": false,
                    "BlockType": "NORMAL",
                })
            })
            .collect();
        json!({
            "NatGatewayId": self.id,
            "NatGatewayName": self.name,
            "CreatedTime": self.created.beijing(),
            "State": self.state.name(),
            "InternetMaxBandwidthOut": self.bandwidth,
            "MaxConcurrentConnection": self.connections,
            "PublicIpAddressSet": addresses,
            "NetworkState": "AVAILABLE",
            "DestinationIpPortTranslationNatRuleSet": [],
            "VpcId": self.vpc_id,
            "Zone": self.zone,
            "DirectConnectGatewayIds": [],
            "SubnetId": self.subnet_id,
            "TagSet": self.tags,
            "SecurityGroupSet": self.groups,
            "SourceIpTranslationNatRuleSet": [],
            "IsExclusive": false,
            "ExclusiveGatewayBandwidth": 0,
            "RestrictState": "NORMAL",
            "NatProductVersion": self.version,
            "StrictSnatMode": false,
            "SmartScheduleMode": false,
            "DedicatedClusterId": "",
            "DeletionProtectionEnabled": self.protected,
            "PublicAddressAffinity": self.affinity,
        })
    }
}

/// The NAT gateway of this id, or the error that says it does not exist.
pub(super) fn find<'a>(region: &'a Region, id: &str) -> Result<&'a NatGateway, ApiError> {
    check_id("NatGatewayId", id, "nat")?;
    region.vpc.nat_gateways.get(id).ok_or_else(|| ApiError::not_found("NAT gateway", id))
}

/// Whether a route of this VPC may lead to the gateway; the error says why not.
pub(super) fn check_next_hop(region: &Region, id: &str, vpc_id: &str) -> Result<(), ApiError> {
    let fault = |why: String| Err(ApiError::new("InvalidParameterValue.RouteNextHopInvalid", why));
    match region.vpc.nat_gateways.get(id) {
        None => fault(format!("The next hop: the NAT gateway `{id}` does not exist in this region.")),
        Some(gateway) if gateway.vpc_id != vpc_id => {
            fault(format!("The next hop: the NAT gateway `{id}` is in `{}`, not in `{vpc_id}`.", gateway.vpc_id))
        }
        Some(gateway) if gateway.state != State::Available => fault(format!(
            "The next hop: the NAT gateway `{id}` is {}: wait until it is AVAILABLE.",
            gateway.state.name()
        )),
        Some(_) => Ok(()),
    }
}

pub(super) fn check_name(name: &str) -> Result<(), ApiError> {
    if name.is_empty() {
        return Err(ApiError::new("InvalidParameterValue.Empty", "`NatGatewayName` must not be empty."));
    }
    if name.chars().count() > 60 {
        return Err(ApiError::new(TOO_LONG, "`NatGatewayName` has at most 60 characters."));
    }
    Ok(())
}

pub(super) fn check_bandwidth(bandwidth: u64) -> Result<u64, ApiError> {
    if (1..=5000).contains(&bandwidth) {
        return Ok(bandwidth);
    }
    let message = format!("`InternetMaxBandwidthOut` must be between 1 and 5000 Mbit/s, not {bandwidth}.");
    Err(ApiError::new("InvalidParameterValue.Range", message))
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        nat_gateway_ids: Option<Vec<String>>,
        filters: Option<Vec<Filter>>,
        offset: Option<i64>,
        limit: Option<i64>,
    }
    const FILTERS: &[&str] = &["nat-gateway-id", "vpc-id", "nat-gateway-name", "tag-key", "nat-state"];
    const FIVE_VALUES: Dialect = Dialect { most_values: 5, ..LISTS };
    let input: Input = call.input()?;
    let here = world.local(call);
    listing::ids_or_filters(("NatGatewayIds", input.nat_gateway_ids.as_ref()), input.filters.as_ref(), &LISTS)?;
    let ids = input.nat_gateway_ids.unwrap_or_default();
    listing::check_ids(("NatGatewayIds", &ids), "nat", MALFORMED, &LISTS)?;
    refuse_unknown(&here, &ids, "NAT gateway", |id| here.region.vpc.nat_gateways.contains(id))?;
    let filters = Filters::check(call, input.filters, FILTERS, &FIVE_VALUES)?;
    let page = Page::new(input.offset, input.limit, &LISTS)?;
    let region = &*here.region;
    let (total, gateways) = page.cut(region.vpc.nat_gateways.among(&ids).filter(|gateway| {
        filters.accept(&gateway.tags, |name, value| match name {
            "nat-gateway-id" => gateway.id == value,
            "vpc-id" => gateway.vpc_id == value,
            "nat-gateway-name" => gateway.name.contains(value),
            "nat-state" => gateway.state.name() == value,
            _ => false,
        })
    }));
    let gateways: Vec<Value> = gateways.into_iter().map(|gateway| gateway.show(region)).collect();
    Ok(json!({ "NatGatewaySet": gateways, "TotalCount": total, "VerboseLevel": "DETAIL" }))
}

pub(super) fn modify(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        nat_gateway_id: String,
        nat_gateway_name: Option<String>,
        internet_max_bandwidth_out: Option<u64>,
        modify_security_group: Option<bool>,
        security_group_ids: Option<Vec<String>>,
        deletion_protection_enabled: Option<bool>,
        public_address_affinity: Option<bool>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    find(here.region, &input.nat_gateway_id)?;
    input.nat_gateway_name.as_deref().map_or(Ok(()), check_name)?;
    let bandwidth = input.internet_max_bandwidth_out.map(check_bandwidth).transpose()?;
    let groups = input.security_group_ids.unwrap_or_default();
    check_groups(&here, &groups)?;
    if let Some(gateway) = here.region.vpc.nat_gateways.get_mut(&input.nat_gateway_id) {
        gateway.name = input.nat_gateway_name.unwrap_or_else(|| gateway.name.clone());
        gateway.bandwidth = bandwidth.unwrap_or(gateway.bandwidth);
        gateway.protected = input.deletion_protection_enabled.unwrap_or(gateway.protected);
        gateway.affinity = input.public_address_affinity.unwrap_or(gateway.affinity);
        if input.modify_security_group == Some(true) {
            gateway.groups = groups;
        }
    }
    Ok(json!({}))
}

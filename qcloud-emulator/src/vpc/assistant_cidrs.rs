//! Secondary networks of VPCs.

use serde::Deserialize;
use serde_json::{Value, json};

use super::vpcs::{self, Vpc, is_private, read_cidr};
use super::{LISTS, MALFORMED};
use crate::call::Call;
use crate::cidr::Cidr;
use crate::error::ApiError;
use crate::listing::{self, Filter, Filters, Page};
use crate::settings::Quota;
use crate::tke;
use crate::world::{Local, Region, World};

fn show(region: &Region, vpc: &Vpc, cidr: Cidr) -> Value {
    let subnets = region.vpc.subnets.values().filter(|subnet| subnet.vpc_id == vpc.id && cidr.contains(subnet.cidr));
    json!({
        "VpcId": vpc.id,
        "CidrBlock": cidr,
        "AssistantType": 0,
        "SubnetSet": subnets.map(super::subnets::Subnet::show).collect::<Vec<_>>(),
    })
}

/// What stands in the way of a new network of a VPC: what it is, its id, and the network that overlaps.
fn conflict(region: &Region, vpc: &Vpc, cidr: Cidr, leaving: &[Cidr]) -> Option<(&'static str, String, Cidr)> {
    let mut networks = vpc.networks().filter(|network| !leaving.contains(network));
    if let Some(network) = networks.find(|network| network.overlaps(cidr)) {
        return Some(("VPC", vpc.id.clone(), network));
    }
    if let Some((table, pods)) = tke::table_over(region, &vpc.id, cidr) {
        return Some(("CCS", table, pods));
    }
    let tables = region.vpc.route_tables.values().filter(|table| table.vpc_id == vpc.id);
    let routes = tables.flat_map(|table| table.routes.iter().map(move |route| (table, route)));
    let mut destinations = routes.filter_map(|(table, route)| Some((table, route.network()?)));
    // Routes to more than the network, the default route above all, do not stand in its way.
    let (table, network) = destinations.find(|(_, network)| cidr.contains(*network))?;
    Some(("RTB", table.id.clone(), network))
}

/// The subnet that lies in a network.
fn user(region: &Region, vpc_id: &str, cidr: Cidr) -> Option<(String, Cidr)> {
    let mut subnets = region.vpc.subnets.values().filter(|subnet| subnet.vpc_id == vpc_id);
    subnets.find(|subnet| cidr.contains(subnet.cidr)).map(|subnet| (subnet.id.clone(), subnet.cidr))
}

fn read(blocks: &[String]) -> Result<Vec<Cidr>, ApiError> {
    blocks.iter().map(|text| read_cidr("CidrBlocks", text)).collect()
}

/// The networks of a VPC after a change, checked.
fn changed(here: &Local<'_>, vpc: &Vpc, new: &[Cidr], old: &[Cidr]) -> Result<Vec<Cidr>, ApiError> {
    for cidr in old {
        if !vpc.assistants.contains(cidr) {
            return Err(ApiError::not_found("secondary network", &format!("{cidr} of {}", vpc.id)));
        }
        if let Some((subnet, network)) = user(here.region, &vpc.id, *cidr) {
            return Err(ApiError::in_use(format!("The network {cidr} is in use: `{subnet}`, {network}, lies in it.")));
        }
    }
    let mut networks: Vec<Cidr> = vpc.assistants.iter().filter(|cidr| !old.contains(cidr)).copied().collect();
    for cidr in new {
        if !is_private(*cidr) {
            let message =
                format!("`CidrBlocks`: {cidr} is not within the private networks, with a mask from /16 to /28.");
            return Err(ApiError::new("InvalidParameterValue.Range", message));
        }
        if let Some((kind, id, network)) = conflict(here.region, vpc, *cidr, old) {
            let code = if kind == "VPC" {
                "InvalidParameterValue.VpcCidrConflict"
            } else {
                "InvalidParameterValue.VpcCidrOverlapRoute"
            };
            return Err(ApiError::new(code, format!("`CidrBlocks`: {cidr} overlaps {network} of `{id}`.")));
        }
        if networks.iter().any(|other| other.overlaps(*cidr)) {
            let message = format!("`CidrBlocks`: {cidr} overlaps another of the networks.");
            return Err(ApiError::new("InvalidParameterValue.VpcCidrConflict", message));
        }
        networks.push(*cidr);
    }
    let limit = here.settings.limit(Quota::AssistantCidrsPerVpc);
    if networks.len() > limit {
        let message = format!("A VPC has at most {limit} secondary networks, not {}.", networks.len());
        return Err(ApiError::new("LimitExceeded", message));
    }
    Ok(networks)
}

fn change(here: &mut Local<'_>, vpc_id: &str, new: &[Cidr], old: &[Cidr]) -> Result<Value, ApiError> {
    let networks = changed(here, vpcs::find(here.region, vpc_id)?, new, old)?;
    if let Some(vpc) = here.region.vpc.vpcs.get_mut(vpc_id) {
        vpc.assistants = networks;
    }
    let vpc = vpcs::find(here.region, vpc_id)?;
    let shown: Vec<Value> = new.iter().map(|cidr| show(here.region, vpc, *cidr)).collect();
    Ok(json!({ "AssistantCidrSet": shown }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Blocks {
    vpc_id: String,
    #[serde(default)]
    cidr_blocks: Vec<String>,
    #[serde(default)]
    new_cidr_blocks: Vec<String>,
    #[serde(default)]
    old_cidr_blocks: Vec<String>,
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Blocks = call.input()?;
    let mut here = world.local(call);
    vpcs::find(here.region, &input.vpc_id)?;
    if input.cidr_blocks.is_empty() {
        return Err(ApiError::missing("CidrBlocks"));
    }
    change(&mut here, &input.vpc_id, &read(&input.cidr_blocks)?, &[])
}

pub(super) fn modify(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Blocks = call.input()?;
    let mut here = world.local(call);
    vpcs::find(here.region, &input.vpc_id)?;
    if input.new_cidr_blocks.is_empty() && input.old_cidr_blocks.is_empty() {
        return Err(ApiError::missing("NewCidrBlocks"));
    }
    change(&mut here, &input.vpc_id, &read(&input.new_cidr_blocks)?, &read(&input.old_cidr_blocks)?)
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Blocks = call.input()?;
    let mut here = world.local(call);
    vpcs::find(here.region, &input.vpc_id)?;
    if input.cidr_blocks.is_empty() {
        return Err(ApiError::missing("CidrBlocks"));
    }
    change(&mut here, &input.vpc_id, &[], &read(&input.cidr_blocks)?)?;
    Ok(json!({}))
}

pub(super) fn check(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Blocks = call.input()?;
    let here = world.local(call);
    let vpc = vpcs::find(here.region, &input.vpc_id)?;
    let (new, old) = (read(&input.new_cidr_blocks)?, read(&input.old_cidr_blocks)?);
    let item = |source: &str, cidr: Cidr, (id, network): (String, Cidr)| {
        json!({
            "ConflictSourceId": source,
            "SourceItem": cidr,
            "ConflictItemSet": [{ "ConfilctId": id, "ConflictId": id, "DestinationItem": network }],
        })
    };
    let coming = new.into_iter().filter_map(|cidr| {
        let (_, id, network) = conflict(here.region, vpc, cidr, &old)?;
        Some(item(&vpc.id, cidr, (id, network)))
    });
    let coming: Vec<Value> = coming.collect();
    let going = old.iter().filter_map(|cidr| Some(item(&vpc.id, *cidr, user(here.region, &vpc.id, *cidr)?)));
    Ok(json!({ "ConflictSourceSet": coming.into_iter().chain(going).collect::<Vec<_>>() }))
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        vpc_ids: Option<Vec<String>>,
        filters: Option<Vec<Filter>>,
        offset: Option<i64>,
        limit: Option<i64>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    listing::ids_or_filters(("VpcIds", input.vpc_ids.as_ref()), input.filters.as_ref(), &LISTS)?;
    let ids = input.vpc_ids.unwrap_or_default();
    listing::check_ids(("VpcIds", &ids), "vpc", MALFORMED, &LISTS)?;
    let filters = Filters::check(call, input.filters, &["vpc-id"], &LISTS)?;
    let page = Page::new(input.offset, input.limit, &LISTS)?;
    let vpcs = here
        .region
        .vpc
        .vpcs
        .values()
        .filter(|vpc| (ids.is_empty() || ids.contains(&vpc.id)) && filters.accept(&[], |_, value| vpc.id == value));
    let (total, networks) = page.cut(vpcs.flat_map(|vpc| vpc.assistants.iter().map(move |cidr| (vpc, *cidr))));
    let networks: Vec<Value> = networks.into_iter().map(|(vpc, cidr)| show(here.region, vpc, cidr)).collect();
    Ok(json!({ "AssistantCidrSet": networks, "TotalCount": total }))
}

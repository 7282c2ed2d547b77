//! Subnets and the addresses that they give out.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::addresses::Addresses;
pub(crate) use super::addresses::Refused;
use super::vpcs::{self, read_cidr, refuse_unknown};
use super::{LISTS, MALFORMED, check_id, check_name, switch};
use crate::call::Call;
use crate::cidr::Cidr;
use crate::clock::Time;
use crate::error::ApiError;
use crate::listing::{self, Filter, Filters, Page};
use crate::settings::Quota;
use crate::tags::{self, Tag};
use crate::world::{Local, Region, World};

/// A subnet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Subnet {
    pub(crate) id: String,
    pub(crate) vpc_id: String,
    pub(crate) name: String,
    pub(crate) cidr: Cidr,
    pub(crate) zone: String,
    pub(crate) is_default: bool,
    broadcast: bool,
    pub(crate) route_table_id: String,
    created: Time,
    tags: Vec<Tag>,
    pub(crate) addresses: Addresses,
}

/// What a subnet is made with.
#[derive(Debug)]
pub(super) struct NewSubnet {
    pub(super) vpc_id: String,
    pub(super) name: String,
    pub(super) cidr: String,
    pub(super) zone: String,
    pub(super) is_default: bool,
    pub(super) tags: Vec<Tag>,
}

impl Subnet {
    pub(super) fn show(&self) -> Value {
        json!({
            "VpcId": self.vpc_id,
            "SubnetId": self.id,
            "SubnetName": self.name,
            "CidrBlock": self.cidr,
            "IsDefault": self.is_default,
            "EnableBroadcast": self.broadcast,
            "Zone": self.zone,
            "RouteTableId": self.route_table_id,
            "CreatedTime": self.created.beijing(),
            "AvailableIpAddressCount": self.free(),
            "TotalIpAddressCount": Addresses::total(self.cidr),
            "Ipv6CidrBlock": "",
            "NetworkAclId": "",
            "IsRemoteVpcSnat": false,
            "TagSet": self.tags,
            "CdcId": "",
            "IsCdcSubnet": 0,
        })
    }

    /// How many addresses are left.
    pub(crate) fn free(&self) -> u64 {
        self.addresses.free(self.cidr)
    }

    /// Gives an address to a resource: the one asked for, or any.
    pub(crate) fn take(&mut self, wanted: Option<Ipv4Addr>, owner: &str) -> Result<Ipv4Addr, Refused> {
        self.addresses.take(self.cidr, wanted, owner)
    }
}

/// Gives an address back.
pub(crate) fn release(region: &mut Region, subnet: &str, address: &str) {
    if let (Some(subnet), Ok(address)) = (region.vpc.subnets.get_mut(subnet), address.parse()) {
        subnet.addresses.release(address);
    }
}

/// The subnet of this id, or the error that says it does not exist.
pub(super) fn find<'a>(region: &'a Region, id: &str) -> Result<&'a Subnet, ApiError> {
    check_id("SubnetId", id, "subnet")?;
    region.vpc.subnets.get(id).ok_or_else(|| ApiError::not_found("subnet", id))
}

/// Makes a subnet, after all checks.
pub(super) fn make(here: &mut Local<'_>, new: NewSubnet) -> Result<String, ApiError> {
    let vpc = vpcs::find(here.region, &new.vpc_id)?;
    check_name("SubnetName", &new.name)?;
    let cidr = read_cidr("CidrBlock", &new.cidr)?;
    if !(16..=28).contains(&cidr.length()) || !vpc.networks().any(|network| network.contains(cidr)) {
        let message = format!(
            "`CidrBlock`: {cidr} must lie within a network of the VPC, such as {}, and have a mask from /16 to /28.",
            vpc.cidr
        );
        return Err(ApiError::new("InvalidParameterValue.SubnetRange", message));
    }
    if here.zone(&new.zone).is_none() {
        let message = format!("`Zone`: the region {} has no zone `{}`; DescribeZones lists them.", here.name, new.zone);
        return Err(ApiError::invalid_value(message));
    }
    let state = &here.region.vpc;
    let siblings = || state.subnets.values().filter(|subnet| subnet.vpc_id == new.vpc_id);
    if let Some(other) = siblings().find(|other| other.cidr.overlaps(cidr)) {
        let message = format!("`CidrBlock`: {cidr} overlaps {} of the subnet `{}`.", other.cidr, other.id);
        return Err(ApiError::new("InvalidParameterValue.SubnetConflict", message));
    }
    let limit = here.settings.limit(Quota::SubnetsPerVpc);
    if siblings().count() >= limit {
        let message = format!("The VPC `{}` has its {limit} subnets already.", new.vpc_id);
        return Err(ApiError::new("LimitExceeded", message));
    }
    let main = state.route_tables.values().find(|table| table.main && table.vpc_id == new.vpc_id);
    let route_table_id = main.map(|table| table.id.clone()).unwrap_or_default();
    let id = here.ids.new_id("subnet");
    let subnet = Subnet {
        id: id.clone(),
        vpc_id: new.vpc_id,
        name: new.name,
        cidr,
        zone: new.zone,
        is_default: new.is_default,
        broadcast: false,
        route_table_id,
        created: here.now,
        tags: new.tags,
        addresses: Addresses::default(),
    };
    here.region.vpc.subnets.insert(id.clone(), subnet);
    Ok(id)
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        vpc_id: String,
        subnet_name: String,
        zone: String,
        cidr_block: Option<String>,
        ipv6_cidr_block: Option<String>,
        tags: Option<Vec<Tag>>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    if input.ipv6_cidr_block.is_some() {
        return Err(ApiError::new("UnsupportedOperation", "The emulator's subnets have no IPv6 networks yet."));
    }
    let new = NewSubnet {
        vpc_id: input.vpc_id,
        name: input.subnet_name,
        cidr: input.cidr_block.ok_or_else(|| ApiError::missing("CidrBlock"))?,
        zone: input.zone,
        is_default: false,
        tags: tags::check(input.tags)?,
    };
    let id = make(&mut here, new)?;
    Ok(json!({ "Subnet": find(here.region, &id)?.show() }))
}

pub(super) fn create_many(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        vpc_id: String,
        subnets: Vec<Wanted>,
        tags: Option<Vec<Tag>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Wanted {
        cidr_block: String,
        subnet_name: String,
        zone: String,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let tags = tags::check(input.tags)?;
    let mut made: Vec<String> = Vec::new();
    for wanted in input.subnets {
        let new = NewSubnet {
            vpc_id: input.vpc_id.clone(),
            name: wanted.subnet_name,
            cidr: wanted.cidr_block,
            zone: wanted.zone,
            is_default: false,
            tags: tags.clone(),
        };
        match make(&mut here, new) {
            Ok(id) => made.push(id),
            Err(error) => {
                // All or nothing.
                for id in made {
                    here.region.vpc.subnets.remove(&id);
                }
                return Err(error);
            }
        }
    }
    let shown: Result<Vec<Value>, ApiError> = made.iter().map(|id| Ok(find(here.region, id)?.show())).collect();
    Ok(json!({ "SubnetSet": shown? }))
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        subnet_ids: Option<Vec<String>>,
        filters: Option<Vec<Filter>>,
        offset: Option<String>,
        limit: Option<String>,
        max_results: Option<i64>,
        next_token: Option<String>,
    }
    const FILTERS: &[&str] = &[
        "subnet-id",
        "vpc-id",
        "cidr-block",
        "is-default",
        "is-remote-vpc-snat",
        "subnet-name",
        "zone",
        "tag-key",
        "tag:",
        "cdc-id",
        "is-cdc-subnet",
    ];
    let input: Input = call.input()?;
    let here = world.local(call);
    listing::ids_or_filters(("SubnetIds", input.subnet_ids.as_ref()), input.filters.as_ref(), &LISTS)?;
    let ids = input.subnet_ids.unwrap_or_default();
    listing::check_ids(("SubnetIds", &ids), "subnet", MALFORMED, &LISTS)?;
    refuse_unknown(&here, &ids, "subnet", |id| here.region.vpc.subnets.contains(id))?;
    let filters = Filters::check(call, input.filters, FILTERS, &LISTS)?;
    // By token, or by offset: the emulator's tokens are offsets.
    let by_token = input.max_results.is_some() || input.next_token.is_some();
    let limit = input.max_results.map(|limit| limit.to_string());
    let (offset, limit) = if by_token { (input.next_token, limit) } else { (input.offset, input.limit) };
    let page = Page::from_text(offset.as_deref().filter(|text| !text.is_empty()), limit.as_deref(), &LISTS)?;
    let (total, subnets) = page.cut(here.region.vpc.subnets.among(&ids).filter(|subnet| {
        filters.accept(&subnet.tags, |name, value| match name {
            "subnet-id" => subnet.id == value,
            "vpc-id" => subnet.vpc_id == value,
            "cidr-block" => subnet.cidr.to_string() == value,
            "is-default" => subnet.is_default.to_string() == value,
            "is-remote-vpc-snat" => value == "false",
            "subnet-name" => subnet.name == value,
            "zone" => subnet.zone == value,
            // There are no dedicated clusters.
            "is-cdc-subnet" => value == "0",
            _ => false,
        })
    }));
    let mut answer = json!({ "TotalCount": total, "SubnetSet": subnets.iter().map(|s| s.show()).collect::<Vec<_>>() });
    if let (true, Some(members)) = (by_token, answer.as_object_mut()) {
        let reached = offset.and_then(|text| text.parse::<usize>().ok()).unwrap_or_default() + subnets.len();
        let token = if reached < total { reached.to_string() } else { String::new() };
        members.insert("NextToken".to_owned(), Value::String(token));
    }
    Ok(answer)
}

pub(super) fn modify(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        subnet_id: String,
        subnet_name: Option<String>,
        enable_broadcast: Option<String>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    find(here.region, &input.subnet_id)?;
    input.subnet_name.as_deref().map_or(Ok(()), |name| check_name("SubnetName", name))?;
    let broadcast = input.enable_broadcast.map(|text| switch("EnableBroadcast", &text)).transpose()?;
    if let Some(subnet) = here.region.vpc.subnets.get_mut(&input.subnet_id) {
        subnet.name = input.subnet_name.unwrap_or_else(|| subnet.name.clone());
        subnet.broadcast = broadcast.unwrap_or(subnet.broadcast);
    }
    Ok(json!({}))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        subnet_id: String,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let subnet = find(here.region, &input.subnet_id)?;
    if let Some((address, owner)) = subnet.addresses.owners().next() {
        let message = format!(
            "The subnet `{}` is in use: {address} belongs to `{owner}`, and there are {} such addresses in all.",
            subnet.id,
            subnet.addresses.owners().count()
        );
        return Err(ApiError::in_use(message));
    }
    here.region.vpc.subnets.remove(&input.subnet_id);
    Ok(json!({}))
}

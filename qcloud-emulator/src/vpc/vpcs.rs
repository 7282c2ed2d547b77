//! Private networks.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{LISTS, MALFORMED, check_id, check_name, route_tables, switch};
use crate::call::Call;
use crate::cidr::Cidr;
use crate::clock::Time;
use crate::error::ApiError;
use crate::listing::{self, Filter, Filters, Page};
use crate::settings::{Quota, UnknownIds};
use crate::tags::{self, Tag};
use crate::tke;
use crate::world::{Local, Region, World};

/// A VPC.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Vpc {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) cidr: Cidr,
    pub(crate) is_default: bool,
    multicast: bool,
    dns_servers: Vec<String>,
    domain_name: String,
    created: Time,
    tags: Vec<Tag>,
    /// Whether a CCN gets the networks of the VPC, not those of its subnets.
    pub(super) publish_routes: bool,
    /// Its secondary networks.
    pub(super) assistants: Vec<Cidr>,
}

/// What a VPC is made with.
#[derive(Debug)]
pub(super) struct NewVpc {
    pub(super) name: String,
    pub(super) cidr: Cidr,
    pub(super) is_default: bool,
    pub(super) tags: Vec<Tag>,
}

/// The networks that a VPC may lie in, with the shortest mask each allows.
const PRIVATE: [(&str, u8); 3] = [("10.0.0.0/8", 12), ("172.16.0.0/12", 12), ("192.168.0.0/16", 16)];
const LONGEST_MASK: u8 = 28;

impl Vpc {
    /// Its network and its secondary ones.
    pub(crate) fn networks(&self) -> impl Iterator<Item = Cidr> {
        std::iter::once(self.cidr).chain(self.assistants.iter().copied())
    }

    fn show(&self) -> Value {
        json!({
            "VpcId": self.id,
            "VpcName": self.name,
            "CidrBlock": self.cidr,
            "IsDefault": self.is_default,
            "EnableMulticast": self.multicast,
            "CreatedTime": self.created.beijing(),
            "DnsServerSet": self.dns_servers,
            "DomainName": self.domain_name,
            "DhcpOptionsId": "",
            "EnableDhcp": true,
            "Ipv6CidrBlock": "",
            "TagSet": self.tags,
            "AssistantCidrSet": self.assistants.iter().map(|cidr| json!({
                "VpcId": self.id,
                "CidrBlock": cidr,
                "AssistantType": 0,
                "SubnetSet": [],
            })).collect::<Vec<_>>(),
            "EnableRouteVpcPublish": self.publish_routes,
            "Ipv6CidrBlockSet": [],
        })
    }
}

/// The VPC of this id, or the error that says it does not exist.
pub(super) fn find<'a>(region: &'a Region, id: &str) -> Result<&'a Vpc, ApiError> {
    check_id("VpcId", id, "vpc")?;
    region.vpc.vpcs.get(id).ok_or_else(|| ApiError::not_found("VPC", id))
}

/// Reads a network and checks that its mask is within bounds.
pub(super) fn read_cidr(parameter: &str, text: &str) -> Result<Cidr, ApiError> {
    text.parse().map_err(|error| ApiError::new(MALFORMED, format!("`{parameter}`: {error}.")))
}

/// Whether a VPC may have this network.
pub(super) fn is_private(cidr: Cidr) -> bool {
    let fits = PRIVATE.iter().any(|(network, shortest)| {
        network.parse::<Cidr>().is_ok_and(|network| network.contains(cidr)) && cidr.length() >= *shortest
    });
    fits && cidr.length() <= LONGEST_MASK
}

/// Makes a VPC with its default route table.
pub(super) fn make(here: &mut Local<'_>, new: NewVpc) -> Result<String, ApiError> {
    let limit = here.settings.limit(Quota::VpcsPerRegion);
    if here.region.vpc.vpcs.len() >= limit {
        let message = format!("The region {} has its {limit} VPCs already: delete one or raise the quota.", here.name);
        return Err(ApiError::new("LimitExceeded", message));
    }
    let id = here.ids.new_id("vpc");
    let vpc = Vpc {
        id: id.clone(),
        name: new.name,
        cidr: new.cidr,
        is_default: new.is_default,
        multicast: false,
        dns_servers: vec!["183.60.83.19".to_owned(), "183.60.82.98".to_owned()],
        domain_name: String::new(),
        created: here.now,
        tags: new.tags,
        publish_routes: false,
        assistants: Vec::new(),
    };
    here.region.vpc.vpcs.insert(id.clone(), vpc);
    route_tables::make(here, &id, "default".to_owned(), true, Vec::new());
    Ok(id)
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        vpc_name: String,
        cidr_block: Option<String>,
        ipv6_cidr_block: Option<String>,
        enable_multicast: Option<String>,
        dns_servers: Option<Vec<String>>,
        domain_name: Option<String>,
        tags: Option<Vec<Tag>>,
        enable_route_vpc_publish: Option<bool>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    check_name("VpcName", &input.vpc_name)?;
    if input.ipv6_cidr_block.is_some() {
        return Err(ApiError::new("UnsupportedOperation", "The emulator's VPCs have no IPv6 networks yet."));
    }
    let text = input.cidr_block.ok_or_else(|| ApiError::missing("CidrBlock"))?;
    let cidr = read_cidr("CidrBlock", &text)?;
    if !is_private(cidr) {
        let message = format!(
            "`CidrBlock`: {cidr} must lie in 10.0.0.0/8 or 172.16.0.0/12 with a mask from /12 to /28, or in \
             192.168.0.0/16 with a mask from /16 to /28."
        );
        return Err(ApiError::invalid_value(message));
    }
    let multicast = input.enable_multicast.map(|text| switch("EnableMulticast", &text)).transpose()?;
    let tags = tags::check(input.tags)?;
    let id = make(&mut here, NewVpc { name: input.vpc_name, cidr, is_default: false, tags })?;
    let vpc = here.region.vpc.vpcs.get_mut(&id).ok_or_else(|| ApiError::not_found("VPC", &id))?;
    vpc.multicast = multicast.unwrap_or_default();
    vpc.publish_routes = input.enable_route_vpc_publish.unwrap_or_default();
    vpc.domain_name = input.domain_name.unwrap_or_default();
    if let Some(servers) = input.dns_servers.filter(|servers| !servers.is_empty()) {
        vpc.dns_servers = servers;
    }
    Ok(json!({ "Vpc": vpc.show() }))
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        vpc_ids: Option<Vec<String>>,
        filters: Option<Vec<Filter>>,
        offset: Option<String>,
        limit: Option<String>,
    }
    const FILTERS: &[&str] = &["vpc-name", "is-default", "vpc-id", "cidr-block", "tag-key", "tag:"];
    let input: Input = call.input()?;
    let here = world.local(call);
    listing::ids_or_filters(("VpcIds", input.vpc_ids.as_ref()), input.filters.as_ref(), &LISTS)?;
    let ids = input.vpc_ids.unwrap_or_default();
    listing::check_ids(("VpcIds", &ids), "vpc", MALFORMED, &LISTS)?;
    refuse_unknown(&here, &ids, "VPC", |id| here.region.vpc.vpcs.contains(id))?;
    let filters = Filters::check(call, input.filters, FILTERS, &LISTS)?;
    let page = Page::from_text(input.offset.as_deref(), input.limit.as_deref(), &LISTS)?;
    let (total, vpcs) = page.cut(here.region.vpc.vpcs.among(&ids).filter(|vpc| {
        filters.accept(&vpc.tags, |name, value| match name {
            "vpc-name" => vpc.name.contains(value),
            "is-default" => vpc.is_default.to_string() == value,
            "vpc-id" => vpc.id == value,
            "cidr-block" => {
                let cidr = vpc.cidr.to_string();
                cidr == value || cidr.split('/').next() == Some(value)
            }
            _ => false,
        })
    }));
    Ok(json!({ "TotalCount": total, "VpcSet": vpcs.into_iter().map(Vpc::show).collect::<Vec<_>>() }))
}

/// Fails for the first id that does not exist, when the knob says so.
pub(super) fn refuse_unknown(
    here: &Local<'_>,
    ids: &[String],
    what: &str,
    exists: impl Fn(&str) -> bool,
) -> Result<(), ApiError> {
    match ids.iter().find(|id| !exists(id)) {
        Some(id) if here.settings.unknown_ids == UnknownIds::Refuse => Err(ApiError::not_found(what, id)),
        _ => Ok(()),
    }
}

pub(super) fn modify(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        vpc_id: String,
        vpc_name: Option<String>,
        enable_multicast: Option<String>,
        dns_servers: Option<Vec<String>>,
        domain_name: Option<String>,
        enable_route_vpc_publish: Option<bool>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    find(here.region, &input.vpc_id)?;
    input.vpc_name.as_deref().map_or(Ok(()), |name| check_name("VpcName", name))?;
    let multicast = input.enable_multicast.map(|text| switch("EnableMulticast", &text)).transpose()?;
    let vpc = here.region.vpc.vpcs.get_mut(&input.vpc_id).ok_or_else(|| ApiError::not_found("VPC", &input.vpc_id))?;
    vpc.name = input.vpc_name.unwrap_or_else(|| vpc.name.clone());
    vpc.multicast = multicast.unwrap_or(vpc.multicast);
    vpc.dns_servers = input.dns_servers.unwrap_or_else(|| vpc.dns_servers.clone());
    vpc.domain_name = input.domain_name.unwrap_or_else(|| vpc.domain_name.clone());
    vpc.publish_routes = input.enable_route_vpc_publish.unwrap_or(vpc.publish_routes);
    Ok(json!({}))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        vpc_id: String,
    }
    let input: Input = call.input()?;
    let ccn = world.state.ccns.of(call.region, &input.vpc_id, call.now).map(str::to_owned);
    let here = world.local(call);
    if let Some(balancer) = here.region.clb.balancers.values().find(|balancer| balancer.vpc_id == input.vpc_id) {
        let message = format!("The VPC `{}` still has the load balancer `{}`.", input.vpc_id, balancer.id);
        return Err(ApiError::in_use(message));
    }
    let vpc = &mut here.region.vpc;
    let id = &find_in(vpc, &input.vpc_id)?;
    if let Some(ccn) = ccn {
        return Err(ApiError::in_use(format!("The VPC `{id}` is attached to the CCN `{ccn}`: detach it first.")));
    }
    if let Some(gateway) = vpc.nat_gateways.values().find(|gateway| gateway.vpc_id == *id) {
        return Err(ApiError::in_use(format!("The VPC `{id}` still has the NAT gateway `{}`.", gateway.id)));
    }
    let subnets: Vec<&str> =
        vpc.subnets.values().filter(|subnet| subnet.vpc_id == *id).map(|subnet| subnet.id.as_str()).collect();
    if !subnets.is_empty() {
        return Err(ApiError::in_use(format!("The VPC `{id}` still has the subnets {}.", subnets.join(", "))));
    }
    let tables: Vec<&route_tables::RouteTable> =
        vpc.route_tables.values().filter(|table| table.vpc_id == *id).collect();
    if let Some(table) = tables.iter().find(|table| !table.main) {
        return Err(ApiError::in_use(format!("The VPC `{id}` still has the route table `{}`.", table.id)));
    }
    if let Some(user) = tke::user_of(&here.region.tke, id) {
        return Err(ApiError::in_use(format!("The VPC `{id}` is used by {user}.")));
    }
    let tables: Vec<String> = tables.into_iter().map(|table| table.id.clone()).collect();
    for table in tables {
        vpc.route_tables.remove(&table);
    }
    vpc.vpcs.remove(id);
    Ok(json!({}))
}

fn find_in(state: &super::State, id: &str) -> Result<String, ApiError> {
    check_id("VpcId", id, "vpc")?;
    state.vpcs.get(id).map(|vpc| vpc.id.clone()).ok_or_else(|| ApiError::not_found("VPC", id))
}

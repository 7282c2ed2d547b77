//! The routes of a route table.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::route_tables::{self, RouteTable};
use super::{LISTS, MALFORMED, nat_gateways, vpcs};
use crate::call::Call;
use crate::cidr::Cidr;
use crate::clock::Time;
use crate::error::ApiError;
use crate::listing::{Filter, Filters, Page};
use crate::settings::Quota;
use crate::tke;
use crate::world::{Local, Region, World};

/// The next hops that a user's route may have.
const GATEWAY_TYPES: &[&str] = &[
    "CVM",
    "VPN",
    "DIRECTCONNECT",
    "PEERCONNECTION",
    "HAVIP",
    "NAT",
    "NORMAL_CVM",
    "EIP",
    "LOCAL_GATEWAY",
    "INTRANAT",
    "USER_CCN",
    "GWLB_ENDPOINT",
    "SSLVPN",
];
/// How many instances may share one destination.
const MOST_EQUAL: usize = 8;
/// How many routes one request switches.
const MOST_AT_ONCE: usize = 100;

/// A route.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Route {
    /// A number; 0 for IPv6 routes.
    number: u64,
    pub(super) item_id: String,
    pub(crate) destination: Destination,
    pub(crate) gateway_type: String,
    pub(crate) gateway_id: String,
    description: String,
    pub(crate) enabled: bool,
    pub(super) route_type: String,
    /// Whether it is published to the CCN of the VPC.
    pub(super) published: bool,
    created: Time,
}

/// Where a route leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Destination {
    V4(Cidr),
    V6(String),
}

/// A route as requests carry it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    destination_cidr_block: Option<String>,
    destination_ipv6_cidr_block: Option<String>,
    gateway_type: Option<String>,
    gateway_id: Option<String>,
    route_description: Option<String>,
    enabled: Option<bool>,
    route_id: Option<u64>,
    route_item_id: Option<String>,
}

impl Route {
    /// Whether it is for packets to this address.
    pub(crate) fn leads_to(&self, address: Ipv4Addr) -> bool {
        self.network().is_some_and(|network| network.contains_address(address))
    }

    pub(super) fn show(&self, table: &str) -> Value {
        let (v4, v6) = match &self.destination {
            Destination::V4(cidr) => (cidr.to_string(), ""),
            Destination::V6(text) => (String::new(), text.as_str()),
        };
        json!({
            "RouteId": self.number,
            "RouteItemId": self.item_id,
            "RouteTableId": table,
            "DestinationCidrBlock": v4,
            "DestinationIpv6CidrBlock": v6,
            "GatewayType": self.gateway_type,
            "GatewayId": self.gateway_id,
            "RouteDescription": self.description,
            "Enabled": self.enabled,
            "RouteType": self.route_type,
            "PublishedToVbc": self.published,
            "CreatedTime": self.created.beijing(),
            "CdcId": "",
        })
    }

    /// The network that it leads to, when that is an IPv4 one.
    pub(crate) fn network(&self) -> Option<Cidr> {
        match self.destination {
            Destination::V4(cidr) => Some(cidr),
            Destination::V6(_) => None,
        }
    }

    fn destination_text(&self) -> String {
        match &self.destination {
            Destination::V4(cidr) => cidr.to_string(),
            Destination::V6(text) => text.clone(),
        }
    }

    /// Whether a request that names a route means this one: by item id, by number, or by all that it says.
    fn is_meant(&self, given: &Given) -> bool {
        if let Some(item) = given.route_item_id.as_ref().filter(|item| !item.is_empty()) {
            return self.item_id == *item;
        }
        if let Some(number) = given.route_id.filter(|number| *number != 0) {
            return self.number == number;
        }
        let destination = given.destination_cidr_block.as_ref().or(given.destination_ipv6_cidr_block.as_ref());
        destination.is_some_and(|text| self.destination_text() == *text)
            && given.gateway_type.as_ref().is_none_or(|kind| self.gateway_type == *kind)
            && given.gateway_id.as_ref().is_none_or(|id| self.gateway_id == *id)
    }
}

fn not_found(table: &str, given: &Given) -> ApiError {
    let by_number = given.route_id.map(|number| number.to_string());
    let name = given.route_item_id.clone().or(by_number).or_else(|| given.destination_cidr_block.clone());
    ApiError::not_found("route", &format!("{} of {table}", name.unwrap_or_default()))
}

/// Makes a route of what a request gives, checked against the VPC but not against the other routes.
fn read(here: &mut Local<'_>, vpc_id: &str, given: &Given) -> Result<Route, ApiError> {
    let kind = given.gateway_type.clone().ok_or_else(|| ApiError::missing("Routes.GatewayType"))?;
    let gateway = given.gateway_id.clone().ok_or_else(|| ApiError::missing("Routes.GatewayId"))?;
    if !GATEWAY_TYPES.contains(&kind.as_str()) {
        let message = format!("`GatewayType`: there is no `{kind}`; there are {}.", GATEWAY_TYPES.join(", "));
        return Err(ApiError::invalid_value(message));
    }
    let v4 = given.destination_cidr_block.as_deref().filter(|text| !text.is_empty());
    let v6 = given.destination_ipv6_cidr_block.as_deref().filter(|text| !text.is_empty());
    let destination = match (v4, v6) {
        (Some(text), None) => Destination::V4(vpcs::read_cidr("DestinationCidrBlock", text)?),
        (None, Some(text)) if is_ipv6_network(text) => Destination::V6(text.to_owned()),
        (None, Some(text)) => {
            let message =
                format!("`DestinationIpv6CidrBlock`: `{text}` is not an IPv6 network such as 2402:4e00::/64.");
            return Err(ApiError::new(MALFORMED, message));
        }
        (None, None) => return Err(ApiError::missing("Routes.DestinationCidrBlock")),
        (Some(_), Some(_)) => {
            let message = "A route has an IPv4 or an IPv6 destination, not both.";
            return Err(ApiError::new("InvalidParameter.Coexist", message));
        }
    };
    let vpc = vpcs::find(here.region, vpc_id)?;
    if let Destination::V4(cidr) = destination {
        if let Some(network) = vpc.networks().find(|network| network.contains(cidr)) {
            let message = format!("The destination {cidr} lies within the VPC's own {network}.");
            return Err(ApiError::new("InvalidParameterValue.VpcCidrConflict", message));
        }
        tke::refuse_conflict(here.region, vpc_id, cidr)?;
    }
    if kind == "NORMAL_CVM" && !has_address(here.region, vpc_id, &gateway) {
        let message = format!("The next hop `{gateway}` is not the private address of an instance in `{vpc_id}`.");
        return Err(ApiError::new("InvalidParameterValue.RouteNextHopInvalid", message));
    }
    if kind == "NAT" {
        nat_gateways::check_next_hop(here.region, &gateway, vpc_id)?;
    }
    let (number, prefix) = match destination {
        Destination::V4(_) => {
            here.region.vpc.routes_given += 1;
            (here.region.vpc.routes_given, "rti")
        }
        Destination::V6(_) => (0, "rti6"),
    };
    Ok(Route {
        number,
        item_id: here.ids.new_id(prefix),
        destination,
        gateway_type: kind,
        gateway_id: gateway,
        description: given.route_description.clone().unwrap_or_default(),
        enabled: given.enabled.unwrap_or(true),
        route_type: "USER".to_owned(),
        published: false,
        created: here.now,
    })
}

fn is_ipv6_network(text: &str) -> bool {
    text.split_once('/').is_some_and(|(address, length)| {
        address.parse::<Ipv6Addr>().is_ok() && length.parse::<u8>().is_ok_and(|length| length <= 128)
    })
}

/// A route that is published to a CCN stays until it is withdrawn.
fn refuse_published(route: &Route) -> Result<(), ApiError> {
    if route.published {
        let message = format!("The route `{}` is published to a CCN: withdraw it first.", route.item_id);
        return Err(ApiError::new("UnsupportedOperation.DisabledNotifyCcn", message));
    }
    Ok(())
}

/// Whether somebody in the VPC has this private address.
fn has_address(region: &Region, vpc_id: &str, address: &str) -> bool {
    let Ok(address) = address.parse::<Ipv4Addr>() else { return false };
    let mut subnets = region.vpc.subnets.values().filter(|subnet| subnet.vpc_id == vpc_id);
    subnets.any(|subnet| subnet.addresses.owner(address).is_some())
}

/// Adds a route to those of a table, checked against the others.
fn add(routes: &mut Vec<Route>, new: Route) -> Result<(), ApiError> {
    let same: Vec<&Route> = routes.iter().filter(|other| other.destination == new.destination).collect();
    let to = new.destination_text();
    if same.iter().any(|other| other.gateway_type == new.gateway_type && other.gateway_id == new.gateway_id) {
        let message = format!("The route to {to} over {} `{}` exists already.", new.gateway_type, new.gateway_id);
        return Err(ApiError::new("InvalidParameterValue.Duplicate", message));
    }
    if let Some(other) =
        same.iter().find(|other| other.gateway_type != "NORMAL_CVM" || new.gateway_type != "NORMAL_CVM")
    {
        let message = format!(
            "There is a route to {to} over {} `{}` already, and only instances (NORMAL_CVM) may share a destination.",
            other.gateway_type, other.gateway_id
        );
        return Err(ApiError::new("UnsupportedOperation.Ecmp", message));
    }
    if same.len() >= MOST_EQUAL {
        let message = format!("At most {MOST_EQUAL} instances may share the destination {to}.");
        return Err(ApiError::new("UnsupportedOperation.Ecmp", message));
    }
    routes.push(new);
    Ok(())
}

fn table_and_vpc(region: &Region, id: &str) -> Result<(RouteTable, String), ApiError> {
    let table = route_tables::find(region, id)?.clone();
    let vpc = table.vpc_id.clone();
    Ok((table, vpc))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TableAndRoutes {
    route_table_id: String,
    #[serde(default)]
    routes: Vec<Given>,
}

impl TableAndRoutes {
    fn of(call: &Call) -> Result<Self, ApiError> {
        let input: Self = call.input()?;
        if input.routes.is_empty() {
            return Err(ApiError::missing("Routes"));
        }
        Ok(input)
    }
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input = TableAndRoutes::of(call)?;
    let mut here = world.local(call);
    let (table, vpc_id) = table_and_vpc(here.region, &input.route_table_id)?;
    let limit = here.settings.limit(Quota::RoutesPerTable);
    if table.routes.len() + input.routes.len() > limit {
        let message = format!(
            "The route table `{}` has {} routes; with {} more it would exceed its limit of {limit}.",
            table.id,
            table.routes.len(),
            input.routes.len()
        );
        return Err(ApiError::new("LimitExceeded", message));
    }
    // All or nothing: the table is changed when every route is good.
    let mut routes = table.routes;
    for given in &input.routes {
        let route = read(&mut here, &vpc_id, given)?;
        add(&mut routes, route)?;
    }
    let table = route_tables::find_mut(here.region, &input.route_table_id)?;
    table.routes = routes;
    let table = table.clone();
    Ok(json!({ "TotalCount": 1, "RouteTableSet": [table.show(here.region, true)] }))
}

pub(super) fn replace(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input = TableAndRoutes::of(call)?;
    let mut here = world.local(call);
    let (table, vpc_id) = table_and_vpc(here.region, &input.route_table_id)?;
    let mut kept = table.routes;
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for given in &input.routes {
        let named = given.route_id.is_some() || given.route_item_id.is_some();
        let place = kept.iter().position(|route| named && route.is_meant(given));
        let place = place.ok_or_else(|| not_found(&input.route_table_id, given))?;
        old.push(kept.remove(place));
    }
    for (given, old) in input.routes.iter().zip(&old) {
        // The ids stay: it is the same route, leading elsewhere.
        let read = read(&mut here, &vpc_id, given)?;
        let (number, item_id) = (old.number, old.item_id.clone());
        new.push(Route { number, item_id, published: old.published, created: old.created, ..read });
    }
    for route in &new {
        add(&mut kept, route.clone())?;
    }
    route_tables::find_mut(here.region, &input.route_table_id)?.routes = kept;
    let show = |routes: &[Route]| routes.iter().map(|route| route.show(&input.route_table_id)).collect::<Vec<_>>();
    Ok(json!({ "OldRouteSet": show(&old), "NewRouteSet": show(&new) }))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input = TableAndRoutes::of(call)?;
    let here = world.local(call);
    let (table, _) = table_and_vpc(here.region, &input.route_table_id)?;
    let mut kept = table.routes;
    let mut gone = Vec::new();
    for given in &input.routes {
        let place = kept.iter().position(|route| route.is_meant(given));
        let route = kept.remove(place.ok_or_else(|| not_found(&input.route_table_id, given))?);
        if route.route_type != "USER" {
            let message = format!("The route `{}` belongs to the system and cannot be deleted.", route.item_id);
            return Err(ApiError::new("UnsupportedOperation.SystemRoute", message));
        }
        refuse_published(&route)?;
        gone.push(route.show(&input.route_table_id));
    }
    route_tables::find_mut(here.region, &input.route_table_id)?.routes = kept;
    Ok(json!({ "RouteSet": gone }))
}

pub(super) fn enable(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    set_enabled(world, call, true)
}

pub(super) fn disable(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    set_enabled(world, call, false)
}

fn set_enabled(world: &mut World, call: &Call, enabled: bool) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        route_table_id: String,
        #[serde(default)]
        route_ids: Vec<u64>,
        #[serde(default)]
        route_item_ids: Vec<String>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let table = route_tables::find_mut(here.region, &input.route_table_id)?;
    match (input.route_ids.len(), input.route_item_ids.len()) {
        (0, 0) => return Err(ApiError::missing("RouteItemIds")),
        (0, count) | (count, 0) if count <= MOST_AT_ONCE => {}
        (0, _) | (_, 0) => {
            let message = format!("A request switches at most {MOST_AT_ONCE} routes.");
            return Err(ApiError::new("InvalidParameterValue.LimitExceeded", message));
        }
        _ => {
            let message = "`RouteIds` and `RouteItemIds` cannot be given together: give one of them.";
            return Err(ApiError::new("InvalidParameter.Coexist", message));
        }
    }
    let numbers = input.route_ids.iter().map(|number| (Some(*number), None));
    let items = input.route_item_ids.iter().map(|item| (None, Some(item.as_str())));
    let mut meant = Vec::new();
    for (number, item) in numbers.chain(items) {
        let place =
            table.routes.iter().position(|route| Some(route.number) == number || Some(route.item_id.as_str()) == item);
        let name = item.map(str::to_owned).or_else(|| number.map(|number| number.to_string())).unwrap_or_default();
        meant.push(place.ok_or_else(|| ApiError::not_found("route", &name))?);
    }
    let published = table.routes.iter().enumerate().filter(|(place, _)| !enabled && meant.contains(place));
    published.map(|(_, route)| route).try_for_each(refuse_published)?;
    for (place, route) in table.routes.iter_mut().enumerate() {
        if meant.contains(&place) {
            route.enabled = enabled;
        }
    }
    Ok(json!({}))
}

pub(super) fn describe_list(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        filters: Option<Vec<Filter>>,
        offset: Option<i64>,
        limit: Option<i64>,
    }
    const FILTERS: &[&str] = &["vpc-id", "gateway-id", "description", "route-table-id", "dest-cidr"];
    let input: Input = call.input()?;
    let here = world.local(call);
    let filters = Filters::check(call, input.filters, FILTERS, &LISTS)?;
    let page = Page::new(input.offset, input.limit, &LISTS)?;
    let tables = here.region.vpc.route_tables.values();
    let routes = tables.flat_map(|table| table.routes.iter().map(move |route| (table, route)));
    let (total, routes) = page.cut(routes.filter(|(table, route)| {
        filters.accept(&[], |name, value| match name {
            "vpc-id" => table.vpc_id == value,
            "gateway-id" => route.gateway_id == value,
            "description" => route.description == value,
            "route-table-id" => table.id == value,
            "dest-cidr" => route.destination_text().starts_with(value),
            _ => false,
        })
    }));
    let routes: Vec<Value> = routes.into_iter().map(|(table, route)| route.show(&table.id)).collect();
    Ok(json!({ "RouteSet": routes, "TotalCount": total }))
}

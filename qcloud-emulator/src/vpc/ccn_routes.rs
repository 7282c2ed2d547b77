//! The routes of a CCN: they follow from the networks that are attached to it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::ccns::Ccn;
use super::interfaces::ACCOUNT;
use super::{LISTS, MALFORMED, check_id};
use crate::call::Call;
use crate::cidr::Cidr;
use crate::clock::Time;
use crate::error::ApiError;
use crate::ids::Ids;
use crate::listing::{self, Filter, Filters, Page};
use crate::world::{Region, World};

/// A route of a CCN.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CcnRoute {
    id: String,
    destination: Cidr,
    region: String,
    instance_id: String,
    enabled: bool,
    updated: Time,
}

/// The networks that an attached VPC makes known: its subnets, or itself where it is set up so, and what it published.
fn known_networks(region: &Region, vpc_id: &str) -> Vec<Cidr> {
    let Some(vpc) = region.vpc.vpcs.get(vpc_id) else { return Vec::new() };
    let mut networks: Vec<Cidr> = if vpc.publish_routes {
        vpc.networks().collect()
    } else {
        let subnets = region.vpc.subnets.values().filter(|subnet| subnet.vpc_id == vpc_id);
        subnets.map(|subnet| subnet.cidr).collect()
    };
    let tables = region.vpc.route_tables.values().filter(|table| table.vpc_id == vpc_id);
    let published = tables.flat_map(|table| &table.routes).filter(|route| route.published);
    for network in published.filter_map(super::routes::Route::network) {
        if !networks.contains(&network) {
            networks.push(network);
        }
    }
    networks
}

/// Brings the routes of a CCN up to date: those of networks that are gone vanish, new ones appear, disabled when they
/// overlap what another instance has.
fn refresh(ccn: &mut Ccn, regions: &BTreeMap<String, Region>, ids: &mut Ids, now: Time) {
    let active = ccn.attached.iter().filter(|attached| attached.is_active(now));
    let wanted: Vec<(String, String, Cidr)> = active
        .flat_map(|attached| {
            let networks = regions.get(&attached.region).map(|region| known_networks(region, &attached.instance_id));
            let networks = networks.unwrap_or_default().into_iter();
            networks.map(|network| (attached.region.clone(), attached.instance_id.clone(), network))
        })
        .collect();
    let is = |route: &CcnRoute, (region, instance, network): &(String, String, Cidr)| {
        route.region == *region && route.instance_id == *instance && route.destination == *network
    };
    ccn.routes.retain(|route| wanted.iter().any(|wanted| is(route, wanted)));
    for wanted in &wanted {
        if ccn.routes.iter().any(|route| is(route, wanted)) {
            continue;
        }
        let (region, instance_id, destination) = wanted.clone();
        let enabled = conflict(&ccn.routes, &instance_id, destination).is_none();
        ccn.routes.push(CcnRoute { id: ids.new_id("ccnr"), destination, region, instance_id, enabled, updated: now });
    }
}

/// The enabled route of another instance that overlaps.
fn conflict<'a>(routes: &'a [CcnRoute], instance_id: &str, destination: Cidr) -> Option<&'a CcnRoute> {
    let mut others = routes.iter().filter(|route| route.enabled && route.instance_id != instance_id);
    others.find(|route| route.destination.overlaps(destination))
}

/// The CCN with its routes up to date.
fn current<'a>(world: &'a mut World, call: &Call, id: &str) -> Result<&'a mut Ccn, ApiError> {
    let state = &mut world.state;
    state.ccns.settle(call.now);
    let ccn = state.ccns.find_mut(id)?;
    refresh(ccn, &state.regions, &mut state.ids, call.now);
    Ok(ccn)
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        ccn_id: String,
        route_ids: Option<Vec<String>>,
        filters: Option<Vec<Filter>>,
        offset: Option<i64>,
        limit: Option<i64>,
    }
    const FILTERS: &[&str] =
        &["route-id", "cidr-block", "instance-type", "instance-region", "instance-id", "route-table-id"];
    let input: Input = call.input()?;
    listing::ids_or_filters(("RouteIds", input.route_ids.as_ref()), input.filters.as_ref(), &LISTS)?;
    let ids = input.route_ids.unwrap_or_default();
    listing::check_ids(("RouteIds", &ids), "ccnr", MALFORMED, &LISTS)?;
    let filters = Filters::check(call, input.filters, FILTERS, &LISTS)?;
    let page = Page::new(input.offset, input.limit, &LISTS)?;
    let routes = current(world, call, &input.ccn_id)?.routes.clone();
    let (total, routes) = page.cut(routes.iter().filter(|route| {
        (ids.is_empty() || ids.contains(&route.id))
            && filters.accept(&[], |name, value| match name {
                "route-id" => route.id == value,
                "cidr-block" => route.destination.to_string() == value,
                "instance-type" => value == "VPC",
                "instance-region" => route.region == value,
                "instance-id" => route.instance_id == value,
                _ => false,
            })
    }));
    let shown: Vec<Value> = routes
        .into_iter()
        .map(|route| {
            let region = world.state.regions.get(&route.region);
            let vpc = region.and_then(|region| region.vpc.vpcs.get(&route.instance_id));
            json!({
                "RouteId": route.id,
                "DestinationCidrBlock": route.destination,
                "InstanceType": "VPC",
                "InstanceId": route.instance_id,
                "InstanceName": vpc.map(|vpc| vpc.name.as_str()).unwrap_or_default(),
                "InstanceRegion": route.region,
                "UpdateTime": route.updated.beijing(),
                "Enabled": route.enabled,
                "InstanceUin": ACCOUNT,
                "ExtraState": "",
                "IsBgp": false,
                "RoutePriority": 0,
                "InstanceExtraName": "",
            })
        })
        .collect();
    Ok(json!({ "TotalCount": total, "RouteSet": shown }))
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
        ccn_id: String,
        route_ids: Vec<String>,
    }
    let input: Input = call.input()?;
    if input.route_ids.is_empty() {
        return Err(ApiError::missing("RouteIds"));
    }
    input.route_ids.iter().try_for_each(|id| check_id("RouteIds", id, "ccnr"))?;
    let ccn = current(world, call, &input.ccn_id)?;
    // On a copy, so that nothing changes when one of them cannot.
    let mut routes = ccn.routes.clone();
    for id in &input.route_ids {
        let Some(place) = routes.iter().position(|route| route.id == *id) else {
            return Err(ApiError::new("ResourceNotFound", format!("The CCN `{}` has no route `{id}`.", ccn.id)));
        };
        let meant = routes.get(place).filter(|route| enabled && !route.enabled);
        if let Some((route, other)) =
            meant.and_then(|route| Some((route, conflict(&routes, &route.instance_id, route.destination)?)))
        {
            let message = format!(
                "The route `{id}` to {} overlaps {} of `{}`: disable that one first.",
                route.destination, other.destination, other.instance_id
            );
            return Err(ApiError::new("UnsupportedOperation.Ecmp", message));
        }
        if let Some(route) = routes.get_mut(place).filter(|route| route.enabled != enabled) {
            route.enabled = enabled;
            route.updated = call.now;
        }
    }
    ccn.routes = routes;
    Ok(json!({}))
}

//! The routes of cluster route tables: from the pods' network of a node to the node.

use std::net::Ipv4Addr;

use serde::Deserialize;
use serde_json::{Value, json};

use super::faults::{
    BAD_PARAMETER, GATEWAY_TAKEN, NO_GATEWAY, NO_ROUTE, NO_TABLE, NO_TABLE_TO_DELETE_FROM, NO_TABLE_TO_LIST,
    OUT_OF_TABLE, OVERLAPS_ROUTE, VPC_ROUTE,
};
use super::{LISTS, cidrs, conflicts, route_tables};
use crate::call::Call;
use crate::cidr::Cidr;
use crate::error::ApiError;
use crate::listing::{Dialect, Filter, Filters};
use crate::vpc;
use crate::world::{Local, World};

/// The list takes one filter, with one value.
const ONE_FILTER: Dialect = Dialect { most_filters: 1, most_values: 1, ..LISTS };

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    route_table_name: String,
    destination_cidr_block: String,
    gateway_ip: String,
}

impl Input {
    fn route(&self, here: &Local<'_>) -> Result<(Cidr, Ipv4Addr), ApiError> {
        let cidr = cidrs::read(here, "DestinationCidrBlock", &self.destination_cidr_block, BAD_PARAMETER)?;
        let gateway = self.gateway_ip.parse().map_err(|_| {
            let message = format!("`GatewayIp`: `{}` is not an IPv4 address.", self.gateway_ip);
            BAD_PARAMETER.error(here.settings, message)
        })?;
        Ok((cidr, gateway))
    }
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let here = world.local(call);
    let (cidr, gateway) = input.route(&here)?;
    let table = route_tables::find(&here, &input.route_table_name, NO_TABLE)?;
    if !table.cidrs.iter().any(|network| network.contains(cidr)) {
        let networks: Vec<String> = table.cidrs.iter().map(ToString::to_string).collect();
        let message = format!("{cidr} does not lie in {} of the route table `{}`.", networks.join(", "), table.name);
        return OUT_OF_TABLE.refuse(&here, message);
    }
    if let Some(other) = table.routes.get(&gateway) {
        let message = format!("The gateway {gateway} has the route to {other} already, and a gateway has one only.");
        return GATEWAY_TAKEN.refuse(&here, message);
    }
    if let Some((other, network)) = table.routes.iter().find(|(_, network)| network.overlaps(cidr)) {
        let message = format!("{cidr} overlaps {network}, to which there is a route over {other}: delete that first.");
        return OVERLAPS_ROUTE.refuse(&here, message);
    }
    if let Some((destination, id)) = conflicts::with_vpc_route(here.region, &table.vpc_id, cidr) {
        let message = format!("{cidr} overlaps {destination}, a destination in the VPC's route table `{id}`.");
        return VPC_ROUTE.refuse(&here, message);
    }
    if vpc::instance_at(here.region, &table.vpc_id, gateway).is_none() {
        let message = format!("No instance in `{}` has the private address {gateway}.", table.vpc_id);
        return NO_GATEWAY.refuse(&here, message);
    }
    if let Some(table) = here.region.tke.route_tables.get_mut(&input.route_table_name) {
        table.routes.insert(gateway, cidr);
    }
    Ok(json!({}))
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        route_table_name: String,
        filters: Option<Vec<Filter>>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let mut filters = input.filters;
    for filter in filters.iter_mut().flatten() {
        // Both spellings are around.
        if filter.name.eq_ignore_ascii_case("gatewayip") {
            filter.name = "GatewayIP".to_owned();
        }
    }
    let filters = Filters::check(call, filters, &["GatewayIP"], &ONE_FILTER)?;
    let table = route_tables::find(&here, &input.route_table_name, NO_TABLE_TO_LIST)?;
    let show = |(gateway, cidr): (&Ipv4Addr, &Cidr)| json!({ "RouteTableName": table.name, "DestinationCidrBlock": cidr, "GatewayIp": gateway.to_string() });
    let routes: Vec<Value> = match filters.values("GatewayIP") {
        Some(gateways) => {
            let gateways = gateways.iter().filter_map(|gateway| gateway.parse().ok());
            gateways.filter_map(|gateway| table.routes.get_key_value(&gateway)).map(show).collect()
        }
        None => table.routes.iter().map(show).collect(),
    };
    Ok(json!({ "TotalCount": routes.len(), "RouteSet": routes }))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let here = world.local(call);
    let (cidr, gateway) = input.route(&here)?;
    let table = route_tables::find(&here, &input.route_table_name, NO_TABLE_TO_DELETE_FROM)?;
    if table.routes.get(&gateway) != Some(&cidr) {
        let message = format!("The route table `{}` has no route to {cidr} over {gateway}.", table.name);
        return NO_ROUTE.refuse(&here, message);
    }
    if let Some(table) = here.region.tke.route_tables.get_mut(&input.route_table_name) {
        table.routes.remove(&gateway);
    }
    Ok(json!({}))
}

//! The data path, which can be asked: no packets flow.

use std::net::Ipv4Addr;

use crate::cidr::Cidr;
use crate::cvm::InstanceState;
use crate::vpc::vpcs::Vpc;
use crate::vpc::{self, Route, RouteTable};
use crate::world::Region;

/// A route that serves an address: [`Emulator::serving_route`](crate::Emulator::serving_route).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServingRoute {
    /// Where it was found.
    pub kind: RouteKind,
    /// The network that it leads to, such as `10.244.3.0/24`.
    pub destination: String,
    /// Where it leads to: several when instances share a destination.
    pub next_hops: Vec<NextHop>,
}

/// Where a route was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteKind {
    /// The address is one of the VPC's own: the next hop is whoever has it.
    Local,
    /// In the subnet's route table of this id.
    Vpc(String),
    /// In the cluster route table of this name.
    Cluster(String),
}

/// Where a route leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NextHop {
    /// The gateway as the route names it: an address, or the id of another kind of gateway.
    pub gateway: String,
    /// The instance at that address; `None` when there is none, so that packets get lost.
    pub instance: Option<String>,
    /// Whether that instance runs.
    pub running: bool,
}

pub(crate) fn serving_route(region: &Region, from: &str, address: Ipv4Addr) -> Option<ServingRoute> {
    let instance = region.cvm.instances.get(from);
    let subnet = region.vpc.subnets.get(instance.map_or(from, |instance| instance.subnet_id.as_str()))?;
    let vpc_id = subnet.vpc_id.as_str();
    let mut own = region.vpc.vpcs.get(vpc_id).into_iter().flat_map(Vpc::networks);
    if let Some(cidr) = own.find(|cidr| cidr.contains_address(address)) {
        let hop = hop(region, vpc_id, &address.to_string());
        return Some(ServingRoute { kind: RouteKind::Local, destination: cidr.to_string(), next_hops: vec![hop] });
    }
    let table = region.vpc.route_tables.get(&subnet.route_table_id);
    let (cidr, kind, gateways) = best_route(region, vpc_id, table.into_iter(), address, |_| true)?;
    let next_hops = gateways.iter().map(|gateway| hop(region, vpc_id, gateway)).collect();
    Some(ServingRoute { kind, destination: cidr.to_string(), next_hops })
}

/// Where a load balancer of a VPC sends packets for an address outside of the VPC's networks: over the routes to
/// instances that any of the route tables has. Empty when none leads there.
pub(crate) fn hops_to_pod(region: &Region, vpc_id: &str, address: Ipv4Addr) -> Vec<NextHop> {
    let tables = region.vpc.route_tables.values().filter(|table| table.vpc_id == vpc_id);
    let to_instance = |route: &Route| route.gateway_type == "NORMAL_CVM";
    let gateways = best_route(region, vpc_id, tables, address, to_instance).map(|(_, _, gateways)| gateways);
    gateways.unwrap_or_default().iter().map(|gateway| hop(region, vpc_id, gateway)).collect()
}

/// The route with the longest prefix to an address, with its gateways: of those that count in the route tables, and of
/// the VPC's cluster routes.
fn best_route<'a>(
    region: &Region,
    vpc_id: &str,
    tables: impl Iterator<Item = &'a RouteTable>,
    address: Ipv4Addr,
    counts: impl Fn(&Route) -> bool,
) -> Option<(Cidr, RouteKind, Vec<String>)> {
    let mut best: Option<(Cidr, RouteKind, Vec<String>)> = None;
    let routes = tables.flat_map(|table| table.routes.iter().map(move |route| (table, route)));
    let fitting = routes.filter(|(_, route)| route.enabled && route.leads_to(address) && counts(route));
    for (table, route) in fitting {
        let Some(cidr) = route.network() else { continue };
        match &mut best {
            Some((present, _, gateways)) if *present == cidr => gateways.push(route.gateway_id.clone()),
            Some((present, _, _)) if present.length() > cidr.length() => {}
            _ => best = Some((cidr, RouteKind::Vpc(table.id.clone()), vec![route.gateway_id.clone()])),
        }
    }
    for table in region.tke.route_tables.values().filter(|table| table.vpc_id() == vpc_id) {
        let Some((cidr, gateway)) = table.route_to(address) else { continue };
        if best.as_ref().is_none_or(|(present, _, _)| present.length() <= cidr.length()) {
            best = Some((cidr, RouteKind::Cluster(table.name().to_owned()), vec![gateway.to_string()]));
        }
    }
    best
}

fn hop(region: &Region, vpc_id: &str, gateway: &str) -> NextHop {
    let instance = gateway.parse().ok().and_then(|address| vpc::instance_at(region, vpc_id, address));
    NextHop {
        gateway: gateway.to_owned(),
        instance: instance.map(|instance| instance.id.clone()),
        running: instance.is_some_and(|instance| instance.state == InstanceState::Running),
    }
}

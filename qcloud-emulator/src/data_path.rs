//! The data path, which can be asked: no packets flow.

use std::net::Ipv4Addr;

use crate::cidr::Cidr;
use crate::cvm::InstanceState;
use crate::tke;
use crate::vpc::Destination;
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
    let own = region.vpc.vpcs.get(vpc_id).map(|vpc| vpc.cidr).filter(|cidr| cidr.contains_address(address));
    if let Some(cidr) = own {
        let hop = hop(region, vpc_id, &address.to_string());
        return Some(ServingRoute { kind: RouteKind::Local, destination: cidr.to_string(), next_hops: vec![hop] });
    }
    let routes = region.vpc.route_tables.get(&subnet.route_table_id).map(|table| table.routes.as_slice());
    let mut best: Option<(Cidr, RouteKind, Vec<String>)> = None;
    for route in routes.unwrap_or_default().iter().filter(|route| route.enabled) {
        let Destination::V4(cidr) = route.destination else { continue };
        if !cidr.contains_address(address) {
            continue;
        }
        match &mut best {
            Some((present, _, gateways)) if *present == cidr => gateways.push(route.gateway_id.clone()),
            Some((present, _, _)) if present.length() > cidr.length() => {}
            _ => best = Some((cidr, RouteKind::Vpc(subnet.route_table_id.clone()), vec![route.gateway_id.clone()])),
        }
    }
    for table in region.tke.route_tables.values().filter(|table| table.vpc_id() == vpc_id) {
        let Some((cidr, gateway)) = table.route_to(address) else { continue };
        if best.as_ref().is_none_or(|(present, _, _)| present.length() <= cidr.length()) {
            best = Some((cidr, RouteKind::Cluster(table.name().to_owned()), vec![gateway.to_string()]));
        }
    }
    let (cidr, kind, gateways) = best?;
    let next_hops = gateways.iter().map(|gateway| hop(region, vpc_id, gateway)).collect();
    Some(ServingRoute { kind, destination: cidr.to_string(), next_hops })
}

fn hop(region: &Region, vpc_id: &str, gateway: &str) -> NextHop {
    let instance = gateway.parse().ok().and_then(|address| tke::instance_at(region, vpc_id, address));
    let state = instance.and_then(|id| region.cvm.instances.get(id)).map(|instance| instance.state);
    NextHop {
        gateway: gateway.to_owned(),
        instance: instance.map(str::to_owned),
        running: state == Some(InstanceState::Running),
    }
}

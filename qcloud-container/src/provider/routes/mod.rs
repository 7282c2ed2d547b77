#![doc = include_str!("../../../docs/routes.md")]

mod cluster_table;
mod publication;
mod results;
mod vpc_items;
mod vpc_table;
mod vpc_writes;

pub use cluster_table::{ClusterTableRoutes, ClusterTableSettings};
pub use vpc_items::RouteTables;
pub use vpc_table::{VpcTableRoutes, VpcTableSettings};

use std::net::IpAddr;

use self::results::Results;
use crate::kubernetes::routes::{ClusterRoute, RouteLimits, RouteSpec};
use crate::kubernetes::{ErrorKind, ProviderError, Result};

/// Refuses what can't be without asking the cloud.
fn check(spec: &RouteSpec, limits: &RouteLimits) -> Result<()> {
    let destination = &spec.destination;
    if destination.addr().is_ipv6() && !limits.ipv6 {
        let message = format!("{destination}: cluster route tables have no routes to IPv6 networks");
        return Err(ProviderError::new(ErrorKind::Unsupported, message));
    }
    if !limits.covers(destination) {
        let message = format!("{destination} of node {} lies outside the cluster's networks", spec.node);
        return Err(ProviderError::new(ErrorKind::InvalidArgument, message));
    }
    Ok(())
}

/// The next hop of a route to delete. Refuses a route of someone else, and one outside the cluster's networks: were these
/// set wrongly, every route of the cluster would be one.
fn deletable(route: &ClusterRoute, limits: &RouteLimits) -> Result<IpAddr> {
    let inside = limits.covers(&route.destination);
    route.next_hop.filter(|_| route.owned && inside).ok_or_else(|| not_ours(route))
}

fn not_ours(route: &ClusterRoute) -> ProviderError {
    let message = format!("the route to {} is not this cluster's, or lies outside its networks", route.destination);
    ProviderError::new(ErrorKind::InvalidArgument, message)
}

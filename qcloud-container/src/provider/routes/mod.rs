//! Routes to the pods of nodes. Two places can hold them, and for one network of pods it is one or the other:
//!
//! | | [`ClusterTableRoutes`] | [`VpcTableRoutes`] |
//! |---|---|---|
//! | holds | thousands of routes | 50 in each table, unless the quota was raised |
//! | writes | one at a time, 20 a second | in batches |
//! | leads to | IPv4, one network for each machine | IPv4 and IPv6 |
//! | ours are those | in the cluster's networks, in a table of its own | whose description begins with `k8s:` and the cluster's uid |
//! | calls | `tke:DescribeClusterRouteTables`, `tke:DescribeClusterRoutes`, `tke:CreateClusterRoute`, `tke:DeleteClusterRoute`, and `tke:CreateClusterRouteTable` if it may | `vpc:DescribeRouteTables`, `vpc:DescribeVpcLimits`, `vpc:CreateRoutes`, `vpc:ReplaceRoutes`, `vpc:EnableRoutes`, `vpc:WithdrawNotifyRoutes`, `vpc:DeleteRoutes` |
//!
//! The calls are also the CAM permissions that each needs.

mod cluster_table;
mod results;
mod vpc_items;
mod vpc_table;
mod vpc_writes;

pub use cluster_table::{ClusterTableRoutes, ClusterTableSettings};
pub use vpc_items::RouteTables;
pub use vpc_table::{VpcTableRoutes, VpcTableSettings};

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

fn not_ours(route: &ClusterRoute) -> ProviderError {
    let message = format!("the route to {} is not this cluster's", route.destination);
    ProviderError::new(ErrorKind::InvalidArgument, message)
}

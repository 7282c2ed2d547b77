//! TKE: clusters, their nodes and node pools, and cluster route tables; the container service in both of its versions.

use serde::{Deserialize, Serialize};

use crate::api::{Action, Api};
use crate::listing::Dialect;
use crate::table::Table;

mod access;
mod cidrs;
mod cluster_changes;
mod cluster_routes;
mod clusters;
mod conflicts;
mod endpoints;
mod faults;
mod lifecycle;
mod machines;
mod native_pools;
mod new_cluster;
mod node_changes;
mod node_views;
mod nodes;
mod pool_changes;
mod pools;
mod route_tables;
mod scaling;
mod templates;
mod versions;

pub(crate) use conflicts::{refuse_conflict, table_over, user_of};
pub(crate) use lifecycle::{Event, happen, instance_is_gone};

/// Clusters, cluster route tables and node pools.
pub(crate) static API_2018: Api =
    Api::new("tke", "2018-05-25", include_str!("../../models/tke-2018-05-25.json"), ACTIONS_2018);

/// Native node pools, and lists of nodes and pools of every kind.
pub(crate) static API_2022: Api =
    Api::new("tke", "2022-05-01", include_str!("../../models/tke-2022-05-01.json"), ACTIONS_2022);

const ACTIONS_2018: &[Action] = &[
    Action::new("CreateCluster", new_cluster::create),
    Action::new("DescribeClusters", clusters::describe),
    Action::new("DescribeClusterStatus", clusters::describe_status),
    Action::new("ModifyClusterAttribute", cluster_changes::modify),
    Action::new("EnableClusterDeletionProtection", cluster_changes::protect),
    Action::new("DisableClusterDeletionProtection", cluster_changes::unprotect),
    Action::new("AddClusterCIDR", cluster_changes::add_cidrs),
    Action::new("DeleteCluster", cluster_changes::delete),
    Action::new("DescribeVersions", versions::describe),
    Action::new("DescribeClusterKubeconfig", access::describe_kubeconfig),
    Action::new("DescribeClusterSecurity", access::describe_security),
    Action::new("CreateClusterEndpoint", endpoints::create),
    Action::new("DescribeClusterEndpoints", endpoints::describe),
    Action::new("DescribeClusterEndpointStatus", endpoints::describe_status),
    Action::new("DeleteClusterEndpoint", endpoints::delete),
    Action::new("AddExistedInstances", node_changes::add_existing),
    Action::new("CreateClusterInstances", node_changes::create),
    Action::new("DescribeClusterInstances", node_views::describe),
    Action::new("DeleteClusterInstances", node_changes::delete),
    Action::new("CreateClusterNodePool", pool_changes::create),
    Action::new("DescribeClusterNodePools", pools::describe),
    Action::new("DescribeClusterNodePoolDetail", pools::describe_one),
    Action::new("ModifyClusterNodePool", pool_changes::modify),
    Action::new("ModifyNodePoolDesiredCapacityAboutAsg", pool_changes::set_desired),
    Action::new("DeleteClusterNodePool", pool_changes::delete),
    Action::new("CreateClusterRouteTable", route_tables::create),
    Action::new("DescribeClusterRouteTables", route_tables::describe),
    Action::new("DeleteClusterRouteTable", route_tables::delete),
    Action::new("DescribeRouteTableConflicts", conflicts::describe),
    Action::new("CreateClusterRoute", cluster_routes::create),
    Action::new("DescribeClusterRoutes", cluster_routes::describe),
    Action::new("DeleteClusterRoute", cluster_routes::delete),
];

const ACTIONS_2022: &[Action] = &[
    Action::new("DescribeClusters", clusters::describe_in_short),
    Action::new("DescribeClusterInstances", node_views::describe_all_kinds),
    Action::new("CreateNodePool", native_pools::create),
    Action::new("DescribeNodePools", native_pools::describe),
    Action::new("ModifyNodePool", native_pools::modify),
    Action::new("ScaleNodePool", native_pools::scale),
    Action::new("DeleteNodePool", native_pools::delete),
    Action::new("DescribeClusterMachines", machines::describe),
    Action::new("DeleteClusterMachines", machines::delete),
    Action::new("StartMachines", machines::start),
    Action::new("StopMachines", machines::stop),
    Action::new("RebootMachines", machines::reboot),
];

/// The resources of one region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) clusters: Table<clusters::Cluster>,
    pub(crate) route_tables: Table<route_tables::RouteTable>,
}

/// The error codes of TKE lists.
const LISTS: Dialect = Dialect {
    coexist: faults::PARAM,
    unknown_filter: faults::PARAM,
    too_many_filters: faults::PARAM,
    too_many_values: faults::PARAM,
    too_many_ids: faults::PARAM,
    bad_page: faults::PARAM,
    most_filters: 10,
    most_values: 100,
    most_ids: 100,
    largest_page: 100,
};

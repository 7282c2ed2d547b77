//! A cluster, and the routes of its pods.

use qcloud_container::v20180525::model::{
    ClusterBasicSettings, ClusterCIDRSettings, ClusterType, CreateCluster, CreateClusterRoute, CreateClusterRouteTable,
    DeleteCluster, DeleteClusterRoute, DeleteClusterRouteTable, DescribeClusterRoutes, InstanceDeleteMode,
};
use qcloud_container::v20180525::wait::{is_cluster_gone, is_running};
use qcloud_cvm::model::DescribeInstances;

use crate::Step;
use crate::account::{Account, progress};
use crate::network::Network;

const ROUTE_TABLE: &str = "tour";

pub(crate) struct Cluster {
    id: String,
    routes: Vec<(String, String)>,
}

pub(crate) async fn create(account: &Account, network: &Network, nodes: &[String]) -> Step<Cluster> {
    account.title("A cluster");
    let settings = ClusterBasicSettings::new().cluster_name("tour").vpc_id(&*network.vpc_id);
    let addresses = ClusterCIDRSettings::new().cluster_cidr("172.16.0.0/16").max_node_pod_num(64_u64);
    let request = CreateCluster::new(ClusterType::ManagedCluster, addresses).cluster_basic_settings(settings);
    let id = account.tke.create_cluster(request).await?.cluster_id;
    account.tke.wait_for_clusters([&id], is_running()).on_poll(progress("running")).await?;
    account.tell(&format!("{id} is running"));

    // A self-built cluster keeps its pods' routes in a table of its own: one range of addresses per node.
    let table = CreateClusterRouteTable::new(ROUTE_TABLE, "172.20.0.0/16", &*network.vpc_id);
    account.tke.create_cluster_route_table(table).await?;
    let instances = account.cvm.describe_instances(DescribeInstances::new().instance_ids(nodes)).await?.instance_set;
    let gateways = instances.into_iter().filter_map(|instance| instance.private_ip_addresses.into_iter().next());
    let routes: Vec<_> = gateways.enumerate().map(|(node, gateway)| (format!("172.20.{node}.0/24"), gateway)).collect();
    for (range, gateway) in &routes {
        account.tke.create_cluster_route(CreateClusterRoute::new(ROUTE_TABLE, &**range, &**gateway)).await?;
    }
    let listed = account.tke.describe_cluster_routes(DescribeClusterRoutes::new(ROUTE_TABLE)).await?;
    for route in listed.route_set {
        account.tell(&format!("pods of {} live on {}", route.destination_cidr_block, route.gateway_ip));
    }
    Ok(Cluster { id, routes })
}

pub(crate) async fn delete(account: &Account, cluster: &Cluster) -> Step {
    for (range, gateway) in &cluster.routes {
        account.tke.delete_cluster_route(DeleteClusterRoute::new(ROUTE_TABLE, &**gateway, &**range)).await?;
    }
    account.tke.delete_cluster_route_table(DeleteClusterRouteTable::new(ROUTE_TABLE)).await?;
    account.tke.delete_cluster(DeleteCluster::new(&*cluster.id, InstanceDeleteMode::Retain)).await?;
    account.tke.wait_for_clusters([&*cluster.id], is_cluster_gone()).on_poll(progress("deleted")).await?;
    account.tell(&format!("routes and cluster {} deleted", cluster.id));
    Ok(())
}

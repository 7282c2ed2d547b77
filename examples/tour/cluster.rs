//! A cluster, and the provider layer for it: what a controller is given of a cloud.

use std::sync::Arc;

use qcloud_container::kubernetes::ClusterIdentity;
use qcloud_container::kubernetes::instances::Instances;
use qcloud_container::kubernetes::load_balancers::LoadBalancers;
use qcloud_container::kubernetes::routes::Routes;
use qcloud_container::kubernetes::volumes::Volumes;
use qcloud_container::provider::instances::{CvmInstances, InstanceSettings};
use qcloud_container::provider::load_balancers::{ClbLoadBalancers, ClbOptions};
use qcloud_container::provider::routes::{ClusterTableRoutes, ClusterTableSettings};
use qcloud_container::provider::volumes::CbsVolumes;
use qcloud_container::v20180525::model::{
    ClusterBasicSettings, ClusterCIDRSettings, ClusterType, CreateCluster, DeleteCluster, InstanceDeleteMode,
};
use qcloud_container::v20180525::wait::{is_cluster_gone, is_running};
use qcloud_core::Config;

use crate::Step;
use crate::account::Account;
use crate::network::Network;
use crate::progress::progress;

const PODS: &str = "172.16.0.0/16";

/// The cluster as controllers see it: one trait for each thing that Kubernetes asks of a cloud.
pub(crate) struct Cluster {
    id: String,
    pub(crate) machines: Arc<dyn Instances>,
    pub(crate) routes: Arc<dyn Routes>,
    pub(crate) balancers: Arc<dyn LoadBalancers>,
    pub(crate) volumes: Arc<dyn Volumes>,
}

pub(crate) async fn create(account: &Account, config: &Config, network: &Network) -> Step<Cluster> {
    account.title("A cluster");
    let settings = ClusterBasicSettings::new().cluster_name("tour").vpc_id(&*network.vpc_id);
    let addresses = ClusterCIDRSettings::new().cluster_cidr(PODS).max_node_pod_num(256_u64);
    let request = CreateCluster::new(ClusterType::ManagedCluster, addresses).cluster_basic_settings(settings);
    let id = account.tke.create_cluster(request).await?.cluster_id;
    account.tke.wait_for_clusters([&id], is_running()).on_poll(progress("running")).await?;
    account.tell(&format!("{id} is running; its pods have addresses of {PODS}"));

    // Kubernetes tells clusters apart by the uid of the namespace kube-system.
    let identity = ClusterIdentity::new("5f2a6d1c-tour", "tour");
    let vpc_id = &network.vpc_id;
    // The routes of a cluster of the container service are in the table of its own id.
    let table = ClusterTableSettings::new(&id, vpc_id, [PODS.parse()?]);
    Ok(Cluster {
        machines: Arc::new(CvmInstances::new(config, InstanceSettings::new(vpc_id))?),
        routes: Arc::new(ClusterTableRoutes::new(config, table)),
        balancers: Arc::new(ClbLoadBalancers::new(config, identity.clone(), ClbOptions::new(vpc_id))),
        volumes: Arc::new(CbsVolumes::new(config, identity).with_zones([&network.zone])),
        id,
    })
}

pub(crate) async fn delete(account: &Account, cluster: &Cluster) -> Step {
    account.tke.delete_cluster(DeleteCluster::new(&*cluster.id, InstanceDeleteMode::Retain)).await?;
    account.tke.wait_for_clusters([&*cluster.id], is_cluster_gone()).on_poll(progress("deleted")).await?;
    account.tell(&format!("cluster {} deleted", cluster.id));
    Ok(())
}

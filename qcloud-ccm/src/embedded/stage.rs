//! What there is before the controllers begin: a network, three machines, and a node for each that nobody has seen yet.

use std::net::SocketAddr;

use apiserver_double::{ApiServer, Served};
use kube::Client;
use qcloud_clb::load_balancer::DescribeLoadBalancers;
use qcloud_core::{Config, Endpoint};
use qcloud_cvm::Client as Cvm;
use qcloud_cvm::image::DescribeImages;
use qcloud_cvm::instance::{DescribeInstances, Instance, Placement, RunInstances, VirtualPrivateCloud};
use qcloud_cvm::wait::is_running;
use qcloud_emulator::{Emulator, Server};
use qcloud_vpc::subnet::CreateSubnet;
use qcloud_vpc::vpc::CreateVpc;
use serde_json::json;

use super::Outcome;
use crate::cloud_config::CloudConfig;
use crate::cluster;

/// The name of the cluster's route table.
pub(super) const ROUTE_TABLE: &str = "demo";
const ZONE: &str = "ap-guangzhou-3";

/// A cloud and a cluster.
pub(super) struct Stage {
    pub(super) cloud: Server,
    pub(super) api: ApiServer,
    pub(super) api_server: Served,
    pub(super) cvm: Cvm,
    clb: qcloud_clb::Client,
    pub(super) vpc_id: String,
    pub(super) machines: Vec<Instance>,
}

impl Stage {
    pub(super) async fn set_up() -> Outcome<Self> {
        let cloud = Emulator::builder().start().await?;
        let config = Config::builder()
            .region(cloud.region())
            .endpoint(Endpoint::url(cloud.endpoint())?)
            .static_credentials(cloud.secret_id(), cloud.secret_key())
            .build()?;
        let (vpc, cvm) = (qcloud_vpc::Client::new(&config), Cvm::new(&config));
        let made = vpc.create_vpc(CreateVpc::new("demo").cidr_block("10.0.0.0/16")).await?;
        let vpc_id = made.vpc.vpc_id;
        let subnet = CreateSubnet::new(&*vpc_id, "demo", ZONE).cidr_block("10.0.1.0/24");
        let subnet_id = vpc.create_subnet(subnet).await?.subnet.subnet_id;
        let images = cvm.describe_images(DescribeImages::new().limit(1_u64)).await?.image_set;
        let image = images.into_iter().next().map(|image| image.image_id).unwrap_or_default();
        let request = RunInstances::new()
            .placement(Placement::new(ZONE))
            .image_id(image)
            .instance_type("S5.MEDIUM2")
            .instance_name("demo")
            .instance_count(3)
            .virtual_private_cloud(VirtualPrivateCloud::new(&*vpc_id, &*subnet_id));
        let ids = cvm.run_instances(request).await?.instance_id_set;
        cvm.wait_for_instances(&ids, is_running()).await?;
        let machines = cvm.describe_instances(DescribeInstances::new().instance_ids(&ids)).await?.instance_set;
        let api = ApiServer::new();
        let api_server = api.serve(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let stage = Self { cloud, api, api_server, cvm, clb: qcloud_clb::Client::new(&config), vpc_id, machines };
        for number in 1..=stage.machines.len() {
            stage.register(number)?;
        }
        Ok(stage)
    }

    /// Registers the node of a machine, counted from 1, as its kubelet does with `--cloud-provider=external`.
    fn register(&self, number: usize) -> Outcome {
        let machine = number.checked_sub(1).and_then(|place| self.machines.get(place));
        let address = machine.and_then(|machine| machine.private_ip_addresses.first());
        let name = format!("node-{number}");
        self.api.put(json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": name,
                "labels": {"kubernetes.io/hostname": name},
                "annotations": {"alpha.kubernetes.io/provided-node-ip": address},
            },
            "spec": {
                "podCIDR": format!("172.16.{number}.0/24"),
                "podCIDRs": [format!("172.16.{number}.0/24")],
                "taints": [{
                    "key": "node.cloudprovider.kubernetes.io/uninitialized", "value": "true", "effect": "NoSchedule",
                }],
            },
            "status": {
                "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
                "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
            },
        }))?;
        Ok(())
    }

    /// How many balancers there are.
    pub(super) async fn balancers(&self) -> Outcome<usize> {
        Ok(self.clb.describe_load_balancers(DescribeLoadBalancers::new()).await?.load_balancer_set.len())
    }

    /// A client of the API server.
    pub(super) fn client(&self) -> Client {
        cluster::client(self.api.service())
    }

    /// What the controllers are to know of the cloud.
    pub(super) fn cloud_config(&self) -> CloudConfig {
        CloudConfig {
            region: Some(self.cloud.region().to_owned()),
            endpoint: Some(self.cloud.endpoint().to_owned()),
            secret_id: Some(self.cloud.secret_id().to_owned()),
            secret_key: Some(self.cloud.secret_key().to_owned().into()),
            vpc_id: Some(self.vpc_id.clone()),
            cluster_route_table: Some(ROUTE_TABLE.to_owned()),
            create_cluster_route_table: true,
            cluster_cidrs: "172.16.0.0/16".parse().into_iter().collect(),
            ..CloudConfig::default()
        }
    }
}

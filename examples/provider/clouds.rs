//! The clouds: the only file that knows which one it is. Another one is a function more.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use qcloud_container::kubernetes::ClusterIdentity;
use qcloud_container::kubernetes::instances::{AddressKind, InMemoryInstances, Instance, Instances, NodeAddress};
use qcloud_container::kubernetes::load_balancers::{InMemoryLoadBalancers, LoadBalancers};
use qcloud_container::kubernetes::routes::{InMemoryRoutes, RouteLimits, Routes};
use qcloud_container::provider::instances::{CvmInstances, InstanceSettings};
use qcloud_container::provider::load_balancers::{ClbLoadBalancers, ClbOptions};
use qcloud_container::provider::rate_limits;
use qcloud_container::provider::routes::{ClusterTableRoutes, ClusterTableSettings};
use qcloud_core::{Config, Endpoint};
use qcloud_cvm::model::{DescribeInstances, Placement, RunInstances, VirtualPrivateCloud};
use qcloud_cvm::wait::is_running;
use qcloud_emulator::{Emulator, Fault, Server};
use qcloud_vpc::model::{CreateSubnet, CreateVpc};

use crate::Result;

/// What controllers are given: one implementation of each trait, and the nodes of the cluster.
pub(crate) struct Cloud {
    pub(crate) machines: Arc<dyn Instances>,
    pub(crate) routes: Arc<dyn Routes>,
    pub(crate) balancers: Arc<dyn LoadBalancers>,
    pub(crate) nodes: BTreeMap<String, Home>,
}

/// What a node object says before the cloud is asked.
pub(crate) struct Home {
    pub(crate) address: IpAddr,
    /// The network of its pods.
    pub(crate) pods: IpNet,
}

const PODS: &str = "172.16.0.0/16";
const ZONE: &str = "ap-guangzhou-3";

fn nodes(addresses: impl IntoIterator<Item = IpAddr>) -> Result<BTreeMap<String, Home>> {
    let home = |(number, address)| {
        Ok((format!("node-{number}"), Home { address, pods: format!("172.16.{number}.0/24").parse()? }))
    };
    addresses.into_iter().enumerate().map(home).collect()
}

fn identity() -> ClusterIdentity {
    ClusterIdentity::new("uid-of-kube-system", "example")
}

/// An emulator on which not everything goes well.
pub(crate) async fn emulator() -> Result<Server> {
    // A listener is made, and the answer is an error: nobody knows, so the controller has to look.
    let doubt = Fault::error("InternalError").after_execution().on("CreateListener").once();
    Ok(Emulator::builder().fault(doubt).start().await?)
}

/// A cluster on QCloud: three machines in a network. With `Config::load` in place of this configuration, and the ids of
/// your own network, it is the real one.
pub(crate) async fn qcloud(emulator: &Server) -> Result<Cloud> {
    let config = Config::builder()
        .region(emulator.region())
        .endpoint(Endpoint::url(emulator.endpoint())?)
        .static_credentials(emulator.secret_id(), emulator.secret_key())
        .rate_limits(rate_limits().with_share(0.8))
        .build()?;
    let (vpc_id, addresses) = rent_machines(&config).await?;

    let mut table = ClusterTableSettings::new("example", &vpc_id, [PODS.parse()?]);
    table.create = true;
    Ok(Cloud {
        machines: Arc::new(CvmInstances::new(&config, InstanceSettings::new(&vpc_id))?),
        routes: Arc::new(ClusterTableRoutes::new(&config, table)),
        balancers: Arc::new(ClbLoadBalancers::new(&config, identity(), ClbOptions::new(&vpc_id))),
        nodes: nodes(addresses)?,
    })
}

async fn rent_machines(config: &Config) -> Result<(String, Vec<IpAddr>)> {
    let (vpc, cvm) = (qcloud_vpc::Client::new(config), qcloud_cvm::Client::new(config));
    let vpc_id = vpc.create_vpc(CreateVpc::new("example").cidr_block("10.0.0.0/16")).await?.vpc.vpc_id;
    let subnet = CreateSubnet::new(&*vpc_id, "example", ZONE).cidr_block("10.0.1.0/24");
    let subnet_id = vpc.create_subnet(subnet).await?.subnet.subnet_id;
    let order = RunInstances::new()
        .placement(Placement::new(ZONE))
        .image_id("img-487zeit5")
        .instance_count(3)
        .virtual_private_cloud(VirtualPrivateCloud::new(&*vpc_id, subnet_id));
    let ids = cvm.run_instances(order).await?.instance_id_set;
    cvm.wait_for_instances(&ids, is_running()).await?;
    let running = cvm.describe_instances(DescribeInstances::new().instance_ids(ids)).await?.instance_set;
    let addresses = running.iter().flat_map(|instance| &instance.private_ip_addresses);
    Ok((vpc_id, addresses.map(|address| address.parse()).collect::<std::result::Result<_, _>>()?))
}

/// The reference implementations, with three machines in them.
pub(crate) fn memory() -> Result<Cloud> {
    let machines = InMemoryInstances::new();
    let routes = InMemoryRoutes::new(RouteLimits::new([PODS.parse()?]));
    let balancers = InMemoryLoadBalancers::new(identity());
    let addresses = [1, 2, 3].map(|number| IpAddr::V4(Ipv4Addr::new(10, 0, 1, number)));
    for (number, address) in addresses.into_iter().enumerate() {
        let mut machine = Instance::new(format!("m-{number}"), format!("memory:///m-{number}"));
        machine.addresses.push(NodeAddress { kind: AddressKind::Internal, address });
        machines.insert(machine);
        routes.insert_machine(address);
    }
    // Balancers are ready a moment after they are made, as in a cloud.
    let making = balancers.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            making.settle();
        }
    });
    Ok(Cloud {
        machines: Arc::new(machines),
        routes: Arc::new(routes),
        balancers: Arc::new(balancers),
        nodes: nodes(addresses)?,
    })
}

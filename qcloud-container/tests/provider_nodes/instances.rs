//! The adapter of instances: conformance and call budgets.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::join_all;
use qcloud_container::kubernetes::instances::conformance::{self, InstancesHarness};
use qcloud_container::kubernetes::instances::{AddressKind, Instances, NodeRef};
use qcloud_container::provider::instances::{CvmInstances, InstanceSettings};
use serde_json::json;

use crate::cloud::{Cloud, Fault, When, Wire, text};

pub(crate) fn provider(cloud: &Cloud) -> (Arc<CvmInstances>, Wire) {
    let (config, wire) = cloud.process();
    (Arc::new(CvmInstances::new(&config, InstanceSettings::new(&cloud.vpc)).unwrap()), wire)
}

/// A node of each instance.
pub(crate) async fn nodes(cloud: &Cloud, ids: &[String]) -> Vec<NodeRef> {
    let addresses = cloud.addresses(ids).await;
    let node = |(id, address): (&String, IpAddr)| {
        NodeRef::new(format!("node-{id}")).with_provider_id(format!("qcloud:///100003/{id}")).with_address(address)
    };
    ids.iter().zip(addresses).map(node).collect()
}

struct Harness {
    cloud: Cloud,
    wires: Mutex<Vec<Wire>>,
}

impl Harness {
    async fn change(&self, action: &str, node: &NodeRef) {
        let id = node.provider_id.as_deref().unwrap().rsplit('/').next().unwrap().to_owned();
        self.cloud.call("cvm", action, json!({"InstanceIds": [id]})).await;
        self.cloud.pass(Duration::from_secs(3)).await;
    }
}

#[async_trait]
impl InstancesHarness for Harness {
    async fn provider(&self) -> Arc<dyn Instances> {
        let (provider, wire) = provider(&self.cloud);
        self.wires.lock().unwrap().push(wire);
        provider
    }

    async fn start(&self) -> NodeRef {
        let ids = self.cloud.run(1).await;
        nodes(&self.cloud, &ids).await.remove(0)
    }

    async fn stop(&self, node: &NodeRef) {
        self.change("StopInstances", node).await;
    }

    async fn destroy(&self, node: &NodeRef) {
        self.change("TerminateInstances", node).await;
    }

    async fn pass(&self, time: Duration) {
        self.cloud.pass(time).await;
    }

    async fn fail(&self, failing: bool) {
        for wire in self.wires.lock().unwrap().iter() {
            if failing { wire.spoil("*", When::Always, Fault::Code("InternalError")) } else { wire.heal() }
        }
    }
}

#[tokio::test]
async fn the_adapter_conforms() {
    let harness = Harness { cloud: Cloud::new().await, wires: Mutex::default() };
    conformance::run(&harness).await.into_result().unwrap_or_else(|report| panic!("{report}"));
}

#[tokio::test]
async fn a_machine_is_described_for_its_node() {
    let cloud = Cloud::new().await;
    let ids = cloud.run(1).await;
    let node = nodes(&cloud, &ids).await.remove(0);
    let machine = provider(&cloud).0.metadata(&node).await.unwrap();
    assert_eq!(machine.id, ids[0]);
    assert_eq!(machine.provider_id, format!("qcloud:///100003/{}", ids[0]));
    assert_eq!((machine.zone.as_str(), machine.region.as_str()), ("ap-guangzhou-3", "ap-guangzhou"));
    let described = &cloud.instances().await[&ids[0]];
    assert_eq!(machine.instance_type, text(&described["InstanceType"]));
    assert_eq!(machine.addresses[0].kind, AddressKind::Internal);
    assert_eq!(machine.labels["cloud.tencent.com/node-instance-id"], ids[0]);
    assert!(machine.created_at.is_some());
}

#[tokio::test]
async fn a_node_that_knows_only_its_name_is_found_by_its_host_name() {
    let cloud = Cloud::new().await;
    let ids = cloud.run(2).await;
    let host_name = text(&cloud.instances().await[&ids[1]]["HostName"]);
    assert!(host_name.starts_with("VM-"), "{host_name}");
    // Kubelets write it in lower case.
    for name in [host_name.to_lowercase(), host_name] {
        let machine = provider(&cloud).0.metadata(&NodeRef::new(name)).await.unwrap();
        assert_eq!(machine.id, ids[1]);
    }
}

#[tokio::test]
async fn five_thousand_nodes_that_join_at_once_take_fifty_calls() {
    let cloud = Cloud::new().await;
    let ids = cloud.run(5000).await;
    let nodes = nodes(&cloud, &ids).await;
    let (provider, _) = provider(&cloud);
    cloud.forget();
    let started = cloud.clock.passed();
    let machines = join_all(nodes.iter().map(|node| provider.metadata(node))).await;
    assert!(machines.iter().all(Result::is_ok));
    assert_eq!((cloud.count("DescribeInstances"), cloud.count("DescribeZones")), (50, 1));
    let took = cloud.clock.passed() - started;
    assert!(took < Duration::from_secs(10), "{took:?}");

    // The periodic update of all of them costs nothing while what was seen is believed, and fifty pages afterwards.
    cloud.forget();
    assert!(provider.lookup(&nodes).await.iter().all(|lookup| lookup.is_found()));
    assert_eq!(cloud.emulator.calls().total(), 0);
    cloud.pass(Duration::from_secs(61)).await;
    let inventory = provider.list().await.unwrap();
    assert!(inventory.is_complete() && inventory.instances().len() == 5000);
    assert!(provider.lookup(&nodes).await.iter().all(|lookup| lookup.is_found()));
    assert_eq!(cloud.emulator.calls().total(), 50);
}

#[tokio::test]
async fn a_hundred_nodes_that_are_not_ready_take_one_call_a_minute() {
    let cloud = Cloud::new().await;
    let ids = cloud.run(100).await;
    let nodes = nodes(&cloud, &ids).await;
    let (provider, _) = provider(&cloud);
    cloud.forget();
    // The lifecycle controller looks every five seconds, and asks two questions.
    for _ in 0..12 {
        let exist = join_all(nodes.iter().map(|node| provider.exists(node))).await;
        assert!(exist.into_iter().all(|exists| exists.unwrap()));
        let shut_down = join_all(nodes.iter().map(|node| provider.is_shutdown(node))).await;
        assert!(!shut_down.into_iter().any(|shut_down| shut_down.unwrap()));
        cloud.pass(Duration::from_secs(5)).await;
    }
    assert!(cloud.count("DescribeInstances") <= 2, "{}", cloud.count("DescribeInstances"));
}

#[tokio::test]
async fn a_lookup_that_is_dropped_does_not_hold_up_the_others() {
    let cloud = Cloud::new().await;
    let ids = cloud.run(2).await;
    let nodes = nodes(&cloud, &ids).await;
    let (provider, _) = provider(&cloud);
    let mut first = Box::pin(provider.metadata(&nodes[0]));
    let second = provider.metadata(&nodes[1]);
    // The first takes the turn of asking, and is dropped while it collects or while the call is under way.
    for _ in 0..20 {
        assert!((&mut first).now_or_never().is_none());
    }
    drop(first);
    assert_eq!(second.await.unwrap().id, ids[1]);
}

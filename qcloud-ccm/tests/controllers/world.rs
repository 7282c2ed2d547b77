//! An API server, machines and routes, all in memory, and the controllers of a process over them.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use apiserver_double::ApiServer;
use async_trait::async_trait;
use qcloud_ccm::cluster::{self, Cluster};
use qcloud_ccm::metrics::Metrics;
use qcloud_ccm::{nodes, routes};
use qcloud_container::kubernetes::instances::conformance::InstancesHarness;
use qcloud_container::kubernetes::instances::{
    AddressKind, InMemoryInstances, Instance, InstanceState, Instances, Inventory, Lookup, NodeAddress, NodeRef,
};
use qcloud_container::kubernetes::routes::{
    ClusterRoute, InMemoryRoutes, OnRouteDone, RouteLimits, RouteResults, RouteSpec, Routes,
};
use qcloud_container::kubernetes::{ClusterIdentity, ErrorKind, ProviderError, Result};
use serde_json::{Value, json};
use tokio::task::JoinSet;

pub(crate) struct World {
    pub(crate) server: ApiServer,
    pub(crate) machines: InMemoryInstances,
    pub(crate) routes: InMemoryRoutes,
    pub(crate) lookups: Arc<AtomicUsize>,
    pub(crate) lists: Arc<AtomicUsize>,
    pub(crate) adds: Arc<AtomicUsize>,
    /// What listing the routes fails with, and when that says to try again.
    pub(crate) unlisted: Unlisted,
    tasks: JoinSet<()>,
}

/// Counts what is asked of the machines.
struct Counted {
    machines: InMemoryInstances,
    lookups: Arc<AtomicUsize>,
}

#[async_trait]
impl Instances for Counted {
    async fn lookup(&self, nodes: &[NodeRef]) -> Vec<Lookup<Instance>> {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        self.machines.lookup(nodes).await
    }

    async fn list(&self) -> Result<Inventory> {
        self.machines.list().await
    }
}

type Unlisted = Arc<Mutex<Option<(ErrorKind, Option<Duration>)>>>;

/// Counts passes over the routes.
struct CountedRoutes {
    routes: InMemoryRoutes,
    lists: Arc<AtomicUsize>,
    adds: Arc<AtomicUsize>,
    unlisted: Unlisted,
}

#[async_trait]
impl Routes for CountedRoutes {
    fn limits(&self) -> RouteLimits {
        self.routes.limits()
    }

    async fn list(&self) -> Result<Vec<ClusterRoute>> {
        self.lists.fetch_add(1, Ordering::Relaxed);
        let unlisted = *self.unlisted.lock().unwrap();
        match unlisted {
            None => self.routes.list().await,
            Some((kind, None)) => Err(ProviderError::new(kind, "there is no table")),
            Some((kind, Some(after))) => Err(ProviderError::new(kind, "there is no table").with_retry_after(after)),
        }
    }

    async fn apply(&self, add: &[RouteSpec], delete: &[ClusterRoute], done: &OnRouteDone<'_>) -> RouteResults {
        self.adds.fetch_add(add.len(), Ordering::Relaxed);
        self.routes.apply(add, delete, done).await
    }
}

pub(crate) const UNINITIALIZED: &str = "node.cloudprovider.kubernetes.io/uninitialized";
pub(crate) const SHUTDOWN: &str = "node.cloudprovider.kubernetes.io/shutdown";

/// A node as a kubelet registers it.
pub(crate) fn new_node(name: &str, address: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/hostname": name},
            "annotations": {"alpha.kubernetes.io/provided-node-ip": address},
        },
        "spec": {"taints": [
            {"key": UNINITIALIZED, "value": "true", "effect": "NoSchedule"},
            {"key": "example.com/theirs", "effect": "NoExecute"},
        ]},
        "status": {
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
            "conditions": [ready("True")],
        },
    })
}

/// A node that has been initialised before.
pub(crate) fn old_node(name: &str, number: u8) -> Value {
    let mut node = new_node(name, &format!("10.0.0.{number}"));
    node["spec"] = json!({"providerID": format!("memory:///m-{number}")});
    node
}

pub(crate) fn ready(status: &str) -> Value {
    json!({"type": "Ready", "status": status, "reason": "Kubelet"})
}

impl World {
    pub(crate) fn new() -> Self {
        let limits = RouteLimits::new(["172.16.0.0/12".parse().unwrap()]);
        Self {
            server: ApiServer::new(),
            machines: InMemoryInstances::new(),
            routes: InMemoryRoutes::new(limits),
            lookups: Arc::default(),
            lists: Arc::default(),
            adds: Arc::default(),
            unlisted: Arc::default(),
            tasks: JoinSet::new(),
        }
    }

    /// Runs a machine with this number, which its id and address have.
    pub(crate) fn machine(&self, number: u8) {
        let id = format!("m-{number}");
        let mut machine = Instance::new(&id, format!("memory:///{id}"));
        let address: IpAddr = format!("10.0.0.{number}").parse().unwrap();
        machine.instance_type = "small".to_owned();
        machine.zone = "zone-1".to_owned();
        machine.region = "region".to_owned();
        machine.addresses.push(NodeAddress { kind: AddressKind::Internal, address });
        machine.state = InstanceState::Running;
        self.machines.insert(machine);
        self.routes.insert_machine(address);
    }

    fn cluster(&mut self) -> Arc<Cluster> {
        let client = cluster::client(self.server.service());
        let identity = ClusterIdentity::new("uid-1", "test");
        let (cluster, work) = Cluster::start(client, identity, Metrics::new(), "test");
        self.tasks.spawn(async move { match work.await {} });
        cluster
    }

    pub(crate) fn run_nodes(&mut self) {
        let machines = Counted { machines: self.machines.clone(), lookups: Arc::clone(&self.lookups) };
        let controller = nodes::Controller::new(self.cluster(), Arc::new(machines), nodes::Options::default());
        self.tasks.spawn(controller.run());
    }

    pub(crate) fn run_routes(&mut self) {
        let routes = CountedRoutes {
            routes: self.routes.clone(),
            lists: Arc::clone(&self.lists),
            adds: Arc::clone(&self.adds),
            unlisted: Arc::clone(&self.unlisted),
        };
        let machines = Arc::new(self.machines.clone());
        let options = routes::Options::default();
        let controller = routes::Controller::new(self.cluster(), Arc::new(routes), machines, options);
        self.tasks.spawn(controller.run());
    }

    /// Keeps an object as an administrator does.
    pub(crate) fn put(&self, object: Value) {
        self.server.put(object).unwrap();
    }

    /// Lets time pass, for the machines, too.
    pub(crate) async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.machines.pass(Duration::from_secs(1)).await;
        }
    }

    pub(crate) fn node(&self, name: &str) -> Option<Value> {
        self.server.get("v1", "Node", "", name)
    }

    /// Changes a node as its kubelet or an administrator does.
    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut Value)) {
        self.server.edit("v1", "Node", "", name, change).unwrap().unwrap();
    }

    pub(crate) fn set_ready(&self, name: &str, status: &str) {
        self.change(name, |node| {
            let conditions = node["status"]["conditions"].as_array_mut().unwrap();
            conditions.retain(|condition| condition["type"] != "Ready");
            conditions.push(ready(status));
        });
    }

    pub(crate) fn taints(&self, name: &str) -> Vec<String> {
        let node = self.node(name).unwrap();
        let taints = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
        taints.iter().map(|taint| taint["key"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn condition(&self, name: &str, kind: &str) -> Option<Value> {
        let conditions = self.node(name)?["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.into_iter().find(|condition| condition["type"] == kind)
    }

    /// The reasons of all events about an object.
    pub(crate) fn events(&self, about: &str) -> Vec<String> {
        let mut events = self.server.list("events.k8s.io/v1", "Event");
        events.retain(|event| event["regarding"]["name"] == about);
        events.sort_by_key(|event| event["eventTime"].as_str().unwrap().to_owned());
        events.iter().map(|event| event["reason"].as_str().unwrap().to_owned()).collect()
    }
}

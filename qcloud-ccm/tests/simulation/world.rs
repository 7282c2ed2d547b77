//! A cluster, the processes that look after it, and what happens to both.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use apiserver_double::ApiServer;
use qcloud_ccm::cluster;
use qcloud_ccm::health::Health;
use qcloud_ccm::leader::Timing;
use qcloud_ccm::manager::{Election, Manager, Providers, Settings};
use qcloud_ccm::metrics::Metrics;
use qcloud_ccm::services::FINALIZER;
use qcloud_container::kubernetes::routes::Routes;
use qcloud_container::provider::instances::{CvmInstances, InstanceSettings};
use qcloud_container::provider::load_balancers::{ClbLoadBalancers, ClbOptions};
use qcloud_container::provider::routes::{
    ClusterTableRoutes, ClusterTableSettings, RouteTables, VpcTableRoutes, VpcTableSettings,
};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::cloud::Cloud;
use crate::weather::Weather;

/// The Service of another class.
const OTHERS: &str = "others";

pub(crate) fn is_of_others(service: &Value) -> bool {
    service["metadata"]["name"] == OTHERS
}

pub(crate) const UNINITIALIZED: &str = "node.cloudprovider.kubernetes.io/uninitialized";

/// A machine that is, or was, a node.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) id: String,
    pub(crate) address: String,
    /// Which number its node has.
    pub(crate) number: u32,
    /// Its host name, for one whose kubelet was told no address: the node has that name, and nothing else to find it by.
    pub(crate) host_name: Option<String>,
    /// Not again after this.
    pub(crate) terminated: bool,
    /// Of the node, once it has registered.
    pub(crate) uid: Option<String>,
}

impl Machine {
    pub(crate) fn node(&self) -> String {
        // As kubelets write it.
        self.host_name.as_ref().map_or_else(|| format!("node-{}", self.number), |name| name.to_lowercase())
    }

    pub(crate) fn network(&self) -> String {
        format!("172.{}.{}.0/24", 16 + self.number / 250, self.number % 250)
    }
}

struct Process {
    task: JoinHandle<()>,
    stop: Option<oneshot::Sender<()>>,
}

pub(crate) struct World {
    pub(crate) server: ApiServer,
    pub(crate) cloud: Cloud,
    pub(crate) machines: Vec<Machine>,
    /// The cluster route table that has the routes; without it, a plain one.
    pub(crate) cluster_table: Option<&'static str>,
    /// Nodes on machines of another provider.
    pub(crate) elsewhere: Vec<&'static str>,
    /// A Service of another class, as it was put there.
    pub(crate) others: Option<Value>,
    random: fastrand::Rng,
    processes: Vec<Process>,
    /// When kubelets were last heard.
    looked: Option<Instant>,
    begun: u32,
    made: u32,
    /// What happened, and how often.
    acts: BTreeMap<&'static str, u32>,
}

impl Drop for World {
    fn drop(&mut self) {
        for process in &self.processes {
            process.task.abort();
        }
    }
}

impl World {
    pub(crate) async fn new(seed: u64) -> Self {
        // What the controllers leave to luck.
        fastrand::seed(seed);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut world = Self {
            cluster_table: (random.u32(..3) == 0).then_some("cluster"),
            elsewhere: Vec::new(),
            others: None,
            server: ApiServer::builder().seed(seed).start("2026-01-02T03:04:05Z".parse().unwrap()).history(200).build(),
            cloud: Cloud::new(seed).await,
            machines: Vec::new(),
            random,
            processes: Vec::new(),
            looked: None,
            begun: 0,
            made: 0,
            acts: BTreeMap::new(),
        };
        if world.random.bool() {
            world.server.put(other_providers_node()).unwrap();
            world.elsewhere.push("elsewhere");
        }
        if world.random.bool() {
            world.server.put(other_classs_service()).unwrap();
            world.others = world.others_service();
        }
        for _ in 0..3 {
            world.new_machine().await;
        }
        world
    }

    pub(crate) fn others_service(&self) -> Option<Value> {
        self.server.get("v1", "Service", "default", OTHERS)
    }

    /// The Services that are for these controllers.
    fn services(&self) -> Vec<Value> {
        let mut services = self.server.list("v1", "Service");
        services.retain(|service| !is_of_others(service));
        services
    }

    /// What happened, for people.
    pub(crate) fn account(&self) -> String {
        let acts = self.acts.iter().map(|(act, count)| format!("{act} {count}")).collect::<Vec<_>>().join(", ");
        format!(
            "{} requests to the server, {} to the cloud, {} spoilt; {acts}",
            self.server.requests().total(),
            self.cloud.calls(),
            self.cloud.struck()
        )
    }

    /// Lets everything happen for a while.
    pub(crate) async fn live(&mut self, length: Duration) {
        let end = Instant::now() + length;
        let mut weather_until = Instant::now();
        while Instant::now() < end {
            if Instant::now() >= weather_until {
                let (server, cloud) = (Weather::any(&mut self.random), Weather::any(&mut self.random));
                server.over(&self.server);
                self.cloud.set_weather(cloud);
                let longest = if Weather::Outage == server || Weather::Outage == cloud { 240 } else { 1_500 };
                weather_until = Instant::now() + Duration::from_secs(self.random.u64(30..longest));
            }
            self.happen().await;
            self.kubelets().await;
            self.check_live_nodes();
            // Things come in clusters.
            let pause = if self.random.u32(..3) == 0 { 60..900 } else { 1..60 };
            tokio::time::sleep(Duration::from_secs(self.random.u64(pause))).await;
        }
    }

    /// Clear weather, one process, and nothing else happens: everything must become as it ought to be. Then all Services
    /// go, and nothing of them may be left.
    pub(crate) async fn clear_up(&mut self) {
        Weather::Clear.over(&self.server);
        self.cloud.set_weather(Weather::Clear);
        if self.processes.iter().all(|process| process.task.is_finished()) {
            self.begin();
        }
        self.settle("after the weather").await;
        for service in self.services() {
            let name = service["metadata"]["name"].as_str().unwrap();
            self.server.delete("v1", "Service", "default", name);
        }
        self.settle("after the Services went").await;
        let left = self.services();
        assert!(left.is_empty(), "left behind: {left:#?}");
    }

    /// Waits until all is well, and looks whether it stays so.
    async fn settle(&mut self, when: &str) {
        let mut problem = String::new();
        let mut well = 0;
        for _ in 0..60 {
            tokio::time::sleep(Duration::from_secs(120)).await;
            self.kubelets().await;
            self.check_live_nodes();
            match self.truth().await {
                Ok(()) => well += 1,
                Err(why) => {
                    assert!(well == 0, "{when} it was well, and then not: {why}");
                    problem = why;
                }
            }
            if well == 4 {
                return;
            }
        }
        panic!("{when} it does not become well: {problem}");
    }

    fn begin(&mut self) {
        self.begun += 1;
        let mut settings = Settings::new(format!("process-{}", self.begun));
        let seconds = Duration::from_secs;
        let timing = Timing::new(seconds(60), seconds(40), seconds(15)).unwrap();
        settings.election = Some(Election { timing, ..Election::default() });
        let client = cluster::client(self.server.service());
        let manager = Manager::new(client, settings, Metrics::new(), Health::new());
        let config = self.cloud.config(u64::from(self.begun));
        let (vpc, table, cluster_table) = (self.cloud.vpc.clone(), self.cloud.table.clone(), self.cluster_table);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let providers = |identity: &qcloud_container::kubernetes::ClusterIdentity| {
                // Somebody's route is in the whole of it, over which a cluster route table can't be made.
                let network = if cluster_table.is_some() { "172.16.0.0/13" } else { "172.16.0.0/12" };
                let network = network.parse().into_iter();
                let routes: Arc<dyn Routes> = match cluster_table {
                    Some(name) => {
                        let mut settings = ClusterTableSettings::new(name, &*vpc, network);
                        settings.create = true;
                        Arc::new(ClusterTableRoutes::new(&config, settings))
                    }
                    None => {
                        let tables = RouteTables::Ids(vec![table.clone()]);
                        let settings = VpcTableSettings::new(identity.clone(), &*vpc, tables, network);
                        Arc::new(VpcTableRoutes::new(&config, settings))
                    }
                };
                let balancers = ClbLoadBalancers::new(&config, identity.clone(), ClbOptions::new(&*vpc));
                Ok(Providers::new(Arc::new(CvmInstances::new(&config, InstanceSettings::new(&*vpc))?))
                    .with_routes(routes)
                    .with_balancers(Arc::new(balancers)))
            };
            manager.run(providers, async { drop(stopped.await) }).await.unwrap();
        });
        self.processes.push(Process { task, stop: Some(stop) });
    }

    fn note(&mut self, act: &'static str) {
        *self.acts.entry(act).or_default() += 1;
    }

    /// One thing happens.
    async fn happen(&mut self) {
        match self.random.u32(..100) {
            0..6 => self.new_machine().await,
            6..11 => self.terminate().await,
            11..17 => self.stop_or_start().await,
            17..27 => self.new_service(),
            27..38 => self.change_service(),
            38..45 => self.delete_service(),
            45..60 => self.move_pods(),
            60..68 => {
                self.note("watches dropped");
                self.server.drop_watches();
            }
            68..74 => {
                self.note("history expired");
                self.server.expire_history();
                if self.random.bool() {
                    self.server.end_watches();
                }
            }
            74..86 => self.processes(),
            _ => {}
        }
        // One or two processes at all times, but for moments.
        self.processes.retain(|process| !process.task.is_finished());
        if self.processes.is_empty() && self.random.u32(..3) > 0 {
            self.begin();
        }
    }

    fn processes(&mut self) {
        if self.processes.is_empty() || (self.processes.len() == 1 && self.random.bool()) {
            self.note("processes begun");
            self.begin();
        } else {
            let at = self.random.usize(..self.processes.len());
            let mut process = self.processes.swap_remove(at);
            if self.random.bool() {
                self.note("processes killed");
                process.task.abort();
            } else {
                self.note("processes stopped");
                let _ = process.stop.take().map(|stop| stop.send(()));
                // It may still be giving up its lease.
                tokio::spawn(process.task);
            }
        }
    }

    fn alive(&self) -> Vec<usize> {
        (0..self.machines.len()).filter(|&at| !self.machines[at].terminated).collect()
    }

    fn any_alive(&mut self) -> Option<usize> {
        let alive = self.alive();
        (!alive.is_empty()).then(|| alive[self.random.usize(..alive.len())])
    }

    async fn new_machine(&mut self) {
        if self.alive().len() >= 7 {
            return;
        }
        self.note("machines");
        let (id, address, host_name) = self.cloud.run().await;
        let number = u32::try_from(self.machines.len()).unwrap();
        let host_name = (self.random.u32(..3) == 0).then_some(host_name);
        self.machines.push(Machine { id, address, number, host_name, terminated: false, uid: None });
    }

    async fn terminate(&mut self) {
        let Some(at) = self.any_alive().filter(|_| self.alive().len() > 2) else { return };
        let id = self.machines[at].id.clone();
        // Of a node that nobody has brought together with its machine, nothing proves that the machine is gone. Such nodes
        // stay until somebody deletes them, so they would only be in the way here.
        let node = self.server.get("v1", "Node", "", &self.machines[at].node());
        let known = node.is_some_and(|node| node["spec"]["providerID"].is_string());
        if !known || !matches!(self.cloud.states().await[&id].as_str(), "RUNNING" | "STOPPED") {
            return;
        }
        self.note("machines terminated");
        self.machines[at].terminated = true;
        self.cloud.cvm("TerminateInstances", json!({ "InstanceIds": [id] })).await;
    }

    async fn stop_or_start(&mut self) {
        let Some(at) = self.any_alive() else { return };
        let id = self.machines[at].id.clone();
        match self.cloud.states().await[&id].as_str() {
            "RUNNING" => {
                self.note("machines stopped");
                self.cloud.cvm("StopInstances", json!({ "InstanceIds": [id] })).await;
            }
            "STOPPED" => {
                self.cloud.cvm("StartInstances", json!({ "InstanceIds": [id] })).await;
            }
            _ => {}
        }
    }

    /// What kubelets and the controller that misses them do: machines that run register, and say that they are ready.
    async fn kubelets(&mut self) {
        if self.looked.is_some_and(|at| at.elapsed() < Duration::from_secs(40)) {
            return;
        }
        self.looked = Some(Instant::now());
        let states = self.cloud.states().await;
        let server = self.server.clone();
        for machine in &mut self.machines {
            let name = machine.node();
            let runs = states.get(&machine.id).is_some_and(|state| state == "RUNNING");
            if runs && machine.uid.is_none() && !machine.terminated {
                let made = server.put(registered(machine)).unwrap();
                machine.uid = made["metadata"]["uid"].as_str().map(str::to_owned);
            } else if let Some(node) = server.get("v1", "Node", "", &name) {
                let status = if runs { "True" } else { "Unknown" };
                if node.pointer("/status/conditions/0/status") != Some(&json!(status)) {
                    server
                        .edit("v1", "Node", "", &name, |node| {
                            for condition in node["status"]["conditions"].as_array_mut().unwrap() {
                                if condition["type"] == "Ready" {
                                    condition["status"] = json!(status);
                                }
                            }
                        })
                        .unwrap();
                }
            }
        }
    }

    /// A node whose machine is there is never deleted.
    fn check_live_nodes(&self) {
        for machine in self.machines.iter().filter(|machine| !machine.terminated && machine.uid.is_some()) {
            let node = self.server.get("v1", "Node", "", &machine.node());
            let uid = node.as_ref().and_then(|node| node["metadata"]["uid"].as_str());
            assert_eq!(uid, machine.uid.as_deref(), "the node of {machine:?} is gone although its machine is there");
        }
    }

    fn new_service(&mut self) {
        if self.services().len() >= 5 {
            return;
        }
        self.note("services");
        self.made += 1;
        let name = format!("svc-{}", self.made);
        let local = if self.random.bool() { "Local" } else { "Cluster" };
        let mut spec = json!({ "type": "LoadBalancer", "externalTrafficPolicy": local, "ports": self.ports() });
        if self.random.u32(..4) == 0 {
            spec["loadBalancerSourceRanges"] = json!(["192.0.2.0/24"]);
        }
        let metadata = json!({ "name": name, "namespace": "default" });
        self.server.put(json!({ "apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec })).unwrap();
        self.place_pods(&name);
    }

    fn ports(&mut self) -> Vec<Value> {
        let count = self.random.u64(1..4);
        let port = |n: u64| {
            let protocol = if self.random.u32(..4) == 0 { "UDP" } else { "TCP" };
            json!({ "name": format!("p{n}"), "port": 80 + n + 10 * self.random.u64(..3), "protocol": protocol })
        };
        (0..count).map(port).collect()
    }

    fn any_service(&mut self) -> Option<String> {
        let mut services = self.services();
        services.retain(|service| service["metadata"]["deletionTimestamp"].is_null());
        let at = (!services.is_empty()).then(|| self.random.usize(..services.len()))?;
        services[at]["metadata"]["name"].as_str().map(str::to_owned)
    }

    fn change_service(&mut self) {
        let Some(name) = self.any_service() else { return };
        self.note("services changed");
        let (what, ports) = (self.random.u32(..8), self.ports());
        self.server
            .edit("v1", "Service", "default", &name, |service| {
                let spec = &mut service["spec"];
                match what {
                    0..4 => spec["ports"] = json!(ports),
                    4 => {
                        let local = spec["externalTrafficPolicy"] == "Local";
                        spec["healthCheckNodePort"] = Value::Null;
                        spec["externalTrafficPolicy"] = if local { json!("Cluster") } else { json!("Local") };
                    }
                    5 => {
                        let none = spec["loadBalancerSourceRanges"].is_null();
                        spec["loadBalancerSourceRanges"] = if none { json!(["198.51.100.0/24"]) } else { Value::Null };
                    }
                    _ if spec["type"] == "LoadBalancer" => {
                        *spec = json!({ "type": "ClusterIP", "ports": ports, "clusterIP": spec["clusterIP"] });
                    }
                    _ => *spec = json!({ "type": "LoadBalancer", "ports": ports, "clusterIP": spec["clusterIP"] }),
                }
                if spec["type"] == "ClusterIP" {
                    for field in ["externalTrafficPolicy", "loadBalancerSourceRanges", "healthCheckNodePort"] {
                        spec[field] = Value::Null;
                    }
                }
            })
            .unwrap();
        self.place_pods(&name);
    }

    fn delete_service(&mut self) {
        let Some(name) = self.any_service() else { return };
        self.note("services deleted");
        self.server.delete("v1", "Service", "default", &name);
        self.server.delete("discovery.k8s.io/v1", "EndpointSlice", "default", &format!("{name}-1"));
    }

    fn move_pods(&mut self) {
        if let Some(name) = self.any_service() {
            self.note("pods moved");
            self.place_pods(&name);
        }
    }

    /// Puts the pods of a Service on some of the nodes.
    fn place_pods(&mut self, service: &str) {
        let Some(shown) = self.server.get("v1", "Service", "default", service) else { return };
        let ports: Vec<Value> = shown["spec"]["ports"]
            .as_array()
            .unwrap()
            .iter()
            .map(|port| json!({ "name": port["name"], "port": 8080, "protocol": port["protocol"] }))
            .collect();
        let alive = self.alive();
        let random = &mut self.random;
        let endpoints: Vec<Value> = alive
            .into_iter()
            .filter(|_| random.bool())
            .map(|at| {
                let number = self.machines[at].number;
                json!({
                    "addresses": [format!("172.{}.{}.9", 16 + number / 250, number % 250)],
                    "conditions": { "ready": true, "serving": true, "terminating": false },
                    "nodeName": self.machines[at].node(),
                })
            })
            .collect();
        self.server
            .put(json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                "metadata": {
                    "name": format!("{service}-1"), "namespace": "default",
                    "labels": { "kubernetes.io/service-name": service },
                },
                "endpoints": endpoints, "ports": ports,
            }))
            .unwrap();
    }
}

/// A node whose kubelet is silent, and whose machine this provider knows nothing of.
fn other_providers_node() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": { "name": "elsewhere", "labels": { "node.kubernetes.io/exclude-from-external-load-balancers": "" } },
        "spec": { "providerID": "elsewhere:///zone-1/machine-1" },
        "status": { "conditions": [{ "type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown" }] },
    })
}

/// A Service that another controller serves, which uses the same finalizer.
fn other_classs_service() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": OTHERS, "namespace": "default", "finalizers": [FINALIZER] },
        "spec": { "type": "LoadBalancer", "loadBalancerClass": "example.com/other", "ports": [{ "port": 80 }] },
    })
}

/// A node as a kubelet registers it.
fn registered(machine: &Machine) -> Value {
    let name = machine.node();
    let mut addresses = vec![json!({ "type": "Hostname", "address": name })];
    let mut annotations = json!({});
    if machine.host_name.is_none() {
        addresses.push(json!({ "type": "InternalIP", "address": machine.address }));
        annotations["alpha.kubernetes.io/provided-node-ip"] = json!(machine.address);
    }
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": { "name": name, "labels": { "kubernetes.io/hostname": name }, "annotations": annotations },
        "spec": {
            "podCIDR": machine.network(),
            "taints": [{ "key": UNINITIALIZED, "value": "true", "effect": "NoSchedule" }],
        },
        "status": {
            "addresses": addresses,
            "conditions": [{ "type": "Ready", "status": "True", "reason": "KubeletReady" }],
        },
    })
}

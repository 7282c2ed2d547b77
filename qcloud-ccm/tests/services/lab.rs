//! A cluster on the API server double, a cloud in memory, and a controller that can be killed.

use std::sync::Arc;
use std::time::Duration;

use apiserver_double::{ApiServer, Fault as ServerFault, Verb};
use qcloud_ccm::Cluster;
use qcloud_ccm::metrics::Metrics;
use qcloud_ccm::services::{Controller, Options};
use qcloud_container::kubernetes::ClusterIdentity;
use qcloud_container::kubernetes::load_balancers::{LbRef, LbState, LoadBalancers, ServiceKey, annotations};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::cloud::{CLUSTER, Cloud};

pub(crate) const FINALIZER: &str = qcloud_ccm::services::FINALIZER;

pub(crate) struct Lab {
    pub(crate) server: ApiServer,
    pub(crate) cloud: Cloud,
    pub(crate) options: Options,
    pub(crate) metrics: Metrics,
    process: Option<JoinHandle<()>>,
    /// The number of writes after which the process is stopped.
    stop_at: Option<u64>,
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Lab {
    /// A cluster without nodes, and a controller that is not started.
    pub(crate) fn empty() -> Self {
        let mut options = Options::default();
        options.pauses.jitter = false;
        // The regular look at all balancers, which begins at a random moment, is another matter.
        options.verify_every = Duration::from_secs(10_000_000);
        Self {
            server: ApiServer::new(),
            cloud: Cloud::new(),
            options,
            metrics: Metrics::new(),
            process: None,
            stop_at: None,
        }
    }

    /// The same with three nodes.
    pub(crate) fn idle() -> Self {
        let lab = Self::empty();
        for n in 0..3 {
            lab.node(n);
        }
        lab
    }

    /// The same, and the controller runs.
    pub(crate) fn new() -> Self {
        let mut lab = Self::idle();
        lab.start();
        lab
    }

    /// The same, with the regular look at all balancers.
    pub(crate) fn verified() -> Self {
        let mut lab = Self::idle();
        lab.options.verify_every = Options::default().verify_every;
        lab.start();
        lab
    }

    /// Starts a process.
    pub(crate) fn start(&mut self) {
        self.start_on(Arc::new(self.cloud.clone()));
    }

    /// Starts a process over other balancers.
    pub(crate) fn start_on(&mut self, balancers: Arc<dyn LoadBalancers>) {
        self.kill();
        let client = qcloud_ccm::cluster::client(self.server.service());
        let identity = ClusterIdentity::new(CLUSTER, "test");
        let (cluster, work) = Cluster::start(client, identity, self.metrics.clone(), "test-0");
        let controller = Controller::new(cluster, balancers, self.options.clone());
        self.process = Some(tokio::spawn(async move {
            tokio::select! {
                _ = work => {}
                () = controller.run() => {}
            }
        }));
    }

    /// Ends the process in the middle of whatever it does.
    pub(crate) fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.abort();
        }
    }

    /// Lets time pass.
    pub(crate) async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Lets time pass until something is so.
    pub(crate) async fn until(&self, what: &str, so: impl AsyncFn() -> bool) {
        for _ in 0..12_000 {
            if so().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let services = self.server.list("v1", "Service");
        let first: Vec<&Value> = services.iter().take(3).collect();
        panic!("in vain: {what}; of {} Services, the first are {first:#?}", services.len());
    }

    pub(crate) fn node(&self, n: usize) {
        self.put(json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": { "name": format!("node-{n}"), "labels": { "topology.kubernetes.io/zone": format!("z-{}", n % 3) } },
            "spec": { "providerID": format!("qcloud:///100003/ins-{n:08}") },
            "status": { "addresses": [{ "type": "InternalIP", "address": format!("10.0.{}.{}", n / 200, n % 200 + 1) }] },
        }));
    }

    /// Makes an object, or puts it in the place of the one that is there.
    pub(crate) fn put(&self, object: Value) {
        self.server.put(object).unwrap();
    }

    /// Changes an object as someone else does.
    pub(crate) fn edit(&self, kind: &str, namespace: &str, name: &str, change: impl FnOnce(&mut Value)) {
        self.server.edit("v1", kind, namespace, name, change).unwrap().unwrap_or_else(|| panic!("no {kind} {name}"));
    }

    /// Takes the finalizers of a Service away and deletes it.
    pub(crate) fn delete_now(&self, name: &str) {
        self.edit_service(name, |service| service["metadata"]["finalizers"] = json!([]));
        self.delete(name);
    }

    pub(crate) fn edit_service(&self, name: &str, change: impl FnOnce(&mut Value)) {
        self.edit("Service", "default", name, change);
    }

    /// A Service of type LoadBalancer with these TCP ports.
    pub(crate) fn service(&self, name: &str, ports: &[u16]) {
        self.put(service(name, ports));
    }

    pub(crate) fn shown(&self, name: &str) -> Option<Value> {
        self.server.get("v1", "Service", "default", name)
    }

    pub(crate) fn delete(&self, name: &str) {
        self.server.delete("v1", "Service", "default", name);
    }

    pub(crate) fn annotation(&self, service: &str, name: &str) -> Option<String> {
        Some(self.shown(service)?["metadata"]["annotations"].get(name)?.as_str()?.to_owned())
    }

    pub(crate) fn recorded(&self, service: &str) -> Option<String> {
        self.annotation(service, annotations::RECORDED_ID)
    }

    pub(crate) fn has_finalizer(&self, service: &str) -> bool {
        let shown = self.shown(service).unwrap_or_default();
        shown["metadata"]["finalizers"].as_array().is_some_and(|all| all.contains(&json!(FINALIZER)))
    }

    /// The addresses in the status.
    pub(crate) fn addresses(&self, service: &str) -> Vec<String> {
        let shown = self.shown(service).unwrap_or_default();
        let ingress = shown["status"]["loadBalancer"]["ingress"].as_array().cloned().unwrap_or_default();
        ingress.iter().filter_map(|entry| entry["ip"].as_str().map(str::to_owned)).collect()
    }

    /// Whether the controller says that the cloud holds what the Service wants.
    pub(crate) fn is_marked(&self, service: &str) -> bool {
        self.annotation(service, annotations::RECORDED_FINGERPRINT).is_some_and(|mark| !mark.contains("changing"))
    }

    /// What happens to the `n`-th write of a Service from now on: no answer to it, or the process does not hear it.
    pub(crate) fn stop_at_write(&mut self, n: u64, after: bool) {
        let fault = if after { ServerFault::LostAfter } else { ServerFault::Stall };
        self.stop_at = Some(self.server.requests().count(Verb::Patch, "services") + n);
        self.server.faults().on(Verb::Patch, "services").after(n).times(1).answer(fault);
    }

    /// Whether that write was asked for.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop_at.is_some_and(|at| self.server.requests().count(Verb::Patch, "services") > at)
    }

    /// No more of that.
    pub(crate) fn go_on(&mut self) {
        self.stop_at = None;
        self.server.faults().clear();
    }

    /// How often the API server was asked to change something.
    pub(crate) fn writes(&self) -> u64 {
        let counts = self.server.requests().counts();
        let writing = |verb: Verb| !matches!(verb, Verb::Get | Verb::List | Verb::Watch);
        counts.iter().filter(|((verb, _), _)| writing(*verb)).map(|(_, count)| count).sum()
    }

    /// How often the status of a Service was written.
    pub(crate) fn status_writes(&self) -> u64 {
        self.server.requests().count(Verb::Patch, "services/status")
    }

    /// Lets time pass until a Service is served.
    pub(crate) async fn served(&self, service: &str) {
        self.until("served", async || self.is_marked(service) && !self.addresses(service).is_empty()).await;
    }

    pub(crate) fn reference(&self, service: &str) -> LbRef {
        let shown = self.shown(service).unwrap_or_default();
        LbRef::new(ServiceKey::new("default", service, shown["metadata"]["uid"].as_str().unwrap_or_default()))
    }

    /// The balancer of a Service.
    pub(crate) async fn balancer(&self, service: &str) -> Option<LbState> {
        self.cloud.of(&self.reference(service)).await
    }

    /// The ports of its listeners.
    pub(crate) async fn ports(&self, service: &str) -> Vec<u16> {
        let state = self.balancer(service).await;
        let mut ports: Vec<u16> =
            state.iter().flat_map(|state| &state.listeners).map(|listener| listener.key.port).collect();
        ports.sort_unstable();
        ports
    }

    /// The machines that a Service's first listener sends traffic to, by their number.
    pub(crate) async fn targets(&self, service: &str) -> Vec<usize> {
        let state = self.balancer(service).await;
        let listener = state.as_ref().and_then(|state| state.listeners.first());
        let mut machines: Vec<usize> = listener
            .iter()
            .flat_map(|listener| listener.targets.keys())
            .map(|target| {
                let text = format!("{:?}", target.host);
                text.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap()
            })
            .collect();
        machines.sort_unstable();
        machines
    }

    /// Reason and note of the events about a Service, oldest first, each with how often it was said.
    pub(crate) fn events(&self, service: &str) -> Vec<(String, String, u64)> {
        let all = self.server.list("events.k8s.io/v1", "Event");
        all.iter()
            .filter(|event| event["regarding"]["name"] == service)
            .map(|event| {
                let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
                (text("reason"), text("note"), event["series"]["count"].as_u64().unwrap_or(1))
            })
            .collect()
    }

    /// How often an event of this reason was said.
    pub(crate) fn said(&self, service: &str, reason: &str) -> u64 {
        self.events(service).iter().filter(|(said, _, _)| said == reason).map(|(_, _, count)| count).sum()
    }
}

pub(crate) fn service(name: &str, ports: &[u16]) -> Value {
    let ports: Vec<Value> = ports
        .iter()
        .map(|port| json!({ "name": format!("p{port}"), "protocol": "TCP", "port": port, "targetPort": port }))
        .collect();
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": name, "namespace": "default" },
        "spec": { "type": "LoadBalancer", "ports": ports, "externalTrafficPolicy": "Cluster" },
    })
}

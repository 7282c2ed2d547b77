//! The whole way: a Service, this controller, the CLB adapter, and an emulator whose data path tells where packets go.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use apiserver_double::{Fault, Verb};
use futures_util::future::{BoxFuture, FutureExt as _};
use qcloud_ccm::cloud_config::CloudConfig;
use qcloud_ccm::services::Options;
use qcloud_container::kubernetes::ClusterIdentity;
use qcloud_container::kubernetes::load_balancers::annotations;
use qcloud_container::provider::load_balancers::ClbLoadBalancers;
use qcloud_core::clock::Clock;
use qcloud_core::transport::{HttpRequest, HttpResponse, Transport, TransportError};
use qcloud_core::{Client, Config, Raw, Service};
use qcloud_emulator::Emulator;
use serde_json::{Value, json};

use crate::cloud::CLUSTER;
use crate::lab::{Lab, service};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Clone)]
struct Wire(Emulator);

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl Transport for Wire {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        async { Ok(self.0.handle(request).await) }.boxed()
    }
}

/// The emulator's time, with the runtime's way of waiting.
#[derive(Debug)]
struct EmulatedClock(qcloud_emulator::Clock);

impl Clock for EmulatedClock {
    fn now(&self) -> SystemTime {
        self.0.now()
    }
    fn elapsed(&self) -> Duration {
        self.0.now().duration_since(UNIX_EPOCH).unwrap()
    }
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(duration).boxed()
    }
}

struct Site {
    lab: Lab,
    emulator: Emulator,
    config: Config,
    vpc: String,
    machines: Vec<String>,
    other_regions: Vec<String>,
}

impl Site {
    /// A network with three machines, which are the cluster's nodes, and the controller on it.
    async fn new() -> Self {
        let start = UNIX_EPOCH + Duration::from_secs(1_767_323_045);
        let clock = qcloud_emulator::Clock::starting_at(start);
        let emulator = Emulator::builder().clock(clock.clone()).check_responses(true).build().unwrap();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SECOND / 10).await;
                clock.advance(SECOND / 10);
            }
        });
        let config = Config::builder()
            .region(emulator.region())
            .static_credentials(emulator.secret_id(), emulator.secret_key())
            .transport(Wire(emulator.clone()))
            .clock(EmulatedClock(emulator.clock().clone()))
            .build()
            .unwrap();
        let (lab, vpc) = (Lab::empty(), String::new());
        let mut site = Self { lab, emulator, config, vpc, machines: Vec::new(), other_regions: Vec::new() };
        let made = site.call("vpc", "CreateVpc", json!({ "VpcName": "net", "CidrBlock": "10.0.0.0/16" })).await;
        site.vpc = made["Vpc"]["VpcId"].as_str().unwrap().to_owned();
        let subnet =
            json!({ "VpcId": site.vpc, "SubnetName": "s", "Zone": "ap-guangzhou-3", "CidrBlock": "10.0.1.0/24" });
        let subnet = site.call("vpc", "CreateSubnet", subnet).await["Subnet"]["SubnetId"].clone();
        let machines = json!({
            "Placement": { "Zone": "ap-guangzhou-3" }, "ImageId": "img-487zeit5", "InstanceCount": 3,
            "VirtualPrivateCloud": { "VpcId": site.vpc, "SubnetId": subnet },
        });
        let made = site.call("cvm", "RunInstances", machines).await;
        site.machines = made["InstanceIdSet"].as_array().unwrap().iter().map(text).collect();
        site.lab.pass(10 * SECOND).await;
        for n in 0..3 {
            site.join(n);
        }
        site.start();
        site
    }

    /// The same, with the regular look at all balancers.
    async fn verified() -> Self {
        let mut site = Self::new().await;
        site.lab.options.verify_every = Options::default().verify_every;
        site.start();
        site
    }

    fn start(&mut self) {
        let cluster = ClusterIdentity::new(CLUSTER, "test");
        // As the program has it.
        let config = CloudConfig::parse(&format!("vpc_id = '{}'", self.vpc)).unwrap();
        let mut options = config.balancers().unwrap();
        options.other_regions.clone_from(&self.other_regions);
        let balancers = ClbLoadBalancers::new(&self.config, cluster, options);
        self.lab.start_on(Arc::new(balancers));
    }

    /// A machine becomes a node.
    fn join(&self, n: usize) {
        self.lab.put(json!({
            "apiVersion": "v1", "kind": "Node", "metadata": { "name": format!("node-{n}") },
            "spec": { "providerID": format!("qcloud:///100003/{}", self.machines[n]) },
            // Balancers of other regions know nodes by their addresses.
            "status": { "addresses": [{ "type": "InternalIP", "address": format!("10.0.1.{}", n + 10) }] },
        }));
    }

    fn annotate(&self, service: &str, annotations: &[(&str, Value)]) {
        self.lab.edit_service(service, |service| {
            for (name, value) in annotations {
                service["metadata"]["annotations"][name] = value.clone();
            }
        });
    }

    async fn call(&self, service: &'static str, action: &str, parameters: Value) -> Value {
        let version = if service == "clb" { "2018-03-17" } else { "2017-03-12" };
        Client::new(&self.config, Service::new(service, version)).call(Raw::new(action, parameters)).await.unwrap()
    }

    /// The machines, with their ports, that connections to a Service reach.
    fn reached(&self, service: &str, port: u16) -> Vec<(usize, u16)> {
        let address = self.lab.addresses(service).into_iter().next().unwrap_or_default();
        let traffic = self.emulator.load_balancing(self.emulator.region());
        let reached = traffic.reached_by_connection(&address, port, "TCP");
        let mut machines: Vec<(usize, u16)> = reached
            .iter()
            .map(|target| {
                let id = target.instance_id.as_ref().unwrap();
                (self.machines.iter().position(|machine| machine == id).unwrap(), target.port)
            })
            .collect();
        machines.sort_unstable();
        machines
    }

    /// The node port of a Service's first port.
    fn node_port(&self, service: &str) -> u16 {
        let shown = self.lab.shown(service).unwrap();
        u16::try_from(shown["spec"]["ports"][0]["nodePort"].as_u64().unwrap()).unwrap()
    }

    async fn balancers(&self) -> usize {
        let shown = self.call("clb", "DescribeLoadBalancers", json!({})).await;
        usize::try_from(shown["TotalCount"].as_u64().unwrap()).unwrap()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn connections_to_a_service_reach_its_nodes() {
    let mut site = Site::new().await;
    site.emulator.calls().clear();
    site.lab.service("web", &[80]);
    site.lab.served("web").await;
    assert!(site.emulator.calls().total() <= 7, "{:?}", site.emulator.calls().counts());
    let port = site.node_port("web");
    assert_eq!(site.reached("web", 80), [(0, port), (1, port), (2, port)]);
    assert_eq!(site.reached("web", 81), []);

    // A steady Service costs nothing, of this process and of the next.
    site.emulator.calls().clear();
    site.lab.pass(5 * MINUTE).await;
    site.start();
    site.lab.pass(5 * MINUTE).await;
    assert_eq!(site.emulator.calls().total(), 0, "{:?}", site.emulator.calls().counts());

    // A node goes.
    site.lab.server.delete("v1", "Node", "", "node-1");
    site.lab.pass(MINUTE).await;
    assert_eq!(site.reached("web", 80), [(0, port), (2, port)]);
    let counts = site.emulator.calls().counts();
    assert_eq!(counts.get("BatchDeregisterTargets"), Some(&1), "{counts:?}");
    assert_eq!(counts.keys().filter(|action| !action.starts_with("Describe")).count(), 1, "{counts:?}");

    // The Service moves to another port.
    site.lab.edit_service("web", |service| service["spec"]["ports"][0]["port"] = json!(8080));
    site.lab.pass(MINUTE).await;
    site.lab.served("web").await;
    let port = site.node_port("web");
    assert_eq!((site.reached("web", 8080), site.reached("web", 80)), (vec![(0, port), (2, port)], vec![]));

    site.lab.delete("web");
    site.lab.until("gone", async || site.lab.shown("web").is_none()).await;
    assert_eq!(site.balancers().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_balancer_that_someone_deleted_serves_again() {
    let site = Site::new().await;
    site.lab.service("web", &[80]);
    site.lab.served("web").await;
    let gone = json!({ "LoadBalancerIds": [site.lab.recorded("web")], "ForceDelete": true });
    site.call("clb", "DeleteLoadBalancer", gone).await;
    site.lab.pass(MINUTE).await;
    assert!(site.reached("web", 80).is_empty());
    site.lab.pass(30 * MINUTE).await;
    site.lab.served("web").await;
    assert_eq!((site.reached("web", 80).len(), site.balancers().await), (3, 1));
}

/// While the status of the Service can't be written, clients use the old balancer.
#[tokio::test(start_paused = true)]
async fn a_balancer_that_is_replaced_serves_until_clients_know_the_new_one() {
    let site = Site::new().await;
    site.lab.service("web", &[80]);
    site.lab.served("web").await;
    let (old, before) = (site.lab.recorded("web").unwrap(), site.lab.addresses("web"));
    let subnets = site.call("vpc", "DescribeSubnets", json!({})).await;
    let subnet = subnets["SubnetSet"][0]["SubnetId"].clone();
    site.lab.server.faults().on(Verb::Patch, "services/status").answer(Fault::Refuse(500, "InternalError"));
    site.annotate("web", &[(annotations::INTERNAL_SUBNET, subnet), (annotations::ALLOW_RECREATE, json!("true"))]);
    site.lab.pass(5 * MINUTE).await;
    assert_eq!((site.balancers().await, site.reached("web", 80).len()), (2, 3));
    assert_eq!((site.lab.addresses("web"), site.lab.recorded("web")), (before.clone(), Some(old.clone())));
    site.lab.server.faults().clear();
    site.lab.until("replaced", async || site.balancers().await == 1 && site.lab.is_marked("web")).await;
    assert_ne!((site.lab.addresses("web"), site.lab.recorded("web")), (before, Some(old)));
    assert_eq!(site.reached("web", 80).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_balancer_that_moves_to_another_region_arrives() {
    const FAR: &str = "ap-shanghai";
    let mut site = Site::new().await;
    site.other_regions = vec![FAR.to_owned()];
    site.start();
    site.lab.service("web", &[80]);
    site.lab.served("web").await;
    let old = site.lab.recorded("web").unwrap();
    site.annotate("web", &[(annotations::CROSS_REGION, json!(FAR)), (annotations::ALLOW_RECREATE, json!("true"))]);
    site.lab.until("gone from here", async || site.balancers().await == 0).await;
    site.lab.served("web").await;
    assert_ne!(site.lab.recorded("web").unwrap(), old);
    // It has come to rest.
    site.emulator.calls().clear();
    site.lab.pass(5 * MINUTE).await;
    assert_eq!(site.emulator.calls().total(), 0, "{:?}", site.emulator.calls().counts());
    site.lab.delete("web");
    site.lab.until("gone", async || site.lab.shown("web").is_none()).await;
    let far = Client::new(&site.config.in_region(FAR), Service::new("clb", "2018-03-17"));
    assert_eq!(far.call(Raw::new("DescribeLoadBalancers", json!({}))).await.unwrap()["TotalCount"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_cloud_is_told_in_its_words() {
    let site = Site::new().await;
    let mut wrong = service("web", &[80]);
    wrong["metadata"]["annotations"] = json!({ annotations::INTERNAL_SUBNET: "subnet-nosuch12" });
    site.lab.put(wrong);
    site.lab.pass(MINUTE).await;
    let events = site.lab.events("web");
    let (_, note, count) = events.iter().find(|(reason, _, _)| reason == "SyncLoadBalancerFailed").unwrap();
    assert!(note.contains("CreateLoadBalancer") && note.contains("request id"), "{note}");
    assert!(*count <= 3, "{events:?}");
    assert_eq!(note.matches("request id").count(), 1, "{note}");
    site.lab.edit_service("web", |service| {
        service["metadata"]["annotations"].as_object_mut().unwrap().remove(annotations::INTERNAL_SUBNET);
    });
    site.lab.served("web").await;
    assert_eq!(site.reached("web", 80).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn many_services_start_together_within_the_budget() {
    let site = Site::new().await;
    site.emulator.calls().clear();
    const SERVICES: usize = 100;
    for n in 0..SERVICES {
        site.lab.service(&format!("web-{n}"), &[80, 443]);
    }
    site.lab.until("all served", async || (0..SERVICES).all(|n| site.lab.is_marked(&format!("web-{n}")))).await;
    let counts = site.emulator.calls().counts();
    for action in ["CreateLoadBalancer", "CreateListener", "BatchRegisterTargets"] {
        assert_eq!(counts.get(action), Some(&SERVICES), "{counts:?}");
    }
    assert!(site.emulator.calls().total() <= 5 * SERVICES, "{counts:?}");
    for n in 0..SERVICES {
        assert_eq!(site.reached(&format!("web-{n}"), 443).len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_someone_deleted_comes_back() {
    let site = Site::verified().await;
    let order = json!({ "LoadBalancerType": "OPEN", "VpcId": site.vpc, "LoadBalancerName": "theirs" });
    let made = site.call("clb", "CreateLoadBalancer", order).await;
    site.lab.pass(MINUTE).await;
    let mut named = service("named", &[81]);
    named["metadata"]["annotations"] = json!({ annotations::EXISTING_ID: made["LoadBalancerIds"][0] });
    site.lab.put(named);
    site.lab.service("web", &[80]);
    for (name, port) in [("web", 80), ("named", 81)] {
        site.lab.served(name).await;
        // As long as a process remembers what it did.
        site.lab.pass(15 * MINUTE).await;
        let listeners = json!({ "LoadBalancerId": site.lab.recorded(name) });
        site.call("clb", "DeleteLoadBalancerListeners", listeners).await;
        site.lab.pass(MINUTE).await;
        assert!(site.reached(name, port).is_empty());
        site.lab.pass(30 * MINUTE).await;
        assert_eq!(site.reached(name, port).len(), 3, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_regular_look_at_many_steady_services_is_one_of_all_together() {
    let site = Site::verified().await;
    for n in 0..90 {
        site.lab.service(&format!("web-{n}"), &[80, 443]);
    }
    site.lab.until("all served", async || (0..90).all(|n| site.lab.is_marked(&format!("web-{n}")))).await;
    site.lab.pass(15 * MINUTE).await;
    site.emulator.calls().clear();
    let writes = site.lab.writes();
    site.lab.pass(60 * MINUTE).await;
    let counts = site.emulator.calls().counts();
    // Three looks at 90 balancers with 180 listeners, and six or seven sweeps for orphans, at 100 rows a call.
    assert!(counts["DescribeLoadBalancersDetail"] >= 3 * 2, "{counts:?}");
    assert!(site.emulator.calls().total() <= 3 * (1 + 2) + 7 * 2, "{counts:?}");
    assert_eq!(site.lab.writes(), writes);
}

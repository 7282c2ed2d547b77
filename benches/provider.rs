//! The provider at the size that Kubernetes is made for: 5,000 nodes, 1,000 Services of two ports each, 1,000 volumes.
//!
//! Everything runs in one process, on the emulator and on a clock of its own: time passes only while all tasks wait. So
//! calls and seconds are the same in every run; CPU and memory are not. The clients keep to 80 % of the documented rates,
//! and a call takes 50 ms. CPU is that of the process without what the emulator itself used; memory is with the emulator.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use futures_util::future::{BoxFuture, join_all};
use futures_util::{FutureExt as _, StreamExt as _};
use qcloud_container::kubernetes::instances::{Instances, NodeRef};
use qcloud_container::kubernetes::load_balancers::{
    LbLimits, LbSpec, LbStatus, LoadBalancers, Node, ReadContext, Service, ServiceKey, ServicePort, TargetSet,
};
use qcloud_container::kubernetes::routes::{Blackholes, NextHops, RouteSpec, Routes, plan};
use qcloud_container::kubernetes::volumes::{Access, Volumes};
use qcloud_container::kubernetes::{ClusterIdentity, ErrorKind, Retry};
use qcloud_container::provider::instances::{CvmInstances, InstanceSettings};
use qcloud_container::provider::load_balancers::{ClbLoadBalancers, ClbOptions};
use qcloud_container::provider::routes::{ClusterTableRoutes, ClusterTableSettings};
use qcloud_container::provider::volumes::CbsVolumes;
use qcloud_core::clock::Clock;
use qcloud_core::testing::from_fn;
use qcloud_core::transport::{HttpRequest, HttpResponse, Transport, TransportError};
use qcloud_core::{Client, Config, RateLimits, Raw};
use qcloud_emulator::{Emulator, Quota};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

const NODES: usize = 5_000;
const SERVICES: usize = 1_000;
const VOLUMES: usize = 1_000;
/// Services that a controller works on at the same time.
const WORKERS: usize = 64;
const LATENCY: Duration = Duration::from_millis(50);
const ZONE: &str = "ap-guangzhou-3";
const PODS: &str = "172.16.0.0/12";

/// The runtime's paused clock, which jumps to the next timer when there is nothing else to do.
#[derive(Clone, Debug)]
struct Virtual {
    origin: Instant,
    start: SystemTime,
}

impl Clock for Virtual {
    fn now(&self) -> SystemTime {
        self.start + self.elapsed()
    }
    fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        sleep(duration).boxed()
    }
}

/// The way to the emulator, whose clock follows.
#[derive(Clone)]
struct Wire {
    emulator: Emulator,
    clock: Virtual,
    /// Nanoseconds of CPU that the emulator used.
    used: Arc<AtomicU64>,
}

impl Wire {
    fn transport(&self) -> impl Transport + 'static {
        let wire = self.clone();
        from_fn(move |request| wire.clone().exchange(request))
    }

    async fn exchange(self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        sleep(LATENCY).await;
        let behind = self.clock.now().duration_since(self.emulator.clock().now()).unwrap_or_default();
        self.emulator.clock().advance(behind);
        let began = cpu();
        let answer = self.emulator.handle(request).await;
        self.used.fetch_add(cpu() - began, Ordering::Relaxed);
        Ok(answer)
    }
}

/// The account, and what happens in it besides the provider.
struct Cloud {
    wire: Wire,
    vpc: String,
    subnet: String,
}

impl Cloud {
    async fn new() -> Self {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045);
        let emulator = Emulator::builder()
            .clock(qcloud_emulator::Clock::starting_at(start))
            .quota(Quota::PublicLoadBalancers, 2 * SERVICES)
            .call_log(1)
            .build()
            .unwrap();
        let clock = Virtual { origin: Instant::now(), start };
        let wire = Wire { emulator, clock, used: Arc::default() };
        let mut cloud = Self { wire, vpc: String::new(), subnet: String::new() };
        let made = cloud.call("vpc", "CreateVpc", json!({ "VpcName": "net", "CidrBlock": "10.0.0.0/16" })).await;
        cloud.vpc = text(&made["Vpc"]["VpcId"]);
        let subnet = json!({ "VpcId": cloud.vpc, "SubnetName": "s", "Zone": ZONE, "CidrBlock": "10.0.0.0/17" });
        cloud.subnet = text(&cloud.call("vpc", "CreateSubnet", subnet).await["Subnet"]["SubnetId"]);
        let table = json!({ "RouteTableName": "pods", "RouteTableCidrBlock": PODS, "VpcId": cloud.vpc });
        cloud.call("tke", "CreateClusterRouteTable", table).await;
        cloud
    }

    fn config(&self, limits: RateLimits) -> Config {
        Config::builder()
            .region(self.wire.emulator.region())
            .static_credentials(self.wire.emulator.secret_id(), self.wire.emulator.secret_key())
            .transport(self.wire.transport())
            .clock(self.wire.clock.clone())
            .rate_limits(limits)
            .jitter_seed(1)
            .build()
            .unwrap()
    }

    /// A call from outside the provider, which no limit holds up.
    async fn call(&self, service: &str, action: &str, parameters: Value) -> Value {
        let service = match service {
            "cvm" => qcloud_cvm::SERVICE,
            "vpc" => qcloud_vpc::SERVICE,
            "cbs" => qcloud_cbs::SERVICE,
            _ => qcloud_container::v20180525::SERVICE,
        };
        let client = Client::new(&self.config(RateLimits::new()), service);
        client.call(Raw::new(action.to_owned(), parameters)).await.unwrap()
    }

    async fn run(&self, count: usize) {
        for size in std::iter::repeat_n(100, count / 100).chain([count % 100]).filter(|size| *size > 0) {
            let parameters = json!({
                "Placement": { "Zone": ZONE }, "ImageId": "img-487zeit5", "InstanceCount": size,
                "VirtualPrivateCloud": { "VpcId": self.vpc, "SubnetId": self.subnet },
            });
            self.call("cvm", "RunInstances", parameters).await;
        }
        sleep(Duration::from_secs(10)).await;
    }

    async fn disks(&self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        while ids.len() < count {
            let parameters = json!({
                "Placement": { "Zone": ZONE }, "DiskChargeType": "POSTPAID_BY_HOUR", "DiskType": "CLOUD_PREMIUM",
                "DiskSize": 20, "DiskCount": (count - ids.len()).min(50),
            });
            let answer = self.call("cbs", "CreateDisks", parameters).await;
            ids.extend(answer["DiskIdSet"].as_array().unwrap().iter().map(text));
        }
        sleep(Duration::from_secs(10)).await;
        ids
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// A controller process.
struct Process {
    machines: CvmInstances,
    routes: ClusterTableRoutes,
    balancers: ClbLoadBalancers,
    volumes: CbsVolumes,
    blackholes: Blackholes,
}

impl Process {
    fn start(cloud: &Cloud) -> Self {
        let limits = RateLimits::new()
            .with_rates(qcloud_cvm::RATES)
            .with_rates(qcloud_vpc::RATES)
            .with_rates(qcloud_clb::RATES)
            .with_rates(qcloud_cbs::RATES)
            .with_rates(qcloud_container::RATES)
            .with_share(0.8);
        let config = cloud.config(limits);
        let cluster = ClusterIdentity::new("8c2a5a5e-uid", "bench");
        let pods = [PODS.parse().unwrap()];
        Self {
            machines: CvmInstances::new(&config, InstanceSettings::new(&cloud.vpc)).unwrap(),
            routes: ClusterTableRoutes::new(&config, ClusterTableSettings::new("pods", &cloud.vpc, pods)),
            balancers: ClbLoadBalancers::new(&config, cluster.clone(), ClbOptions::new(&cloud.vpc)),
            volumes: CbsVolumes::new(&config, cluster).with_zones([ZONE]),
            blackholes: Blackholes::default(),
        }
    }

    /// The nodes of the cluster: one for each machine.
    async fn nodes(&self) -> Vec<Node> {
        let inventory = self.machines.list().await.unwrap();
        assert!(inventory.is_complete());
        let node = |machine: &qcloud_container::kubernetes::instances::Instance| {
            let mut node = Node::new(machine.id.as_str(), machine.id.as_str()).with_zone(machine.zone.as_str());
            node.addresses = machine.internal_addresses().collect();
            node
        };
        let mut nodes: Vec<Node> = inventory.instances().iter().map(node).collect();
        nodes.sort_by_key(|node| node.addresses.clone());
        nodes
    }

    /// A pass of the route controller.
    async fn route(&mut self, nodes: &[Node]) -> usize {
        let spec = |node: &Node| {
            let address = node.addresses[0];
            RouteSpec::new(node.name.as_str(), address, pods(address))
        };
        let desired: Vec<RouteSpec> = nodes.iter().map(spec).collect();
        let observed = self.routes.list().await.unwrap();
        let hops: std::collections::HashSet<IpAddr> = desired.iter().map(|spec| spec.next_hop).collect();
        // Who else may stand behind a next hop is asked only when there is one that no node has.
        let strange = observed.iter().any(|route| route.next_hop.is_none_or(|hop| !hops.contains(&hop)));
        let inventory = if strange { Some(self.machines.list().await.unwrap()) } else { None };
        let named = nodes.iter().map(|node| (node.name.clone(), node.addresses.clone()));
        let hops = NextHops::new(named, inventory.as_ref());
        let plan = plan(&desired, &observed, &self.routes.limits(), &hops, &self.blackholes);
        self.blackholes.clone_from(&plan.blackholes);
        assert!(plan.refused.is_empty(), "{:?}", plan.refused.first());
        let results = self.routes.apply(&plan.add, &plan.delete, &|_| {}).await;
        assert!(results.errors().next().is_none(), "{:?}", results.errors().next());
        plan.add.len() + plan.delete.len()
    }

    /// Ensures all Services, as so many workers do; gives how many had to be changed.
    async fn ensure(&self, wanted: &mut [LbSpec]) {
        let statuses: Vec<LbStatus> = futures_util::stream::iter(wanted.iter())
            .map(|want| async move {
                loop {
                    let error = match self.balancers.ensure(want).await {
                        Ok(status) => return status,
                        Err(error) => error,
                    };
                    match error.retry() {
                        Retry::After(after) => sleep(after).await,
                        Retry::Backoff => sleep(Duration::from_secs(5)).await,
                        Retry::Never => panic!("{error:?}"),
                    }
                }
            })
            .buffered(WORKERS)
            .collect()
            .await;
        // What a controller records on the Service.
        for (want, status) in wanted.iter_mut().zip(statuses) {
            want.recorded_fingerprint = Some(want.fingerprint());
            want.recorded_id = Some(status.id);
        }
    }
}

/// The network of the pods of the node with this address.
fn pods(node: IpAddr) -> ipnet::IpNet {
    let IpAddr::V4(address) = node else { panic!("{node} is of no node") };
    let number = u32::from(address) & 0x7fff;
    assert!(number < 8192);
    let base = u32::from(std::net::Ipv4Addr::new(172, 16, 0, 0)) + number * 128;
    ipnet::IpNet::new(IpAddr::V4(base.into()), 25).unwrap()
}

/// What all Services want while these are the nodes; what was recorded on them is kept.
fn wishes(nodes: &[Node], limits: &LbLimits, recorded: &[LbSpec]) -> Vec<LbSpec> {
    (0..SERVICES)
        .map(|number| {
            let node_port = |place: usize| u16::try_from(30_000 + 2 * (number % 1_000) + place).unwrap();
            let ports = [
                ServicePort::tcp(80).with_name("http").with_node_port(node_port(0)),
                ServicePort::tcp(443).with_name("https").with_node_port(node_port(1)),
            ];
            let key = ServiceKey::new("default", format!("service-{number}"), format!("uid-{number:05}"));
            let mut want = LbSpec::read(&Service::new(key, ports), &ReadContext::default()).unwrap().unwrap();
            want.targets = TargetSet::select(&want, nodes, None, limits).unwrap();
            if let Some(before) = recorded.get(number) {
                want.recorded_id.clone_from(&before.recorded_id);
                want.recorded_fingerprint.clone_from(&before.recorded_fingerprint);
            }
            want
        })
        .collect()
}

/// Nanoseconds of CPU that the thread used, which is the only one; 0 where the system does not tell.
fn cpu() -> u64 {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    schedule.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// MiB that the process holds.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).unwrap_or_default() / 1024
}

/// What an action may cost.
struct Budget {
    calls: usize,
    seconds: u64,
}

const fn at_most(calls: usize, seconds: u64) -> Budget {
    Budget { calls, seconds }
}

struct Row {
    name: &'static str,
    budget: Budget,
    calls: usize,
    seconds: f64,
    cpu: f64,
    memory: u64,
    actions: BTreeMap<String, usize>,
}

/// Measures one after the other.
struct Meter {
    wire: Wire,
    rows: Vec<Row>,
}

impl Meter {
    async fn measure<T>(&mut self, name: &'static str, budget: Budget, work: impl Future<Output = T>) -> T {
        eprintln!("{name} …");
        self.wire.emulator.calls().clear();
        let (began, used, busy) = (self.wire.clock.elapsed(), self.wire.used.load(Ordering::Relaxed), cpu());
        let value = work.await;
        let emulator = self.wire.used.load(Ordering::Relaxed) - used;
        self.rows.push(Row {
            name,
            budget,
            calls: self.wire.emulator.calls().total(),
            seconds: (self.wire.clock.elapsed() - began).as_secs_f64(),
            cpu: (cpu() - busy - emulator) as f64 / 1e9,
            memory: memory(),
            actions: self.wire.emulator.calls().counts(),
        });
        value
    }

    /// Prints the table; gives whether every budget was kept.
    fn print(&self) -> bool {
        println!("{NODES} nodes, {SERVICES} Services of 2 ports, {VOLUMES} volumes; {WORKERS} Services at a time");
        println!(
            "{:<44}{:>8}{:>9}{:>11}{:>9}{:>8}{:>8}",
            "", "calls", "at most", "virtual s", "at most", "CPU s", "MiB"
        );
        let mut kept = true;
        for row in &self.rows {
            let fits = row.calls <= row.budget.calls && row.seconds <= row.budget.seconds as f64;
            kept &= fits;
            println!(
                "{:<44}{:>8}{:>9}{:>11.1}{:>9}{:>8.2}{:>8}{}",
                row.name,
                row.calls,
                row.budget.calls,
                row.seconds,
                row.budget.seconds,
                row.cpu,
                row.memory,
                if fits { "" } else { "   more than that" }
            );
        }
        println!("\nCalls by action");
        for row in &self.rows {
            let actions: Vec<String> = row.actions.iter().map(|(action, count)| format!("{action} {count}")).collect();
            println!("{:<44}{}", row.name, actions.join(", "));
        }
        kept
    }
}

async fn steady(process: &mut Process, nodes: &[Node], wanted: &mut [LbSpec]) {
    let not_ready: Vec<NodeRef> = {
        let inventory = process.machines.list().await.unwrap();
        let first = inventory.instances().iter().take(100);
        first.map(|machine| NodeRef::new(machine.id.as_str()).with_provider_id(machine.provider_id.as_str())).collect()
    };
    // Ten minutes: the lifecycle controller every 5 s, routes every minute, Services every 30 s, all nodes every 5 min.
    for second in (0..600_u32).step_by(5) {
        let found = process.machines.lookup(&not_ready).await;
        assert!(found.iter().all(qcloud_container::kubernetes::instances::Lookup::is_found));
        if second % 60 == 0 {
            assert_eq!(process.route(nodes).await, 0);
        }
        if second % 300 == 0 {
            process.machines.list().await.unwrap();
        }
        if second % 30 == 0 {
            process.ensure(wanted).await;
        }
        sleep(Duration::from_secs(5)).await;
    }
}

async fn attach_all(process: &Process, disks: &[String], nodes: &[Node]) {
    let attach = |(disk, node): (&String, &Node)| {
        let (disk, node) = (disk.clone(), node.instance_id.clone());
        async move {
            loop {
                match process.volumes.attach(&disk, &node, Access::SINGLE_WRITER).await {
                    Ok(_) => return,
                    Err(error) if matches!(error.kind(), ErrorKind::Pending | ErrorKind::Unavailable) => {
                        process.volumes.settled(&disk).await.unwrap();
                    }
                    Err(error) => panic!("{error:?}"),
                }
            }
        }
    };
    join_all(disks.iter().zip(nodes).map(attach)).await;
}

async fn run() -> bool {
    let cloud = Cloud::new().await;
    let mut meter = Meter { wire: cloud.wire.clone(), rows: Vec::new() };
    cloud.run(NODES).await;
    let mut process = Process::start(&cloud);

    let nodes = meter.measure("all nodes found", at_most(51, 5), process.nodes()).await;
    assert_eq!(nodes.len(), NODES);
    meter.measure("their routes made", at_most(NODES + 55, 330), process.route(&nodes)).await;
    let limits = process.balancers.limits();
    let mut wanted = wishes(&nodes, &limits, &[]);
    let budget = at_most(5 * SERVICES, 180);
    meter.measure("all Services brought up", budget, process.ensure(&mut wanted)).await;
    // Two sweeps of all machines; every minute the routes and the nodes that are not ready. The balancers are swept twice,
    // since the first and the last were brought up more than a minute apart.
    let budget = at_most(2 * 51 + 10 + 10 + 2 * 31, 620);
    meter.measure("ten minutes in which nothing happens", budget, steady(&mut process, &nodes, &mut wanted)).await;

    let gone = nodes[NODES / 2].clone();
    cloud.call("cvm", "TerminateInstances", json!({ "InstanceIds": [gone.instance_id] })).await;
    cloud.run(1).await;
    sleep(Duration::from_secs(60)).await;
    let replaced = async {
        let nodes = process.nodes().await;
        assert_eq!(nodes.len(), NODES);
        process.route(&nodes).await;
        let mut wanted = wishes(&nodes, &limits, &wanted);
        process.ensure(&mut wanted).await;
        (nodes, wanted)
    };
    let (nodes, mut wanted) = meter.measure("one node replaced", at_most(51 + 10 + 4 * 20, 30), replaced).await;

    drop(process);
    let mut process = Process::start(&cloud);
    let restart = async {
        let nodes = process.nodes().await;
        assert_eq!(process.route(&nodes).await, 0);
        process.ensure(&mut wanted).await;
    };
    meter.measure("the controller restarted", at_most(30 + 50 + 1 + 4, 10), restart).await;

    let disks = cloud.disks(VOLUMES).await;
    let budget = at_most(VOLUMES + 20 * 80 + 60, 80);
    meter.measure("a volume attached to each of 1,000 nodes", budget, attach_all(&process, &disks, &nodes)).await;
    meter.print()
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    if !runtime.block_on(run()) {
        eprintln!("a budget was not kept");
        std::process::exit(1);
    }
}

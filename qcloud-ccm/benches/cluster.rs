//! The program itself, as its own process, in a large cluster: what it costs to begin, to begin again, and to be there.
//!
//! `cargo bench -p qcloud-ccm` takes about ten minutes: the first begin is held up by the rates of the API.
//! `BENCH_NODES=500 BENCH_SERVICES=100` makes it shorter. Linux only: memory and CPU are read from /proc.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a bench fails like a test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use apiserver_double::{ApiServer, Served, Verb};
use qcloud_core::{Config, Endpoint};
use qcloud_cvm::instance::{DescribeInstances, Placement, RunInstances, VirtualPrivateCloud};
use qcloud_emulator::{Emulator, Quota, Server};
use qcloud_vpc::subnet::CreateSubnet;
use qcloud_vpc::vpc::CreateVpc;
use serde_json::{Value, json};

const ZONE: &str = "ap-guangzhou-3";
const UNINITIALIZED: &str = "node.cloudprovider.kubernetes.io/uninitialized";
/// How often a kubelet says that its node is well when nothing changes.
const SIGN_OF_LIFE: Duration = Duration::from_secs(300);

fn size(variable: &str, usual: usize) -> usize {
    std::env::var(variable).map_or(usual, |text| text.parse().unwrap())
}

/// The cloud and the cluster, on loopback.
struct Stage {
    cloud: Server,
    api: ApiServer,
    served: Served,
    folder: PathBuf,
    nodes: usize,
    services: usize,
}

/// The program, running.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Program {
    /// Resident memory now and at most, in MiB.
    fn memory(&self) -> (f64, f64) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1024.0
        };
        (of("VmRSS:"), of("VmHWM:"))
    }

    /// CPU time so far, in seconds.
    fn cpu(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        // In hundredths of a second.
        fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
    }
}

/// What was asked of both sides up to a moment.
#[derive(Clone, Default)]
struct Counts {
    calls: BTreeMap<String, usize>,
    requests: BTreeMap<(Verb, String), u64>,
}

impl Stage {
    async fn set_up(nodes: usize, services: usize) -> Self {
        let cloud =
            Emulator::builder().call_log(1_000).quota(Quota::PublicLoadBalancers, 2 * services).start().await.unwrap();
        let config = Config::builder()
            .region(cloud.region())
            .endpoint(Endpoint::url(cloud.endpoint()).unwrap())
            .static_credentials(cloud.secret_id(), cloud.secret_key())
            .build()
            .unwrap();
        let (vpc, cvm) = (qcloud_vpc::Client::new(&config), qcloud_cvm::Client::new(&config));
        let vpc_id = vpc.create_vpc(CreateVpc::new("bench").cidr_block("10.0.0.0/16")).await.unwrap().vpc.vpc_id;
        let subnet = CreateSubnet::new(&*vpc_id, "bench", ZONE).cidr_block("10.0.0.0/17");
        let subnet_id = vpc.create_subnet(subnet).await.unwrap().subnet.subnet_id;
        let api = ApiServer::new();
        let mut made = 0;
        while made < nodes {
            let count = (nodes - made).min(100);
            let request = RunInstances::new()
                .placement(Placement::new(ZONE))
                .image_id("img-487zeit5")
                .instance_count(i64::try_from(count).unwrap())
                .virtual_private_cloud(VirtualPrivateCloud::new(&*vpc_id, &*subnet_id));
            let ids = cvm.run_instances(request).await.unwrap().instance_id_set;
            let request = DescribeInstances::new().instance_ids(&ids).limit(100_i64);
            for machine in cvm.describe_instances(request).await.unwrap().instance_set {
                api.put(node(made, &machine.private_ip_addresses[0])).unwrap();
                made += 1;
            }
        }
        for number in 0..services {
            api.put(service(&format!("svc-{number}"))).unwrap();
        }
        let served = api.serve(([127, 0, 0, 1], 0).into()).await.unwrap();
        let folder = std::env::temp_dir().join(format!("qcloud-ccm-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("kubeconfig"), served.kubeconfig()).unwrap();
        let text = format!(
            "region = {:?}\nendpoint = {:?}\nsecret_id = {:?}\nsecret_key = {:?}\nvpc_id = {vpc_id:?}\n\
             cluster_route_table = \"bench\"\ncreate_cluster_route_table = true\ncluster_cidrs = [\"10.64.0.0/10\"]\n",
            cloud.region(),
            cloud.endpoint(),
            cloud.secret_id(),
            cloud.secret_key(),
        );
        fs::write(folder.join("cloud.toml"), text).unwrap();
        let stage = Self { cloud, api, served, folder, nodes, services };
        println!("the API server listens on {}", stage.served.url());
        stage.cloud.calls().clear();
        stage
    }

    fn begin(&self) -> Program {
        let program = Command::new(env!("CARGO_BIN_EXE_qcloud-ccm"))
            .arg("--kubeconfig")
            .arg(self.folder.join("kubeconfig"))
            .arg("--cloud-config")
            .arg(self.folder.join("cloud.toml"))
            .args(["--bind-address", "127.0.0.1:0", "--v", "0"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Program(program)
    }

    fn counts(&self) -> Counts {
        Counts { calls: self.cloud.calls().counts(), requests: self.api.requests().counts() }
    }

    /// How many nodes and Services are as they ought to be.
    fn done(&self) -> (usize, usize) {
        let is_done = |node: &Value| {
            let taints = node["spec"]["taints"].as_array().into_iter().flatten();
            let conditions = node["status"]["conditions"].as_array().into_iter().flatten();
            let routed =
                |condition: &Value| condition["type"] == "NetworkUnavailable" && condition["status"] == "False";
            !taints.into_iter().any(|taint| taint["key"] == UNINITIALIZED) && conditions.into_iter().any(routed)
        };
        let nodes = self.api.list("v1", "Node").iter().filter(|node| is_done(node)).count();
        let serves = |service: &&Value| service["status"]["loadBalancer"]["ingress"][0]["ip"].is_string();
        (nodes, self.api.list("v1", "Service").iter().filter(serves).count())
    }

    /// Waits until everything is done, and for calls to come to rest.
    async fn settle(&self) -> Duration {
        let begun = Instant::now();
        let mut told = Instant::now();
        loop {
            tokio::time::sleep(Duration::from_secs(2)).await;
            let done = self.done();
            if done == (self.nodes, self.services) {
                break;
            }
            if told.elapsed() > Duration::from_secs(30) {
                told = Instant::now();
                println!("  after {} s: {} nodes and {} Services are done", begun.elapsed().as_secs(), done.0, done.1);
            }
        }
        let took = begun.elapsed();
        let mut writes = 0;
        loop {
            tokio::time::sleep(Duration::from_secs(15)).await;
            let calls = self.cloud.calls().counts();
            let now = calls.iter().filter(|(action, _)| !action.starts_with("Describe")).map(|(_, count)| count).sum();
            if now == writes {
                return took;
            }
            writes = now;
        }
    }

    /// Lets kubelets give their signs of life for a while.
    async fn live(&self, length: Duration) {
        let mut ticks = tokio::time::interval(SIGN_OF_LIFE / u32::try_from(self.nodes).unwrap());
        let end = Instant::now() + length;
        let mut at = 0;
        while Instant::now() < end {
            ticks.tick().await;
            let name = format!("node-{}", at % self.nodes);
            at += 1;
            let now = self.api.now().to_string();
            let change = |node: &mut Value| node["status"]["conditions"][0]["lastHeartbeatTime"] = json!(now);
            self.api.edit("v1", "Node", "", &name, change).unwrap();
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn node(number: usize, address: &str) -> Value {
    let name = format!("node-{number}");
    let image = |n: usize| json!({ "names": [format!("registry.example.com/team/image-{n}@sha256:{n:064}")], "sizeBytes": 90_000_000 });
    let condition =
        |kind: &str| json!({ "type": kind, "status": "False", "reason": "KubeletHasEnough", "message": "enough" });
    let network = format!("10.{}.{}.0/24", 64 + number / 256, number % 256);
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name,
            "labels": { "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64" },
            "annotations": { "alpha.kubernetes.io/provided-node-ip": address },
        },
        "spec": {
            "podCIDR": network, "taints": [{ "key": UNINITIALIZED, "value": "true", "effect": "NoSchedule" }],
        },
        "status": {
            "addresses": [{ "type": "InternalIP", "address": address }, { "type": "Hostname", "address": name }],
            "conditions": [
                { "type": "Ready", "status": "True", "reason": "KubeletReady" },
                condition("MemoryPressure"), condition("DiskPressure"), condition("PIDPressure"),
            ],
            "capacity": { "cpu": "8", "memory": "32Gi", "pods": "110" },
            "allocatable": { "cpu": "8", "memory": "31Gi", "pods": "110" },
            "images": (0..20).map(image).collect::<Vec<_>>(),
        },
    })
}

fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": name, "namespace": "default" },
        "spec": {
            "type": "LoadBalancer", "selector": { "app": name },
            "ports": [{ "name": "http", "port": 80 }, { "name": "https", "port": 443 }],
        },
    })
}

fn tell(chapter: &str, before: &Counts, after: &Counts) -> usize {
    println!("\n{chapter}");
    let mut total = 0;
    for (action, count) in &after.calls {
        let count = count - before.calls.get(action).copied().unwrap_or_default();
        total += count;
        if count > 0 {
            println!("  {action:<34} {count:>7}");
        }
    }
    println!("  {:<34} {total:>7}", "calls to the cloud");
    for ((verb, resource), count) in &after.requests {
        let count = count - before.requests.get(&(*verb, resource.clone())).copied().unwrap_or_default();
        if count > 0 {
            println!("  {:<34} {count:>7}", format!("{verb} {resource}"));
        }
    }
    total
}

async fn run() {
    let stage = Stage::set_up(size("BENCH_NODES", 5_000), size("BENCH_SERVICES", 1_000)).await;
    let start = stage.counts();
    let program = stage.begin();
    let took = stage.settle().await;
    let first = stage.counts();
    tell("The first begin", &start, &first);
    let (memory, peak) = program.memory();
    println!("  {:.0} s, {:.1} s of CPU, {memory:.0} MiB, at most {peak:.0} MiB", took.as_secs_f64(), program.cpu());

    stage.api.put(service("one-more")).unwrap();
    tokio::time::sleep(Duration::from_secs(45)).await;
    let more = stage.counts();
    let of_service = tell("One more Service with two ports", &first, &more);

    drop(program);
    let program = stage.begin();
    // The lease of the one before has to run out.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let again = stage.counts();
    let of_restart = tell("A restart", &more, &again);

    let (cpu, begun) = (program.cpu(), Instant::now());
    // Nothing happens but signs of life.
    let steady_for = Duration::from_secs(size("BENCH_SECONDS", 120) as u64);
    stage.live(steady_for).await;
    let share = (program.cpu() - cpu) / begun.elapsed().as_secs_f64() * 100.0;
    let (memory, peak) = program.memory();
    let steady = stage.counts();
    let of_steady = tell(&format!("{} s in which kubelets give signs of life", steady_for.as_secs()), &again, &steady);

    let pages = |things: usize| things.div_ceil(100);
    let (machines, balancers, listeners) =
        (pages(stage.nodes), pages(stage.services + 1), pages(2 * (stage.services + 1)));
    // A pass over the routes each minute, a refresh of the machines every five, and both sweeps of the balancers.
    let minutes = steady_for.as_secs() as usize / 60 + 1;
    let for_steady = minutes + (minutes / 5 + 1) * machines + (minutes / 10 + 1) * (2 * balancers + listeners + 1);
    // All machines, the zones, the route table, two passes over the routes; and the regular look at all balancers, which
    // may fall into it.
    let for_restart = machines + 4 + balancers + listeners;
    let rows = [
        ("memory, steady, MiB", memory, 300.0),
        ("memory, at most, MiB", peak, 512.0),
        ("CPU, steady, % of one core", share, 5.0),
        ("calls for one more Service, a sweep among them", of_service as f64, (5 + balancers + 2) as f64),
        ("calls of a restart", of_restart as f64, for_restart as f64),
        ("calls while nothing happens", of_steady as f64, for_steady as f64),
    ];
    println!("\n{:<46} {:>10} {:>10}", "", "measured", "at most");
    for (what, measured, bound) in rows {
        println!("{what:<46} {measured:>10.1} {bound:>10.1}");
    }
    let broken: Vec<&str> =
        rows.iter().filter(|(_, measured, bound)| measured > bound).map(|(what, _, _)| *what).collect();
    assert!(broken.is_empty(), "more than is allowed: {}", broken.join(", "));
}

fn main() {
    // `cargo test` runs benches to see that they work; this one is too long for that.
    if !std::env::args().any(|argument| argument == "--bench") || !cfg!(target_os = "linux") {
        println!("the bench runs with `cargo bench -p qcloud-ccm`, on Linux");
        return;
    }
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(run());
}

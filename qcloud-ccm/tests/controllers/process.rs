//! A whole process: its turn, its end, its health, and what it is permitted.

use std::collections::BTreeSet;
use std::sync::Arc;

use apiserver_double::{Fault, Request, Verb};
use qcloud_ccm::cluster;
use qcloud_ccm::health::Health;
use qcloud_ccm::manager::{Manager, Providers, Settings};
use qcloud_ccm::metrics::Metrics;
use qcloud_container::kubernetes::ClusterIdentity;
use qcloud_container::kubernetes::load_balancers::{InMemoryLoadBalancers, annotations};
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::world::{World, new_node, old_node};

struct Process {
    health: Health,
    metrics: Metrics,
    stop: oneshot::Sender<()>,
    balancers: InMemoryLoadBalancers,
    work: JoinHandle<qcloud_ccm::Result<()>>,
}

fn start(world: &World, instance: &str) -> Process {
    let (health, metrics) = (Health::new(), Metrics::new());
    let (stop, stopped) = oneshot::channel();
    let client = cluster::client(world.server.service());
    let manager = Manager::new(client, Settings::new(instance), metrics.clone(), health.clone());
    let balancers = InMemoryLoadBalancers::new(ClusterIdentity::new("none", "none"));
    let shared = balancers.clone();
    let (machines, routes) = (world.machines.clone(), world.routes.clone());
    let work = tokio::spawn(async move {
        let providers = |identity: &_| {
            let balancers = Arc::new(shared.in_cluster(Clone::clone(identity)));
            Ok(Providers::new(Arc::new(machines.clone()))
                .with_routes(Arc::new(routes.clone()))
                .with_balancers(balancers))
        };
        let stop = async {
            let _ = stopped.await;
        };
        manager.run(providers, stop).await
    });
    Process { health, metrics, stop, balancers, work }
}

fn lease(world: &World) -> serde_json::Value {
    let name = "qcloud-cloud-controller-manager";
    world.server.get("coordination.k8s.io/v1", "Lease", "kube-system", name).unwrap()
}

#[tokio::test(start_paused = true)]
async fn it_leads_stops_when_asked_and_gives_the_lease_up() {
    let world = World::new();
    world.machine(1);
    world.put(new_node("n-1", "10.0.0.1"));
    let process = start(&world, "a");
    assert!(process.health.ready().is_err());
    world.pass(5).await;
    assert_eq!(process.health.ready(), Ok("leading"));
    assert_eq!(lease(&world)["spec"]["holderIdentity"], "a");
    assert_eq!(world.taints("n-1"), ["example.com/theirs"]);
    let text = process.metrics.render();
    assert!(text.contains("qcloud_ccm_leader 1"), "{text}");
    assert!(text.contains(r#"qcloud_ccm_syncs_total{queue="nodes",outcome="ok"} 1"#), "{text}");
    let follower = start(&world, "b");
    world.pass(5).await;
    assert_eq!(follower.health.ready(), Ok("standby: another process leads"));
    process.stop.send(()).unwrap();
    process.work.await.unwrap().unwrap();
    world.pass(3).await;
    assert_eq!(lease(&world)["spec"]["holderIdentity"], "b");
    let text = process.metrics.render();
    assert!(text.contains("qcloud_ccm_leader 0") && !text.contains("qcloud_ccm_queue_depth{"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn one_that_loses_the_lease_stops_and_begins_anew_when_it_holds_it_again() {
    let world = World::new();
    let process = start(&world, "a");
    world.pass(5).await;
    let taken = |lease: &mut serde_json::Value| lease["spec"]["holderIdentity"] = json!("other");
    let name = "qcloud-cloud-controller-manager";
    world.server.edit("coordination.k8s.io/v1", "Lease", "kube-system", name, taken).unwrap().unwrap();
    world.pass(4).await;
    assert_eq!(process.health.ready(), Ok("standby: another process leads"));
    world.machine(1);
    world.put(new_node("n-1", "10.0.0.1"));
    world.pass(8).await;
    assert_eq!(world.taints("n-1").len(), 2, "it works without the lease");
    world.pass(15).await;
    assert_eq!(process.health.ready(), Ok("leading"));
    assert_eq!(world.taints("n-1").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_hangs_is_unhealthy() {
    let world = World::new();
    let process = start(&world, "a");
    world.pass(100).await;
    assert!(process.health.healthy().is_ok());
    process.work.abort();
    world.pass(61).await;
    assert!(process.health.healthy().unwrap_err().contains("no sign of life"));
}

/// What a rule of a role permits, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Permission {
    /// The only namespace, for a rule of a Role.
    namespace: Option<String>,
    group: String,
    resource: String,
    verb: String,
    /// The only names, if there are any.
    names: Vec<String>,
}

impl Permission {
    fn covers(&self, request: &Request) -> bool {
        let resource = match request.subresource.as_str() {
            "" => request.resource.clone(),
            part => format!("{}/{part}", request.resource),
        };
        (&self.group, &self.resource, &self.verb) == (&request.group, &resource, &request.verb.to_string())
            && self.namespace.as_ref().is_none_or(|namespace| *namespace == request.namespace)
            // What is made, listed or watched has no name yet.
            && (self.names.is_empty() || self.names.contains(&request.name))
    }
}

/// The rules of the roles of a manifest.
fn granted(manifest: &str) -> BTreeSet<Permission> {
    let mut granted = BTreeSet::new();
    for document in manifest.split("\n---\n") {
        let value =
            |key: &str| document.lines().find_map(|line| line.strip_prefix(key)).map(|text| text.trim().to_owned());
        let namespace = match value("kind:").as_deref() {
            Some("ClusterRole") => None,
            Some("Role") => Some(value("  namespace:").unwrap()),
            _ => continue,
        };
        for rule in document.split("\n- ").skip(1) {
            let list = |key: &str| -> Vec<String> {
                let line = rule.lines().find_map(|line| line.trim().strip_prefix(key));
                line.map(|list| serde_json::from_str(list.trim()).unwrap()).unwrap_or_default()
            };
            for group in list("apiGroups:") {
                for resource in list("resources:") {
                    for verb in list("verbs:") {
                        granted.insert(Permission {
                            namespace: namespace.clone(),
                            group: group.clone(),
                            resource: resource.clone(),
                            verb,
                            names: list("resourceNames:"),
                        });
                    }
                }
            }
        }
    }
    granted
}

#[tokio::test(start_paused = true)]
async fn the_roles_of_the_manifest_permit_what_is_asked_and_nothing_else() {
    let world = World::new();
    for number in 1..=3 {
        world.machine(number);
    }
    // Refusals make the process read what it would have written.
    for resource in ["nodes", "services"] {
        world.server.faults().on(Verb::Patch, resource).times(1).answer(Fault::Conflict);
    }
    let mut node = new_node("n-1", "10.0.0.1");
    node["spec"]["podCIDR"] = json!("172.16.1.0/24");
    world.put(node);
    world.put(old_node("n-2", 2));
    // This one has no machine until later, which it is told of more than once.
    world.put(new_node("n-9", "10.0.0.9"));
    let process = start(&world, "a");
    // This one names a certificate and a configuration.
    world.put(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "tls",
            "namespace": "default",
            "annotations": {
                annotations::SPECIFY_PROTOCOL: r#"{"443":{"protocol":["TCP_SSL"],"tls":"cert"}}"#,
                annotations::SERVICE_CONFIG: "config",
            },
        },
        "spec": {"type": "LoadBalancer", "ports": [{"port": 443, "nodePort": 30_443}]},
    }));
    world.put(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80, "nodePort": 30_080}]},
    }));
    world.pass(10).await;
    process.balancers.settle();
    world.pass(60).await;
    world.machines.remove("m-2");
    world.set_ready("n-2", "Unknown");
    world
        .server
        .edit("v1", "Service", "default", "web", |service| service["spec"]["ports"][0]["port"] = json!(81))
        .unwrap();
    world.pass(1_000).await;
    world.server.delete("v1", "Service", "default", "web");
    world.pass(300).await;
    assert!(world.node("n-2").is_none());
    assert!(world.server.get("v1", "Service", "default", "web").is_none());
    process.stop.send(()).unwrap();
    process.work.await.unwrap().unwrap();
    let requests = world.server.requests();
    let used = requests.latest();
    assert_eq!(used.len() as u64, requests.total(), "some are forgotten");
    let granted: BTreeSet<Permission> =
        [include_str!("../../deploy/qcloud-ccm.yaml"), include_str!("../../deploy/features.yaml")]
            .into_iter()
            .flat_map(granted)
            .collect();
    for request in &used {
        assert!(granted.iter().any(|permission| permission.covers(request)), "not permitted: {request:?}");
    }
    for permission in &granted {
        assert!(used.iter().any(|request| permission.covers(request)), "never used: {permission:?}");
    }
}

//! Where the traffic goes, as nodes and pods come and go.

use std::collections::BTreeSet;
use std::time::Duration;

use qcloud_container::kubernetes::ErrorKind;
use qcloud_container::kubernetes::load_balancers::annotations;
use serde_json::{Value, json};

use crate::cloud::{Fault, Op};
use crate::lab::{Lab, service};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A slice of a Service, with a pod on each of these nodes.
fn slice(lab: &Lab, service: &str, nodes: &[usize]) {
    let endpoints: Vec<Value> = nodes
        .iter()
        .map(|n| {
            json!({
                "addresses": [format!("10.244.{n}.5")], "nodeName": format!("node-{n}"),
                "conditions": { "ready": true, "serving": true, "terminating": false },
            })
        })
        .collect();
    lab.put(json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {
            "name": format!("{service}-x1"), "namespace": "default", "labels": { "kubernetes.io/service-name": service },
        },
        "ports": [{ "name": "p80", "port": 8080, "protocol": "TCP" }],
        "endpoints": endpoints,
    }));
}

#[tokio::test(start_paused = true)]
async fn changes_of_nodes_are_gathered() {
    let lab = Lab::new();
    lab.service("web", &[80]);
    lab.served("web").await;
    lab.pass(MINUTE).await;
    lab.cloud.forget_calls();
    for n in 3..8 {
        lab.node(n);
        lab.pass(SECOND / 4).await;
    }
    lab.pass(10 * SECOND).await;
    assert_eq!(lab.targets("web").await, [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(lab.cloud.calls(), [(Op::Update, "web".to_owned())]);
    assert!(lab.is_marked("web"));
    assert_eq!(lab.said("web", "UpdatedLoadBalancer"), 1);
}

#[tokio::test(start_paused = true)]
async fn while_nodes_keep_changing_a_balancer_is_written_now_and_then() {
    let lab = Lab::new();
    lab.service("web", &[80]);
    lab.served("web").await;
    lab.cloud.forget_calls();
    for n in 3..63 {
        lab.node(n);
        lab.pass(5 * SECOND).await;
    }
    let updates = lab.cloud.count(Op::Update);
    assert!((8..=12).contains(&updates), "{updates} in five minutes");
    lab.pass(MINUTE).await;
    // Of more than 50 nodes only 50 serve.
    assert_eq!(lab.targets("web").await.len(), 50);
}

#[tokio::test(start_paused = true)]
async fn what_a_node_tells_of_itself_touches_nothing() {
    let lab = Lab::new();
    lab.service("web", &[80]);
    lab.served("web").await;
    lab.pass(MINUTE).await;
    lab.cloud.forget_calls();
    let writes = lab.writes();
    for beat in 0..20 {
        for n in 0..3 {
            lab.edit("Node", "", &format!("node-{n}"), |node| {
                node["status"]["conditions"] = json!([{
                    "type": "Ready", "status": if beat % 2 == 0 { "True" } else { "False" },
                    "lastHeartbeatTime": format!("2026-01-01T00:{beat:02}:00Z"),
                }]);
            });
        }
        lab.pass(10 * SECOND).await;
    }
    assert_eq!((lab.cloud.count(Op::Update), lab.cloud.count(Op::Ensure)), (0, 0));
    assert_eq!(lab.writes(), writes);
}

#[tokio::test(start_paused = true)]
async fn nodes_that_are_excluded_or_leave_are_no_targets() {
    let lab = Lab::new();
    lab.node(3);
    lab.node(4);
    lab.service("web", &[80]);
    lab.served("web").await;
    let exclude = |value: &str, n: usize| {
        lab.edit("Node", "", &format!("node-{n}"), |node| {
            node["metadata"]["labels"]["node.kubernetes.io/exclude-from-external-load-balancers"] = json!(value);
        });
    };
    exclude("false", 0);
    exclude("true", 1);
    lab.edit("Node", "", "node-2", |node| {
        node["spec"]["taints"] = json!([{ "key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule" }]);
    });
    lab.edit("Node", "", "node-3", |node| node["metadata"]["finalizers"] = json!(["example.com/busy"]));
    lab.server.delete("v1", "Node", "", "node-3");
    lab.pass(MINUTE).await;
    assert_eq!(lab.targets("web").await, [0, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_node_touches_only_the_services_it_serves() {
    let mut lab = Lab::idle();
    for n in 3..200 {
        lab.node(n);
    }
    lab.cloud.pace(Duration::ZERO);
    lab.start();
    const SERVICES: usize = 1_000;
    for n in 0..SERVICES {
        let mut few = service(&format!("web-{n}"), &[80]);
        few["metadata"]["annotations"] = json!({ annotations::SUBSET: "10" });
        lab.put(few);
    }
    lab.until("all served", async || (0..SERVICES).all(|n| lab.is_marked(&format!("web-{n}")))).await;
    let mut served = BTreeSet::new();
    for n in 0..SERVICES {
        let name = format!("web-{n}");
        if lab.targets(&name).await.contains(&7) {
            served.insert(name);
        }
    }
    lab.pass(MINUTE).await;
    lab.cloud.forget_calls();
    let writes = lab.writes();
    lab.server.delete("v1", "Node", "", "node-7");
    lab.pass(MINUTE).await;
    let touched: BTreeSet<String> = lab.cloud.calls().into_iter().map(|(_, name)| name).collect();
    assert_eq!(touched, served);
    assert!((20..100).contains(&touched.len()), "{} of {SERVICES}", touched.len());
    assert_eq!(lab.cloud.calls().len(), touched.len());
    // The mark, twice, and an event.
    assert_eq!(lab.writes() - writes, 3 * touched.len() as u64);
}

#[tokio::test(start_paused = true)]
async fn targets_that_cannot_be_changed_alone_are_ensured() {
    let lab = Lab::new();
    lab.service("web", &[80]);
    lab.served("web").await;
    lab.pass(MINUTE).await;
    let id = lab.recorded("web").unwrap();
    lab.cloud.inner.remove_balancer(&id);
    lab.cloud.forget_calls();
    lab.node(3);
    lab.until("made again", async || lab.is_marked("web") && lab.recorded("web").as_ref() != Some(&id)).await;
    assert_eq!(lab.cloud.count(Op::Update), 1);
    assert_eq!(lab.targets("web").await, [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_busy_balancer_is_asked_again() {
    let lab = Lab::new();
    lab.service("web", &[80]);
    lab.served("web").await;
    lab.cloud.plan(Op::Update, None, 3, Fault::Refused(ErrorKind::Busy, Some(2 * SECOND)));
    lab.cloud.forget_calls();
    lab.node(3);
    lab.pass(MINUTE).await;
    assert_eq!((lab.cloud.count(Op::Update), lab.cloud.count(Op::Ensure)), (4, 0));
    assert!(lab.is_marked("web"));
}

#[tokio::test(start_paused = true)]
async fn local_traffic_follows_the_pods() {
    let lab = Lab::new();
    let mut local = service("local", &[80]);
    local["spec"]["externalTrafficPolicy"] = json!("Local");
    local["spec"]["healthCheckNodePort"] = json!(31_000);
    lab.put(local);
    lab.service("cluster", &[80]);
    slice(&lab, "local", &[1]);
    slice(&lab, "cluster", &[1]);
    lab.served("local").await;
    lab.served("cluster").await;
    assert_eq!((lab.targets("local").await, lab.targets("cluster").await), (vec![1], vec![0, 1, 2]));
    lab.pass(MINUTE).await;
    lab.cloud.forget_calls();
    slice(&lab, "local", &[2]);
    slice(&lab, "cluster", &[2]);
    lab.pass(3 * SECOND).await;
    assert_eq!(lab.targets("local").await, [2]);
    assert_eq!(lab.cloud.calls(), [(Op::Update, "local".to_owned())]);
    // All pods go, and come back.
    lab.server.delete("discovery.k8s.io/v1", "EndpointSlice", "default", "local-x1");
    lab.pass(3 * SECOND).await;
    assert!(lab.targets("local").await.is_empty());
    slice(&lab, "local", &[0, 1]);
    lab.pass(3 * SECOND).await;
    assert_eq!(lab.targets("local").await, [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn traffic_direct_to_pods_follows_them() {
    let lab = Lab::new();
    let mut direct = service("direct", &[80]);
    direct["metadata"]["annotations"] = json!({ annotations::DIRECT_ACCESS: "true" });
    lab.put(direct);
    slice(&lab, "direct", &[1, 2]);
    lab.served("direct").await;
    let targets = async || -> Vec<String> {
        let balancer = lab.balancer("direct").await.unwrap();
        balancer.listeners[0].targets.keys().map(|target| format!("{:?}:{}", target.host, target.port)).collect()
    };
    assert_eq!(targets().await, ["Address(10.244.1.5):8080", "Address(10.244.2.5):8080"]);
    slice(&lab, "direct", &[0]);
    lab.pass(3 * SECOND).await;
    assert_eq!(targets().await, ["Address(10.244.0.5):8080"]);
    // Nodes do not matter.
    lab.pass(MINUTE).await;
    lab.cloud.forget_calls();
    lab.node(9);
    lab.pass(MINUTE).await;
    assert!(lab.cloud.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn pods_that_come_in_groups_are_gathered() {
    let lab = Lab::new();
    let mut local = service("local", &[80]);
    local["spec"]["externalTrafficPolicy"] = json!("Local");
    lab.put(local);
    lab.served("local").await;
    lab.cloud.forget_calls();
    for nodes in [&[0][..], &[0, 1], &[0, 1, 2]] {
        slice(&lab, "local", nodes);
        lab.pass(SECOND / 5).await;
    }
    lab.pass(5 * SECOND).await;
    assert_eq!(lab.targets("local").await, [0, 1, 2]);
    assert_eq!(lab.cloud.calls(), [(Op::Update, "local".to_owned())]);
}

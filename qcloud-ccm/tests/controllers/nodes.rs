//! Nodes: initialised, followed, and deleted only on proof.

use std::sync::atomic::Ordering;
use std::time::Duration;

use apiserver_double::{Fault, Verb};
use qcloud_container::kubernetes::instances::InstanceState;
use qcloud_container::kubernetes::instances::conformance::InstancesHarness;
use serde_json::json;

use crate::world::{SHUTDOWN, World, new_node, old_node};

#[tokio::test(start_paused = true)]
async fn a_new_node_gets_all_that_is_known_of_its_machine() {
    let mut world = World::new();
    world.machine(1);
    world.put(new_node("n-1", "10.0.0.1"));
    world.run_nodes();
    world.pass(2).await;
    let node = world.node("n-1").unwrap();
    assert_eq!(node["spec"]["providerID"], "memory:///m-1");
    assert_eq!(world.taints("n-1"), ["example.com/theirs"]);
    let labels = &node["metadata"]["labels"];
    assert_eq!(labels["topology.kubernetes.io/zone"], "zone-1");
    assert_eq!(labels["node.kubernetes.io/instance-type"], "small");
    assert_eq!(labels["kubernetes.io/hostname"], "n-1");
    let addresses = json!([{"type": "InternalIP", "address": "10.0.0.1"}, {"type": "Hostname", "address": "n-1"}]);
    assert_eq!(node["status"]["addresses"], addresses);
    assert_eq!(world.events("n-1"), ["NodeInitialized"]);
}

#[tokio::test(start_paused = true)]
async fn a_node_waits_for_its_machine_and_says_why() {
    let mut world = World::new();
    world.put(new_node("n-1", "10.0.0.1"));
    world.run_nodes();
    world.pass(5).await;
    assert_eq!(world.taints("n-1").len(), 2);
    assert_eq!(world.events("n-1"), ["InitializationFailed"]);
    world.machine(1);
    world.pass(400).await;
    assert_eq!(world.taints("n-1"), ["example.com/theirs"]);
}

#[tokio::test(start_paused = true)]
async fn a_taint_that_someone_adds_meanwhile_stays() {
    let mut world = World::new();
    world.machine(1);
    world.put(new_node("n-1", "10.0.0.1"));
    // Each write takes a second to get there, and every time someone is faster.
    world.server.faults().on(Verb::Patch, "nodes").times(4).answer(Fault::Late(Duration::from_millis(1_000)));
    world.run_nodes();
    for number in 0..4 {
        tokio::time::sleep(Duration::from_millis(900)).await;
        world.change("n-1", |node| {
            let taint = json!({"key": format!("example.com/{number}"), "effect": "NoSchedule"});
            node["spec"]["taints"].as_array_mut().unwrap().push(taint);
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world.pass(60).await;
    let taints = world.taints("n-1");
    assert_eq!(taints.len(), 5, "{taints:?}");
    assert!(!taints.iter().any(|taint| taint.ends_with("uninitialized")));
}

#[tokio::test(start_paused = true)]
async fn a_shut_down_machine_taints_its_node_until_it_is_back() {
    let mut world = World::new();
    world.machine(1);
    world.put(old_node("n-1", 1));
    world.run_nodes();
    world.machines.set_state("m-1", InstanceState::Stopped);
    world.pass(10).await;
    // As long as the kubelet speaks, the cloud is wrong.
    assert!(world.taints("n-1").is_empty());
    world.set_ready("n-1", "Unknown");
    world.pass(10).await;
    assert_eq!(world.taints("n-1"), [SHUTDOWN]);
    world.machines.set_state("m-1", InstanceState::Running);
    world.set_ready("n-1", "True");
    world.pass(10).await;
    assert!(world.taints("n-1").is_empty());
    assert_eq!(world.events("n-1").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_shut_down_machine_taints_its_node_also_when_their_addresses_differ() {
    let mut world = World::new();
    world.machine(1);
    let mut node = old_node("n-1", 1);
    node["metadata"]["annotations"]["alpha.kubernetes.io/provided-node-ip"] = json!("10.0.0.99");
    world.put(node);
    world.machines.set_state("m-1", InstanceState::Stopped);
    world.set_ready("n-1", "Unknown");
    world.run_nodes();
    world.pass(10).await;
    assert_eq!(world.taints("n-1"), [SHUTDOWN]);
    assert!(world.events("n-1").contains(&"NodeShutdown".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_there_before_the_controller_gets_its_provider_id() {
    let mut world = World::new();
    world.machine(1);
    let mut node = old_node("n-1", 1);
    node["spec"] = json!({});
    world.put(node);
    world.run_nodes();
    world.pass(5).await;
    let node = world.node("n-1").unwrap();
    assert_eq!(node["spec"]["providerID"], "memory:///m-1");
    assert_eq!(node["metadata"]["labels"]["topology.kubernetes.io/zone"], "zone-1");
    // From now on it is deleted on proof, as others are.
    world.machines.remove("m-1");
    world.set_ready("n-1", "Unknown");
    world.pass(90).await;
    assert!(world.node("n-1").is_none());
}

#[tokio::test(start_paused = true)]
async fn only_a_proven_absence_deletes_a_node() {
    let mut world = World::new();
    for number in 1..=3 {
        world.machine(number);
        world.put(old_node(&format!("n-{number}"), number));
    }
    world.run_nodes();
    world.pass(5).await;
    // Gone and not ready; gone, but its kubelet speaks; and there, but not ready.
    world.machines.remove("m-1");
    world.machines.remove("m-2");
    world.set_ready("n-1", "Unknown");
    world.set_ready("n-3", "Unknown");
    world.pass(20).await;
    assert!(world.node("n-1").is_some(), "one look proves nothing");
    world.pass(60).await;
    assert!(world.node("n-1").is_none());
    assert!(world.node("n-2").is_some() && world.node("n-3").is_some());
    assert_eq!(world.events("n-1"), ["DeletingNode"]);
}

#[tokio::test(start_paused = true)]
async fn a_doubt_never_deletes_a_node() {
    let mut world = World::new();
    world.machine(1);
    world.put(old_node("n-1", 1));
    let mut foreign = old_node("n-2", 2);
    foreign["spec"]["providerID"] = json!("other:///m-2");
    world.put(foreign);
    world.set_ready("n-1", "Unknown");
    world.set_ready("n-2", "Unknown");
    world.machines.remove("m-1");
    world.machines.fail(true).await;
    world.run_nodes();
    world.pass(3_600).await;
    assert!(world.node("n-1").is_some() && world.node("n-2").is_some());
    // What is not the cloud's fault is told once, not every five seconds.
    world.machines.fail(false).await;
    world.pass(20).await;
    assert_eq!(world.events("n-2"), ["MachineUnclear"]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_comes_back_at_the_last_moment_stays() {
    let mut world = World::new();
    world.put(old_node("n-1", 1));
    world.set_ready("n-1", "Unknown");
    world.run_nodes();
    // The cache does not hear of it: only the precondition of the deletion can tell.
    world.pass(28).await;
    world.server.drop_watches();
    world.server.faults().on(Verb::Watch, "nodes").answer(Fault::Stall);
    world.set_ready("n-1", "True");
    world.pass(20).await;
    assert!(world.node("n-1").is_some());
}

#[tokio::test(start_paused = true)]
async fn many_nodes_that_are_not_ready_are_one_lookup() {
    let mut world = World::new();
    for number in 1..=100 {
        world.machine(number);
        world.put(old_node(&format!("n-{number}"), number));
        world.set_ready(&format!("n-{number}"), "False");
    }
    world.run_nodes();
    world.pass(1).await;
    world.lookups.store(0, Ordering::Relaxed);
    world.pass(100).await;
    assert_eq!(world.lookups.load(Ordering::Relaxed), 20);
}

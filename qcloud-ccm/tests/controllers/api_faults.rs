//! The controllers go on through each fault of the API server.

use apiserver_double::{Fault, Verb};
use qcloud_container::kubernetes::instances::InstanceState;
use serde_json::json;

use crate::world::{SHUTDOWN, World, new_node, old_node};

/// Everything that the controllers do, with something amiss all along: new nodes are initialised, a stopped machine taints
/// its node, a machine that is gone takes its node along, and nodes get routes.
async fn everything_happens(spoil: impl Fn(&World)) {
    let mut world = World::new();
    for number in 1..=5 {
        world.machine(number);
    }
    for number in 3..=5 {
        world.put(old_node(&format!("n-{number}"), number));
    }
    world.run_nodes();
    world.run_routes();
    spoil(&world);
    for number in 1..=2 {
        let mut node = new_node(&format!("n-{number}"), &format!("10.0.0.{number}"));
        node["spec"]["podCIDR"] = json!(format!("172.16.{number}.0/24"));
        world.put(node);
    }
    world.pass(5).await;
    spoil(&world);
    world.machines.set_state("m-3", InstanceState::Stopped);
    world.set_ready("n-3", "Unknown");
    world.machines.remove("m-4");
    world.set_ready("n-4", "Unknown");
    world.pass(20).await;
    spoil(&world);
    world.pass(1_500).await;
    for name in ["n-1", "n-2"] {
        assert_eq!(world.taints(name), ["example.com/theirs"]);
        assert_eq!(world.condition(name, "NetworkUnavailable").unwrap()["status"], "False");
    }
    assert_eq!(world.taints("n-3"), [SHUTDOWN]);
    assert!(world.node("n-4").is_none());
    assert!(world.node("n-5").is_some());
}

const VERBS: [Verb; 6] = [Verb::Get, Verb::List, Verb::Watch, Verb::Create, Verb::Patch, Verb::Delete];

async fn through(fault: Fault) {
    everything_happens(|world| {
        for verb in VERBS {
            for resource in ["nodes", "events"] {
                world.server.faults().on(verb, resource).times(3).answer(fault.clone());
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_any_fault() {
    everything_happens(|_| {}).await;
}

#[tokio::test(start_paused = true)]
async fn conflicts() {
    through(Fault::Conflict).await;
}

#[tokio::test(start_paused = true)]
async fn too_many_requests() {
    through(Fault::TooMany { retry_after: 2 }).await;
}

#[tokio::test(start_paused = true)]
async fn internal_errors() {
    through(Fault::Refuse(500, "InternalError")).await;
}

#[tokio::test(start_paused = true)]
async fn refusals() {
    through(Fault::Refuse(403, "Forbidden")).await;
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_lost() {
    through(Fault::LostBefore).await;
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_lost() {
    through(Fault::LostAfter).await;
}

#[tokio::test(start_paused = true)]
async fn requests_without_an_answer() {
    through(Fault::Stall).await;
}

#[tokio::test(start_paused = true)]
async fn answers_that_stop_in_the_middle() {
    through(Fault::BodyStall).await;
}

#[tokio::test(start_paused = true)]
async fn watches_that_end() {
    everything_happens(|world| world.server.drop_watches()).await;
}

#[tokio::test(start_paused = true)]
async fn a_history_that_has_expired() {
    everything_happens(|world| {
        world.server.expire_history();
        world.server.drop_watches();
    })
    .await;
}

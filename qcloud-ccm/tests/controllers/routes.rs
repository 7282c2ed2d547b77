//! Routes: made and deleted as nodes come and go, and told by a condition.

use std::sync::atomic::Ordering;
use std::time::Duration;

use qcloud_container::kubernetes::ErrorKind;
use qcloud_container::kubernetes::routes::{ClusterRoute, Routes};
use serde_json::json;

use crate::world::{World, old_node};

fn with_pods(number: u8) -> serde_json::Value {
    let mut node = old_node(&format!("n-{number}"), number);
    node["spec"]["podCIDR"] = json!(format!("172.16.{number}.0/24"));
    node["spec"]["podCIDRs"] = json!([format!("172.16.{number}.0/24")]);
    node
}

async fn destinations(world: &World) -> Vec<String> {
    let mut routes: Vec<String> =
        world.routes.list().await.unwrap().iter().map(|route| route.destination.to_string()).collect();
    routes.sort();
    routes
}

#[tokio::test(start_paused = true)]
async fn nodes_get_routes_and_say_so() {
    let mut world = World::new();
    for number in 1..=3 {
        world.machine(number);
        world.put(with_pods(number));
    }
    world.run_routes();
    world.pass(2).await;
    assert_eq!(destinations(&world).await, ["172.16.1.0/24", "172.16.2.0/24", "172.16.3.0/24"]);
    for name in ["n-1", "n-2", "n-3"] {
        let condition = world.condition(name, "NetworkUnavailable").unwrap();
        assert_eq!((&condition["status"], &condition["reason"]), (&json!("False"), &json!("RouteCreated")));
        assert_eq!(world.condition(name, "Ready").unwrap()["status"], "True");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_followed_soon_but_not_more_often_than_allowed() {
    let mut world = World::new();
    for number in 1..=20 {
        world.machine(number);
    }
    world.run_routes();
    world.pass(15).await;
    world.lists.store(0, Ordering::Relaxed);
    for number in 1..=20 {
        world.put(with_pods(number));
        world.pass(1).await;
    }
    assert!(destinations(&world).await.contains(&"172.16.1.0/24".to_owned()), "at once, after a quiet time");
    assert!(world.lists.load(Ordering::Relaxed) <= 3);
    world.pass(11).await;
    assert_eq!(destinations(&world).await.len(), 20);
    world.pass(60).await;
    world.lists.store(0, Ordering::Relaxed);
    world.pass(600).await;
    assert_eq!(world.lists.load(Ordering::Relaxed), 10, "one list a minute when nothing happens");
}

#[tokio::test(start_paused = true)]
async fn a_route_goes_with_its_machine_after_a_grace_and_foreign_ones_stay() {
    let mut world = World::new();
    for number in 1..=2 {
        world.machine(number);
        world.put(with_pods(number));
    }
    let foreign = ClusterRoute::foreign("172.31.0.0/24".parse().unwrap(), Some("10.9.9.9".parse().unwrap()));
    world.routes.insert(foreign);
    world.run_routes();
    world.pass(5).await;
    world.server.delete("v1", "Node", "", "n-1");
    world.pass(300).await;
    // The machine may come back as a node.
    assert!(destinations(&world).await.contains(&"172.16.1.0/24".to_owned()));
    world.machines.remove("m-1");
    world.pass(300).await;
    assert_eq!(destinations(&world).await, ["172.16.2.0/24", "172.31.0.0/24"]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_made_again_with_another_address_gets_a_new_route() {
    let mut world = World::new();
    world.machine(1);
    world.machine(2);
    world.put(with_pods(1));
    world.run_routes();
    world.pass(15).await;
    world.server.delete("v1", "Node", "", "n-1");
    let mut again = with_pods(1);
    again["status"]["addresses"][0]["address"] = json!("10.0.0.2");
    again["metadata"]["annotations"] = json!({});
    world.put(again);
    world.pass(15).await;
    let routes = world.routes.list().await.unwrap();
    assert_eq!(routes.len(), 1);
    assert_eq!(routes[0].next_hop, Some("10.0.0.2".parse().unwrap()));
    assert_eq!(world.condition("n-1", "NetworkUnavailable").unwrap()["status"], "False");
}

#[tokio::test(start_paused = true)]
async fn a_route_that_can_not_be_is_told_and_not_stormed() {
    let mut world = World::new();
    world.machine(1);
    let mut outside = with_pods(1);
    outside["spec"]["podCIDR"] = json!("192.168.1.0/24");
    outside["spec"]["podCIDRs"] = json!(["192.168.1.0/24"]);
    world.put(outside);
    // No machine stands behind this one.
    world.put(with_pods(2));
    world.run_routes();
    world.pass(300).await;
    for name in ["n-1", "n-2"] {
        let condition = world.condition(name, "NetworkUnavailable").unwrap();
        assert_eq!((&condition["status"], &condition["reason"]), (&json!("True"), &json!("NoRouteCreated")), "{name}");
        assert_eq!(world.events(name), ["FailedToCreateRoute"]);
    }
    assert!(world.lists.load(Ordering::Relaxed) <= 7);
    assert_eq!(world.adds.load(Ordering::Relaxed), 1, "what is hopeless is not tried every minute");
    world.machine(2);
    world.pass(700).await;
    assert_eq!(world.condition("n-2", "NetworkUnavailable").unwrap()["status"], "False");
}

#[tokio::test(start_paused = true)]
async fn routes_that_can_not_be_listed_are_told_to_nodes_without_and_looked_for_every_minute() {
    for (error, told) in [
        ((ErrorKind::NotFound, None), "the routes can't be listed: there is no table"),
        ((ErrorKind::Unauthorized, Some(Duration::from_secs(1_000))), "the routes can't be listed: there is no table"),
        ((ErrorKind::Unavailable, None), "the routes can't be listed at present"),
    ] {
        let mut world = World::new();
        for number in 1..=2 {
            world.machine(number);
        }
        world.put(with_pods(1));
        world.run_routes();
        world.pass(5).await;
        *world.unlisted.lock().unwrap() = Some(error);
        world.put(with_pods(2));
        world.pass(3_600).await;
        let condition = |name| world.condition(name, "NetworkUnavailable").unwrap();
        assert_eq!(condition("n-1")["status"], "False", "what is known holds");
        assert_eq!((&condition("n-2")["status"], &condition("n-2")["message"]), (&json!("True"), &json!(told)));
        // What passes by itself is nothing for an operator.
        let events = if error.0 == ErrorKind::Unavailable { vec![] } else { vec!["FailedToCreateRoute"] };
        assert_eq!(world.events("n-2"), events);
        assert!(world.lists.load(Ordering::Relaxed) <= 75);
        *world.unlisted.lock().unwrap() = None;
        world.pass(61).await;
        assert_eq!(condition("n-2")["status"], "False", "{error:?}");
    }
}

//! Events: repetitions are counted, floods are not passed on, and failures hurt nobody.

use std::time::Duration;

use apiserver_double::{ApiServer, Fault, Verb};
use k8s_openapi::api::core::v1::ObjectReference;
use qcloud_ccm::cluster;
use qcloud_ccm::events::Events;
use tokio::time::Instant;

fn about(name: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Node".to_owned()),
        name: Some(name.to_owned()),
        uid: Some(format!("uid-{name}")),
        ..ObjectReference::default()
    }
}

fn events(server: &ApiServer) -> Events {
    Events::new(cluster::client(server.service()), "test-controller", "test")
}

#[tokio::test(start_paused = true)]
async fn a_repetition_is_counted_and_not_written_every_time() {
    let server = ApiServer::new();
    let events = events(&server);
    for _ in 0..20 {
        events.warning(&about("n-1"), "Failed", "no route").await;
    }
    events.warning(&about("n-1"), "Failed", "another reason").await;
    events.warning(&about("n-2"), "Failed", "no route").await;
    let written = server.list("events.k8s.io/v1", "Event");
    assert_eq!(written.len(), 3);
    let counted: Vec<_> = written.iter().filter_map(|event| event["series"]["count"].as_i64()).collect();
    assert_eq!(counted, [16]);
    assert_eq!(server.requests().count(Verb::Patch, "events"), 4);
    let event = &written[0];
    assert_eq!((event["type"].as_str(), event["metadata"]["namespace"].as_str()), (Some("Warning"), Some("default")));
    assert_eq!(event["reportingController"], "test-controller");
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_it_is_a_new_event() {
    let server = ApiServer::new();
    let events = events(&server);
    events.normal(&about("n-1"), "Done", "as asked").await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    events.normal(&about("n-1"), "Done", "as asked").await;
    assert_eq!(server.list("events.k8s.io/v1", "Event").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_flood_about_one_object_is_held_back() {
    let server = ApiServer::new();
    let events = events(&server);
    for number in 0..100 {
        events.warning(&about("n-1"), "Failed", format!("for the reason {number}")).await;
    }
    events.warning(&about("n-2"), "Failed", "still heard").await;
    assert_eq!(server.list("events.k8s.io/v1", "Event").len(), 26);
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_written_holds_nobody_up() {
    let server = ApiServer::new();
    let events = events(&server);
    server.faults().on(Verb::Create, "events").times(1).answer(Fault::Stall);
    let began = Instant::now();
    events.warning(&about("n-1"), "Failed", "no route").await;
    assert!(began.elapsed() <= Duration::from_secs(5));
    events.warning(&about("n-1"), "Failed", "no route").await;
    assert_eq!(server.list("events.k8s.io/v1", "Event").len(), 1, "the next time it is a new one");
}

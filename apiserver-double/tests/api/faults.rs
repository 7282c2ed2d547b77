use std::time::Duration;

use apiserver_double::{ApiServer, Fault, Verb};
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;
use tokio::time::Instant;

use super::*;

async fn patch(server: &ApiServer, name: &str) -> kube::Result<k8s_openapi::api::core::v1::Node> {
    let patch = Patch::Merge(json!({ "metadata": { "labels": { "l": "new" } } }));
    nodes(server).patch(name, &PatchParams::default(), &patch).await
}

fn is_patched(server: &ApiServer, name: &str) -> bool {
    server.get("v1", "Node", "", name).unwrap()["metadata"]["labels"]["l"] == "new"
}

fn with_a_node() -> ApiServer {
    let server = ApiServer::new();
    server.put(node("a")).unwrap();
    server
}

#[tokio::test(start_paused = true)]
async fn a_refused_request_is_not_carried_out() {
    for (fault, wanted) in [
        (Fault::Refuse(500, "InternalError"), refused(500, "InternalError")),
        (Fault::Conflict, refused(409, "Conflict")),
        (Fault::TooMany { retry_after: 7 }, refused(429, "TooManyRequests")),
    ] {
        let server = with_a_node();
        server.faults().on(Verb::Patch, "nodes").times(1).answer(fault);
        assert_eq!(refusal(patch(&server, "a").await), wanted);
        assert!(!is_patched(&server, "a"));
        patch(&server, "a").await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_request_may_have_been_carried_out() {
    for (fault, carried_out) in [(Fault::LostBefore, false), (Fault::LostAfter, true)] {
        let server = with_a_node();
        server.faults().on(Verb::Patch, "nodes").answer(fault);
        assert!(matches!(patch(&server, "a").await, Err(kube::Error::Service(_))));
        assert_eq!(is_patched(&server, "a"), carried_out);
        assert_eq!(server.requests().latest().last().unwrap().status, None);
    }
}

#[tokio::test(start_paused = true)]
async fn answers_come_late_or_never() {
    let server = with_a_node();
    server.faults().on(Verb::Patch, "nodes").times(1).answer(Fault::Late(Duration::from_secs(30)));
    let begun = Instant::now();
    patch(&server, "a").await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_secs(30));
    server.faults().on(Verb::Get, "nodes").answer(Fault::Stall);
    assert!(tokio::time::timeout(Duration::from_secs(3600), nodes(&server).get("a")).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_answer_stops_in_the_middle() {
    let server = with_a_node();
    server.faults().on(Verb::Patch, "nodes").answer(Fault::BodyStall);
    assert!(tokio::time::timeout(Duration::from_secs(3600), patch(&server, "a")).await.is_err());
    assert!(is_patched(&server, "a"));
    assert_eq!(server.requests().latest().last().unwrap().status, Some(200));
}

#[tokio::test(start_paused = true)]
async fn faults_choose_their_requests() {
    let server = with_a_node();
    server.put(node("b")).unwrap();
    server.faults().on(Verb::Patch, "nodes").named("b").after(1).times(2).answer(Fault::LostBefore);
    server.faults().on_all("services").answer(Fault::LostBefore);
    let mut results = Vec::new();
    for name in ["a", "b", "a", "b", "b", "b", "a"] {
        results.push(patch(&server, name).await.is_ok());
    }
    assert_eq!(results, [true, true, true, false, false, true, true]);
    assert!(services(&server).list(&ListParams::default()).await.is_err());
    server.faults().clear();
    assert!(services(&server).list(&ListParams::default()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn luck_follows_the_seed() {
    let run = async |seed: u64| {
        let server = ApiServer::builder().seed(seed).build();
        server.put(node("a")).unwrap();
        server.faults().on_all("*").probability(0.5).answer(Fault::Conflict);
        let mut results = Vec::new();
        for _ in 0..64 {
            results.push(patch(&server, "a").await.is_ok());
        }
        results
    };
    let first = run(1).await;
    assert!(first.contains(&true) && first.contains(&false));
    assert_eq!(first, run(1).await);
    assert_ne!(first, run(2).await);
}

#[tokio::test(start_paused = true)]
async fn requests_are_counted_by_verb_and_resource() {
    let server = with_a_node();
    patch(&server, "a").await.unwrap();
    let status = Patch::Merge(json!({ "status": { "phase": "Running" } }));
    nodes(&server).patch_status("a", &PatchParams::default(), &status).await.unwrap();
    let requests = server.requests();
    assert_eq!((requests.count(Verb::Patch, "nodes"), requests.count(Verb::Patch, "nodes/status")), (2, 1));
    assert_eq!((requests.count(Verb::Patch, "*"), requests.total()), (2, 2));
    let last = requests.latest().pop().unwrap();
    assert_eq!((last.subresource.as_str(), last.name.as_str(), last.status), ("status", "a", Some(200)));
    requests.clear();
    patch(&server, "missing").await.unwrap_err();
    assert_eq!((requests.total(), requests.latest()[0].status), (1, Some(404)));
}

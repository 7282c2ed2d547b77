//! The cache: what it tells after a gap is the difference, and nothing else.

use apiserver_double::{ApiServer, Fault, Verb};
use futures_util::{FutureExt, Stream, StreamExt};
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::runtime::watcher;
use qcloud_ccm::cache::{Cache, Change};
use qcloud_ccm::cluster;
use serde_json::json;
use std::time::Duration;

fn put(server: &ApiServer, name: &str, label: &str) {
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"is": label}}});
    server.put(node).unwrap();
}

/// What has been told until now, in order of names.
fn told(changes: &mut (impl Stream<Item = Change<Node>> + Unpin)) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(Some(change)) = changes.next().now_or_never() {
        let name = change.object().metadata.name.clone().unwrap();
        let label = change.object().metadata.labels.as_ref().unwrap()["is"].clone();
        told.push(match change {
            Change::Applied(_) => format!("{name} is {label}"),
            Change::Deleted(_) => format!("{name} was {label}"),
        });
    }
    told.sort();
    told
}

#[tokio::test(start_paused = true)]
async fn after_a_gap_the_difference_is_told() {
    let server = ApiServer::new();
    for name in ["changed", "deleted", "made-again", "same"] {
        put(&server, name, "old");
    }
    let api: Api<Node> = Api::all(cluster::client(server.service()));
    let (cache, work) = Cache::start(api, watcher::Config::default());
    tokio::spawn(work);
    cache.ready().await;
    let mut changes = cache.changes();
    assert_eq!(told(&mut changes), ["changed is old", "deleted is old", "made-again is old", "same is old"]);

    put(&server, "seen", "new");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(told(&mut changes), ["seen is new"]);

    server.faults().on(Verb::Watch, "nodes").times(2).answer(Fault::Refuse(500, "InternalError"));
    server.drop_watches();
    tokio::time::sleep(Duration::from_millis(10)).await;
    put(&server, "changed", "new");
    server.delete("v1", "Node", "", "deleted");
    server.delete("v1", "Node", "", "made-again");
    put(&server, "made-again", "new");
    put(&server, "added", "new");
    server.expire_history();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let expected = ["added is new", "changed is new", "deleted was old", "made-again is new", "made-again was old"];
    assert_eq!(told(&mut changes), expected);
    assert_eq!(cache.all().len(), 5);
    assert!(cache.get(None, "deleted").is_none());
    // Whoever comes later is told everything once.
    assert_eq!(told(&mut cache.changes()).len(), 5);
}

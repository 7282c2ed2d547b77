use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use apiserver_double::{ApiServer, Fault, Verb};
use futures_util::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::Node;
use kube::api::{WatchEvent, WatchParams};
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{WatchStreamExt as _, reflector};
use serde_json::json;
use tokio::time::Instant;

use super::*;

/// One event of a bare watch, as its type and what it is about.
fn told(event: kube::Result<WatchEvent<Node>>) -> String {
    match event.unwrap() {
        WatchEvent::Added(node) => format!("added {}", node.metadata.name.unwrap()),
        WatchEvent::Modified(node) => format!("modified {}", node.metadata.name.unwrap()),
        WatchEvent::Deleted(node) => format!("deleted {}", node.metadata.name.unwrap()),
        WatchEvent::Bookmark(mark) if mark.metadata.annotations.is_empty() => "bookmark".to_owned(),
        WatchEvent::Bookmark(_) => "initial end".to_owned(),
        WatchEvent::Error(status) => format!("error {}", status.code),
    }
}

async fn next<S: Stream<Item = kube::Result<WatchEvent<Node>>> + Unpin>(stream: &mut S) -> String {
    told(stream.next().await.unwrap())
}

fn label(server: &ApiServer, name: &str, value: &str) {
    server.edit("v1", "Node", "", name, |node| node["metadata"]["labels"] = json!({ "l": value })).unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_watch_resumes_from_a_version_and_tells_every_change() {
    let server = ApiServer::new();
    let version = server.put(node("a")).unwrap()["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    server.put(node("b")).unwrap();
    let nodes = nodes(&server);
    let mut stream = pin!(nodes.watch(&WatchParams::default(), &version).await.unwrap());
    assert_eq!(next(&mut stream).await, "added b");
    label(&server, "a", "1");
    server.delete("v1", "Node", "", "b");
    assert_eq!(next(&mut stream).await, "modified a");
    let WatchEvent::Deleted(last) = stream.next().await.unwrap().unwrap() else { panic!("not deleted") };
    // The version is that of the deletion, so that a watch can resume from it.
    let version = last.metadata.resource_version.unwrap();
    label(&server, "a", "2");
    let mut resumed = pin!(nodes.watch(&WatchParams::default(), &version).await.unwrap());
    assert_eq!(next(&mut resumed).await, "modified a");
}

#[tokio::test(start_paused = true)]
async fn a_watch_from_nowhere_begins_with_what_is_there() {
    let server = ApiServer::new();
    server.put(node("a")).unwrap();
    let nodes = nodes(&server);
    let mut stream = pin!(nodes.watch(&WatchParams::default(), "0").await.unwrap());
    assert_eq!(next(&mut stream).await, "added a");
    let streaming = WatchParams::default().initial_events();
    let mut stream = pin!(nodes.watch(&streaming, "0").await.unwrap());
    assert_eq!((next(&mut stream).await, next(&mut stream).await), ("added a".to_owned(), "initial end".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn what_leaves_the_selection_is_deleted_for_the_watch() {
    let server = ApiServer::new();
    for name in ["a", "b"] {
        server.put(node(name)).unwrap();
    }
    let version = server.put(node("c")).unwrap()["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let nodes = nodes(&server);
    let mut stream = pin!(nodes.watch(&WatchParams::default().labels("l=in"), &version).await.unwrap());
    label(&server, "b", "out");
    label(&server, "a", "in");
    label(&server, "a", "out");
    label(&server, "c", "in");
    server.delete("v1", "Node", "", "b");
    server.delete("v1", "Node", "", "c");
    let mut events = Vec::new();
    for _ in 0..4 {
        events.push(next(&mut stream).await);
    }
    assert_eq!(events, ["added a", "deleted a", "added c", "deleted c"]);
}

#[tokio::test(start_paused = true)]
async fn bookmarks_come_each_minute_and_before_the_end() {
    let server = ApiServer::new();
    let version = server.put(node("a")).unwrap()["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let begun = Instant::now();
    let nodes = nodes(&server);
    let mut stream = pin!(nodes.watch(&WatchParams::default().timeout(100), &version).await.unwrap());
    // Others move on, and so does the mark.
    server.put(balancer("s")).unwrap();
    let WatchEvent::Bookmark(mark) = stream.next().await.unwrap().unwrap() else { panic!("no bookmark") };
    assert!(mark.metadata.resource_version.parse::<u64>().unwrap() > version.parse().unwrap());
    assert_eq!(begun.elapsed().as_secs(), 60);
    assert_eq!((next(&mut stream).await, begun.elapsed().as_secs()), ("bookmark".to_owned(), 98));
    assert!(stream.next().await.is_none());
    assert_eq!(begun.elapsed().as_secs(), 100);
    let silent = WatchParams::default().disable_bookmarks().timeout(100);
    let mut stream = pin!(nodes.watch(&silent, &version).await.unwrap());
    assert!(stream.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_version_is_told_by_an_event_or_by_the_status() {
    let server = ApiServer::new();
    let version = server.put(node("a")).unwrap()["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    label(&server, "a", "1");
    server.expire_history();
    let nodes = nodes(&server);
    let mut stream = pin!(nodes.watch(&WatchParams::default(), &version).await.unwrap());
    assert_eq!(next(&mut stream).await, "error 410");
    assert!(stream.next().await.is_none());
    server.faults().on(Verb::Watch, "nodes").answer(Fault::Refuse(410, "Expired"));
    let Err(kube::Error::Api(status)) = nodes.watch(&WatchParams::default(), &version).await.map(drop) else {
        panic!("not refused")
    };
    assert_eq!(status.code, 410);
}

#[tokio::test(start_paused = true)]
async fn options_that_make_no_sense_are_refused() {
    let server = ApiServer::new();
    for query in ["sendInitialEvents=true", "resourceVersionMatch=NotOlderThan&resourceVersion=1"] {
        let path = format!("/api/v1/nodes?watch=true&{query}");
        assert_eq!(send(server.service(), "GET", &path, "", "").await.0, 422, "{query}");
    }
}

/// Watches nodes with kube's own watcher, and keeps what it says.
struct Mirror {
    store: reflector::Store<Node>,
    task: tokio::task::JoinHandle<()>,
}

impl Mirror {
    fn of(server: &ApiServer, config: watcher::Config) -> Self {
        let (store, writer) = reflector::store();
        let stream = watcher(nodes(server), config).default_backoff().reflect(writer);
        let task = tokio::spawn(stream.for_each(|_| std::future::ready(())));
        Self { store, task }
    }

    fn labels(&self) -> BTreeMap<String, String> {
        let nodes = self.store.state();
        let label = |node: &Node| node.metadata.labels.as_ref().and_then(|labels| labels.get("l").cloned());
        nodes.iter().map(|node| (node.metadata.name.clone().unwrap(), label(node).unwrap_or_default())).collect()
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn truth(server: &ApiServer) -> BTreeMap<String, String> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let nodes = server.list("v1", "Node");
    nodes.iter().map(|node| (text(&node["metadata"]["name"]), text(&node["metadata"]["labels"]["l"]))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_reflector_keeps_up_through_everything() {
    for config in [watcher::Config::default().page_size(2), watcher::Config::default().streaming_lists()] {
        let server = ApiServer::new();
        for name in ["a", "b", "c"] {
            server.put(node(name)).unwrap();
        }
        let mirror = Mirror::of(&server, config);
        mirror.store.wait_until_ready().await.unwrap();
        let faults = server.faults();
        for round in 0..60_u32 {
            match round % 8 {
                0 => server.drop_watches(),
                1 => server.end_watches(),
                2 => server.expire_history(),
                3 => {
                    server.expire_history();
                    server.drop_watches();
                }
                4 => {
                    faults.on(Verb::Watch, "nodes").times(2).answer(Fault::Refuse(500, "InternalError"));
                    server.drop_watches();
                }
                5 => {
                    faults.on(Verb::Watch, "nodes").times(1).answer(Fault::WatchCut { after: 1 });
                    faults.on(Verb::List, "nodes").times(1).answer(Fault::LostBefore);
                    server.end_watches();
                }
                6 => {
                    faults.on(Verb::Watch, "nodes").times(1).answer(Fault::WatchExpired);
                    faults.on(Verb::List, "nodes").times(1).answer(Fault::TooMany { retry_after: 1 });
                    server.drop_watches();
                }
                _ => {
                    faults.on(Verb::Watch, "nodes").times(1).answer(Fault::Stall);
                    server.end_watches();
                }
            }
            label(&server, "a", &round.to_string());
            server.delete("v1", "Node", "", "b");
            server.put(node(&format!("n{round}"))).unwrap();
            if round % 2 == 0 {
                server.put(node("b")).unwrap();
            }
            if round % 3 == 0 {
                tokio::time::sleep(Duration::from_secs(400)).await;
                assert_eq!(mirror.labels(), truth(&server), "round {round}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_watch_is_resumed_and_only_an_expired_one_is_listed_again() {
    let server = ApiServer::new();
    server.put(node("a")).unwrap();
    let mirror = Mirror::of(&server, watcher::Config::default());
    mirror.store.wait_until_ready().await.unwrap();
    let lists = || server.requests().count(Verb::List, "nodes");
    for value in ["1", "2"] {
        // Lets the watch begin.
        tokio::time::sleep(Duration::from_secs(60)).await;
        server.drop_watches();
        label(&server, "a", value);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!((mirror.labels()["a"].as_str(), lists()), (value, 1));
    }
    server.drop_watches();
    label(&server, "a", "3");
    server.expire_history();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((mirror.labels()["a"].as_str(), lists()), ("3", 2));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_left_behind() {
    let server = ApiServer::builder().history(50).build();
    server.put(node("a")).unwrap();
    let mut events = pin!(watcher(nodes(&server), watcher::Config::default()));
    while !matches!(events.next().await.unwrap().unwrap(), Event::InitDone) {}
    // Opens the watch.
    assert!(tokio::time::timeout(Duration::from_secs(1), events.next()).await.is_err());
    for round in 0..500 {
        label(&server, "a", &round.to_string());
        tokio::task::yield_now().await;
    }
    let mut relisted = false;
    while let Ok(Some(event)) = tokio::time::timeout(Duration::from_secs(10), events.next()).await {
        relisted |= matches!(event, Ok(Event::Init));
    }
    assert!(relisted);
}

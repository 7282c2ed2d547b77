use apiserver_double::ApiServer;
use k8s_openapi::api::core::v1::{Node, Pod, Service};
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use serde_json::json;

use super::*;

fn names(list: &kube::api::ObjectList<Node>) -> Vec<&str> {
    list.iter().map(|node| node.metadata.name.as_deref().unwrap()).collect()
}

fn with_nodes(count: usize) -> ApiServer {
    let server = ApiServer::new();
    for number in 0..count {
        server.put(node(&format!("n{number}"))).unwrap();
    }
    server
}

#[tokio::test(start_paused = true)]
async fn pages_show_one_moment() {
    let server = with_nodes(5);
    let nodes = nodes(&server);
    let first = nodes.list(&ListParams::default().limit(2)).await.unwrap();
    assert_eq!((names(&first), first.metadata.remaining_item_count), (vec!["n0", "n1"], Some(3)));
    // What happens meanwhile is not seen on the next page.
    server.delete("v1", "Node", "", "n2");
    server.put(node("n11")).unwrap();
    let token = first.metadata.continue_.clone().unwrap();
    let second = nodes.list(&ListParams::default().limit(10).continue_token(&token)).await.unwrap();
    assert_eq!(names(&second), ["n2", "n3", "n4"]);
    assert_eq!(second.metadata.resource_version, first.metadata.resource_version);
    assert_eq!(second.metadata.continue_, None);
    let now = nodes.list(&ListParams::default()).await.unwrap();
    assert_eq!(names(&now), ["n0", "n1", "n11", "n3", "n4"]);
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_page_is_answered_with_410_and_a_way_on() {
    let server = with_nodes(4);
    let nodes = nodes(&server);
    let first = nodes.list(&ListParams::default().limit(2)).await.unwrap();
    let token = first.metadata.continue_.unwrap();
    server.put(node("n9")).unwrap();
    server.expire_history();
    let next = ListParams::default().limit(2).continue_token(&token);
    let Err(kube::Error::Api(status)) = nodes.list(&next).await else { panic!("not refused") };
    assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
    let on = status.metadata.unwrap().continue_.unwrap();
    let rest = nodes.list(&ListParams::default().continue_token(&on)).await.unwrap();
    assert_eq!(names(&rest), ["n2", "n3", "n9"]);
}

#[tokio::test(start_paused = true)]
async fn a_version_can_be_asked_for() {
    let server = with_nodes(2);
    let nodes = nodes(&server);
    let then = nodes.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    server.put(node("n2")).unwrap();
    let exact = ListParams::default().at(&then).matching(kube::api::VersionMatch::Exact);
    assert_eq!(nodes.list(&exact).await.unwrap().items.len(), 2);
    let newer = ListParams::default().at(&then).matching(kube::api::VersionMatch::NotOlderThan);
    assert_eq!(nodes.list(&newer).await.unwrap().items.len(), 3);
    let future = ListParams::default().at("99999").matching(kube::api::VersionMatch::NotOlderThan);
    assert_eq!(refusal(nodes.list(&future).await), refused(504, "Timeout"));
    server.expire_history();
    assert_eq!(refusal(nodes.list(&exact).await), refused(410, "Expired"));
    for (query, wanted) in [
        ("resourceVersionMatch=Exact", 422),
        ("resourceVersionMatch=Exact&resourceVersion=0", 422),
        ("resourceVersionMatch=Newest&resourceVersion=5", 422),
        ("sendInitialEvents=true", 422),
        ("resourceVersion=abc", 400),
        ("limit=many", 400),
        ("continue=rubbish", 400),
    ] {
        let path = format!("/api/v1/nodes?{query}");
        assert_eq!(send(server.service(), "GET", &path, "", "").await.0, wanted, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn selectors_choose_by_label_and_field() {
    let server = ApiServer::new();
    for (name, namespace, node) in [("a", "default", "n1"), ("b", "default", "n2"), ("c", "other", "n1")] {
        server
            .put(json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": { "name": name, "namespace": namespace, "labels": { "on": node } },
                "spec": { "nodeName": node },
            }))
            .unwrap();
    }
    let all: Api<Pod> = Api::all(client(&server));
    let count = async |params: ListParams| all.list(&params).await.unwrap().items.len();
    assert_eq!(count(ListParams::default().fields("spec.nodeName=n1")).await, 2);
    assert_eq!(count(ListParams::default().fields("spec.nodeName=n1,metadata.namespace!=other")).await, 1);
    assert_eq!(count(ListParams::default().labels("on in (n1,n2)")).await, 3);
    let unknown = all.list(&ListParams::default().fields("spec.hostname=x")).await;
    assert_eq!(refusal(unknown), refused(400, "BadRequest"));
    let one: Api<Pod> = Api::namespaced(client(&server), "other");
    assert_eq!(one.list(&ListParams::default()).await.unwrap().items.len(), 1);
    let services: Api<Service> = Api::all(client(&server));
    server.put(balancer("s")).unwrap();
    assert_eq!(services.list(&ListParams::default().fields("spec.type=LoadBalancer")).await.unwrap().items.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn metadata_can_be_listed_alone() {
    let server = with_nodes(2);
    let list = nodes(&server).list_metadata(&ListParams::default()).await.unwrap();
    assert_eq!(list.items[1].metadata.name.as_deref(), Some("n1"));
    let one = nodes(&server).get_metadata("n0").await.unwrap();
    assert_eq!(one.metadata.name.as_deref(), Some("n0"));
}

#[tokio::test(start_paused = true)]
async fn collections_are_deleted_by_selector() {
    let server = with_nodes(3);
    server.edit("v1", "Node", "", "n1", |node| node["metadata"]["labels"] = json!({ "keep": "yes" })).unwrap();
    let unkept = ListParams::default().labels("!keep");
    nodes(&server).delete_collection(&DeleteParams::default(), &unkept).await.unwrap();
    assert_eq!(names(&nodes(&server).list(&ListParams::default()).await.unwrap()), ["n1"]);
}

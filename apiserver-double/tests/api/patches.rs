use apiserver_double::ApiServer;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::*;

#[tokio::test(start_paused = true)]
async fn strategic_patches_merge_conditions_by_type() {
    let server = ApiServer::new();
    let mut object = node("a");
    object["status"] = json!({ "conditions": [{ "type": "Ready", "status": "True" }] });
    server.put(object).unwrap();
    let patch = json!({ "status": { "conditions": [{ "type": "NetworkUnavailable", "status": "False" }] } });
    nodes(&server).patch_status("a", &PatchParams::default(), &Patch::Strategic(&patch)).await.unwrap();
    let conditions = server.get("v1", "Node", "", "a").unwrap()["status"]["conditions"].clone();
    let wanted = json!([{ "type": "Ready", "status": "True" }, { "type": "NetworkUnavailable", "status": "False" }]);
    assert_eq!(conditions, wanted);
    // A merge patch would have replaced them.
    nodes(&server).patch_status("a", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    let conditions = server.get("v1", "Node", "", "a").unwrap()["status"]["conditions"].clone();
    assert_eq!(conditions, patch["status"]["conditions"]);
}

#[tokio::test(start_paused = true)]
async fn a_patch_with_a_version_is_for_that_version_only() {
    let server = ApiServer::new();
    let version = server.put(node("a")).unwrap()["metadata"]["resourceVersion"].clone();
    let patch = |label: &str| json!({ "metadata": { "resourceVersion": version, "labels": { "a": label } } });
    let nodes = nodes(&server);
    nodes.patch("a", &PatchParams::default(), &Patch::Merge(patch("1"))).await.unwrap();
    let stale = nodes.patch("a", &PatchParams::default(), &Patch::Merge(patch("2"))).await;
    assert_eq!(refusal(stale), refused(409, "Conflict"));
    let stale = nodes.patch("a", &PatchParams::default(), &Patch::Strategic(patch("2"))).await;
    assert_eq!(refusal(stale), refused(409, "Conflict"));
}

#[tokio::test(start_paused = true)]
async fn json_patches_test_before_they_change() {
    let server = ApiServer::new();
    server.put(node("a")).unwrap();
    let json = "application/json-patch+json";
    let remove = |key: &str| {
        let taint = json!({ "key": key, "effect": "NoSchedule" });
        json!([{ "op": "test", "path": "/spec/taints/0", "value": taint }, { "op": "remove", "path": "/spec/taints/0" }])
    };
    let add = json!([
        { "op": "add", "path": "/spec", "value": { "taints": [{ "key": "k", "effect": "NoSchedule" }] } },
    ]);
    let path = "/api/v1/nodes/a";
    assert_eq!(send(server.service(), "PATCH", path, json, &add.to_string()).await.0, 200);
    assert_eq!(send(server.service(), "PATCH", path, json, &remove("other").to_string()).await.0, 422);
    let (code, object) = send(server.service(), "PATCH", path, json, &remove("k").to_string()).await;
    assert_eq!((code, &object["spec"]), (200, &json!({})));
}

#[tokio::test(start_paused = true)]
async fn custom_resources_know_no_strategic_merge() {
    let server = ApiServer::new();
    server.put(json!({ "apiVersion": "example.com/v1", "kind": "Widget", "metadata": { "name": "w" } })).unwrap();
    let strategic = "application/strategic-merge-patch+json";
    let (code, _) = send(server.service(), "PATCH", "/apis/example.com/v1/widgets/w", strategic, "{}").await;
    assert_eq!(code, 415);
}

use apiserver_double::ApiServer;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Service};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use serde_json::{Value, json};

use super::*;

fn typed<K: serde::de::DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_new_object_gets_what_only_the_server_gives() {
    let start: Timestamp = "2030-01-02T03:04:05Z".parse().unwrap();
    let server = ApiServer::builder().start(start).build();
    tokio::time::advance(std::time::Duration::from_secs(10)).await;
    let made = nodes(&server).create(&PostParams::default(), &typed::<Node>(node("a"))).await.unwrap();
    let metadata = made.metadata;
    assert_eq!(metadata.creation_timestamp.unwrap().0.to_string(), "2030-01-02T03:04:15Z");
    assert!(metadata.uid.is_some() && metadata.resource_version.is_some());
    // Nodes and services have no generation; what runs pods has.
    assert_eq!(metadata.generation, None);
}

#[tokio::test(start_paused = true)]
async fn what_exists_or_has_a_version_is_not_made() {
    let server = ApiServer::new();
    let nodes = nodes(&server);
    let made = nodes.create(&PostParams::default(), &typed(node("a"))).await.unwrap();
    let again = nodes.create(&PostParams::default(), &typed(node("a"))).await;
    assert_eq!(refusal(again), refused(409, "AlreadyExists"));
    let mut copy = made;
    copy.metadata.name = Some("b".to_owned());
    assert_eq!(refusal(nodes.create(&PostParams::default(), &copy).await).0, 500);
}

#[tokio::test(start_paused = true)]
async fn names_are_generated_when_asked_for() {
    let server = ApiServer::new();
    let maps: Api<ConfigMap> = Api::namespaced(client(&server), "default");
    let map = typed(json!({ "metadata": { "generateName": "map-" } }));
    let names = [
        maps.create(&PostParams::default(), &map).await.unwrap().metadata.name.unwrap(),
        maps.create(&PostParams::default(), &map).await.unwrap().metadata.name.unwrap(),
    ];
    assert!(names.iter().all(|name| name.starts_with("map-") && name.len() == 9), "{names:?}");
    assert_ne!(names[0], names[1]);
}

#[tokio::test(start_paused = true)]
async fn a_stale_put_conflicts_and_one_without_version_overwrites() {
    let server = ApiServer::new();
    let nodes = nodes(&server);
    let old = nodes.create(&PostParams::default(), &typed(node("a"))).await.unwrap();
    server.edit("v1", "Node", "", "a", |node| node["spec"]["unschedulable"] = json!(true)).unwrap().unwrap();
    let put = nodes.replace("a", &PostParams::default(), &old).await;
    assert_eq!(refusal(put), refused(409, "Conflict"));
    let mut blind = old;
    blind.metadata.resource_version = None;
    nodes.replace("a", &PostParams::default(), &blind).await.unwrap();
    assert_eq!(server.get("v1", "Node", "", "a").unwrap()["spec"]["unschedulable"], Value::Null);
    blind.metadata.uid = Some("another".to_owned());
    assert_eq!(refusal(nodes.replace("a", &PostParams::default(), &blind).await), refused(409, "Conflict"));
}

#[tokio::test(start_paused = true)]
async fn a_lease_goes_to_whoever_saw_it_last() {
    let server = ApiServer::new();
    let leases: Api<Lease> = Api::namespaced(client(&server), "kube-system");
    let lease = json!({ "metadata": { "name": "l" }, "spec": { "holderIdentity": "a", "leaseDurationSeconds": 15 } });
    // PUT makes it.
    let seen: Lease = leases.replace("l", &PostParams::default(), &typed(lease.clone())).await.unwrap();
    let mut mine = seen.clone();
    mine.spec.as_mut().unwrap().holder_identity = Some("b".to_owned());
    let mut theirs = seen;
    theirs.spec.as_mut().unwrap().holder_identity = Some("c".to_owned());
    leases.replace("l", &PostParams::default(), &mine).await.unwrap();
    assert_eq!(refusal(leases.replace("l", &PostParams::default(), &theirs).await), refused(409, "Conflict"));
    let blind = leases.replace("l", &PostParams::default(), &typed(lease)).await;
    assert_eq!(refusal(blind), refused(422, "Invalid"));
    // Of a lease that is gone meanwhile, the holder does not make a new one unknowingly.
    assert!(server.delete("coordination.k8s.io/v1", "Lease", "kube-system", "l"));
    assert_eq!(refusal(leases.replace("l", &PostParams::default(), &theirs).await), refused(409, "Conflict"));
}

#[tokio::test(start_paused = true)]
async fn status_and_the_rest_are_written_apart() {
    let server = ApiServer::new();
    let services = services(&server);
    let mut given = typed::<Service>(balancer("s"));
    given.status = typed(json!({ "loadBalancer": { "ingress": [{ "ip": "1.2.3.4" }] } }));
    let made = services.create(&PostParams::default(), &given).await.unwrap();
    assert_eq!(made.status.unwrap().load_balancer.unwrap().ingress, None);

    let patch = json!({
        "metadata": { "annotations": { "a": "b" } },
        "spec": { "externalTrafficPolicy": "Local" },
        "status": { "loadBalancer": { "ingress": [{ "ip": "1.2.3.4" }] } },
    });
    services.patch("s", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    let object = server.get("v1", "Service", "default", "s").unwrap();
    assert_eq!(
        (&object["spec"]["externalTrafficPolicy"], &object["status"]),
        (&json!("Local"), &json!({ "loadBalancer": {} }))
    );

    let patch = json!({
        "metadata": { "annotations": { "a": "c" } },
        "spec": { "externalTrafficPolicy": "Cluster" },
        "status": { "loadBalancer": { "ingress": [{ "ip": "1.2.3.4" }] } },
    });
    services.patch_status("s", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    let object = server.get("v1", "Service", "default", "s").unwrap();
    assert_eq!(object["spec"]["externalTrafficPolicy"], "Local");
    // Without a mode, an address is taken for one that nodes may serve themselves.
    assert_eq!(object["status"]["loadBalancer"]["ingress"], json!([{ "ip": "1.2.3.4", "ipMode": "VIP" }]));
    // By way of the status, metadata of built-in kinds can be written too.
    assert_eq!(object["metadata"]["annotations"], json!({ "a": "c" }));

    let maps: Api<ConfigMap> = Api::namespaced(client(&server), "default");
    maps.create(&PostParams::default(), &typed(json!({ "metadata": { "name": "m" } }))).await.unwrap();
    let patched = maps.patch_status("m", &PatchParams::default(), &Patch::Merge(&patch)).await;
    assert_eq!(refusal(patched), refused(404, "NotFound"));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_changes_nothing_is_none() {
    let server = ApiServer::new();
    let nodes = nodes(&server);
    let made = nodes.create(&PostParams::default(), &typed(node("a"))).await.unwrap();
    let empty = json!({ "spec": { "taints": [] }, "metadata": { "labels": null } });
    for result in [
        nodes.replace("a", &PostParams::default(), &made).await,
        nodes.patch("a", &PatchParams::default(), &Patch::Merge(&empty)).await,
    ] {
        assert_eq!(result.unwrap().metadata.resource_version, made.metadata.resource_version);
    }
}

#[tokio::test(start_paused = true)]
async fn generation_counts_what_is_asked_and_not_what_is() {
    let server = ApiServer::new();
    let widget = |size: u32| json!({ "apiVersion": "example.com/v1", "kind": "Widget", "metadata": { "name": "w", "namespace": "default" }, "spec": { "size": size } });
    let path = "/apis/example.com/v1/namespaces/default/widgets";
    let (code, made) = send(server.service(), "POST", path, "application/json", &widget(1).to_string()).await;
    assert_eq!((code, &made["metadata"]["generation"]), (201, &json!(1)));
    let merge = "application/merge-patch+json";
    let path = format!("{path}/w");
    let (_, same) =
        send(server.service(), "PATCH", &path, merge, r#"{"metadata":{"labels":{"a":"b"}},"status":{"x":1}}"#).await;
    assert_eq!((&same["metadata"]["generation"], &same["status"]), (&json!(1), &Value::Null));
    let (_, status) =
        send(server.service(), "PATCH", &format!("{path}/status"), merge, r#"{"status":{"x":1},"spec":{"size":5}}"#)
            .await;
    assert_eq!((&status["metadata"]["generation"], &status["spec"]["size"]), (&json!(1), &json!(1)));
    let (_, more) = send(server.service(), "PATCH", &path, merge, r#"{"spec":{"size":2}}"#).await;
    assert_eq!((&more["metadata"]["generation"], &more["status"]["x"]), (&json!(2), &json!(1)));
}

#[tokio::test(start_paused = true)]
async fn an_object_with_finalizers_goes_when_the_last_is_removed() {
    let server = ApiServer::new();
    let mut object = balancer("s");
    object["metadata"]["finalizers"] = json!(["example.com/a", "example.com/b"]);
    server.put(object).unwrap();
    let services = services(&server);
    let deleted = services.delete("s", &DeleteParams::default()).await.unwrap().left().unwrap();
    let since = deleted.metadata.deletion_timestamp.clone();
    assert!(since.is_some() && deleted.metadata.deletion_grace_period_seconds == Some(0));
    // Deleting again changes nothing.
    let again = services.delete("s", &DeleteParams::default()).await.unwrap().left().unwrap();
    assert_eq!(again.metadata, deleted.metadata);

    let add = json!({ "metadata": { "finalizers": ["example.com/a", "example.com/b", "example.com/c"] } });
    let added = services.patch("s", &PatchParams::default(), &Patch::Merge(&add)).await;
    assert_eq!(refusal(added), refused(422, "Invalid"));
    let undelete = json!({ "metadata": { "finalizers": ["example.com/a"], "deletionTimestamp": null } });
    let one_left = services.patch("s", &PatchParams::default(), &Patch::Merge(&undelete)).await.unwrap();
    assert_eq!(one_left.metadata.deletion_timestamp, since);
    let none = json!({ "metadata": { "finalizers": null } });
    let last = services.patch("s", &PatchParams::default(), &Patch::Merge(&none)).await.unwrap();
    assert_eq!(last.metadata.finalizers, None);
    assert_eq!(services.get_opt("s").await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn preconditions_protect_what_came_after() {
    let server = ApiServer::new();
    server.put(node("a")).unwrap();
    let nodes = nodes(&server);
    let wrong = Preconditions { uid: Some("other".to_owned()), resource_version: None };
    let deleted = nodes.delete("a", &DeleteParams::default().preconditions(wrong)).await;
    assert_eq!(refusal(deleted), refused(409, "Conflict"));
    let metadata = nodes.get("a").await.unwrap().metadata;
    let right = Preconditions { uid: metadata.uid, resource_version: metadata.resource_version };
    let gone = nodes.delete("a", &DeleteParams::default().preconditions(right)).await.unwrap();
    assert!(gone.right().unwrap().is_success());
    assert_eq!(refusal(nodes.delete("a", &DeleteParams::default()).await), refused(404, "NotFound"));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_answers_and_changes_nothing() {
    let server = ApiServer::new();
    let nodes = nodes(&server);
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    nodes.create(&dry, &typed(node("a"))).await.unwrap();
    assert_eq!(server.get("v1", "Node", "", "a"), None);
    server.put(node("a")).unwrap();
    let patch = Patch::Merge(json!({ "spec": { "unschedulable": true } }));
    let patched = nodes.patch("a", &PatchParams::default().dry_run(), &patch).await.unwrap();
    assert_eq!(patched.spec.unwrap().unschedulable, Some(true));
    nodes.delete("a", &DeleteParams::default().dry_run()).await.unwrap();
    assert_eq!(server.get("v1", "Node", "", "a").unwrap()["spec"]["unschedulable"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn namespaces_must_exist_and_take_what_is_in_them_along() {
    let server = ApiServer::new();
    let elsewhere: Api<Service> = Api::namespaced(client(&server), "elsewhere");
    let made = elsewhere.create(&PostParams::default(), &typed(balancer("s"))).await;
    assert_eq!(refusal(made), refused(404, "NotFound"));
    let mut object = balancer("s");
    object["metadata"]["namespace"] = json!("elsewhere");
    object["metadata"]["finalizers"] = json!(["example.com/a"]);
    server.put(object).unwrap();
    assert!(server.delete("v1", "Namespace", "", "elsewhere"));
    let namespace = server.get("v1", "Namespace", "", "elsewhere").unwrap();
    assert_eq!(namespace["status"]["phase"], "Terminating");
    let made = elsewhere.create(&PostParams::default(), &typed(balancer("t"))).await;
    assert_eq!(refusal(made), refused(403, "Forbidden"));
    let none = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    elsewhere.patch("s", &PatchParams::default(), &none).await.unwrap();
    assert_eq!(server.get("v1", "Namespace", "", "elsewhere"), None);
}

#[tokio::test(start_paused = true)]
async fn requests_that_make_no_sense_are_refused() {
    let server = ApiServer::new();
    server.put(node("a")).unwrap();
    let cases = [
        ("GET", "/api/v1/widgets", "", "", 404),
        ("GET", "/api/v2/nodes", "", "", 404),
        ("GET", "/api/v1/services/s", "", "", 404),
        ("GET", "/api/v1/namespaces/default/nodes", "", "", 404),
        ("GET", "/api/v1/nodes/a/proxy", "", "", 404),
        ("GET", "/nowhere", "", "", 404),
        ("POST", "/api/v1/nodes/a", "application/json", "{}", 405),
        ("POST", "/api/v1/nodes", "application/json", "no json", 400),
        ("POST", "/api/v1/nodes", "application/json", r#"{"kind":"Pod","metadata":{"name":"b"}}"#, 400),
        ("POST", "/api/v1/nodes", "application/json", r#"{"apiVersion":"v2","metadata":{"name":"b"}}"#, 400),
        ("POST", "/api/v1/nodes", "application/json", r#"{"metadata":{"name":"b","labels":{"a":1}}}"#, 400),
        ("POST", "/api/v1/nodes", "application/yaml", "metadata: {}", 415),
        ("POST", "/api/v1/nodes", "application/json", "{}", 422),
        ("PUT", "/api/v1/nodes/a", "application/json", r#"{"metadata":{"name":"b"}}"#, 400),
        ("PUT", "/api/v1/nodes/b", "application/json", r#"{"metadata":{"name":"b"}}"#, 404),
        ("PATCH", "/api/v1/nodes/a", "application/json", "{}", 415),
        ("PATCH", "/api/v1/nodes/a", "application/apply-patch+yaml", "{}", 415),
        ("PATCH", "/api/v1/nodes/b", "application/merge-patch+json", "{}", 404),
        ("PATCH", "/api/v1/nodes/a", "application/merge-patch+json", "[]", 400),
        ("PATCH", "/api/v1/nodes/a", "application/merge-patch+json", r#"{"kind":"Pod"}"#, 400),
        ("PATCH", "/api/v1/nodes/a", "application/merge-patch+json", r#"{"metadata":{"name":"b"}}"#, 400),
        ("PATCH", "/api/v1/nodes/a", "application/merge-patch+json", r#"{"metadata":{"uid":"x"}}"#, 422),
        ("PATCH", "/api/v1/nodes/a", "application/merge-patch+json", r#"{"metadata":{"resourceVersion":"1"}}"#, 409),
        ("PATCH", "/api/v1/nodes/a", "application/merge-patch+json", r#"{"spec":{"unschedulable":"yes"}}"#, 422),
        ("PATCH", "/apis/example.com/v1/widgets/a", "application/strategic-merge-patch+json", "{}", 404),
    ];
    for (method, path, content_type, body, wanted) in cases {
        let (code, answer) = send(server.service(), method, path, content_type, body).await;
        assert_eq!(code, wanted, "{method} {path} {body}: {answer}");
        assert_eq!((&answer["kind"], &answer["code"]), (&json!("Status"), &json!(wanted)), "{answer}");
    }
}

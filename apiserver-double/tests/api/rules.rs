use apiserver_double::ApiServer;
use k8s_openapi::api::core::v1::Service;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::*;

async fn patch_node(server: &ApiServer, patch: Value) -> Option<(u16, String)> {
    let patched = nodes(server).patch("a", &PatchParams::default(), &Patch::Merge(patch)).await;
    patched.is_err().then(|| refusal(patched))
}

#[tokio::test(start_paused = true)]
async fn a_provider_id_and_pod_ranges_are_set_once() {
    let server = ApiServer::new();
    server.put(node("a")).unwrap();
    let set = json!({ "spec": { "providerID": "qcloud:///1/ins-1", "podCIDR": "10.0.0.0/24" } });
    assert_eq!(patch_node(&server, set.clone()).await, None);
    assert_eq!(server.get("v1", "Node", "", "a").unwrap()["spec"]["podCIDRs"], json!(["10.0.0.0/24"]));
    assert_eq!(patch_node(&server, set).await, None);
    for other in ["qcloud:///1/ins-2", ""] {
        let change = json!({ "spec": { "providerID": other } });
        assert_eq!(patch_node(&server, change).await, Some(refused(422, "Invalid")), "{other:?}");
    }
    let change = json!({ "spec": { "podCIDRs": ["10.0.1.0/24"], "podCIDR": "10.0.1.0/24" } });
    assert_eq!(patch_node(&server, change).await, Some(refused(422, "Invalid")));
}

#[tokio::test(start_paused = true)]
async fn taints_and_metadata_are_held_to_their_form() {
    let server = ApiServer::new();
    server.put(node("a")).unwrap();
    for wrong in [
        json!({ "spec": { "taints": [{ "key": "a b", "effect": "NoSchedule" }] } }),
        json!({ "spec": { "taints": [{ "key": "a", "effect": "Never" }] } }),
        json!({ "spec": { "taints": [{ "key": "a" }] } }),
        json!({ "spec": { "taints": [{ "key": "a", "effect": "NoSchedule" }, { "key": "a", "value": "b", "effect": "NoSchedule" }] } }),
        json!({ "metadata": { "labels": { "a": "white space" } } }),
        json!({ "metadata": { "labels": { "a/b/c": "" } } }),
        json!({ "metadata": { "annotations": { "a": "x".repeat(300_000) } } }),
        json!({ "metadata": { "finalizers": ["unqualified"] } }),
    ] {
        assert_eq!(patch_node(&server, wrong.clone()).await, Some(refused(422, "Invalid")), "{wrong}");
    }
    assert_eq!(server.put(node("Upper")).unwrap_err().code, 422);
}

async fn make(server: &ApiServer, service: Value) -> kube::Result<Service> {
    services(server).create(&PostParams::default(), &serde_json::from_value(service).unwrap()).await
}

#[tokio::test(start_paused = true)]
async fn services_get_addresses_and_ports() {
    let server = ApiServer::new();
    let mut local = balancer("a");
    local["spec"]["externalTrafficPolicy"] = json!("Local");
    let a = make(&server, local).await.unwrap().spec.unwrap();
    let b = make(&server, balancer("b")).await.unwrap().spec.unwrap();
    let port = |spec: &k8s_openapi::api::core::v1::ServiceSpec| spec.ports.as_ref().unwrap()[0].node_port.unwrap();
    assert!((30_000..=32_767).contains(&port(&a)) && port(&a) != port(&b));
    assert!(a.health_check_node_port.unwrap() != port(&a) && b.health_check_node_port.is_none());
    assert_ne!(a.cluster_ip, b.cluster_ip);
    assert_eq!(b.external_traffic_policy.as_deref(), Some("Cluster"));
    // A port that somebody has is not given twice.
    let mut greedy = balancer("c");
    greedy["spec"]["ports"][0]["nodePort"] = json!(port(&a));
    assert_eq!(refusal(make(&server, greedy).await), refused(422, "Invalid"));
    let mut bare = balancer("d");
    bare["spec"]["allocateLoadBalancerNodePorts"] = json!(false);
    let bare = make(&server, bare).await.unwrap().spec.unwrap();
    assert_eq!(bare.ports.unwrap()[0].node_port, None);
}

#[tokio::test(start_paused = true)]
async fn a_put_keeps_what_was_allocated_and_a_new_type_gives_it_back() {
    let server = ApiServer::new();
    let made = make(&server, balancer("a")).await.unwrap();
    let again: Service = serde_json::from_value(balancer("a")).unwrap();
    let put = services(&server).replace("a", &PostParams::default(), &again).await.unwrap();
    assert_eq!(put.spec, made.spec);
    let status = json!({ "status": { "loadBalancer": { "ingress": [{ "ip": "1.2.3.4" }] } } });
    services(&server).patch_status("a", &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
    let patch = Patch::Merge(json!({ "spec": { "type": "ClusterIP" } }));
    let plain = services(&server).patch("a", &PatchParams::default(), &patch).await.unwrap();
    let spec = plain.spec.unwrap();
    assert_eq!((spec.ports.unwrap()[0].node_port, spec.external_traffic_policy), (None, None));
    assert_eq!(spec.allocate_load_balancer_node_ports, None);
    assert_eq!(plain.status.unwrap().load_balancer.unwrap().ingress, None);
}

#[tokio::test(start_paused = true)]
async fn services_are_held_to_their_form() {
    let server = ApiServer::new();
    for (path, value) in [
        ("/spec/ports", json!([])),
        ("/spec/ports", json!([{ "port": 0 }])),
        ("/spec/ports", json!([{ "port": 80 }, { "port": 81 }])),
        ("/spec/ports", json!([{ "port": 80, "name": "a" }, { "port": 80, "name": "b" }])),
        ("/spec/ports", json!([{ "port": 80, "protocol": "ICMP" }])),
        ("/spec/ports", json!([{ "port": 80, "nodePort": 80 }])),
        ("/spec/type", json!("Balancer")),
        ("/metadata/name", json!("1a")),
    ] {
        let mut service = balancer("s");
        *service.pointer_mut(path).unwrap() = value.clone();
        assert_eq!(refusal(make(&server, service).await), refused(422, "Invalid"), "{path} {value}");
    }
    for (field, value) in [
        ("clusterIP", json!("None")),
        ("loadBalancerSourceRanges", json!(["10.0.0.0"])),
        ("healthCheckNodePort", json!(30_000)),
        ("loadBalancerClass", json!("a b")),
    ] {
        let mut service = balancer("s");
        service["spec"][field] = value.clone();
        assert_eq!(refusal(make(&server, service).await), refused(422, "Invalid"), "{field} {value}");
    }
    let mut service = balancer("s");
    service["spec"]["loadBalancerClass"] = json!("example.com/a");
    make(&server, service).await.unwrap();
    let change = Patch::Merge(json!({ "spec": { "loadBalancerClass": "example.com/b" } }));
    let changed = services(&server).patch("s", &PatchParams::default(), &change).await;
    assert_eq!(refusal(changed), refused(422, "Invalid"));
}

#[tokio::test(start_paused = true)]
async fn the_status_of_a_service_is_held_to_its_form() {
    let server = ApiServer::new();
    make(&server, balancer("s")).await.unwrap();
    let set = async |name: &str, ingress: Value| {
        let patch = Patch::Merge(json!({ "status": { "loadBalancer": { "ingress": [ingress] } } }));
        services(&server).patch_status(name, &PatchParams::default(), &patch).await
    };
    for wrong in [
        json!({ "ip": "1.2.3" }),
        json!({ "hostname": "h.example.com", "ipMode": "VIP" }),
        json!({ "ip": "1.2.3.4", "ipMode": "Direct" }),
        json!({ "hostname": "1.2.3.4" }),
        json!({ "hostname": "Not a name" }),
    ] {
        assert_eq!(refusal(set("s", wrong.clone()).await), refused(422, "Invalid"), "{wrong}");
    }
    set("s", json!({ "ip": "1.2.3.4", "ipMode": "Proxy" })).await.unwrap();
    let mut plain = balancer("plain");
    plain["spec"]["type"] = json!("ClusterIP");
    make(&server, plain).await.unwrap();
    assert_eq!(refusal(set("plain", json!({ "ip": "1.2.3.4" })).await), refused(422, "Invalid"));
}

#[tokio::test(start_paused = true)]
async fn unknown_fields_are_dropped_told_of_or_refused() {
    let server = ApiServer::new();
    let object = r#"{"metadata":{"name":"b"},"spec":{"providerId":"x"}}"#;
    let json = "application/json";
    let strict = "/api/v1/nodes?fieldValidation=Strict";
    let (code, answer) = send(server.service(), "POST", strict, json, object).await;
    assert_eq!(code, 400);
    assert!(answer["message"].as_str().unwrap().contains("unknown field \"spec.providerId\""), "{answer}");
    let (code, answer) = send(server.service(), "POST", "/api/v1/nodes", json, object).await;
    assert_eq!((code, &answer["spec"]), (201, &json!({})));
    let merge = "application/merge-patch+json";
    let patch = r#"{"spec":{"providerId":"x"}}"#;
    assert_eq!(send(server.service(), "PATCH", "/api/v1/nodes/b?fieldValidation=Strict", merge, patch).await.0, 422);
}

#[tokio::test(start_paused = true)]
async fn events_are_held_to_their_form() {
    let server = ApiServer::new();
    let event = |note: usize, action: &str, namespace: &str| {
        json!({
            "metadata": { "generateName": "e-" }, "eventTime": "2030-01-02T03:04:05.000000Z",
            "reportingController": "example.com/controller", "reportingInstance": "i", "action": action, "reason": "Because",
            "regarding": { "kind": "Service", "name": "s", "namespace": namespace }, "type": "Normal",
            "note": "n".repeat(note),
        })
    };
    let path = "/apis/events.k8s.io/v1/namespaces/default/events";
    for (event, wanted) in [
        (event(1024, "Act", "default"), 201),
        (event(1025, "Act", "default"), 422),
        (event(10, "", "default"), 422),
        (event(10, "Act", "elsewhere"), 422),
        (event(10, "Act", ""), 201),
    ] {
        let (code, answer) = send(server.service(), "POST", path, "application/json", &event.to_string()).await;
        assert_eq!(code, wanted, "{answer}");
    }
}

//! Objects of Kubernetes, read.
#![cfg(feature = "k8s-openapi")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests fail like tests")]

use k8s_openapi::api::core::v1::{LoadBalancerIngress, Node as NodeObject, Service as ServiceObject};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use qcloud_container::kubernetes::load_balancers::{
    AddressMode, DeletePolicy, Endpoint, Family, Ingress, LbRef, LbSpec, Node, ReadContext, Service, TargetPort,
    annotations,
};
use serde_json::json;

#[test]
fn a_service() {
    let object: ServiceObject = serde_json::from_value(json!({
        "metadata": { "namespace": "ns", "name": "web", "uid": "u", "annotations": { "a": "b" } },
        "spec": {
            "type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 31000,
            "sessionAffinity": "ClientIP", "ipFamilies": ["IPv6", "IPv4"], "loadBalancerSourceRanges": ["10.0.0.0/8"],
            "allocateLoadBalancerNodePorts": false, "loadBalancerIP": "",
            "ports": [{ "name": "dns", "protocol": "UDP", "port": 53, "targetPort": "dns", "nodePort": 30053 }],
        },
    }))
    .unwrap();
    let service = Service::from(&object);
    assert!(service.wants_balancer && service.local_traffic && !service.has_node_ports);
    assert_eq!((service.affinity_seconds, service.health_check_node_port), (Some(10_800), Some(31000)));
    assert_eq!(service.families, [Family::V6, Family::V4]);
    assert_eq!(service.ports[0].target_port, TargetPort::Name("dns".into()));
    assert_eq!((service.ports[0].node_port, service.requested_address), (Some(30053), None));
    assert_eq!((service.key.to_string().as_str(), service.annotations["a"].as_str()), ("ns/web", "b"));
}

/// What a controller needs to give a balancer up stands also on a Service that wants none any more.
#[test]
fn a_service_that_is_being_deleted() {
    let of = |retain: &str| {
        let object: ServiceObject = serde_json::from_value(json!({
            "metadata": {
                "namespace": "ns", "name": "web", "uid": "u", "deletionTimestamp": "2026-01-01T00:00:00Z",
                "annotations": {
                    annotations::EXISTING_ID: " lb-1a2b3c4d ", annotations::RECORDED_ID: "lb-5e6f7a8b",
                    annotations::CROSS_REGION: "", annotations::BANDWIDTH: "nonsense", annotations::RETAIN: retain,
                },
            },
            "spec": { "type": "LoadBalancer" },
        }))
        .unwrap();
        Service::from(&object)
    };
    let service = of("");
    assert!(LbSpec::read(&service, &ReadContext::default()).unwrap().is_none());
    let reference = LbRef::of(&service);
    assert_eq!(reference, LbRef::new(service.key.clone()).with_existing("lb-1a2b3c4d").with_recorded("lb-5e6f7a8b"));
    // A doubtful wish to keep the balancer keeps it.
    for (retain, policy) in [
        ("", DeletePolicy::Delete),
        ("false", DeletePolicy::Delete),
        ("true", DeletePolicy::Retain),
        ("True", DeletePolicy::Retain),
    ] {
        assert_eq!(DeletePolicy::of(&of(retain)), policy, "{retain:?}");
    }
}

#[test]
fn a_node() {
    let node = |value: &str, taint: &str| {
        let object: NodeObject = serde_json::from_value(json!({
            "metadata": { "name": "n", "labels": {
                "topology.kubernetes.io/zone": "z1", "node.kubernetes.io/exclude-from-external-load-balancers": value } },
            "spec": { "providerID": "qcloud:///100003/ins-1a2b3c4d", "taints": [{ "key": taint, "effect": "NoSchedule" }] },
            "status": { "addresses": [
                { "type": "InternalIP", "address": "10.0.0.1" }, { "type": "Hostname", "address": "n" }] },
        }))
        .unwrap();
        Node::from(&object)
    };
    let good = node("false", "other");
    assert!(good.eligible);
    assert_eq!((good.instance_id.as_str(), good.zone.as_str(), good.addresses.len()), ("ins-1a2b3c4d", "z1", 1));
    assert!(!node("", "other").eligible);
    assert!(!node("true", "other").eligible);
    assert!(!node("false", "ToBeDeletedByClusterAutoscaler").eligible);
}

/// Only machines of this cloud become targets: one id that it does not know fails all that it comes with.
#[test]
fn machines_of_others_have_no_id() {
    let id = |text: &str| {
        let object: NodeObject = serde_json::from_value(json!({ "spec": { "providerID": text } })).unwrap();
        Node::from(&object).instance_id
    };
    for ours in ["qcloud:///100003/ins-1a2b3c4d", "tencentcloud:///ap-guangzhou-3/ins-1a2b3c4d"] {
        assert_eq!(id(ours), "ins-1a2b3c4d");
    }
    for foreign in ["k3s://node-1", "aws:///eu-1a/i-0123", "aws:///z/ins-1a2b3c4d", "ins-1a2b3c4d", "qcloud:///1/i-1"] {
        assert_eq!(id(foreign), "");
    }
}

#[test]
fn endpoint_slices() {
    let slice: EndpointSlice = serde_json::from_value(json!({
        "metadata": { "name": "web-1" }, "addressType": "IPv4", "ports": [{ "name": "http", "port": 8080 }],
        "endpoints": [
            { "addresses": ["172.16.0.1"], "nodeName": "n", "targetRef": { "kind": "Pod", "name": "web-0" } },
            { "addresses": ["172.16.0.2"], "conditions": { "ready": false, "serving": true, "terminating": true } },
            { "addresses": ["not an address"] },
        ],
    }))
    .unwrap();
    let endpoints = Endpoint::from_slices([&slice]);
    assert_eq!(endpoints.len(), 2);
    assert!(endpoints[0].ready && endpoints[0].serving && !endpoints[0].terminating);
    assert_eq!((endpoints[0].pod.as_deref(), endpoints[0].ports["http"]), (Some("web-0"), 8080));
    assert!(!endpoints[1].ready && endpoints[1].serving && endpoints[1].terminating);
}

#[test]
fn a_status() {
    let ip = LoadBalancerIngress::from(&Ingress::Address("1.2.3.4".parse().unwrap(), AddressMode::Proxy));
    assert_eq!((ip.ip.as_deref(), ip.ip_mode.as_deref()), (Some("1.2.3.4"), Some("Proxy")));
    let name = LoadBalancerIngress::from(&Ingress::Hostname("a.example".into()));
    assert_eq!((name.hostname.as_deref(), name.ip_mode), (Some("a.example"), None));
}

/// Where clients are led to now decides when a balancer that was replaced may go.
#[test]
fn a_published_status() {
    let address = |last: u8| Ingress::Address([1, 2, 3, last].into(), AddressMode::Proxy);
    let read = |ingress: serde_json::Value| {
        let object: ServiceObject = serde_json::from_value(json!({
            "metadata": { "namespace": "ns", "name": "web", "uid": "u" },
            "spec": { "type": "LoadBalancer", "ports": [{ "port": 80, "nodePort": 30080 }] },
            "status": { "loadBalancer": { "ingress": ingress } },
        }))
        .unwrap();
        LbSpec::read(&Service::from(&object), &ReadContext::default()).unwrap().unwrap()
    };
    // Old clusters do not keep the mode.
    assert!(read(json!([{ "ip": "1.2.3.4" }])).is_published(&[address(4)]));
    assert!(!read(json!([{ "ip": "1.2.3.4" }])).is_published(&[address(5)]));
    assert!(!read(json!([{ "ip": "1.2.3.4" }])).is_published(&[address(4), address(5)]));
    assert!(!read(json!(null)).is_published(&[address(4)]));
    let name = Ingress::Hostname("a.example".to_owned());
    assert!(read(json!([{ "hostname": "a.example" }])).is_published(&[name]));
    // It is no part of the wish.
    assert_eq!(read(json!([{ "ip": "1.2.3.4" }])).fingerprint(), read(json!(null)).fingerprint());
}

//! Which nodes and pods become targets.
#![cfg(feature = "kubernetes")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests fail like tests")]

use std::net::IpAddr;

use qcloud_container::kubernetes::load_balancers::{
    Endpoint, Family, LbLimits, LbSpec, ListenerKey, Node, Protocol, ReadContext, Service, ServiceKey, ServicePort,
    Target, TargetSet, annotations as names,
};
use qcloud_container::kubernetes::{ErrorKind, Result};

const HTTP: ListenerKey = ListenerKey { port: 80, protocol: Protocol::Tcp };

fn service() -> Service {
    Service::new(ServiceKey::new("ns", "web", "uid"), [ServicePort::tcp(80).with_node_port(30080)])
}

fn select(service: &Service, nodes: &[Node], endpoints: Option<&[Endpoint]>) -> Result<Vec<(Target, u16)>> {
    let spec = LbSpec::read(service, &ReadContext::default())?.unwrap();
    let set = TargetSet::select(&spec, nodes, endpoints, &LbLimits::new(50, 200))?;
    Ok(set.of(HTTP).unwrap().iter().map(|(target, weight)| (target.clone(), *weight)).collect())
}

fn nodes() -> Vec<Node> {
    ["a", "b", "c"].map(|name| Node::new(name, format!("ins-{name}")).with_label("name", name)).into()
}

fn pod(last: u8) -> Endpoint {
    Endpoint::new(IpAddr::from([172, 16, 0, last]), 8080)
}

#[test]
fn all_good_nodes_at_their_node_port() {
    let mut nodes = nodes();
    nodes[1].eligible = false;
    nodes.push(Node::new("unknown", ""));
    let got = select(&service(), &nodes, None).unwrap();
    assert_eq!(got, [(Target::instance("ins-a", 30080), 10), (Target::instance("ins-c", 30080), 10)]);
    let chosen = select(&service().with_annotation(names::BACKENDS_LABEL, "name!=a"), &nodes, None).unwrap();
    assert_eq!(chosen, [(Target::instance("ins-c", 30080), 10)]);
}

/// IPv6 balancers know machines by their addresses. One of another cloud has addresses too, and is no target.
#[test]
fn ipv6_traffic_goes_to_addresses_of_known_machines() {
    let mut service = service();
    service.families = vec![Family::V6];
    let six: IpAddr = "fd00::4".parse().unwrap();
    let nodes = [
        Node::new("both", "ins-a").with_address(IpAddr::from([10, 0, 0, 4])).with_address(six),
        Node::new("four", "ins-b").with_address(IpAddr::from([10, 0, 0, 5])),
        Node::new("foreign", "").with_address("fd00::6".parse().unwrap()),
    ];
    assert_eq!(select(&service, &nodes, None).unwrap(), [(Target::address(six, 30080), 10)]);
}

#[test]
fn a_missing_node_port_is_waited_for() {
    let mut service = service();
    service.ports[0].node_port = None;
    let error = select(&service, &nodes(), None).unwrap_err();
    assert_eq!((error.kind(), error.is_final()), (ErrorKind::Conflict, false));
}

#[test]
fn vip_mode_uses_the_port_of_the_service() {
    let mut service = service().with_annotation(names::MODE, "vip");
    service.has_node_ports = false;
    assert_eq!(select(&service, &nodes(), None).unwrap()[0].0, Target::instance("ins-a", 80));
}

#[test]
fn local_traffic_goes_where_pods_are() {
    let mut service = service();
    service.local_traffic = true;
    let pods = [pod(1).with_node("a"), pod(2).with_node("a"), pod(3).with_node("c"), pod(4).with_node("b").ending()];
    assert_eq!(select(&service, &nodes(), None).unwrap().len(), 3);
    let with_pods = select(&service, &nodes(), Some(&pods)).unwrap();
    assert_eq!(with_pods, [(Target::instance("ins-a", 30080), 10), (Target::instance("ins-c", 30080), 10)]);
    let weighted = service.clone().with_annotation(names::WEIGHT_BY_PODS, "true");
    let weighted = select(&weighted, &nodes(), Some(&pods)).unwrap();
    assert_eq!(weighted.iter().map(|(_, weight)| *weight).collect::<Vec<_>>(), [2, 1]);
    // When all pods end, those that still serve keep the traffic.
    let ending = [pod(4).with_node("b").ending()];
    let last = select(&service, &nodes(), Some(&ending)).unwrap();
    assert_eq!(last, [(Target::instance("ins-b", 30080), 10)]);
    let strict = service.with_annotation(names::ONLY_NODES_WITH_PODS, "true");
    assert!(select(&strict, &nodes(), None).is_err());
}

#[test]
fn direct_traffic_goes_to_pods_with_their_weights() {
    let service = service().with_annotation(names::DIRECT_ACCESS, "true");
    let mut heavy = pod(2);
    heavy.weight = Some(70);
    let mut unready = pod(4);
    (unready.ready, unready.serving) = (false, false);
    let six: IpAddr = "fd00::1".parse().unwrap();
    let pods = [pod(1), heavy, pod(3).ending(), unready, Endpoint::new(six, 8080)];
    let weights = |service: &Service, pods: &[Endpoint]| -> Vec<u16> {
        select(service, &[], Some(pods)).unwrap().into_iter().map(|(_, weight)| weight).collect()
    };
    assert_eq!(weights(&service, &pods), [10, 70]);
    assert_eq!(weights(&service.clone().with_annotation(names::GRACE_SHUTDOWN, "true"), &pods), [10, 70, 0]);
    let not_ready = service.clone().with_annotation(names::GRACE_SHUTDOWN_NOT_READY, "true");
    assert_eq!(weights(&not_ready, &pods), [10, 70, 0, 0]);
    assert!(select(&service, &[], None).is_err());

    let sets = r#"{"defaultWeight":5,"groups":[{"key":{"proto":"TCP","port":80},
        "statefulSets":[{"name":"db","weights":[{"weight":0,"podIndexes":[0]}]}]}]}"#;
    let service = service.with_annotation(names::LB_RS_WEIGHT, sets);
    assert_eq!(weights(&service, &[pod(1).with_pod("db-0"), pod(2).with_pod("db-1")]), [0, 5]);
}

#[test]
fn many_nodes_are_cut_down() {
    let nodes: Vec<Node> = (0..500).map(|n| Node::new(format!("n{n}"), format!("ins-{n}"))).collect();
    assert_eq!(select(&service(), &nodes, None).unwrap().len(), 50);
    assert_eq!(select(&service().with_annotation(names::SUBSET, "7"), &nodes, None).unwrap().len(), 7);
    assert_eq!(select(&service().with_annotation(names::SUBSET, "1000"), &nodes, None).unwrap().len(), 200);
}

//! A Service of type LoadBalancer, from its manifest to the pods behind it.

use std::net::Ipv4Addr;

use qcloud_container::kubernetes::load_balancers::{
    self as balancers, DeletePolicy, Endpoint, Ingress, LbSpec, ReadContext, Service, ServiceKey, ServicePort,
    TargetPort, TargetSet, annotations,
};
use qcloud_emulator::{Emulator, ReachedTarget};

use crate::Step;
use crate::account::Account;
use crate::cluster::Cluster;
use crate::nodes::Node;
use crate::patience::insist;

/// A Service that is served.
pub(crate) struct Served {
    spec: LbSpec,
    address: String,
}

pub(crate) async fn create(account: &Account, cluster: &Cluster, nodes: &[Node]) -> Step<Served> {
    account.title("A Service of type LoadBalancer");
    let port = ServicePort::tcp(80).with_node_port(30080).with_target_port(TargetPort::Number(8080));
    let service = Service::new(ServiceKey::new("default", "web", "b7c9e1d2-tour"), [port])
        .with_annotation(annotations::BANDWIDTH, "10")
        .with_annotation(annotations::TAGS, "made-by=tour");
    let mut spec = LbSpec::read(&service, &ReadContext::default())?.ok_or("the Service wants no balancer")?;

    let candidates: Vec<_> = nodes
        .iter()
        .map(|node| balancers::Node::new(&node.name, &node.machine.id).with_zone(&node.machine.zone))
        .collect();
    let mut endpoints = Vec::new();
    for node in nodes {
        endpoints.push(Endpoint::new(node.pod().parse()?, 8080).with_node(&node.name));
    }
    spec.targets = TargetSet::select(&spec, &candidates, Some(&endpoints), &cluster.balancers.limits())?;

    let status = insist("the load balancer", || cluster.balancers.ensure(&spec)).await?;
    let address = match status.ingress.first() {
        Some(Ingress::Address(address, _)) => address.to_string(),
        Some(Ingress::Hostname(name)) => name.clone(),
        _ => return Err("the balancer has no address".into()),
    };
    account.tell(&format!("{} is served by {} at {address}", spec.key, status.id));
    Ok(Served { spec, address })
}

/// Follows a connection to the Service: to a node's port, and from there over the routes to each pod. Only an emulator
/// can be asked that.
pub(crate) fn follow(account: &Account, emulator: &Emulator, served: &Served, nodes: &[Node]) -> Step {
    let mut entered = emulator.load_balancing(emulator.region()).reached_by_connection(&served.address, 80, "TCP");
    entered.sort_by(|one, other| one.address.cmp(&other.address));
    if entered.len() != nodes.len() {
        return Err(format!("{} of {} nodes are reached", entered.len(), nodes.len()).into());
    }
    for target in entered {
        let reached = pods_behind(emulator, &target, nodes)?;
        let (address, port) = (&served.address, target.port);
        account.tell(&format!("{address}:80 → {}:{port} → {}", target.address, reached.join(", ")));
    }
    Ok(())
}

/// The pods that a node forwards what comes in at its node port to, as kube-proxy does: any pod of the Service.
fn pods_behind(emulator: &Emulator, entered: &ReachedTarget, nodes: &[Node]) -> Step<Vec<String>> {
    let from = entered.instance_id.as_deref().ok_or("a target is no machine")?;
    let mut reached = Vec::new();
    for node in nodes {
        let pod: Ipv4Addr = node.pod().parse()?;
        // A pod of the node itself is behind its bridge, the others behind a route of the network.
        let runs_here = node.machine.id == from;
        let route = emulator.serving_route(from, pod);
        let hops = route.iter().flat_map(|route| &route.next_hops);
        let leads = hops.filter(|hop| hop.running).any(|hop| hop.instance.as_ref() == Some(&node.machine.id));
        if !runs_here && !leads {
            return Err(format!("the pod {pod} on {} is not reached from {from}", node.name).into());
        }
        reached.push(format!("{pod}:8080"));
    }
    Ok(reached)
}

pub(crate) async fn delete(account: &Account, cluster: &Cluster, served: &Served) -> Step {
    let reference = served.spec.reference();
    insist("the load balancer goes", || cluster.balancers.delete(&reference, DeletePolicy::Delete)).await?;
    account.tell(&format!("the balancer of {} is gone", served.spec.key));
    Ok(())
}

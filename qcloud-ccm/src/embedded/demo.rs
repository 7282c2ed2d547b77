//! `--emulator --demo`: everything once, with an account of it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::FutureExt;
use qcloud_cvm::instance::{StartInstances, StopInstances, TerminateInstances};
use qcloud_emulator::Emulator;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::Outcome;
use super::account::{chapter, tell, wait_for};
use super::stage::Stage;
use crate::cli::Arguments;
use crate::program;

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(120);
const UNINITIALIZED: &str = "node.cloudprovider.kubernetes.io/uninitialized";
const SHUTDOWN: &str = "node.cloudprovider.kubernetes.io/shutdown";

/// Runs it.
pub(super) async fn run(mut arguments: Arguments) -> Outcome {
    chapter("The stage");
    let stage = Stage::set_up().await?;
    tell(&format!("an emulated QCloud listens on {}", stage.cloud.endpoint()));
    tell(&format!("a Kubernetes API server listens on {}", stage.api_server.url()));
    for (machine, node) in stage.machines.iter().zip(stage.nodes()) {
        let address = machine.private_ip_addresses.first().map_or("", String::as_str);
        tell(&format!("machine {} at {address} has registered as {}", machine.instance_id, name(&node)));
    }

    arguments.bind_address = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut cloud = stage.cloud_config();
    // Two looks at a machine that is gone, a minute apart, would make the demo long.
    cloud.grace_seconds = Some(10);
    let (stop, stopped) = oneshot::channel::<()>();
    let client = stage.client();
    let mut working = std::pin::pin!(program::serve(&arguments, &cloud, client, stopped.map(drop)).fuse());
    let playing = async {
        play(&stage).await?;
        chapter("The end");
        let _ = stop.send(());
        Ok(())
    };
    tokio::pin!(playing);
    // Neither goes on without the other when it fails.
    tokio::select! {
        played = &mut playing => {
            let played: Outcome = played;
            played?;
            working.await?;
        }
        worked = &mut working => return Err(worked.err().unwrap_or_else(|| "the controllers have stopped".into())),
    }
    let lease = stage.api.list("coordination.k8s.io/v1", "Lease").into_iter().next().unwrap_or_default();
    let holder = text(&lease, "/spec/holderIdentity");
    tell(if holder.is_empty() {
        "the controllers have stopped and given the lease up"
    } else {
        "the lease is still held"
    });
    let calls = stage.cloud.calls();
    tell(&format!("the cloud was called {} times", calls.total()));
    Ok(())
}

async fn play(stage: &Stage) -> Outcome {
    nodes(stage).await?;
    routes(stage).await?;
    let address = service(stage).await?;
    stopped_machine(stage).await?;
    terminated_machine(stage, &address).await?;
    service_deleted(stage, &address).await
}

async fn nodes(stage: &Stage) -> Outcome {
    chapter("Nodes are initialised");
    let nodes = wait_for("the nodes are initialised", PATIENCE, || {
        let nodes = stage.nodes();
        nodes.iter().all(|node| !has_taint(node, UNINITIALIZED)).then_some(nodes)
    });
    for node in nodes.await? {
        let label = |name: &str| text(&node, &format!("/metadata/labels/{}", name.replace('/', "~1"))).to_owned();
        let (zone, kind) = (label("topology.kubernetes.io/zone"), label("node.kubernetes.io/instance-type"));
        let id = text(&node, "/spec/providerID");
        let address = |address| [text(address, "/type"), text(address, "/address")].join(" ");
        let addresses: Vec<String> = items(&node, "/status/addresses").map(address).collect();
        tell(&format!("{}: {id}, {kind} in {zone}; {}", name(&node), addresses.join(", ")));
    }
    Ok(())
}

async fn routes(stage: &Stage) -> Outcome {
    chapter("Pods get routes");
    wait_for("all nodes have routes", PATIENCE, || {
        let there = |node: &Value| condition(node, "NetworkUnavailable") == Some("False");
        stage.nodes().iter().all(there).then_some(())
    })
    .await?;
    let from = stage.machines.first().map_or("", |machine| machine.instance_id.as_str());
    for (place, node) in stage.nodes().iter().enumerate() {
        let pod = Ipv4Addr::new(172, 16, u8::try_from(place + 1)?, 10);
        let route = stage.emulator().serving_route(from, pod);
        let route = route.ok_or_else(|| format!("{pod} is not reached from {from}"))?;
        let hop = route.next_hops.first().and_then(|hop| hop.instance.clone()).unwrap_or_default();
        tell(&format!("{}: a packet to pod {pod} goes to {hop}, by the route to {}", name(node), route.destination));
    }
    Ok(())
}

async fn service(stage: &Stage) -> Outcome<String> {
    chapter("A Service of type LoadBalancer is served");
    stage.api.put(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "type": "LoadBalancer",
            "selector": {"app": "web"},
            "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080, "nodePort": 30_080}],
        },
    }))?;
    let address = wait_for("the Service has an address", PATIENCE, || {
        let service = stage.api.get("v1", "Service", "default", "web")?;
        Some(service.pointer("/status/loadBalancer/ingress/0/ip")?.as_str()?.to_owned())
    });
    let address = address.await?;
    tell(&format!("its address is {address}"));
    let reached = wait_for("the address leads to all nodes", PATIENCE, || {
        let reached = reached(stage, &address);
        (reached.len() == stage.machines.len()).then_some(reached)
    });
    for target in reached.await? {
        tell(&format!("a connection to {address}:80 may reach {target}"));
    }
    let mut events = stage.api.list("events.k8s.io/v1", "Event");
    events.sort_by_cached_key(|event| text(event, "/eventTime").to_owned());
    for event in events {
        if text(&event, "/regarding/kind") == "Service" {
            tell(&format!("event {}: {}", text(&event, "/reason"), text(&event, "/note")));
        }
    }
    Ok(address)
}

async fn stopped_machine(stage: &Stage) -> Outcome {
    chapter("A machine is stopped, and started again");
    let id = stage.machine(1)?;
    stage.cvm.stop_instances(StopInstances::new([&*id])).await?;
    stage.set_ready("node-2", "Unknown")?;
    tell(&format!("{id} is stopped, and the kubelet of node-2 is silent"));
    wait_for("the node is tainted", PATIENCE, || has_taint(&stage.node("node-2")?, SHUTDOWN).then_some(())).await?;
    tell(&format!("node-2 has the taint {SHUTDOWN}"));
    stage.cvm.wait_for_instances([&id], qcloud_cvm::wait::is_stopped()).await?;
    stage.cvm.start_instances(StartInstances::new([&*id])).await?;
    stage.set_ready("node-2", "True")?;
    wait_for("the taint is gone", PATIENCE, || (!has_taint(&stage.node("node-2")?, SHUTDOWN)).then_some(())).await?;
    tell("started again: the taint is gone");
    Ok(())
}

async fn terminated_machine(stage: &Stage, address: &str) -> Outcome {
    chapter("A machine is terminated");
    let id = stage.machine(2)?;
    stage.cvm.terminate_instances(TerminateInstances::new([&*id])).await?;
    stage.set_ready("node-3", "Unknown")?;
    tell(&format!("{id} is terminated, and the kubelet of node-3 is silent"));
    wait_for("the node is deleted", PATIENCE, || stage.node("node-3").is_none().then_some(())).await?;
    let events = stage.api.list("events.k8s.io/v1", "Event");
    let event = events.iter().find(|event| text(event, "/reason") == "DeletingNode");
    tell(&format!("node-3 is gone; event: {}", event.map_or("", |event| text(event, "/note"))));
    let left = wait_for("the balancer leaves it out", PATIENCE, || {
        let reached = reached(stage, address);
        (reached.len() == 2).then_some(reached)
    });
    tell(&format!("a connection to {address}:80 may reach {}", left.await?.join(" or ")));
    Ok(())
}

async fn service_deleted(stage: &Stage, address: &str) -> Outcome {
    chapter("The Service is deleted");
    stage.api.delete("v1", "Service", "default", "web");
    let gone = || stage.api.get("v1", "Service", "default", "web").is_none().then_some(());
    wait_for("the Service is gone", PATIENCE, gone).await?;
    let reached = reached(stage, address);
    if !reached.is_empty() {
        return Err(format!("{address} still leads to {}", reached.join(", ")).into());
    }
    let left = stage.balancers().await?;
    tell(&format!("it is gone, its balancer with it: there are {left} left, and {address} leads nowhere"));
    Ok(())
}

/// What a connection to port 80 of an address may reach.
fn reached(stage: &Stage, address: &str) -> Vec<String> {
    let balancing = stage.emulator().load_balancing(stage.cloud.region());
    let mut reached: BTreeMap<String, u16> = BTreeMap::new();
    for target in balancing.reached_by_connection(address, 80, "TCP") {
        reached.insert(target.instance_id.unwrap_or(target.address), target.port);
    }
    reached.into_iter().map(|(machine, port)| format!("{machine}:{port}")).collect()
}

impl Stage {
    fn emulator(&self) -> &Emulator {
        self.cloud.emulator()
    }

    fn nodes(&self) -> Vec<Value> {
        self.api.list("v1", "Node")
    }

    fn node(&self, name: &str) -> Option<Value> {
        self.api.get("v1", "Node", "", name)
    }

    fn machine(&self, place: usize) -> Outcome<String> {
        let machine = self.machines.get(place).ok_or("the cloud made too few machines")?;
        Ok(machine.instance_id.clone())
    }

    /// What the kubelet, or in its place the controller that misses it, says of a node.
    fn set_ready(&self, node: &str, status: &str) -> Outcome {
        self.api.edit("v1", "Node", "", node, |node| {
            let conditions = node.pointer_mut("/status/conditions").and_then(Value::as_array_mut);
            for condition in conditions.into_iter().flatten() {
                if text(condition, "/type") == "Ready"
                    && let Some(stated) = condition.get_mut("status")
                {
                    *stated = status.into();
                }
            }
        })?;
        Ok(())
    }
}

/// The text at a place in an object, or an empty one.
fn text<'v>(object: &'v Value, place: &str) -> &'v str {
    object.pointer(place).and_then(Value::as_str).unwrap_or_default()
}

fn items<'v>(object: &'v Value, place: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    object.pointer(place).and_then(Value::as_array).into_iter().flatten()
}

fn name(node: &Value) -> &str {
    text(node, "/metadata/name")
}

fn has_taint(node: &Value, key: &str) -> bool {
    items(node, "/spec/taints").any(|taint| text(taint, "/key") == key)
}

fn condition<'n>(node: &'n Value, name: &str) -> Option<&'n str> {
    let condition = items(node, "/status/conditions").find(|condition| text(condition, "/type") == name)?;
    Some(text(condition, "/status"))
}

//! The nodes of a cluster.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::clusters::Cluster;
use super::faults::TOO_MANY_NODES;
use super::lifecycle::{self, Event};
use crate::clock::Time;
use crate::error::ApiError;
use crate::settings::{Quota, Task};
use crate::world::Local;

/// A node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Node {
    pub(super) instance: String,
    /// The name of a native node, such as `np-5tx2l4dc-hbbv6`.
    pub(super) machine: Option<String>,
    pub(super) role: String,
    pub(super) state: NodeState,
    /// Why the node failed, or what its initialization is doing.
    pub(super) reason: String,
    pub(super) address: String,
    pub(super) pool: Option<String>,
    /// Whether its pool made it; otherwise it was added by hand.
    pub(super) scaled: bool,
    /// As the older version of the API shows them.
    pub(super) settings: Value,
    pub(super) created: Time,
}

/// The state of a node in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum NodeState {
    Initializing,
    Running,
    Failed,
}

impl NodeState {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Initializing => "initializing",
            Self::Running => "running",
            Self::Failed => "failed",
        }
    }
}

/// What a node is to be, beside its instance.
#[derive(Clone, Debug)]
pub(super) struct NewNode {
    pub(super) role: String,
    pub(super) pool: Option<String>,
    pub(super) scaled: bool,
    pub(super) native: bool,
    pub(super) settings: Value,
}

impl NewNode {
    /// A node that runs pods, added by hand.
    pub(super) fn worker(settings: Value) -> Self {
        Self { role: "WORKER".to_owned(), pool: None, scaled: false, native: false, settings }
    }
}

impl Node {
    pub(super) fn is_worker(&self) -> bool {
        self.role == "WORKER"
    }

    pub(super) fn is_unschedulable(&self) -> bool {
        self.settings.get("Unschedulable").and_then(Value::as_i64).unwrap_or_default() != 0
    }
}

/// The Kubernetes settings of a node as answers show them, from what a request gives.
pub(super) fn settings(given: Option<&Value>) -> Value {
    let empty = Map::new();
    let given = given.and_then(Value::as_object).unwrap_or(&empty);
    let or = |name: &str, default: Value| given.get(name).filter(|value| !value.is_null()).cloned().unwrap_or(default);
    let flags = given.get("ExtraArgs").and_then(|flags| flags.get("Kubelet")).cloned();
    json!({
        "DesiredPodNumber": or("DesiredPodNumber", json!(0)),
        "GPUArgs": null,
        "PreStartUserScript": or("PreStartUserScript", json!("")),
        "Taints": taints(given.get("Taints")),
        "MountTarget": or("MountTarget", json!("")),
        "DockerGraphPath": or("DockerGraphPath", json!("/var/lib/docker")),
        "UserScript": or("UserScript", json!("")),
        "Unschedulable": or("Unschedulable", json!(0)),
        "Labels": or("Labels", json!([])),
        "DataDisks": or("DataDisks", json!([])),
        "ExtraArgs": { "Kubelet": flags.filter(Value::is_array).unwrap_or_else(|| json!([])) },
    })
}

/// Taints as answers show them: with all of their members.
pub(super) fn taints(given: Option<&Value>) -> Value {
    let given = given.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |taint: &Value, name: &str| taint.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let show = |taint: &Value| json!({ "Key": text(taint, "Key"), "Value": text(taint, "Value"), "Effect": text(taint, "Effect") });
    given.iter().map(show).collect()
}

/// Checks that a cluster may have so many more nodes. `ignoring` leaves out whether their pods have addresses.
pub(super) fn check_room(here: &Local<'_>, cluster: &Cluster, more: usize, ignoring: bool) -> Result<(), ApiError> {
    let wanted = cluster.nodes.len().saturating_add(more);
    let limit = here.settings.limit(Quota::NodesPerCluster);
    if wanted > limit {
        let message = format!(
            "The cluster `{}` has {} nodes; {more} more would exceed its quota of {limit}.",
            cluster.id,
            cluster.nodes.len()
        );
        return TOO_MANY_NODES.refuse(here, message);
    }
    match cluster.network.most_nodes().and_then(|most| usize::try_from(most).ok()) {
        Some(most) if wanted > most && !ignoring => {
            let message = format!(
                "The network of the cluster `{}` has room for the pods of {most} nodes with {} pods each: add another \
                 network with AddClusterCIDR.",
                cluster.id, cluster.network.pods_per_node
            );
            TOO_MANY_NODES.refuse(here, message)
        }
        _ => Ok(()),
    }
}

/// Makes an instance, which runs at a given time, a node that initializes from then on.
pub(super) fn join(here: &mut Local<'_>, cluster_id: &str, instance: &str, new: NewNode, runs_at: Time) {
    let machine = new.pool.as_ref().filter(|_| new.native).map(|pool| {
        let word = here.ids.new_word(5).to_ascii_lowercase();
        format!("{pool}-{word}")
    });
    let address = here.region.cvm.instances.get(instance).map(|instance| instance.address().to_owned());
    let Some(cluster) = here.region.tke.clusters.get_mut(cluster_id) else { return };
    let node = Node {
        instance: instance.to_owned(),
        machine,
        role: new.role,
        state: NodeState::Initializing,
        reason: "The node is being initialized.".to_owned(),
        address: address.unwrap_or_default(),
        pool: new.pool,
        scaled: new.scaled,
        settings: new.settings,
        created: here.now,
    };
    cluster.nodes.insert(instance, node);
    let at = runs_at.after(here.settings.duration(Task::NodeInitialize));
    let event = Event::NodeIsReady { cluster: cluster_id.to_owned(), instance: instance.to_owned(), joined: here.now };
    lifecycle::plan(here, at, event);
}

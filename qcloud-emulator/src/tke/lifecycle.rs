//! What happens to clusters, nodes and node pools in the course of time.

use serde::{Deserialize, Serialize};

use super::clusters::ClusterState;
use super::endpoints::{self, Side};
use super::nodes::NodeState;
use super::pools::{self, PoolState};
use super::scaling;
use crate::clock::Time;
use crate::cvm::{self, InstanceState};
use crate::settings::Task;
use crate::world::{Event as WorldEvent, Local};

/// Something that was begun comes to its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Event {
    ClusterIsReady {
        cluster: String,
    },
    ClusterIsGone {
        cluster: String,
    },
    /// Void when the instance left the cluster, or joined it anew.
    NodeIsReady {
        cluster: String,
        instance: String,
        joined: Time,
    },
    PoolIsReady {
        cluster: String,
        pool: String,
    },
    /// Brings the pool to the size that it is to have by then. Another try is void when a later change was planned.
    PoolScales {
        cluster: String,
        pool: String,
        change: u64,
        /// How often it could not be done.
        failures: u32,
    },
    PoolIsGone {
        cluster: String,
        pool: String,
    },
    EndpointIsSwitched {
        cluster: String,
        side: Side,
        began: Time,
    },
}

/// Plans an event.
pub(super) fn plan(here: &mut Local<'_>, at: Time, event: Event) {
    here.plan(at, WorldEvent::Tke(event));
}

/// Plans an event for when a task that begins now is done.
pub(super) fn plan_after(here: &mut Local<'_>, task: Task, event: Event) {
    let at = here.now.after(here.settings.duration(task));
    plan(here, at, event);
}

/// Lets something come to its end.
pub(crate) fn happen(here: &mut Local<'_>, event: Event) {
    match event {
        Event::ClusterIsReady { cluster } => {
            if let Some(cluster) = here.region.tke.clusters.get_mut(&cluster)
                && cluster.state == ClusterState::Creating
            {
                cluster.state = ClusterState::Running;
            }
        }
        Event::ClusterIsGone { cluster } => {
            here.region.tke.clusters.remove(&cluster);
        }
        Event::NodeIsReady { cluster, instance, joined } => node_is_ready(here, &cluster, &instance, joined),
        Event::PoolIsReady { cluster, pool } => {
            let Some(found) = pools::find_mut(here, &cluster, &pool) else { return };
            if found.state == PoolState::Creating {
                found.state = PoolState::Normal;
                scaling::plan(here, &cluster, &pool);
            }
        }
        Event::PoolScales { cluster, pool, change, failures } => {
            scaling::scale(here, &cluster, &pool, change, failures)
        }
        Event::PoolIsGone { cluster, pool } => {
            if let Some(cluster) = here.region.tke.clusters.get_mut(&cluster) {
                cluster.pools.remove(&pool);
            }
        }
        Event::EndpointIsSwitched { cluster, side, began } => endpoints::switched(here, &cluster, side, began),
    }
}

fn node_is_ready(here: &mut Local<'_>, cluster: &str, id: &str, joined: Time) {
    let clusters = &here.region.tke.clusters;
    let node = clusters.get(cluster).and_then(|cluster| cluster.nodes.get(id));
    if node.is_none_or(|node| node.created != joined || node.state != NodeState::Initializing) {
        return;
    }
    let instance = here.region.cvm.instances.get(id).map(|instance| instance.state);
    let failed = here.fails(Task::NodeInitialize);
    let cluster = here.region.tke.clusters.get_mut(cluster);
    let Some(node) = cluster.and_then(|cluster| cluster.nodes.get_mut(id)) else { return };
    if failed {
        node.state = NodeState::Failed;
        node.reason = "The initialization failed: the emulator was told so.".to_owned();
    } else if instance == Some(InstanceState::Running) {
        node.state = NodeState::Running;
        node.reason.clear();
    } else {
        node.state = NodeState::Failed;
        let state = instance.map_or("gone", InstanceState::name);
        node.reason = format!("The instance was {state} when its initialization was to end.");
    }
}

/// Takes note of an instance that is gone. Its node fails; one of a node pool leaves the pool, which replaces it.
pub(crate) fn instance_is_gone(here: &mut Local<'_>, id: &str) {
    let Some(cluster) = here.region.tke.clusters.values_mut().find(|cluster| cluster.nodes.contains(id)) else {
        return;
    };
    let cluster_id = cluster.id.clone();
    let pool = cluster.nodes.get(id).and_then(|node| node.pool.clone());
    match pool {
        Some(pool) => {
            cluster.nodes.remove(id);
            scaling::plan(here, &cluster_id, &pool);
        }
        None => {
            if let Some(node) = cluster.nodes.get_mut(id) {
                node.state = NodeState::Failed;
                node.reason = "The instance is gone.".to_owned();
            }
        }
    }
}

/// Takes instances out of a cluster, and destroys them or not.
pub(super) fn remove_nodes(here: &mut Local<'_>, cluster: &str, instances: &[String], destroying: bool) {
    for id in instances {
        if let Some(cluster) = here.region.tke.clusters.get_mut(cluster) {
            cluster.nodes.remove(id);
        }
        let present = here.region.cvm.instances.get(id);
        if present.is_some_and(|instance| destroying && instance.state != InstanceState::Terminating) {
            cvm::destroy(here, id);
        }
    }
}

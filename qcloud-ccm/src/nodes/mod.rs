//! Nodes: what a cloud-controller-manager knows better than a kubelet.
//!
//! | when | what is looked up | calls, with the QCloud adapter |
//! |---|---|---|
//! | a node has the taint `uninitialized` | its machine | one for up to 100 nodes |
//! | every 5 seconds | the machines of nodes that are not ready | one for up to 100 nodes, none for what is known |
//! | every 5 minutes | all machines | one page for 100 machines |
//!
//! What is found is handed to [`plan`], which says what to change of the node. A node is deleted only when it is not ready
//! and its machine is proven not to exist.

mod patch;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{DeleteParams, Preconditions};
use qcloud_container::kubernetes::instances::{
    Absence, Instance, Instances, Lookup, NodeOp, NodePlan, NodeRecord, NodeRef, SHUTDOWN_TAINT, UNINITIALIZED_TAINT,
    plan,
};
use tokio::time::MissedTickBehavior;

use crate::cache::Change;
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::events::{Events, reference};
use crate::queue::{Next, Pauses, Queue};

/// How many nodes are written at once.
const WRITES: usize = 16;
/// How often a write is tried against a node that someone else keeps changing.
const CONFLICTS: usize = 5;

/// What can be set about nodes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// How many nodes are initialised at once. Their lookups share calls, so it is 100 by default.
    pub workers: usize,
    /// How often the nodes that are not ready are looked at. 5 s by default.
    pub monitor: Duration,
    /// How often all nodes are compared with their machines. 5 min by default.
    pub refresh: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { workers: 100, monitor: Duration::from_secs(5), refresh: Duration::from_secs(300) }
    }
}

/// Initialises nodes, keeps their addresses up to date, taints them when their machines are shut down, and deletes them
/// when their machines are gone.
pub struct Controller {
    cluster: Arc<Cluster>,
    instances: Arc<dyn Instances>,
    options: Options,
    events: Events,
    api: Api<Node>,
}

impl std::fmt::Debug for Controller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Controller").field("options", &self.options).finish_non_exhaustive()
    }
}

/// What a node was last said not to succeed with, by its uid, so that it is said once.
type Said = HashMap<String, String>;

impl Controller {
    /// A controller of the nodes of a cluster.
    #[must_use]
    pub fn new(cluster: Arc<Cluster>, instances: Arc<dyn Instances>, options: Options) -> Self {
        let events = cluster.events.of("node-controller");
        let api = Api::all(cluster.client.clone());
        Self { cluster, instances, options, events, api }
    }

    /// Runs until it is dropped.
    pub async fn run(self) {
        self.cluster.nodes.ready().await;
        let this = Arc::new(self);
        tokio::join!(Arc::clone(&this).initialize(), this.monitor(), this.refresh());
    }

    /// Initialises the nodes that no cloud controller has seen yet.
    async fn initialize(self: Arc<Self>) {
        let queue = Queue::counted("nodes", Pauses::default(), &self.cluster.metrics);
        let feed = async {
            let mut changes = self.cluster.nodes.changes();
            while let Some(change) = changes.next().await {
                if let Change::Applied(node) = change
                    && has_taint(&node, UNINITIALIZED_TAINT)
                    && let Some(name) = node.metadata.name.clone()
                {
                    queue.add(name);
                }
            }
        };
        let reconcile = |name: String| Arc::clone(&self).initialize_one(name);
        tokio::join!(feed, queue.work(self.options.workers, reconcile));
    }

    async fn initialize_one(self: Arc<Self>, name: String) -> Result<Next> {
        let Some(node) = self.cluster.nodes.get(None, &name) else { return Ok(Next::Done) };
        if is_being_deleted(&node) || !has_taint(&node, UNINITIALIZED_TAINT) {
            return Ok(Next::Done);
        }
        let lookup = self.instances.lookup_one(&NodeRef::from(&*node)).await;
        let result = self.bring(&node, lookup).await;
        if let Err(error) = &result
            && !error.is_conflict()
            && !error.is_gone()
        {
            let note = format!("the node can't be initialised: {error}");
            self.events.warning(&reference(&*node), "InitializationFailed", note).await;
        }
        result.map(|()| Next::Done)
    }

    /// Looks after the nodes that are not ready, all in one lookup, and frees those that are back of their taint.
    async fn monitor(&self) {
        let mut said = Said::new();
        let mut ticks = tokio::time::interval(self.options.monitor);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let mut nodes = self.initialized();
            nodes.retain(|node| !NodeRecord::from(&**node).ready || has_taint(node, SHUTDOWN_TAINT));
            let seen = |uid: &String| nodes.iter().any(|node| node.metadata.uid.as_ref() == Some(uid));
            said.retain(|uid, _| seen(uid));
            self.compare(nodes, &mut said).await;
        }
    }

    /// Compares all nodes with their machines.
    async fn refresh(&self) {
        let mut said = Said::new();
        let mut ticks = tokio::time::interval(self.options.refresh);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // What a sweep has seen is answered without a call by the lookup after it.
            if let Err(error) = self.instances.list().await {
                tracing::warn!("the machines can't be listed: {error}");
                continue;
            }
            let nodes = self.initialized();
            let seen = |uid: &String| nodes.iter().any(|node| node.metadata.uid.as_ref() == Some(uid));
            said.retain(|uid, _| seen(uid));
            self.compare(nodes, &mut said).await;
        }
    }

    fn initialized(&self) -> Vec<Arc<Node>> {
        let mut nodes = self.cluster.nodes.all();
        nodes.retain(|node| !is_being_deleted(node) && !has_taint(node, UNINITIALIZED_TAINT));
        nodes
    }

    async fn compare(&self, nodes: Vec<Arc<Node>>, said: &mut Said) {
        if nodes.is_empty() {
            return;
        }
        let references: Vec<NodeRef> = nodes.iter().map(|node| NodeRef::from(&**node)).collect();
        let lookups = self.instances.lookup(&references).await;
        let mut brought = stream::iter(nodes.into_iter().zip(lookups))
            .map(|(node, lookup)| async move {
                let result = self.bring(&node, lookup).await;
                (node, result)
            })
            .buffer_unordered(WRITES);
        while let Some((node, result)) = brought.next().await {
            let uid = node.metadata.uid.clone().unwrap_or_default();
            match result {
                Ok(()) => drop(said.remove(&uid)),
                Err(error) if error.is_waiting() || error.is_conflict() => {
                    tracing::debug!(node = name(&node), "{error}")
                }
                Err(error) => {
                    let text = error.to_string();
                    if said.get(&uid) == Some(&text) {
                        continue;
                    }
                    tracing::warn!(node = name(&node), "{text}");
                    if matches!(&error, Error::Provider(error) if error.is_final()) {
                        self.events.warning(&reference(&*node), "MachineUnclear", &text).await;
                    }
                    said.insert(uid, text);
                }
            }
        }
    }

    /// Brings a node to what a lookup of its machine means for it.
    async fn bring(&self, node: &Node, lookup: Lookup<Instance>) -> Result<()> {
        let (instance, absence) = match &lookup {
            Lookup::Found(instance) => (Some(instance.clone()), None),
            Lookup::NotFound(absence) => (None, Some(*absence)),
            Lookup::Unknown(_) => (None, None),
        };
        let NodePlan { ops, obstacle, .. } = plan(&NodeRecord::from(node), lookup)?;
        match (instance, absence) {
            (Some(instance), _) => self.change(node, ops, instance).await?,
            (None, Some(absence)) if ops.contains(&NodeOp::Delete) => self.delete(node, absence).await?,
            _ => {}
        }
        obstacle.map_or(Ok(()), |error| Err(error.into()))
    }

    async fn change(&self, node: &Node, mut ops: Vec<NodeOp>, instance: Instance) -> Result<()> {
        let mut current = None;
        for _ in 0..CONFLICTS {
            if ops.is_empty() {
                return Ok(());
            }
            match patch::apply(&self.api, current.as_ref().unwrap_or(node), &ops).await {
                Ok(()) => {
                    self.announce(node, &ops, &instance).await;
                    return Ok(());
                }
                Err(error) if error.is_gone() => return Ok(()),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error),
            }
            let Some(now) = self.api.get_opt(name(node)).await? else { return Ok(()) };
            if now.metadata.uid != node.metadata.uid {
                return Ok(());
            }
            ops = plan(&NodeRecord::from(&now), Lookup::Found(instance.clone()))?.ops;
            current = Some(now);
        }
        let reason = format!("the node {} changes faster than it can be written", name(node));
        Err(Error::Later { reason, after: Duration::from_secs(1) })
    }

    async fn announce(&self, node: &Node, ops: &[NodeOp], instance: &Instance) {
        let about = reference(node);
        for op in ops {
            let (reason, note) = match op {
                NodeOp::RemoveTaint(taint) if *taint == UNINITIALIZED_TAINT => {
                    let Instance { id, instance_type, zone, .. } = instance;
                    ("NodeInitialized", format!("the node runs on the machine {id} ({instance_type}) in {zone}"))
                }
                NodeOp::RemoveTaint(_) => ("NodeStarted", format!("the machine {} runs again", instance.id)),
                NodeOp::AddTaint(_) => ("NodeShutdown", format!("the machine {} is shut down", instance.id)),
                _ => continue,
            };
            tracing::info!(node = name(node), reason, "{note}");
            self.events.normal(&about, reason, note).await;
        }
    }

    async fn delete(&self, node: &Node, absence: Absence) -> Result<()> {
        let note = format!("the node is deleted, since its machine does not exist: {absence}");
        tracing::info!(node = name(node), "{note}");
        self.events.normal(&reference(node), "DeletingNode", note).await;
        // If the node has changed since, it may be another one of that name, or be ready again.
        let preconditions =
            Preconditions { uid: node.metadata.uid.clone(), resource_version: node.metadata.resource_version.clone() };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        match self.api.delete(name(node), &params).await.map_err(Error::from) {
            Err(error) if !error.is_gone() => Err(error),
            _ => Ok(()),
        }
    }
}

fn name(node: &Node) -> &str {
    node.metadata.name.as_deref().unwrap_or_default()
}

fn is_being_deleted(node: &Node) -> bool {
    node.metadata.deletion_timestamp.is_some()
}

fn has_taint(node: &Node, key: &str) -> bool {
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_ref());
    taints.into_iter().flatten().any(|taint| taint.key == key)
}

//! Changes of nodes: gathered for a moment, then handed on to the Services whose targets really change.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::Node as NodeObject;
use qcloud_container::kubernetes::load_balancers::Node;
use tokio::time::Instant;

use super::claim::Claim;
use super::{Controller, Name};
use crate::cache::Change;

/// Of the time that it takes to look at all Services, how many times as much is left for other work before the next look.
const REST: u32 = 20;

/// The nodes as all passes see them, by name.
#[derive(Debug, Default)]
pub(super) struct Nodes(RwLock<Arc<[Node]>>);

impl Nodes {
    pub(super) fn now(&self) -> Arc<[Node]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes over all nodes of the cache.
    pub(super) fn fill(&self, objects: &[Arc<NodeObject>]) {
        self.set(objects.iter().map(|object| Node::from(&**object)).collect());
    }

    fn set(&self, mut nodes: Vec<Node>) {
        nodes.sort_by(|one, other| one.name.cmp(&other.name));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = nodes.into();
    }

    /// Takes over changes; `None` is a node that is gone.
    fn update(&self, mut changes: BTreeMap<String, Option<Node>>) {
        let now = self.now();
        let mut nodes: Vec<Node> = Vec::with_capacity(now.len());
        for node in now.iter() {
            nodes.extend(changes.remove(&node.name).unwrap_or_else(|| Some(node.clone())));
        }
        nodes.extend(changes.into_values().flatten());
        self.set(nodes);
    }
}

/// Notes a change of a node, if it is one for targets.
fn note(nodes: &Nodes, changes: &mut BTreeMap<String, Option<Node>>, change: &Change<NodeObject>) {
    let node = Node::from(&**change.object());
    let name = node.name.clone();
    let node = matches!(change, Change::Applied(_)).then_some(node);
    let now = nodes.now();
    let seen = || now.binary_search_by(|seen| seen.name.cmp(&name)).ok().and_then(|at| now.get(at));
    match changes.get(&name) {
        Some(noted) if *noted == node => {}
        None if seen() == node.as_ref() => {}
        _ => drop(changes.insert(name, node)),
    }
}

impl Controller {
    /// Follows the nodes. Most changes of a node, such as the signs of life of its kubelet, change no target.
    pub(super) async fn follow_nodes(&self) {
        let mut events = self.cluster.nodes.changes();
        let mut changes = BTreeMap::new();
        let mut window: Option<Instant> = None;
        let mut rested = Instant::now();
        loop {
            let end = async {
                match window {
                    Some(end) => tokio::time::sleep_until(end).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = end => {
                    window = None;
                    self.nodes.update(std::mem::take(&mut changes));
                    let started = Instant::now();
                    self.nodes_changed().await;
                    rested = Instant::now() + started.elapsed() * REST;
                }
                Some(event) = events.next() => {
                    note(&self.nodes, &mut changes, &event);
                    if !changes.is_empty() && window.is_none() {
                        window = Some(rested.max(Instant::now() + self.options.node_window));
                    }
                }
            }
        }
    }

    /// Puts every Service into the queue that has other targets now.
    async fn nodes_changed(&self) {
        let now = Instant::now();
        let (mut looked, mut changed) = (0_usize, 0_usize);
        for object in self.cluster.services.all() {
            let name = Name::of(&object);
            let known = self.memories.get(&name, |memory| {
                let (tried, context) = (memory.tried.clone()?, memory.context.clone()?);
                Some((tried, context, memory.retargeted, memory.follows_pods))
            });
            // One that was not read yet is in the queue.
            let Some((tried, context, retargeted, follows_pods)) = known.flatten() else { continue };
            if Claim::of(&object, self.options.class.as_deref()) != Claim::Balancer {
                continue;
            }
            looked += 1;
            match self.wish(&object, &context) {
                Ok(wish) if wish.mark != tried => {
                    changed += 1;
                    let rested = retargeted.map(|at| at + self.options.node_pause);
                    let wait = rested.filter(|_| !follows_pods).map(|at| at.saturating_duration_since(now));
                    self.queue.add_after(name, wait.unwrap_or_default());
                }
                // What is wrong with it was said when it was read.
                Ok(_) | Err(_) => {}
            }
            // Many Services and many nodes take a while: others may go between.
            tokio::task::yield_now().await;
        }
        tracing::info!(services = looked, changed, "the nodes have changed");
    }
}

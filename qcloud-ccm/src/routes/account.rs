//! Which nodes have all their routes, told as soon as it is known.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{Stream, stream};
use k8s_openapi::api::core::v1::Node;
use qcloud_container::kubernetes::routes::{RouteDone, RouteSpec};
use qcloud_container::kubernetes::{ErrorKind, ProviderError};
use tokio::sync::mpsc;

/// What a pass means for a node.
pub(super) struct Verdict {
    pub(super) node: Arc<Node>,
    /// Why it lacks a route; `None` when it has all.
    pub(super) failure: Option<String>,
    /// Whether the route only takes a while.
    pub(super) waiting: bool,
}

/// Counts the routes of each node.
pub(super) struct Account(Mutex<Inner>);

struct Inner {
    nodes: HashMap<String, Entry>,
    verdicts: Option<mpsc::UnboundedSender<Verdict>>,
}

struct Entry {
    node: Arc<Node>,
    missing: usize,
    failed: bool,
}

impl Account {
    /// An account of these nodes, and what comes of it.
    pub(super) fn open(nodes: &[Arc<Node>]) -> (Self, impl Stream<Item = Verdict> + Send + use<>) {
        let nodes = nodes.iter().filter_map(|node| {
            let missing = RouteSpec::of_node(node).len();
            Some((node.metadata.name.clone()?, Entry { node: Arc::clone(node), missing, failed: false }))
        });
        let (sender, receiver) = mpsc::unbounded_channel();
        let inner = Inner { nodes: nodes.collect(), verdicts: Some(sender) };
        let verdicts = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
        (Self(Mutex::new(inner)), verdicts)
    }

    /// A route is there.
    pub(super) fn there(&self, spec: &RouteSpec) {
        self.count(spec, None);
    }

    /// A route is not there.
    pub(super) fn failed(&self, spec: &RouteSpec, error: &ProviderError) {
        self.count(spec, Some(error));
    }

    /// A route of this list is there, or is not.
    pub(super) fn hear(&self, adds: &[RouteSpec], done: RouteDone<'_>) {
        if let RouteDone::Added(place, result) = done
            && let Some(spec) = adds.get(place)
        {
            self.count(spec, result.as_ref().err());
        }
    }

    /// There is nothing more to come.
    pub(super) fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).verdicts = None;
    }

    fn count(&self, spec: &RouteSpec, error: Option<&ProviderError>) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let inner = &mut *inner;
        let (Some(entry), Some(verdicts)) = (inner.nodes.get_mut(&spec.node), &inner.verdicts) else { return };
        let verdict = match error {
            Some(_) if entry.failed => return,
            Some(error) => {
                entry.failed = true;
                let failure = format!("the route to {} over {}: {error}", spec.destination, spec.next_hop);
                let waiting = error.kind() == ErrorKind::Pending;
                Verdict { node: Arc::clone(&entry.node), failure: Some(failure), waiting }
            }
            None => {
                entry.missing = entry.missing.saturating_sub(1);
                if entry.failed || entry.missing > 0 {
                    return;
                }
                Verdict { node: Arc::clone(&entry.node), failure: None, waiting: false }
            }
        };
        let _ = verdicts.send(verdict);
    }
}

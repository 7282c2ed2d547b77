//! Routes to the pods of nodes.
//!
//! A pass lists the routes, plans, and applies; the condition `NetworkUnavailable` of a node is written as soon as its
//! routes are there. A pass follows a change of nodes that matters for routes, at most every [`Options::shortest`], and
//! happens without any every [`Options::resync`], whatever failed before. A long list of changes is worked off in several passes, so that a node
//! that has just become ready is not behind thousands that are not.

mod account;
mod condition;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use ipnet::IpNet;
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use qcloud_container::kubernetes::instances::{Instances, NodeRef};
use qcloud_container::kubernetes::routes::{
    Blackholes, ClusterRoute, NextHops, RoutePlan, RouteSpec, Routes, plan, steps,
};
use qcloud_container::kubernetes::{ErrorKind, ProviderError, Retry};
use tokio::time::Instant;

use self::account::{Account, Verdict};
use self::condition::Conditions;
use crate::cache::Change;
use crate::cluster::Cluster;
use crate::error::Result;
use crate::events::{Events, reference};
use crate::queue::{Next, Pauses, Queue};

/// How many routes one pass writes.
const WRITES: usize = 256;
/// How many conditions are written at once.
const CONDITIONS: usize = 16;

/// What can be set about routes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The shortest time from the beginning of one pass to the next. 10 s by default.
    pub shortest: Duration,
    /// The longest time between passes. 60 s by default.
    pub resync: Duration,
    /// How long a route is not tried again that is of no use to try before something changes. 10 min by default.
    pub hopeless: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { shortest: Duration::from_secs(10), resync: Duration::from_secs(60), hopeless: Duration::from_secs(600) }
    }
}

/// Keeps a route for each network of a node's pods.
pub struct Controller {
    cluster: Arc<Cluster>,
    routes: Arc<dyn Routes>,
    instances: Arc<dyn Instances>,
    options: Options,
    events: Events,
    conditions: Conditions,
    memory: Mutex<Memory>,
}

impl std::fmt::Debug for Controller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Controller").field("options", &self.options).finish_non_exhaustive()
    }
}

/// What one pass leaves to the next. All of it may be lost.
#[derive(Default)]
struct Memory {
    began: Option<Instant>,
    blackholes: Blackholes,
    /// Until when a route is not tried again, by destination and next hop, and why.
    hopeless: HashMap<(IpNet, IpAddr), (Instant, ProviderError)>,
}

/// What matters of a node for its routes.
#[derive(PartialEq, Eq)]
struct Needs {
    uid: Option<String>,
    routes: Vec<(IpNet, IpAddr)>,
    ready: bool,
    condition: bool,
}

impl Needs {
    fn of(node: &Node) -> Self {
        Self {
            uid: node.metadata.uid.clone(),
            routes: RouteSpec::of_node(node).iter().map(|spec| (spec.destination, spec.next_hop)).collect(),
            ready: condition::is(node, "Ready", "True"),
            condition: condition::is(node, condition::NAME, "False"),
        }
    }

    /// Whether a pass has something to do that it had not before. That the condition is well again is our own doing.
    fn ask_for_more_than(&self, before: &Self) -> bool {
        self.uid != before.uid
            || self.routes != before.routes
            || (self.ready && !before.ready)
            || (!self.condition && before.condition)
    }
}

impl Controller {
    /// A controller of the routes of a cluster. The machines tell a route that leads nowhere from one to a machine that is
    /// not a node yet.
    #[must_use]
    pub fn new(
        cluster: Arc<Cluster>,
        routes: Arc<dyn Routes>,
        instances: Arc<dyn Instances>,
        options: Options,
    ) -> Self {
        let events = cluster.events.of("route-controller");
        let conditions = Conditions::new(Api::all(cluster.client.clone()));
        Self { cluster, routes, instances, options, events, conditions, memory: Mutex::default() }
    }

    /// Runs until it is dropped.
    pub async fn run(self) {
        self.cluster.nodes.ready().await;
        let this = Arc::new(self);
        let Options { shortest, resync, .. } = this.options;
        // There is one key only, so there are none to keep apart.
        let pauses = Pauses { first: shortest, longest: resync, hopeless: resync, jitter: false };
        let queue = Queue::counted("routes", pauses, &this.cluster.metrics);
        let feed = async {
            let mut known: HashMap<String, Needs> = HashMap::new();
            let mut changes = this.cluster.nodes.changes();
            while let Some(change) = changes.next().await {
                let name = change.object().metadata.name.clone().unwrap_or_default();
                let matters = match change {
                    Change::Applied(node) => {
                        let needs = Needs::of(&node);
                        match known.get(&name) {
                            Some(before) => {
                                let matters = needs.ask_for_more_than(before);
                                known.insert(name, needs);
                                matters
                            }
                            None => {
                                let matters = !needs.routes.is_empty();
                                known.insert(name, needs);
                                matters
                            }
                        }
                    }
                    Change::Deleted(_) => known.remove(&name).is_some_and(|needs| !needs.routes.is_empty()),
                };
                if matters {
                    queue.add_after((), this.until_allowed());
                }
            }
        };
        let pass = |()| {
            // There is a next one in time, whatever comes of this one.
            queue.add_after((), resync);
            Arc::clone(&this).pass()
        };
        queue.add(());
        tokio::join!(feed, queue.work(1, pass));
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn until_allowed(&self) -> Duration {
        match self.memory().began {
            Some(began) => (began + self.options.shortest).saturating_duration_since(Instant::now()),
            None => Duration::ZERO,
        }
    }

    async fn pass(self: Arc<Self>) -> Result<Next> {
        let wait = self.until_allowed();
        if !wait.is_zero() {
            return Ok(Next::After(wait));
        }
        self.memory().began = Some(Instant::now());
        let observed = match self.routes.list().await {
            Ok(observed) => observed,
            Err(error) => {
                self.tell_unlisted(&error).await;
                return Err(error.into());
            }
        };
        // The nodes are read after the routes: a route of a node that came in between is not taken for no one's.
        let nodes = self.cluster.nodes.all();
        let mut plan = self.plan(&nodes, &observed).await;
        self.memory().blackholes = std::mem::take(&mut plan.blackholes);
        let (account, verdicts) = Account::open(&nodes);
        for spec in &plan.kept {
            account.there(spec);
        }
        for (spec, error) in &plan.refused {
            account.failed(spec, error);
        }
        self.leave_hopeless(&mut plan, &account);
        let more = limit(&mut plan);
        let (adds, deletes) = (plan.add, plan.delete);
        let apply = async {
            let results = self.routes.apply(&adds, &deletes, &|done| account.hear(&adds, done)).await;
            account.close();
            results
        };
        let publish = verdicts.for_each_concurrent(CONDITIONS, |verdict| {
            let this = Arc::clone(&self);
            async move { this.publish(verdict).await }
        });
        let (results, ()) = tokio::join!(apply, publish);
        let mut soonest = more.then_some(self.options.shortest);
        let mut failure = None;
        let added = adds.iter().map(|spec| Some((spec.destination, spec.next_hop))).zip(results.added);
        let deleted = deletes.iter().map(|_| None).zip(results.deleted);
        for (route, result) in added.chain(deleted) {
            let Err(error) = result else { continue };
            match (error.retry(), route) {
                (Retry::After(after), _) => soonest = Some(soonest.map_or(after, |known: Duration| known.min(after))),
                (Retry::Backoff, _) => failure = Some(error),
                (Retry::Never, Some(route)) => {
                    let until = Instant::now() + self.options.hopeless;
                    self.memory().hopeless.insert(route, (until, error));
                }
                (Retry::Never, None) => tracing::warn!("a route can't be deleted: {error}"),
            }
        }
        match failure {
            Some(error) => Err(error.into()),
            None => Ok(soonest.map_or(Next::Done, Next::After)),
        }
    }

    async fn plan(&self, nodes: &[Arc<Node>], observed: &[ClusterRoute]) -> RoutePlan {
        let references: Vec<NodeRef> = nodes.iter().map(|node| NodeRef::from(&**node)).collect();
        let hops: HashSet<IpAddr> = references.iter().flat_map(|node| node.addresses.iter().copied()).collect();
        let stray = |route: &ClusterRoute| route.owned && route.next_hop.is_some_and(|hop| !hops.contains(&hop));
        // The machines are asked for only when a route leads to none of the nodes.
        let machines = if observed.iter().any(stray) {
            let listed = self.instances.list().await;
            listed.inspect_err(|error| tracing::warn!("the machines can't be listed: {error}")).ok()
        } else {
            None
        };
        let named = references.into_iter().map(|node| (node.name, node.addresses));
        let next_hops = NextHops::new(named, machines.as_ref());
        let desired: Vec<RouteSpec> = nodes.iter().flat_map(|node| RouteSpec::of_node(node)).collect();
        let blackholes = self.memory().blackholes.clone();
        plan(&desired, observed, &self.routes.limits(), &next_hops, &blackholes)
    }

    /// Takes out of the plan what failed for good a while ago.
    fn leave_hopeless(&self, plan: &mut RoutePlan, account: &Account) {
        let now = Instant::now();
        let mut memory = self.memory();
        memory.hopeless.retain(|_, (until, _)| *until > now);
        plan.add.retain(|spec| match memory.hopeless.get(&(spec.destination, spec.next_hop)) {
            Some((_, error)) => {
                account.failed(spec, error);
                false
            }
            None => true,
        });
    }

    /// Tells the nodes that are not known to have their routes that nobody can say whether they do. No pods should be put
    /// there.
    async fn tell_unlisted(&self, error: &ProviderError) {
        use ErrorKind::{Ambiguous, Busy, Pending, Throttled, Unavailable};
        let passing = matches!(error.kind(), Ambiguous | Busy | Pending | Throttled | Unavailable);
        let failure = match error.message() {
            // In the same words for as long as it lasts.
            _ if passing => "the routes can't be listed at present".to_owned(),
            message => format!("the routes can't be listed: {message}"),
        };
        let mut nodes = self.cluster.nodes.all();
        nodes.retain(|node| !RouteSpec::of_node(node).is_empty() && !condition::is(node, condition::NAME, "False"));
        let verdicts = nodes.into_iter().map(|node| Verdict { node, failure: Some(failure.clone()), waiting: passing });
        let publish = |verdict| self.publish(verdict);
        futures_util::stream::iter(verdicts).for_each_concurrent(CONDITIONS, publish).await;
    }

    async fn publish(&self, verdict: Verdict) {
        let node = &verdict.node;
        let name = node.metadata.name.as_deref().unwrap_or_default();
        match self.conditions.write(node, &verdict.failure).await {
            Ok(false) => {}
            Ok(true) => match &verdict.failure {
                None => tracing::info!(node = name, "the node has its routes"),
                Some(failure) => {
                    tracing::warn!(node = name, "{failure}");
                    if !verdict.waiting {
                        self.events.warning(&reference(&**node), "FailedToCreateRoute", failure).await;
                    }
                }
            },
            // The condition is still not what it should be, so the next pass writes it.
            Err(error) => tracing::warn!(node = name, "the condition can't be written: {error}"),
        }
    }
}

/// Cuts a plan down to what one pass writes, without taking apart what belongs together. Whether something is left out.
fn limit(plan: &mut RoutePlan) -> bool {
    if plan.add.len() + plan.delete.len() <= WRITES {
        return false;
    }
    let (mut adds, mut deletes) = (HashSet::new(), HashSet::new());
    for step in steps(&plan.add, &plan.delete) {
        if adds.len() + deletes.len() >= WRITES {
            break;
        }
        adds.extend(step.adds);
        deletes.extend(step.deletes);
    }
    let all = adds.len() + deletes.len() == plan.add.len() + plan.delete.len();
    let mut place = 0..;
    plan.add.retain(|_| place.next().is_some_and(|place: usize| adds.contains(&place)));
    let mut place = 0..;
    plan.delete.retain(|_| place.next().is_some_and(|place: usize| deletes.contains(&place)));
    !all
}

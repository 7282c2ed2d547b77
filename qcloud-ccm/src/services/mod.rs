//! Services of type LoadBalancer: each gets the balancer that it asks for, and is told where it is reached.
//!
//! A Service is held by the finalizer before anything is made for it, and let go when nothing of it is left. What the
//! cloud is known to hold stands on the Service, as a mark; a Service whose mark is as it ought to be costs no call of its
//! own, also not of a process that has just begun. Nothing waits for the cloud: what takes time is looked at again later.
//!
//! | event | says |
//! |---|---|
//! | `EnsuringLoadBalancer` | a new or changed wish is being worked on; once for each |
//! | `EnsuredLoadBalancer` | it is met |
//! | `UpdatedLoadBalancer` | traffic goes to other targets now |
//! | `SyncLoadBalancerFailed` | something is wrong, with the cloud's code and request id; or it takes very long |
//! | `DeletingLoadBalancer`, `DeletedLoadBalancer` | the Service gives its balancer up |
//! | `OrphanedLoadBalancer` | a balancer has lost its Service |
//! | `DeletedOrphanedLoadBalancer` | such a balancer was removed |

mod announce;
mod claim;
mod mark;
mod memory;
mod nodes;
mod orphans;
mod pass;
mod release;
mod slices;
mod turns;
mod verify;
mod wish;
mod writes;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
use qcloud_container::kubernetes::load_balancers::{LbLimits, LoadBalancers};

use self::claim::Claim;
use self::memory::Memories;
use self::nodes::Nodes;
use self::slices::Slices;
use self::turns::Turns;
use crate::cache::Change;
use crate::cluster::Cluster;
use crate::error::Result;
use crate::events::Events;
use crate::queue::{Next, Pauses, Queue};

pub use claim::FINALIZER;
pub use orphans::OrphanOptions;

/// How the controller works.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// How many Services are worked on at once.
    pub workers: usize,
    /// The `spec.loadBalancerClass` to serve; Services without a class when there is none.
    pub class: Option<String>,
    /// For how long changes of nodes are gathered, from the first one on.
    pub node_window: Duration,
    /// For how long at least the targets of a balancer are left alone before other nodes become its targets. What
    /// follows pods does not wait.
    pub node_pause: Duration,
    /// For how long changes of pods are gathered.
    pub pod_window: Duration,
    /// How often the balancers are looked at although nothing has changed. All are looked at within a minute, so that they
    /// share what the cloud is asked.
    pub verify_every: Duration,
    /// How long to wait after failures.
    pub pauses: Pauses,
    /// What becomes of balancers without a Service.
    pub orphans: OrphanOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            workers: 20,
            class: None,
            node_window: Duration::from_secs(3),
            node_pause: Duration::from_secs(30),
            pod_window: Duration::from_secs(1),
            verify_every: Duration::from_secs(20 * 60),
            pauses: Pauses::default(),
            orphans: OrphanOptions::default(),
        }
    }
}

/// A Service, by its place.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Name {
    namespace: String,
    name: String,
}

impl Name {
    fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    fn of(service: &Service) -> Self {
        Self::new(service.namespace().unwrap_or_default(), service.name_any())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The controller of Services.
pub struct Controller {
    cluster: Arc<Cluster>,
    balancers: Arc<dyn LoadBalancers>,
    limits: LbLimits,
    options: Options,
    events: Events,
    queue: Queue<Name>,
    turns: Turns,
    memories: Memories,
    nodes: Nodes,
    slices: Slices,
}

impl fmt::Debug for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Controller").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Controller {
    /// A controller that makes these balancers for the Services of a cluster.
    #[must_use]
    pub fn new(cluster: Arc<Cluster>, balancers: Arc<dyn LoadBalancers>, options: Options) -> Self {
        let queue = Queue::counted("services", options.pauses, &cluster.metrics);
        Self {
            limits: balancers.limits(),
            events: cluster.events.of("service-controller"),
            turns: Turns::new(queue.clone()),
            memories: Memories::default(),
            nodes: Nodes::default(),
            slices: Slices::default(),
            cluster,
            balancers,
            options,
            queue,
        }
    }

    /// Works until it is dropped. What is under way then is taken up by whoever works next.
    pub async fn run(self) {
        self.cluster.ready().await;
        self.nodes.fill(&self.cluster.nodes.all());
        for slice in self.cluster.slices.all() {
            self.slices.take(&Change::Applied(slice));
        }
        tokio::join!(
            self.follow_services(),
            self.follow_nodes(),
            self.follow_slices(),
            self.sweep(),
            self.verify(),
            self.queue.work(self.options.workers, |name| self.reconcile(name)),
        );
    }

    async fn follow_services(&self) {
        let mut changes = self.cluster.services.changes();
        while let Some(change) = changes.next().await {
            let service = change.object();
            let name = Name::of(service);
            let known = self.memories.get(&name, |_| ()).is_some();
            let concerns = match &change {
                Change::Applied(_) if self.memories.is_echo(&name, service) => false,
                Change::Applied(_) => known || Claim::of(service, self.options.class.as_deref()) != Claim::Nothing,
                Change::Deleted(_) => known,
            };
            if concerns {
                self.queue.add(name);
            }
        }
    }

    /// The newest state of a Service that is known.
    fn newest(&self, name: &Name) -> Option<Arc<Service>> {
        let cached = self.cluster.services.get(Some(&name.namespace), &name.name);
        self.memories.newest(name, cached)
    }

    async fn reconcile(&self, name: Name) -> Result<Next> {
        let Some(service) = self.newest(&name) else {
            return self.left_behind(&name).await;
        };
        match Claim::of(&service, self.options.class.as_deref()) {
            Claim::Balancer => self.ensure(&name, &service).await,
            Claim::Release => self.give_up(&name, &service).await,
            Claim::Nothing => {
                self.memories.released(&name);
                Ok(Next::Done)
            }
        }
    }
}

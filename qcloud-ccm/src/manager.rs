//! One process of the cloud-controller-manager: it waits for its turn, leads, and stops.

use std::convert::Infallible;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, join_all};
use kube::Client;
use qcloud_container::kubernetes::ClusterIdentity;
use qcloud_container::kubernetes::instances::Instances;
use qcloud_container::kubernetes::load_balancers::LoadBalancers;
use qcloud_container::kubernetes::routes::Routes;

use crate::cluster::{Cluster, identify};
use crate::controllers::{Controllers, Kind};
use crate::error::Result;
use crate::health::Health;
use crate::leader::{Candidate, Timing};
use crate::metrics::Metrics;
use crate::{nodes, routes, services};

/// What does the work in the cloud. They are made anew whenever the process begins to lead: what they remember may be old.
#[derive(Clone)]
#[non_exhaustive]
pub struct Providers {
    /// Machines.
    pub instances: Arc<dyn Instances>,
    /// Routes, where there is a place for them.
    pub routes: Option<Arc<dyn Routes>>,
    /// Load balancers.
    pub balancers: Option<Arc<dyn LoadBalancers>>,
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Providers")
            .field("routes", &self.routes.is_some())
            .field("balancers", &self.balancers.is_some())
            .finish_non_exhaustive()
    }
}

impl Providers {
    /// Machines only.
    #[must_use]
    pub fn new(instances: Arc<dyn Instances>) -> Self {
        Self { instances, routes: None, balancers: None }
    }

    /// With routes.
    #[must_use]
    pub fn with_routes(mut self, routes: Arc<dyn Routes>) -> Self {
        self.routes = Some(routes);
        self
    }

    /// With load balancers.
    #[must_use]
    pub fn with_balancers(mut self, balancers: Arc<dyn LoadBalancers>) -> Self {
        self.balancers = Some(balancers);
        self
    }
}

/// The Lease by which one of several processes is chosen.
#[derive(Clone, Debug)]
pub struct Election {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its times.
    pub timing: Timing,
}

impl Default for Election {
    fn default() -> Self {
        let name = "qcloud-cloud-controller-manager".to_owned();
        Self { namespace: "kube-system".to_owned(), name, timing: Timing::default() }
    }
}

/// What a process is to do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The name of the cluster, for the logs.
    pub cluster_name: String,
    /// The name of this process, which no other one has.
    pub instance: String,
    /// The controllers that run.
    pub controllers: Controllers,
    /// How it is chosen; `None` when there is only one process.
    pub election: Option<Election>,
    /// How nodes are looked after.
    pub nodes: nodes::Options,
    /// How routes are looked after.
    pub routes: routes::Options,
    /// How Services are looked after.
    pub services: services::Options,
}

impl Settings {
    /// All controllers, with an election, under this name of the process.
    pub fn new(instance: impl Into<String>) -> Self {
        Self {
            cluster_name: "kubernetes".to_owned(),
            instance: instance.into(),
            controllers: Controllers::default(),
            election: Some(Election::default()),
            nodes: nodes::Options::default(),
            routes: routes::Options::default(),
            services: services::Options::default(),
        }
    }
}

/// Runs the controllers of one process.
#[derive(Clone)]
pub struct Manager {
    client: Client,
    settings: Settings,
    metrics: Metrics,
    health: Health,
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Manager {
    /// A process that has not begun. The client should have a limit on how long it waits, as [`crate::cluster::client`]
    /// makes them.
    #[must_use]
    pub fn new(client: Client, settings: Settings, metrics: Metrics, health: Health) -> Self {
        Self { client, settings, metrics, health }
    }

    /// Waits for the lease, leads, and waits again when it loses it, until `stop` completes. Then it drops all work and
    /// gives the lease up.
    ///
    /// # Errors
    /// When the providers can't be made.
    pub async fn run(
        &self,
        providers: impl Fn(&ClusterIdentity) -> Result<Providers> + Send + Sync,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<()> {
        let mut stop = pin!(stop.fuse());
        let alive = self.health.clone();
        let work = async {
            loop {
                let Some(election) = &self.settings.election else {
                    tokio::select! {
                        failed = self.lead(&providers) => return failed.map(|never| match never {}),
                        () = &mut stop => return Ok(()),
                    }
                };
                let Election { namespace, name, timing } = election;
                let identity = &*self.settings.instance;
                let mut candidate = Candidate::new(self.client.clone(), namespace, name, identity, *timing);
                let held = tokio::select! {
                    held = candidate.acquire(|| self.health.standby()) => held,
                    () = &mut stop => return Ok(()),
                };
                tracing::info!(identity, "leading");
                let work = async {
                    tokio::select! {
                        failed = self.lead(&providers) => failed.map(|never| match never {}),
                        () = &mut stop => Ok(()),
                    }
                };
                let ended = candidate.work(&held, work.boxed()).await;
                self.metrics.leading(false);
                self.health.standby();
                if let Some(result) = ended {
                    candidate.release().await;
                    return result;
                }
                tracing::error!(
                    identity,
                    "the lease is lost: all work has stopped, and begins anew when it is held again"
                );
            }
        };
        tokio::select! {
            result = work => result,
            () = alive.keep_beating() => Ok(()),
        }
    }

    /// Runs the controllers until it is dropped.
    async fn lead(
        &self,
        providers: &(impl Fn(&ClusterIdentity) -> Result<Providers> + Send + Sync),
    ) -> Result<Infallible> {
        let identity = self.identify().await;
        tracing::info!(cluster = identity.name, uid = identity.uid, "the cluster is known");
        let providers = providers(&identity)?;
        let (client, metrics) = (self.client.clone(), self.metrics.clone());
        let (cluster, watches) = Cluster::start(client, identity, metrics, &self.settings.instance);
        self.metrics.leading(true);
        self.health.leading(&cluster);
        let mut work: Vec<BoxFuture<'_, ()>> = vec![watches.map(|never| match never {}).boxed()];
        work.extend(self.controllers(&cluster, providers));
        join_all(work).await;
        std::future::pending().await
    }

    fn controllers(&self, cluster: &Arc<Cluster>, providers: Providers) -> Vec<BoxFuture<'_, ()>> {
        let on = |kind| self.settings.controllers.has(kind);
        let mut work: Vec<BoxFuture<'_, ()>> = Vec::new();
        let instances = || Arc::clone(&providers.instances);
        if on(Kind::Node) {
            let options = self.settings.nodes.clone();
            work.push(nodes::Controller::new(Arc::clone(cluster), instances(), options).run().boxed());
        }
        if let Some(routes) = providers.routes.as_ref().filter(|_| on(Kind::Route)) {
            let (routes, options) = (Arc::clone(routes), self.settings.routes.clone());
            work.push(routes::Controller::new(Arc::clone(cluster), routes, instances(), options).run().boxed());
        }
        if let Some(balancers) = providers.balancers.filter(|_| on(Kind::Service)) {
            let options = self.settings.services.clone();
            work.push(services::Controller::new(Arc::clone(cluster), balancers, options).run().boxed());
        }
        work
    }

    /// Which cluster it is. Nothing can be done before that is known.
    async fn identify(&self) -> ClusterIdentity {
        loop {
            match identify(&self.client, &self.settings.cluster_name).await {
                Ok(identity) => return identity,
                Err(error) => tracing::warn!("the cluster can't be identified: {error}"),
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    }
}

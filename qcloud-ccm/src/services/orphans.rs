//! The sweep: a regular look at all balancers of the cluster, for those that have lost their Service and for Services
//! that have lost their balancer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::core::v1::{ObjectReference, Service};
use kube::Api;
use kube::api::ListParams;
use qcloud_container::kubernetes::load_balancers::{DeletePolicy, LbRef, LbState, OrphanTracker, annotations};
use tokio::time::Instant;

use super::claim::{annotation, held, is_held};
use super::mark::Mark;
use super::{Controller, Name};
use crate::error::{Error, Result};

/// How often all balancers are looked at, and what is done about those whose Service is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrphanOptions {
    /// How often all balancers are looked at.
    pub every: Duration,
    /// For how long a balancer must have been seen without a Service.
    pub grace: Duration,
    /// Whether it is then reported. Services that have lost their balancer are looked for in any case.
    pub report: bool,
    /// Whether it is then deleted.
    pub delete: bool,
}

impl Default for OrphanOptions {
    fn default() -> Self {
        Self { every: Duration::from_secs(600), grace: Duration::from_secs(3_600), report: true, delete: false }
    }
}

/// What was told: the uid of the Service that is gone, and whether the grace is over.
type Reported = BTreeSet<(String, bool)>;

/// How soon a deletion that is under way is looked at again, at least and at most.
const SOON: Duration = Duration::from_secs(1);
const LATE: Duration = Duration::from_secs(60);

impl Controller {
    /// Sweeps, for ever. The caches are complete when this begins.
    pub(super) async fn sweep(&self) {
        let mut tracker = OrphanTracker::new(self.options.orphans.grace);
        let mut reported = Reported::new();
        loop {
            // Not all replicas, and not all clusters of an account, at the same moment.
            let pause = self.options.orphans.every.mul_f64(fastrand::f64().mul_add(0.2, 0.9));
            tokio::time::sleep(pause).await;
            if let Err(error) = self.sweep_once(&mut tracker, &mut reported).await {
                tracing::warn!("the balancers of the cluster can't be looked at: {error}");
            }
        }
    }

    async fn sweep_once(&self, tracker: &mut OrphanTracker, reported: &mut Reported) -> Result<()> {
        // What is recorded before the sweep must be in it; what is recorded meanwhile may be missing.
        let recorded = self.recorded();
        let swept = self.balancers.sweep_owned().await?;
        self.doubt_missing(&recorded, &swept);
        if !(self.options.orphans.report || self.options.orphans.delete) {
            return Ok(());
        }

        let live = self.cluster.services.all().iter().filter_map(|service| service.metadata.uid.clone()).collect();
        let orphans = tracker.look(&swept, &live, Instant::now().into_std());
        let gone: BTreeSet<&str> =
            orphans.due.iter().chain(&orphans.waiting).map(|of| of.service.uid.as_str()).collect();
        reported.retain(|(uid, _)| gone.contains(uid.as_str()));
        self.cluster.metrics.orphans(gone.len());
        for of in &orphans.waiting {
            if reported.insert((of.service.uid.clone(), false)) {
                tracing::info!(balancer = of.recorded, service = %of.service, "no Service has this balancer");
            }
        }
        if orphans.due.is_empty() {
            return Ok(());
        }
        if !self.options.orphans.delete {
            for of in &orphans.due {
                self.report(of, reported).await;
            }
            return Ok(());
        }
        // The last word is the API server's, not the cache's.
        let live = self.live_uids().await?;
        for of in orphans.due.iter().filter(|of| !live.contains(&of.service.uid)) {
            match self.collect(of).await {
                Ok(()) => {
                    let note = format!("The load balancer {} had lost its Service and is removed", shown(of));
                    self.events.normal(&about(of), "DeletedOrphanedLoadBalancer", note).await;
                }
                Err(error) => {
                    let note =
                        format!("The load balancer {} has lost its Service and can't be removed: {error}", shown(of));
                    tracing::warn!("{note}");
                    self.events.warning(&about(of), "OrphanedLoadBalancer", note).await;
                }
            }
        }
        Ok(())
    }

    /// Says of an orphan that it could be deleted: at length the first time.
    async fn report(&self, of: &LbRef, reported: &mut Reported) {
        let grace = self.options.orphans.grace;
        tracing::warn!(balancer = of.recorded, service = %of.service, ?grace, "the Service of this balancer is gone; it stays");
        if reported.insert((of.service.uid.clone(), true)) {
            let note = format!(
                "The load balancer {} has lost its Service. It stays: deleting such balancers is not switched on",
                shown(of)
            );
            self.events.warning(&about(of), "OrphanedLoadBalancer", note).await;
        }
    }

    /// Deletes an orphan, and waits a while for it to be gone. One that someone uses is none.
    async fn collect(&self, of: &LbRef) -> Result<()> {
        let state = self.balancers.observe(of).await?;
        if let Some(foreign) = state.iter().flat_map(|state| &state.listeners).find(|listener| !listener.owned) {
            let message = format!("listener {} on it was made by someone else", foreign.key);
            return Err(Error::Refused(message));
        }
        let until = Instant::now() + LATE;
        loop {
            let error = match self.balancers.delete(of, DeletePolicy::Delete).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            match error.retry() {
                qcloud_container::kubernetes::Retry::After(after) if Instant::now() + after < until => {
                    tokio::time::sleep(after.max(SOON)).await;
                }
                _ => return Err(error.into()),
            }
        }
    }

    /// The balancers that were made for Services, with those, as far as they are finished.
    fn recorded(&self) -> BTreeMap<String, Name> {
        let mut recorded = BTreeMap::new();
        for service in self.cluster.services.all() {
            let (of, _) = held(&service);
            // The sweep is of the cluster's own region.
            let elsewhere = annotation(&service, annotations::CROSS_REGION).is_some();
            let held = is_held(&service, self.options.class.as_deref());
            let finished = held && Mark::of(&service).wish.is_some() && !elsewhere;
            if let (Some(id), None, true) = (of.recorded, of.existing, finished) {
                recorded.insert(id, Name::of(&service));
            }
        }
        recorded
    }

    /// Lets Services be looked at whose balancer is not there any more.
    fn doubt_missing(&self, recorded: &BTreeMap<String, Name>, swept: &[LbState]) {
        let there: BTreeSet<&str> = swept.iter().map(|state| state.id.as_str()).collect();
        for (id, name) in recorded.iter().filter(|(id, _)| !there.contains(id.as_str())) {
            tracing::warn!(balancer = id, service = %name, "the balancer of this Service is not there");
            self.memories.doubt(name);
            self.queue.add(name.clone());
        }
    }

    async fn live_uids(&self) -> Result<BTreeSet<String>> {
        let all: Api<Service> = Api::all(self.cluster.client.clone());
        let mut uids = BTreeSet::new();
        let mut page = ListParams::default().limit(500);
        loop {
            let list = all.list_metadata(&page).await?;
            uids.extend(list.items.into_iter().filter_map(|service| service.metadata.uid));
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => return Ok(uids),
            }
            if uids.is_empty() {
                return Err(Error::Refused("the API server lists Services without uids".to_owned()));
            }
        }
    }
}

fn shown(of: &LbRef) -> &str {
    of.recorded.as_deref().unwrap_or("of an unknown id")
}

/// The Service that is gone, for events.
fn about(of: &LbRef) -> ObjectReference {
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Service".to_owned()),
        namespace: known(&of.service.namespace),
        name: known(&of.service.name),
        uid: known(&of.service.uid),
        ..ObjectReference::default()
    }
}

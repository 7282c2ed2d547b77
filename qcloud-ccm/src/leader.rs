//! Leader election by a Lease: of several processes, one works.
//!
//! The holder renews the Lease every [`Timing::retry`]. Others take it over when they have not seen it change for
//! [`Timing::lease`], measured by their own clocks only: times written by others are not compared with anything. The holder
//! stops working when the last renewal that succeeded was asked for longer than [`Timing::renew`] ago, so that between its
//! last step and the first of another there are at least `lease - renew`, whatever the clocks say.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::time::Instant;

use crate::error::{Error, Result};

/// The times of an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timing {
    /// For how long a Lease that does not change is respected. 15 s by default.
    pub lease: Duration,
    /// For how long after a renewal the holder works. 10 s by default.
    pub renew: Duration,
    /// How often the holder renews, and the others look. 2 s by default.
    pub retry: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { lease: Duration::from_secs(15), renew: Duration::from_secs(10), retry: Duration::from_secs(2) }
    }
}

impl Timing {
    /// Times of an election.
    ///
    /// # Errors
    /// When they leave no room: the lease must outlast the renewal, and the renewal two retries.
    pub fn new(lease: Duration, renew: Duration, retry: Duration) -> Result<Self> {
        let refuse = |why: &str| Err(Error::Refused(format!("leader election: {why}")));
        if lease < Duration::from_secs(1) || lease <= renew {
            return refuse("the lease duration must be at least a second and longer than the renew deadline");
        }
        if retry.is_zero() || renew < retry * 2 {
            return refuse("the renew deadline must be at least twice the retry period, which can't be zero");
        }
        Ok(Self { lease, renew, retry })
    }
}

/// A candidate for a Lease.
pub struct Candidate {
    api: Api<Lease>,
    name: String,
    identity: String,
    timing: Timing,
    /// The Lease as it was seen last, and when it was first seen so.
    seen: Option<(Lease, Instant)>,
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate").field("name", &self.name).field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Candidate {
    /// A candidate of this identity, which no other process has, for the Lease of this namespace and name.
    #[must_use]
    pub fn new(client: Client, namespace: &str, name: &str, identity: impl Into<String>, timing: Timing) -> Self {
        let api = Api::namespaced(client, namespace);
        Self { api, name: name.to_owned(), identity: identity.into(), timing, seen: None }
    }

    /// Who holds the Lease, as far as was seen.
    #[must_use]
    pub fn holder(&self) -> Option<&str> {
        let (lease, _) = self.seen.as_ref()?;
        holder(lease)
    }

    /// Waits until it holds the Lease. `looked` is called after each look at it that succeeded.
    pub async fn acquire(&mut self, looked: impl Fn()) -> Held {
        let mut said = None;
        loop {
            match tokio::time::timeout(self.timing.renew, self.try_hold()).await {
                Ok(Ok(Some(asked))) => {
                    looked();
                    return Held { valid_until: Arc::new(Mutex::new(asked + self.timing.renew)) };
                }
                Ok(Ok(None)) => {
                    looked();
                    if said.as_deref() != self.holder() {
                        said = self.holder().map(str::to_owned);
                        tracing::info!(holder = said, "the lease is held by another process");
                    }
                }
                Ok(Err(error)) if error.is_conflict() => {}
                Ok(Err(error)) => tracing::warn!("the lease can't be acquired: {error}"),
                Err(_) => tracing::warn!("the lease can't be acquired: no answer"),
            }
            // Candidates that began together should not stay together.
            tokio::time::sleep(self.timing.retry.mul_f64(fastrand::f64().mul_add(0.2, 1.0))).await;
        }
    }

    /// Does the work for as long as the Lease is held, and drops it the moment that it no longer is. `None` means that it
    /// was lost.
    pub async fn work<F: Future>(&mut self, held: &Held, work: F) -> Option<F::Output> {
        let valid_until = Arc::clone(&held.valid_until);
        let renewing = self.keep(held);
        let (mut renewing, mut work) = (pin!(renewing), pin!(work));
        poll_fn(|context| {
            if renewing.as_mut().poll(context).is_ready() {
                return Poll::Ready(None);
            }
            // A process that was stopped for a while comes back with all its timers late. Not one more step then.
            if Instant::now() >= *valid_until.lock().unwrap_or_else(PoisonError::into_inner) {
                return Poll::Ready(None);
            }
            work.as_mut().poll(context).map(Some)
        })
        .await
    }

    /// Gives the Lease up, so that another process need not wait for it to run out. Only after the work has ended.
    pub async fn release(&mut self) {
        let Some((mut lease, _)) = self.seen.take() else { return };
        if holder(&lease) != Some(&self.identity) {
            return;
        }
        let spec = lease.spec.get_or_insert_default();
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        spec.renew_time = Some(MicroTime(Timestamp::now()));
        let params = PostParams::default();
        let written = self.api.replace(&self.name, &params, &lease);
        match tokio::time::timeout(self.timing.retry * 2, written).await {
            Ok(Ok(_)) => tracing::info!("the lease is given up"),
            Ok(Err(error)) => tracing::warn!("the lease can't be given up, and will run out: {}", Error::from(error)),
            Err(_) => tracing::warn!("the lease can't be given up, and will run out: no answer"),
        }
    }

    /// Renews until that fails for too long, or another holds the Lease.
    async fn keep(&mut self, held: &Held) {
        let valid_until = || *held.valid_until.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            tokio::time::sleep(self.timing.retry.min(valid_until().saturating_duration_since(Instant::now()))).await;
            match tokio::time::timeout_at(valid_until(), self.try_hold()).await {
                Ok(Ok(Some(asked))) => {
                    *held.valid_until.lock().unwrap_or_else(PoisonError::into_inner) = asked + self.timing.renew;
                }
                Ok(Ok(None)) => {
                    tracing::error!(holder = self.holder(), "the lease is held by another process");
                    return;
                }
                Ok(Err(error)) => tracing::warn!("the lease can't be renewed: {error}"),
                Err(_) => {}
            }
            if Instant::now() >= valid_until() {
                tracing::error!("the lease was not renewed in time");
                return;
            }
        }
    }

    /// Takes or renews the Lease if it may be: the moment at which that was asked for, or `None` when another holds it.
    async fn try_hold(&mut self) -> Result<Option<Instant>> {
        // The holder writes without reading. If someone else wrote meanwhile, this is refused.
        let mine = |seen: &Option<(Lease, Instant)>| {
            seen.as_ref().filter(|(lease, _)| holder(lease) == Some(&self.identity)).map(|(lease, _)| lease.clone())
        };
        if let Some(lease) = mine(&self.seen) {
            match self.write(lease).await {
                Err(error) if error.is_conflict() || error.is_gone() => {}
                other => return other.map(Some),
            }
        }
        let Some(lease) = self.api.get_opt(&self.name).await? else {
            let asked = Instant::now();
            let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
            let lease = Lease { metadata, spec: Some(self.spec(None)) };
            let created = self.api.create(&PostParams::default(), &lease).await?;
            self.seen = Some((created, asked));
            return Ok(Some(asked));
        };
        let same = |(seen, _): &(Lease, Instant)| seen.metadata.uid == lease.metadata.uid && seen.spec == lease.spec;
        if !self.seen.as_ref().is_some_and(same) {
            self.seen = Some((lease.clone(), Instant::now()));
        } else if let Some((seen, _)) = &mut self.seen {
            // Someone may have set a label: the version is new, the lease is not.
            seen.metadata = lease.metadata.clone();
        }
        let since = self.seen.as_ref().map_or_else(Instant::now, |(_, since)| *since);
        let taken = holder(&lease).is_some_and(|holder| holder != self.identity);
        if taken && since.elapsed() < self.patience(&lease) {
            return Ok(None);
        }
        self.write(lease).await.map(Some)
    }

    /// How long a Lease of another is respected: as long as its holder says, but never shorter than we would be.
    fn patience(&self, lease: &Lease) -> Duration {
        let said = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds).unwrap_or_default();
        self.timing.lease.max(Duration::from_secs(u64::try_from(said).unwrap_or_default()))
    }

    /// Writes the Lease as ours, over the version that was read.
    async fn write(&mut self, mut lease: Lease) -> Result<Instant> {
        let asked = Instant::now();
        lease.spec = Some(self.spec(lease.spec.take()));
        let written = self.api.replace(&self.name, &PostParams::default(), &lease).await?;
        self.seen = Some((written, asked));
        Ok(asked)
    }

    fn spec(&self, before: Option<LeaseSpec>) -> LeaseSpec {
        let now = Some(MicroTime(Timestamp::now()));
        let mut spec = before.unwrap_or_default();
        if spec.holder_identity.as_ref() != Some(&self.identity) {
            if spec.holder_identity.is_some() {
                spec.lease_transitions = Some(spec.lease_transitions.unwrap_or_default().saturating_add(1));
            }
            spec.holder_identity = Some(self.identity.clone());
            spec.acquire_time.clone_from(&now);
        }
        spec.lease_duration_seconds = Some(i32::try_from(self.timing.lease.as_secs()).unwrap_or(i32::MAX));
        spec.renew_time = now;
        spec
    }
}

/// A Lease that is held.
#[derive(Debug)]
pub struct Held {
    valid_until: Arc<Mutex<Instant>>,
}

fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

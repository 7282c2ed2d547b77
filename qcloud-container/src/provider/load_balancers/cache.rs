//! What a process remembers. All of it can be lost at any moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use qcloud_clb::model::{LoadBalancer, LoadBalancerStatus};
use tokio::sync::OwnedMutexGuard;

use super::confirm::Listeners;
use super::ownership::{self, SERVICE_UID_TAG};
use super::tasks::Task;
use crate::kubernetes::load_balancers::{Host, LbRef, LbState, LbStatus};

/// How old a sweep may be that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// It is asked anew.
    Now,
    /// It may be a minute old.
    Recent,
}

/// How old a recent sweep is at most. A balancer that another process made since is found by its token.
const RECENT: Duration = Duration::from_secs(60);

/// How long the answer to a poll for several balancers holds for the others.
const POLLED: Duration = Duration::from_secs(1);
/// How long it holds for one that is ready: that does not pass.
const READY: Duration = Duration::from_secs(10);

/// How many hosts are remembered as refused; many of them are gone by then.
const MOST_SUSPECTS: usize = 1024;

/// What is known of a Service's balancers.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// When it was last looked at or changed.
    pub(super) at: Duration,
    /// All of its balancers.
    pub(super) states: Vec<LbState>,
    /// How many balancers the sweep had in which they were looked for.
    pub(super) swept: usize,
    /// Whether the last change was one of this process, and may still be under way.
    pub(super) changing: bool,
}

/// A balancer that this process ordered for a Service. Searches may not show it at once, nor its tags.
#[derive(Clone, Debug)]
pub(super) struct Order {
    /// Its id; empty when the answer to the order got lost.
    pub(super) id: String,
    pub(super) at: Duration,
    pub(super) stage: Stage,
}

/// How far an ordered balancer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing is seen of it yet.
    Ordered,
    /// It was seen with its tags: when it is not seen any more, it is gone.
    Seen,
    /// It can be worked on.
    Ready,
}

/// A wish that is met.
#[derive(Clone, Debug)]
pub(super) struct Met {
    /// Its fingerprint.
    pub(super) fingerprint: String,
    /// The status that came of it.
    pub(super) status: LbStatus,
    /// When that was last seen, by a sweep at least.
    pub(super) confirmed: Duration,
    /// When the balancer itself was last read.
    pub(super) inspected: Duration,
}

/// All balancers of the cluster, as they were at a moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Sweep {
    pub(super) at: Duration,
    pub(super) balancers: Vec<LoadBalancer>,
    /// Those that were made or changed since.
    pub(super) changed: BTreeSet<String>,
}

#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    sweep: Option<Arc<Sweep>>,
    /// The listeners of all balancers, and the sweep that they belong to by its time.
    listeners: Option<(Duration, Arc<Listeners>)>,
    services: BTreeMap<String, Known>,
    met: BTreeMap<String, Met>,
    /// Services whose balancers this process has worked on: what an earlier one recorded of them no longer counts.
    touched: BTreeSet<String>,
    /// The last order for each Service.
    orders: BTreeMap<String, Order>,
    /// How often the token of a Service's order was found to be spent.
    epochs: BTreeMap<String, u32>,
    /// The last task that was begun for each Service.
    tasks: BTreeMap<String, Task>,
    /// The security groups that this process made for Services. Searches may not show them at once.
    groups: BTreeMap<String, (String, Duration)>,
    /// Hosts that CLB refused as targets.
    suspects: BTreeSet<Host>,
    /// Balancers that were asked for together with others that are being made, and when.
    polled: BTreeMap<String, (Duration, Option<LoadBalancer>)>,
}

impl Cache {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what is known of a Service: who does not put it back, because it failed or was dropped, has forgotten it.
    pub(super) fn take(&self, service_uid: &str) -> Option<Known> {
        let mut memory = self.memory();
        memory.met.remove(service_uid);
        memory.touched.insert(service_uid.to_owned());
        memory.services.remove(service_uid)
    }

    pub(super) fn put(&self, service_uid: &str, known: Known) {
        self.memory().services.insert(service_uid.to_owned(), known);
    }

    pub(super) fn has_touched(&self, service_uid: &str) -> bool {
        self.memory().touched.contains(service_uid)
    }

    /// Takes the wish that is met. As with [`take`](Self::take), it is forgotten unless it is put back.
    pub(super) fn take_met(&self, service_uid: &str) -> Option<Met> {
        self.memory().met.remove(service_uid)
    }

    pub(super) fn put_met(&self, service_uid: &str, met: Met) {
        self.memory().met.insert(service_uid.to_owned(), met);
    }

    /// Forgets how a Service's balancers are. That they exist stays known: what was ordered may not show yet.
    pub(super) fn forget(&self, service_uid: &str) {
        let mut memory = self.memory();
        memory.services.remove(service_uid);
        memory.met.remove(service_uid);
        if let Some(sweep) = &mut memory.sweep {
            let Sweep { balancers, changed, .. } = Arc::make_mut(sweep);
            let theirs = balancers.iter().filter(|balancer| is_of(balancer, service_uid));
            changed.extend(theirs.map(|balancer| balancer.load_balancer_id.clone()));
        }
    }

    /// Forgets a Service of which nothing is left.
    pub(super) fn removed(&self, service_uid: &str) {
        self.forget(service_uid);
        let mut memory = self.memory();
        memory.orders.remove(service_uid);
        memory.tasks.remove(service_uid);
        memory.groups.remove(service_uid);
        if let Some(sweep) = &mut memory.sweep {
            Arc::make_mut(sweep).balancers.retain(|balancer| !is_of(balancer, service_uid));
        }
    }

    pub(super) fn keep_sweep(&self, now: Duration, balancers: Vec<LoadBalancer>) -> Arc<Sweep> {
        let sweep = Arc::new(Sweep { at: now, balancers, changed: BTreeSet::new() });
        self.memory().sweep = Some(Arc::clone(&sweep));
        sweep
    }

    pub(super) fn recent_sweep(&self, now: Duration) -> Option<Arc<Sweep>> {
        self.memory().sweep.as_ref().filter(|sweep| now.saturating_sub(sweep.at) < RECENT).map(Arc::clone)
    }

    pub(super) fn keep_listeners(&self, sweep: Duration, listeners: Arc<Listeners>) {
        self.memory().listeners = Some((sweep, listeners));
    }

    /// The listeners of the sweep of that time.
    pub(super) fn listeners_at(&self, sweep: Duration) -> Option<Arc<Listeners>> {
        self.memory().listeners.as_ref().filter(|(at, _)| *at == sweep).map(|(_, listeners)| Arc::clone(listeners))
    }

    /// Notes that a balancer of the sweep is no longer as it was.
    pub(super) fn changed(&self, id: &str) {
        if let Some(sweep) = &mut self.memory().sweep {
            Arc::make_mut(sweep).changed.insert(id.to_owned());
        }
    }

    /// Notes a balancer that was made since the sweep.
    pub(super) fn made(&self, balancer: &LoadBalancer) {
        if let Some(sweep) = &mut self.memory().sweep {
            let sweep = Arc::make_mut(sweep);
            sweep.balancers.retain(|other| other.load_balancer_id != balancer.load_balancer_id);
            sweep.balancers.push(balancer.clone());
            sweep.changed.insert(balancer.load_balancer_id.clone());
        }
    }

    pub(super) fn order(&self, service_uid: &str) -> Option<Order> {
        self.memory().orders.get(service_uid).cloned()
    }

    pub(super) fn put_order(&self, service_uid: &str, order: Order) {
        self.memory().orders.insert(service_uid.to_owned(), order);
    }

    pub(super) fn drop_order(&self, service_uid: &str) {
        self.memory().orders.remove(service_uid);
    }

    pub(super) fn task(&self, service_uid: &str) -> Option<Task> {
        self.memory().tasks.get(service_uid).cloned()
    }

    pub(super) fn put_task(&self, service_uid: &str, task: Task) {
        self.memory().tasks.insert(service_uid.to_owned(), task);
    }

    /// The security group that was made for a Service, and when.
    pub(super) fn group(&self, service_uid: &str) -> Option<(String, Duration)> {
        self.memory().groups.get(service_uid).cloned()
    }

    pub(super) fn put_group(&self, service_uid: &str, id: &str, now: Duration) {
        self.memory().groups.insert(service_uid.to_owned(), (id.to_owned(), now));
    }

    pub(super) fn is_suspect(&self, host: &Host) -> bool {
        self.memory().suspects.contains(host)
    }

    /// Notes whether CLB takes a host as a target.
    pub(super) fn suspect(&self, host: &Host, refused: bool) {
        let mut memory = self.memory();
        if refused {
            if memory.suspects.len() >= MOST_SUSPECTS {
                memory.suspects.clear();
            }
            memory.suspects.insert(host.clone());
        } else {
            memory.suspects.remove(host);
        }
    }

    pub(super) fn epoch(&self, service_uid: &str) -> u32 {
        self.memory().epochs.get(service_uid).copied().unwrap_or(0)
    }

    pub(super) fn next_epoch(&self, service_uid: &str) {
        *self.memory().epochs.entry(service_uid.to_owned()).or_default() += 1;
    }

    /// Ids of balancers that are being made, this one first.
    pub(super) fn making_with(&self, id: &str, most: usize, now: Duration) -> Vec<String> {
        let memory = self.memory();
        let fresh = |id: &String| memory.polled.get(id).is_some_and(|polled| holds(polled, now));
        let making = memory.orders.values().filter(|order| order.stage != Stage::Ready && !order.id.is_empty());
        let others = making.map(|order| order.id.clone());
        let mut ids = vec![id.to_owned()];
        ids.extend(others.filter(|other| other != id && !fresh(other)).take(most.saturating_sub(1)));
        ids
    }

    pub(super) fn keep_polled(&self, now: Duration, ids: &[String], found: &[LoadBalancer]) {
        let mut memory = self.memory();
        for id in ids {
            let balancer = found.iter().find(|balancer| &balancer.load_balancer_id == id).cloned();
            memory.polled.insert(id.clone(), (now, balancer));
        }
    }

    /// What a poll for another balancer has shown of this one just now. It is told once.
    pub(super) fn polled(&self, id: &str, now: Duration) -> Option<Option<LoadBalancer>> {
        self.memory().polled.remove(id).filter(|polled| holds(polled, now)).map(|(_, balancer)| balancer)
    }
}

fn is_of(balancer: &LoadBalancer, service_uid: &str) -> bool {
    ownership::tag(balancer, SERVICE_UID_TAG) == Some(service_uid)
}

fn holds((at, balancer): &(Duration, Option<LoadBalancer>), now: Duration) -> bool {
    let is_ready = balancer.as_ref().is_some_and(|balancer| balancer.status == LoadBalancerStatus::Normal);
    now.saturating_sub(*at) < if is_ready { READY } else { POLLED }
}

/// One at a time for each balancer, so that Services that share one do not get into each other's way.
#[derive(Debug, Default)]
pub(super) struct Locks(Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>);

impl Locks {
    pub(super) async fn turn(&self, of: &LbRef) -> OwnedMutexGuard<()> {
        let key = of.existing.as_ref().unwrap_or(&of.service.uid);
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if locks.len() > 4096 {
                locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            }
            Arc::clone(locks.entry(key.clone()).or_default())
        };
        lock.lock_owned().await
    }
}

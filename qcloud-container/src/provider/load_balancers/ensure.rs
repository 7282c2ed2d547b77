//! From what is wanted to steps, as far as CLB lets them be taken now.

use std::sync::Arc;
use std::time::Duration;

use qcloud_clb::model as clb;

use super::cache::{Age, Known, Met, Order, Stage, Sweep};
use super::create::{SOON, UNSEEN};
use super::tasks::Outcome;
use super::{Regional, access, ownership, targets};
use crate::kubernetes::load_balancers::{
    DeletePolicy, LbRef, LbSpec, LbState, LbStatus, Op, Owner, Subject, TargetSet, plan, plan_targets,
};
use crate::kubernetes::{ErrorKind, ProviderError, Result};

/// A sweep with fewer balancers was read in one piece.
const ONE_PAGE: usize = 100;

/// When targets that were refused are tried again.
const REFUSED: Duration = Duration::from_secs(60);

/// How long what a sweep shows of a balancer is taken for its present state.
const FRESH: Duration = Duration::from_secs(5);

impl Regional {
    /// After an error that says that things are not as they were thought to be, the Service's are forgotten.
    pub(super) fn settle<T>(&self, service_uid: &str, result: Result<T>) -> Result<T> {
        let error = match result {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        match error.kind() {
            ErrorKind::Pending | ErrorKind::Busy | ErrorKind::Throttled => {}
            // These say nothing of the balancers.
            ErrorKind::Unavailable | ErrorKind::Unauthorized => {}
            _ => self.cache.forget(service_uid),
        }
        Err(error)
    }

    pub(super) async fn ensure_alone(&self, want: &LbSpec) -> Result<LbStatus> {
        let uid = want.key.uid.as_str();
        let fingerprint = want.fingerprint();
        if let Some(status) = self.still_met(want, &fingerprint).await? {
            return Ok(status);
        }
        let mut known = self.known(&want.reference()).await?;
        if let Some(order) = self.making(uid) {
            let polled = self.poll(uid, &order, &mut known).await;
            if let Err(error) = polled {
                if self.making(uid).is_some() {
                    self.cache.put(uid, known);
                }
                return Err(error);
            }
        }

        let plan = match plan(want, &known.states, &self.limits()) {
            Ok(plan) => plan,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // The balancer that the user names: a minute from now it may be there.
                return Err(error.with_retry_after(Duration::from_secs(60)));
            }
            Err(error) => return Err(error),
        };
        let Subject::Existing(id) = plan.subject else {
            let overlooked = if known.swept >= ONE_PAGE { self.of_service(uid).await? } else { Vec::new() };
            if !overlooked.is_empty() {
                // Pages shift when balancers come and go: this one fell between two of them.
                overlooked.iter().for_each(|balancer| self.cache.made(balancer));
                let message = "a balancer of the Service was overlooked";
                return Err(ProviderError::new(ErrorKind::Conflict, message).with_retry_after(Duration::from_secs(1)));
            }
            let id = self.order(want).await?;
            known.at = self.now();
            self.cache.put(uid, known);
            return Err(ProviderError::pending(format!("the balancer {id} is being made"), SOON));
        };
        if let Some(state) = known.states.iter().find(|state| state.id == id) {
            access::check_alone(want, state)?;
        }
        self.carry_out(&want.reference(), &mut known, &id, plan.ops).await?;

        let Some(state) = known.states.iter().find(|state| state.id == id) else {
            return Err(ProviderError::new(ErrorKind::Conflict, format!("the balancer {id} has gone")));
        };
        let ingress = state.ingress(want.address_mode);
        if ingress.is_empty() {
            // A finished balancer has an address or a name; this one will be looked at anew.
            return Err(ProviderError::pending(format!("the balancer {id} has no address yet"), SOON));
        }
        let mut status = LbStatus::new(id, ingress);
        if !plan.superseded.is_empty() {
            if !want.is_published(&status.ingress) {
                // Clients still use the other one.
                status.again_after = Some(Duration::from_secs(1));
                self.cache.put(uid, known);
                return Ok(status);
            }
            for other in &plan.superseded {
                let Some(state) = known.states.iter().find(|state| &state.id == other) else { continue };
                self.give_up(state, &want.key, DeletePolicy::Delete, false).await?;
                known.states.retain(|state| &state.id != other);
            }
        }
        let met = Met { fingerprint, status: status.clone(), confirmed: known.at, inspected: known.at };
        self.cache.put_met(uid, met);
        self.cache.put(uid, known);
        Ok(status)
    }

    pub(super) async fn update_targets_alone(&self, of: &LbRef, targets: &TargetSet) -> Result<()> {
        let uid = of.service.uid.as_str();
        let mut known = self.known(of).await?;
        let wanted = |state: &&LbState| match &of.existing {
            Some(id) => state.id == *id,
            None => state.owner == Owner::Service(uid.to_owned()),
        };
        let Some(state) = known
            .states
            .iter()
            .filter(wanted)
            .min_by_key(|state| (of.recorded.as_ref() != Some(&state.id), state.id.clone()))
        else {
            self.cache.put(uid, known);
            return Err(if self.making(uid).is_some() {
                ProviderError::pending("the balancer is being made", SOON)
            } else {
                ProviderError::new(ErrorKind::NotFound, format!("{} has no balancer", of.service))
            });
        };
        let (id, ops) = (state.id.clone(), plan_targets(state, targets, &self.limits()));
        self.carry_out(of, &mut known, &id, ops).await?;
        self.cache.put(uid, known);
        Ok(())
    }

    /// What is known of a Service, by memory or by looking. It is taken out of memory: what fails is forgotten.
    async fn known(&self, of: &LbRef) -> Result<Known> {
        if let Some(known) = self.cache.take(&of.service.uid) {
            let recent = self.now().saturating_sub(known.at) < self.options.verify_after;
            let complete = of.existing.iter().all(|id| known.states.iter().any(|state| &state.id == id));
            if recent && complete {
                return Ok(known);
            }
        }
        self.candidates(of, Age::Recent).await
    }

    /// The ordered balancer that is not ready yet.
    fn making(&self, service_uid: &str) -> Option<Order> {
        self.cache.order(service_uid).filter(|order| order.stage != Stage::Ready && !order.id.is_empty())
    }

    /// The last order for a Service, while searches may not show it, or not as the Service's.
    pub(super) fn recent_order(&self, service_uid: &str) -> Option<Order> {
        self.cache.order(service_uid).filter(|order| self.now().saturating_sub(order.at) < UNSEEN)
    }

    /// All balancers that concern a Service, read to their targets.
    pub(super) async fn candidates(&self, of: &LbRef, age: Age) -> Result<Known> {
        let now = self.now();
        let swept = match age {
            Age::Recent => self.swept().await?,
            Age::Now => {
                Arc::new(Sweep { at: now, balancers: self.of_service(&of.service.uid).await?, ..Sweep::default() })
            }
        };
        let owner = Owner::Service(of.service.uid.clone());
        let (mut balancers, mut again): (Vec<clb::LoadBalancer>, Vec<String>) = (Vec::new(), Vec::new());
        for balancer in &swept.balancers {
            let id = &balancer.load_balancer_id;
            let named = of.existing.as_ref() == Some(id) || of.recorded.as_ref() == Some(id);
            if ownership::owner(&self.cluster, balancer) != owner && !named {
                continue;
            }
            // That it is this Service's does not change; everything else does.
            let is_old = now.saturating_sub(swept.at) > FRESH || balancer.status != clb::LoadBalancerStatus::Normal;
            if swept.changed.contains(id) || (is_old && now != swept.at) {
                again.push(id.clone());
            } else {
                balancers.push(balancer.clone());
            }
        }
        // An order that is being made is polled for by whoever works on it.
        let ordered = self.recent_order(&of.service.uid).filter(|_| age == Age::Now).map(|order| order.id);
        let ordered = ordered.filter(|id| !id.is_empty());
        for id in of.existing.iter().chain(&of.recorded).chain(&ordered) {
            if !again.contains(id) && balancers.iter().all(|balancer| balancer.load_balancer_id != *id) {
                again.push(id.clone());
            }
        }
        if !again.is_empty() {
            balancers.extend(self.by_ids(&again).await?);
        }
        let mut states = Vec::new();
        for balancer in &balancers {
            match self.read_whole(balancer, &of.service).await {
                Ok(state) => states.push(state),
                // It went while it was looked at. That it is gone has been said by CLB itself.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Known { at: now, states, swept: swept.balancers.len(), changing: false })
    }

    /// Takes steps until one is under way that others have to wait for.
    async fn carry_out(&self, of: &LbRef, known: &mut Known, id: &str, ops: Vec<Op>) -> Result<()> {
        let uid = of.service.uid.as_str();
        let mut refused = Vec::new();
        let mut ops = ops.into_iter().flat_map(super::execute::in_calls).peekable();
        while let Some(op) = ops.next() {
            if matches!(op, Op::Create | Op::AwaitReady) {
                // Nothing is put back, so that the next pass looks.
                return Err(ProviderError::pending(format!("the balancer {id} is being made"), SOON));
            }
            match self.outcome(uid, id, &op).await? {
                Outcome::Failed(error) => return Err(error),
                Outcome::Running | Outcome::Succeeded => {
                    // What was read is older than that.
                    return Err(ProviderError::pending(format!("the balancer {id} is being changed"), SOON));
                }
                Outcome::Unknown => {}
            }
            let Some(state) = known.states.iter_mut().find(|state| state.id == id) else { break };
            let Some(op) = targets::spare(op, state, &refused) else { continue };
            let outcome = self.execute(state, &of.service, &op).await;
            let done = match outcome {
                Ok(done) => done,
                Err(error) if matches!(error.kind(), ErrorKind::Busy | ErrorKind::Throttled) => {
                    // Refused before anything was done: what is known still holds, unless someone else is at work, or
                    // an earlier call of this process whose answer was lost.
                    if error.kind() == ErrorKind::Throttled || known.changing {
                        self.cache.put(uid, known.clone());
                    }
                    return Err(error);
                }
                Err(error) if error.kind() == ErrorKind::NotFound && known.changing => {
                    // A listener can be used only when the task that makes it has ended. That is waited for once.
                    known.changing = false;
                    self.cache.put(uid, known.clone());
                    return Err(
                        ProviderError::pending(format!("the balancer {id} is being changed"), SOON).with_source(error)
                    );
                }
                // What is not there any more, and what is there by now: a process before may have had it under way.
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists) => {
                    return Err(match self.last_outcome(uid, id).await? {
                        Outcome::Failed(failure) => failure,
                        _ => gone(id, &error),
                    });
                }
                Err(error) => return Err(error),
            };
            self.cache.changed(id);
            known.at = self.now();
            known.changing = done.task.is_some();
            refused.extend(done.refused);
            if let Some(task) = done.task {
                self.began(uid, &op, task);
                if ops.peek().is_some() {
                    self.cache.put(uid, known.clone());
                }
                // After the last step nothing is put back: the next pass looks whether all came out as wanted.
                return Err(ProviderError::pending(format!("the balancer {id} is being changed"), SOON));
            }
        }
        if refused.is_empty() {
            return Ok(());
        }
        let message = format!("the balancer {id} refused targets: {}", targets::describe(&refused));
        Err(ProviderError::new(ErrorKind::Conflict, message).with_retry_after(REFUSED))
    }
}

/// Something that a step was about has gone: the next pass sees what there is.
pub(super) fn gone(id: &str, error: &ProviderError) -> ProviderError {
    let message = format!("the balancer {id} is no longer as it was: {error}");
    ProviderError::new(ErrorKind::Conflict, message).with_retry_after(Duration::from_secs(1))
}

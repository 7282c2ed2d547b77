//! Giving up balancers.

use std::time::Duration;

use qcloud_clb::model as clb;

use super::cache::{Age, Order, Stage};
use super::create::SOON;
use super::ensure::gone;
use super::{Regional, execute};
use crate::kubernetes::load_balancers::{Access, DeletePolicy, LbRef, LbState, Owner, ServiceKey};
use crate::kubernetes::{ErrorKind, ProviderError, Result};

/// A deletion takes 11 to 17 seconds.
const DELETED: Duration = Duration::from_secs(5);

impl Regional {
    pub(super) async fn delete_alone(&self, of: &LbRef, policy: DeletePolicy) -> Result<()> {
        let uid = of.service.uid.as_str();
        let states = self.candidates(of, Age::Now).await?.states;
        self.find_order(uid, &states)?;
        for state in states {
            match self.give_up(&state, &of.service, policy, true).await {
                Err(error) if error.kind() == ErrorKind::NotFound => return Err(gone(&state.id, &error)),
                other => other?,
            }
        }
        // Whoever else removed the balancer did not know of its group.
        self.delete_groups(&of.service).await.map_err(|error| match error.kind() {
            ErrorKind::InUse => error.with_retry_after(DELETED),
            _ => error,
        })?;
        self.cache.removed(uid);
        Ok(())
    }

    /// Makes sure that a balancer which this process has just ordered is among those that were found for its Service: it
    /// may not show yet, or not as the Service's.
    pub(super) fn find_order(&self, service_uid: &str, states: &[LbState]) -> Result<()> {
        let Some(order) = self.recent_order(service_uid) else { return Ok(()) };
        let own = Owner::Service(service_uid.to_owned());
        let is_it = |state: &LbState| state.owner == own && (order.id.is_empty() || state.id == order.id);
        if states.iter().any(is_it) {
            if order.stage == Stage::Ordered {
                self.cache.put_order(service_uid, Order { stage: Stage::Seen, ..order });
            }
            return Ok(());
        }
        match order.stage {
            Stage::Ordered => {
                Err(ProviderError::pending(format!("the ordered balancer {} does not show yet", order.id), SOON))
            }
            Stage::Seen | Stage::Ready => Ok(()),
        }
    }

    /// Removes a balancer, or what the Service put on it. Success means that there is nothing left to remove.
    pub(super) async fn give_up(
        &self,
        state: &LbState,
        service: &ServiceKey,
        policy: DeletePolicy,
        with_group: bool,
    ) -> Result<()> {
        let pending = |after| Err(ProviderError::pending(format!("the balancer {} is being removed", state.id), after));
        let own = state.owner == Owner::Service(service.uid.clone());
        if !state.ready {
            // What is on it can't be seen.
            return pending(SOON);
        }
        if !own || policy == DeletePolicy::Retain {
            let ids: Vec<String> = state.owned_listeners().into_iter().map(|listener| listener.id).collect();
            if let Some(first) = ids.chunks(execute::MOST_DELETED).next() {
                self.delete_listeners(&state.id, first.to_vec()).await?;
                return pending(SOON);
            }
            if with_group {
                match self.delete_groups(service).await {
                    Err(error) if error.kind() == ErrorKind::InUse && !state.access.source_ranges.is_empty() => {
                        self.set_access(state, &Access::open(), service).await?;
                        return pending(SOON);
                    }
                    Err(error) if error.kind() == ErrorKind::InUse => return pending(SOON),
                    other => other?,
                }
            }
            if own {
                // Last of all: then it is no longer the Service's.
                self.disown(state).await?;
                return pending(SOON);
            }
            return Ok(());
        }
        if state.protection.deletion == Some(true) {
            let request = clb::ModifyLoadBalancerAttributes::new(state.id.as_str()).delete_protect(false);
            self.clb.modify_load_balancer_attributes(request).await?;
            return pending(SOON);
        }
        if with_group {
            // The group goes first: after the balancer nothing would lead to it.
            match self.delete_groups(service).await {
                Err(error) if error.kind() == ErrorKind::InUse => {}
                Ok(()) => return self.delete_balancer(state).await,
                Err(error) => return Err(error),
            }
            // The balancer has it. Without listeners nobody gets in, so it can be taken off.
            let ids: Vec<String> = state.owned_listeners().into_iter().map(|listener| listener.id).collect();
            if let Some(first) = ids.chunks(execute::MOST_DELETED).next() {
                self.delete_listeners(&state.id, first.to_vec()).await?;
                return pending(SOON);
            }
            self.set_access(state, &Access::open(), service).await?;
            return pending(SOON);
        }
        self.delete_balancer(state).await
    }

    async fn delete_balancer(&self, state: &LbState) -> Result<()> {
        let request = clb::DeleteLoadBalancer::new([state.id.as_str()]).force_delete(self.options.force_delete);
        match self.clb.delete_load_balancer(request).await {
            Ok(_) => Err(ProviderError::pending(format!("the balancer {} is being removed", state.id), DELETED)),
            Err(error) if qcloud_clb::is_not_found(&error) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

//! The balancers of one region.

use std::time::Duration;

use qcloud_core::Config;

use super::cache::{Age, Cache, Locks};
use super::{ClbOptions, ownership};
use crate::kubernetes::load_balancers::{
    DeletePolicy, Feature, LbLimits, LbRef, LbSpec, LbState, LbStatus, Owner, ServiceKey, TargetSet,
};
use crate::kubernetes::{ClusterIdentity, Result};

/// The balancers of a cluster in a region.
#[derive(Debug)]
pub(super) struct Regional {
    pub(super) region: String,
    /// Whether it is the region of the cluster.
    pub(super) is_home: bool,
    pub(super) clb: qcloud_clb::Client,
    pub(super) vpc: qcloud_vpc::Client,
    config: Config,
    pub(super) cluster: ClusterIdentity,
    pub(super) options: ClbOptions,
    pub(super) cache: Cache,
    locks: Locks,
    /// Held by who reads a sweep for all.
    pub(super) sweeping: tokio::sync::Mutex<()>,
}

impl Regional {
    pub(super) fn new(config: &Config, is_home: bool, cluster: ClusterIdentity, options: ClbOptions) -> Self {
        Self {
            region: config.region().map(ToString::to_string).unwrap_or_default(),
            is_home,
            clb: qcloud_clb::Client::new(config),
            vpc: qcloud_vpc::Client::new(config),
            config: config.clone(),
            cluster,
            options,
            cache: Cache::default(),
            locks: Locks::default(),
            sweeping: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.config.clock().elapsed()
    }

    pub(super) fn limits(&self) -> LbLimits {
        let mut limits = LbLimits::new(self.options.listeners, self.options.targets_per_listener);
        // CLB has 20 tags on a balancer, and at most five are ours.
        limits.tags = 15;
        // RSA, ECC and SM2.
        limits.certificates = 3;
        // No action of CLB sets it.
        limits.features.remove(&Feature::ModificationProtection);
        limits
    }

    /// Whether the recent sweep shows a balancer of the Service.
    pub(super) async fn has_balancer_of(&self, service: &ServiceKey) -> Result<bool> {
        let owner = Owner::Service(service.uid.clone());
        let swept = self.swept().await?;
        Ok(swept.balancers.iter().any(|balancer| ownership::owner(&self.cluster, balancer) == owner))
    }

    pub(super) async fn observe(&self, of: &LbRef) -> Result<Option<LbState>> {
        let mut states = self.candidates(of, Age::Now).await?.states;
        self.find_order(&of.service.uid, &states)?;
        let own = Owner::Service(of.service.uid.clone());
        states.retain(|state| state.owner == own || state.listeners.iter().any(|listener| listener.owned));
        states.sort_by_key(|state| (of.recorded.as_ref() != Some(&state.id), state.id.clone()));
        match states.into_iter().next() {
            Some(state) => Ok(Some(state)),
            None => self.leftover(&of.service).await,
        }
    }

    pub(super) async fn ensure(&self, want: &LbSpec) -> Result<LbStatus> {
        let _turn = self.locks.turn(&want.reference()).await;
        let result = self.ensure_alone(want).await;
        self.settle(&want.key.uid, result)
    }

    pub(super) async fn update_targets(&self, of: &LbRef, targets: &TargetSet) -> Result<()> {
        let _turn = self.locks.turn(of).await;
        let result = self.update_targets_alone(of, targets).await;
        self.settle(&of.service.uid, result)
    }

    pub(super) async fn delete(&self, of: &LbRef, policy: DeletePolicy) -> Result<()> {
        let _turn = self.locks.turn(of).await;
        self.cache.forget(&of.service.uid);
        self.delete_alone(of, policy).await
    }

    pub(super) async fn sweep_owned(&self) -> Result<Vec<LbState>> {
        let swept = self.sweep().await?;
        let states = swept.iter().map(|balancer| self.read_balancer(balancer));
        let mut states: Vec<LbState> = states.filter(|state| matches!(state.owner, Owner::Service(_))).collect();
        self.cache.keep_sweep(self.now(), swept);
        for leftover in self.leftovers().await? {
            if states.iter().all(|state| state.owner != leftover.owner) {
                states.push(leftover);
            }
        }
        Ok(states)
    }
}

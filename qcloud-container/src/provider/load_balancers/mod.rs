#![doc = include_str!("../../../docs/load_balancers.md")]

mod access;
mod cache;
mod create;
mod delete;
mod ensure;
mod errors;
mod execute;
mod observe;
mod ownership;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use qcloud_core::Config;

use self::cache::{Cache, Locks};
use crate::kubernetes::load_balancers::{
    DeletePolicy, Feature, LbLimits, LbRef, LbSpec, LbState, LbStatus, LoadBalancers, Owner, TargetSet,
};
use crate::kubernetes::{ClusterIdentity, Result};

pub use ownership::{CLUSTER_TAG, RETAINED_PREFIX, SERVICE_TAG, SERVICE_UID_TAG};

/// How balancers are made and removed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClbOptions {
    /// The network of the cluster; the account's default one when absent.
    pub vpc_id: Option<String>,
    /// Whether a balancer is deleted although it has many targets or much traffic. CLB refuses that otherwise.
    pub force_delete: bool,
    /// How long a finished balancer is believed to be as it was left.
    pub verify_after: Duration,
    /// Listeners that the account may have on a balancer.
    pub listeners: usize,
    /// Targets that the account may have on a listener.
    pub targets_per_listener: usize,
}

impl Default for ClbOptions {
    fn default() -> Self {
        Self {
            vpc_id: None,
            force_delete: true,
            verify_after: Duration::from_secs(600),
            listeners: 50,
            targets_per_listener: 200,
        }
    }
}

impl ClbOptions {
    /// For the cluster in this network.
    pub fn new(vpc_id: impl Into<String>) -> Self {
        Self { vpc_id: Some(vpc_id.into()), ..Self::default() }
    }
}

/// Load balancers for the Services of a cluster, by CLB. Clones share what they know.
#[derive(Clone, Debug)]
pub struct ClbLoadBalancers {
    clb: qcloud_clb::Client,
    vpc: qcloud_vpc::Client,
    config: Config,
    cluster: ClusterIdentity,
    options: ClbOptions,
    cache: Arc<Cache>,
    locks: Arc<Locks>,
}

impl ClbLoadBalancers {
    /// The balancers of a cluster, in the region of the configuration. Its rate limits, if any, bound all calls.
    #[must_use]
    pub fn new(config: &Config, cluster: ClusterIdentity, options: ClbOptions) -> Self {
        Self {
            clb: qcloud_clb::Client::new(config),
            vpc: qcloud_vpc::Client::new(config),
            config: config.clone(),
            cluster,
            options,
            cache: Arc::default(),
            locks: Arc::default(),
        }
    }

    fn now(&self) -> Duration {
        self.config.clock().elapsed()
    }
}

#[async_trait]
impl LoadBalancers for ClbLoadBalancers {
    fn limits(&self) -> LbLimits {
        let mut limits = LbLimits::new(self.options.listeners, self.options.targets_per_listener);
        // CLB has 20 tags on a balancer, and three are ours.
        limits.tags = 17;
        limits.certificates = 1;
        // No action of CLB sets the one; the other needs an account with SNAT Pro.
        limits.features.remove(&Feature::ModificationProtection);
        limits.features.remove(&Feature::CrossNetwork);
        limits
    }

    async fn observe(&self, of: &LbRef) -> Result<Option<LbState>> {
        let mut states = self.candidates(of, cache::Age::Now).await?;
        let own = Owner::Service(of.service.uid.clone());
        states.retain(|state| state.owner == own || state.listeners.iter().any(|listener| listener.owned));
        states.sort_by_key(|state| (of.recorded.as_ref() != Some(&state.id), state.id.clone()));
        Ok(states.into_iter().next())
    }

    async fn ensure(&self, want: &LbSpec) -> Result<LbStatus> {
        self.limits().check(want)?;
        let _turn = self.locks.turn(&want.reference()).await;
        let result = self.ensure_alone(want).await;
        self.settle(&want.key.uid, result)
    }

    async fn update_targets(&self, of: &LbRef, targets: &TargetSet) -> Result<()> {
        let _turn = self.locks.turn(of).await;
        let result = self.update_targets_alone(of, targets).await;
        self.settle(&of.service.uid, result)
    }

    async fn delete(&self, of: &LbRef, policy: DeletePolicy) -> Result<()> {
        let _turn = self.locks.turn(of).await;
        self.cache.forget(&of.service.uid);
        self.delete_alone(of, policy).await
    }

    async fn sweep_owned(&self) -> Result<Vec<LbState>> {
        let swept = self.sweep().await?;
        let states = swept.iter().map(|balancer| self.read_balancer(balancer));
        let states = states.filter(|state| matches!(state.owner, Owner::Service(_))).collect();
        self.cache.keep_sweep(self.now(), swept);
        Ok(states)
    }
}

#![doc = include_str!("../../../docs/load_balancers.md")]

mod access;
mod cache;
mod confirm;
mod create;
mod delete;
mod ensure;
mod execute;
mod observe;
mod ownership;
mod regional;
mod targets;
mod tasks;
mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use qcloud_core::Config;

use self::regional::Regional;
use crate::kubernetes::load_balancers::{
    DeletePolicy, LbLimits, LbRef, LbSpec, LbState, LbStatus, LoadBalancers, TargetSet, annotations,
};
use crate::kubernetes::{ClusterIdentity, ErrorKind, ProviderError, Result};

pub use ownership::{ADDRESS_TAG, CLUSTER_TAG, RETAIN_TAG, RETAINED_PREFIX, SERVICE_TAG, SERVICE_UID_TAG};

/// How balancers are made and removed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClbOptions {
    /// The network of the cluster; the account's default one when absent.
    pub vpc_id: Option<String>,
    /// The subnet from which IPv6 balancers take their addresses, unless a Service names another one as `SubnetId` among
    /// the parameters of CreateLoadBalancer. Without either, they are refused.
    pub ipv6_subnet_id: Option<String>,
    /// Whether a balancer is deleted although it has many targets or much traffic. CLB refuses that otherwise.
    pub force_delete: bool,
    /// How long a finished balancer is believed to be as it was left. Then a sweep that all Services share shows whether
    /// it and its listeners are still there.
    pub verify_after: Duration,
    /// How long what such a sweep does not show is believed: targets, health checks and other settings of listeners.
    pub inspect_after: Duration,
    /// Listeners that the account may have on a balancer.
    pub listeners: usize,
    /// Targets that the account may have on a listener.
    pub targets_per_listener: usize,
    /// Further regions in which Services may have their balancers. All of them are looked through for balancers of the
    /// cluster, so that none is left behind.
    pub other_regions: Vec<String>,
}

impl Default for ClbOptions {
    fn default() -> Self {
        Self {
            vpc_id: None,
            ipv6_subnet_id: None,
            force_delete: true,
            verify_after: Duration::from_secs(600),
            inspect_after: Duration::from_secs(1800),
            listeners: 50,
            targets_per_listener: 200,
            other_regions: Vec::new(),
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
    home: Arc<Regional>,
    /// Those in other regions, by the region's name.
    others: Arc<BTreeMap<String, Regional>>,
    /// The region in which each Service was last found to have its only balancer. Without other regions, it is empty.
    places: Arc<Mutex<BTreeMap<String, String>>>,
}

impl ClbLoadBalancers {
    /// The balancers of a cluster, in the region of the configuration. Its rate limits, if any, bound all calls.
    #[must_use]
    pub fn new(config: &Config, cluster: ClusterIdentity, options: ClbOptions) -> Self {
        let home = config.region().map(ToString::to_string).unwrap_or_default();
        let others = options.other_regions.iter().filter(|region| **region != home).map(|region| {
            let config = config.in_region(region.as_str());
            (region.clone(), Regional::new(&config, false, cluster.clone(), options.clone()))
        });
        let others = Arc::new(others.collect());
        let home = Arc::new(Regional::new(config, true, cluster, options));
        Self { home, others, places: Arc::default() }
    }

    /// Where balancers of this region are looked after.
    fn at(&self, region: Option<&str>) -> Result<&Regional> {
        match region {
            None => Ok(&self.home),
            Some(region) if self.home.region == region => Ok(&self.home),
            Some(region) => self.others.get(region).ok_or_else(|| {
                let message = format!(
                    "annotation {}: value {region:?}: the controller is not told to look after balancers there; add the \
                     region to its other regions",
                    annotations::CROSS_REGION
                );
                ProviderError::new(ErrorKind::Unsupported, message)
            }),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Regional> {
        std::iter::once(&*self.home).chain(self.others.values())
    }

    /// The region in which the Service has a balancer besides the one that it is to have.
    async fn elsewhere(&self, want: &LbSpec, here: &Regional) -> Result<Option<&Regional>> {
        let places = || self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if self.others.is_empty() || places().get(&want.key.uid) == Some(&here.region) {
            return Ok(None);
        }
        for other in self.all().filter(|other| other.region != here.region) {
            if other.has_balancer_of(&want.key).await? {
                return Ok(Some(other));
            }
        }
        places().insert(want.key.uid.clone(), here.region.clone());
        Ok(None)
    }
}

#[async_trait]
impl LoadBalancers for ClbLoadBalancers {
    fn limits(&self) -> LbLimits {
        self.home.limits()
    }

    async fn observe(&self, of: &LbRef) -> Result<Option<LbState>> {
        for regional in self.all() {
            if let Some(state) = regional.observe(of).await? {
                return Ok(Some(state));
            }
        }
        Ok(None)
    }

    async fn ensure(&self, want: &LbSpec) -> Result<LbStatus> {
        self.limits().check(want)?;
        access::check(&want.access)?;
        ownership::check_name(&want.name)?;
        let reference = want.reference();
        let here = self.at(reference.region.as_deref())?;
        let left = self.elsewhere(want, here).await?;
        if left.is_some() && !want.allow_recreate {
            let message = format!(
                "the region of a balancer cannot be changed in place; allow its replacement with the annotation {}",
                annotations::ALLOW_RECREATE
            );
            return Err(ProviderError::new(ErrorKind::InvalidArgument, message));
        }
        let mut status = here.ensure(want).await?;
        if let Some(left) = left {
            if want.is_published(&status.ingress) {
                left.delete(&reference, DeletePolicy::Delete).await?;
            }
            status.again_after = Some(Duration::from_secs(1));
        }
        Ok(status)
    }

    async fn update_targets(&self, of: &LbRef, targets: &TargetSet) -> Result<()> {
        self.at(of.region.as_deref())?.update_targets(of, targets).await
    }

    async fn delete(&self, of: &LbRef, policy: DeletePolicy) -> Result<()> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).remove(&of.service.uid);
        for regional in self.all() {
            regional.delete(of, policy).await?;
        }
        Ok(())
    }

    async fn sweep_owned(&self) -> Result<Vec<LbState>> {
        let mut states = Vec::new();
        for regional in self.all() {
            states.extend(regional.sweep_owned().await?);
        }
        Ok(states)
    }
}

//! Services of type LoadBalancer.
//!
//! The way of a Service: [`Service`] (plain, or `From` a `k8s-openapi` one) → [`LbSpec::read`] with its annotations →
//! [`TargetSet::select`] from nodes and endpoints → [`LoadBalancers::ensure`]. An implementation observes
//! [`LbState`], asks [`plan`] what differs, and does that.

mod access;
pub mod annotations;
pub mod conformance;
mod endpoints;
mod health;
#[cfg(feature = "k8s-openapi")]
mod k8s;
mod limits;
mod listener;
mod memory;
pub(crate) mod model;
pub mod names;
mod orphans;
mod plan;
mod protocols;
mod reading;
mod selector;
mod service;
mod service_config;
mod settings;
mod spec;
mod state;
mod subset;
mod targets;
mod values;
mod weights;

use async_trait::async_trait;

use super::Result;

pub use access::Access;
pub use endpoints::{Endpoint, Node};
pub use health::{HealthCheck, HealthKind, HealthSource};
pub use limits::{Feature, LbLimits};
pub use listener::{ListenerKey, ListenerSpec, Protocol, Rule, Scheduler, Settings, Tls, Transport};
pub use memory::InMemoryLoadBalancers;
pub use orphans::{OrphanTracker, Orphans};
pub use plan::{Attribute, Binding, ListenerRef, Op, Plan, Subject, plan, plan_targets};
pub use reading::{ReadContext, References};
pub use selector::LabelSelector;
pub use service::{Family, Service, ServiceKey, ServicePort, TargetPort};
pub use spec::{
    AddressMode, Charging, CrossNetwork, Existing, LbSpec, Mode, NodeChoice, Protection, Scope, StaticAddress,
};
pub use state::{Ingress, LbState, LbStatus, ListenerState, Owner, RuleState};
pub use subset::subset;
pub use targets::{Host, Target, TargetSet};
pub use weights::{PodWeights, pod_weight};

/// Which balancer is meant: that of a Service, and where the Service says it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct LbRef {
    /// The Service.
    pub service: ServiceKey,
    /// The id of the balancer that the user named, when the Service uses an existing one.
    pub existing: Option<String>,
    /// The id that the controller recorded on the Service. It saves a search; what the cloud's tags say wins over it.
    pub recorded: Option<String>,
    /// The region of the balancer, when the Service names one. Looking for a balancer and removing it heed all regions.
    pub region: Option<String>,
}

impl LbRef {
    /// The balancer that was made for a Service.
    pub fn new(service: ServiceKey) -> Self {
        Self { service, existing: None, recorded: None, region: None }
    }

    /// The balancer of a Service: also of one that wants none any more, is being deleted, or whose other annotations make
    /// no sense, for which [`LbSpec::read`] gives none.
    #[must_use]
    pub fn of(service: &Service) -> Self {
        let text = |name| service.annotations.get(name).map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
        Self {
            service: service.key.clone(),
            existing: text(annotations::EXISTING_ID),
            recorded: text(annotations::RECORDED_ID),
            region: text(annotations::CROSS_REGION),
        }
    }

    /// With the id of the existing balancer that the Service uses.
    #[must_use]
    pub fn with_existing(mut self, id: impl Into<String>) -> Self {
        self.existing = Some(id.into());
        self
    }

    /// With the id that was recorded on the Service.
    #[must_use]
    pub fn with_recorded(mut self, id: impl Into<String>) -> Self {
        self.recorded = Some(id.into());
        self
    }
}

/// What becomes of the balancer when its Service goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum DeletePolicy {
    /// A balancer that was made for the Service is removed; of one that the user named, only what the Service added.
    #[default]
    Delete,
    /// The balancer itself stays for the user to keep; what the Service put on it is removed.
    Retain,
}

impl DeletePolicy {
    /// What a Service says becomes of its balancer. When in doubt it stays: that can be mended.
    #[must_use]
    pub fn of(service: &Service) -> Self {
        match service.annotations.get(annotations::RETAIN).map(|text| text.trim()) {
            None | Some("" | "false") => Self::Delete,
            Some(_) => Self::Retain,
        }
    }
}

/// Load balancers for Services.
///
/// Every operation can be repeated at any point: after an error, a crash or a dropped future, calling it again goes on
/// from what the cloud holds.
#[async_trait]
pub trait LoadBalancers: Send + Sync {
    /// What this cloud can do.
    fn limits(&self) -> LbLimits;

    /// What exists for a Service, `None` only when nothing does. It is `Some` while any part remains, so that a
    /// controller does not skip the removal.
    async fn observe(&self, of: &LbRef) -> Result<Option<LbState>>;

    /// Makes the balancer as wanted, or goes on making it.
    ///
    /// [`ErrorKind::Pending`](super::ErrorKind::Pending) says that the cloud is at work and when to call again.
    async fn ensure(&self, want: &LbSpec) -> Result<LbStatus>;

    /// Changes only where the traffic goes. A balancer that does not exist is
    /// [`ErrorKind::NotFound`](super::ErrorKind::NotFound); listeners without an entry in `targets` are left alone.
    async fn update_targets(&self, of: &LbRef, targets: &TargetSet) -> Result<()>;

    /// Removes what exists for a Service. Success means that nothing is left; nothing there at all is success too.
    async fn delete(&self, of: &LbRef, policy: DeletePolicy) -> Result<()>;

    /// All balancers that were made for Services of this cluster, for finding orphans. Complete or an error. Listeners
    /// may be left out.
    async fn sweep_owned(&self) -> Result<Vec<LbState>>;
}

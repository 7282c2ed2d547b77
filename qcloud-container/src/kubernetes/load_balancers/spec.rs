use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::access::Access;
use super::listener::{ListenerKey, ListenerSpec};
use super::selector::LabelSelector;
use super::service::{Family, ServiceKey};
use super::state::Ingress;
use super::targets::TargetSet;
use super::weights::PodWeights;
use super::{LbRef, names};

/// From where a balancer is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scope {
    /// From the internet.
    #[default]
    Public,
    /// From the private network only.
    Internal {
        /// The id of the subnet that the address is taken from.
        subnet: String,
    },
}

/// Where a balancer sends traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// To the node port of nodes, which forward to pods.
    #[default]
    NodePort,
    /// To the Service port of nodes, which know the balancer's address as that of the Service.
    Vip,
    /// To the pods.
    Direct,
}

/// What `status.loadBalancer.ingress[].ipMode` says: how traffic arrives at nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AddressMode {
    /// Pods may take a short way to the balancer's address inside the cluster.
    #[default]
    Vip,
    /// Traffic must pass through the balancer.
    Proxy,
}

impl AddressMode {
    /// As in the status of a Service.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vip => "VIP",
            Self::Proxy => "Proxy",
        }
    }
}

/// What a public balancer's traffic is billed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Charging {
    /// By traffic, hourly.
    Traffic,
    /// By bandwidth, hourly.
    Bandwidth,
    /// By a bandwidth package.
    Package,
}

/// An address that was there before the balancer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StaticAddress {
    /// This address.
    Ip(IpAddr),
    /// A reserved address, by its id, for an internal balancer to have beside its own.
    Reserved(String),
}

/// A balancer that the user made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Existing {
    /// Its id.
    pub id: String,
    /// Whether several Services share it.
    pub shared: bool,
}

impl Existing {
    /// A balancer for this Service alone.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), shared: false }
    }

    /// A balancer that several Services share.
    pub fn shared(id: impl Into<String>) -> Self {
        Self { id: id.into(), shared: true }
    }
}

/// A balancer that is in another region or network than its targets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct CrossNetwork {
    /// The region of the balancer when it is not the cluster's.
    pub region: Option<String>,
    /// The network of the balancer when it is not the cluster's.
    pub network: Option<String>,
}

/// What a balancer is protected from. `None` leaves it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Protection {
    /// From deletion.
    pub deletion: Option<bool>,
    /// From changes by others.
    pub modification: Option<bool>,
}

/// Which nodes and endpoints become targets, and with what weight.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct NodeChoice {
    /// Only nodes with these labels.
    pub selector: Option<LabelSelector>,
    /// Only nodes that have a pod of the Service; of use with local traffic only.
    pub with_pods_only: bool,
    /// Weight by the number of pods on the node; of use with local traffic only.
    pub weight_by_pods: bool,
    /// At most this many nodes; 0 for the limit of the cloud. No use with local traffic.
    pub most: usize,
    /// Pods that end get weight 0 before they go.
    pub drain_ending: bool,
    /// Pods that are not ready get weight 0 instead of being removed.
    pub drain_unready: bool,
    /// Weights of pods.
    pub weights: PodWeights,
}

/// The load balancer that a Service wants.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LbSpec {
    /// The Service.
    pub key: ServiceKey,
    /// The name of the balancer, for people.
    pub name: String,
    /// Public or internal.
    pub scope: Scope,
    /// The version of IP of its address.
    pub family: Family,
    /// Where it sends traffic.
    pub mode: Mode,
    /// What the status says about its address.
    pub address_mode: AddressMode,
    /// Whether the Service has `externalTrafficPolicy: Local`.
    pub local_traffic: bool,
    /// Its listeners.
    pub listeners: Vec<ListenerSpec>,
    /// Where each listener sends traffic; a listener without an entry keeps the targets that it has.
    pub targets: TargetSet,
    /// How targets are chosen.
    pub nodes: NodeChoice,
    /// Who may connect.
    pub access: Access,
    /// Whether targets let the balancer's traffic in without a rule of their own. `None` leaves it as it is.
    pub pass_to_targets: Option<bool>,
    /// The address to use.
    pub address: Option<StaticAddress>,
    /// The user's balancer to use instead of a new one.
    pub existing: Option<Existing>,
    /// The id that an earlier pass recorded on the Service.
    pub recorded_id: Option<String>,
    /// Where the status of the Service says that it is reached. A balancer that another one replaces is given up only when
    /// this names the new one: until then, clients use the old address.
    pub published: Vec<Ingress>,
    /// The [fingerprint](Self::fingerprint) that an earlier pass recorded on the Service. With it, a new process need not
    /// read a balancer whose wish has not changed.
    ///
    /// The record must be true: a controller writes it after `ensure` has succeeded, and takes it off the Service before
    /// it ensures another wish.
    pub recorded_fingerprint: Option<String>,
    /// How traffic is billed.
    pub charging: Option<Charging>,
    /// The limit of outgoing traffic, in Mbit/s.
    pub bandwidth: Option<u32>,
    /// What it is protected from.
    pub protection: Protection,
    /// Whether it stays when the Service goes.
    pub retain: bool,
    /// Whether a change that no cloud can make in place may replace the balancer, and its address with it.
    pub allow_recreate: bool,
    /// Where the balancer is, when that is another region or network than that of its targets.
    pub cross_network: Option<CrossNetwork>,
    /// Tags of the user.
    pub tags: BTreeMap<String, String>,
    /// Parameters in the cloud's own words, used when the balancer is created.
    pub extra: BTreeMap<String, Value>,
}

impl LbSpec {
    /// A public IPv4 balancer with these listeners.
    pub fn new(key: ServiceKey, listeners: impl IntoIterator<Item = ListenerSpec>) -> Self {
        let name = names::balancer_name(&key);
        Self {
            key,
            name,
            scope: Scope::Public,
            family: Family::V4,
            mode: Mode::NodePort,
            address_mode: AddressMode::Vip,
            local_traffic: false,
            listeners: listeners.into_iter().collect(),
            targets: TargetSet::default(),
            nodes: NodeChoice::default(),
            access: Access::default(),
            pass_to_targets: None,
            address: None,
            existing: None,
            recorded_id: None,
            published: Vec::new(),
            recorded_fingerprint: None,
            charging: None,
            bandwidth: None,
            protection: Protection::default(),
            retain: false,
            allow_recreate: false,
            cross_network: None,
            tags: BTreeMap::new(),
            extra: BTreeMap::new(),
        }
    }

    /// The listener of that key.
    #[must_use]
    pub fn listener(&self, key: ListenerKey) -> Option<&ListenerSpec> {
        self.listeners.iter().find(|listener| listener.key == key)
    }

    /// Whether the status of the Service leads clients to just these places, whatever it says about how traffic arrives.
    #[must_use]
    pub fn is_published(&self, ingress: &[Ingress]) -> bool {
        self.published.len() == ingress.len()
            && self.published.iter().zip(ingress).all(|(published, place)| published.leads_to(place))
    }

    /// How to name its balancer to [`LoadBalancers`](super::LoadBalancers).
    #[must_use]
    pub fn reference(&self) -> LbRef {
        LbRef {
            service: self.key.clone(),
            existing: self.existing.as_ref().map(|existing| existing.id.clone()),
            recorded: self.recorded_id.clone(),
            region: self.cross_network.as_ref().and_then(|cross| cross.region.clone()),
        }
    }

    /// A short text that changes whenever the specification or its targets do: one part for the specification, a dot, and
    /// the [fingerprint of the targets](TargetSet::fingerprint).
    ///
    /// A controller keeps it on the Service for the next process, see
    /// [`recorded_fingerprint`](Self::recorded_fingerprint). Another version of this library may give another text for
    /// the same specification; that costs one pass.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        // What an earlier pass left on the Service is no wish.
        let wish = Self {
            recorded_id: None,
            published: Vec::new(),
            recorded_fingerprint: None,
            targets: TargetSet::default(),
            ..self.clone()
        };
        let wish: String = hex::encode(Sha256::digest(format!("{wish:?}"))).chars().take(32).collect();
        format!("{wish}.{}", self.targets.fingerprint())
    }
}

//! Machines as Kubernetes sees them, and what a lookup says of one.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use crate::kubernetes::ProviderError;

/// How a node names its machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct NodeRef {
    /// The node's name.
    pub name: String,
    /// `spec.providerID`, as it stands there.
    pub provider_id: Option<String>,
    /// The node's own (internal) addresses.
    pub addresses: Vec<IpAddr>,
}

impl NodeRef {
    /// A node of this name, of which nothing else is known.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Sets the provider id.
    #[must_use]
    pub fn with_provider_id(mut self, provider_id: impl Into<String>) -> Self {
        self.provider_id = Some(provider_id.into()).filter(|id| !id.is_empty());
        self
    }

    /// Adds an internal address.
    #[must_use]
    pub fn with_address(mut self, address: IpAddr) -> Self {
        self.addresses.push(address);
        self
    }
}

/// The kind of an address of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum AddressKind {
    /// Reached within the network of the cluster.
    Internal,
    /// Reached from outside.
    External,
}

/// An address of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeAddress {
    /// From where it is reached.
    pub kind: AddressKind,
    /// The address, IPv4 or IPv6.
    pub address: IpAddr,
}

/// What a machine is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InstanceState {
    /// Being made; addresses may be missing.
    Pending,
    /// Running, starting, rebooting or being repaired.
    Running,
    /// On its way to being stopped.
    Stopping,
    /// Stopped; it can be started again.
    Stopped,
    /// Set aside, for non-payment or after deletion; someone can still restore it.
    SetAside,
    /// Being destroyed.
    Terminating,
}

impl InstanceState {
    /// Whether its node can run nothing until someone starts it: the node is tainted as shut down.
    #[must_use]
    pub fn is_shutdown(self) -> bool {
        matches!(self, Self::Stopped | Self::SetAside | Self::Terminating)
    }
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Instance {
    /// The cloud's id of it.
    pub id: String,
    /// What the node's `spec.providerID` is to be.
    pub provider_id: String,
    /// The name that people gave it.
    pub name: String,
    /// The name that it gives itself, when the cloud knows it.
    pub host_name: Option<String>,
    /// The type, such as `S5.MEDIUM4`.
    pub instance_type: String,
    /// The name of the zone.
    pub zone: String,
    /// The name of the region.
    pub region: String,
    /// The network that its internal addresses are of; they mean nothing in another one.
    pub network: String,
    /// Its addresses, the internal ones first.
    pub addresses: Vec<NodeAddress>,
    /// What it is doing.
    pub state: InstanceState,
    /// Labels for its node beyond type, zone and region.
    pub labels: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Option<SystemTime>,
}

impl Instance {
    /// A running machine of this id and provider id; the rest is for the provider to fill in.
    pub fn new(id: impl Into<String>, provider_id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            provider_id: provider_id.into(),
            name: String::new(),
            host_name: None,
            instance_type: String::new(),
            zone: String::new(),
            region: String::new(),
            network: String::new(),
            addresses: Vec::new(),
            state: InstanceState::Running,
            labels: BTreeMap::new(),
            created_at: None,
        }
    }

    /// The addresses that are reached within the cluster's network.
    pub fn internal_addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.addresses.iter().filter(|address| address.kind == AddressKind::Internal).map(|address| address.address)
    }
}

/// How it is known that a machine does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Absence {
    /// It was to be made, and that failed.
    NeverRan,
    /// Complete answers to a question for this very machine left it out, at least twice, this long apart.
    NotListed {
        /// The time from the first to the last such answer.
        apart: Duration,
    },
    /// It is set aside, and the provider is told to take that for gone.
    SetAside,
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverRan => f.write_str("it never ran"),
            Self::NotListed { apart } => write!(f, "not listed, asked for again after {} s", apart.as_secs()),
            Self::SetAside => f.write_str("it is set aside"),
        }
    }
}

/// What a lookup says. A doubt is never an absence: the node of an absent machine is deleted.
#[derive(Debug)]
pub enum Lookup<T> {
    /// It is there.
    Found(T),
    /// It is proven not to be there.
    NotFound(Absence),
    /// Nobody can say now.
    Unknown(ProviderError),
}

impl<T> Lookup<T> {
    /// What was found.
    pub fn found(self) -> Option<T> {
        match self {
            Self::Found(found) => Some(found),
            _ => None,
        }
    }

    /// Whether it was found.
    #[must_use]
    pub fn is_found(&self) -> bool {
        matches!(self, Self::Found(_))
    }

    /// Whether it is proven not to be there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }

    /// Whether nobody can say.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }
}

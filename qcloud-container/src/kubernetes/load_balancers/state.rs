use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::access::Access;
use super::listener::{ListenerKey, Rule, Settings};
use super::plan::ListenerRef;
use super::service::Family;
use super::spec::{AddressMode, Charging, Protection, Scope};
use super::targets::Target;

/// For whom a balancer was made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Owner {
    /// A Service of this cluster, by its uid.
    Service(String),
    /// A Service of another cluster, by that cluster's uid.
    OtherCluster(String),
    /// A user.
    User,
}

/// A balancer as the cloud shows it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LbState {
    /// Its id; empty when only something beside the balancer is left, such as a firewall rule set.
    pub id: String,
    /// Its name.
    pub name: String,
    /// For whom it was made.
    pub owner: Owner,
    /// The Service that its tags name, as `namespace/name`, for people.
    pub service_name: Option<String>,
    /// Whether the Service that it was made for wants it to stay.
    pub retain: bool,
    /// Whether it can be worked on.
    pub ready: bool,
    /// Public or internal.
    pub scope: Scope,
    /// The id of its network, when that is known.
    pub network: Option<String>,
    /// Whether its targets can be in other networks and regions.
    pub reaches_other_networks: bool,
    /// The version of IP of its address.
    pub family: Family,
    /// Its addresses; empty while there are none yet, or when it has only a host name.
    pub addresses: Vec<IpAddr>,
    /// The id of a reserved address that it holds.
    pub reserved_address: Option<String>,
    /// Its host name, when it is reached by one.
    pub hostname: Option<String>,
    /// How traffic is billed.
    pub charging: Option<Charging>,
    /// The limit of outgoing traffic, in Mbit/s.
    pub bandwidth: Option<u32>,
    /// Whether targets let its traffic in.
    pub pass_to_targets: Option<bool>,
    /// What it is protected from.
    pub protection: Protection,
    /// Who may connect.
    pub access: Access,
    /// Its listeners, with those of others.
    pub listeners: Vec<ListenerState>,
}

impl LbState {
    /// A public balancer of that id and owner, ready and empty.
    pub fn new(id: impl Into<String>, owner: Owner) -> Self {
        Self {
            id: id.into(),
            name: String::new(),
            owner,
            service_name: None,
            retain: false,
            ready: true,
            scope: Scope::Public,
            network: None,
            reaches_other_networks: false,
            family: Family::V4,
            addresses: Vec::new(),
            reserved_address: None,
            hostname: None,
            charging: None,
            bandwidth: None,
            pass_to_targets: None,
            protection: Protection::default(),
            access: Access::default(),
            listeners: Vec::new(),
        }
    }

    /// The listener of that key.
    #[must_use]
    pub fn listener(&self, key: ListenerKey) -> Option<&ListenerState> {
        self.listeners.iter().find(|listener| listener.key == key)
    }

    /// The listeners that were made for the Service in question.
    #[must_use]
    pub fn owned_listeners(&self) -> Vec<ListenerRef> {
        let owned = self.listeners.iter().filter(|listener| listener.owned);
        owned.map(|listener| ListenerRef { id: listener.id.clone(), key: listener.key }).collect()
    }

    /// Where clients reach it, for the status of the Service.
    #[must_use]
    pub fn ingress(&self, mode: AddressMode) -> Vec<Ingress> {
        if self.addresses.is_empty() {
            return self.hostname.clone().map(Ingress::Hostname).into_iter().collect();
        }
        self.addresses.iter().map(|&address| Ingress::Address(address, mode)).collect()
    }
}

/// A listener as the cloud shows it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ListenerState {
    /// Its id.
    pub id: String,
    /// Port and protocol.
    pub key: ListenerKey,
    /// Its name.
    pub name: String,
    /// Whether it was made for the Service in question. All others are foreign.
    pub owned: bool,
    /// How it treats connections.
    pub settings: Settings,
    /// What it forwards by host and path, where the protocol has that.
    pub rules: Vec<RuleState>,
    /// Where it sends traffic, with weights; on the rules where the protocol has those.
    pub targets: BTreeMap<Target, u16>,
}

impl ListenerState {
    /// A listener of that id and key, without targets.
    pub fn new(id: impl Into<String>, key: ListenerKey, owned: bool) -> Self {
        Self {
            id: id.into(),
            key,
            name: String::new(),
            owned,
            settings: Settings::default(),
            rules: Vec::new(),
            targets: BTreeMap::new(),
        }
    }

    /// The rule for a host and path.
    #[must_use]
    pub fn rule(&self, rule: &Rule) -> Option<&RuleState> {
        self.rules.iter().find(|state| &state.rule == rule)
    }
}

/// A rule as the cloud shows it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RuleState {
    /// Its id.
    pub id: String,
    /// Host and path.
    pub rule: Rule,
    /// How it treats requests.
    pub settings: Settings,
    /// Where it sends them, with weights.
    pub targets: BTreeMap<Target, u16>,
}

impl RuleState {
    /// A rule without targets.
    pub fn new(id: impl Into<String>, rule: Rule, settings: Settings) -> Self {
        Self { id: id.into(), rule, settings, targets: BTreeMap::new() }
    }
}

/// One entry of `status.loadBalancer.ingress`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ingress {
    /// An address, and its `ipMode`.
    Address(IpAddr, AddressMode),
    /// A host name.
    Hostname(String),
}

impl Ingress {
    /// Whether both are the same address or name.
    #[must_use]
    pub fn leads_to(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Address(one, _), Self::Address(other, _)) => one == other,
            (Self::Hostname(one), Self::Hostname(other)) => one == other,
            _ => false,
        }
    }
}

/// A balancer that is as wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LbStatus {
    /// Its id, to be recorded on the Service under [`RECORDED_ID`](super::annotations::RECORDED_ID) once there is no
    /// [`again_after`](Self::again_after): until then, what is recorded may lead to a balancer that is to be given up.
    pub id: String,
    /// For `status.loadBalancer.ingress`.
    pub ingress: Vec<Ingress>,
    /// When to ensure it once more, with what the status [says by then](super::LbSpec::published): something is left that
    /// must come after that, such as the removal of the balancer that this one replaces.
    pub again_after: Option<Duration>,
}

impl LbStatus {
    /// The status of a finished balancer.
    pub fn new(id: impl Into<String>, ingress: Vec<Ingress>) -> Self {
        Self { id: id.into(), ingress, again_after: None }
    }
}

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use sha2::{Digest, Sha256};

use super::endpoints::{Endpoint, Node};
use super::limits::LbLimits;
use super::listener::{ListenerKey, ListenerSpec, Transport};
use super::service::{Family, TargetPort};
use super::spec::{LbSpec, Mode};
use super::subset::{rank, subset};
use crate::kubernetes::{ErrorKind, ProviderError, Result};

/// The weight of a target that nobody gave another.
const USUAL_WEIGHT: u16 = 10;
/// The highest weight.
const MOST_WEIGHT: u16 = 100;
/// Nodes per Service when nothing says otherwise.
const USUAL_NODES: usize = 50;

/// What a target is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// A machine, by the cloud's id.
    Instance(String),
    /// An address of a pod or node.
    Address(IpAddr),
}

/// Where a listener sends traffic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// To whom.
    pub host: Host,
    /// To which port.
    pub port: u16,
}

impl Target {
    /// A port of a machine.
    pub fn instance(id: impl Into<String>, port: u16) -> Self {
        Self { host: Host::Instance(id.into()), port }
    }

    /// A port of an address.
    #[must_use]
    pub fn address(address: IpAddr, port: u16) -> Self {
        Self { host: Host::Address(address), port }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Instance(id) => write!(f, "{id}:{}", self.port),
            Host::Address(address) => SocketAddr::new(*address, self.port).fmt(f),
        }
    }
}

/// The targets of each listener, with weights from 0 (no new connections) to 100.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TargetSet {
    listeners: BTreeMap<ListenerKey, BTreeMap<Target, u16>>,
}

impl TargetSet {
    /// The targets of a listener; `None` when the set says nothing of it.
    #[must_use]
    pub fn of(&self, listener: ListenerKey) -> Option<&BTreeMap<Target, u16>> {
        self.listeners.get(&listener)
    }

    /// Sets the targets of a listener.
    pub fn set(&mut self, listener: ListenerKey, targets: impl IntoIterator<Item = (Target, u16)>) {
        self.listeners.insert(listener, targets.into_iter().collect());
    }

    /// The listeners that it says something of.
    pub fn listeners(&self) -> impl Iterator<Item = ListenerKey> + '_ {
        self.listeners.keys().copied()
    }

    /// A short text that changes whenever the targets do. Another version of this library may give another one.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex::encode(Sha256::digest(format!("{self:?}"))).chars().take(32).collect()
    }

    /// Chooses the targets of a balancer.
    ///
    /// `endpoints` is `None` when the controller does not watch EndpointSlices; then local traffic goes to all nodes
    /// and the health check tells those with pods. Traffic direct to pods needs them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conflict`] when something that the choice needs is not there yet: the caller comes back.
    pub fn select(spec: &LbSpec, nodes: &[Node], endpoints: Option<&[Endpoint]>, limits: &LbLimits) -> Result<Self> {
        let mut set = Self::default();
        let nodes = candidates(spec, nodes);
        // Which nodes serve the whole cluster is the same for all ports; where the pods are is not.
        let pods_by_port = endpoints.filter(|_| spec.local_traffic);
        let same = pods_by_port.is_none() && spec.mode != Mode::Direct;
        let chosen = if same { few(spec, &nodes, limits) } else { Vec::new() };
        let unknown = || ProviderError::new(ErrorKind::Conflict, "the endpoints of the Service are not known");
        for listener in &spec.listeners {
            let targets = match (spec.mode, pods_by_port) {
                (Mode::Direct, _) => pods(spec, listener, endpoints.ok_or_else(unknown)?, limits)?,
                (_, None) if spec.local_traffic && spec.nodes.with_pods_only => return Err(unknown()),
                (_, None) => machines(spec, listener, &chosen, None)?,
                (_, Some(endpoints)) => {
                    let pods = pods_by_node(endpoints, &listener.port_name);
                    let with_pods = nodes.iter().copied().filter(|node| pods.contains_key(node.name.as_str()));
                    let chosen = few(spec, &with_pods.collect::<Vec<_>>(), limits);
                    machines(spec, listener, &chosen, Some(&pods))?
                }
            };
            set.listeners.insert(listener.key, targets);
        }
        Ok(set)
    }
}

fn pods(
    spec: &LbSpec,
    listener: &ListenerSpec,
    endpoints: &[Endpoint],
    limits: &LbLimits,
) -> Result<BTreeMap<Target, u16>> {
    let mut targets = BTreeMap::new();
    for endpoint in endpoints.iter().filter(|endpoint| is_of(endpoint.address, spec.family)) {
        let port = match (endpoint.ports.get(&listener.port_name), &listener.target_port) {
            (Some(&port), _) => port,
            (None, TargetPort::Number(_) | TargetPort::Name(_)) => continue,
        };
        let weight = if endpoint.ready {
            let transport = match listener.key.protocol.transport() {
                Transport::Tcp => "TCP",
                Transport::Udp => "UDP",
            };
            let given = endpoint
                .weight
                .or_else(|| spec.nodes.weights.of(transport, listener.key.port, endpoint.pod.as_deref()));
            given.unwrap_or(USUAL_WEIGHT).min(MOST_WEIGHT)
        } else if (endpoint.terminating && spec.nodes.drain_ending) || spec.nodes.drain_unready {
            0
        } else {
            continue;
        };
        targets.insert(Target::address(endpoint.address, port), weight);
    }
    if targets.len() > limits.targets_per_listener {
        // Those that are of use come first; among equals the choice is stable.
        let mut ranked: Vec<(Target, u16)> = targets.into_iter().collect();
        ranked.sort_by_key(|(target, weight)| {
            (*weight == 0, std::cmp::Reverse(rank(&spec.key.uid, &format!("{target:?}"))))
        });
        ranked.truncate(limits.targets_per_listener);
        targets = ranked.into_iter().collect();
    }
    Ok(targets)
}

/// The nodes that may be targets.
fn candidates<'n>(spec: &LbSpec, nodes: &'n [Node]) -> Vec<&'n Node> {
    let selector = spec.nodes.selector.as_ref();
    nodes
        .iter()
        .filter(|node| node.eligible && selector.is_none_or(|selector| selector.matches(&node.labels)))
        .filter(|node| host_of(node, spec).is_some())
        .collect()
}

/// As many of them as can be.
fn few<'n>(spec: &LbSpec, candidates: &[&'n Node], limits: &LbLimits) -> Vec<&'n Node> {
    let most = match spec.nodes.most {
        0 if spec.local_traffic => limits.targets_per_listener,
        0 => USUAL_NODES,
        most => most,
    };
    subset(&spec.key, candidates, most.min(limits.targets_per_listener))
}

fn machines(
    spec: &LbSpec,
    listener: &ListenerSpec,
    nodes: &[&Node],
    pods: Option<&BTreeMap<&str, usize>>,
) -> Result<BTreeMap<Target, u16>> {
    let port = if spec.mode == Mode::Vip {
        listener.key.port
    } else {
        listener.node_port.ok_or_else(|| {
            ProviderError::new(ErrorKind::Conflict, format!("port {} has no node port yet", listener.key))
        })?
    };
    let weight_of = |node: &Node| match pods {
        Some(pods) if spec.nodes.weight_by_pods => pods
            .get(node.name.as_str())
            .map_or(0, |&count| u16::try_from(count).unwrap_or(MOST_WEIGHT).min(MOST_WEIGHT)),
        _ => spec.nodes.weights.default.unwrap_or(USUAL_WEIGHT).min(MOST_WEIGHT),
    };
    Ok(nodes.iter().filter_map(|node| Some((Target { host: host_of(node, spec)?, port }, weight_of(node)))).collect())
}

/// How many pods serve on each node: the ready ones, or those that still serve while they end when there are no others.
fn pods_by_node<'e>(endpoints: &'e [Endpoint], port_name: &str) -> BTreeMap<&'e str, usize> {
    let count = |counts: fn(&Endpoint) -> bool| {
        let mut nodes: BTreeMap<&'e str, BTreeSet<IpAddr>> = BTreeMap::new();
        for endpoint in endpoints.iter().filter(|endpoint| counts(endpoint) && endpoint.ports.contains_key(port_name)) {
            if let Some(node) = &endpoint.node {
                nodes.entry(node).or_default().insert(endpoint.address);
            }
        }
        nodes.into_iter().map(|(node, pods)| (node, pods.len())).collect::<BTreeMap<_, _>>()
    };
    let ready = count(|endpoint| endpoint.ready);
    if ready.is_empty() { count(|endpoint| endpoint.serving && endpoint.terminating) } else { ready }
}

fn host_of(node: &Node, spec: &LbSpec) -> Option<Host> {
    let suits = |address: &IpAddr| is_of(*address, spec.family);
    if node.instance_id.is_empty() {
        return None;
    }
    // In another region nobody knows the machine by its id, and an id stands for the machine's IPv4 address.
    if node.by_address || spec.cross_network.is_some() || spec.family == Family::V6 {
        return node.addresses.iter().copied().find(suits).map(Host::Address);
    }
    Some(Host::Instance(node.instance_id.clone()))
}

fn is_of(address: IpAddr, family: Family) -> bool {
    address.is_ipv6() == (family == Family::V6)
}

//! Routes to the pods of nodes, and who stands behind a next hop.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::kubernetes::Result;
use crate::kubernetes::instances::Inventory;

/// How much a route is waited for. The order is that of writing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Urgency {
    /// The node is ready but for its route: pods wait for it.
    Waiting,
    /// The node is in use already.
    #[default]
    Ready,
    /// The node is not ready, so nobody uses the route yet.
    NotReady,
}

/// A route that there ought to be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct RouteSpec {
    /// The name of the node.
    pub node: String,
    /// The internal address of the node's machine.
    pub next_hop: IpAddr,
    /// The network of the node's pods.
    pub destination: IpNet,
    /// How much it is waited for.
    pub urgency: Urgency,
}

impl RouteSpec {
    /// A route to the pods of a node.
    pub fn new(node: impl Into<String>, next_hop: IpAddr, destination: IpNet) -> Self {
        Self { node: node.into(), next_hop, destination, urgency: Urgency::default() }
    }

    /// Sets how much it is waited for.
    #[must_use]
    pub fn with_urgency(mut self, urgency: Urgency) -> Self {
        self.urgency = urgency;
        self
    }
}

/// A route that there is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ClusterRoute {
    /// Where it leads to.
    pub destination: IpNet,
    /// The address that it leads over; `None` for a foreign route over something without an address.
    pub next_hop: Option<IpAddr>,
    /// The node that it was made for, when the cloud keeps that.
    pub node: Option<String>,
    /// Whether it is this cluster's. Others are listed only because they are in the way, and are never touched.
    pub owned: bool,
    /// Whether it is wherever it has to be: in all route tables, and enabled.
    pub complete: bool,
}

impl ClusterRoute {
    /// A complete route of this cluster.
    #[must_use]
    pub fn new(destination: IpNet, next_hop: IpAddr) -> Self {
        Self { destination, next_hop: Some(next_hop), node: None, owned: true, complete: true }
    }

    /// A route of someone else.
    #[must_use]
    pub fn foreign(destination: IpNet, next_hop: Option<IpAddr>) -> Self {
        Self { destination, next_hop, node: None, owned: false, complete: true }
    }

    /// Adds the node that it was made for.
    #[must_use]
    pub fn with_node(mut self, node: impl Into<String>) -> Self {
        self.node = Some(node.into());
        self
    }

    /// Says whether it is wherever it has to be.
    #[must_use]
    pub fn with_complete(mut self, complete: bool) -> Self {
        self.complete = complete;
        self
    }

    pub(super) fn is(&self, spec: &RouteSpec) -> bool {
        self.destination == spec.destination && self.next_hop == Some(spec.next_hop)
    }
}

/// What an implementation can do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RouteLimits {
    /// The cluster's networks: destinations must lie in one of them.
    pub networks: Vec<IpNet>,
    /// Whether there can be routes to IPv6 networks.
    pub ipv6: bool,
    /// Whether a next hop can have one destination only.
    pub one_per_next_hop: bool,
    /// How many routes there can be, when that is known.
    pub most_routes: Option<usize>,
}

impl RouteLimits {
    /// Routes to these networks, without further limits.
    #[must_use]
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self { networks: networks.into_iter().collect(), ipv6: true, one_per_next_hop: false, most_routes: None }
    }

    /// Says whether there can be routes to IPv6 networks.
    #[must_use]
    pub fn with_ipv6(mut self, ipv6: bool) -> Self {
        self.ipv6 = ipv6;
        self
    }

    /// Says whether a next hop can have one destination only.
    #[must_use]
    pub fn with_one_per_next_hop(mut self, one: bool) -> Self {
        self.one_per_next_hop = one;
        self
    }

    /// Says how many routes there can be.
    #[must_use]
    pub fn with_most_routes(mut self, most: usize) -> Self {
        self.most_routes = Some(most);
        self
    }

    /// Whether this lies in the cluster's networks.
    #[must_use]
    pub fn covers(&self, destination: &IpNet) -> bool {
        self.networks.iter().any(|network| network.contains(destination))
    }

    /// Whether this overlaps the cluster's networks.
    #[must_use]
    pub fn touches(&self, destination: &IpNet) -> bool {
        self.networks.iter().any(|network| overlap(network, destination))
    }
}

/// Whether two networks have an address in common.
pub(crate) fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}

/// Who stands behind a next hop.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HopOwner {
    /// A node of the cluster.
    Node(String),
    /// A machine that is no node (yet).
    Machine,
    /// Certainly no machine: what the route carries is lost.
    Nobody,
    /// Nobody can say now.
    Unknown,
}

/// Finds who stands behind a next hop: routes are listed with addresses, never with names.
#[derive(Clone, Debug, Default)]
pub struct NextHops<'i> {
    nodes: HashMap<IpAddr, String>,
    machines: Option<&'i Inventory>,
}

impl<'i> NextHops<'i> {
    /// Nodes with their internal addresses, and all machines, when these could be listed.
    pub fn new(
        nodes: impl IntoIterator<Item = (String, Vec<IpAddr>)>,
        machines: impl Into<Option<&'i Inventory>>,
    ) -> Self {
        let nodes = nodes
            .into_iter()
            .flat_map(|(name, addresses)| addresses.into_iter().map(move |address| (address, name.clone())));
        Self { nodes: nodes.collect(), machines: machines.into() }
    }

    /// Who stands behind this address.
    #[must_use]
    pub fn owner(&self, next_hop: IpAddr) -> HopOwner {
        if let Some(node) = self.nodes.get(&next_hop) {
            return HopOwner::Node(node.clone());
        }
        match self.machines {
            Some(machines) if machines.has_address(next_hop) => HopOwner::Machine,
            Some(machines) if machines.is_complete() => HopOwner::Nobody,
            _ => HopOwner::Unknown,
        }
    }
}

/// How each route of an [`apply`](super::Routes::apply) fared, in the order in which they were given.
#[derive(Debug, Default)]
pub struct RouteResults {
    /// The routes to add.
    pub added: Vec<Result<()>>,
    /// The routes to delete.
    pub deleted: Vec<Result<()>>,
}

impl RouteResults {
    /// The errors of all routes that failed.
    pub fn errors(&self) -> impl Iterator<Item = &crate::kubernetes::ProviderError> {
        self.added.iter().chain(&self.deleted).filter_map(|result| result.as_ref().err())
    }
}

/// A route that is done, for better or worse.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum RouteDone<'a> {
    /// One to add: its place in the list, and how it fared.
    Added(usize, &'a Result<()>),
    /// One to delete.
    Deleted(usize, &'a Result<()>),
}

/// Hears of each route of an [`apply`](super::Routes::apply) as soon as it is done.
pub type OnRouteDone<'f> = dyn for<'r> Fn(RouteDone<'r>) + Send + Sync + 'f;

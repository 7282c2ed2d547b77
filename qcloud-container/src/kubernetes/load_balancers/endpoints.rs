use std::collections::BTreeMap;
use std::net::IpAddr;

/// A node that can be a target.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Node {
    /// `metadata.name`.
    pub name: String,
    /// The cloud's id of the machine, out of `spec.providerID`; empty when it is none of this cloud, and then the
    /// node is no target.
    pub instance_id: String,
    /// Whether it becomes a target by its address, since balancers do not know machines of its kind.
    pub by_address: bool,
    /// The internal addresses, the first of each version counts.
    pub addresses: Vec<IpAddr>,
    /// The zone; empty when unknown.
    pub zone: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// Whether it may be a target: it is not being removed and not excluded by
    /// `node.kubernetes.io/exclude-from-external-load-balancers`. Readiness is not asked: the health check does that.
    pub eligible: bool,
}

impl Node {
    /// A node that may be a target.
    pub fn new(name: impl Into<String>, instance_id: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            instance_id: instance_id.into(),
            by_address: false,
            addresses: Vec::new(),
            zone: String::new(),
            labels: BTreeMap::new(),
            eligible: true,
        }
    }

    /// In this zone.
    #[must_use]
    pub fn with_zone(mut self, zone: impl Into<String>) -> Self {
        self.zone = zone.into();
        self
    }

    /// With an internal address.
    #[must_use]
    pub fn with_address(mut self, address: IpAddr) -> Self {
        self.addresses.push(address);
        self
    }

    /// With a label.
    #[must_use]
    pub fn with_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }
}

/// A pod behind a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint {
    /// Its address.
    pub address: IpAddr,
    /// The ports by the name of the Service port; one with an empty name serves a nameless Service port.
    pub ports: BTreeMap<String, u16>,
    /// The node it runs on.
    pub node: Option<String>,
    /// The pod's name.
    pub pod: Option<String>,
    /// `conditions.ready`.
    pub ready: bool,
    /// `conditions.serving`.
    pub serving: bool,
    /// `conditions.terminating`.
    pub terminating: bool,
    /// The weight that the pod asks for, see [`pod_weight`](super::pod_weight).
    pub weight: Option<u16>,
}

impl Endpoint {
    /// A ready pod that serves a nameless port.
    #[must_use]
    pub fn new(address: IpAddr, port: u16) -> Self {
        Self {
            address,
            ports: BTreeMap::from([(String::new(), port)]),
            node: None,
            pod: None,
            ready: true,
            serving: true,
            terminating: false,
            weight: None,
        }
    }

    /// On this node.
    #[must_use]
    pub fn with_node(mut self, node: impl Into<String>) -> Self {
        self.node = Some(node.into());
        self
    }

    /// Of this pod.
    #[must_use]
    pub fn with_pod(mut self, pod: impl Into<String>) -> Self {
        self.pod = Some(pod.into());
        self
    }

    /// A pod that ends but still serves.
    #[must_use]
    pub fn ending(mut self) -> Self {
        (self.ready, self.serving, self.terminating) = (false, true, true);
        self
    }
}

use std::collections::BTreeMap;
use std::fmt;

use super::state::Ingress;

/// A Service. Its uid tells it apart: a Service of the same name that was made later is another one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct ServiceKey {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
}

impl ServiceKey {
    /// A Service by namespace, name and uid.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>, uid: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into(), uid: uid.into() }
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A version of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Family {
    /// IPv4.
    #[default]
    V4,
    /// IPv6.
    V6,
}

/// Where a Service port leads in a pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TargetPort {
    /// A number.
    Number(u16),
    /// The name of a container port; endpoints tell its number.
    Name(String),
}

/// One entry of `spec.ports`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ServicePort {
    /// The name, empty when there is only one port.
    pub name: String,
    /// `TCP`, `UDP` or `SCTP`, as written.
    pub protocol: String,
    /// The port of the Service.
    pub port: u16,
    /// The port of the pods.
    pub target_port: TargetPort,
    /// The port on each node, when one is allocated.
    pub node_port: Option<u16>,
}

impl ServicePort {
    /// A TCP port that leads to the same port of the pods.
    pub fn tcp(port: u16) -> Self {
        Self {
            name: String::new(),
            protocol: "TCP".to_owned(),
            port,
            target_port: TargetPort::Number(port),
            node_port: None,
        }
    }

    /// A UDP port that leads to the same port of the pods.
    pub fn udp(port: u16) -> Self {
        Self { protocol: "UDP".to_owned(), ..Self::tcp(port) }
    }

    /// With a name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// With a port on each node.
    #[must_use]
    pub fn with_node_port(mut self, port: u16) -> Self {
        self.node_port = Some(port);
        self
    }

    /// With another port of the pods.
    #[must_use]
    pub fn with_target_port(mut self, port: TargetPort) -> Self {
        self.target_port = port;
        self
    }
}

/// What counts of a Service for its load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Service {
    /// Which Service it is.
    pub key: ServiceKey,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
    /// Whether `spec.type` is `LoadBalancer` and the object is not being deleted.
    pub wants_balancer: bool,
    /// `spec.loadBalancerClass`.
    pub class: Option<String>,
    /// `spec.ports`.
    pub ports: Vec<ServicePort>,
    /// `spec.loadBalancerSourceRanges`, as written.
    pub source_ranges: Vec<String>,
    /// `spec.loadBalancerIP`.
    pub requested_address: Option<String>,
    /// Seconds of `ClientIP` affinity; `None` when `spec.sessionAffinity` is `None`.
    pub affinity_seconds: Option<u32>,
    /// `spec.ipFamilies`; IPv4 when empty.
    pub families: Vec<Family>,
    /// Whether `spec.ipFamilyPolicy` is `RequireDualStack`.
    pub requires_dual_stack: bool,
    /// Whether `spec.externalTrafficPolicy` is `Local`.
    pub local_traffic: bool,
    /// `spec.healthCheckNodePort`.
    pub health_check_node_port: Option<u16>,
    /// Whether node ports are allocated (`spec.allocateLoadBalancerNodePorts`).
    pub has_node_ports: bool,
    /// `status.loadBalancer.ingress`.
    pub published: Vec<Ingress>,
}

impl Service {
    /// A Service of type LoadBalancer with these ports.
    pub fn new(key: ServiceKey, ports: impl IntoIterator<Item = ServicePort>) -> Self {
        Self {
            key,
            annotations: BTreeMap::new(),
            wants_balancer: true,
            class: None,
            ports: ports.into_iter().collect(),
            source_ranges: Vec::new(),
            requested_address: None,
            affinity_seconds: None,
            families: Vec::new(),
            requires_dual_stack: false,
            local_traffic: false,
            health_check_node_port: None,
            has_node_ports: true,
            published: Vec::new(),
        }
    }

    /// With an annotation.
    #[must_use]
    pub fn with_annotation(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.annotations.insert(name.into(), value.into());
        self
    }
}

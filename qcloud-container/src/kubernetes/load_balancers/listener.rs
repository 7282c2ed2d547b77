use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::health::HealthCheck;
use super::service::TargetPort;

/// What a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Protocol {
    /// Plain TCP.
    Tcp,
    /// Plain UDP.
    Udp,
    /// TLS ended at the balancer, TCP behind it.
    TcpSsl,
    /// QUIC ended at the balancer.
    Quic,
    /// HTTP.
    Http,
    /// HTTPS ended at the balancer.
    Https,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Tcp, Self::Udp, Self::TcpSsl, Self::Quic, Self::Http, Self::Https];

    /// What carries it. Two listeners can have the same port when different protocols carry them.
    #[must_use]
    pub fn transport(self) -> Transport {
        match self {
            Self::Udp | Self::Quic => Transport::Udp,
            _ => Transport::Tcp,
        }
    }

    /// Whether connections pass the balancer as they are.
    #[must_use]
    pub fn is_plain(self) -> bool {
        matches!(self, Self::Tcp | Self::Udp)
    }

    /// Whether requests are forwarded by host and path.
    #[must_use]
    pub fn has_rules(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }

    /// Whether it needs a certificate.
    #[must_use]
    pub fn needs_tls(self) -> bool {
        matches!(self, Self::TcpSsl | Self::Quic | Self::Https)
    }

    /// Whether it can tell targets the client's address by the PROXY protocol.
    #[must_use]
    pub fn can_proxy(self) -> bool {
        matches!(self, Self::TcpSsl | Self::Quic)
    }

    /// The name in annotations.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::TcpSsl => "TCP_SSL",
            Self::Quic => "QUIC",
            Self::Http => "HTTP",
            Self::Https => "HTTPS",
        }
    }

    /// The protocol of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.as_str() == name)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What carries a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A listener of a balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListenerKey {
    /// The port on the balancer.
    pub port: u16,
    /// What it speaks.
    pub protocol: Protocol,
}

impl ListenerKey {
    /// A listener by port and protocol.
    #[must_use]
    pub fn new(port: u16, protocol: Protocol) -> Self {
        Self { port, protocol }
    }

    /// What no two listeners of a balancer share.
    #[must_use]
    pub fn slot(self) -> (u16, Transport) {
        (self.port, self.protocol.transport())
    }
}

impl fmt::Display for ListenerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.port, self.protocol)
    }
}

/// How connections are spread over targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scheduler {
    /// By weight, in turn.
    WeightedRoundRobin,
    /// To the one with the fewest connections for its weight.
    LeastConnections,
    /// By the client's address.
    IpHash,
}

/// Certificates of a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Tls {
    /// The ids of the server's certificates.
    pub certificates: BTreeSet<String>,
    /// The id of the authority whose clients are admitted; any client when absent.
    pub client_authority: Option<String>,
}

impl Tls {
    /// TLS with these server certificates.
    pub fn new(certificates: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { certificates: certificates.into_iter().map(Into::into).collect(), client_authority: None }
    }
}

/// A host and path that a listener of HTTP forwards.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rule {
    /// The host name; empty means the balancer's own address.
    pub host: String,
    /// The path.
    pub path: String,
}

/// How a listener treats connections. What is `None` is left to the cloud, and does not count as a difference.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Settings {
    /// How targets are checked.
    pub health: HealthCheck,
    /// Seconds for which a client stays with its target; 0 for not at all.
    pub session_seconds: u32,
    /// How connections are spread.
    pub scheduler: Option<Scheduler>,
    /// Certificates, where the protocol has any; `None` when they are chosen [by host](Self::tls_by_host).
    pub tls: Option<Tls>,
    /// Certificates by the host that a client asks for (SNI), for the rules of an HTTPS listener.
    pub tls_by_host: Option<BTreeMap<String, Tls>>,
    /// Whether the client's address is passed on by the PROXY protocol.
    pub proxy_protocol: bool,
    /// Seconds after which an idle connection is closed.
    pub idle_seconds: Option<u32>,
    /// Whether connections are reset when their target is removed.
    pub reset_on_removal: Option<bool>,
    /// Parameters in the cloud's own words, used when the listener is created.
    pub extra: BTreeMap<String, Value>,
}

impl Settings {
    /// Whether a listener of a protocol that forwards connections is as wanted.
    #[must_use]
    pub fn fits(&self, observed: &Self, protocol: Protocol) -> bool {
        self.fits_rule(observed, "") && self.fits_frontend(observed, protocol)
    }

    /// Whether a rule for a host is as wanted: the part that HTTP listeners have on their rules.
    #[must_use]
    pub fn fits_rule(&self, observed: &Self, host: &str) -> bool {
        self.health.fits(&observed.health)
            && self.health.host_for(host).is_none_or(|want| observed.health.domain.as_deref().unwrap_or(host) == want)
            && self.session_seconds == observed.session_seconds
            && (self.scheduler.is_none() || self.scheduler == observed.scheduler)
    }

    /// Whether a listener chooses certificates by host as wanted. That cannot be changed in place.
    pub(super) fn chooses_like(&self, observed: &Self) -> bool {
        self.tls_by_host.is_some() == observed.tls_by_host.is_some()
    }

    /// The certificates of a host, where they are chosen by host.
    #[must_use]
    pub fn tls_of(&self, host: &str) -> Option<&Tls> {
        self.tls_by_host.as_ref()?.get(host)
    }

    /// Whether the part of a listener is as wanted that HTTP does not have on its rules. What the protocol has no use
    /// for is not looked at.
    #[must_use]
    pub fn fits_frontend(&self, observed: &Self, protocol: Protocol) -> bool {
        fn fits<T: PartialEq>(want: &Option<T>, observed: &Option<T>) -> bool {
            want.is_none() || want == observed
        }
        (!protocol.needs_tls() || self.tls_by_host.is_some() || self.tls == observed.tls)
            && (!protocol.can_proxy() || self.proxy_protocol == observed.proxy_protocol)
            && (!protocol.is_plain() || fits(&self.idle_seconds, &observed.idle_seconds))
            && (!protocol.is_plain() || fits(&self.reset_on_removal, &observed.reset_on_removal))
    }
}

/// A listener that a Service wants.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ListenerSpec {
    /// Port and protocol.
    pub key: ListenerKey,
    /// How it treats connections.
    pub settings: Settings,
    /// What it forwards by host and path; empty unless the protocol is HTTP or HTTPS.
    pub rules: BTreeSet<Rule>,
    /// The name of the Service port that it serves.
    pub port_name: String,
    /// The port of the pods.
    pub target_port: TargetPort,
    /// The port on the nodes.
    pub node_port: Option<u16>,
}

impl ListenerSpec {
    /// A listener with the cloud's own settings that leads to the same port.
    #[must_use]
    pub fn new(port: u16, protocol: Protocol) -> Self {
        let rules = protocol.has_rules().then(|| Rule { host: String::new(), path: "/".to_owned() });
        Self {
            key: ListenerKey::new(port, protocol),
            settings: Settings::default(),
            rules: rules.into_iter().collect(),
            port_name: String::new(),
            target_port: TargetPort::Number(port),
            node_port: None,
        }
    }
}

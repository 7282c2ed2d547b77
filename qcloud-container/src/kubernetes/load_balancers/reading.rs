//! From a Service to what its balancer has to be.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::access::Access;
use super::annotations as names;
use super::health::{HealthCheck, HealthSource};
use super::listener::{ListenerSpec, Protocol, Rule, Settings, Tls};
use super::protocols::{self, PortProtocols};
use super::selector::LabelSelector;
use super::service::{Family, Service, ServicePort};
use super::service_config::{apply_config, apply_health_checks, apply_listener_parameters};
use super::settings;
use super::spec::{
    AddressMode, Charging, CrossNetwork, Existing, LbSpec, Mode, NodeChoice, Protection, Scope, StaticAddress,
};
use super::values::{Values, invalid, is_id};
use super::weights::PodWeights;
use crate::kubernetes::{ErrorKind, ProviderError, Result};

/// What else than the Service is needed to read it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ReadContext {
    /// The `spec.loadBalancerClass` that the controller serves, besides Services without any when it is `None`.
    pub class: Option<String>,
    /// Certificates by the name of the Secret that holds their ids (`qcloud_cert_id`, `qcloud_ca_cert_id`).
    pub certificates: BTreeMap<String, Tls>,
    /// The TkeServiceConfig that the Service names, as JSON.
    pub service_config: Option<Value>,
}

/// Objects that have to be fetched before a Service can be read. All are in its namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct References {
    /// Names of Secrets with the ids of certificates.
    pub secrets: BTreeSet<String>,
    /// The name of a TkeServiceConfig.
    pub service_config: Option<String>,
}

impl References {
    /// What a Service refers to.
    ///
    /// # Errors
    ///
    /// Those of [`LbSpec::read`] that concern the annotations with references.
    pub fn of(service: &Service) -> Result<Self> {
        let values = Values(&service.annotations);
        let ports = service.ports.iter().map(|port| port.port).collect();
        let read = protocols::read(&values, &ports)?;
        let secrets = read.values().flat_map(PortProtocols::secrets).map(str::to_owned).collect();
        Ok(Self { secrets, service_config: config_name(service, &values)? })
    }
}

impl LbSpec {
    /// Reads what balancer a Service wants, without targets. `None` when it wants none of this controller.
    ///
    /// # Errors
    ///
    /// A permanent one that names the annotation or field that cannot be followed; [`ErrorKind::Conflict`] when an
    /// object that the Service refers to is not there yet.
    pub fn read(service: &Service, context: &ReadContext) -> Result<Option<Self>> {
        let values = Values(&service.annotations);
        match values.text(names::CONTROL_MODE) {
            Some("skip") => return Ok(None),
            Some(other) => return Err(invalid(names::CONTROL_MODE, other, "it is \"skip\"")),
            None => {}
        }
        if !service.wants_balancer || service.class != context.class {
            return Ok(None);
        }
        refuse_unknown(&service.annotations)?;
        if let Some(text) = values.text(names::TARGET_GROUPS) {
            return Err(ProviderError::new(
                ErrorKind::Unsupported,
                format!(
                    "annotation {}: value {text:?}: it names objects of the kind TargetGroup, which only the controller \
                     of TKE defines and keeps; take the annotation off to have targets bound to the listeners",
                    names::TARGET_GROUPS
                ),
            ));
        }
        match values.text(names::BALANCER_TYPE) {
            None | Some("yunapi_clb" | "yunapiv3_forward_clb") => {}
            Some(kind @ "classic") => {
                return Err(invalid(names::BALANCER_TYPE, kind, "balancers of that generation can no longer be made"));
            }
            Some(other) => return Err(invalid(names::BALANCER_TYPE, other, "there is no such generation")),
        }

        let mut spec = Self::new(service.key.clone(), []);
        spec.local_traffic = service.local_traffic;
        spec.published.clone_from(&service.published);
        spec.recorded_id = values.text(names::RECORDED_ID).map(str::to_owned);
        spec.recorded_fingerprint = values.text(names::RECORDED_FINGERPRINT).map(str::to_owned);
        spec.family = family(service)?;
        spec.mode = mode(service, &values)?;
        read_balancer(&mut spec, service, &values)?;
        read_create_parameters(&mut spec, &values)?;
        check_address(&spec, &values)?;
        read_access(&mut spec, service, &values)?;
        spec.nodes = node_choice(&values)?;
        spec.listeners = listeners(service, &values, context, &spec)?;
        if let Some(name) = config_name(service, &values)? {
            let Some(config) = &context.service_config else {
                let message = format!("annotation {}: the TkeServiceConfig {name} is not there", names::SERVICE_CONFIG);
                return Err(ProviderError::new(ErrorKind::Conflict, message));
            };
            if let Some(bandwidth) = apply_config(config, &mut spec.listeners)? {
                spec.bandwidth.get_or_insert(bandwidth);
            }
        }
        apply_health_checks(&values, &mut spec.listeners)?;
        settle_address_mode(&mut spec, &values)?;
        for listener in &mut spec.listeners {
            listener.settings.complete(listener.key.protocol);
        }
        for listener in &spec.listeners {
            settings::check(listener, &spec).map_err(|why| refused_settings(&values, listener, &why))?;
        }
        Ok(Some(spec))
    }
}

/// The error for settings that a listener cannot have. Several annotations may have contributed.
fn refused_settings(values: &Values<'_>, listener: &ListenerSpec, why: &str) -> ProviderError {
    let sources = [
        names::LISTENER_PARAMETERS,
        names::SERVICE_CONFIG,
        names::SERVICE_CONFIG_AUTO,
        names::HEALTH_CHECK,
        names::IDLE_TIMEOUT,
    ];
    let set: Vec<&str> = sources.into_iter().filter(|name| values.text(name).is_some()).collect();
    let message = format!("annotation {}: listener {}: {why}", set.join(", "), listener.key);
    ProviderError::new(ErrorKind::InvalidArgument, message)
}

fn refuse_unknown(annotations: &BTreeMap<String, String>) -> Result<()> {
    let strict = |name: &str| names::STRICT_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    match annotations.iter().find(|(name, _)| strict(name) && !names::KNOWN.contains(&name.as_str())) {
        Some((name, value)) => Err(invalid(name, value, "there is no such annotation")),
        None => Ok(()),
    }
}

fn config_name(service: &Service, values: &Values<'_>) -> Result<Option<String>> {
    match (values.text(names::SERVICE_CONFIG), values.is_set(names::SERVICE_CONFIG_AUTO)?) {
        (Some(name), true) => Err(invalid(names::SERVICE_CONFIG, name, "the -auto annotation excludes it")),
        (Some(name), false) => Ok(Some(name.to_owned())),
        (None, true) => Ok(Some(format!("{}-auto-service-config", service.key.name))),
        (None, false) => Ok(None),
    }
}

fn family(service: &Service) -> Result<Family> {
    if service.requires_dual_stack {
        let message = "spec.ipFamilyPolicy: a balancer has one version of IP, RequireDualStack cannot be met";
        return Err(ProviderError::new(ErrorKind::Unsupported, message));
    }
    Ok(service.families.first().copied().unwrap_or_default())
}

fn mode(service: &Service, values: &Values<'_>) -> Result<Mode> {
    let direct = values.flag(names::DIRECT_ACCESS)?;
    let mode = match values.text(names::MODE) {
        None if direct == Some(true) => Mode::Direct,
        None | Some("node-port") => Mode::NodePort,
        Some("vip") => Mode::Vip,
        Some("direct") => Mode::Direct,
        Some(other) => return Err(invalid(names::MODE, other, "it is \"node-port\", \"vip\" or \"direct\"")),
    };
    if direct.is_some_and(|direct| direct != (mode == Mode::Direct)) {
        return Err(invalid(names::MODE, values.text(names::MODE).unwrap_or_default(), "direct-access says otherwise"));
    }
    match mode {
        Mode::Vip if service.has_node_ports => {
            Err(invalid(names::MODE, "vip", "the Service also needs spec.allocateLoadBalancerNodePorts: false"))
        }
        Mode::NodePort if !service.has_node_ports && service.ports.iter().any(|port| port.node_port.is_none()) => {
            let message =
                "spec.allocateLoadBalancerNodePorts is false: ports without a nodePort need the mode vip or direct";
            Err(ProviderError::new(ErrorKind::InvalidArgument, message))
        }
        mode => Ok(mode),
    }
}

fn read_balancer(spec: &mut LbSpec, service: &Service, values: &Values<'_>) -> Result<()> {
    if let Some(subnet) = values.id(names::INTERNAL_SUBNET, "subnet-")? {
        spec.scope = Scope::Internal { subnet: subnet.to_owned() };
    }
    let shared = values.is_set(names::SHARE_EXISTING)?;
    spec.existing = values.id(names::EXISTING_ID, "lb-")?.map(|id| Existing { id: id.to_owned(), shared });
    if shared && spec.existing.is_none() {
        return Err(invalid(names::SHARE_EXISTING, "true", format_args!("it needs {}", names::EXISTING_ID)));
    }
    let charging = either(values, names::CHARGE_TYPE, names::CHARGE_TYPE_ALIAS)?;
    spec.charging =
        charging.map(|(name, text)| charging_of(text).ok_or_else(|| invalid(name, text, "unknown"))).transpose()?;
    spec.bandwidth = match either(values, names::BANDWIDTH, names::BANDWIDTH_ALIAS)? {
        Some((name, _)) => values.number(name, 1..=2048)?,
        None => None,
    };
    spec.pass_to_targets = values.flag(names::PASS_TO_TARGET)?;
    if let (Some(_), Some(pass)) = (&spec.existing, spec.pass_to_targets) {
        return Err(invalid(names::PASS_TO_TARGET, &pass.to_string(), "it is not for existing balancers"));
    }
    let (region, network) = (values.text(names::CROSS_REGION), values.id(names::CROSS_VPC, "vpc-")?);
    if let Some(text) = region.filter(|text| !is_region(text)) {
        return Err(invalid(names::CROSS_REGION, text, "it is a region like ap-guangzhou"));
    }
    if region.is_some() || network.is_some() {
        spec.cross_network =
            Some(CrossNetwork { region: region.map(str::to_owned), network: network.map(str::to_owned) });
    }
    spec.protection = Protection {
        deletion: values.flag(names::DELETION_PROTECTION)?,
        modification: values.flag(names::MODIFICATION_PROTECTION)?,
    };
    spec.retain = values.is_set(names::RETAIN)?;
    spec.allow_recreate = values.is_set(names::ALLOW_RECREATE)?;
    spec.address = match (values.text(names::STATIC_ADDRESS), &service.requested_address) {
        (Some(text), _) => Some(match text.parse() {
            Ok(address) => StaticAddress::Ip(address),
            Err(_) if is_id(text, "eip-") => StaticAddress::Reserved(text.to_owned()),
            Err(_) => return Err(invalid(names::STATIC_ADDRESS, text, "it is an address or an id like eip-1a2b3c4d")),
        }),
        (None, Some(text)) => Some(StaticAddress::Ip(parse_address("spec.loadBalancerIP", text)?)),
        (None, None) => None,
    };
    for pair in values.list(names::TAGS).into_iter().flatten() {
        match pair.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                spec.tags.insert(name.trim().to_owned(), value.trim().to_owned());
            }
            _ => return Err(invalid(names::TAGS, pair, "it is name=value")),
        }
    }
    Ok(())
}

/// The value of an annotation that has two names. Both with different values contradict each other.
fn either<'a>(values: &Values<'a>, name: &'static str, alias: &'static str) -> Result<Option<(&'static str, &'a str)>> {
    match (values.text(name), values.text(alias)) {
        (Some(one), Some(other)) if one != other => Err(invalid(alias, other, format_args!("{name} says {one:?}"))),
        (Some(text), _) => Ok(Some((name, text))),
        (None, text) => Ok(text.map(|text| (alias, text))),
    }
}

fn charging_of(text: &str) -> Option<Charging> {
    match text {
        "TRAFFIC_POSTPAID_BY_HOUR" => Some(Charging::Traffic),
        "BANDWIDTH_POSTPAID_BY_HOUR" => Some(Charging::Bandwidth),
        "BANDWIDTH_PACKAGE" => Some(Charging::Package),
        _ => None,
    }
}

fn is_region(text: &str) -> bool {
    text.contains('-') && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn parse_address(field: &str, text: &str) -> Result<IpAddr> {
    text.trim()
        .parse()
        .map_err(|_| ProviderError::new(ErrorKind::InvalidArgument, format!("{field}: {text:?} is no address")))
}

/// Parameters of CreateLoadBalancer that have a place in the specification go there; all others stay in the cloud's
/// words.
fn read_create_parameters(spec: &mut LbSpec, values: &Values<'_>) -> Result<()> {
    let Some(parameters) = values.json::<BTreeMap<String, Value>>(names::CREATE_PARAMETERS)? else { return Ok(()) };
    let shown = values.text(names::CREATE_PARAMETERS).unwrap_or_default();
    for (name, value) in parameters {
        let wrong = |why: &str| invalid(names::CREATE_PARAMETERS, shown, format_args!("{name}: {why}"));
        let text = || value.as_str().ok_or_else(|| wrong("it is text"));
        match name.as_str() {
            "LoadBalancerType" | "Forward" | "Number" | "ClientToken" => {
                return Err(wrong("it follows from the Service"));
            }
            "LoadBalancerName" => spec.name = text()?.to_owned(),
            "AddressIPVersion" if value == "IPV4" => spec.family = Family::V4,
            "AddressIPVersion" if value == "IPv6FullChain" => spec.family = Family::V6,
            "Vip" => spec.address = Some(StaticAddress::Ip(parse_address(names::CREATE_PARAMETERS, text()?)?)),
            "EipAddressId" => spec.address = Some(StaticAddress::Reserved(text()?.to_owned())),
            "LoadBalancerPassToTarget" => {
                spec.pass_to_targets = Some(value.as_bool().ok_or_else(|| wrong("it is true or false"))?);
            }
            "Tags" => {
                for tag in value.as_array().ok_or_else(|| wrong("it is a list"))? {
                    match (tag.get("TagKey").and_then(Value::as_str), tag.get("TagValue").and_then(Value::as_str)) {
                        (Some(key), Some(value)) => spec.tags.insert(key.to_owned(), value.to_owned()),
                        _ => return Err(wrong("each has TagKey and TagValue")),
                    };
                }
            }
            "InternetAccessible" => {
                let object = value.as_object().ok_or_else(|| wrong("it is an object"))?;
                for (part, value) in object {
                    match part.as_str() {
                        "InternetChargeType" => {
                            let charging =
                                value.as_str().and_then(charging_of).ok_or_else(|| wrong("unknown charge type"))?;
                            spec.charging.get_or_insert(charging);
                        }
                        "InternetMaxBandwidthOut" => {
                            let limit = value.as_u64().and_then(|limit| u32::try_from(limit).ok());
                            let limit = limit.filter(|limit| (1..=2048).contains(limit));
                            spec.bandwidth.get_or_insert(limit.ok_or_else(|| wrong("bandwidth is 1 to 2048"))?);
                        }
                        _ => return Err(wrong("only InternetChargeType and InternetMaxBandwidthOut are known")),
                    }
                }
            }
            _ => {
                spec.extra.insert(name, value);
            }
        }
    }
    Ok(())
}

/// Refuses an address that the balancer cannot have.
fn check_address(spec: &LbSpec, values: &Values<'_>) -> Result<()> {
    let text = values.text(names::STATIC_ADDRESS);
    if let (Some(text), true) = (text, spec.existing.is_some()) {
        return Err(invalid(names::STATIC_ADDRESS, text, "an existing balancer has its address"));
    }
    if let (Some(StaticAddress::Reserved(id)), Scope::Public) = (&spec.address, &spec.scope) {
        let name = if text.is_some() { names::STATIC_ADDRESS } else { names::CREATE_PARAMETERS };
        let why = format_args!("only internal balancers take an elastic address; it needs {}", names::INTERNAL_SUBNET);
        return Err(invalid(name, id, why));
    }
    Ok(())
}

fn read_access(spec: &mut LbSpec, service: &Service, values: &Values<'_>) -> Result<()> {
    let mut ranges = BTreeSet::new();
    let (field, written) = if service.source_ranges.is_empty() {
        (names::SOURCE_RANGES, values.list(names::SOURCE_RANGES).unwrap_or_default())
    } else {
        ("spec.loadBalancerSourceRanges", service.source_ranges.iter().map(String::as_str).collect())
    };
    for text in written {
        let range: IpNet = text.trim().parse().map_err(|_| invalid(field, text, "it is a network like 10.0.0.0/8"))?;
        ranges.insert(range.trunc());
    }
    let own = |range: &IpNet| range.addr().is_ipv6() == (spec.family == Family::V6);
    if ranges.iter().any(|range| range.prefix_len() == 0 && own(range)) {
        // All addresses of the balancer's own version are everyone who can come. All of the other version are nobody:
        // such a range stays beside the others, since a set that it left empty would admit everyone.
        ranges.clear();
    }
    let groups = values.list(names::SECURITY_GROUPS).unwrap_or_default();
    if groups.len() > 5 || groups.iter().any(|group| !is_id(group, "sg-")) {
        let text = values.text(names::SECURITY_GROUPS).unwrap_or_default();
        return Err(invalid(names::SECURITY_GROUPS, text, "it is a list of at most 5 ids like sg-1a2b3c4d"));
    }
    spec.access = Access { source_ranges: ranges, groups: groups.into_iter().map(str::to_owned).collect() };
    Ok(())
}

fn node_choice(values: &Values<'_>) -> Result<NodeChoice> {
    let selector = match values.text(names::BACKENDS_LABEL) {
        Some(text) => Some(LabelSelector::parse(text).map_err(|why| invalid(names::BACKENDS_LABEL, text, why))?),
        None => None,
    };
    Ok(NodeChoice {
        selector,
        with_pods_only: values.is_set(names::ONLY_NODES_WITH_PODS)?,
        weight_by_pods: values.is_set(names::WEIGHT_BY_PODS)?,
        most: values.number(names::SUBSET, 1..=1000)?.unwrap_or(0) as usize,
        drain_ending: values.is_set(names::GRACE_SHUTDOWN)?,
        drain_unready: values.is_set(names::GRACE_SHUTDOWN_NOT_READY)?,
        weights: values.text(names::LB_RS_WEIGHT).map(PodWeights::read).transpose()?.unwrap_or_default(),
    })
}

fn listeners(
    service: &Service,
    values: &Values<'_>,
    context: &ReadContext,
    spec: &LbSpec,
) -> Result<Vec<ListenerSpec>> {
    let numbers: BTreeSet<u16> = service.ports.iter().map(|port| port.port).collect();
    let specified = protocols::read(values, &numbers)?;
    let mut base = Settings {
        idle_seconds: values.number(names::IDLE_TIMEOUT, 10..=1980)?,
        // Kubernetes keeps clients for three hours by default; balancers for one hour at most.
        session_seconds: service.affinity_seconds.map_or(0, |seconds| seconds.clamp(30, 3600)),
        ..Settings::default()
    };
    apply_listener_parameters(values, &mut base)?;
    let proxy_protocol = values.is_set(names::PROXY_PROTOCOL)?;
    let mut listeners: Vec<ListenerSpec> = Vec::new();
    let ports = service.ports.iter().map(|port| Ok((port, own_protocol(port)?))).collect::<Result<Vec<_>>>()?;
    for (port, own) in &ports {
        let none = PortProtocols::default();
        let special = specified.get(&port.port).unwrap_or(&none);
        // What is carried as the Service's port itself is, and what no port of the Service carries.
        let is_mine = |protocol: &Protocol| {
            let transport = protocol.transport();
            transport == own.transport()
                || !ports.iter().any(|(other, theirs)| other.port == port.port && theirs.transport() == transport)
        };
        let wanted: Vec<Protocol> = match special.protocols.is_empty() {
            true => vec![*own],
            false => special.protocols.iter().copied().filter(is_mine).collect(),
        };
        if wanted.is_empty() {
            let text = values.text(names::SPECIFY_PROTOCOL).unwrap_or_default();
            let why = format_args!("port {}: the Service has it for {own} too, which gets no protocol", port.port);
            return Err(invalid(names::SPECIFY_PROTOCOL, text, why));
        }
        for protocol in wanted {
            let mut listener = listener(port, protocol, special, context)?;
            // Without it, as for UDP, nodes without pods fail the usual check too: they drop what comes to the node port.
            let asks_node = protocol == Protocol::Tcp && spec.family == Family::V4 && spec.mode != Mode::Direct;
            let mut health = match service.health_check_node_port {
                Some(port) if service.local_traffic && asks_node => HealthCheck::of_node(port),
                _ => HealthCheck::default(),
            };
            health.override_with(&base.health);
            let (tls, tls_by_host) = (listener.settings.tls.take(), listener.settings.tls_by_host.take());
            listener.settings = Settings { tls, tls_by_host, health, ..base.clone() };
            listener.settings.proxy_protocol |= proxy_protocol && protocol.can_proxy();
            listeners.push(listener);
        }
    }
    if base.idle_seconds.is_some() && !listeners.iter().any(|listener| listener.key.protocol.is_plain()) {
        let name =
            [names::IDLE_TIMEOUT, names::LISTENER_PARAMETERS].into_iter().find(|name| values.text(name).is_some());
        let name = name.unwrap_or(names::IDLE_TIMEOUT);
        let text = values.text(name).unwrap_or_default();
        return Err(invalid(name, text, "no listener of the Service is TCP or UDP, which alone have an idle timeout"));
    }
    if proxy_protocol && !listeners.iter().any(|listener| listener.settings.proxy_protocol) {
        return Err(invalid(names::PROXY_PROTOCOL, "true", "no listener of the Service is TCP_SSL or QUIC"));
    }
    Ok(listeners)
}

/// What a port of a Service speaks when no annotation says otherwise.
fn own_protocol(port: &ServicePort) -> Result<Protocol> {
    match port.protocol.as_str() {
        "TCP" | "" => Ok(Protocol::Tcp),
        "UDP" => Ok(Protocol::Udp),
        other => {
            let message = format!("port {}: protocol {other} is not offered", port.port);
            Err(ProviderError::new(ErrorKind::Unsupported, message))
        }
    }
}

fn listener(
    port: &ServicePort,
    protocol: Protocol,
    special: &PortProtocols,
    context: &ReadContext,
) -> Result<ListenerSpec> {
    let mut listener = ListenerSpec::new(port.port, protocol);
    listener.port_name.clone_from(&port.name);
    listener.target_port = port.target_port.clone();
    listener.node_port = port.node_port;
    if protocol.has_rules() && !special.hosts.is_empty() {
        listener.rules = special.hosts.keys().map(|host| Rule { host: host.clone(), path: "/".to_owned() }).collect();
    }
    if protocol.needs_tls() {
        let certificates = |secret: &str| {
            context.certificates.get(secret).cloned().ok_or_else(|| {
                let name = names::SPECIFY_PROTOCOL;
                let message = format!("annotation {name}: the Secret {secret} has no certificate id");
                ProviderError::new(ErrorKind::Conflict, message)
            })
        };
        let secrets = special.secrets();
        match secrets.first() {
            Some(_) if secrets.len() > 1 => {
                let of_host = |(host, own): (&String, &Option<String>)| {
                    let secret = own.as_ref().or(special.secret.as_ref())?;
                    Some(certificates(secret).map(|tls| (host.clone(), tls)))
                };
                listener.settings.tls_by_host = Some(special.hosts.iter().filter_map(of_host).collect::<Result<_>>()?);
            }
            Some(secret) => listener.settings.tls = Some(certificates(secret)?),
            None => {}
        }
    }
    Ok(listener)
}

/// What the status says of the address, and where health checks come from in consequence.
fn settle_address_mode(spec: &mut LbSpec, values: &Values<'_>) -> Result<()> {
    let plain = |listener: &ListenerSpec| listener.key.protocol.is_plain();
    spec.address_mode = match values.text(names::ADDRESS_MODE) {
        Some("VIP") => AddressMode::Vip,
        Some("Proxy") if spec.mode == Mode::Vip => {
            return Err(invalid(names::ADDRESS_MODE, "Proxy", "the mode vip needs VIP"));
        }
        Some("Proxy") => AddressMode::Proxy,
        Some(other) => return Err(invalid(names::ADDRESS_MODE, other, "it is \"VIP\" or \"Proxy\"")),
        // What the balancer ends itself (TLS, HTTP) pods would miss on the short way to the address.
        None if spec.listeners.iter().all(plain) => AddressMode::Vip,
        None => AddressMode::Proxy,
    };
    let reserved = spec.address_mode == AddressMode::Vip || values.is_set(names::PREVENT_LOOPBACK)?;
    let source = if reserved && spec.family == Family::V4 { HealthSource::Reserved } else { HealthSource::Balancer };
    for listener in &mut spec.listeners {
        listener.settings.health.source.get_or_insert(source);
    }
    Ok(())
}

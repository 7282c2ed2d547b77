//! The rules for services, with what the server allocates for them: cluster addresses and node ports.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Map, Value, json};

use super::{family_of_range, items, names, object_at, set_default};
use crate::json::At as _;
use crate::refusal::Cause;

const FIRST_NODE_PORT: u64 = 30_000;
const LAST_NODE_PORT: u64 = 32_767;

/// What other services have, so that no two get the same.
#[derive(Debug)]
pub(crate) struct Taken<'a> {
    by_others: BTreeSet<u64>,
    /// Its own, and those that were allocated just now.
    now: BTreeSet<u64>,
    addresses: BTreeSet<String>,
    random: &'a mut fastrand::Rng,
}

impl<'a> Taken<'a> {
    pub(crate) fn by<'s>(others: impl Iterator<Item = &'s Value>, random: &'a mut fastrand::Rng) -> Self {
        let mut taken = Self { by_others: BTreeSet::new(), now: BTreeSet::new(), addresses: BTreeSet::new(), random };
        for service in others {
            let spec = service.at("spec");
            taken.by_others.extend(items(spec.at("ports")).filter_map(|port| port.at("nodePort").as_u64()));
            taken.by_others.extend(spec.at("healthCheckNodePort").as_u64());
            taken.addresses.extend(spec.at("clusterIP").as_str().map(str::to_owned));
        }
        taken
    }

    fn port(&mut self) -> u64 {
        let free = |port: &u64| !self.by_others.contains(port) && !self.now.contains(port);
        let start = self.random.u64(FIRST_NODE_PORT..=LAST_NODE_PORT);
        let port = (start..=LAST_NODE_PORT).chain(FIRST_NODE_PORT..start).find(free).unwrap_or(start);
        self.now.insert(port);
        port
    }

    fn address(&mut self) -> String {
        let first = u32::from(Ipv4Addr::new(10, 96, 0, 10));
        let start = first + u32::try_from(self.addresses.len()).unwrap_or_default();
        let free = (start..).map(|address| Ipv4Addr::from(address).to_string());
        let address = free.into_iter().find(|address| !self.addresses.contains(address)).unwrap_or_default();
        self.addresses.insert(address.clone());
        address
    }
}

fn kind_of(service: &Value) -> &str {
    service.at("spec.type").as_str().unwrap_or("ClusterIP")
}

fn is_external(service: &Value) -> bool {
    matches!(kind_of(service), "NodePort" | "LoadBalancer")
}

fn needs_node_ports(service: &Value) -> bool {
    kind_of(service) == "NodePort"
        || (kind_of(service) == "LoadBalancer" && service.at("spec.allocateLoadBalancerNodePorts") != false)
}

fn needs_health_port(service: &Value) -> bool {
    kind_of(service) == "LoadBalancer" && service.at("spec.externalTrafficPolicy") == "Local"
}

fn is_headless(service: &Value) -> bool {
    service.at("spec.clusterIP") == "None"
}

/// The same port of another version of the service.
fn same_port<'a>(service: &'a Value, port: &Value) -> Option<&'a Value> {
    items(service.at("spec.ports"))
        .find(|one| one.at("port") == port.at("port") && one.at("protocol") == port.at("protocol"))
}

pub(super) fn complete(service: &mut Value, before: Option<&Value>, taken: &mut Taken<'_>) {
    set_default(service, &["spec"], "type", json!("ClusterIP"));
    set_default(service, &["spec"], "sessionAffinity", json!("None"));
    set_default(service, &["status"], "loadBalancer", json!({}));
    if service.at("spec.sessionAffinity") == "ClientIP" {
        set_default(service, &["spec", "sessionAffinityConfig", "clientIP"], "timeoutSeconds", json!(10_800));
    }
    ports(service, |port| {
        let number = port.get("port").cloned().unwrap_or_default();
        port.entry("protocol").or_insert(json!("TCP"));
        port.entry("targetPort").or_insert(number);
    });
    if let Some(before) = before {
        keep_or_drop(service, before);
    }
    allocate(service, taken);
    if let Some(ingress) = service.pointer_mut("/status/loadBalancer/ingress").and_then(Value::as_array_mut) {
        for point in ingress.iter_mut().filter(|point| point.at("ip").is_string()).filter_map(Value::as_object_mut) {
            point.entry("ipMode").or_insert(json!("VIP"));
        }
    }
    if kind_of(service) != "LoadBalancer"
        && before.is_some_and(|before| kind_of(before) == "LoadBalancer")
        && let Some(status) = object_at(service, &["status"])
    {
        status.insert("loadBalancer".to_owned(), json!({}));
    }
}

fn ports(service: &mut Value, mut each: impl FnMut(&mut Map<String, Value>)) {
    if let Some(ports) = service.pointer_mut("/spec/ports").and_then(Value::as_array_mut) {
        ports.iter_mut().filter_map(Value::as_object_mut).for_each(&mut each);
    }
}

/// What was allocated stays, unless the type has no use for it any more.
fn keep_or_drop(service: &mut Value, before: &Value) {
    let (now_external, now_balancer) = (is_external(service), kind_of(service) == "LoadBalancer");
    let (ports_now, health_now) = (needs_node_ports(service), needs_health_port(service));
    let cluster_now = kind_of(service) != "ExternalName";
    let Some(spec) = object_at(service, &["spec"]) else { return };
    let mut carry = |field: &str, wanted: bool, lapses: bool| {
        let old = before.at("spec").at(field);
        if wanted && spec.get(field).is_none_or(Value::is_null) && !old.is_null() {
            spec.insert(field.to_owned(), old.clone());
        } else if lapses && !wanted && spec.get(field) == Some(old) {
            spec.remove(field);
        }
    };
    carry("clusterIP", cluster_now, true);
    carry("clusterIPs", cluster_now, true);
    carry("ipFamilies", cluster_now, true);
    carry("ipFamilyPolicy", cluster_now, true);
    carry("internalTrafficPolicy", cluster_now, true);
    carry("healthCheckNodePort", health_now, true);
    // These are only dropped: leaving them out of a PUT means their default, or that they are wanted no more.
    carry("externalTrafficPolicy", false, !now_external);
    carry("allocateLoadBalancerNodePorts", false, !now_balancer);
    carry("loadBalancerClass", false, !now_balancer);
    if ports_now {
        let used =
            items(service.at("spec.ports")).filter_map(|port| port.at("nodePort").as_u64()).collect::<BTreeSet<_>>();
        ports(service, |port| {
            let old = same_port(before, &Value::Object(port.clone())).and_then(|old| old.at("nodePort").as_u64());
            if let Some(old) = old.filter(|old| !used.contains(old)) {
                port.entry("nodePort").or_insert(json!(old));
            }
        });
    } else if !now_external {
        ports(service, |port| {
            let old = same_port(before, &Value::Object(port.clone())).map(|old| old.at("nodePort").clone());
            if old.is_some() && port.get("nodePort") == old.as_ref() {
                port.remove("nodePort");
            }
        });
    }
}

fn allocate(service: &mut Value, taken: &mut Taken<'_>) {
    if kind_of(service) == "ExternalName" {
        return;
    }
    let external = is_external(service);
    if external {
        set_default(service, &["spec"], "externalTrafficPolicy", json!("Cluster"));
    }
    if kind_of(service) == "LoadBalancer" {
        set_default(service, &["spec"], "allocateLoadBalancerNodePorts", json!(true));
    }
    set_default(service, &["spec"], "internalTrafficPolicy", json!("Cluster"));
    set_default(service, &["spec"], "ipFamilyPolicy", json!("SingleStack"));
    set_default(service, &["spec"], "ipFamilies", json!(["IPv4"]));
    if service.at("spec.clusterIP").as_str().unwrap_or_default().is_empty() {
        let address = taken.address();
        if let Some(spec) = object_at(service, &["spec"]) {
            spec.insert("clusterIP".to_owned(), address.into());
        }
    }
    let address = service.at("spec.clusterIP").clone();
    set_default(service, &["spec"], "clusterIPs", json!([address]));
    // What it has is not given to another of its ports.
    taken.now.extend(items(service.at("spec.ports")).filter_map(|port| port.at("nodePort").as_u64()));
    taken.now.extend(service.at("spec.healthCheckNodePort").as_u64());
    if needs_node_ports(service) {
        // One number serves both protocols of a port.
        let mut given = std::collections::BTreeMap::<u64, u64>::new();
        ports(service, |port| {
            let number = port.get("port").and_then(Value::as_u64).unwrap_or_default();
            let wanted = port.get("nodePort").and_then(Value::as_u64).filter(|wanted| *wanted > 0);
            let node_port = wanted.unwrap_or_else(|| given.get(&number).copied().unwrap_or_else(|| taken.port()));
            given.insert(number, node_port);
            port.insert("nodePort".to_owned(), node_port.into());
        });
    }
    if needs_health_port(service) && service.at("spec.healthCheckNodePort").as_u64().unwrap_or_default() == 0 {
        let port = taken.port();
        if let Some(spec) = object_at(service, &["spec"]) {
            spec.insert("healthCheckNodePort".to_owned(), port.into());
        }
    }
}

pub(super) fn check(service: &Value, before: Option<&Value>, taken: &Taken<'_>) -> Vec<Cause> {
    let spec = service.at("spec");
    let mut wrong = Vec::new();
    let types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    if !types.contains(&kind_of(service)) {
        wrong.push(Cause::unsupported("spec.type", spec.at("type"), &types));
    }
    if kind_of(service) == "ExternalName" {
        if spec.at("externalName").as_str().is_none_or(str::is_empty) {
            wrong.push(Cause::required("spec.externalName", ""));
        }
    } else if !is_headless(service) && items(spec.at("ports")).next().is_none() {
        wrong.push(Cause::required("spec.ports", ""));
    }
    if kind_of(service) == "LoadBalancer" && is_headless(service) {
        let why = "may not be set to 'None' for LoadBalancer services";
        wrong.push(Cause::invalid("spec.clusterIPs[0]", spec.at("clusterIP"), why));
    }
    check_ports(service, taken, &mut wrong);
    check_policies(service, &mut wrong);
    check_balancer(service, &mut wrong);
    if let Some(before) = before {
        let old = before.at("spec");
        if is_set(old.at("clusterIP"))
            && cluster(before)
            && cluster(service)
            && old.at("clusterIP") != spec.at("clusterIP")
        {
            wrong.push(Cause::invalid("spec.clusterIPs[0]", spec.at("clusterIP"), "may not change once set"));
        }
        let balancer = kind_of(before) == "LoadBalancer" && kind_of(service) == "LoadBalancer";
        if balancer && old.at("loadBalancerClass") != spec.at("loadBalancerClass") {
            wrong.push(Cause::invalid(
                "spec.loadBalancerClass",
                spec.at("loadBalancerClass"),
                "may not change once set",
            ));
        }
        if needs_health_port(before)
            && needs_health_port(service)
            && old.at("healthCheckNodePort") != spec.at("healthCheckNodePort")
        {
            let why = "field is immutable";
            wrong.push(Cause::invalid("spec.healthCheckNodePort", spec.at("healthCheckNodePort"), why));
        }
    }
    wrong
}

fn cluster(service: &Value) -> bool {
    kind_of(service) != "ExternalName"
}

fn is_set(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

fn check_ports(service: &Value, taken: &Taken<'_>, wrong: &mut Vec<Cause>) {
    let list = items(service.at("spec.ports")).collect::<Vec<_>>();
    let (mut names, mut numbers, mut node_ports) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (index, port) in list.iter().enumerate() {
        let field = |name: &str| format!("spec.ports[{index}]{name}");
        let name = port.at("name").as_str().unwrap_or_default();
        if name.is_empty() && list.len() > 1 {
            wrong.push(Cause::required(field(".name"), ""));
        } else if !name.is_empty() {
            if let Err(why) = names::label(name) {
                wrong.push(Cause::invalid(field(".name"), port.at("name"), why));
            }
            if !names.insert(name) {
                wrong.push(Cause::duplicate(field(".name"), port.at("name")));
            }
        }
        if !port.at("port").as_u64().is_some_and(|number| (1..=65_535).contains(&number)) {
            wrong.push(Cause::invalid(field(".port"), port.at("port"), "must be between 1 and 65535, inclusive"));
        }
        match port.at("targetPort") {
            Value::Number(number) if !number.as_u64().is_some_and(|number| (1..=65_535).contains(&number)) => {
                let why = "must be between 1 and 65535, inclusive";
                wrong.push(Cause::invalid(field(".targetPort"), port.at("targetPort"), why));
            }
            _ => {}
        }
        if !matches!(port.at("protocol").as_str(), Some("TCP" | "UDP" | "SCTP")) {
            wrong.push(Cause::unsupported(field(".protocol"), port.at("protocol"), &["SCTP", "TCP", "UDP"]));
        }
        if !numbers.insert((port.at("protocol").as_str(), port.at("port").as_u64())) {
            wrong.push(Cause::duplicate(field(""), port));
        }
        let Some(node_port) = port.at("nodePort").as_u64().filter(|number| *number > 0) else { continue };
        if !is_external(service) {
            wrong.push(Cause::forbidden(field(".nodePort"), "may not be used when `type` is 'ClusterIP'"));
        } else if !(FIRST_NODE_PORT..=LAST_NODE_PORT).contains(&node_port) {
            let why = "provided port is not in the valid range. The range of valid ports is 30000-32767";
            wrong.push(Cause::invalid(field(".nodePort"), port.at("nodePort"), why));
        } else if taken.by_others.contains(&node_port) {
            wrong.push(Cause::invalid(field(".nodePort"), port.at("nodePort"), "provided port is already allocated"));
        }
        if !node_ports.insert((port.at("protocol").as_str(), node_port)) {
            wrong.push(Cause::duplicate(field(".nodePort"), port.at("nodePort")));
        }
    }
}

fn check_policies(service: &Value, wrong: &mut Vec<Cause>) {
    let spec = service.at("spec");
    let one_of = |field: &str, known: &[&str], wrong: &mut Vec<Cause>| {
        if !spec.at(field).is_null() && !known.contains(&spec.at(field).as_str().unwrap_or_default()) {
            wrong.push(Cause::unsupported(format!("spec.{field}"), spec.at(field), known));
        }
    };
    one_of("sessionAffinity", &["ClientIP", "None"], wrong);
    one_of("externalTrafficPolicy", &["Cluster", "Local"], wrong);
    one_of("internalTrafficPolicy", &["Cluster", "Local"], wrong);
    one_of("ipFamilyPolicy", &["SingleStack", "PreferDualStack", "RequireDualStack"], wrong);
    let has_external_addresses = items(spec.at("externalIPs")).next().is_some();
    if is_set(spec.at("externalTrafficPolicy")) && !is_external(service) && !has_external_addresses {
        let why = "may only be set for externally-accessible services";
        wrong.push(Cause::invalid("spec.externalTrafficPolicy", spec.at("externalTrafficPolicy"), why));
    }
    if spec.at("healthCheckNodePort").as_u64().unwrap_or_default() != 0 && !needs_health_port(service) {
        let why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
        wrong.push(Cause::invalid("spec.healthCheckNodePort", spec.at("healthCheckNodePort"), why));
    }
    for (index, address) in items(spec.at("externalIPs")).enumerate() {
        if address.as_str().unwrap_or_default().parse::<IpAddr>().is_err() {
            wrong.push(Cause::invalid(format!("spec.externalIPs[{index}]"), address, "must be a valid IP address"));
        }
    }
}

fn check_balancer(service: &Value, wrong: &mut Vec<Cause>) {
    let spec = service.at("spec");
    let balancer = kind_of(service) == "LoadBalancer";
    let only = "may only be used when `type` is 'LoadBalancer'";
    let ranges = items(spec.at("loadBalancerSourceRanges")).collect::<Vec<_>>();
    if !ranges.is_empty() && !balancer {
        wrong.push(Cause::forbidden("spec.LoadBalancerSourceRanges", only));
    }
    for range in ranges {
        if family_of_range(range.as_str().unwrap_or_default().trim()).is_none() {
            let why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
            wrong.push(Cause::invalid("spec.LoadBalancerSourceRanges", range, why));
        }
    }
    if !spec.at("allocateLoadBalancerNodePorts").is_null() && !balancer {
        wrong.push(Cause::forbidden("spec.allocateLoadBalancerNodePorts", only));
    }
    if !spec.at("loadBalancerClass").is_null() {
        if !balancer {
            wrong.push(Cause::forbidden("spec.loadBalancerClass", only));
        } else if let Err(why) = names::qualified(spec.at("loadBalancerClass").as_str().unwrap_or_default()) {
            wrong.push(Cause::invalid("spec.loadBalancerClass", spec.at("loadBalancerClass"), why));
        }
    }
}

pub(super) fn check_status(service: &Value) -> Vec<Cause> {
    let mut wrong = Vec::new();
    let ingress = service.at("status.loadBalancer.ingress");
    if kind_of(service) != "LoadBalancer" && items(ingress).next().is_some() {
        let why = "may only be used when `spec.type` is \"LoadBalancer\"";
        wrong.push(Cause::forbidden("status.loadBalancer.ingress", why));
    }
    for (index, point) in items(ingress).enumerate() {
        let field = |name: &str| format!("status.loadBalancer.ingress[{index}].{name}");
        let (ip, mode) = (point.at("ip").as_str().unwrap_or_default(), point.at("ipMode"));
        if !ip.is_empty() && ip.parse::<IpAddr>().is_err() {
            wrong.push(Cause::invalid(field("ip"), point.at("ip"), "must be a valid IP address"));
        }
        if ip.is_empty() && !mode.is_null() {
            wrong.push(Cause::forbidden(field("ipMode"), "may not be specified when `ip` is not set"));
        }
        if !mode.is_null() && !matches!(mode.as_str(), Some("VIP" | "Proxy")) {
            wrong.push(Cause::unsupported(field("ipMode"), mode, &["Proxy", "VIP"]));
        }
        let hostname = point.at("hostname").as_str().unwrap_or_default();
        if !hostname.is_empty() {
            if let Err(why) = names::subdomain(hostname) {
                wrong.push(Cause::invalid(field("hostname"), point.at("hostname"), why));
            }
            if hostname.parse::<IpAddr>().is_ok() {
                let why = "must be a DNS name, not an IP address";
                wrong.push(Cause::invalid(field("hostname"), point.at("hostname"), why));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_port_never_gets_the_node_port_of_another_one() {
        let mut random = fastrand::Rng::with_seed(1);
        let next = fastrand::Rng::with_seed(1).u64(FIRST_NODE_PORT..=LAST_NODE_PORT);
        let ports = json!([{ "port": 80, "nodePort": next }, { "port": 81 }]);
        let mut service = json!({ "spec": { "type": "LoadBalancer", "ports": ports } });
        complete(&mut service, None, &mut Taken::by([].into_iter(), &mut random));
        assert_eq!(service["spec"]["ports"][0]["nodePort"], next);
        assert_ne!(service["spec"]["ports"][1]["nodePort"], next);
    }
}

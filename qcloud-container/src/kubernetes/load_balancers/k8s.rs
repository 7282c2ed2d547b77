//! From the types of `k8s-openapi`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::endpoints::{Endpoint, Node};
use super::service::{Family, Service, ServiceKey, ServicePort, TargetPort};
use super::spec::AddressMode;
use super::state::Ingress;
use crate::kubernetes::{MachineKind, ProviderId};

/// The label that keeps a node from being a target, unless its value is false.
const EXCLUDE_LABEL: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
/// The taint of a node that the autoscaler is about to remove.
const LEAVING_TAINT: &str = "ToBeDeletedByClusterAutoscaler";

impl From<&core::Service> for Service {
    fn from(object: &core::Service) -> Self {
        let meta = &object.metadata;
        let key = ServiceKey::new(
            meta.namespace.clone().unwrap_or_default(),
            meta.name.clone().unwrap_or_default(),
            meta.uid.clone().unwrap_or_default(),
        );
        let status = object.status.as_ref().and_then(|status| status.load_balancer.as_ref());
        let published = status.and_then(|status| status.ingress.as_ref());
        let ports = object.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
        let mut service = Self::new(key, ports.map(ServicePort::from));
        service.annotations = meta.annotations.clone().unwrap_or_default();
        service.published = published.into_iter().flatten().filter_map(read_ingress).collect();
        service.wants_balancer = false;
        let Some(spec) = &object.spec else { return service };
        service.wants_balancer = spec.type_.as_deref() == Some("LoadBalancer") && meta.deletion_timestamp.is_none();
        service.class.clone_from(&spec.load_balancer_class);
        service.source_ranges = spec.load_balancer_source_ranges.clone().unwrap_or_default();
        service.requested_address = spec.load_balancer_ip.clone().filter(|address| !address.is_empty());
        service.affinity_seconds = (spec.session_affinity.as_deref() == Some("ClientIP")).then(|| {
            let config = spec.session_affinity_config.as_ref().and_then(|config| config.client_ip.as_ref());
            let seconds = config.and_then(|config| config.timeout_seconds).unwrap_or(10_800);
            u32::try_from(seconds).unwrap_or(10_800)
        });
        service.families = spec.ip_families.iter().flatten().map(|family| family_of(family)).collect();
        service.requires_dual_stack = spec.ip_family_policy.as_deref() == Some("RequireDualStack");
        service.local_traffic = spec.external_traffic_policy.as_deref() == Some("Local");
        service.health_check_node_port = spec.health_check_node_port.and_then(port_number);
        service.has_node_ports = spec.allocate_load_balancer_node_ports.unwrap_or(true);
        service
    }
}

impl From<&core::ServicePort> for ServicePort {
    fn from(port: &core::ServicePort) -> Self {
        let number = port_number(port.port).unwrap_or_default();
        Self {
            name: port.name.clone().unwrap_or_default(),
            protocol: port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()),
            port: number,
            target_port: match &port.target_port {
                Some(IntOrString::Int(target)) => TargetPort::Number(port_number(*target).unwrap_or(number)),
                Some(IntOrString::String(name)) => TargetPort::Name(name.clone()),
                None => TargetPort::Number(number),
            },
            node_port: port.node_port.and_then(port_number),
        }
    }
}

impl From<&core::Node> for Node {
    fn from(object: &core::Node) -> Self {
        let labels = object.metadata.labels.clone().unwrap_or_default();
        let spec = object.spec.as_ref();
        // One that is not of this cloud, or of no known form, names nothing that could be a target.
        let id = spec.and_then(|spec| spec.provider_id.as_deref()?.parse::<ProviderId>().ok());
        let excluded = labels
            .get(EXCLUDE_LABEL)
            .is_some_and(|value| !matches!(value.as_str(), "0" | "f" | "F" | "false" | "FALSE" | "False"));
        let leaving = spec
            .and_then(|spec| spec.taints.as_ref())
            .is_some_and(|taints| taints.iter().any(|taint| taint.key == LEAVING_TAINT));
        let addresses = object.status.iter().flat_map(|status| status.addresses.iter().flatten());
        Self {
            name: object.metadata.name.clone().unwrap_or_default(),
            instance_id: id.as_ref().map(|id| id.machine().to_owned()).unwrap_or_default(),
            by_address: id.is_some_and(|id| id.kind() == MachineKind::NativeNode),
            addresses: addresses
                .filter(|address| address.type_ == "InternalIP")
                .filter_map(|address| address.address.parse().ok())
                .collect(),
            zone: labels.get("topology.kubernetes.io/zone").cloned().unwrap_or_default(),
            eligible: object.metadata.deletion_timestamp.is_none() && !excluded && !leaving,
            labels,
        }
    }
}

// The list became optional in Kubernetes 1.36.
k8s_openapi::k8s_if_le_1_35! {
    fn endpoints_of(slice: &EndpointSlice) -> &[k8s_openapi::api::discovery::v1::Endpoint] {
        &slice.endpoints
    }
}
k8s_openapi::k8s_if_ge_1_36! {
    fn endpoints_of(slice: &EndpointSlice) -> &[k8s_openapi::api::discovery::v1::Endpoint] {
        slice.endpoints.as_deref().unwrap_or_default()
    }
}

impl Endpoint {
    /// The pods of the slices of one Service. Slices of addresses that are host names have none.
    pub fn from_slices<'s>(slices: impl IntoIterator<Item = &'s EndpointSlice>) -> Vec<Self> {
        let mut endpoints = Vec::new();
        for slice in slices {
            let ports: BTreeMap<String, u16> = slice
                .ports
                .iter()
                .flatten()
                .filter_map(|port| Some((port.name.clone().unwrap_or_default(), port_number(port.port?)?)))
                .collect();
            for endpoint in endpoints_of(slice) {
                // All addresses of one endpoint are the same pod; consumers take the first.
                let Some(address) = endpoint.addresses.first().and_then(|address| address.parse().ok()) else {
                    continue;
                };
                let conditions = endpoint.conditions.clone().unwrap_or_default();
                let ready = conditions.ready.unwrap_or(true);
                endpoints.push(Self {
                    address,
                    ports: ports.clone(),
                    node: endpoint.node_name.clone(),
                    pod: endpoint
                        .target_ref
                        .as_ref()
                        .filter(|target| target.kind.as_deref() == Some("Pod"))
                        .and_then(|target| target.name.clone()),
                    ready,
                    serving: conditions.serving.unwrap_or(ready),
                    terminating: conditions.terminating.unwrap_or(false),
                    weight: None,
                });
            }
        }
        endpoints
    }
}

impl From<&Ingress> for core::LoadBalancerIngress {
    fn from(ingress: &Ingress) -> Self {
        match ingress {
            Ingress::Address(address, mode) => {
                Self { ip: Some(address.to_string()), ip_mode: Some(mode.as_str().to_owned()), ..Self::default() }
            }
            Ingress::Hostname(name) => Self { hostname: Some(name.clone()), ..Self::default() },
        }
    }
}

/// `None` for an entry that names no place.
fn read_ingress(entry: &core::LoadBalancerIngress) -> Option<Ingress> {
    let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let Some(address) = text(&entry.ip) else { return text(&entry.hostname).map(Ingress::Hostname) };
    let is_proxy = entry.ip_mode.as_deref() == Some(AddressMode::Proxy.as_str());
    let mode = if is_proxy { AddressMode::Proxy } else { AddressMode::Vip };
    Some(Ingress::Address(address.parse().ok()?, mode))
}

fn family_of(name: &str) -> Family {
    if name == "IPv6" { Family::V6 } else { Family::V4 }
}

fn port_number(port: i32) -> Option<u16> {
    u16::try_from(port).ok()
}

//! Targets: what listeners and rules forward to.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::LISTS;
use super::errors;
use super::listeners::{Listener, Wanted};
use crate::call::Call;
use crate::clock::Time;
use crate::cvm;
use crate::data_path;
use crate::error::ApiError;
use crate::listing::{Filter, Filters};
use crate::world::{Local, Region, World};

const MOST_LISTENERS: usize = 20;

/// A target.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(super) place: Place,
    pub(super) port: u16,
    pub(super) weight: u32,
    pub(super) tag: String,
    pub(super) registered: Time,
}

/// Where a target is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) kind: TargetKind,
    pub(super) address: String,
    /// The instance that has the address; empty when none has.
    pub(super) instance: String,
    /// The network interface that has the address; empty when none has.
    pub(super) interface: String,
    /// The subnet of the address; empty when it is in none.
    pub(super) subnet: String,
}

/// Kinds of targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum TargetKind {
    /// An instance, bound by its id.
    Instance,
    /// An address of an instance or a network interface.
    Interface,
    /// A pod behind a route of the VPC or a cluster route.
    RoutedPod,
    /// An address in another network.
    Elsewhere,
}

impl TargetKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Instance => "CVM",
            Self::Interface => "ENI",
            Self::RoutedPod => "GLOBALROUTE",
            Self::Elsewhere => "CCN",
        }
    }
}

/// How requests name a target: by instance or by address.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GivenTarget {
    pub(super) port: i64,
    pub(super) instance_id: Option<String>,
    pub(super) eni_ip: Option<String>,
    pub(super) weight: Option<i64>,
    pub(super) tag: Option<String>,
}

/// A checked name of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TargetName {
    Instance(String),
    Address(IpAddr),
}

impl GivenTarget {
    /// Checks that it names one target, well-formed.
    pub(super) fn name(&self) -> Result<TargetName, ApiError> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        match (given(&self.instance_id), given(&self.eni_ip)) {
            (Some(_), Some(_)) => Err(errors::value("Give `InstanceId` or `EniIp` of a target, not both.")),
            (None, None) => Err(ApiError::missing("Targets.InstanceId")),
            (Some(id), None) => {
                crate::listing::check_id(("Targets.InstanceId", &id), "ins", errors::FORMAT)?;
                Ok(TargetName::Instance(id))
            }
            (None, Some(text)) => {
                let malformed =
                    |_| ApiError::new(errors::FORMAT, format!("`Targets.EniIp`: `{text}` is no IP address."));
                text.parse().map(TargetName::Address).map_err(malformed)
            }
        }
    }

    pub(super) fn port(&self) -> Result<u16, ApiError> {
        errors::port("Targets.Port", self.port)
    }

    pub(super) fn weight(&self, usual: Option<i64>) -> Result<u32, ApiError> {
        errors::weight("Targets.Weight", self.weight.or(usual).unwrap_or(10))
    }
}

impl TargetName {
    /// Whether it names this target.
    pub(super) fn fits(&self, target: &Target) -> bool {
        match self {
            Self::Instance(id) => target.place.instance == *id,
            Self::Address(address) => target.address_is(*address),
        }
    }
}

impl std::fmt::Display for TargetName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Instance(id) => f.write_str(id),
            Self::Address(address) => write!(f, "{address}"),
        }
    }
}

impl Target {
    fn address_is(&self, address: IpAddr) -> bool {
        self.place.address.parse() == Ok(address)
    }

    /// The id that health and detail answers show.
    pub(super) fn id(&self) -> &str {
        if self.place.instance.is_empty() { &self.place.interface } else { &self.place.instance }
    }

    fn show(&self, region: &Region) -> Value {
        let instance = region.cvm.instances.get(&self.place.instance);
        let public = instance.map(|instance| &instance.public_ips).filter(|addresses| !addresses.is_empty());
        json!({
            "Type": self.place.kind.name(),
            "InstanceId": self.place.instance,
            "Port": self.port,
            "Weight": self.weight,
            "PublicIpAddresses": public,
            "PrivateIpAddresses": [self.place.address],
            "InstanceName": instance.map(|instance| &instance.name),
            "RegisteredTime": self.registered.beijing(),
            "EniId": self.place.interface,
            "Tag": self.tag,
            "Zone": region.vpc.subnets.get(&self.place.subnet).map(|subnet| &subnet.zone),
        })
    }
}

/// Whether two texts are the same address, however written.
pub(super) fn same_address(one: &str, other: &str) -> bool {
    match (one.parse::<IpAddr>(), other.parse::<IpAddr>()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// Whether what the target stands for still exists: those of instances and interfaces that are gone are unbound.
pub(super) fn is_present(region: &Region, target: &Target) -> bool {
    let place = &target.place;
    match place.kind {
        TargetKind::Instance => region.cvm.instances.contains(&place.instance),
        TargetKind::Interface if place.subnet.is_empty() => true,
        TargetKind::Interface => {
            let owner = place.address.parse::<Ipv4Addr>().ok().and_then(|address| {
                region.vpc.subnets.get(&place.subnet).and_then(|subnet| subnet.addresses.owner(address))
            });
            owner.is_some_and(|owner| owner == place.instance || owner == place.interface)
        }
        TargetKind::RoutedPod | TargetKind::Elsewhere => true,
    }
}

/// Finds what a name stands for, in the VPC of a load balancer or target group.
pub(super) fn locate(region: &Region, vpc_id: &str, anywhere: bool, name: &TargetName) -> Result<Place, ApiError> {
    match name {
        TargetName::Instance(id) => {
            let missing =
                || errors::value(format!("`Targets.InstanceId`: the instance `{id}` does not exist in this region."));
            let instance = region.cvm.instances.get(id).ok_or_else(missing)?;
            if instance.vpc_id != vpc_id && !anywhere {
                let message =
                    format!("The instance `{id}` is in `{}`, not in `{vpc_id}` as it must be.", instance.vpc_id);
                return Err(errors::value(message));
            }
            if matches!(instance.state, cvm::InstanceState::Terminating | cvm::InstanceState::Shutdown) {
                let message = format!("The instance `{id}` is {}: it cannot be bound.", instance.state.name());
                return Err(errors::value(message));
            }
            Ok(Place {
                kind: TargetKind::Instance,
                address: instance.private_ips.first().cloned().unwrap_or_default(),
                instance: id.clone(),
                interface: String::new(),
                subnet: instance.subnet_id.clone(),
            })
        }
        TargetName::Address(IpAddr::V6(address)) => Ok(Place {
            kind: TargetKind::Interface,
            address: address.to_string(),
            instance: String::new(),
            interface: String::new(),
            subnet: String::new(),
        }),
        TargetName::Address(IpAddr::V4(address)) => locate_address(region, vpc_id, anywhere, *address),
    }
}

fn locate_address(region: &Region, vpc_id: &str, anywhere: bool, address: Ipv4Addr) -> Result<Place, ApiError> {
    let mut place = Place {
        kind: TargetKind::Interface,
        address: address.to_string(),
        instance: String::new(),
        interface: String::new(),
        subnet: String::new(),
    };
    let mut subnets = region.vpc.subnets.values().filter(|subnet| subnet.vpc_id == vpc_id);
    if let Some(subnet) = subnets.find(|subnet| subnet.cidr.contains_address(address)) {
        place.subnet.clone_from(&subnet.id);
        let owner = subnet.addresses.owner(address).unwrap_or_default();
        match owner.split('-').next() {
            Some("ins") => owner.clone_into(&mut place.instance),
            Some("eni") => owner.clone_into(&mut place.interface),
            _ => {
                let message =
                    format!("`EniIp`: no instance or network interface of `{vpc_id}` has the address {address}.");
                return Err(errors::value(message));
            }
        }
        return Ok(place);
    }
    if !data_path::hops_to_pod(region, vpc_id, address).is_empty() {
        place.kind = TargetKind::RoutedPod;
    } else if anywhere {
        place.kind = TargetKind::Elsewhere;
    } else {
        let message = format!(
            "`EniIp`: {address} is in no subnet of `{vpc_id}` and no route leads to it; addresses elsewhere need `SnatPro`."
        );
        return Err(errors::value(message));
    }
    Ok(place)
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        filters: Option<Vec<Filter>>,
        #[serde(flatten)]
        wanted: Wanted,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let listeners = input.wanted.find(&here, call, MOST_LISTENERS)?;
    let filters = Filters::check(call, input.filters, &["location-id", "private-ip-address", "tag"], &LISTS)?;
    let listeners: Vec<Value> = listeners.map(|listener| show_listener(&here, listener, &filters)).collect();
    Ok(json!({ "Listeners": listeners }))
}

fn show_listener(here: &Local<'_>, listener: &Listener, filters: &Filters) -> Value {
    let region: &Region = here.region;
    let show = |targets: &[Target], location: &str| -> Vec<Value> {
        let fits = |target: &&Target| {
            filters.accept(&[], |name, value| match name {
                "location-id" => location == value,
                "private-ip-address" => same_address(&target.place.address, value),
                "tag" => target.tag == value,
                _ => false,
            })
        };
        let present = targets.iter().filter(|target| is_present(region, target));
        present.filter(fits).map(|target| target.show(region)).collect()
    };
    let rules = listener
        .rules
        .iter()
        .filter(|rule| filters.values("location-id").is_none_or(|wanted| wanted.contains(&rule.id)));
    let rules: Vec<Value> = rules
        .map(|rule| {
            json!({
                "LocationId": rule.id,
                "Domain": rule.domain(),
                "Url": rule.url,
                "Targets": show(&rule.targets, &rule.id),
                "FunctionTargets": [],
            })
        })
        .collect();
    let layer_7 = listener.is_layer_7();
    json!({
        "ListenerId": listener.id,
        "Protocol": listener.protocol,
        "Port": listener.port,
        "EndPort": 0,
        "Rules": layer_7.then_some(rules),
        "Targets": (!layer_7).then(|| show(&listener.targets, &listener.location_id)),
    })
}

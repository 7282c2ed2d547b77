//! The policies of security groups, and the version that guards them against lost updates.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::security_groups::{SecurityGroup, find, find_mut};
use super::{LISTS, MALFORMED};
use crate::call::Call;
use crate::cidr::Cidr;
use crate::clock::Time;
use crate::error::ApiError;
use crate::listing::{Filter, Filters};
use crate::settings::Quota;
use crate::world::{Region, World};

/// One rule of a security group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Policy {
    protocol: String,
    port: String,
    service_template: Template,
    cidr: String,
    ipv6_cidr: String,
    pub(super) security_group_id: String,
    address_template: Template,
    action: String,
    description: String,
    modified: Time,
}

/// A template of services or addresses: one or a group of them. The emulator keeps the ids without looking at them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Template {
    id: String,
    group_id: String,
}

/// A policy as requests carry it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    policy_index: Option<i64>,
    protocol: Option<String>,
    port: Option<String>,
    service_template: Option<GivenServices>,
    cidr_block: Option<String>,
    ipv6_cidr_block: Option<String>,
    security_group_id: Option<String>,
    address_template: Option<GivenAddresses>,
    action: Option<String>,
    policy_description: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GivenServices {
    #[serde(default)]
    service_id: String,
    #[serde(default)]
    service_group_id: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GivenAddresses {
    #[serde(default)]
    address_id: String,
    #[serde(default)]
    address_group_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    security_group_id: String,
    security_group_policy_set: PolicySet,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PolicySet {
    version: Option<String>,
    egress: Option<Vec<Given>>,
    ingress: Option<Vec<Given>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Ingress,
    Egress,
}

impl Direction {
    fn of(self, group: &mut SecurityGroup) -> &mut Vec<Policy> {
        match self {
            Self::Ingress => &mut group.ingress,
            Self::Egress => &mut group.egress,
        }
    }
}

impl Policy {
    pub(super) fn accept_all(now: Time) -> Self {
        Self {
            protocol: "ALL".to_owned(),
            port: "ALL".to_owned(),
            service_template: Template::default(),
            cidr: "0.0.0.0/0".to_owned(),
            ipv6_cidr: String::new(),
            security_group_id: String::new(),
            address_template: Template::default(),
            action: "ACCEPT".to_owned(),
            description: String::new(),
            modified: now,
        }
    }

    fn show(&self, index: usize) -> Value {
        json!({
            "PolicyIndex": index,
            "Protocol": self.protocol,
            "Port": self.port,
            "ServiceTemplate": { "ServiceId": self.service_template.id, "ServiceGroupId": self.service_template.group_id },
            "CidrBlock": self.cidr,
            "Ipv6CidrBlock": self.ipv6_cidr,
            "SecurityGroupId": self.security_group_id,
            "AddressTemplate": { "AddressId": self.address_template.id, "AddressGroupId": self.address_template.group_id },
            "Action": self.action,
            "PolicyDescription": self.description,
            "ModifyTime": self.modified.beijing(),
        })
    }

    /// Whether it is about this traffic.
    pub(super) fn fits(&self, client: Ipv4Addr, port: u16, transport: &str) -> bool {
        let network = match self.cidr.parse::<Cidr>() {
            Ok(cidr) => cidr.contains_address(client),
            Err(_) => self.cidr.parse() == Ok(client),
        };
        let ports = self.port == "ALL"
            || self.port.split(',').any(|part| {
                let (from, to) = part.split_once('-').unwrap_or((part, part));
                matches!((from.parse::<u16>(), to.parse()), (Ok(from), Ok(to)) if (from..=to).contains(&port))
            });
        network && ports && (self.protocol == "ALL" || self.protocol.eq_ignore_ascii_case(transport))
    }

    pub(super) fn accepts(&self) -> bool {
        self.action == "ACCEPT"
    }

    /// Whether the two let the same traffic pass or not, whatever their descriptions.
    fn same_rule(&self, other: &Self) -> bool {
        self.protocol == other.protocol
            && self.port == other.port
            && self.service_template == other.service_template
            && self.cidr == other.cidr
            && self.ipv6_cidr == other.ipv6_cidr
            && self.security_group_id == other.security_group_id
            && self.address_template == other.address_template
            && self.action == other.action
    }
}

/// Reads a policy: what belongs together and what excludes each other.
fn read(region: &Region, given: &Given, now: Time) -> Result<Policy, ApiError> {
    let coexist = |message: &str| Err(ApiError::new("InvalidParameter.Coexist", message));
    let service_template =
        given.service_template.clone().map(|t| Template { id: t.service_id, group_id: t.service_group_id });
    let service_template = service_template.unwrap_or_default();
    if service_template != Template::default() && (given.protocol.is_some() || given.port.is_some()) {
        return coexist("A policy has `Protocol` and `Port`, or a `ServiceTemplate`, not both.");
    }
    let protocol = given.protocol.as_deref().unwrap_or("ALL").to_ascii_lowercase();
    let protocol = match protocol.as_str() {
        "all" => "ALL".to_owned(),
        "tcp" | "udp" | "icmp" | "icmpv6" | "gre" => protocol,
        other => return Err(ApiError::invalid_value(format!("`Protocol`: there is no `{other}`."))),
    };
    let has_ports = matches!(protocol.as_str(), "tcp" | "udp");
    let port = match given.port.as_deref().filter(|port| !port.is_empty()) {
        None => "ALL".to_owned(),
        Some(port) if port.eq_ignore_ascii_case("all") => "ALL".to_owned(),
        Some(port) if has_ports && is_ports(port) => port.to_owned(),
        Some(_) if !has_ports => return coexist("`Port` goes with the protocols TCP and UDP only."),
        Some(port) => {
            let message = format!("`Port`: `{port}` is neither a port, a range such as 8000-8010, a list nor ALL.");
            return Err(ApiError::new(MALFORMED, message));
        }
    };
    let cidr = given.cidr_block.clone().unwrap_or_default();
    let cidr = if cidr.starts_with("0.0.0.0/") { "0.0.0.0/0".to_owned() } else { cidr };
    if !cidr.is_empty() && cidr.parse::<Cidr>().is_err() && cidr.parse::<std::net::Ipv4Addr>().is_err() {
        return Err(ApiError::new(
            MALFORMED,
            format!("`CidrBlock`: `{cidr}` is neither an IPv4 network nor an address."),
        ));
    }
    let ipv6_cidr = given.ipv6_cidr_block.clone().unwrap_or_default();
    let security_group_id = given.security_group_id.clone().unwrap_or_default();
    if !security_group_id.is_empty() {
        find(region, &security_group_id)?;
    }
    let address_template =
        given.address_template.clone().map(|t| Template { id: t.address_id, group_id: t.address_group_id });
    let address_template = address_template.unwrap_or_default();
    let sources = [
        !cidr.is_empty(),
        !ipv6_cidr.is_empty(),
        !security_group_id.is_empty(),
        address_template != Template::default(),
    ];
    match sources.iter().filter(|given| **given).count() {
        0 => return Err(ApiError::missing("CidrBlock")),
        1 => {}
        _ => {
            return coexist(
                "A policy has one of `CidrBlock`, `Ipv6CidrBlock`, `SecurityGroupId` and `AddressTemplate`.",
            );
        }
    }
    let action = given.action.as_deref().ok_or_else(|| ApiError::missing("Action"))?.to_ascii_uppercase();
    if !matches!(action.as_str(), "ACCEPT" | "DROP") {
        return Err(ApiError::invalid_value(format!("`Action` must be ACCEPT or DROP, not `{action}`.")));
    }
    Ok(Policy {
        protocol,
        port,
        service_template,
        cidr,
        ipv6_cidr,
        security_group_id,
        address_template,
        action,
        description: given.policy_description.clone().unwrap_or_default(),
        modified: now,
    })
}

fn is_ports(text: &str) -> bool {
    text.split(',').all(|part| match part.split_once('-') {
        None => part.parse::<u16>().is_ok(),
        Some((from, to)) => matches!((from.parse::<u16>(), to.parse::<u16>()), (Ok(from), Ok(to)) if from <= to),
    })
}

/// The one direction that the request is about.
fn one_direction(set: &PolicySet) -> Result<(Direction, &[Given]), ApiError> {
    let part = |policies: &Option<Vec<Given>>| policies.as_ref().is_some_and(|policies| !policies.is_empty());
    match (&set.ingress, &set.egress) {
        (Some(_), Some(_)) if part(&set.ingress) && part(&set.egress) => {
            let message = "A request changes one direction: give `Ingress` or `Egress`, not both.";
            Err(ApiError::new("InvalidParameter.Coexist", message))
        }
        (Some(policies), _) if part(&set.ingress) => Ok((Direction::Ingress, policies)),
        (_, Some(policies)) if part(&set.egress) => Ok((Direction::Egress, policies)),
        _ => Err(ApiError::new("InvalidParameterValue.Empty", "Give policies in `Ingress` or in `Egress`.")),
    }
}

fn check_version(group: &SecurityGroup, given: Option<&str>) -> Result<(), ApiError> {
    match given {
        Some(version) if !version.is_empty() && version != group.version.to_string() => {
            let message = format!(
                "The policies of `{}` are at version {}, the request is for version {version}: read them again.",
                group.id, group.version
            );
            Err(ApiError::new("UnsupportedOperation.VersionMismatch", message))
        }
        _ => Ok(()),
    }
}

fn check_count(policies: &[Policy], limit: usize) -> Result<(), ApiError> {
    if policies.len() > limit {
        let message = format!("A security group has at most {limit} policies of one direction.");
        return Err(ApiError::new("LimitExceeded.SecurityGroupPolicySet", message));
    }
    let repeated = policies
        .iter()
        .enumerate()
        .any(|(place, policy)| policies.iter().take(place).any(|other| other.same_rule(policy)));
    if repeated {
        let message = "The same policy is there already, or given twice.";
        return Err(ApiError::new("UnsupportedOperation.DuplicatePolicy", message));
    }
    Ok(())
}

/// Where in a list of policies an index points to.
fn place(index: i64, length: usize) -> Result<usize, ApiError> {
    usize::try_from(index).ok().filter(|place| *place < length).ok_or_else(|| {
        let message = format!("`PolicyIndex`: there is no policy {index}; the direction has {length}.");
        ApiError::new("InvalidParameterValue.Range", message)
    })
}

fn changed(group: &mut SecurityGroup, now: Time) -> Value {
    group.version += 1;
    group.updated = now;
    json!({})
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let here = world.local(call);
    let group = find(here.region, &input.security_group_id)?;
    check_version(group, input.security_group_policy_set.version.as_deref())?;
    let (direction, given) = one_direction(&input.security_group_policy_set)?;
    let new: Result<Vec<Policy>, ApiError> = given.iter().map(|given| read(here.region, given, here.now)).collect();
    let new = new?;
    let index = given.first().and_then(|given| given.policy_index);
    if given.iter().any(|given| given.policy_index != index) {
        let message = "All policies of a request must have the same `PolicyIndex`, or none.";
        return Err(ApiError::invalid_value(message));
    }
    let limit = here.settings.limit(Quota::PoliciesPerDirection);
    let group = find_mut(here.region, &input.security_group_id)?;
    let mut policies = direction.of(group).clone();
    let at = match index {
        None => policies.len(),
        Some(index) => place(index, policies.len() + 1)?,
    };
    policies.splice(at..at, new);
    check_count(&policies, limit)?;
    *direction.of(group) = policies;
    Ok(changed(group, here.now))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let here = world.local(call);
    let group = find(here.region, &input.security_group_id)?;
    check_version(group, input.security_group_policy_set.version.as_deref())?;
    let (direction, given) = one_direction(&input.security_group_policy_set)?;
    let mut policies = direction.of(&mut group.clone()).clone();
    let mut places = Vec::new();
    for given in given {
        places.push(match given.policy_index {
            Some(index) => place(index, policies.len())?,
            None => {
                let wanted = read(here.region, given, here.now)?;
                let found = policies.iter().position(|policy| policy.same_rule(&wanted));
                found.ok_or_else(|| ApiError::not_found("policy of", &input.security_group_id))?
            }
        });
    }
    let mut next = 0;
    policies.retain(|_| {
        next += 1;
        !places.contains(&(next - 1))
    });
    let group = find_mut(here.region, &input.security_group_id)?;
    *direction.of(group) = policies;
    Ok(changed(group, here.now))
}

pub(super) fn modify(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let here = world.local(call);
    let set = input.security_group_policy_set;
    let group = find(here.region, &input.security_group_id)?;
    // Version 0 means: away with all of them.
    let clear = set.version.as_deref() == Some("0");
    if !clear {
        check_version(group, set.version.as_deref())?;
    }
    let limit = here.settings.limit(Quota::PoliciesPerDirection);
    let mut directions = Vec::new();
    for (direction, given) in [(Direction::Ingress, set.ingress), (Direction::Egress, set.egress)] {
        let given = if clear { Some(Vec::new()) } else { given };
        let Some(given) = given else { continue };
        let policies: Result<Vec<Policy>, ApiError> =
            given.iter().map(|given| read(here.region, given, here.now)).collect();
        let policies = policies?;
        check_count(&policies, limit)?;
        directions.push((direction, policies));
    }
    if directions.is_empty() {
        return Err(ApiError::new(
            "InvalidParameterValue.Empty",
            "Give policies in `Ingress`, in `Egress` or in both.",
        ));
    }
    let group = find_mut(here.region, &input.security_group_id)?;
    for (direction, policies) in directions {
        *direction.of(group) = policies;
    }
    Ok(changed(group, here.now))
}

pub(super) fn replace(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let here = world.local(call);
    let group = find(here.region, &input.security_group_id)?;
    check_version(group, input.security_group_policy_set.version.as_deref())?;
    let (direction, given) = one_direction(&input.security_group_policy_set)?;
    let [given] = given else {
        return Err(ApiError::invalid_value("A request replaces exactly one policy."));
    };
    let index = given.policy_index.ok_or_else(|| ApiError::missing("PolicyIndex"))?;
    let new = read(here.region, given, here.now)?;
    let limit = here.settings.limit(Quota::PoliciesPerDirection);
    let group = find_mut(here.region, &input.security_group_id)?;
    let mut policies = direction.of(group).clone();
    let at = place(index, policies.len())?;
    policies.splice(at..=at, [new]);
    check_count(&policies, limit)?;
    *direction.of(group) = policies;
    Ok(changed(group, here.now))
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        security_group_id: String,
        filters: Option<Vec<Filter>>,
    }
    const FILTERS: &[&str] = &["security-group-id", "ip", "protocol-type", "port", "poly", "direction", "description"];
    let input: Input = call.input()?;
    let here = world.local(call);
    let filters = Filters::check(call, input.filters, FILTERS, &LISTS)?;
    let group = find(here.region, &input.security_group_id)?;
    let show = |policies: &[Policy], direction: &str| -> Vec<Value> {
        let numbered = policies.iter().enumerate();
        let fitting = numbered.filter(|(_, policy)| {
            filters.accept(&[], |name, value| {
                let any = value.eq_ignore_ascii_case("all");
                match name {
                    "security-group-id" => policy.security_group_id == value,
                    "ip" => policy.cidr.contains(value) || policy.ipv6_cidr.contains(value),
                    "protocol-type" => policy.protocol.eq_ignore_ascii_case(value),
                    "port" => any || policy.port.contains(value),
                    "poly" => any || policy.action.eq_ignore_ascii_case(value),
                    "direction" => any || direction == value,
                    "description" => policy.description.contains(value),
                    _ => false,
                }
            })
        });
        fitting.map(|(index, policy)| policy.show(index)).collect()
    };
    Ok(json!({ "SecurityGroupPolicySet": {
        "Version": group.version.to_string(),
        "Ingress": show(&group.ingress, "INBOUND"),
        "Egress": show(&group.egress, "OUTBOUND"),
    }}))
}

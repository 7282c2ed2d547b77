//! Making network interfaces: on request, and with each instance.

use std::net::Ipv4Addr;

use serde::Deserialize;
use serde_json::{Value, json};

use super::interface_work::{self, Step};
use super::interfaces::{self, AddressState, Attachment, Interface, PrivateAddress, PublicAddress, State};
use super::subnets::{self, Refused};
use super::tasks::Tasks;
use super::{MALFORMED, TOO_LONG, check_name, replays, security_groups, vpcs};
use crate::call::Call;
use crate::error::ApiError;
use crate::settings::{Quota, Task};
use crate::tags::{self, Tag};
use crate::world::{Local, World};

/// How many addresses, or security groups, one request may name.
pub(super) const MOST_NAMED: usize = 10;
/// What a client token with other parameters leads to.
pub(super) const MISMATCH: &str = "UnsupportedOperation.IdempotentParameterMismatch";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    vpc_id: String,
    network_interface_name: String,
    subnet_id: String,
    instance_id: Option<String>,
    network_interface_description: Option<String>,
    qos_level: Option<String>,
    security_group_ids: Option<Vec<String>>,
    private_ip_addresses: Option<Vec<GivenAddress>>,
    secondary_private_ip_address_count: Option<u64>,
    ipv6_addresses: Option<Vec<Value>>,
    ipv6_address_count: Option<u64>,
    tags: Option<Vec<Tag>>,
    trunking_flag: Option<String>,
    attach_type: Option<u64>,
    client_token: Option<String>,
    termination_protection: Option<bool>,
}

/// A private address as requests carry it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GivenAddress {
    #[serde(default)]
    pub(super) private_ip_address: String,
    pub(super) primary: Option<bool>,
    pub(super) description: Option<String>,
}

/// Reads the addresses that a request names: not too many, all of them addresses, none twice.
pub(super) fn read_addresses(given: &[GivenAddress], twice: &'static str) -> Result<Vec<Ipv4Addr>, ApiError> {
    if given.len() > MOST_NAMED {
        let message =
            format!("`PrivateIpAddresses` takes at most {MOST_NAMED} addresses; this one has {}.", given.len());
        return Err(ApiError::new("InvalidParameterValue.LimitExceeded", message));
    }
    let mut read = Vec::new();
    for given in given {
        let address = given.private_ip_address.parse::<Ipv4Addr>().map_err(|_| {
            let message = format!("`PrivateIpAddresses`: `{}` is not an IPv4 address.", given.private_ip_address);
            ApiError::new(MALFORMED, message)
        })?;
        if read.contains(&address) {
            return Err(ApiError::new(twice, format!("`PrivateIpAddresses`: {address} is given twice.")));
        }
        read.push(address);
    }
    Ok(read)
}

/// Takes addresses of a subnet for an owner: all of them, or none. `None` stands for any address.
pub(super) fn take(
    here: &mut Local<'_>,
    subnet_id: &str,
    wanted: &[Option<Ipv4Addr>],
    owner: &str,
) -> Result<Vec<Ipv4Addr>, ApiError> {
    // On a copy, so that nothing is taken when one of them cannot be had.
    let mut copy = subnets::find(here.region, subnet_id)?.clone();
    // Those that are named first, lest one of them be given out as any.
    let mut named = Vec::new();
    let order = wanted.iter().filter(|wanted| wanted.is_some()).chain(wanted.iter().filter(|wanted| wanted.is_none()));
    for wanted in order {
        let address = copy.take(*wanted, owner).map_err(|refused| {
            let name = wanted.map(|address| address.to_string()).unwrap_or_default();
            match refused {
                Refused::Outside if wanted.is_some_and(|address| copy.cidr.contains_address(address)) => {
                    let message = format!("{name} is reserved in the subnet `{subnet_id}`, {}.", copy.cidr);
                    ApiError::new("InvalidParameterValue.Reserved", message)
                }
                Refused::Outside => {
                    let message = format!("{name} is not an address of the subnet `{subnet_id}`, {}.", copy.cidr);
                    ApiError::new("InvalidParameterValue.Range", message)
                }
                Refused::Taken => ApiError::in_use(format!("The address {name} is in use.")),
                Refused::Exhausted => {
                    let message = format!("The subnet `{subnet_id}` has too few addresses left: use another subnet.");
                    ApiError::new("ResourceInsufficient.Subnet", message)
                }
            }
        })?;
        named.push(address);
    }
    if let Some(subnet) = here.region.vpc.subnets.get_mut(subnet_id) {
        *subnet = copy;
    }
    Ok(named)
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let mut here = world.local(call);
    replays::once(&mut here, call, input.client_token.as_deref(), MISMATCH, |here| {
        let id = make(here, &input)?;
        interface_work::plan(here, call, &id, Task::InterfaceCreate, Step::Ready);
        Ok(json!({ "NetworkInterface": interfaces::find(here.region, &id)?.show(here.region) }))
    })
}

pub(super) fn create_and_attach(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let instance_id = input.instance_id.clone().ok_or_else(|| ApiError::missing("InstanceId"))?;
    let mut here = world.local(call);
    replays::once(&mut here, call, input.client_token.as_deref(), MISMATCH, |here| {
        // What can be said against attaching is said before anything is made.
        let subnet = subnets::find(here.region, &input.subnet_id)?;
        let index = interface_work::check_instance(here, &instance_id, (&subnet.vpc_id, &subnet.zone))?;
        let id = make(here, &input)?;
        let kind = input.attach_type.unwrap_or_default();
        let attachment = Attachment { instance_id: instance_id.clone(), index, at: here.now, kind };
        if let Some(interface) = here.region.vpc.interfaces.get_mut(&id) {
            interface.attachment = Some(attachment);
        }
        let ready = here.now.after(here.settings.duration(Task::InterfaceCreate));
        interface_work::plan_after(here, call, &id, (ready, Task::InterfaceAttach), Step::Ready);
        Ok(json!({ "NetworkInterface": interfaces::find(here.region, &id)?.show(here.region) }))
    })
}

/// Makes an interface after all checks. Gives its id.
fn make(here: &mut Local<'_>, input: &Input) -> Result<String, ApiError> {
    vpcs::find(here.region, &input.vpc_id)?;
    let subnet = subnets::find(here.region, &input.subnet_id)?;
    let zone = subnet.zone.clone();
    if subnet.vpc_id != input.vpc_id {
        let message = format!("The subnet `{}` belongs to `{}`, not to `{}`.", subnet.id, subnet.vpc_id, input.vpc_id);
        return Err(ApiError::new("UnsupportedOperation.ResourceMismatch", message));
    }
    check_name("NetworkInterfaceName", &input.network_interface_name)?;
    let description = input.network_interface_description.clone().unwrap_or_default();
    check_description(&description)?;
    let groups = input.security_group_ids.clone().unwrap_or_default();
    check_groups(here, &groups)?;
    let tags = tags::check(input.tags.clone())?;
    let trunk = trunking(input.trunking_flag.as_deref())?.unwrap_or_default();
    let quality = quality(input.qos_level.as_deref())?;
    if input.ipv6_addresses.as_ref().is_some_and(|list| !list.is_empty()) || input.ipv6_address_count.unwrap_or(0) > 0 {
        return Err(ApiError::new("UnsupportedOperation", "The emulator's interfaces have no IPv6 addresses yet."));
    }
    let (wanted, descriptions) = wanted_addresses(here, input)?;
    let limit = here.settings.limit(Quota::InterfacesPerVpc);
    let present =
        here.region.vpc.interfaces.values().filter(|interface| !interface.primary && interface.vpc_id == input.vpc_id);
    if present.count() >= limit {
        let message = format!("The VPC `{}` has its {limit} secondary network interfaces already.", input.vpc_id);
        return Err(ApiError::new("LimitExceeded.NetworkInterfaceLimitExceeded", message));
    }
    let id = here.ids.new_id("eni");
    let taken = take(here, &input.subnet_id, &wanted, &id)?;
    let addresses = taken.into_iter().zip(descriptions).enumerate();
    let addresses = addresses
        .map(|(place, (ip, description))| PrivateAddress::new(ip, place == 0, description, AddressState::Pending));
    let interface = Interface {
        id: id.clone(),
        name: input.network_interface_name.clone(),
        description,
        vpc_id: input.vpc_id.clone(),
        subnet_id: input.subnet_id.clone(),
        zone,
        groups,
        primary: false,
        mac: interfaces::new_mac(here.region),
        state: State::Pending,
        addresses: addresses.collect(),
        attachment: None,
        created: here.now,
        tags,
        trunk,
        protected: input.termination_protection.unwrap_or_default(),
        quality,
        task: None,
    };
    here.region.vpc.interfaces.insert(id.clone(), interface);
    Ok(id)
}

/// The addresses that a new interface is to have, its primary one first, and their descriptions.
fn wanted_addresses(here: &Local<'_>, input: &Input) -> Result<(Vec<Option<Ipv4Addr>>, Vec<String>), ApiError> {
    let given = input.private_ip_addresses.as_deref().unwrap_or_default();
    let named = read_addresses(given, "InvalidParameterValue")?;
    let is_primary = |given: &GivenAddress| given.primary == Some(true);
    if given.iter().filter(|given| is_primary(given)).count() > 1 {
        return Err(ApiError::invalid_value("`PrivateIpAddresses`: only one address is the primary one."));
    }
    let mut named: Vec<(bool, Option<Ipv4Addr>, String)> = named
        .into_iter()
        .zip(given)
        .map(|(address, given)| (is_primary(given), Some(address), given.description.clone().unwrap_or_default()))
        .collect();
    named.sort_by_key(|(primary, _, _)| !primary);
    let extra = usize::try_from(input.secondary_private_ip_address_count.unwrap_or_default()).unwrap_or(usize::MAX);
    // Without a primary address among them, the first of the named ones is it; without any, any address is.
    let total = named.len().max(1).saturating_add(extra);
    let limit = MOST_NAMED.min(here.settings.limit(Quota::AddressesPerInterface));
    if total > limit {
        let message = format!("An interface that is not attached has at most {limit} private addresses, not {total}.");
        return Err(ApiError::new("LimitExceeded", message));
    }
    let mut wanted: Vec<Option<Ipv4Addr>> = named.iter().map(|(_, address, _)| *address).collect();
    let mut descriptions: Vec<String> = named.into_iter().map(|(_, _, description)| description).collect();
    wanted.resize(total, None);
    descriptions.resize(total, String::new());
    Ok((wanted, descriptions))
}

/// The interface that an instance is made with.
pub(crate) fn make_primary(here: &mut Local<'_>, instance_id: &str) {
    let Some(instance) = here.region.cvm.instances.get(instance_id).cloned() else { return };
    let public = instance.public_ips.first().map(|ip| own_public(instance_id, ip));
    let addresses = instance.private_ips.iter().filter_map(|ip| ip.parse().ok()).enumerate().map(|(place, ip)| {
        let address = PrivateAddress::new(ip, place == 0, String::new(), AddressState::Available);
        PrivateAddress { public: public.clone().filter(|_| place == 0), ..address }
    });
    let addresses = addresses.collect();
    let id = here.ids.new_id("eni");
    let attachment = Attachment { instance_id: instance_id.to_owned(), index: 0, at: here.now, kind: 0 };
    let interface = Interface {
        id: id.clone(),
        name: "Primary ENI".to_owned(),
        description: "Primary ENI".to_owned(),
        vpc_id: instance.vpc_id,
        subnet_id: instance.subnet_id,
        zone: instance.zone,
        groups: Vec::new(),
        primary: true,
        mac: interfaces::new_mac(here.region),
        state: State::Available,
        addresses,
        attachment: Some(attachment),
        created: here.now,
        tags: Vec::new(),
        trunk: false,
        protected: false,
        quality: "DEFAULT".to_owned(),
        task: None,
    };
    here.region.vpc.interfaces.insert(id, interface);
}

/// The public address that comes with an instance. Its id ends like the instance's, so that both are nobody else's.
pub(super) fn own_public(instance_id: &str, ip: &str) -> PublicAddress {
    let tail = instance_id.rsplit('-').next().unwrap_or_default();
    PublicAddress { id: format!("eip-{tail}"), ip: ip.to_owned(), elastic: false }
}

pub(super) fn check_description(description: &str) -> Result<(), ApiError> {
    if description.chars().count() > 60 {
        return Err(ApiError::new(TOO_LONG, "`NetworkInterfaceDescription` has at most 60 characters."));
    }
    Ok(())
}

/// Checks that all these security groups exist, and that they are not too many for one interface.
pub(super) fn check_groups(here: &Local<'_>, ids: &[String]) -> Result<(), ApiError> {
    if ids.len() > MOST_NAMED {
        let message =
            format!("An interface has at most {MOST_NAMED} security groups; the request gives {}.", ids.len());
        return Err(ApiError::new("InvalidParameterValue.LimitExceeded", message));
    }
    ids.iter().try_for_each(|id| security_groups::find(here.region, id).map(|_| ()))
}

pub(super) fn trunking(flag: Option<&str>) -> Result<Option<bool>, ApiError> {
    match flag {
        None => Ok(None),
        Some("Enable") => Ok(Some(true)),
        Some("Disable") => Ok(Some(false)),
        Some(other) => {
            Err(ApiError::invalid_value(format!("`TrunkingFlag` must be Enable or Disable, not `{other}`.")))
        }
    }
}

fn quality(level: Option<&str>) -> Result<String, ApiError> {
    match level.unwrap_or("DEFAULT") {
        known @ ("PT" | "AU" | "AG" | "DEFAULT") => Ok(known.to_owned()),
        other => Err(ApiError::invalid_value(format!("`QosLevel`: `{other}` is none of PT, AU, AG, DEFAULT."))),
    }
}

/// Remembers a task of an interface and gives the time of its end.
pub(super) fn begin_task(here: &mut Local<'_>, call: &Call, id: &str, ends: crate::clock::Time) {
    Tasks::begin(here, call, id, ends);
    if let Some(interface) = here.region.vpc.interfaces.get_mut(id) {
        interface.task = Some(call.request_id.clone());
    }
}

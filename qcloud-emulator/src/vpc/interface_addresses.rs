//! The private addresses of network interfaces: more of them, fewer, or on another interface.

use std::net::Ipv4Addr;

use serde::Deserialize;
use serde_json::{Value, json};

use super::interface_creation::{self, GivenAddress, MISMATCH, begin_task, read_addresses};
use super::interface_work::{self, Step, check_idle};
use super::interfaces::{self, AddressState, Interface, PrivateAddress};
use super::{MALFORMED, TOO_LONG, replays};
use crate::call::Call;
use crate::error::ApiError;
use crate::settings::Task;
use crate::world::{Local, World};

const BUSY: &str = "UnsupportedOperation.MutexOperationTaskRunning";
const TWICE: &str = "InvalidParameterValue.DuplicatePara";

pub(super) fn assign(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        network_interface_id: String,
        private_ip_addresses: Option<Vec<GivenAddress>>,
        secondary_private_ip_address_count: Option<u64>,
        client_token: Option<String>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    replays::once(&mut here, call, input.client_token.as_deref(), MISMATCH, |here| {
        let interface = interfaces::find(here.region, &input.network_interface_id)?;
        let given = input.private_ip_addresses.as_deref().unwrap_or_default();
        let named = read_addresses(given, TWICE)?;
        let extra = usize::try_from(input.secondary_private_ip_address_count.unwrap_or(0)).unwrap_or(usize::MAX);
        if named.is_empty() && extra == 0 {
            return Err(ApiError::missing("SecondaryPrivateIpAddressCount"));
        }
        if given.iter().any(|given| given.primary == Some(true)) {
            return Err(ApiError::new(
                "UnsupportedOperation",
                "An interface has its primary address from the beginning.",
            ));
        }
        check_idle(interface, BUSY)?;
        let limit = interface.address_limit(here);
        let (present, asked) = (interface.addresses.len(), named.len().saturating_add(extra));
        if present.saturating_add(asked) > limit {
            let message = format!(
                "The interface `{}` has {present} private addresses; with {asked} more it would exceed its limit of {limit}.",
                interface.id
            );
            return Err(ApiError::new("LimitExceeded", message));
        }
        let (id, subnet_id, quality) = (interface.id.clone(), interface.subnet_id.clone(), interface.quality.clone());
        let mut wanted: Vec<Option<Ipv4Addr>> = named.into_iter().map(Some).collect();
        wanted.resize(asked, None);
        let taken = interface_creation::take(here, &subnet_id, &wanted, &id)?;
        let descriptions = given.iter().map(|given| given.description.clone().unwrap_or_default());
        let descriptions = descriptions.chain(std::iter::repeat(String::new()));
        let new: Vec<PrivateAddress> = taken
            .into_iter()
            .zip(descriptions)
            .map(|(ip, description)| PrivateAddress::new(ip, false, description, AddressState::Pending))
            .collect();
        let shown: Vec<Value> = new.iter().map(|address| address.show(&quality)).collect();
        if let Some(interface) = here.region.vpc.interfaces.get_mut(&id) {
            interface.addresses.extend(new);
        }
        interface_work::plan(here, call, &id, Task::InterfaceAddresses, Step::Ready);
        Ok(json!({ "PrivateIpAddressSet": shown }))
    })
}

/// Checks that all these are addresses of the interface, and that its primary one is not among them.
fn check_secondary(interface: &Interface, addresses: &[Ipv4Addr], primary: &'static str) -> Result<(), ApiError> {
    for ip in addresses {
        match interface.addresses.iter().find(|address| address.ip == *ip) {
            None => {
                let message = format!("The interface `{}` has no private address {ip}.", interface.id);
                return Err(ApiError::new("ResourceNotFound", message));
            }
            Some(address) if address.primary => {
                let message = format!("{ip} is the primary address of `{}`: it stays with it.", interface.id);
                return Err(ApiError::new(primary, message));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn set_state(here: &mut Local<'_>, id: &str, addresses: &[Ipv4Addr], state: AddressState) {
    if let Some(interface) = here.region.vpc.interfaces.get_mut(id) {
        for address in interface.addresses.iter_mut().filter(|address| addresses.contains(&address.ip)) {
            address.state = state;
        }
    }
}

pub(super) fn unassign(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        network_interface_id: String,
        private_ip_addresses: Vec<GivenAddress>,
        instance_id: Option<String>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let interface = interfaces::find(here.region, &input.network_interface_id)?;
    let addresses = read_addresses(&input.private_ip_addresses, TWICE)?;
    if addresses.is_empty() {
        return Err(ApiError::missing("PrivateIpAddresses"));
    }
    if let Some(instance) = input.instance_id.filter(|id| !id.is_empty() && !interface.is_at(id)) {
        let message = format!("The interface `{}` is not attached to `{instance}`.", interface.id);
        return Err(ApiError::new("UnsupportedOperation.AttachmentNotFound", message));
    }
    check_idle(interface, BUSY)?;
    check_secondary(interface, &addresses, "UnsupportedOperation")?;
    set_state(&mut here, &input.network_interface_id, &addresses, AddressState::Deleting);
    interface_work::plan(&mut here, call, &input.network_interface_id, Task::InterfaceAddresses, Step::Unassigned);
    Ok(json!({}))
}

pub(super) fn migrate(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        source_network_interface_id: String,
        destination_network_interface_id: String,
        private_ip_address: String,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let source = interfaces::find(here.region, &input.source_network_interface_id)?;
    let target = interfaces::find(here.region, &input.destination_network_interface_id)?;
    let address: Ipv4Addr = input.private_ip_address.parse().map_err(|_| {
        let message = format!("`PrivateIpAddress`: `{}` is not an IPv4 address.", input.private_ip_address);
        ApiError::new(MALFORMED, message)
    })?;
    if source.id == target.id {
        return Err(ApiError::invalid_value(format!("The address {address} is at `{}` already.", target.id)));
    }
    check_idle(source, BUSY)?;
    check_idle(target, BUSY)?;
    check_secondary(source, &[address], "UnauthorizedOperation.PrimaryIp")?;
    if source.subnet_id != target.subnet_id {
        let message =
            format!("`{}` is in `{}`, `{}` in `{}`.", source.id, source.subnet_id, target.id, target.subnet_id);
        return Err(ApiError::new("UnsupportedOperation.ResourceMismatch", message));
    }
    let limit = target.address_limit(&here);
    if target.addresses.len() >= limit {
        let message = format!("The interface `{}` has its {limit} private addresses already.", target.id);
        return Err(ApiError::new("LimitExceeded", message));
    }
    let (source, target) = (source.id.clone(), target.id.clone());
    set_state(&mut here, &source, &[address], AddressState::Migrating);
    let ends = here.now.after(here.settings.duration(Task::InterfaceAddresses));
    begin_task(&mut here, call, &target, ends);
    interface_work::plan(&mut here, call, &source, Task::InterfaceAddresses, Step::Moved(target));
    Ok(json!({}))
}

pub(super) fn modify(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        network_interface_id: String,
        private_ip_addresses: Vec<GivenAddress>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let interface = interfaces::find(here.region, &input.network_interface_id)?;
    let addresses = read_addresses(&input.private_ip_addresses, TWICE)?;
    for ip in &addresses {
        if !interface.addresses.iter().any(|address| address.ip == *ip) {
            let message = format!("The interface `{}` has no private address {ip}.", interface.id);
            return Err(ApiError::new("ResourceNotFound", message));
        }
    }
    let long = |given: &GivenAddress| given.description.as_ref().is_some_and(|text| text.chars().count() > 60);
    if input.private_ip_addresses.iter().any(long) {
        return Err(ApiError::new(TOO_LONG, "`Description` has at most 60 characters."));
    }
    if let Some(interface) = here.region.vpc.interfaces.get_mut(&input.network_interface_id) {
        for (ip, given) in addresses.iter().zip(&input.private_ip_addresses) {
            let address = interface.addresses.iter_mut().find(|address| address.ip == *ip);
            if let (Some(address), Some(description)) = (address, &given.description) {
                address.description.clone_from(description);
            }
        }
    }
    Ok(json!({}))
}

//! The attributes of network interfaces, their security groups above all.

use serde::Deserialize;
use serde_json::{Value, json};

use super::interface_creation::{check_description, check_groups, trunking};
use super::{MALFORMED, check_name, interfaces};
use crate::call::Call;
use crate::error::ApiError;
use crate::listing;
use crate::world::{Region, World};

/// How many interfaces one request takes.
const MOST: usize = 100;

pub(super) fn modify(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        network_interface_id: String,
        network_interface_name: Option<String>,
        network_interface_description: Option<String>,
        security_group_ids: Option<Vec<String>>,
        trunking_flag: Option<String>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    interfaces::find(here.region, &input.network_interface_id)?;
    input.network_interface_name.as_deref().map_or(Ok(()), |name| check_name("NetworkInterfaceName", name))?;
    input.network_interface_description.as_deref().map_or(Ok(()), check_description)?;
    check_groups(&here, input.security_group_ids.as_deref().unwrap_or_default())?;
    let trunk = trunking(input.trunking_flag.as_deref())?;
    if let Some(groups) = input.security_group_ids {
        set_groups(here.region, &input.network_interface_id, groups);
    }
    if let Some(interface) = here.region.vpc.interfaces.get_mut(&input.network_interface_id) {
        interface.name = input.network_interface_name.unwrap_or_else(|| interface.name.clone());
        interface.description = input.network_interface_description.unwrap_or_else(|| interface.description.clone());
        interface.trunk = trunk.unwrap_or(interface.trunk);
    }
    Ok(json!({}))
}

/// Gives an interface these security groups; a primary one shares them with its instance.
fn set_groups(region: &mut Region, id: &str, groups: Vec<String>) {
    let Some(interface) = region.vpc.interfaces.get_mut(id) else { return };
    let instance = interface.attachment.as_ref().filter(|_| interface.primary);
    match instance.and_then(|attachment| region.cvm.instances.get_mut(&attachment.instance_id)) {
        Some(instance) => instance.security_groups = groups,
        None => interface.groups = groups,
    }
}

pub(super) fn associate(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    change_groups(world, call, |present, given| {
        let new = given.iter().filter(|id| !present.contains(id)).cloned().collect::<Vec<_>>();
        Ok([present.to_vec(), new].concat())
    })
}

pub(super) fn disassociate(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    change_groups(world, call, |present, given| {
        if let Some(id) = given.iter().find(|id| !present.contains(id)) {
            return Err(ApiError::new("ResourceNotFound", format!("The security group `{id}` is not associated.")));
        }
        Ok(present.iter().filter(|id| !given.contains(id)).cloned().collect())
    })
}

fn change_groups(
    world: &mut World,
    call: &Call,
    change: impl Fn(&[String], &[String]) -> Result<Vec<String>, ApiError>,
) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        network_interface_ids: Vec<String>,
        security_group_ids: Vec<String>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    if input.network_interface_ids.len() > MOST || input.security_group_ids.len() > MOST {
        let message = format!("A request takes at most {MOST} interfaces and {MOST} security groups.");
        return Err(ApiError::new("InvalidParameterValue.LimitExceeded", message));
    }
    for id in &input.security_group_ids {
        listing::check_id(("SecurityGroupIds", id), "sg", MALFORMED)?;
        super::security_groups::find(here.region, id)?;
    }
    // Every interface is checked before any changes.
    let mut changes = Vec::new();
    for id in &input.network_interface_ids {
        let interface = interfaces::find(here.region, id)?;
        if interface.primary {
            let message = format!("`{id}` is a primary interface: change the security groups of its instance.");
            return Err(ApiError::new("UnsupportedOperation", message));
        }
        let groups = change(interface.groups(here.region), &input.security_group_ids)?;
        check_groups(&here, &groups)?;
        changes.push((id, groups));
    }
    for (id, groups) in changes {
        set_groups(here.region, id, groups);
    }
    Ok(json!({}))
}

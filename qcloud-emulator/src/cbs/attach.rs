//! `AttachDisks` and `DetachDisks`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::disks::{self, Disk, State, Usage};
use super::tasks::{self, End};
use super::{check_id, mounts, one_of, work_ids};
use crate::call::Call;
use crate::cvm::InstanceState;
use crate::error::ApiError;
use crate::settings::{Quota, Task};
use crate::world::{Local, World};

/// The most disks of one request.
const MOST: usize = 10;
/// The most instances that a shareable disk is on.
const MOST_SHARERS: usize = 16;

pub(super) fn attach(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        instance_id: String,
        disk_ids: Vec<String>,
        delete_with_instance: Option<bool>,
        attach_mode: Option<String>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let instance = input.instance_id.as_str();
    let ids = work_ids(("DiskIds", input.disk_ids), "disk", MOST)?;
    one_of("AttachMode", input.attach_mode.as_deref(), &["PF", "VF"])?;
    let zone = check_instance(&here, instance)?;
    for disk in disks::named(&here, &ids)? {
        check_attachable(disk, instance, &zone)?;
    }
    mounts::check_room(here.region, instance, ids.len(), here.settings.limit(Quota::DisksPerInstance))?;
    for id in ids {
        mounts::put(here.region, &id, instance, false);
        if let Some(disk) = here.region.cbs.disks.get_mut(&id) {
            // Prepaid disks are never destroyed with their instance.
            disk.delete_with_instance |= input.delete_with_instance == Some(true) && disk.prepaid.is_none();
        }
        let end = End::Attached { instance: instance.to_owned() };
        tasks::begin(&mut here, &id, State::Attaching, Task::DiskAttach, end);
    }
    Ok(json!({}))
}

/// Checks that an instance can take disks. Gives its zone.
fn check_instance(here: &Local<'_>, id: &str) -> Result<String, ApiError> {
    check_id("InstanceId", id, "ins")?;
    let instance = here.region.cvm.instances.get(id).ok_or_else(|| mounts::no_such_instance(id))?;
    let code = match instance.state {
        InstanceState::Running | InstanceState::Stopped => return Ok(instance.zone.clone()),
        InstanceState::Shutdown | InstanceState::Terminating | InstanceState::LaunchFailed => {
            "InvalidInstance.NotSupported"
        }
        _ => "ResourceBusy",
    };
    let message =
        format!("The instance `{id}` is {}: disks are attached to RUNNING or STOPPED ones.", instance.state.name());
    Err(ApiError::new(code, message))
}

fn check_attachable(disk: &Disk, instance: &str, zone: &str) -> Result<(), ApiError> {
    check_data_disk(disk)?;
    disk.check_idle("ResourceBusy", "ResourceUnavailable.NotSupported")?;
    disk.check_not_migrating()?;
    if disk.is_on(instance) || !disk.shareable && !disk.attachments.is_empty() {
        let places: Vec<&str> = disk.attachments.iter().map(|attachment| attachment.instance.as_str()).collect();
        let message = format!("The disk `{}` is already attached to `{}`.", disk.id, places.join("`, `"));
        return Err(ApiError::new("ResourceUnavailable.Attached", message));
    }
    if disk.attachments.len() >= MOST_SHARERS {
        let message = format!("The disk `{}` is already on {MOST_SHARERS} instances, the most there can be.", disk.id);
        return Err(ApiError::new("ResourceUnavailable.NotSupported", message));
    }
    if disk.zone != zone {
        let message = format!("The disk `{}` is in {}, the instance `{instance}` in {zone}.", disk.id, disk.zone);
        return Err(ApiError::new("ResourceUnavailable.ZoneNotMatch", message));
    }
    Ok(())
}

fn check_data_disk(disk: &Disk) -> Result<(), ApiError> {
    if disk.usage == Usage::System {
        let message = format!("The disk `{}` is a system disk: it stays with its instance.", disk.id);
        return Err(ApiError::new("ResourceUnavailable.TypeError", message));
    }
    disk.check_portable("ResourceUnavailable.NotPortable")
}

pub(super) fn detach(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        disk_ids: Vec<String>,
        instance_id: Option<String>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let ids = work_ids(("DiskIds", input.disk_ids), "disk", MOST)?;
    let named = input.instance_id.filter(|id| !id.is_empty());
    if let Some(id) = &named {
        check_id("InstanceId", id, "ins")?;
        if !here.region.cvm.instances.contains(id) {
            return Err(mounts::no_such_instance(id));
        }
    }
    let mut from: Option<String> = None;
    for disk in disks::named(&here, &ids)? {
        let instance = check_detachable(&here, disk, named.as_deref())?;
        if let Some(other) = from.replace(instance.to_owned()).filter(|other| other != instance) {
            let message = format!("The disks of one request are on one instance, not on `{other}` and `{instance}`.");
            return Err(ApiError::invalid_value(message));
        }
    }
    let instance = from.unwrap_or_default();
    for id in ids {
        let end = End::Detached { instance: instance.clone() };
        tasks::begin(&mut here, &id, State::Detaching, Task::DiskDetach, end);
    }
    Ok(json!({}))
}

/// Whether a disk is being attached to an instance that is stopped: to the named one, if one is named.
fn hangs(here: &Local<'_>, disk: &Disk, named: Option<&str>) -> bool {
    let target = disk.work.as_ref().and_then(|work| work.instance.as_deref());
    let instance = target.filter(|target| named.is_none_or(|named| named == *target));
    let instance = instance.and_then(|id| here.region.cvm.instances.get(id));
    disk.state == State::Attaching
        && instance.is_some_and(|instance| matches!(instance.state, InstanceState::Stopped | InstanceState::Shutdown))
}

/// Checks that a disk can be detached. Gives the instance it is detached from.
fn check_detachable<'a>(here: &Local<'_>, disk: &'a Disk, named: Option<&'a str>) -> Result<&'a str, ApiError> {
    check_data_disk(disk)?;
    // A disk on its way to an instance that does not run never comes: it can be called back.
    if !hangs(here, disk, named) {
        disk.check_idle("ResourceBusy", "ResourceUnavailable.NotSupported")?;
    }
    disk.check_not_migrating()?;
    match (disk.attachments.as_slice(), named) {
        ([], _) => {
            let message = format!("The disk `{}` is attached to no instance.", disk.id);
            Err(ApiError::new("ResourceUnavailable.NotSupported", message))
        }
        (_, Some(instance)) if disk.is_on(instance) => Ok(instance),
        ([only, ..], Some(instance)) => {
            let message = format!("The disk `{}` is on `{}`, not on `{instance}`.", disk.id, only.instance);
            Err(ApiError::invalid_value(message))
        }
        ([only], None) => Ok(&only.instance),
        (_, None) => {
            let message = format!("The shared disk `{}` is on several instances: name one with `InstanceId`.", disk.id);
            Err(ApiError::new("MissingParameter", message))
        }
    }
}

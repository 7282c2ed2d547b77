//! Which disks are on which instance.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::disks::{Attachment, Disk, Usage};
use super::work_ids;
use crate::call::Call;
use crate::error::ApiError;
use crate::settings::Quota;
use crate::world::{Region, World};

/// The disks on each instance, those that are being attached or detached among them, in the order of attachment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Mounts(BTreeMap<String, Vec<String>>);

impl Mounts {
    pub(super) fn on(&self, instance: &str) -> &[String] {
        self.0.get(instance).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The disks on an instance, in the order of attachment.
pub(super) fn disks_on<'a>(region: &'a Region, instance: &'a str) -> impl Iterator<Item = &'a Disk> {
    region.cbs.mounts.on(instance).iter().filter_map(|id| region.cbs.disks.get(id))
}

/// How many data disks are on an instance.
pub(super) fn data_disk_count(region: &Region, instance: &str) -> usize {
    disks_on(region, instance).filter(|disk| disk.usage == Usage::Data).count()
}

/// Puts a disk on an instance: a data disk takes the first free place after the system disk's.
pub(super) fn put(region: &mut Region, disk_id: &str, instance: &str, ready: bool) {
    let taken: Vec<usize> = disks_on(region, instance).filter_map(|disk| slot(disk, instance)).collect();
    let Some(disk) = region.cbs.disks.get_mut(disk_id) else { return };
    let slot = match disk.usage {
        Usage::System => 0,
        Usage::Data => (1..).find(|slot| !taken.contains(slot)).unwrap_or_default(),
    };
    disk.attachments.push(Attachment { instance: instance.to_owned(), slot, ready });
    disk.last_instance = Some(instance.to_owned());
    region.cbs.mounts.0.entry(instance.to_owned()).or_default().push(disk_id.to_owned());
}

/// Takes a disk off an instance.
pub(super) fn take(region: &mut Region, disk_id: &str, instance: &str) {
    if let Some(disk) = region.cbs.disks.get_mut(disk_id) {
        disk.attachments.retain(|attachment| attachment.instance != instance);
    }
    if let Some(disks) = region.cbs.mounts.0.get_mut(instance) {
        disks.retain(|id| id != disk_id);
        if disks.is_empty() {
            region.cbs.mounts.0.remove(instance);
        }
    }
}

/// Takes a disk off every instance that it is on.
pub(super) fn take_everywhere(region: &mut Region, disk_id: &str) {
    let Some(disk) = region.cbs.disks.get(disk_id) else { return };
    let instances: Vec<String> = disk.attachments.iter().map(|attachment| attachment.instance.clone()).collect();
    for instance in instances {
        take(region, disk_id, &instance);
    }
}

/// The place of a disk on an instance.
fn slot(disk: &Disk, instance: &str) -> Option<usize> {
    disk.attachments.iter().find(|attachment| attachment.instance == instance).map(|attachment| attachment.slot)
}

/// Refuses when an instance has no room for so many disks more.
pub(super) fn check_room(region: &Region, instance: &str, more: usize, limit: usize) -> Result<(), ApiError> {
    let present = data_disk_count(region, instance);
    if present + more <= limit {
        return Ok(());
    }
    let message =
        format!("The instance `{instance}` has {present} data disks; {more} more would exceed its limit of {limit}.");
    Err(ApiError::new("LimitExceeded.InstanceAttachedDisk", message))
}

pub(super) fn no_such_instance(id: &str) -> ApiError {
    ApiError::new("InvalidInstanceId.NotFound", format!("The instance `{id}` does not exist in this region."))
}

pub(super) fn describe_numbers(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        instance_ids: Vec<String>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let ids = work_ids(("InstanceIds", input.instance_ids), "ins", 100)?;
    let limit = here.settings.limit(Quota::DisksPerInstance);
    let details: Vec<Value> = ids
        .iter()
        .filter(|id| here.region.cvm.instances.contains(id))
        .map(|id| {
            json!({
                "InstanceId": id,
                "AttachedDiskCount": data_disk_count(here.region, id),
                "MaxAttachCount": limit,
            })
        })
        .collect();
    Ok(json!({ "AttachDetail": details }))
}

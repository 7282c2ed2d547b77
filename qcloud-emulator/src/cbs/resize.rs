//! `ResizeDisk` and `ModifyDiskExtraPerformance`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::disks::{self, Disk, State};
use super::tasks::{self, End};
use super::{catalog, snapshots};
use crate::call::Call;
use crate::cvm::InstanceState;
use crate::error::ApiError;
use crate::settings::Task;
use crate::world::{Local, World};

pub(super) fn resize(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        disk_size: u64,
        disk_id: Option<String>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let id = input.disk_id.ok_or_else(|| ApiError::missing("DiskId"))?;
    let disk = disks::find(here.region, &id, here.now)?;
    disk.check_portable("ResourceUnavailable.NotSupported")?;
    disk.check_idle("InvalidDisk.Busy", "ResourceUnavailable.Expire")?;
    if disk.migration.is_some() {
        return Err(ApiError::new("InvalidDisk.Busy", format!("The type of the disk `{id}` is being changed.")));
    }
    let kind = catalog::find(&disk.kind)?;
    if input.disk_size <= disk.size {
        let message = format!("`DiskSize`: the disk `{id}` has {} GiB; disks only grow.", disk.size);
        return Err(ApiError::invalid_value(message));
    }
    kind.check_size(input.disk_size)?;
    snapshots::check_none_in_creation(here.region, &id, "ResourceUnavailable.SnapshotCreating")?;
    check_stopped(&here, disk)?;
    kind.check_stock(&here, &disk.zone)?;
    tasks::begin(&mut here, &id, State::Expanding, Task::DiskResize, End::Grown { size: input.disk_size });
    Ok(json!({}))
}

/// Where a knob asks for it, attached disks only grow while their instances are stopped.
fn check_stopped(here: &Local<'_>, disk: &Disk) -> Result<(), ApiError> {
    if !here.settings.resize_needs_stop {
        return Ok(());
    }
    let mut owners = disk.attachments.iter().filter_map(|place| here.region.cvm.instances.get(&place.instance));
    match owners.find(|owner| owner.state != InstanceState::Stopped) {
        None => Ok(()),
        Some(owner) => {
            let message = format!("The disk `{}` only grows while the instance `{}` is stopped.", disk.id, owner.id);
            Err(ApiError::new("UnsupportedOperation.InstanceNotStopped", message))
        }
    }
}

pub(super) fn extra_performance(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        throughput_performance: u64,
        disk_id: String,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let disk = disks::find(here.region, &input.disk_id, here.now)?;
    disk.check_idle("InvalidDisk.Busy", "InvalidDisk.Expire")?;
    check_performance(disk, input.throughput_performance)?;
    if let Some(disk) = here.region.cbs.disks.get_mut(&input.disk_id) {
        disk.throughput = input.throughput_performance;
    }
    Ok(json!({}))
}

/// Checks that a disk can have so much extra throughput.
pub(super) fn check_performance(disk: &Disk, throughput: u64) -> Result<(), ApiError> {
    let least = catalog::LEAST_FOR_PERFORMANCE;
    if !catalog::find(&disk.kind)?.is_fast() || disk.size <= least {
        let message = format!(
            "The disk `{}` is a {} of {} GiB; extra throughput needs a CLOUD_HSSD or CLOUD_TSSD of more than {least} GiB.",
            disk.id, disk.kind, disk.size
        );
        return Err(ApiError::new("InvalidDisk.NotSupported", message));
    }
    if throughput > catalog::MOST_THROUGHPUT {
        let message = format!("`ThroughputPerformance` is at most {}, not {throughput}.", catalog::MOST_THROUGHPUT);
        return Err(ApiError::new("InvalidParameter", message));
    }
    Ok(())
}

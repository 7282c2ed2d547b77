//! `ApplySnapshot`: rolling a disk back to one of its snapshots.

use serde::Deserialize;
use serde_json::{Value, json};

use super::disks::{self, Disk, State as DiskState};
use super::snapshots::{self, State};
use super::tasks::{self, End};
use crate::call::Call;
use crate::cvm::InstanceState;
use crate::error::ApiError;
use crate::settings::Task;
use crate::world::{Local, Region, World};

pub(super) fn apply(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        snapshot_id: String,
        disk_id: String,
        auto_stop_instance: Option<bool>,
        auto_start_instance: Option<bool>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let (stop, start) = (input.auto_stop_instance == Some(true), input.auto_start_instance == Some(true));
    if start && !stop {
        return Err(ApiError::invalid_value("`AutoStartInstance` needs `AutoStopInstance` too."));
    }
    check_snapshot(here.region, &input.snapshot_id, &input.disk_id)?;
    let disk = disks::find(here.region, &input.disk_id, here.now)?;
    let busy = if disk.state == DiskState::RollingBack { "ResourceInUse.DiskRollbacking" } else { "InvalidDisk.Busy" };
    disk.check_idle(busy, "ResourceUnavailable.NotSupported")?;
    if disk.migration.is_some() {
        return Err(ApiError::new("InvalidDisk.Busy", format!("The type of the disk `{}` is being changed.", disk.id)));
    }
    let snapshot = snapshots::find(here.region, &input.snapshot_id)?;
    if snapshot.disk_size != disk.size {
        let message = format!("The disk `{}` has {} GiB, the snapshot {}.", disk.id, disk.size, snapshot.disk_size);
        return Err(ApiError::new("InvalidParameter.DiskSizeNotMatch", message));
    }
    snapshots::check_none_in_creation(here.region, &disk.id, "InvalidDisk.SnapshotCreating")?;
    let owner = check_owner(&here, disk, stop)?;
    if let Some(instance) = owner.as_ref().and_then(|id| here.region.cvm.instances.get_mut(id)) {
        instance.state = InstanceState::Stopped;
    }
    if let Some(snapshot) = here.region.cbs.snapshots.get_mut(&input.snapshot_id) {
        snapshot.state = State::RollingBack;
    }
    let end = End::RolledBack { snapshot: input.snapshot_id, start: owner.filter(|_| start) };
    tasks::begin(&mut here, &input.disk_id, DiskState::RollingBack, Task::SnapshotApply, end);
    Ok(json!({}))
}

fn check_snapshot(region: &Region, id: &str, disk: &str) -> Result<(), ApiError> {
    let snapshot = snapshots::find(region, id)?;
    if snapshot.disk_id != *disk {
        super::check_id("DiskId", disk, "disk")?;
        let message = format!("The snapshot `{id}` is of the disk `{}`, not of `{disk}`.", snapshot.disk_id);
        return Err(ApiError::invalid_value(message));
    }
    let (code, state) = match snapshot.state {
        State::Normal => return Ok(()),
        State::Creating => ("ResourceUnavailable.SnapshotCreating", "still being made"),
        State::RollingBack => ("ResourceInUse.DiskRollbacking", "being rolled back already"),
    };
    Err(ApiError::new(code, format!("The snapshot `{id}` is {state}.")))
}

/// Elastic disks are rolled back while they are on no instance, unless the instance may be stopped for it; others
/// while their instance is stopped. Gives the instance that has to be stopped.
fn check_owner(here: &Local<'_>, disk: &Disk, stop: bool) -> Result<Option<String>, ApiError> {
    let owner = disk.attachments.first().and_then(|place| here.region.cvm.instances.get(&place.instance));
    let Some(owner) = owner else {
        if stop {
            let message = format!("`AutoStopInstance` is for attached disks; `{}` is on no instance.", disk.id);
            return Err(ApiError::invalid_value(message));
        }
        return Ok(None);
    };
    match owner.state {
        InstanceState::Running if stop => Ok(Some(owner.id.clone())),
        InstanceState::Stopped if stop || !disk.portable => Ok(None),
        InstanceState::Running | InstanceState::Stopped if disk.portable => {
            let message = format!("The disk `{}` is attached: detach it first, or give `AutoStopInstance`.", disk.id);
            Err(ApiError::new("ResourceUnavailable.NotSupported", message))
        }
        state => {
            let message = format!("The instance `{}` is {}: stop it first.", owner.id, state.name());
            Err(ApiError::new("InvalidInstance.NotSupported", message))
        }
    }
}

/// A rollback is over: the snapshot can be used again, and the instance starts if that was asked for.
pub(super) fn done(here: &mut Local<'_>, snapshot: &str, start: Option<&str>) {
    if let Some(snapshot) = here.region.cbs.snapshots.get_mut(snapshot) {
        snapshot.state = State::Normal;
    }
    if let Some(instance) = start.and_then(|id| here.region.cvm.instances.get_mut(id))
        && instance.state == InstanceState::Stopped
    {
        instance.state = InstanceState::Running;
    }
}

/// A disk goes away: the snapshot that it was being rolled back to can be used again.
pub(super) fn abandon(region: &mut Region, disk: &str) {
    let busy = region.cbs.snapshots.values();
    let busy = busy.filter(|snapshot| snapshot.disk_id == disk && snapshot.state == State::RollingBack);
    let busy: Vec<String> = busy.map(|snapshot| snapshot.id.clone()).collect();
    for id in busy {
        if let Some(snapshot) = region.cbs.snapshots.get_mut(&id) {
            snapshot.state = State::Normal;
        }
    }
}

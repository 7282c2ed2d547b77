//! `ModifyDiskAttributes`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::disks::{self, Disk, Migration, Usage};
use super::tasks::{self, Event};
use super::{catalog, check_name, create, one_of, work_ids};
use crate::call::Call;
use crate::error::ApiError;
use crate::settings::Task;
use crate::world::{Local, World};

const REFUSED: &str = "ResourceUnavailable.NotSupported";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    disk_ids: Vec<String>,
    disk_name: Option<String>,
    portable: Option<bool>,
    project_id: Option<u64>,
    delete_with_instance: Option<bool>,
    disk_type: Option<String>,
    burst_performance_operation: Option<String>,
}

pub(super) fn modify(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let ids = work_ids(("DiskIds", input.disk_ids.clone()), "disk", 100)?;
    let others = input.disk_name.is_some()
        || input.portable.is_some()
        || input.project_id.is_some()
        || input.delete_with_instance.is_some()
        || input.burst_performance_operation.is_some();
    if !others && input.disk_type.is_none() {
        return Err(ApiError::new("MissingParameter", "Give an attribute to change, such as `DiskName`."));
    }
    if input.disk_type.is_some() && (others || ids.len() > 1) {
        return Err(ApiError::invalid_value(
            "`DiskType` is changed for one disk at a time, and without other attributes.",
        ));
    }
    let name = input.disk_name.clone().map(|name| check_name("DiskName", Some(name))).transpose()?;
    if input.portable == Some(false) {
        return Err(ApiError::invalid_value("`Portable` can only become true."));
    }
    one_of("DiskType", input.disk_type.as_deref(), &["CLOUD_PREMIUM", "CLOUD_SSD"])?;
    one_of("BurstPerformanceOperation", input.burst_performance_operation.as_deref(), &["CREATE", "CANCEL"])?;
    for disk in disks::named(&here, &ids)? {
        check(&here, &input, disk)?;
    }
    for id in ids {
        let Some(disk) = here.region.cbs.disks.get_mut(&id) else { continue };
        disk.name = name.clone().unwrap_or_else(|| disk.name.clone());
        disk.project_id = input.project_id.unwrap_or(disk.project_id);
        disk.delete_with_instance = input.delete_with_instance.unwrap_or(disk.delete_with_instance);
        disk.portable |= input.portable == Some(true);
        if let Some(operation) = &input.burst_performance_operation {
            disk.bursting = operation == "CREATE";
        }
        if let Some(kind) = &input.disk_type {
            migrate(&mut here, &id, kind);
        }
    }
    Ok(json!({}))
}

fn check(here: &Local<'_>, input: &Input, disk: &Disk) -> Result<(), ApiError> {
    disk.check_idle(REFUSED, REFUSED)?;
    let refuse = |why: &str| Err(ApiError::new(REFUSED, format!("The disk `{}`: {why}", disk.id)));
    if disk.usage == Usage::System && input.portable == Some(true) {
        return refuse("a system disk cannot become elastic.");
    }
    if input.project_id.is_some() && !disk.portable {
        return refuse("it is not elastic: its project is that of its instance.");
    }
    if input.delete_with_instance.is_some() && (disk.usage == Usage::System || disk.prepaid.is_some()) {
        return refuse("`DeleteWithInstance` is for postpaid data disks.");
    }
    if input.burst_performance_operation.as_deref() == Some("CREATE") {
        create::check_bursts(catalog::find(&disk.kind)?, disk.size)?;
    }
    if let Some(kind) = &input.disk_type {
        disk.check_not_migrating()?;
        let kind = catalog::find(kind)?;
        if kind.name == disk.kind || disk.size < kind.least || disk.shareable {
            let message =
                format!("The disk `{}`, a {} of {} GiB, cannot become a {}.", disk.id, disk.kind, disk.size, kind.name);
            return Err(ApiError::new("InvalidParameter.DiskConfigNotSupported", message));
        }
        kind.check_stock(here, &disk.zone)?;
    }
    Ok(())
}

/// Begins to change the type of a disk. It can be used meanwhile, but not attached, detached or grown.
fn migrate(here: &mut Local<'_>, id: &str, kind: &str) {
    let work = tasks::work(here, here.now, Task::DiskMigrate);
    let event = Event::Migrated { disk: id.to_owned(), number: work.number };
    tasks::plan(here, work.to, event);
    if let Some(disk) = here.region.cbs.disks.get_mut(id) {
        disk.migration = Some(Migration { to_kind: kind.to_owned(), work });
    }
}

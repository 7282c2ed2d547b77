//! The disks of instances, which are kept with all other disks, in CBS.

use serde::Serialize;

use super::images::Image;
use super::instances::Instance;
use super::run::{GivenDisk, Input};
use crate::cbs::{self, NewDisk, Owner};
use crate::world::{Local, Region};

/// Makes the disks that a new instance comes with: the system disk first, then the data disks in the order of the
/// request.
pub(super) fn make(here: &mut Local<'_>, input: &Input, image: &Image, instance: &Instance) {
    let owner = Owner {
        instance: &instance.id,
        zone: &instance.zone,
        project_id: instance.project_id,
        prepaid: instance.expires.map(|deadline| (deadline, instance.renew_flag.as_str())),
    };
    let smallest = if image.is_windows() { 50 } else { 20 };
    cbs::make_for_instance(here, &owner, new_disk(input.system_disk.as_ref(), true, smallest));
    for given in &input.data_disks {
        cbs::make_for_instance(here, &owner, new_disk(Some(given), false, 10));
    }
}

fn new_disk(given: Option<&GivenDisk>, is_system: bool, smallest: i64) -> NewDisk {
    NewDisk {
        is_system,
        kind: given.and_then(|disk| disk.disk_type.clone()).unwrap_or_else(|| "CLOUD_PREMIUM".to_owned()),
        size: given.and_then(|disk| disk.disk_size).unwrap_or(smallest),
        name: given.and_then(|disk| disk.disk_name.clone()).unwrap_or_default(),
        delete_with_instance: given.and_then(|disk| disk.delete_with_instance).unwrap_or(true),
        encrypted: given.and_then(|disk| disk.encrypt).unwrap_or_default(),
        snapshot_id: given.and_then(|disk| disk.snapshot_id.clone()).unwrap_or_default(),
    }
}

/// The system disk of an instance, as `DescribeInstances` shows it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SystemDisk<'a> {
    disk_id: &'a str,
    disk_type: &'a str,
    disk_size: u64,
    disk_name: &'a str,
    encrypt: bool,
    kms_key_id: &'static str,
}

/// A data disk on an instance, as `DescribeInstances` shows it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DataDisk<'a> {
    disk_id: &'a str,
    disk_type: &'a str,
    disk_size: u64,
    disk_name: &'a str,
    delete_with_instance: bool,
    encrypt: bool,
    kms_key_id: (),
    snapshot_id: &'a str,
}

/// The system disk of an instance.
pub(super) fn show_system<'a>(region: &'a Region, instance: &'a str) -> Option<SystemDisk<'a>> {
    cbs::system_disk_on(region, instance).map(|disk| SystemDisk {
        disk_id: &disk.id,
        disk_type: &disk.kind,
        disk_size: disk.size,
        disk_name: &disk.name,
        encrypt: disk.is_encrypted(),
        kms_key_id: "",
    })
}

/// The data disks of an instance.
pub(super) fn show_data<'a>(region: &'a Region, instance: &'a str) -> Vec<DataDisk<'a>> {
    let disks = cbs::data_disks_on(region, instance).map(|disk| DataDisk {
        disk_id: &disk.id,
        disk_type: &disk.kind,
        disk_size: disk.size,
        disk_name: &disk.name,
        delete_with_instance: disk.delete_with_instance,
        encrypt: disk.is_encrypted(),
        kms_key_id: (),
        snapshot_id: &disk.source_snapshot,
    });
    disks.collect()
}

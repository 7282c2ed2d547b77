//! The disks of instances, which are kept with all other disks, in CBS.

use serde_json::{Value, json};

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
pub(super) fn show_system(region: &Region, instance: &str) -> Value {
    cbs::system_disk_on(region, instance).map_or(Value::Null, |disk| {
        json!({
            "DiskId": disk.id,
            "DiskType": disk.kind,
            "DiskSize": disk.size,
            "DiskName": disk.name,
            "Encrypt": disk.is_encrypted(),
            "KmsKeyId": "",
        })
    })
}

/// The data disks on an instance, as `DescribeInstances` shows them.
pub(super) fn show_data(region: &Region, instance: &str) -> Value {
    let disks = cbs::data_disks_on(region, instance).map(|disk| {
        json!({
            "DiskId": disk.id,
            "DiskType": disk.kind,
            "DiskSize": disk.size,
            "DiskName": disk.name,
            "DeleteWithInstance": disk.delete_with_instance,
            "Encrypt": disk.is_encrypted(),
            "KmsKeyId": null,
            "SnapshotId": disk.source_snapshot,
        })
    });
    disks.collect()
}

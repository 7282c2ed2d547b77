//! `DescribeDisks`.

use std::cmp::Reverse;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::disks::{Disk, State};
use super::{INVALID, LISTS, one_of, page};
use crate::call::Call;
use crate::clock::Time;
use crate::error::ApiError;
use crate::listing::{self, Filter, Filters};
use crate::world::{Local, Region, World};

const FILTERS: &[&str] = &[
    "disk-usage",
    "disk-charge-type",
    "portable",
    "project-id",
    "disk-id",
    "disk-name",
    "disk-type",
    "disk-state",
    "instance-id",
    "zone",
    "instance-ip-address",
    "instance-name",
    "tag-key",
    "tag-value",
    "tag:",
    "dedicated-cluster-id",
    "cluster-group-id",
];

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        disk_ids: Option<Vec<String>>,
        filters: Option<Vec<Filter>>,
        offset: Option<u64>,
        limit: Option<u64>,
        order: Option<String>,
        order_field: Option<String>,
        return_bind_auto_snapshot_policy: Option<bool>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    listing::ids_or_filters(("DiskIds", input.disk_ids.as_ref()), input.filters.as_ref(), &LISTS)?;
    let ids = input.disk_ids.unwrap_or_default();
    listing::check_ids(("DiskIds", &ids), "disk", INVALID, &LISTS)?;
    let filters = Filters::check(call, input.filters, FILTERS, &LISTS)?;
    one_of("Order", input.order.as_deref(), &["ASC", "DESC"])?;
    one_of("OrderField", input.order_field.as_deref(), &["CREATE_TIME", "DEADLINE"])?;
    let page = page(input.offset, input.limit)?;
    let mut disks = chosen(&here, &ids, &filters);
    let last_first = input.order.as_deref() == Some("DESC");
    if input.order_field.as_deref() == Some("DEADLINE") {
        // Disks that never expire come last.
        let key = |disk: &Disk| disk.prepaid.as_ref().map_or((1, None), |prepaid| (0, Some(prepaid.deadline)));
        if last_first {
            disks.sort_by_key(|disk| Reverse(key(disk)));
        } else {
            disks.sort_by_key(|disk| key(disk));
        }
    } else if last_first {
        disks.reverse();
    }
    let (total, disks) = page.cut(disks.into_iter());
    let sizes = snapshot_sizes(here.region, &disks);
    let with_policies = input.return_bind_auto_snapshot_policy == Some(true);
    let set: Vec<Value> = disks
        .into_iter()
        .map(|disk| {
            let policies = with_policies.then(|| bound_policies(here.region, &disk.id));
            show(&here, disk, sizes.get(disk.id.as_str()).copied().unwrap_or_default(), policies)
        })
        .collect();
    Ok(json!({ "TotalCount": total, "DiskSet": set }))
}

/// The disks that a request asks for, oldest first.
fn chosen<'a>(here: &'a Local<'_>, ids: &[String], filters: &Filters) -> Vec<&'a Disk> {
    let disks = &here.region.cbs.disks;
    if ids.is_empty() {
        // When disks or instances are named, those disks are found without looking at all others.
        let named: Option<Vec<String>> = match filters.values("instance-id") {
            Some(instances) => Some(instances.iter().flat_map(|id| here.region.cbs.mounts.on(id)).cloned().collect()),
            None => filters.values("disk-id").map(<[String]>::to_vec),
        };
        if named.as_ref().is_some_and(Vec::is_empty) {
            return Vec::new();
        }
        let seen = disks.among(&named.unwrap_or_default()).filter(|disk| disk.is_seen(here.now));
        return seen
            .filter(|disk| filters.accept(&disk.tags, |name, value| fits(here.region, disk, name, value)))
            .collect();
    }
    let mut found: Vec<&Disk> = Vec::with_capacity(ids.len());
    for disk in ids.iter().filter_map(|id| disks.get(id)).filter(|disk| disk.is_seen(here.now)) {
        if !found.iter().any(|other| other.id == disk.id) {
            found.push(disk);
        }
    }
    found.sort_by_key(|disk| disk.created);
    found
}

fn fits(region: &Region, disk: &Disk, name: &str, value: &str) -> bool {
    let mut instances = disk.attachments.iter().filter_map(|attachment| region.cvm.instances.get(&attachment.instance));
    match name {
        "disk-usage" => disk.usage.name() == value,
        "disk-charge-type" => disk.charge_type() == value,
        "portable" => disk.portable.to_string().eq_ignore_ascii_case(value),
        "project-id" => disk.project_id.to_string() == value,
        "disk-id" => disk.id == value,
        "disk-name" => disk.name == value,
        "disk-type" => disk.kind == value,
        "disk-state" => disk.state.name() == value,
        "instance-id" => disk.is_on(value),
        "zone" => disk.zone == value,
        "instance-name" => instances.any(|instance| instance.name == value),
        "instance-ip-address" => {
            instances.any(|instance| instance.private_ips.iter().chain(&instance.public_ips).any(|ip| ip == value))
        }
        // There are no dedicated clusters here.
        _ => false,
    }
}

/// Number and size in MiB of the snapshots of each of these disks.
fn snapshot_sizes<'a>(region: &Region, disks: &[&'a Disk]) -> HashMap<&'a str, (u64, u64)> {
    let mut sizes: HashMap<&str, (u64, u64)> = disks.iter().map(|disk| (disk.id.as_str(), (0, 0))).collect();
    for snapshot in region.cbs.snapshots.values() {
        if let Some((count, size)) = sizes.get_mut(snapshot.disk_id.as_str()) {
            *count += 1;
            *size += snapshot.disk_size * 1024;
        }
    }
    sizes
}

fn bound_policies(region: &Region, disk: &str) -> Vec<String> {
    let bound = region.cbs.policies.values().filter(|policy| policy.disks.iter().any(|id| id == disk));
    bound.map(|policy| policy.id.clone()).collect()
}

/// Where a disk or a snapshot is.
pub(super) fn placement(zone: &str, project_id: u64) -> Value {
    json!({
        "Zone": zone,
        "CageId": null,
        "CdcId": null,
        "CdcName": null,
        "DedicatedClusterId": "",
        "ProjectId": project_id,
        "ProjectName": null,
    })
}

fn show(here: &Local<'_>, disk: &Disk, (snapshots, size): (u64, u64), policies: Option<Vec<String>>) -> Value {
    let instances: Vec<&str> = disk.attachments.iter().map(|attachment| attachment.instance.as_str()).collect();
    let first = instances.first().copied().unwrap_or_default();
    let prepaid = disk.prepaid.as_ref();
    // An instance that is prepaid too: its renewal and its end have to go together with the disk's.
    let owner = here.region.cvm.instances.get(first).filter(|owner| owner.charge_type == "PREPAID");
    let owner = prepaid.zip(owner);
    let return_fault = return_fault(disk);
    let percent = |work: Option<&super::disks::Work>| work.map_or(100, |work| work.percent(here.now));
    json!({
        "DiskId": disk.id,
        "DiskName": disk.name,
        "DiskType": disk.kind,
        "DiskSize": disk.size,
        "DiskUsage": disk.usage.name(),
        "DiskState": disk.state.name(),
        "DiskChargeType": disk.charge_type(),
        "Placement": placement(&disk.zone, disk.project_id),
        "Portable": disk.portable,
        "Shareable": disk.shareable,
        "Encrypt": disk.encryption.is_some(),
        "EncryptType": disk.encryption.as_ref().map(|encryption| &encryption.generation),
        "KmsKeyId": disk.encryption.as_ref().map(|encryption| &encryption.key),
        "ThroughputPerformance": disk.throughput,
        "BurstPerformance": disk.bursting,
        "Attached": disk.attachments.iter().any(|attachment| attachment.ready),
        "InstanceId": if disk.shareable { "" } else { first },
        "InstanceIdList": if disk.shareable { instances.clone() } else { Vec::new() },
        "InstanceType": if instances.is_empty() { "" } else { "CVM" },
        "AttachMode": "",
        "LastAttachInsId": disk.last_instance,
        "DeleteWithInstance": disk.delete_with_instance,
        "DeleteSnapshot": i64::from(disk.delete_snapshots),
        "RenewFlag": prepaid.map_or("NOTIFY_AND_MANUAL_RENEW", |prepaid| prepaid.renew_flag.as_str()),
        "DeadlineTime": prepaid.map(|prepaid| prepaid.deadline.beijing()).unwrap_or_default(),
        "DifferDaysOfDeadline": prepaid.map(|prepaid| days_until(prepaid.deadline, here.now)),
        "DeadlineError": owner.is_some_and(|(prepaid, owner)| owner.expires.is_some_and(|end| prepaid.deadline < end)),
        "AutoRenewFlagError": owner.is_some_and(|(prepaid, owner)| {
            owner.renew_flag == "NOTIFY_AND_AUTO_RENEW" && prepaid.renew_flag != "NOTIFY_AND_AUTO_RENEW"
        }),
        "IsReturnable": return_fault == 0,
        "ReturnFailCode": return_fault,
        "Migrating": disk.migration.is_some(),
        "MigratePercent": percent(disk.migration.as_ref().map(|migration| &migration.work)),
        "Rollbacking": disk.state == State::RollingBack,
        "RollbackPercent": percent(disk.work.as_ref().filter(|_| disk.state == State::RollingBack)),
        "SnapshotAbility": !disk.shareable,
        "SnapshotCount": snapshots,
        "SnapshotSize": size,
        "AutoSnapshotPolicyIds": policies,
        "BackupDisk": true,
        "DiskBackupQuota": disk.backup_quota,
        "DiskBackupCount": 0,
        "ErrorPrompt": "",
        "CreateTime": disk.created.beijing(),
        "Tags": disk.tags,
    })
}

/// Why a disk cannot be returned as a prepaid one, by the numbers of `ReturnFailCode`; 0 when it can.
fn return_fault(disk: &Disk) -> i64 {
    match (disk.state, &disk.prepaid) {
        (_, None) => 10,
        _ if !disk.portable => 10,
        (State::ToRecycle, _) => 1,
        (State::Unattached, _) => 0,
        _ => 3,
    }
}

fn days_until(deadline: Time, now: Time) -> i64 {
    (deadline.seconds() - now.seconds()).div_euclid(24 * 3600)
}

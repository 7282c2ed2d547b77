//! `CreateDisks`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::billing::{GivenPrepaid, check_flag, check_period};
use super::catalog::{self, DiskType};
use super::disks::{Disk, Encryption, Prepaid, State, Usage};
use super::tasks::{self, End, Event};
use super::{INVALID, TOO_MANY, check_name, check_tags, mounts, one_of, snapshots};
use crate::call::Call;
use crate::client_tokens::Dialect;
use crate::error::ApiError;
use crate::settings::{Quota, Task};
use crate::tags::Tag;
use crate::world::{Local, World};

/// How client tokens are refused.
const TOKENS: Dialect =
    Dialect { malformed: "InvalidParameter.InvalidClientToken", mismatch: "InvalidParameter.InvalidClientToken" };
/// The most disks of one request.
const MOST: u64 = 50;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    placement: Placement,
    disk_charge_type: String,
    disk_type: String,
    disk_name: Option<String>,
    tags: Option<Vec<Tag>>,
    snapshot_id: Option<String>,
    disk_count: Option<u64>,
    throughput_performance: Option<u64>,
    kms_key_id: Option<String>,
    disk_size: Option<u64>,
    shareable: Option<bool>,
    client_token: Option<String>,
    encrypt: Option<String>,
    disk_charge_prepaid: Option<GivenPrepaid>,
    delete_snapshot: Option<i64>,
    auto_mount_configuration: Option<AutoMount>,
    disk_backup_quota: Option<u64>,
    burst_performance: Option<bool>,
    encrypt_type: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Placement {
    zone: String,
    project_id: Option<u64>,
    cage_id: Option<String>,
    cdc_id: Option<String>,
    dedicated_cluster_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AutoMount {
    instance_id: Vec<String>,
    file_system_type: Option<String>,
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let token = input.client_token.as_deref();
    if let Some(used) = here.region.cbs.client_tokens.repeated(call, token, here.now, TOKENS)? {
        return Ok(used.answer.clone());
    }
    let (disk, count) = check(&here, &input)?;
    let instances = check_mounting(&here, &input, count)?;
    let disks: Vec<String> = (0..count).map(|_| make(&mut here, &disk)).collect();
    for (place, id) in disks.iter().enumerate() {
        if let Some(instance) = instances.get(place).or(instances.first()) {
            mounts::put(here.region, id, instance, false);
            let end = End::Attached { instance: instance.clone() };
            tasks::begin_from(&mut here, disk.visible, id, State::Attaching, (Task::DiskAttach, end));
        }
    }
    let answer = json!({ "DiskIdSet": disks });
    here.region.cbs.client_tokens.keep(call, token, &answer, here.now);
    Ok(answer)
}

/// Checks a request. Gives a disk as it asks for, still without an id, and how many of it.
fn check(here: &Local<'_>, input: &Input) -> Result<(Disk, usize), ApiError> {
    let zone = &input.placement.zone;
    if here.zone(zone).is_none() {
        return Err(ApiError::invalid_value(format!(
            "`Placement.Zone`: the region {} has no zone `{zone}`.",
            here.name
        )));
    }
    let clusters = [&input.placement.cage_id, &input.placement.cdc_id, &input.placement.dedicated_cluster_id];
    if clusters.into_iter().flatten().any(|id| !id.is_empty()) {
        return Err(ApiError::new("UnsupportedOperation", "The emulator has no dedicated clusters."));
    }
    let kind = catalog::find(&input.disk_type)?;
    kind.check_sold_alone()?;
    let months = check_charge(&input.disk_charge_type, input.disk_charge_prepaid.as_ref())?;
    let name = check_name("DiskName", input.disk_name.clone())?;
    let tags = check_tags(input.tags.clone())?;
    let count = check_count(input.disk_count)?;
    if !matches!(input.delete_snapshot, None | Some(0 | 1)) {
        return Err(ApiError::invalid_value("`DeleteSnapshot` must be 0 or 1."));
    }
    let source = input.snapshot_id.as_deref().filter(|id| !id.is_empty());
    let source = source.map(|id| snapshots::source(here, id)).transpose()?;
    let size = match (input.disk_size, source) {
        (None, None) => return Err(ApiError::missing("DiskSize")),
        (None, Some(snapshot)) => snapshot.disk_size,
        (Some(size), Some(snapshot)) if size < snapshot.disk_size => {
            let message = format!("`DiskSize`: the snapshot needs {} GiB, more than {size}.", snapshot.disk_size);
            return Err(ApiError::invalid_value(message));
        }
        (Some(size), _) => size,
    };
    kind.check_size(size)?;
    let throughput = input.throughput_performance.unwrap_or_default();
    check_throughput(kind, size, throughput)?;
    let bursting = input.burst_performance.unwrap_or_default();
    if bursting {
        check_bursts(kind, size)?;
    }
    let mut encryption = check_encryption(input)?;
    if source.is_some_and(|snapshot| snapshot.encrypted) {
        encryption.get_or_insert_with(|| Encryption { generation: "ENCRYPT_V2".to_owned(), key: String::new() });
    }
    kind.check_stock(here, zone)?;
    let (present, limit) = (here.region.cbs.disks.len(), here.settings.limit(Quota::DisksPerRegion));
    if present + count > limit {
        let message =
            format!("The region {} has {present} disks; {count} more would exceed the quota of {limit}.", here.name);
        return Err(ApiError::new("ResourceInsufficient.OverQuota", message));
    }
    let flag = input.disk_charge_prepaid.as_ref().and_then(|prepaid| prepaid.renew_flag.clone());
    let disk = Disk {
        id: String::new(),
        name,
        kind: kind.name.to_owned(),
        size,
        zone: zone.clone(),
        project_id: input.placement.project_id.unwrap_or_default(),
        usage: Usage::Data,
        portable: true,
        shareable: input.shareable.unwrap_or_default(),
        encryption,
        throughput,
        bursting,
        prepaid: months.map(|months| Prepaid {
            deadline: here.now.months_later(months),
            renew_flag: flag.unwrap_or_else(|| "NOTIFY_AND_MANUAL_RENEW".to_owned()),
            renew_months: 1,
        }),
        delete_with_instance: false,
        delete_snapshots: input.delete_snapshot == Some(1),
        backup_quota: input.disk_backup_quota.unwrap_or_default(),
        source_snapshot: source.map(|snapshot| snapshot.id.clone()).unwrap_or_default(),
        tags,
        state: State::Unattached,
        work: None,
        migration: None,
        attachments: Vec::new(),
        last_instance: None,
        created: here.now,
        visible: here.now.after(here.settings.duration(Task::DiskCreate)),
    };
    Ok((disk, count))
}

/// Makes one disk of a checked request.
fn make(here: &mut Local<'_>, disk: &Disk) -> String {
    let id = here.ids.new_id("disk");
    here.region.cbs.disks.insert(id.clone(), Disk { id: id.clone(), ..disk.clone() });
    if let Some(prepaid) = &disk.prepaid {
        tasks::plan(here, prepaid.deadline, Event::Expires { disk: id.clone() });
    }
    id
}

/// How many disks a request is for.
pub(super) fn check_count(count: Option<u64>) -> Result<usize, ApiError> {
    let count = count.unwrap_or(1);
    if !(1..=MOST).contains(&count) {
        let message = format!("`DiskCount` must be between 1 and {MOST}, not {count}.");
        return Err(ApiError::new(if count == 0 { INVALID } else { TOO_MANY }, message));
    }
    Ok(usize::try_from(count).unwrap_or(1))
}

/// The months that a prepaid disk is bought for.
pub(super) fn check_charge(charge_type: &str, prepaid: Option<&GivenPrepaid>) -> Result<Option<u32>, ApiError> {
    one_of("DiskChargeType", Some(charge_type), &["PREPAID", "POSTPAID_BY_HOUR", "CDCPAID"])?;
    match (charge_type, prepaid) {
        ("POSTPAID_BY_HOUR", _) => Ok(None),
        ("PREPAID", None) => Err(ApiError::missing("DiskChargePrepaid")),
        ("PREPAID", Some(prepaid)) => {
            check_flag(prepaid.renew_flag.as_deref())?;
            check_period("DiskChargePrepaid.Period", prepaid.period).map(Some)
        }
        _ => {
            let message = format!("The emulator has no dedicated clusters for {charge_type}.");
            Err(ApiError::new("InvalidParameter.DiskConfigNotSupported", message))
        }
    }
}

pub(super) fn check_throughput(kind: &DiskType, size: u64, throughput: u64) -> Result<(), ApiError> {
    let fault = |message: String| Err(ApiError::invalid_value(message));
    if throughput == 0 {
        return Ok(());
    }
    if !kind.is_fast() || size <= catalog::LEAST_FOR_PERFORMANCE {
        return fault(format!(
            "`ThroughputPerformance` needs a CLOUD_HSSD or CLOUD_TSSD of more than {} GiB.",
            catalog::LEAST_FOR_PERFORMANCE
        ));
    }
    if throughput > catalog::MOST_THROUGHPUT {
        return fault(format!("`ThroughputPerformance` is at most {}, not {throughput}.", catalog::MOST_THROUGHPUT));
    }
    Ok(())
}

pub(super) fn check_bursts(kind: &DiskType, size: u64) -> Result<(), ApiError> {
    if kind.is_fast() && size >= catalog::LEAST_FOR_PERFORMANCE {
        return Ok(());
    }
    let least = catalog::LEAST_FOR_PERFORMANCE;
    Err(ApiError::invalid_value(format!("Bursts need a CLOUD_HSSD or CLOUD_TSSD of at least {least} GiB.")))
}

fn check_encryption(input: &Input) -> Result<Option<Encryption>, ApiError> {
    one_of("Encrypt", input.encrypt.as_deref(), &["ENCRYPT"])?;
    one_of("EncryptType", input.encrypt_type.as_deref(), &["ENCRYPT_V1", "ENCRYPT_V2"])?;
    let key = input.kms_key_id.as_deref().filter(|key| !key.is_empty());
    let together = |other: &str| {
        let message = format!(
            "`Encrypt` and `{other}` cannot be given together: shared disks and automatic mounting need plain disks."
        );
        Err(ApiError::invalid_value(message))
    };
    match &input.encrypt {
        None if key.is_some() => Err(ApiError::missing("Encrypt")),
        None if input.encrypt_type.is_some() => {
            Err(ApiError::invalid_value("`EncryptType` is for encrypted disks: give `Encrypt` too."))
        }
        None => Ok(None),
        Some(_) if input.shareable == Some(true) => together("Shareable"),
        Some(_) if input.auto_mount_configuration.is_some() => together("AutoMountConfiguration"),
        Some(_) => Ok(Some(Encryption {
            generation: input.encrypt_type.clone().unwrap_or_else(|| "ENCRYPT_V2".to_owned()),
            key: key.unwrap_or_default().to_owned(),
        })),
    }
}

/// The instances that the new disks are to be attached to: none, one for all of them, or one for each.
fn check_mounting(here: &Local<'_>, input: &Input, count: usize) -> Result<Vec<String>, ApiError> {
    let Some(mounting) = &input.auto_mount_configuration else { return Ok(Vec::new()) };
    one_of("FileSystemType", mounting.file_system_type.as_deref(), &["ext4", "xfs"])?;
    let instances = &mounting.instance_id;
    if instances.len() != 1 && instances.len() != count {
        let message =
            format!("`AutoMountConfiguration.InstanceId` needs one instance, or one for each of {count} disks.");
        return Err(ApiError::invalid_value(message));
    }
    let limit = here.settings.limit(Quota::DisksPerInstance);
    for id in instances {
        super::check_id("AutoMountConfiguration.InstanceId", id, "ins")?;
        let Some(instance) = here.region.cvm.instances.get(id) else { return Err(mounts::no_such_instance(id)) };
        if instance.zone != input.placement.zone {
            let message = format!(
                "The instance `{id}` is in {}, the disks are to be in {}.",
                instance.zone, input.placement.zone
            );
            return Err(ApiError::invalid_value(message));
        }
        let share = if instances.len() == 1 { count } else { instances.iter().filter(|other| *other == id).count() };
        mounts::check_room(here.region, id, share, limit)?;
    }
    Ok(instances.clone())
}

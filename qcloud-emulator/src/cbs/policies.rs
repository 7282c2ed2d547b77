//! Auto-snapshot policies: the disks bound to one get snapshots on its schedule.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::disks::{self, Disk, Usage};
use super::policy_schedule::Schedule;
use super::snapshots::{self, NewSnapshot};
use super::tasks::{self, Event};
use super::{INVALID, LISTS, TOO_MANY, check_id, check_name, one_of, page, work_ids};
use crate::call::Call;
use crate::clock::Time;
use crate::cvm::InstanceState;
use crate::error::ApiError;
use crate::listing::{self, Filter, Filters};
use crate::settings::Quota;
use crate::world::{Local, Region, World};

/// The most disks that one request binds or unbinds.
const MOST_BOUND: usize = 80;
const DAY: Duration = Duration::from_secs(24 * 3600);
/// A policy makes snapshots for this long, so that a clock that is put forward by centuries does not make millions.
const ACTIVE_LIFE: Duration = Duration::from_secs(20 * 366 * 24 * 3600);

/// A policy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Policy {
    pub(super) id: String,
    name: String,
    schedule: Schedule,
    active: bool,
    permanent: bool,
    retention_days: u64,
    pub(super) disks: Vec<String>,
    created: Time,
    /// The run that is planned; earlier plans are void.
    planned: u64,
}

impl Policy {
    fn show(&self, now: Time, with_disks: bool) -> Value {
        json!({
            "AutoSnapshotPolicyId": self.id,
            "AutoSnapshotPolicyName": self.name,
            "AutoSnapshotPolicyState": "NORMAL",
            "IsActivated": self.active,
            "IsPermanent": self.permanent,
            "RetentionDays": if self.permanent { 0 } else { self.retention_days },
            "RetentionMonths": 0,
            "RetentionAmount": 0,
            "AdvancedRetentionPolicy": null,
            "Policy": [self.schedule],
            "NextTriggerTime": self.schedule.next(self.created, now).map(Time::beijing).unwrap_or_default(),
            "CreateTime": self.created.beijing(),
            "DiskIdSet": if with_disks { self.disks.clone() } else { Vec::new() },
            "InstanceIdSet": [],
            "IsCopyToRemote": 0,
            "CopyToAccountUin": null,
            "CopyFromAccountUin": null,
            "Tags": [],
        })
    }
}

fn find<'a>(region: &'a Region, id: &str) -> Result<&'a Policy, ApiError> {
    check_id("AutoSnapshotPolicyId", id, "asp")?;
    region.cbs.policies.get(id).ok_or_else(|| {
        let message = format!("The snapshot policy `{id}` does not exist in this region.");
        ApiError::new("InvalidAutoSnapshotPolicyId.NotFound", message)
    })
}

fn read_schedule(mut given: Vec<Schedule>) -> Result<Schedule, ApiError> {
    match (given.pop(), given.is_empty()) {
        (Some(schedule), true) => schedule.check().map(|()| schedule),
        (None, _) => Err(ApiError::missing("Policy")),
        _ => Err(ApiError::new("InvalidParameter", "`Policy` takes one schedule.")),
    }
}

fn check_retention(permanent: Option<bool>, days: Option<u64>) -> Result<(), ApiError> {
    if permanent == Some(true) && days.is_some() {
        let message = "`RetentionDays` and a true `IsPermanent` cannot be given together.";
        return Err(ApiError::new("InvalidParameter", message));
    }
    if days.is_some_and(|days| !(1..=36_500).contains(&days)) {
        return Err(ApiError::new("InvalidParameter", "`RetentionDays` is between 1 and 36500."));
    }
    Ok(())
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        policy: Vec<Schedule>,
        dry_run: Option<bool>,
        is_activated: Option<bool>,
        auto_snapshot_policy_name: Option<String>,
        is_permanent: Option<bool>,
        retention_days: Option<u64>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let schedule = read_schedule(input.policy)?;
    let name = check_name("AutoSnapshotPolicyName", input.auto_snapshot_policy_name)?;
    check_retention(input.is_permanent, input.retention_days)?;
    let next = schedule.next(here.now, here.now).map(Time::beijing).unwrap_or_default();
    if input.dry_run == Some(true) {
        return Ok(json!({ "AutoSnapshotPolicyId": "", "NextTriggerTime": next }));
    }
    let limit = here.settings.limit(Quota::SnapshotPoliciesPerRegion);
    if here.region.cbs.policies.len() >= limit {
        let message = format!("The region {} has its {limit} snapshot policies already: delete one.", here.name);
        return Err(ApiError::new("LimitExceeded.AutoSnapshotPolicyOutOfQuota", message));
    }
    let id = here.ids.new_id("asp");
    let policy = Policy {
        id: id.clone(),
        name,
        schedule,
        active: input.is_activated.unwrap_or(true),
        permanent: input.is_permanent.unwrap_or_default(),
        retention_days: input.retention_days.unwrap_or(7),
        disks: Vec::new(),
        created: here.now,
        planned: 0,
    };
    here.region.cbs.policies.insert(id.clone(), policy);
    Ok(json!({ "AutoSnapshotPolicyId": id, "NextTriggerTime": next }))
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        auto_snapshot_policy_ids: Option<Vec<String>>,
        filters: Option<Vec<Filter>>,
        offset: Option<u64>,
        limit: Option<u64>,
        order: Option<String>,
        order_field: Option<String>,
    }
    const FILTERS: &[&str] = &["auto-snapshot-policy-id", "auto-snapshot-policy-state", "auto-snapshot-policy-name"];
    let input: Input = call.input()?;
    let here = world.local(call);
    let ids = input.auto_snapshot_policy_ids;
    listing::ids_or_filters(("AutoSnapshotPolicyIds", ids.as_ref()), input.filters.as_ref(), &LISTS)?;
    let ids = ids.unwrap_or_default();
    listing::check_ids(("AutoSnapshotPolicyIds", &ids), "asp", INVALID, &LISTS)?;
    let filters = Filters::check(call, input.filters, FILTERS, &LISTS)?;
    one_of("Order", input.order.as_deref(), &["ASC", "DESC"])?;
    one_of("OrderField", input.order_field.as_deref(), &["CREATE_TIME"])?;
    let page = page(input.offset, input.limit)?;
    let fits = |policy: &&Policy| {
        (ids.is_empty() || ids.contains(&policy.id))
            && filters.accept(&[], |name, value| match name {
                "auto-snapshot-policy-id" => policy.id == value,
                "auto-snapshot-policy-name" => policy.name == value,
                _ => value == "NORMAL",
            })
    };
    let policies = here.region.cbs.policies.values();
    let (total, page) = if input.order.as_deref() == Some("DESC") {
        page.cut(policies.rev().filter(fits))
    } else {
        page.cut(policies.filter(fits))
    };
    let set: Vec<Value> = page.into_iter().map(|policy| policy.show(here.now, true)).collect();
    Ok(json!({ "TotalCount": total, "AutoSnapshotPolicySet": set }))
}

pub(super) fn describe_of_disk(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        disk_id: String,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    disks::find(here.region, &input.disk_id, here.now)?;
    let bound = here.region.cbs.policies.values().filter(|policy| policy.disks.contains(&input.disk_id));
    let set: Vec<Value> = bound.map(|policy| policy.show(here.now, false)).collect();
    Ok(json!({ "TotalCount": set.len(), "AutoSnapshotPolicySet": set }))
}

pub(super) fn modify(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        auto_snapshot_policy_id: String,
        is_activated: Option<bool>,
        is_permanent: Option<bool>,
        auto_snapshot_policy_name: Option<String>,
        policy: Option<Vec<Schedule>>,
        retention_days: Option<u64>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let id = input.auto_snapshot_policy_id;
    find(here.region, &id)?;
    let schedule = input.policy.map(read_schedule).transpose()?;
    let name =
        input.auto_snapshot_policy_name.map(|name| check_name("AutoSnapshotPolicyName", Some(name))).transpose()?;
    check_retention(input.is_permanent, input.retention_days)?;
    if let Some(policy) = here.region.cbs.policies.get_mut(&id) {
        policy.active = input.is_activated.unwrap_or(policy.active);
        policy.name = name.unwrap_or_else(|| policy.name.clone());
        policy.schedule = schedule.unwrap_or_else(|| policy.schedule.clone());
        // Days to keep make it a policy whose snapshots pass.
        policy.permanent = input.is_permanent.unwrap_or(policy.permanent && input.retention_days.is_none());
        policy.retention_days = input.retention_days.unwrap_or(policy.retention_days);
    }
    plan(&mut here, &id);
    Ok(json!({}))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        auto_snapshot_policy_ids: Vec<String>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let ids = work_ids(("AutoSnapshotPolicyIds", input.auto_snapshot_policy_ids), "asp", 100)?;
    ids.iter().try_for_each(|id| find(here.region, id).map(drop))?;
    for id in ids {
        here.region.cbs.policies.remove(&id);
    }
    Ok(json!({}))
}

pub(super) fn bind(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        auto_snapshot_policy_id: String,
        disk_ids: Option<Vec<String>>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let id = input.auto_snapshot_policy_id;
    let policy = find(here.region, &id)?;
    let disks = work_ids(("DiskIds", input.disk_ids.unwrap_or_default()), "disk", MOST_BOUND)?;
    for disk in disks::named(&here, &disks)? {
        disk.check_idle("InvalidDisk.NotSupported", "InvalidDisk.NotSupported")?;
        if disk.shareable {
            let message = format!("The disk `{}` is a shared one: no snapshots of it can be made.", disk.id);
            return Err(ApiError::new("InvalidDisk.NotSupported", message));
        }
        if policy.disks.contains(&disk.id) {
            let message = format!("The disk `{}` is bound to `{id}` already.", disk.id);
            return Err(ApiError::new("InvalidDisk.AlreadyBound", message));
        }
    }
    let limit = here.settings.limit(Quota::DisksPerSnapshotPolicy);
    if policy.disks.len() + disks.len() > limit {
        let message = format!("The policy `{id}` has {} disks; it takes at most {limit}.", policy.disks.len());
        return Err(ApiError::new("InvalidParameterValue.BindDiskLimitExceeded", message));
    }
    if let Some(policy) = here.region.cbs.policies.get_mut(&id) {
        policy.disks.extend(disks);
    }
    plan(&mut here, &id);
    Ok(json!({}))
}

pub(super) fn unbind(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        auto_snapshot_policy_id: String,
        disk_ids: Option<Vec<String>>,
        instance_ids: Option<Vec<String>>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let id = input.auto_snapshot_policy_id;
    find(here.region, &id)?;
    let (disks, instances) = (input.disk_ids.unwrap_or_default(), input.instance_ids.unwrap_or_default());
    if disks.is_empty() && instances.is_empty() {
        return Err(ApiError::missing("DiskIds"));
    }
    for (name, ids, prefix) in [("DiskIds", &disks, "disk"), ("InstanceIds", &instances, "ins")] {
        if ids.len() > MOST_BOUND {
            return Err(ApiError::new(TOO_MANY, format!("`{name}` takes at most {MOST_BOUND} ids.")));
        }
        ids.iter().try_for_each(|id| check_id(name, id, prefix))?;
    }
    disks::named(&here, &disks)?;
    // Instances are never bound here, so there is nothing to undo for them; disks that are not bound are skipped.
    if let Some(policy) = here.region.cbs.policies.get_mut(&id) {
        policy.disks.retain(|disk| !disks.contains(disk));
    }
    Ok(json!({}))
}

/// Plans the next run of a policy, in the place of any other.
fn plan(here: &mut Local<'_>, id: &str) {
    let number = tasks::number(here);
    let now = here.now;
    let Some(policy) = here.region.cbs.policies.get_mut(id) else { return };
    policy.planned = number;
    let rests = !policy.active || policy.disks.is_empty() || policy.created.after(ACTIVE_LIFE) < now;
    if let Some(at) = policy.schedule.next(policy.created, now).filter(|_| !rests) {
        tasks::plan(here, at, Event::PolicyRuns { policy: id.to_owned(), number });
    }
}

/// Makes the snapshots of a policy, of those bound disks that are in use.
pub(super) fn runs(here: &mut Local<'_>, id: &str, number: u64) {
    let Some(policy) = here.region.cbs.policies.get(id).filter(|policy| policy.planned == number) else { return };
    let days = u32::try_from(policy.retention_days).unwrap_or(u32::MAX);
    let deadline = (!policy.permanent).then(|| here.now.after(DAY.saturating_mul(days)));
    let name = format!("{}_{}", policy.name, here.now.beijing_clock().format("%Y%m%d%H%M%S"));
    let disks = policy.disks.iter().filter_map(|disk| here.region.cbs.disks.get(disk));
    let disks = disks.filter(|disk| in_use(here.region, disk) && snapshots::check_ability(here.region, disk).is_ok());
    let disks: Vec<String> = disks.map(|disk| disk.id.clone()).collect();
    for disk in disks {
        if here.region.cbs.snapshots.len() < here.settings.limit(Quota::SnapshotsPerRegion) {
            let new =
                NewSnapshot { name: name.clone(), deadline, policy: Some(id.to_owned()), ..NewSnapshot::default() };
            snapshots::make(here, &disk, new);
        }
    }
    plan(here, id);
}

/// Elastic disks are in use while they are attached, others while their instance is not stopped.
fn in_use(region: &Region, disk: &Disk) -> bool {
    disk.attachments.iter().any(|place| {
        let owner = region.cvm.instances.get(&place.instance);
        disk.usage == Usage::Data || owner.is_some_and(|owner| owner.state != InstanceState::Stopped)
    })
}

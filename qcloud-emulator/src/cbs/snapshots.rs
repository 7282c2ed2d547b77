//! Snapshots: making, listing, changing and deleting them. Rolling back is in [`super::rollback`].

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::disk_list::placement;
use super::disks::{self, Disk, State as DiskState, Usage, Work};
use super::tasks::{self, Event};
use super::{INVALID, LISTS, UNNAMED, check_id, check_tags, one_of, page, work_ids};
use crate::call::Call;
use crate::clock::Time;
use crate::error::ApiError;
use crate::listing::{self, Filter, Filters};
use crate::settings::{Quota, Task};
use crate::tags::Tag;
use crate::world::{Local, Region, World};

/// A snapshot that is to expire is kept at least this long.
const LEAST_LIFE: Duration = Duration::from_secs(24 * 3600);

/// A snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Snapshot {
    pub(super) id: String,
    name: String,
    pub(super) disk_id: String,
    pub(super) disk_size: u64,
    pub(super) usage: Usage,
    pub(super) encrypted: bool,
    zone: String,
    project_id: u64,
    pub(super) state: State,
    creation: Work,
    /// `None` stands for a permanent one.
    deadline: Option<Time>,
    instant: bool,
    tags: Vec<Tag>,
    created: Time,
    modified: Time,
    /// The policy that made it.
    policy: Option<String>,
}

/// The state of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    Creating,
    Normal,
    RollingBack,
}

/// What a snapshot is made with.
#[derive(Debug, Default)]
pub(super) struct NewSnapshot {
    pub(super) name: String,
    pub(super) usage: Option<Usage>,
    pub(super) deadline: Option<Time>,
    pub(super) instant: bool,
    pub(super) tags: Vec<Tag>,
    pub(super) policy: Option<String>,
}

impl State {
    /// As `SnapshotState` says it.
    fn name(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Normal => "NORMAL",
            Self::RollingBack => "ROLLBACKING",
        }
    }
}

impl Snapshot {
    fn show(&self, now: Time) -> Value {
        let mut shown = json!({
            "SnapshotId": self.id,
            "SnapshotName": self.name,
            "SnapshotState": self.state.name(),
            "SnapshotType": "PRIVATE_SNAPSHOT",
            "SnapshotMode": if self.instant { "INSTANT_SNAPSHOT" } else { "STANDARD_SNAPSHOT" },
            "Placement": placement(&self.zone, self.project_id),
            "DiskId": self.disk_id,
            "DiskSize": self.disk_size,
            "DiskUsage": self.usage.name(),
            "Encrypt": self.encrypted,
            "Percent": if self.state == State::Creating { self.creation.percent(now) } else { 100 },
            "IsPermanent": self.deadline.is_none(),
            "DeadlineTime": self.deadline.map(Time::beijing).unwrap_or_default(),
            "CreateTime": self.created.beijing(),
            "LatestModifyTime": self.modified.iso(),
            "CopyFromRemote": false,
            "CopyingToRegions": [],
            "Images": [],
            "ImageCount": 0,
            "ShareReference": 0,
            "TimeStartShare": "",
            "IsLocked": false,
            "Tags": self.tags,
        });
        if let (Some(policy), Some(shown)) = (&self.policy, shown.as_object_mut()) {
            shown.insert("AutoSnapshotPolicyId".to_owned(), json!(policy));
        }
        shown
    }
}

/// The snapshot of this id, or the error that says it does not exist.
pub(super) fn find<'a>(region: &'a Region, id: &str) -> Result<&'a Snapshot, ApiError> {
    check_id("SnapshotId", id, "snap")?;
    region.cbs.snapshots.get(id).ok_or_else(|| {
        ApiError::new("InvalidSnapshotId.NotFound", format!("The snapshot `{id}` does not exist in this region."))
    })
}

/// The snapshot that new disks are to be filled from.
pub(super) fn source<'a>(here: &'a Local<'_>, id: &str) -> Result<&'a Snapshot, ApiError> {
    let snapshot = find(here.region, id)?;
    if snapshot.usage == Usage::System {
        return Err(ApiError::invalid_value(format!(
            "`SnapshotId`: `{id}` is of a system disk; disks come from those of data disks."
        )));
    }
    if snapshot.state != State::Normal {
        let message = format!("The snapshot `{id}` is {}: wait until it is NORMAL.", snapshot.state.name());
        return Err(ApiError::new("ResourceBusy", message));
    }
    Ok(snapshot)
}

/// Refuses while a snapshot of the disk is being made.
pub(super) fn check_none_in_creation(region: &Region, disk: &str, code: &'static str) -> Result<(), ApiError> {
    let mut snapshots = region.cbs.snapshots.values();
    match snapshots.find(|snapshot| snapshot.disk_id == disk && snapshot.state == State::Creating) {
        None => Ok(()),
        Some(snapshot) => {
            let message = format!("The snapshot `{}` of the disk `{disk}` is still being made.", snapshot.id);
            Err(ApiError::new(code, message))
        }
    }
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        disk_id: Option<String>,
        snapshot_name: Option<String>,
        deadline: Option<String>,
        disk_backup_id: Option<String>,
        tags: Option<Vec<Tag>>,
        local_snap: Option<bool>,
        disk_usage: Option<String>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    if let Some(id) = input.disk_backup_id {
        let message = format!("The backup point `{id}` does not exist: the emulator has none.");
        return Err(ApiError::new("ResourceNotFound.NotFound", message));
    }
    let id = input.disk_id.ok_or_else(|| ApiError::missing("DiskId"))?;
    let name = check_name(input.snapshot_name)?;
    let deadline = input.deadline.map(|text| read_deadline(&text, here.now)).transpose()?;
    let tags = check_tags(input.tags)?;
    one_of("DiskUsage", input.disk_usage.as_deref(), &["SYSTEM_DISK", "DATA_DISK"])?;
    let disk = disks::find(here.region, &id, here.now)?;
    check_ability(here.region, disk)?;
    let usage = match (input.disk_usage.as_deref(), disk.usage) {
        (Some("SYSTEM_DISK"), Usage::Data) => {
            return Err(ApiError::invalid_value(
                "`DiskUsage`: a snapshot of a data disk cannot be one of a system disk.",
            ));
        }
        (Some("DATA_DISK"), _) => Usage::Data,
        (_, usage) => usage,
    };
    let limit = here.settings.limit(Quota::SnapshotsPerRegion);
    if here.region.cbs.snapshots.len() >= limit {
        let message = format!("The region {} has its {limit} snapshots already: delete one.", here.name);
        return Err(ApiError::new("InsufficientSnapshotQuota", message));
    }
    let instant = input.local_snap.unwrap_or_default();
    let new = NewSnapshot { name, usage: Some(usage), deadline, instant, tags, policy: None };
    Ok(json!({ "SnapshotId": make(&mut here, &id, new) }))
}

/// Checks that a snapshot of the disk can be made now.
pub(super) fn check_ability(region: &Region, disk: &Disk) -> Result<(), ApiError> {
    if disk.shareable {
        let message = format!("The disk `{}` is a shared one: no snapshots of it can be made.", disk.id);
        return Err(ApiError::new("InvalidDisk.NotSupportSnapshot", message));
    }
    let busy = if disk.state == DiskState::RollingBack { "ResourceInUse.DiskRollbacking" } else { "InvalidDisk.Busy" };
    disk.check_idle(busy, "ResourceUnavailable.NotSupported")?;
    disk.check_not_migrating()?;
    check_none_in_creation(region, &disk.id, "ResourceUnavailable.SnapshotCreating")
}

/// Begins to make a snapshot. Gives its id; empty when the disk is gone.
pub(super) fn make(here: &mut Local<'_>, disk_id: &str, new: NewSnapshot) -> String {
    let creation = tasks::work(here, here.now, Task::SnapshotCreate);
    let Some(disk) = here.region.cbs.disks.get(disk_id) else { return String::new() };
    let id = here.ids.new_id("snap");
    let snapshot = Snapshot {
        id: id.clone(),
        name: new.name,
        disk_id: disk_id.to_owned(),
        disk_size: disk.size,
        usage: new.usage.unwrap_or(disk.usage),
        encrypted: disk.encryption.is_some(),
        zone: disk.zone.clone(),
        project_id: disk.project_id,
        state: State::Creating,
        creation: creation.clone(),
        deadline: new.deadline,
        instant: new.instant,
        tags: new.tags,
        created: here.now,
        modified: here.now,
        policy: new.policy,
    };
    here.region.cbs.snapshots.insert(id.clone(), snapshot);
    tasks::plan(here, creation.to, Event::SnapshotMade { snapshot: id.clone() });
    if let Some(deadline) = new.deadline {
        tasks::plan(here, deadline, Event::SnapshotExpires { snapshot: id.clone() });
    }
    id
}

/// A snapshot has been made.
pub(super) fn made(here: &mut Local<'_>, id: &str) {
    if let Some(snapshot) = here.region.cbs.snapshots.get_mut(id) {
        snapshot.state = State::Normal;
    }
}

/// The time of a snapshot is over, unless it was given more meanwhile.
pub(super) fn expires(here: &mut Local<'_>, id: &str) {
    let now = here.now;
    if here.region.cbs.snapshots.get(id).is_some_and(|snapshot| snapshot.deadline.is_some_and(|end| end <= now)) {
        here.region.cbs.snapshots.remove(id);
    }
}

/// Deletes those snapshots of a disk that are not permanent.
pub(super) fn drop_passing(region: &mut Region, disk: &str) {
    let passing =
        region.cbs.snapshots.values().filter(|snapshot| snapshot.disk_id == disk && snapshot.deadline.is_some());
    let passing: Vec<String> = passing.map(|snapshot| snapshot.id.clone()).collect();
    for id in passing {
        region.cbs.snapshots.remove(&id);
    }
}

fn check_name(name: Option<String>) -> Result<String, ApiError> {
    let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| UNNAMED.to_owned());
    if name.chars().count() > 60 {
        return Err(ApiError::invalid_value("`SnapshotName` has at most 60 characters."));
    }
    Ok(name)
}

fn read_deadline(text: &str, now: Time) -> Result<Time, ApiError> {
    let Some(deadline) = Time::from_iso(text) else {
        let message = format!("`Deadline` is a time such as `2026-01-31T08:15:00+00:00`, not `{text}`.");
        return Err(ApiError::invalid_value(message));
    };
    if deadline < now.after(LEAST_LIFE) {
        let message = format!("`Deadline` must be at least a day from now, {}; `{text}` is not.", now.iso());
        return Err(ApiError::invalid_value(message));
    }
    Ok(deadline)
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        snapshot_ids: Option<Vec<String>>,
        filters: Option<Vec<Filter>>,
        offset: Option<u64>,
        limit: Option<u64>,
        order: Option<String>,
        order_field: Option<String>,
    }
    const FILTERS: &[&str] = &[
        "snapshot-id",
        "snapshot-name",
        "snapshot-state",
        "snapshot-type",
        "disk-usage",
        "project-id",
        "disk-id",
        "encrypt",
        // Not in the list of the documentation, but in its example.
        "zone",
    ];
    const MOST_DISKS: usize = 10;
    let input: Input = call.input()?;
    let here = world.local(call);
    listing::ids_or_filters(("SnapshotIds", input.snapshot_ids.as_ref()), input.filters.as_ref(), &LISTS)?;
    let ids = input.snapshot_ids.unwrap_or_default();
    listing::check_ids(("SnapshotIds", &ids), "snap", INVALID, &LISTS)?;
    let filters = Filters::check(call, input.filters, FILTERS, &LISTS)?;
    if filters.values("disk-id").is_some_and(|values| values.len() > MOST_DISKS) {
        return Err(ApiError::new("InvalidFilter", format!("The filter `disk-id` takes at most {MOST_DISKS} values.")));
    }
    one_of("Order", input.order.as_deref(), &["ASC", "DESC"])?;
    one_of("OrderField", input.order_field.as_deref(), &["CREATE_TIME"])?;
    let page = page(input.offset, input.limit)?;
    let fits = |snapshot: &&Snapshot| {
        (ids.is_empty() || ids.contains(&snapshot.id))
            && filters.accept(&[], |name, value| match name {
                "snapshot-id" => snapshot.id == value,
                "snapshot-name" => snapshot.name == value,
                "snapshot-state" => snapshot.state.name() == value,
                "snapshot-type" => value == "PRIVATE_SNAPSHOT",
                "disk-usage" => snapshot.usage.name() == value,
                "project-id" => snapshot.project_id.to_string() == value,
                "disk-id" => snapshot.disk_id == value,
                "zone" => snapshot.zone == value,
                "encrypt" => snapshot.encrypted.to_string().eq_ignore_ascii_case(value),
                _ => false,
            })
    };
    let snapshots = here.region.cbs.snapshots.values();
    let (total, page) = if input.order.as_deref() == Some("DESC") {
        page.cut(snapshots.rev().filter(fits))
    } else {
        page.cut(snapshots.filter(fits))
    };
    let set: Vec<Value> = page.into_iter().map(|snapshot| snapshot.show(here.now)).collect();
    Ok(json!({ "TotalCount": total, "SnapshotSet": set }))
}

pub(super) fn modify(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        snapshot_id: String,
        is_permanent: Option<bool>,
        snapshot_name: Option<String>,
        deadline: Option<String>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let now = here.now;
    find(here.region, &input.snapshot_id)?;
    if input.is_permanent.is_none() && input.snapshot_name.is_none() && input.deadline.is_none() {
        return Err(ApiError::new("MissingParameter", "Give an attribute to change, such as `SnapshotName`."));
    }
    let name = input.snapshot_name.map(|name| check_name(Some(name))).transpose()?;
    // A deadline only counts for snapshots that are not to be permanent.
    let permanent = input.is_permanent == Some(true);
    let deadline = input.deadline.filter(|_| !permanent).map(|text| read_deadline(&text, now)).transpose()?;
    let Some(snapshot) = here.region.cbs.snapshots.get_mut(&input.snapshot_id) else { return Ok(json!({})) };
    if input.is_permanent == Some(false) && deadline.is_none() && snapshot.deadline.is_none() {
        let message = format!("The snapshot `{}` needs a `Deadline` when it is no longer permanent.", snapshot.id);
        return Err(ApiError::new("MissingParameter", message));
    }
    snapshot.name = name.unwrap_or_else(|| snapshot.name.clone());
    snapshot.deadline = if permanent { None } else { deadline.or(snapshot.deadline) };
    snapshot.modified = now;
    if let Some(deadline) = deadline {
        tasks::plan(&mut here, deadline, Event::SnapshotExpires { snapshot: input.snapshot_id });
    }
    Ok(json!({}))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        snapshot_ids: Vec<String>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let ids = work_ids(("SnapshotIds", input.snapshot_ids), "snap", 100)?;
    for id in &ids {
        let snapshot = find(here.region, id)?;
        let code = match snapshot.state {
            State::Normal => continue,
            State::Creating => "ResourceUnavailable.SnapshotCreating",
            State::RollingBack => "ResourceBusy",
        };
        let message = format!("The snapshot `{id}` is {}: only NORMAL ones can be deleted.", snapshot.state.name());
        return Err(ApiError::new(code, message));
    }
    for id in ids {
        here.region.cbs.snapshots.remove(&id);
    }
    Ok(json!({}))
}

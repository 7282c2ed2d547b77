//! Disks: what they are, and how they are found.

use serde::{Deserialize, Serialize};

use super::check_id;
use crate::clock::Time;
use crate::error::ApiError;
use crate::tags::Tag;
use crate::world::{Local, Region};

/// A disk. Sizes are in GiB.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Disk {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) size: u64,
    pub(super) zone: String,
    pub(super) project_id: u64,
    pub(super) usage: Usage,
    /// Whether it can be attached and detached on its own.
    pub(super) portable: bool,
    pub(super) shareable: bool,
    pub(super) encryption: Option<Encryption>,
    /// Extra throughput in MiB/s.
    pub(super) throughput: u64,
    pub(super) bursting: bool,
    /// `None` stands for postpaid.
    pub(super) prepaid: Option<Prepaid>,
    pub(crate) delete_with_instance: bool,
    pub(super) delete_snapshots: bool,
    pub(super) backup_quota: u64,
    /// The snapshot that it was filled from; empty for none.
    pub(crate) source_snapshot: String,
    pub(super) tags: Vec<Tag>,
    pub(super) state: State,
    /// What is being done to it, if it is busy.
    pub(super) work: Option<Work>,
    pub(super) migration: Option<Migration>,
    pub(super) attachments: Vec<Attachment>,
    pub(super) last_instance: Option<String>,
    pub(super) created: Time,
    /// A new disk cannot be seen at once.
    pub(super) visible: Time,
}

/// What a disk is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Usage {
    System,
    Data,
}

/// How a disk is encrypted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Encryption {
    pub(super) generation: String,
    pub(super) key: String,
}

/// Until when a disk is paid, and what happens then.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Prepaid {
    pub(super) deadline: Time,
    pub(super) renew_flag: String,
    /// Months that an automatic renewal adds.
    pub(super) renew_months: u32,
}

/// A task that is under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Work {
    pub(super) number: u64,
    pub(super) from: Time,
    pub(super) to: Time,
    /// The instance that the disk is being attached to or detached from.
    pub(super) instance: Option<String>,
}

/// A change of type that is under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Migration {
    pub(super) to_kind: String,
    pub(super) work: Work,
}

/// An instance that a disk is on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Attachment {
    pub(super) instance: String,
    /// Its place on the instance: 0 is the system disk.
    pub(super) slot: usize,
    /// Whether it was attached to the end.
    pub(super) ready: bool,
}

/// The state of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    Unattached,
    Attaching,
    Attached,
    Detaching,
    Expanding,
    RollingBack,
    ToRecycle,
}

impl Usage {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::System => "SYSTEM_DISK",
            Self::Data => "DATA_DISK",
        }
    }
}

impl State {
    /// As `DiskState` says it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unattached => "UNATTACHED",
            Self::Attaching => "ATTACHING",
            Self::Attached => "ATTACHED",
            Self::Detaching => "DETACHING",
            Self::Expanding => "EXPANDING",
            Self::RollingBack => "ROLLBACKING",
            Self::ToRecycle => "TORECYCLE",
        }
    }

    /// Whether an operation is under way.
    pub(super) fn is_passing(self) -> bool {
        matches!(self, Self::Attaching | Self::Detaching | Self::Expanding | Self::RollingBack)
    }
}

impl Work {
    /// How much of it is done, in percent; 100 only when it is over.
    pub(super) fn percent(&self, now: Time) -> u128 {
        let (done, all) = (self.from.distance(now.max(self.from)), self.from.distance(self.to));
        (done.as_millis() * 100).checked_div(all.as_millis()).unwrap_or(99).min(99)
    }
}

impl Disk {
    pub(super) fn charge_type(&self) -> &'static str {
        if self.prepaid.is_some() { "PREPAID" } else { "POSTPAID_BY_HOUR" }
    }

    pub(super) fn is_on(&self, instance: &str) -> bool {
        self.attachments.iter().any(|attachment| attachment.instance == instance)
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.encryption.is_some()
    }

    /// Whether `DescribeDisks` and the other actions see it. Local disks of instances are none of CBS.
    pub(super) fn is_seen(&self, now: Time) -> bool {
        self.visible <= now && !self.kind.starts_with("LOCAL_")
    }

    /// The state when nothing is being done to it.
    pub(super) fn resting_state(&self) -> State {
        if self.attachments.is_empty() { State::Unattached } else { State::Attached }
    }

    /// Refuses when an operation is under way or the disk is in the recycle bin.
    pub(super) fn check_idle(&self, busy: &'static str, recycled: &'static str) -> Result<(), ApiError> {
        if self.state == State::ToRecycle {
            let message =
                format!("The disk `{}` is in the recycle bin, TORECYCLE: renew it with RenewDisk first.", self.id);
            return Err(ApiError::new(recycled, message));
        }
        if self.state.is_passing() {
            let message = format!("The disk `{}` is {}: try again when that is over.", self.id, self.state.name());
            return Err(ApiError::new(busy, message));
        }
        Ok(())
    }

    /// Refuses while the type of the disk is being changed.
    pub(super) fn check_not_migrating(&self) -> Result<(), ApiError> {
        match &self.migration {
            None => Ok(()),
            Some(migration) => {
                let message =
                    format!("The disk `{}` is being changed to {}: try again later.", self.id, migration.to_kind);
                Err(ApiError::new("ResourceInUse.DiskMigrating", message))
            }
        }
    }

    /// Refuses disks that belong to their instance.
    pub(super) fn check_portable(&self, code: &'static str) -> Result<(), ApiError> {
        if self.portable {
            return Ok(());
        }
        let message = format!("The disk `{}` is not elastic: it stays with its instance.", self.id);
        Err(ApiError::new(code, message))
    }
}

/// The disk of this id, or the error that says it does not exist.
pub(super) fn find<'a>(region: &'a Region, id: &str, now: Time) -> Result<&'a Disk, ApiError> {
    check_id("DiskId", id, "disk")?;
    region.cbs.disks.get(id).filter(|disk| disk.is_seen(now)).ok_or_else(|| not_found(id))
}

/// The disks of these ids, all of them or the error for the first that does not exist.
pub(super) fn named<'a>(here: &'a Local<'_>, ids: &[String]) -> Result<Vec<&'a Disk>, ApiError> {
    ids.iter().map(|id| find(here.region, id, here.now)).collect()
}

pub(super) fn not_found(id: &str) -> ApiError {
    ApiError::new("InvalidDiskId.NotFound", format!("The disk `{id}` does not exist in this region."))
}

//! CBS: disks, snapshots and the policies that make snapshots by themselves.

use serde::{Deserialize, Serialize};

use crate::api::{Action, Api};
use crate::client_tokens::ClientTokens;
use crate::error::{ApiError, one_of};
use crate::listing::{self, Dialect};
use crate::table::Table;
use crate::tags::{self, Tag};

mod attach;
mod attributes;
mod billing;
mod catalog;
mod create;
mod devices;
mod disk_list;
mod disks;
mod instance_disks;
mod mounts;
mod policies;
mod policy_schedule;
mod prices;
mod resize;
mod rollback;
mod snapshots;
mod tasks;
mod terminate;

pub(crate) use catalog::{is_disk_type, sold_out as disk_sold_out};
pub use devices::BlockDevice;
pub(crate) use instance_disks::{
    NewDisk, Owner, charge_like_instance, data_disks_on, grow_system_disk, make_for_instance, prolong, release,
    system_disk_on,
};
pub(crate) use tasks::{Event, happen};

/// The service.
pub(crate) static API: Api = Api::new("cbs", "2017-03-12", include_str!("../../models/cbs-2017-03-12.json"), ACTIONS);

const ACTIONS: &[Action] = &[
    Action::new("CreateDisks", create::create),
    Action::new("DescribeDisks", disk_list::describe),
    Action::new("AttachDisks", attach::attach),
    Action::new("DetachDisks", attach::detach),
    Action::new("DescribeInstancesDiskNum", mounts::describe_numbers),
    Action::new("ResizeDisk", resize::resize),
    Action::new("ModifyDiskExtraPerformance", resize::extra_performance),
    Action::new("ModifyDiskAttributes", attributes::modify),
    Action::new("TerminateDisks", terminate::terminate),
    Action::new("ModifyDisksChargeType", billing::charge_type),
    Action::new("ModifyDisksRenewFlag", billing::renew_flag),
    Action::new("RenewDisk", billing::renew),
    Action::new("DescribeDiskConfigQuota", catalog::describe),
    Action::new("InquiryPriceCreateDisks", prices::of_new),
    Action::new("InquiryPriceResizeDisk", prices::of_growth),
    Action::new("InquiryPriceRenewDisks", prices::of_renewal),
    Action::new("InquirePriceModifyDiskExtraPerformance", prices::of_performance),
    Action::new("CreateSnapshot", snapshots::create),
    Action::new("DescribeSnapshots", snapshots::describe),
    Action::new("ModifySnapshotAttribute", snapshots::modify),
    Action::new("DeleteSnapshots", snapshots::delete),
    Action::new("ApplySnapshot", rollback::apply),
    Action::new("CreateAutoSnapshotPolicy", policies::create),
    Action::new("DescribeAutoSnapshotPolicies", policies::describe),
    Action::new("DescribeDiskAssociatedAutoSnapshotPolicy", policies::describe_of_disk),
    Action::new("ModifyAutoSnapshotPolicyAttribute", policies::modify),
    Action::new("DeleteAutoSnapshotPolicies", policies::delete),
    Action::new("BindAutoSnapshotPolicy", policies::bind),
    Action::new("UnbindAutoSnapshotPolicy", policies::unbind),
];

/// The resources of one region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    disks: Table<disks::Disk>,
    mounts: mounts::Mounts,
    snapshots: Table<snapshots::Snapshot>,
    policies: Table<policies::Policy>,
    /// What `CreateDisks` did for the client tokens it saw.
    client_tokens: ClientTokens,
    /// How many tasks were begun: each gets its number.
    tasks_begun: u64,
    /// How many prepaid disks were returned.
    refunds: usize,
}

/// The error codes of CBS lists.
const LISTS: Dialect = Dialect {
    coexist: "InvalidParameterValue",
    unknown_filter: "InvalidFilter",
    too_many_filters: "InvalidFilter",
    too_many_values: "InvalidFilter",
    too_many_ids: "InvalidParameterValue",
    bad_page: "InvalidParameterValue",
    most_filters: 10,
    most_values: 100,
    most_ids: 100,
    largest_page: 100,
};

const INVALID: &str = "InvalidParameterValue";
const TOO_MANY: &str = "InvalidParameterValue.LimitExceeded";
/// The name of what was given none.
const UNNAMED: &str = "未命名";

/// Checks a list of ids that an action works on: there are some, not too many, each of the right form. Ids named twice
/// count once.
fn work_ids((name, ids): (&str, Vec<String>), prefix: &str, most: usize) -> Result<Vec<String>, ApiError> {
    if ids.is_empty() {
        return Err(ApiError::missing(name));
    }
    let dialect = Dialect { most_ids: most, too_many_ids: TOO_MANY, ..LISTS };
    listing::check_ids((name, &ids), prefix, INVALID, &dialect)?;
    let mut once: Vec<String> = Vec::with_capacity(ids.len());
    for id in ids {
        if !once.contains(&id) {
            once.push(id);
        }
    }
    Ok(once)
}

/// Checks the form of one id.
fn check_id(name: &str, id: &str, prefix: &str) -> Result<(), ApiError> {
    listing::check_id((name, id), prefix, INVALID)
}

/// Names of disks and policies have at most 60 bytes; an empty one is none.
fn check_name(parameter: &str, name: Option<String>) -> Result<String, ApiError> {
    match name.filter(|name| !name.is_empty()) {
        None => Ok(UNNAMED.to_owned()),
        Some(name) if name.len() <= 60 => Ok(name),
        Some(name) => {
            let message = format!("`{parameter}` has at most 60 bytes; this one has {}.", name.len());
            Err(ApiError::new(INVALID, message))
        }
    }
}

/// Checks the tags of a request; CBS has codes of its own for what is wrong with them.
fn check_tags(tags: Option<Vec<Tag>>) -> Result<Vec<Tag>, ApiError> {
    tags::check(tags).map_err(|error| {
        let code =
            if error.code.starts_with("LimitExceeded") { "LimitExceeded.TagQuotaLimitExceeded" } else { INVALID };
        ApiError::new(code, error.message)
    })
}

/// The offset and limit of a list, which come as numbers of any size.
fn page(offset: Option<u64>, limit: Option<u64>) -> Result<listing::Page, ApiError> {
    let number = |given: Option<u64>| given.map(|given| i64::try_from(given).unwrap_or(i64::MAX));
    listing::Page::new(number(offset), number(limit), &LISTS)
}

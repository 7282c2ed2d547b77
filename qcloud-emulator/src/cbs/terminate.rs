//! `TerminateDisks`, and the ways of a disk out of the world.

use serde::Deserialize;
use serde_json::{Value, json};

use super::disks::{self, Disk, State, Usage};
use super::tasks::{self, Event};
use super::{mounts, rollback, snapshots, work_ids};
use crate::call::Call;
use crate::error::ApiError;
use crate::settings::{Quota, Task};
use crate::world::{Local, World};

pub(super) fn terminate(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        disk_ids: Vec<String>,
        delete_snapshot: Option<i64>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let ids = work_ids(("DiskIds", input.disk_ids), "disk", 100)?;
    if !matches!(input.delete_snapshot, None | Some(0 | 1)) {
        return Err(ApiError::invalid_value("`DeleteSnapshot` must be 0 or 1."));
    }
    let mut refunds = here.region.cbs.refunds;
    for disk in disks::named(&here, &ids)? {
        check(disk)?;
        snapshots::check_none_in_creation(here.region, &disk.id, "ResourceBusy")?;
        refunds += usize::from(disk.prepaid.is_some());
    }
    let limit = here.settings.limit(Quota::DiskRefunds);
    if refunds > limit && refunds > here.region.cbs.refunds {
        let message = format!("Only {limit} prepaid disks may be returned here, and {} were.", here.region.cbs.refunds);
        return Err(ApiError::new("InsufficientRefundQuota", message));
    }
    here.region.cbs.refunds = refunds;
    for id in ids {
        let Some(disk) = here.region.cbs.disks.get_mut(&id) else { continue };
        disk.delete_snapshots |= input.delete_snapshot == Some(1);
        if disk.prepaid.is_some() {
            recycle(&mut here, &id);
        } else {
            destroy(&mut here, &id, true);
        }
    }
    Ok(json!({}))
}

fn check(disk: &Disk) -> Result<(), ApiError> {
    let refuse = |code: &'static str, why: String| Err(ApiError::new(code, format!("The disk `{}` {why}", disk.id)));
    if disk.usage == Usage::System || !disk.portable {
        return refuse("ResourceUnavailable.NotSupportRefund", "belongs to its instance and goes with it.".to_owned());
    }
    match disk.state {
        State::Unattached if disk.migration.is_none() => Ok(()),
        State::ToRecycle => {
            refuse("ResourceUnavailable.RepeatRefund", "was returned already, it is TORECYCLE.".to_owned())
        }
        State::Attached => refuse("ResourceUnavailable.NotSupported", "is attached: detach it first.".to_owned()),
        state => refuse("ResourceBusy", format!("is {}: try again when that is over.", state.name())),
    }
}

/// Puts a prepaid disk into the recycle bin.
pub(super) fn recycle(here: &mut Local<'_>, id: &str) {
    leave(here, id);
    let work = tasks::work(here, here.now, Task::DiskRecycle);
    let event = Event::Recycled { disk: id.to_owned(), number: work.number };
    tasks::plan(here, work.to, event);
    if let Some(disk) = here.region.cbs.disks.get_mut(id) {
        disk.state = State::ToRecycle;
        disk.migration = None;
        disk.work = Some(work);
    }
}

/// The time of a disk in the recycle bin is over, unless it was renewed meanwhile.
pub(super) fn recycled(here: &mut Local<'_>, id: &str, number: u64) {
    let still_there =
        here.region.cbs.disks.get(id).and_then(|disk| disk.work.as_ref()).is_some_and(|work| work.number == number);
    if still_there {
        destroy(here, id, true);
    }
}

/// Removes a disk for good, with its passing snapshots if it is set so and `with_snapshots`.
pub(super) fn destroy(here: &mut Local<'_>, id: &str, with_snapshots: bool) {
    leave(here, id);
    if let Some(disk) = here.region.cbs.disks.remove(id)
        && disk.delete_snapshots
        && with_snapshots
    {
        snapshots::drop_passing(here.region, id);
    }
}

/// Takes a disk off its instances, its policies and the snapshot that it is being rolled back to.
fn leave(here: &mut Local<'_>, id: &str) {
    mounts::take_everywhere(here.region, id);
    rollback::abandon(here.region, id);
    let policies: Vec<String> = here.region.cbs.policies.values().map(|policy| policy.id.clone()).collect();
    for policy in policies {
        if let Some(policy) = here.region.cbs.policies.get_mut(&policy) {
            policy.disks.retain(|disk| disk != id);
        }
    }
}

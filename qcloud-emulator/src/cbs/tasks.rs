//! What takes time: tasks on disks, and what happens by itself.

use serde::{Deserialize, Serialize};

use super::disks::{State, Work};
use super::{billing, mounts, policies, rollback, snapshots, terminate};
use crate::clock::Time;
use crate::settings::Task;
use crate::world::{Event as WorldEvent, Local};

/// Something that is to happen to the disks of a region.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Event {
    /// A task on a disk comes to its end; void when the disk has another task by now, or none.
    TaskEnds {
        disk: String,
        number: u64,
        end: End,
    },
    /// A disk has got its new type.
    Migrated {
        disk: String,
        number: u64,
    },
    /// A prepaid disk reaches the end of what was paid.
    Expires {
        disk: String,
    },
    /// A disk's time in the recycle bin is over.
    Recycled {
        disk: String,
        number: u64,
    },
    SnapshotMade {
        snapshot: String,
    },
    SnapshotExpires {
        snapshot: String,
    },
    /// A policy makes its snapshots; void when its schedule has changed since.
    PolicyRuns {
        policy: String,
        number: u64,
    },
}

/// What a task on a disk leads to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum End {
    Attached {
        instance: String,
    },
    Detached {
        instance: String,
    },
    Grown {
        size: u64,
    },
    RolledBack {
        snapshot: String,
        start: Option<String>,
    },
    /// It failed: the disk is as before.
    Failed(Box<Self>),
}

/// A number for a task, so that its end can be told from the ends of others.
pub(super) fn number(here: &mut Local<'_>) -> u64 {
    here.region.cbs.tasks_begun += 1;
    here.region.cbs.tasks_begun
}

/// Plans something for later.
pub(super) fn plan(here: &mut Local<'_>, at: Time, event: Event) {
    here.plan(at, WorldEvent::Cbs(event));
}

/// Begins a task that will be over after its usual time.
pub(super) fn work(here: &mut Local<'_>, from: Time, task: Task) -> Work {
    Work { number: number(here), from, to: from.after(here.settings.duration(task)), instance: None }
}

/// Begins a task on a disk and plans its end.
pub(super) fn begin(here: &mut Local<'_>, disk_id: &str, state: State, task: Task, end: End) {
    begin_from(here, here.now, disk_id, state, (task, end));
}

/// As [`begin`], for a task that starts later.
pub(super) fn begin_from(here: &mut Local<'_>, from: Time, disk_id: &str, state: State, (task, end): (Task, End)) {
    let mut work = work(here, from, task);
    if let End::Attached { instance } | End::Detached { instance } = &end {
        work.instance = Some(instance.clone());
    }
    let (to, number) = (work.to, work.number);
    let end = if here.fails(task) { End::Failed(Box::new(end)) } else { end };
    if let Some(disk) = here.region.cbs.disks.get_mut(disk_id) {
        disk.state = state;
        disk.work = Some(work);
        plan(here, to, Event::TaskEnds { disk: disk_id.to_owned(), number, end });
    }
}

/// Lets something happen whose time has come.
pub(crate) fn happen(here: &mut Local<'_>, event: Event) {
    match event {
        Event::TaskEnds { disk, number, end } => task_ends(here, &disk, number, end),
        Event::Migrated { disk, number } => migrated(here, &disk, number),
        Event::Expires { disk } => billing::expires(here, &disk),
        Event::Recycled { disk, number } => terminate::recycled(here, &disk, number),
        Event::SnapshotMade { snapshot } => snapshots::made(here, &snapshot),
        Event::SnapshotExpires { snapshot } => snapshots::expires(here, &snapshot),
        Event::PolicyRuns { policy, number } => policies::runs(here, &policy, number),
    }
}

fn task_ends(here: &mut Local<'_>, disk_id: &str, number: u64, end: End) {
    let Some(disk) = here.region.cbs.disks.get_mut(disk_id) else { return };
    if disk.work.as_ref().is_none_or(|work| work.number != number) {
        return;
    }
    disk.work = None;
    match end {
        End::Attached { instance } => {
            if let Some(attachment) = disk.attachments.iter_mut().find(|attachment| attachment.instance == instance) {
                attachment.ready = true;
            }
        }
        End::Grown { size } => disk.size = size,
        End::Detached { instance } => mounts::take(here.region, disk_id, &instance),
        End::RolledBack { snapshot, start } => rollback::done(here, &snapshot, start.as_deref()),
        End::Failed(end) => match *end {
            End::Attached { instance } => mounts::take(here.region, disk_id, &instance),
            End::RolledBack { snapshot, .. } => rollback::done(here, &snapshot, None),
            End::Detached { .. } | End::Grown { .. } | End::Failed(_) => {}
        },
    }
    if let Some(disk) = here.region.cbs.disks.get_mut(disk_id) {
        disk.state = disk.resting_state();
    }
}

fn migrated(here: &mut Local<'_>, disk_id: &str, number: u64) {
    let Some(disk) = here.region.cbs.disks.get_mut(disk_id) else { return };
    if disk.migration.as_ref().is_some_and(|migration| migration.work.number == number)
        && let Some(migration) = disk.migration.take()
    {
        disk.kind = migration.to_kind;
    }
}

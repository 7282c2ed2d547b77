//! The disks that come with an instance, and what becomes of disks when their instance goes.

use super::disks::{Disk, Encryption, Prepaid, State, Usage};
use super::{UNNAMED, mounts, terminate};
use crate::clock::Time;
use crate::world::{Local, Region};

/// The instance that a disk comes with.
#[derive(Debug)]
pub(crate) struct Owner<'a> {
    pub(crate) instance: &'a str,
    pub(crate) zone: &'a str,
    pub(crate) project_id: i64,
    /// Until when a prepaid instance is paid, and its renewal flag.
    pub(crate) prepaid: Option<(Time, &'a str)>,
}

/// A disk that comes with an instance.
#[derive(Debug)]
pub(crate) struct NewDisk {
    pub(crate) is_system: bool,
    pub(crate) kind: String,
    pub(crate) size: i64,
    pub(crate) name: String,
    pub(crate) delete_with_instance: bool,
    pub(crate) encrypted: bool,
    pub(crate) snapshot_id: String,
}

/// Makes a disk together with its instance. It is attached from the start.
pub(crate) fn make_for_instance(here: &mut Local<'_>, owner: &Owner<'_>, new: NewDisk) {
    let id = here.ids.new_id("disk");
    let encryption = Encryption { generation: "ENCRYPT_V2".to_owned(), key: String::new() };
    let disk = Disk {
        id: id.clone(),
        name: if new.name.is_empty() { UNNAMED.to_owned() } else { new.name },
        kind: new.kind,
        size: u64::try_from(new.size).unwrap_or_default(),
        zone: owner.zone.to_owned(),
        project_id: u64::try_from(owner.project_id).unwrap_or_default(),
        usage: if new.is_system { Usage::System } else { Usage::Data },
        portable: !new.is_system,
        shareable: false,
        encryption: new.encrypted.then_some(encryption),
        throughput: 0,
        bursting: false,
        prepaid: owner.prepaid.map(prepaid),
        delete_with_instance: new.delete_with_instance,
        delete_snapshots: false,
        backup_quota: 0,
        source_snapshot: new.snapshot_id,
        tags: Vec::new(),
        state: State::Attached,
        work: None,
        migration: None,
        attachments: Vec::new(),
        last_instance: None,
        created: here.now,
        visible: here.now,
    };
    here.region.cbs.disks.insert(id.clone(), disk);
    mounts::put(here.region, &id, owner.instance, true);
}

/// The system disk of an instance.
pub(crate) fn system_disk_on<'a>(region: &'a Region, instance: &'a str) -> Option<&'a Disk> {
    mounts::disks_on(region, instance).find(|disk| disk.usage == Usage::System)
}

/// The data disks on an instance, in the order of their attachment. Those that are still being attached are left out.
pub(crate) fn data_disks_on<'a>(region: &'a Region, instance: &'a str) -> impl Iterator<Item = &'a Disk> {
    mounts::disks_on(region, instance).filter(move |disk| {
        disk.usage == Usage::Data && disk.attachments.iter().any(|place| place.ready && place.instance == instance)
    })
}

/// Grows the system disk of an instance that is being reinstalled.
pub(crate) fn grow_system_disk(region: &mut Region, instance: &str, size: i64) {
    let id = system_disk_on(region, instance).map(|disk| disk.id.clone());
    if let Some(disk) = id.and_then(|id| region.cbs.disks.get_mut(&id)) {
        disk.size = disk.size.max(u64::try_from(size).unwrap_or_default());
    }
}

/// An instance is charged otherwise from now on: prepaid until a time with a renewal flag, or by the hour. So are its
/// disks, those that could be detached only when it is asked for.
pub(crate) fn charge_like_instance(region: &mut Region, instance: &str, paid: Option<(Time, &str)>, portable: bool) {
    for disk in own_disks(region, instance).filter(|disk| portable || !disk.portable) {
        disk.prepaid = paid.map(prepaid);
    }
}

/// An instance was renewed: so are its prepaid disks, those that could be detached unless it is unwanted.
pub(crate) fn prolong(region: &mut Region, instance: &str, paid: (Time, &str), portable: bool) {
    let disks = own_disks(region, instance).filter(|disk| portable || !disk.portable);
    for disk in disks.filter(|disk| disk.prepaid.as_ref().is_some_and(|prepaid| prepaid.deadline < paid.0)) {
        disk.prepaid = Some(prepaid(paid));
    }
}

/// The disks that are on no instance but this one.
fn own_disks<'a>(region: &'a mut Region, instance: &'a str) -> impl Iterator<Item = &'a mut Disk> {
    let state = &mut region.cbs;
    let ids = state.mounts.on(instance);
    state.disks.values_mut().filter(|disk| ids.contains(&disk.id) && !disk.shareable)
}

fn prepaid((deadline, renew_flag): (Time, &str)) -> Prepaid {
    Prepaid { deadline, renew_flag: renew_flag.to_owned(), renew_months: 1 }
}

/// An instance is gone: disks that go with it are destroyed, all others are left without an instance.
pub(crate) fn release(here: &mut Local<'_>, instance: &str, prepaid_too: bool) {
    let disks: Vec<String> = here.region.cbs.mounts.on(instance).to_vec();
    for id in disks {
        let Some(disk) = here.region.cbs.disks.get(&id) else { continue };
        let goes = match (disk.usage, &disk.prepaid) {
            _ if disk.shareable && disk.attachments.len() > 1 => false,
            (Usage::System, _) => true,
            (Usage::Data, None) => disk.delete_with_instance || disk.kind.starts_with("LOCAL_"),
            (Usage::Data, Some(_)) => prepaid_too,
        };
        if goes {
            terminate::destroy(here, &id, false);
            continue;
        }
        mounts::take(here.region, &id, instance);
        if let Some(disk) = here.region.cbs.disks.get_mut(&id) {
            // What was under way with the instance is over; growing and rolling back go on.
            if disk.work.as_ref().is_some_and(|work| work.instance.as_deref() == Some(instance)) {
                disk.work = None;
            }
            if disk.work.is_none() && disk.state != State::ToRecycle {
                disk.state = disk.resting_state();
            }
        }
    }
}

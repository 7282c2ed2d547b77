//! A disk: made, attached, kept as a snapshot, detached.

use qcloud_cbs::model::{
    AttachDisks, CreateDisks, CreateSnapshot, DeleteSnapshots, DetachDisks, DiskChargeType, DiskType, Placement,
    TerminateDisks,
};
use qcloud_cbs::wait::{is_attached, is_complete, is_disk_gone, is_snapshot_gone, is_unattached};

use crate::Step;
use crate::account::Account;
use crate::network::Network;
use crate::progress::progress;

pub(crate) struct Storage {
    disks: Vec<String>,
    snapshots: Vec<String>,
}

pub(crate) async fn create(account: &Account, network: &Network, instance: &str) -> Step<Storage> {
    account.title("A disk");
    let request =
        CreateDisks::new(Placement::new(&*network.zone), DiskChargeType::PostpaidByHour, DiskType::CloudPremium)
            .disk_name("tour")
            .disk_size(50_u64)
            .tags([("made-by", "tour")]);
    let disks = account.cbs.create_disks(request).await?.disk_id_set;
    account.cbs.wait_for_disks(&disks, is_unattached()).on_poll(progress("created")).await?;
    account.tell(&format!("{} with 50 GiB", disks.join(" ")));

    account.cbs.attach_disks(AttachDisks::new(instance, &disks)).await?;
    account.cbs.wait_for_disks(&disks, is_attached()).on_poll(progress("attached")).await?;
    account.tell(&format!("attached to {instance}"));

    let request = CreateSnapshot::new().disk_id(disks.first().map_or("", |disk| disk)).snapshot_name("tour");
    let snapshots: Vec<String> = account.cbs.create_snapshot(request).await?.snapshot_id.into_iter().collect();
    account.cbs.wait_for_snapshots(&snapshots, is_complete()).on_poll(progress("complete")).await?;
    account.tell(&format!("snapshot {}", snapshots.join(" ")));

    account.cbs.detach_disks(DetachDisks::new(&disks)).await?;
    account.cbs.wait_for_disks(&disks, is_unattached()).on_poll(progress("detached")).await?;
    account.tell("detached");
    Ok(Storage { disks, snapshots })
}

pub(crate) async fn delete(account: &Account, storage: &Storage) -> Step {
    account.cbs.delete_snapshots(DeleteSnapshots::new(&storage.snapshots)).await?;
    account.cbs.wait_for_snapshots(&storage.snapshots, is_snapshot_gone()).await?;
    account.cbs.terminate_disks(TerminateDisks::new(&storage.disks)).await?;
    account.cbs.wait_for_disks(&storage.disks, is_disk_gone()).await?;
    account.tell("snapshot and disk deleted");
    Ok(())
}

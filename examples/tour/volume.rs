//! A persistent volume: created, attached, expanded, kept as a snapshot, restored.

use std::time::Duration;

use qcloud_container::kubernetes::ProviderError;
use qcloud_container::kubernetes::volumes::{
    Access, GIB, SizeRange, Snapshot, SnapshotRequest, Volume, VolumeRequest, ZoneRequirement,
};

use crate::Step;
use crate::account::Account;
use crate::cluster::Cluster;
use crate::nodes::Node;
use crate::patience::insist;

/// What has to go in the end.
pub(crate) struct Storage {
    node: String,
    volumes: Vec<Volume>,
    snapshot: Snapshot,
}

pub(crate) async fn create(account: &Account, cluster: &Cluster, node: &Node) -> Step<Storage> {
    account.title("A persistent volume");
    let volumes = &*cluster.volumes;
    let zone = || ZoneRequirement::one_of([&node.machine.zone]);
    let request = VolumeRequest::new("pvc-data", SizeRange::at_least(20 * GIB))
        .zones(zone())
        .parameter("diskType", "CLOUD_PREMIUM");
    let data = insist("the volume", || volumes.create(&request)).await?;
    account.tell(&format!("{} with {} GiB in {}", data.id, data.size / GIB, data.zone));

    let machine = node.machine.id.as_str();
    insist("attaching", || volumes.attach(&data.id, machine, Access::SINGLE_WRITER)).await?;
    account.tell(&format!("attached to {}, which takes {} volumes", node.name, volumes.attach_limit(machine).await?));
    let data = insist("expanding", || volumes.expand(&data.id, SizeRange::at_least(35 * GIB))).await?;
    account.tell(&format!("expanded to {} GiB: 35 were asked for", data.size / GIB));

    let request = SnapshotRequest::new("before-the-upgrade", &data.id);
    let snapshot = insist("the snapshot", || async {
        let snapshot = volumes.create_snapshot(&request).await?;
        let wait = || ProviderError::pending("it is not complete", Duration::from_millis(500));
        if snapshot.ready { Ok(snapshot) } else { Err(wait()) }
    })
    .await?;
    account.tell(&format!("snapshot {}", snapshot.id));
    let request = VolumeRequest::new("pvc-restored", SizeRange::at_least(data.size)).zones(zone()).source(&snapshot.id);
    let restored = insist("the restored volume", || volumes.create(&request)).await?;
    account.tell(&format!("restored as {} with {} GiB", restored.id, restored.size / GIB));
    Ok(Storage { node: machine.to_owned(), volumes: vec![data, restored], snapshot })
}

pub(crate) async fn delete(account: &Account, cluster: &Cluster, storage: &Storage) -> Step {
    let volumes = &*cluster.volumes;
    for volume in &storage.volumes {
        insist("detaching", || volumes.detach(&volume.id, Some(&storage.node))).await?;
        insist("the volume goes", || volumes.delete(&volume.id)).await?;
    }
    insist("the snapshot goes", || volumes.delete_snapshot(&storage.snapshot.id)).await?;
    account.tell("volumes and snapshot deleted");
    Ok(())
}

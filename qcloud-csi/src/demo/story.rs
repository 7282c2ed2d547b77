//! What a volume goes through: each step is the call that a sidecar or the kubelet makes, over the socket.

use std::path::Path;
use std::time::Duration;

use tonic::transport::{Channel, Endpoint};

use super::cloud::Cloud;
use super::{Failure, Result};
use crate::driver::DEVICE_SERIAL;
use crate::node::fake::{FakeDisks, FakeHost};
use crate::proto::controller_client::ControllerClient;
use crate::proto::identity_client::IdentityClient;
use crate::proto::node_client::NodeClient;
use crate::proto::volume_capability::access_mode::Mode;
use crate::proto::volume_capability::{AccessMode, AccessType, MountVolume};
use crate::proto::volume_content_source::{SnapshotSource, Type as Source};
use crate::proto::{
    CapacityRange, ControllerExpandVolumeRequest, ControllerPublishVolumeRequest, ControllerUnpublishVolumeRequest,
    CreateSnapshotRequest, CreateVolumeRequest, DeleteSnapshotRequest, DeleteVolumeRequest, GetPluginInfoRequest,
    ListSnapshotsRequest, ListVolumesRequest, NodeExpandVolumeRequest, NodeGetInfoRequest, NodeGetVolumeStatsRequest,
    NodePublishVolumeRequest, NodeStageVolumeRequest, NodeUnpublishVolumeRequest, NodeUnstageVolumeRequest,
    ProbeRequest, Snapshot, TopologyRequirement, Volume, VolumeCapability, VolumeContentSource,
};

const GIB: i64 = 1 << 30;
/// What a pod writes.
const TEXT: &[u8] = b"kept across nodes and snapshots";
/// When a snapshot that is not ready is asked for again.
const PAUSE: Duration = Duration::from_millis(100);
/// How often that is done.
const LOOKS: usize = 200;

/// Those who call the driver.
struct Callers<'a> {
    identity: IdentityClient<Channel>,
    controller: ControllerClient<Channel>,
    node: NodeClient<Channel>,
    cloud: &'a Cloud,
    machine: &'a FakeHost,
    disks: &'a FakeDisks,
}

fn title(text: &str) {
    println!("\n{text}");
}

fn say(text: &str) {
    println!("  {text}");
}

fn gib(bytes: i64) -> String {
    format!("{} GiB", bytes / GIB)
}

fn capability() -> VolumeCapability {
    VolumeCapability {
        access_mode: Some(AccessMode { mode: Mode::SingleNodeWriter.into() }),
        access_type: Some(AccessType::Mount(MountVolume { fs_type: "ext4".to_owned(), ..MountVolume::default() })),
    }
}

fn staging(volume: &str) -> String {
    format!("/var/lib/kubelet/plugins/kubernetes.io/csi/{volume}/globalmount")
}

fn target(volume: &str) -> String {
    format!("/var/lib/kubelet/pods/demo/volumes/kubernetes.io~csi/{volume}/mount")
}

fn expect(met: bool, failure: &str) -> Result<()> {
    if met { Ok(()) } else { Err(failure.into()) }
}

/// Tells the whole story. Whatever does not happen as it should ends it.
pub(super) async fn tell(endpoint: &str, cloud: &Cloud, machine: &FakeHost, disks: &FakeDisks) -> Result<()> {
    let channel = Endpoint::from_shared(endpoint.to_owned())?.connect().await?;
    let mut callers = Callers {
        identity: IdentityClient::new(channel.clone()),
        controller: ControllerClient::new(channel.clone()),
        node: NodeClient::new(channel),
        cloud,
        machine,
        disks,
    };
    callers.meet().await?;

    title("A claim for 15 GiB appears");
    let volume = callers.create("pvc-data", 15, None).await?;
    let id = &volume.volume_id;
    callers.publish(&volume).await?;
    callers.mount(&volume).await?;
    let file = format!("{}/note.txt", target(id));
    machine.write(Path::new(&file), TEXT)?;
    say("a pod writes note.txt");

    title("It is kept as a snapshot, and restored into a second volume");
    let snapshot = callers.snapshot("snapshot-1", id).await?;
    let copy = callers.create("pvc-copy", 15, Some(&snapshot)).await?;
    disks.copy(&snapshot.snapshot_id, &copy.volume_id);
    callers.publish(&copy).await?;
    callers.mount(&copy).await?;
    let copied = machine.read(Path::new(&format!("{}/note.txt", target(&copy.volume_id))))?;
    expect(copied == TEXT, "the copy holds something else")?;
    say("another pod reads from it what the first one wrote");

    title("It grows while the pod uses it");
    callers.grow(&volume, 40).await?;
    expect(machine.read(Path::new(&file))? == TEXT, "what was written is gone")?;
    say("and the note is still there");

    title("Pods, claims and snapshot are deleted");
    for volume in [&volume, &copy] {
        callers.release(&volume.volume_id).await?;
    }
    callers.forget(&snapshot.snapshot_id).await
}

impl Callers<'_> {
    async fn meet(&mut self) -> Result<()> {
        title("The sidecars meet the driver");
        let plugin = self.identity.get_plugin_info(GetPluginInfoRequest {}).await?.into_inner();
        let ready = self.identity.probe(ProbeRequest {}).await?.into_inner().ready;
        expect(ready != Some(false), "the driver is not ready")?;
        say(&format!("{} {} is ready", plugin.name, plugin.vendor_version));
        let node = self.node.node_get_info(NodeGetInfoRequest {}).await?.into_inner();
        let zone = node.accessible_topology.and_then(|place| place.segments.into_values().next()).unwrap_or_default();
        say(&format!("the node is {} in {zone}, and takes {} volumes", node.node_id, node.max_volumes_per_node));
        Ok(())
    }

    async fn create(&mut self, name: &str, size: i64, from: Option<&Snapshot>) -> Result<Volume> {
        let info = self.node.node_get_info(NodeGetInfoRequest {}).await?.into_inner();
        let source = from.map(|snapshot| {
            let snapshot_id = snapshot.snapshot_id.clone();
            VolumeContentSource { r#type: Some(Source::Snapshot(SnapshotSource { snapshot_id })) }
        });
        let request = CreateVolumeRequest {
            name: name.to_owned(),
            capacity_range: Some(CapacityRange { required_bytes: size * GIB, limit_bytes: 0 }),
            volume_capabilities: vec![capability()],
            parameters: [("diskType".to_owned(), "CLOUD_PREMIUM".to_owned())].into(),
            volume_content_source: source,
            accessibility_requirements: Some(TopologyRequirement {
                requisite: info.accessible_topology.into_iter().collect(),
                preferred: Vec::new(),
            }),
            ..CreateVolumeRequest::default()
        };
        let made = self.controller.create_volume(request.clone()).await?.into_inner().volume;
        let volume = made.ok_or("no volume was made")?;
        let again = self.controller.create_volume(request).await?.into_inner().volume;
        expect(again.as_ref() == Some(&volume), "asked again, the driver made another volume")?;
        say(&format!(
            "{name} is {} with {}; asked again, it is the same",
            volume.volume_id,
            gib(volume.capacity_bytes)
        ));
        Ok(volume)
    }

    async fn publish(&mut self, volume: &Volume) -> Result<()> {
        let request = ControllerPublishVolumeRequest {
            volume_id: volume.volume_id.clone(),
            node_id: self.cloud.node.clone(),
            volume_capability: Some(capability()),
            volume_context: volume.volume_context.clone(),
            ..ControllerPublishVolumeRequest::default()
        };
        let context = self.controller.controller_publish_volume(request).await?.into_inner().publish_context;
        let serial = context.get(DEVICE_SERIAL).ok_or("the node is not told what to look for")?;
        say(&format!("{} has it, as the device with the serial number {serial}", self.cloud.node));
        Ok(())
    }

    async fn mount(&mut self, volume: &Volume) -> Result<()> {
        let id = &volume.volume_id;
        let publish_context = [(DEVICE_SERIAL.to_owned(), id.clone())];
        self.node
            .node_stage_volume(NodeStageVolumeRequest {
                volume_id: id.clone(),
                staging_target_path: staging(id),
                volume_capability: Some(capability()),
                publish_context: publish_context.clone().into(),
                volume_context: volume.volume_context.clone(),
                ..NodeStageVolumeRequest::default()
            })
            .await?;
        self.node
            .node_publish_volume(NodePublishVolumeRequest {
                volume_id: id.clone(),
                staging_target_path: staging(id),
                target_path: target(id),
                volume_capability: Some(capability()),
                publish_context: publish_context.into(),
                volume_context: volume.volume_context.clone(),
                ..NodePublishVolumeRequest::default()
            })
            .await?;
        for done in self.machine.take_log() {
            say(&format!("on the node: {done}"));
        }
        Ok(())
    }

    async fn snapshot(&mut self, name: &str, volume: &str) -> Result<Snapshot> {
        let request = CreateSnapshotRequest {
            name: name.to_owned(),
            source_volume_id: volume.to_owned(),
            ..CreateSnapshotRequest::default()
        };
        for look in 0..LOOKS {
            let taken = self.controller.create_snapshot(request.clone()).await?.into_inner().snapshot;
            let snapshot = taken.ok_or("no snapshot was taken")?;
            if look == 0 {
                // What the cloud does with the content, which an emulator of its API has none of.
                self.disks.copy(volume, &snapshot.snapshot_id);
            }
            if snapshot.ready_to_use {
                say(&format!("{} holds {}", snapshot.snapshot_id, gib(snapshot.size_bytes)));
                return Ok(snapshot);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(Failure::from("the snapshot does not get ready"))
    }

    async fn grow(&mut self, volume: &Volume, size: i64) -> Result<()> {
        let id = &volume.volume_id;
        let range = CapacityRange { required_bytes: size * GIB, limit_bytes: 0 };
        let request = ControllerExpandVolumeRequest {
            volume_id: id.clone(),
            capacity_range: Some(range),
            volume_capability: Some(capability()),
            ..ControllerExpandVolumeRequest::default()
        };
        let grown = self.controller.controller_expand_volume(request).await?.into_inner();
        say(&format!("the disk has {}", gib(grown.capacity_bytes)));
        expect(grown.node_expansion_required, "the file system was forgotten")?;
        self.node
            .node_expand_volume(NodeExpandVolumeRequest {
                volume_id: id.clone(),
                volume_path: target(id),
                staging_target_path: staging(id),
                capacity_range: Some(range),
                volume_capability: Some(capability()),
                ..NodeExpandVolumeRequest::default()
            })
            .await?;
        let request = NodeGetVolumeStatsRequest {
            volume_id: id.clone(),
            volume_path: target(id),
            staging_target_path: staging(id),
        };
        let usage = self.node.node_get_volume_stats(request).await?.into_inner().usage;
        let total = usage.iter().map(|usage| usage.total).max().unwrap_or_default();
        expect(total > volume.capacity_bytes, "the file system did not grow")?;
        say(&format!("its file system has {}", gib(total)));
        Ok(())
    }

    /// Takes a volume from its pod and node, and deletes it.
    async fn release(&mut self, id: &str) -> Result<()> {
        let request = NodeUnpublishVolumeRequest { volume_id: id.to_owned(), target_path: target(id) };
        self.node.node_unpublish_volume(request).await?;
        let request = NodeUnstageVolumeRequest { volume_id: id.to_owned(), staging_target_path: staging(id) };
        self.node.node_unstage_volume(request).await?;
        let request = ControllerUnpublishVolumeRequest {
            volume_id: id.to_owned(),
            node_id: self.cloud.node.clone(),
            ..ControllerUnpublishVolumeRequest::default()
        };
        self.controller.controller_unpublish_volume(request).await?;
        let request = DeleteVolumeRequest { volume_id: id.to_owned(), ..DeleteVolumeRequest::default() };
        self.controller.delete_volume(request).await?;
        say(&format!("{id} is unmounted, detached and deleted"));
        Ok(())
    }

    /// Deletes the snapshot, and looks whether anything is left.
    async fn forget(&mut self, snapshot: &str) -> Result<()> {
        let request = DeleteSnapshotRequest { snapshot_id: snapshot.to_owned(), ..DeleteSnapshotRequest::default() };
        self.controller.delete_snapshot(request).await?;
        let volumes = self.controller.list_volumes(ListVolumesRequest::default()).await?.into_inner().entries;
        let snapshots = self.controller.list_snapshots(ListSnapshotsRequest::default()).await?.into_inner().entries;
        expect(volumes.is_empty() && snapshots.is_empty(), "something is left behind")?;
        say(&format!("{snapshot} is deleted; the lists of volumes and snapshots are empty"));
        Ok(())
    }
}

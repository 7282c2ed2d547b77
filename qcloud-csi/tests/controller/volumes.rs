//! Volumes in memory on which work takes until the test lets it end.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use qcloud_container::kubernetes::Result;
use qcloud_container::kubernetes::volumes::{
    Access, Attachment, Capacity, CapacityRequest, InMemoryNode, InMemoryVolumes, Page, PageRequest, SizeRange,
    Snapshot, SnapshotFilter, SnapshotRequest, Volume, VolumeRequest, Volumes,
};
use qcloud_csi::controller::ControllerService;
use qcloud_csi::driver::Driver;
use qcloud_csi::proto::controller_server::Controller;
use qcloud_csi::proto::volume_capability::access_mode::Mode;
use qcloud_csi::proto::volume_capability::{AccessMode, AccessType, BlockVolume};
use qcloud_csi::proto::{ControllerPublishVolumeRequest, CreateVolumeRequest, VolumeCapability};
use tokio::sync::watch;
use tonic::Request;

pub(crate) const NODE: &str = "node-1";

/// Volumes whose work ends when the switch is on, and which can't be modified before.
pub(crate) struct Slow {
    volumes: InMemoryVolumes,
    ends: watch::Receiver<bool>,
}

/// A controller over slow volumes, and the switch.
pub(crate) fn slow() -> (ControllerService, watch::Sender<bool>) {
    let (switch, ends) = watch::channel(false);
    let volumes = InMemoryVolumes::new([InMemoryNode::new(NODE, "zone-1", 8)]);
    (ControllerService::new(Driver::default(), Arc::new(Slow { volumes, ends })), switch)
}

pub(crate) fn create(name: &str) -> CreateVolumeRequest {
    CreateVolumeRequest {
        name: name.to_owned(),
        volume_capabilities: vec![capability()],
        ..CreateVolumeRequest::default()
    }
}

pub(crate) fn publish(volume: &str) -> ControllerPublishVolumeRequest {
    ControllerPublishVolumeRequest {
        volume_id: volume.to_owned(),
        node_id: NODE.to_owned(),
        volume_capability: Some(capability()),
        ..ControllerPublishVolumeRequest::default()
    }
}

fn capability() -> VolumeCapability {
    VolumeCapability {
        access_mode: Some(AccessMode { mode: Mode::SingleNodeWriter.into() }),
        access_type: Some(AccessType::Block(BlockVolume {})),
    }
}

/// A new volume's id.
pub(crate) async fn volume(controller: &ControllerService, name: &str) -> String {
    controller.create_volume(Request::new(create(name))).await.unwrap().into_inner().volume.unwrap().volume_id
}

#[async_trait]
impl Volumes for Slow {
    async fn settled(&self, id: &str) -> Result<Volume> {
        self.ends.clone().wait_for(|ends| *ends).await.expect("the switch is gone");
        self.volumes.settled(id).await
    }

    async fn create(&self, request: &VolumeRequest) -> Result<Volume> {
        self.volumes.create(request).await
    }

    async fn get(&self, id: &str) -> Result<Volume> {
        self.volumes.get(id).await
    }

    async fn list(&self, page: &PageRequest) -> Result<Page<Volume>> {
        self.volumes.list(page).await
    }

    async fn delete(&self, id: &str) -> Result<()> {
        self.volumes.delete(id).await
    }

    async fn attach(&self, id: &str, node: &str, access: Access) -> Result<Attachment> {
        self.volumes.attach(id, node, access).await
    }

    async fn detach(&self, id: &str, node: Option<&str>) -> Result<()> {
        self.volumes.detach(id, node).await
    }

    async fn expand(&self, id: &str, size: SizeRange) -> Result<Volume> {
        self.volumes.expand(id, size).await
    }

    async fn modify(&self, id: &str, parameters: &BTreeMap<String, String>) -> Result<Volume> {
        self.ends.clone().wait_for(|ends| *ends).await.expect("the switch is gone");
        self.volumes.modify(id, parameters).await
    }

    async fn attach_limit(&self, node: &str) -> Result<u32> {
        self.volumes.attach_limit(node).await
    }

    async fn capacity(&self, request: &CapacityRequest) -> Result<Capacity> {
        self.volumes.capacity(request).await
    }

    async fn create_snapshot(&self, request: &SnapshotRequest) -> Result<Snapshot> {
        self.volumes.create_snapshot(request).await
    }

    async fn get_snapshot(&self, id: &str) -> Result<Snapshot> {
        self.volumes.get_snapshot(id).await
    }

    async fn list_snapshots(&self, filter: &SnapshotFilter, page: &PageRequest) -> Result<Page<Snapshot>> {
        self.volumes.list_snapshots(filter, page).await
    }

    async fn delete_snapshot(&self, id: &str) -> Result<()> {
        self.volumes.delete_snapshot(id).await
    }
}

//! A node with one disk, and the requests that a kubelet makes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use qcloud_csi::driver::Driver;
use qcloud_csi::node::fake::{FakeDisks, FakeHost};
use qcloud_csi::node::{Host, NodeIdentity, NodeService};
use qcloud_csi::proto::node_server::Node;
use qcloud_csi::proto::volume_capability::access_mode::Mode;
use qcloud_csi::proto::volume_capability::{AccessMode, AccessType, BlockVolume, MountVolume};
use qcloud_csi::proto::{
    CapacityRange, NodeExpandVolumeRequest, NodeGetVolumeStatsRequest, NodeGetVolumeStatsResponse,
    NodePublishVolumeRequest, NodeStageVolumeRequest, NodeUnpublishVolumeRequest, NodeUnstageVolumeRequest,
    VolumeCapability,
};
use tonic::{Code, Request, Status};

pub(crate) const DISK: &str = "disk-11112222";
pub(crate) const GIB: u64 = 1 << 30;
pub(crate) const SIZE: u64 = 20 * GIB;

/// Where the disk is staged.
pub(crate) fn staging() -> &'static Path {
    Path::new("/kubelet/staging/disk")
}

/// Where it is published for the pod of a number.
pub(crate) fn target(pod: u32) -> PathBuf {
    PathBuf::from(format!("/kubelet/pods/{pod}/mount"))
}

pub(crate) struct Lab {
    pub(crate) host: FakeHost,
    service: NodeService,
}

fn service(host: &FakeHost) -> NodeService {
    let node = NodeIdentity { id: "ins-1".to_owned(), zone: "ap-guangzhou-3".to_owned(), max_volumes: 18 };
    let host: Arc<dyn Host> = Arc::new(host.clone());
    NodeService::new(&Driver::default(), node, host)
}

impl Lab {
    /// A node that has the disk, which is blank.
    pub(crate) fn new() -> Self {
        Self::with_disks(FakeDisks::default())
    }

    /// A node that has the disk, with what other nodes wrote on it.
    pub(crate) fn with_disks(disks: FakeDisks) -> Self {
        let host = FakeHost::new(disks);
        host.attach(DISK, SIZE);
        Self { service: service(&host), host }
    }

    /// The driver is started anew, and knows nothing.
    pub(crate) fn restart(&mut self) {
        self.service = service(&self.host);
    }

    pub(crate) fn service(&self) -> NodeService {
        self.service.clone()
    }

    pub(crate) async fn stage(&self, capability: VolumeCapability) -> Result<(), Status> {
        self.stage_as(stage(capability)).await
    }

    pub(crate) async fn stage_as(&self, request: NodeStageVolumeRequest) -> Result<(), Status> {
        self.service.node_stage_volume(Request::new(request)).await.map(drop)
    }

    pub(crate) async fn unstage(&self) -> Result<(), Status> {
        let request = NodeUnstageVolumeRequest { volume_id: DISK.to_owned(), staging_target_path: text(staging()) };
        self.service.node_unstage_volume(Request::new(request)).await.map(drop)
    }

    pub(crate) async fn publish(&self, capability: VolumeCapability, pod: u32, readonly: bool) -> Result<(), Status> {
        self.publish_as(publish(capability, pod, readonly)).await
    }

    pub(crate) async fn publish_as(&self, request: NodePublishVolumeRequest) -> Result<(), Status> {
        self.service.node_publish_volume(Request::new(request)).await.map(drop)
    }

    pub(crate) async fn unpublish(&self, pod: u32) -> Result<(), Status> {
        let request = NodeUnpublishVolumeRequest { volume_id: DISK.to_owned(), target_path: text(&target(pod)) };
        self.service.node_unpublish_volume(Request::new(request)).await.map(drop)
    }

    pub(crate) async fn expand(&self, path: &Path, required: u64, limit: u64) -> Result<u64, Status> {
        let range = CapacityRange {
            required_bytes: i64::try_from(required).unwrap(),
            limit_bytes: i64::try_from(limit).unwrap(),
        };
        let request = NodeExpandVolumeRequest {
            volume_id: DISK.to_owned(),
            volume_path: text(path),
            capacity_range: Some(range),
            ..NodeExpandVolumeRequest::default()
        };
        let answer = self.service.node_expand_volume(Request::new(request)).await?;
        Ok(u64::try_from(answer.into_inner().capacity_bytes).unwrap())
    }

    pub(crate) async fn stats(&self, volume: &str, path: &Path) -> Result<NodeGetVolumeStatsResponse, Status> {
        let request = NodeGetVolumeStatsRequest {
            volume_id: volume.to_owned(),
            volume_path: text(path),
            ..NodeGetVolumeStatsRequest::default()
        };
        self.service.node_get_volume_stats(Request::new(request)).await.map(tonic::Response::into_inner)
    }

    /// How often the disk is mounted or shown.
    pub(crate) async fn mounts(&self) -> usize {
        self.host.mounts().await.unwrap().len()
    }
}

pub(crate) fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// A filesystem, whichever.
pub(crate) fn mount(mode: Mode) -> VolumeCapability {
    mount_as(mode, "", &[])
}

pub(crate) fn mount_as(mode: Mode, fs_type: &str, flags: &[&str]) -> VolumeCapability {
    let mount = MountVolume {
        fs_type: fs_type.to_owned(),
        mount_flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
        ..MountVolume::default()
    };
    VolumeCapability {
        access_mode: Some(AccessMode { mode: mode.into() }),
        access_type: Some(AccessType::Mount(mount)),
    }
}

/// A raw device.
pub(crate) fn block(mode: Mode) -> VolumeCapability {
    let access_type = Some(AccessType::Block(BlockVolume {}));
    VolumeCapability { access_mode: Some(AccessMode { mode: mode.into() }), access_type }
}

pub(crate) fn stage(capability: VolumeCapability) -> NodeStageVolumeRequest {
    NodeStageVolumeRequest {
        volume_id: DISK.to_owned(),
        staging_target_path: text(staging()),
        volume_capability: Some(capability),
        ..NodeStageVolumeRequest::default()
    }
}

pub(crate) fn publish(capability: VolumeCapability, pod: u32, readonly: bool) -> NodePublishVolumeRequest {
    NodePublishVolumeRequest {
        volume_id: DISK.to_owned(),
        staging_target_path: text(staging()),
        target_path: text(&target(pod)),
        volume_capability: Some(capability),
        readonly,
        ..NodePublishVolumeRequest::default()
    }
}

/// The code of a call that has to fail.
pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, Status>) -> Code {
    result.expect_err("the call should fail").code()
}

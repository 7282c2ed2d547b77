//! The calls of the node service: checked, one at a time for each volume, and carried through to their end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tonic::{Code, Request, Response, Status};
use tracing::Instrument;

use super::host::{Device, Host, HostError, Mount, Source};
use super::metadata::NodeIdentity;
use super::request::{Wish, path, same_serial};
use crate::driver::Driver;
use crate::fields;
use crate::operations::{Operation, Operations};
use crate::proto::node_server::Node;
use crate::proto::node_service_capability::{Rpc, Type, rpc};
use crate::proto::{
    NodeExpandVolumeRequest, NodeExpandVolumeResponse, NodeGetCapabilitiesRequest, NodeGetCapabilitiesResponse,
    NodeGetInfoRequest, NodeGetInfoResponse, NodeGetVolumeStatsRequest, NodeGetVolumeStatsResponse,
    NodePublishVolumeRequest, NodePublishVolumeResponse, NodeServiceCapability, NodeStageVolumeRequest,
    NodeStageVolumeResponse, NodeUnpublishVolumeRequest, NodeUnpublishVolumeResponse, NodeUnstageVolumeRequest,
    NodeUnstageVolumeResponse,
};
use crate::topology;

/// How often a device that is not there yet is looked for.
const PAUSE: Duration = Duration::from_millis(500);
/// After how long the kernel is asked to look for it.
const RESCAN: Duration = Duration::from_secs(5);
/// After how long nobody waits for it any more. The caller comes back.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a look at a volume may take.
const GLANCE: Duration = Duration::from_secs(10);
/// The most mounts over one another that are taken away.
const LAYERS: usize = 32;

/// The node service.
#[derive(Clone, Debug)]
pub struct NodeService {
    work: Work,
    operations: Operations,
    /// Looks at volumes, which are no operations: they neither wait for those nor keep them waiting.
    looks: Operations,
    node: NodeIdentity,
    zone_key: String,
}

impl NodeService {
    /// The service of a node, on this machine.
    #[must_use]
    pub fn new(driver: &Driver, node: NodeIdentity, host: Arc<dyn Host>) -> Self {
        let (operations, looks) = (Operations::default(), Operations::default());
        Self { work: Work { host }, operations, looks, node, zone_key: driver.zone_key() }
    }

    /// Carries an operation on a volume through, whether or not its caller stays to hear of it. One that is cut short
    /// could leave a program writing to the device that the next one works on; so the next is `ABORTED` meanwhile.
    async fn carry_through<T, F>(&self, volume: &str, work: impl FnOnce(Work) -> F) -> Result<T, Status>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Status>> + Send + 'static,
    {
        detached(self.operations.begin("volume", volume)?, work(self.work.clone())).await
    }
}

/// Does some work in the place of an operation, which is freed when the work is done.
async fn detached<T: Send + 'static>(
    operation: Operation,
    work: impl Future<Output = Result<T, Status>> + Send + 'static,
) -> Result<T, Status> {
    let task = async move {
        let result = work.await;
        drop(operation);
        result
    };
    match tokio::spawn(task.in_current_span()).await {
        Ok(result) => result,
        Err(error) => Err(Status::internal(format!("the operation broke down: {error}"))),
    }
}

fn capability(of: rpc::Type) -> NodeServiceCapability {
    NodeServiceCapability { r#type: Some(Type::Rpc(Rpc { r#type: of.into() })) }
}

#[tonic::async_trait]
impl Node for NodeService {
    async fn node_stage_volume(
        &self,
        request: Request<NodeStageVolumeRequest>,
    ) -> Result<Response<NodeStageVolumeResponse>, Status> {
        let request = request.into_inner();
        fields::required("volume_id", &request.volume_id)?;
        let staging = path("staging_target_path", &request.staging_target_path)?;
        let wish = Wish::read(request.volume_capability.as_ref(), &request.volume_context, false)?;
        fields::map("secrets", &request.secrets)?;
        same_serial(&request.volume_id, &request.publish_context)?;
        let volume = request.volume_id.clone();
        self.carry_through(&request.volume_id, |work| async move { work.stage(&volume, &staging, &wish).await })
            .await?;
        Ok(Response::new(NodeStageVolumeResponse {}))
    }

    async fn node_unstage_volume(
        &self,
        request: Request<NodeUnstageVolumeRequest>,
    ) -> Result<Response<NodeUnstageVolumeResponse>, Status> {
        let request = request.into_inner();
        fields::required("volume_id", &request.volume_id)?;
        let staging = path("staging_target_path", &request.staging_target_path)?;
        let volume = request.volume_id.clone();
        self.carry_through(&request.volume_id, |work| async move { work.unstage(&volume, &staging).await }).await?;
        Ok(Response::new(NodeUnstageVolumeResponse {}))
    }

    async fn node_publish_volume(
        &self,
        request: Request<NodePublishVolumeRequest>,
    ) -> Result<Response<NodePublishVolumeResponse>, Status> {
        let request = request.into_inner();
        fields::required("volume_id", &request.volume_id)?;
        let target = path("target_path", &request.target_path)?;
        let wish = Wish::read(request.volume_capability.as_ref(), &request.volume_context, request.readonly)?;
        fields::map("secrets", &request.secrets)?;
        if request.staging_target_path.is_empty() {
            return Err(Status::failed_precondition("staging_target_path is missing: stage the volume first"));
        }
        let staging = path("staging_target_path", &request.staging_target_path)?;
        same_serial(&request.volume_id, &request.publish_context)?;
        let volume = request.volume_id.clone();
        self.carry_through(
            &request.volume_id,
            |work| async move { work.publish(&volume, &staging, &target, &wish).await },
        )
        .await?;
        Ok(Response::new(NodePublishVolumeResponse {}))
    }

    async fn node_unpublish_volume(
        &self,
        request: Request<NodeUnpublishVolumeRequest>,
    ) -> Result<Response<NodeUnpublishVolumeResponse>, Status> {
        let request = request.into_inner();
        fields::required("volume_id", &request.volume_id)?;
        let target = path("target_path", &request.target_path)?;
        let volume = request.volume_id.clone();
        self.carry_through(&request.volume_id, |work| async move { work.unpublish(&volume, &target).await }).await?;
        Ok(Response::new(NodeUnpublishVolumeResponse {}))
    }

    async fn node_get_volume_stats(
        &self,
        request: Request<NodeGetVolumeStatsRequest>,
    ) -> Result<Response<NodeGetVolumeStatsResponse>, Status> {
        let request = request.into_inner();
        fields::required("volume_id", &request.volume_id)?;
        fields::path("volume_path", &request.volume_path)?;
        let look = self.looks.begin("volume", &request.volume_id)?;
        let (work, id) = (self.work.clone(), request.volume_id.clone());
        let stats = detached(look, async move { work.stats(&id, Path::new(&request.volume_path)).await });
        // A disk that does not answer holds up who looks at it, for ever in the worst case. One is enough.
        match timeout(GLANCE, stats).await {
            Ok(stats) => stats.map(Response::new),
            Err(_) => {
                Err(Status::unavailable(format!("{} does not answer within {} s", request.volume_id, GLANCE.as_secs())))
            }
        }
    }

    async fn node_expand_volume(
        &self,
        request: Request<NodeExpandVolumeRequest>,
    ) -> Result<Response<NodeExpandVolumeResponse>, Status> {
        let request = request.into_inner();
        fields::required("volume_id", &request.volume_id)?;
        fields::path("volume_path", &request.volume_path)?;
        fields::map("secrets", &request.secrets)?;
        request.volume_capability.as_ref().map(crate::capability::Use::read).transpose()?;
        let volume = request.volume_id.clone();
        let capacity_bytes =
            self.carry_through(&volume.clone(), |work| async move { work.expand(&volume, &request).await }).await?;
        Ok(Response::new(NodeExpandVolumeResponse { capacity_bytes }))
    }

    async fn node_get_capabilities(
        &self,
        _: Request<NodeGetCapabilitiesRequest>,
    ) -> Result<Response<NodeGetCapabilitiesResponse>, Status> {
        let capabilities = [
            rpc::Type::StageUnstageVolume,
            rpc::Type::GetVolumeStats,
            rpc::Type::ExpandVolume,
            rpc::Type::VolumeCondition,
            rpc::Type::SingleNodeMultiWriter,
        ];
        Ok(Response::new(NodeGetCapabilitiesResponse { capabilities: capabilities.map(capability).to_vec() }))
    }

    async fn node_get_info(&self, _: Request<NodeGetInfoRequest>) -> Result<Response<NodeGetInfoResponse>, Status> {
        Ok(Response::new(NodeGetInfoResponse {
            node_id: self.node.id.clone(),
            max_volumes_per_node: self.node.max_volumes.into(),
            accessible_topology: Some(topology::of_zone(&self.zone_key, &self.node.zone)),
        }))
    }
}

/// What the calls do with the machine.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) host: Arc<dyn Host>,
}

impl Work {
    /// The volume's device, which may still be on its way.
    pub(super) async fn wait_for(&self, volume: &str) -> Result<Device, Status> {
        let started = Instant::now();
        let mut rescanned = false;
        loop {
            let found = self.host.find(volume).await;
            if let Ok(Some(device)) = found {
                return Ok(device);
            }
            if started.elapsed() >= PATIENCE {
                found.map_err(status)?;
                return Err(Status::not_found(format!(
                    "no device with the serial number {volume} appeared within {} s: is it attached to this node?",
                    PATIENCE.as_secs()
                )));
            }
            if started.elapsed() >= RESCAN && !rescanned {
                rescanned = true;
                self.rescan().await;
            }
            sleep(PAUSE).await;
        }
    }

    /// The volume's device, which has to be here.
    pub(super) async fn here(&self, volume: &str) -> Result<Device, Status> {
        let found = self.host.find(volume).await.map_err(status)?;
        found.ok_or_else(|| Status::not_found(format!("no device of this node has the serial number {volume}")))
    }

    /// Has the kernel look again. It mostly does by itself, so a failure is none of the caller's business.
    pub(super) async fn rescan(&self) {
        if let Err(error) = self.host.rescan().await {
            tracing::warn!(%error, "the kernel could not be asked to look for devices");
        }
    }

    /// What is mounted at a path, after what no longer works there was taken away.
    pub(super) async fn usable_mount_at(&self, path: &Path) -> Result<Option<Mount>, Status> {
        for _ in 0..LAYERS {
            match self.host.mount_at(path).await.map_err(status)? {
                Some(mount) if mount.is_broken() => {
                    tracing::warn!(path = %path.display(), health = ?mount.health, "taking away a broken mount");
                    self.host.unmount(path).await.map_err(status)?;
                }
                other => return Ok(other),
            }
        }
        Err(still_mounted(path))
    }

    /// Takes away what is mounted at a path, unless it is another volume's.
    pub(super) async fn take_away(&self, volume: &str, path: &Path) -> Result<(), Status> {
        for _ in 0..LAYERS {
            let Some(mount) = self.host.mount_at(path).await.map_err(status)? else { return Ok(()) };
            if !mount.is_broken() {
                self.expect_ours(volume, &mount).await?;
            }
            self.host.unmount(path).await.map_err(status)?;
        }
        Err(still_mounted(path))
    }

    /// A volume that has been detached meanwhile can't prove that a mount is its own, but its path was made for it.
    async fn expect_ours(&self, volume: &str, mount: &Mount) -> Result<(), Status> {
        let here = self.host.find(volume).await.map_err(status)?;
        match (mount.source.device(), here) {
            (Some(mounted), Some(device)) if mounted != device.number => Err(of_another(mount, &device)),
            (None, _) => Err(Status::failed_precondition(format!(
                "{} at {} is not a volume and is left alone",
                mount.source,
                mount.target.display()
            ))),
            _ => Ok(()),
        }
    }
}

fn still_mounted(path: &Path) -> Status {
    Status::internal(format!("there is no end of mounts at {}", path.display()))
}

/// The error of finding something else where a volume is to be.
pub(super) fn of_another(mount: &Mount, device: &Device) -> Status {
    Status::failed_precondition(format!(
        "{} is mounted at {}, not the device {} of {}; unmount it first",
        mount.source,
        mount.target.display(),
        device.number,
        device.serial
    ))
}

/// The name of the filesystem of this device that a mount shows, or the error of what it shows in its place.
pub(super) fn filesystem_of<'a>(mount: &'a Mount, device: &Device) -> Result<&'a str, Status> {
    match &mount.source {
        Source::Filesystem { device: number, kind } if *number == device.number => Ok(kind),
        Source::Device(number) if *number == device.number => {
            let path = mount.target.display();
            Err(Status::already_exists(format!("{} is at {path} as a raw device already", device.serial)))
        }
        _ => Err(of_another(mount, device)),
    }
}

/// The status of what a machine could not do.
pub(super) fn status(error: HostError) -> Status {
    let code = match error {
        HostError::Refused(_) | HostError::Unsupported(_) => Code::FailedPrecondition,
        _ => Code::Internal,
    };
    Status::new(code, error.to_string())
}

//! The controller service: what is done in the cloud, over any implementation of [`Volumes`].
//!
//! An operation that takes time is waited for until shortly before the caller's deadline. If it is not done by then, the
//! answer is `ABORTED`, by which the sidecars know that it goes on, and ask again. One operation at a time is done on a
//! volume; a second one is `ABORTED` at once. A caller that leaves ends the waiting, not a call to the cloud.

mod capacity;
mod changes;
mod lists;
mod publish;
mod snapshots;
mod volumes;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use qcloud_container::kubernetes::volumes::{Volume, VolumeCapabilities, Volumes};
use qcloud_container::kubernetes::{ErrorKind, ProviderError, Retry};
use qcloud_core::clock::{Clock, SystemClock};
use tonic::{Request, Response, Status};
use tracing::Instrument;

use crate::deadline::Deadline;
use crate::driver::Driver;
use crate::operations::Operations;
use crate::proto::controller_server::Controller;
use crate::proto::controller_service_capability::{Rpc, Type, rpc};
use crate::proto::{
    ControllerExpandVolumeRequest, ControllerExpandVolumeResponse, ControllerGetCapabilitiesRequest,
    ControllerGetCapabilitiesResponse, ControllerGetVolumeRequest, ControllerGetVolumeResponse,
    ControllerModifyVolumeRequest, ControllerModifyVolumeResponse, ControllerPublishVolumeRequest,
    ControllerPublishVolumeResponse, ControllerServiceCapability, ControllerUnpublishVolumeRequest,
    ControllerUnpublishVolumeResponse, CreateSnapshotRequest, CreateSnapshotResponse, CreateVolumeRequest,
    CreateVolumeResponse, DeleteSnapshotRequest, DeleteSnapshotResponse, DeleteVolumeRequest, DeleteVolumeResponse,
    GetCapacityRequest, GetCapacityResponse, GetSnapshotRequest, GetSnapshotResponse, ListSnapshotsRequest,
    ListSnapshotsResponse, ListVolumesRequest, ListVolumesResponse, ValidateVolumeCapabilitiesRequest,
    ValidateVolumeCapabilitiesResponse,
};
use crate::status;

/// What the controller can do with volumes that can do this. Cloning is missing: CBS copies a disk only by way of a
/// snapshot.
fn capabilities(volumes: VolumeCapabilities) -> Vec<rpc::Type> {
    let mut can = vec![
        rpc::Type::CreateDeleteVolume,
        rpc::Type::PublishUnpublishVolume,
        rpc::Type::ListVolumes,
        rpc::Type::PublishReadonly,
        rpc::Type::ListVolumesPublishedNodes,
        rpc::Type::VolumeCondition,
        rpc::Type::GetVolume,
        rpc::Type::SingleNodeMultiWriter,
    ];
    if volumes.expand {
        can.push(rpc::Type::ExpandVolume);
    }
    if volumes.modify {
        can.push(rpc::Type::ModifyVolume);
    }
    if volumes.capacity {
        can.push(rpc::Type::GetCapacity);
    }
    if volumes.snapshots {
        can.extend([rpc::Type::CreateDeleteSnapshot, rpc::Type::ListSnapshots, rpc::Type::GetSnapshot]);
    }
    can
}

/// The pause before something is looked at again, where the cloud suggests none.
const PAUSE: Duration = Duration::from_millis(500);

/// The controller service.
#[derive(Clone)]
pub struct ControllerService {
    volumes: Arc<dyn Volumes>,
    driver: Driver,
    clock: Arc<dyn Clock>,
    operations: Operations,
}

impl fmt::Debug for ControllerService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControllerService").field("driver", &self.driver).finish_non_exhaustive()
    }
}

impl ControllerService {
    /// The controller of a driver for these volumes.
    pub fn new(driver: Driver, volumes: Arc<dyn Volumes>) -> Self {
        Self { volumes, driver, clock: Arc::new(SystemClock), operations: Operations::default() }
    }

    /// Has the pauses between two looks at the cloud go by its clock. Deadlines go by the machine's, as the caller's do.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Carries an operation through, whether or not its caller stays to hear of it: one that is dropped in the middle of
    /// a call to the cloud would free the volume while that call may still take effect.
    async fn carry_through<M, T, F>(
        &self,
        request: Request<M>,
        work: impl FnOnce(Self, Deadline, M) -> F,
    ) -> Result<Response<T>, Status>
    where
        M: fmt::Debug,
        T: Send + 'static,
        F: Future<Output = Result<T, Status>> + Send + 'static,
    {
        let (deadline, _caller) = Deadline::of(&request);
        let task = tokio::spawn(work(self.clone(), deadline.clone(), read(request)).in_current_span());
        match deadline.answer(task).await {
            Some(Ok(result)) => result.map(Response::new),
            Some(Err(error)) => Err(Status::internal(format!("the operation broke down: {error}"))),
            None => Err(Status::aborted("the cloud takes long to answer; the operation goes on")),
        }
    }

    /// Repeats an operation for as long as it is under way, and waits for the volume between.
    async fn finish<T, F>(
        &self,
        deadline: &Deadline,
        volume: Option<&str>,
        operation: impl Fn() -> F + Send + Sync,
    ) -> Result<T, Status>
    where
        T: Send,
        F: Future<Output = Result<T, ProviderError>> + Send,
    {
        let mut again = false;
        loop {
            let error = match operation().await {
                Err(error) if error.kind() == ErrorKind::Pending => error,
                other => return other.map_err(|error| status::of(&error)),
            };
            // What has begun may be slow to show: a volume that looks settled right away is not asked again at once.
            let pause = if again || volume.is_none() { pause(&error) } else { Duration::ZERO };
            let wait = async {
                self.clock.sleep(pause).await;
                match volume {
                    Some(id) => self.volumes.settled(id).await.map(drop),
                    None => Ok(()),
                }
            };
            match deadline.wait(wait).await {
                None => return Err(status::of(&error)),
                Some(Err(error)) if error.kind() != ErrorKind::NotFound => return Err(status::of(&error)),
                Some(_) => again = true,
            }
        }
    }

    /// A volume on which nothing is under way.
    async fn settled(&self, deadline: &Deadline, volume: Volume) -> Result<Volume, Status> {
        if volume.is_settled() {
            return Ok(volume);
        }
        match deadline.wait(self.volumes.settled(&volume.id)).await {
            Some(settled) => settled.map_err(|error| status::of(&error)),
            None => Err(Status::aborted(format!("the volume {} is not ready yet: {:?}", volume.id, volume.state))),
        }
    }
}

fn pause(error: &ProviderError) -> Duration {
    match error.retry() {
        Retry::After(pause) => pause,
        _ => PAUSE,
    }
}

/// Logs a request, without its secrets, and takes it apart.
fn read<T: fmt::Debug>(request: Request<T>) -> T {
    let message = request.into_inner();
    tracing::debug!(request = ?message, "asked");
    message
}

#[tonic::async_trait]
impl Controller for ControllerService {
    async fn create_volume(
        &self,
        request: Request<CreateVolumeRequest>,
    ) -> Result<Response<CreateVolumeResponse>, Status> {
        self.carry_through(request, async move |this, deadline, request| this.create(&deadline, request).await).await
    }

    async fn delete_volume(
        &self,
        request: Request<DeleteVolumeRequest>,
    ) -> Result<Response<DeleteVolumeResponse>, Status> {
        self.carry_through(request, async move |this, deadline, request| this.delete(&deadline, request).await).await
    }

    async fn controller_publish_volume(
        &self,
        request: Request<ControllerPublishVolumeRequest>,
    ) -> Result<Response<ControllerPublishVolumeResponse>, Status> {
        self.carry_through(request, async move |this, deadline, request| this.publish(&deadline, request).await).await
    }

    async fn controller_unpublish_volume(
        &self,
        request: Request<ControllerUnpublishVolumeRequest>,
    ) -> Result<Response<ControllerUnpublishVolumeResponse>, Status> {
        self.carry_through(request, async move |this, deadline, request| this.unpublish(&deadline, request).await).await
    }

    async fn validate_volume_capabilities(
        &self,
        request: Request<ValidateVolumeCapabilitiesRequest>,
    ) -> Result<Response<ValidateVolumeCapabilitiesResponse>, Status> {
        let request = read(request);
        self.validate(request).await.map(Response::new)
    }

    async fn list_volumes(
        &self,
        request: Request<ListVolumesRequest>,
    ) -> Result<Response<ListVolumesResponse>, Status> {
        let request = read(request);
        self.volume_page(request).await.map(Response::new)
    }

    async fn get_capacity(
        &self,
        request: Request<GetCapacityRequest>,
    ) -> Result<Response<GetCapacityResponse>, Status> {
        let request = read(request);
        self.capacity(request).await.map(Response::new)
    }

    async fn controller_get_capabilities(
        &self,
        _: Request<ControllerGetCapabilitiesRequest>,
    ) -> Result<Response<ControllerGetCapabilitiesResponse>, Status> {
        let capability =
            |of: rpc::Type| ControllerServiceCapability { r#type: Some(Type::Rpc(Rpc { r#type: of.into() })) };
        let capabilities = capabilities(self.volumes.capabilities()).into_iter().map(capability).collect();
        Ok(Response::new(ControllerGetCapabilitiesResponse { capabilities }))
    }

    async fn create_snapshot(
        &self,
        request: Request<CreateSnapshotRequest>,
    ) -> Result<Response<CreateSnapshotResponse>, Status> {
        self.carry_through(request, async move |this, deadline, request| this.take_snapshot(&deadline, request).await)
            .await
    }

    async fn delete_snapshot(
        &self,
        request: Request<DeleteSnapshotRequest>,
    ) -> Result<Response<DeleteSnapshotResponse>, Status> {
        self.carry_through(request, async move |this, deadline, request| this.drop_snapshot(&deadline, request).await)
            .await
    }

    async fn list_snapshots(
        &self,
        request: Request<ListSnapshotsRequest>,
    ) -> Result<Response<ListSnapshotsResponse>, Status> {
        let request = read(request);
        self.snapshot_page(request).await.map(Response::new)
    }

    async fn get_snapshot(
        &self,
        request: Request<GetSnapshotRequest>,
    ) -> Result<Response<GetSnapshotResponse>, Status> {
        let request = read(request);
        self.snapshot(request).await.map(Response::new)
    }

    async fn controller_expand_volume(
        &self,
        request: Request<ControllerExpandVolumeRequest>,
    ) -> Result<Response<ControllerExpandVolumeResponse>, Status> {
        self.carry_through(request, async move |this, deadline, request| this.expand(&deadline, request).await).await
    }

    async fn controller_get_volume(
        &self,
        request: Request<ControllerGetVolumeRequest>,
    ) -> Result<Response<ControllerGetVolumeResponse>, Status> {
        let request = read(request);
        self.volume(request).await.map(Response::new)
    }

    async fn controller_modify_volume(
        &self,
        request: Request<ControllerModifyVolumeRequest>,
    ) -> Result<Response<ControllerModifyVolumeResponse>, Status> {
        self.carry_through(request, async move |this, deadline, request| this.modify(&deadline, request).await).await
    }
}

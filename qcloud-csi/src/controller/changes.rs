//! Growing volumes and changing their properties.

use tonic::Status;

use super::ControllerService;
use super::volumes::{bytes, size};
use crate::capability::Use;
use crate::deadline::Deadline;
use crate::fields;
use crate::proto::{
    ControllerExpandVolumeRequest, ControllerExpandVolumeResponse, ControllerModifyVolumeRequest,
    ControllerModifyVolumeResponse,
};

impl ControllerService {
    pub(super) async fn expand(
        &self,
        deadline: &Deadline,
        request: ControllerExpandVolumeRequest,
    ) -> Result<ControllerExpandVolumeResponse, Status> {
        fields::required("volume_id", &request.volume_id)?;
        fields::map("secrets", &request.secrets)?;
        let range = request.capacity_range.ok_or_else(|| Status::invalid_argument("capacity_range is missing"))?;
        let size = size(&range)?;
        let wanted = request.volume_capability.as_ref().map(Use::read).transpose()?;
        let id = &request.volume_id;
        let _operation = self.operations.begin("volume", id)?;
        let volume = self.finish(deadline, Some(id), || self.volumes.expand(id, size)).await?;
        Ok(ControllerExpandVolumeResponse {
            capacity_bytes: bytes(volume.size),
            // A raw device has no file system to grow.
            node_expansion_required: !wanted.is_some_and(|wanted| wanted.block),
        })
    }

    pub(super) async fn modify(
        &self,
        deadline: &Deadline,
        request: ControllerModifyVolumeRequest,
    ) -> Result<ControllerModifyVolumeResponse, Status> {
        fields::required("volume_id", &request.volume_id)?;
        fields::map("mutable_parameters", &request.mutable_parameters)?;
        fields::map("secrets", &request.secrets)?;
        let (id, parameters) = (&request.volume_id, &request.mutable_parameters);
        let _operation = self.operations.begin("volume", id)?;
        self.finish(deadline, Some(id), || self.volumes.modify(id, parameters)).await?;
        Ok(ControllerModifyVolumeResponse {})
    }
}

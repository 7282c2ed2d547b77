//! Giving volumes to nodes, and taking them back.

use std::collections::BTreeMap;

use tonic::Status;

use super::ControllerService;
use crate::capability;
use crate::deadline::Deadline;
use crate::driver::DEVICE_SERIAL;
use crate::fields;
use crate::proto::{
    ControllerPublishVolumeRequest, ControllerPublishVolumeResponse, ControllerUnpublishVolumeRequest,
    ControllerUnpublishVolumeResponse,
};

impl ControllerService {
    pub(super) async fn publish(
        &self,
        deadline: &Deadline,
        request: ControllerPublishVolumeRequest,
    ) -> Result<ControllerPublishVolumeResponse, Status> {
        fields::required("volume_id", &request.volume_id)?;
        fields::required_node("node_id", &request.node_id)?;
        fields::map("secrets", &request.secrets)?;
        fields::map("volume_context", &request.volume_context)?;
        let access = capability::read_one(request.volume_capability.as_ref())?.access(request.readonly);
        let (id, node) = (&request.volume_id, &request.node_id);
        let _operation = self.operations.begin("volume", id)?;
        let attachment = self.finish(deadline, Some(id), || self.volumes.attach(id, node, access)).await?;
        let serial = attachment.device.unwrap_or_else(|| id.clone());
        Ok(ControllerPublishVolumeResponse { publish_context: BTreeMap::from([(DEVICE_SERIAL.to_owned(), serial)]) })
    }

    pub(super) async fn unpublish(
        &self,
        deadline: &Deadline,
        request: ControllerUnpublishVolumeRequest,
    ) -> Result<ControllerUnpublishVolumeResponse, Status> {
        fields::required("volume_id", &request.volume_id)?;
        fields::optional_node("node_id", &request.node_id)?;
        fields::map("secrets", &request.secrets)?;
        let id = &request.volume_id;
        let node = Some(request.node_id.as_str()).filter(|node| !node.is_empty());
        let _operation = self.operations.begin("volume", id)?;
        self.finish(deadline, Some(id), || self.volumes.detach(id, node)).await?;
        Ok(ControllerUnpublishVolumeResponse {})
    }
}

//! What new volumes can have.

use qcloud_container::kubernetes::volumes::CapacityRequest;
use tonic::Status;

use super::ControllerService;
use super::volumes::bytes;
use crate::capability::Use;
use crate::fields;
use crate::proto::{GetCapacityRequest, GetCapacityResponse};
use crate::{status, topology};

impl ControllerService {
    pub(super) async fn capacity(&self, request: GetCapacityRequest) -> Result<GetCapacityResponse, Status> {
        fields::map("parameters", &request.parameters)?;
        for capability in &request.volume_capabilities {
            Use::read(capability)?;
        }
        let mut asked = CapacityRequest::default();
        if let Some(place) = request.accessible_topology.filter(|place| !place.segments.is_empty()) {
            asked.zone = Some(topology::zone(&self.driver.zone_key(), &place)?);
        }
        asked.parameters = request.parameters;
        let capacity = self.volumes.capacity(&asked).await.map_err(|error| status::of(&error))?;
        // Where nothing is sold there is no smallest and no largest volume.
        let some = (capacity.largest > 0).then_some(capacity);
        Ok(GetCapacityResponse {
            available_capacity: bytes(capacity.available),
            maximum_volume_size: some.map(|capacity| bytes(capacity.largest)),
            minimum_volume_size: some.map(|capacity| bytes(capacity.smallest)),
        })
    }
}

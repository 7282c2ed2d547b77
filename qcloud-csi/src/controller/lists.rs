//! Volumes one by one and in pages.

use qcloud_container::kubernetes::volumes::{PageRequest, Volume, VolumeState};
use tonic::Status;

use super::ControllerService;
use crate::fields;
use crate::proto::{
    ControllerGetVolumeRequest, ControllerGetVolumeResponse, ListVolumesRequest, ListVolumesResponse, VolumeCondition,
    controller_get_volume_response, list_volumes_response,
};
use crate::status;

/// Reads which page is asked for.
pub(super) fn page(max_entries: i32, starting_token: &str) -> Result<PageRequest, Status> {
    let mut page = PageRequest::first(fields::entries(max_entries)?);
    page.token = Some(starting_token.to_owned()).filter(|token| !token.is_empty());
    Ok(page)
}

fn nodes(volume: &Volume) -> Vec<String> {
    volume.attachments.iter().map(|attachment| attachment.node.clone()).collect()
}

fn condition(volume: &Volume) -> VolumeCondition {
    match &volume.state {
        VolumeState::Recycled => VolumeCondition {
            abnormal: true,
            message: "the volume was deleted, and is in the recycle bin until its end".to_owned(),
        },
        VolumeState::Busy(what) => VolumeCondition { abnormal: false, message: format!("busy: {what}") },
        _ => VolumeCondition { abnormal: false, message: "in order".to_owned() },
    }
}

impl ControllerService {
    pub(super) async fn volume_page(&self, request: ListVolumesRequest) -> Result<ListVolumesResponse, Status> {
        let page = page(request.max_entries, &request.starting_token)?;
        let found = self.volumes.list(&page).await.map_err(|error| status::of_list(&error))?;
        let entry = |volume: &Volume| list_volumes_response::Entry {
            volume: Some(self.described(volume)),
            status: Some(list_volumes_response::VolumeStatus {
                published_node_ids: nodes(volume),
                volume_condition: Some(condition(volume)),
            }),
        };
        Ok(ListVolumesResponse {
            entries: found.items.iter().map(entry).collect(),
            next_token: found.next.unwrap_or_default(),
        })
    }

    pub(super) async fn volume(
        &self,
        request: ControllerGetVolumeRequest,
    ) -> Result<ControllerGetVolumeResponse, Status> {
        fields::required("volume_id", &request.volume_id)?;
        let volume = self.volumes.get(&request.volume_id).await.map_err(|error| status::of(&error))?;
        Ok(ControllerGetVolumeResponse {
            volume: Some(self.described(&volume)),
            status: Some(controller_get_volume_response::VolumeStatus {
                published_node_ids: nodes(&volume),
                volume_condition: Some(condition(&volume)),
            }),
        })
    }
}

//! Snapshots: taking, deleting and listing them.

use std::collections::BTreeMap;
use std::time::SystemTime;

use prost_types::Timestamp;
use qcloud_container::kubernetes::ErrorKind;
use qcloud_container::kubernetes::volumes::{Page, Snapshot, SnapshotFilter, SnapshotRequest};
use tonic::Status;

use super::ControllerService;
use super::lists::page;
use super::volumes::bytes;
use crate::deadline::Deadline;
use crate::fields;
use crate::proto::list_snapshots_response::Entry;
use crate::proto::{
    CreateSnapshotRequest, CreateSnapshotResponse, DeleteSnapshotRequest, DeleteSnapshotResponse, GetSnapshotRequest,
    GetSnapshotResponse, ListSnapshotsRequest, ListSnapshotsResponse,
};
use crate::{proto, status};

fn described(snapshot: Snapshot) -> proto::Snapshot {
    proto::Snapshot {
        size_bytes: bytes(snapshot.size),
        snapshot_id: snapshot.id,
        source_volume_id: snapshot.volume,
        creation_time: snapshot.created.and_then(timestamp),
        ready_to_use: snapshot.ready,
        group_snapshot_id: String::new(),
    }
}

fn timestamp(at: SystemTime) -> Option<Timestamp> {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(Timestamp { seconds: i64::try_from(since.as_secs()).ok()?, nanos: i32::try_from(since.subsec_nanos()).ok()? })
}

/// Refuses parameters, of which there are none apart from the sidecar's own: one that is ignored misleads.
fn check(parameters: &BTreeMap<String, String>) -> Result<(), Status> {
    fields::map("parameters", parameters)?;
    match parameters.keys().find(|name| !name.starts_with("csi.storage.k8s.io/")) {
        Some(name) => Err(Status::invalid_argument(format!("a snapshot has no parameter {name}"))),
        None => Ok(()),
    }
}

impl ControllerService {
    pub(super) async fn take_snapshot(
        &self,
        deadline: &Deadline,
        request: CreateSnapshotRequest,
    ) -> Result<CreateSnapshotResponse, Status> {
        fields::required("name", &request.name)?;
        fields::required("source_volume_id", &request.source_volume_id)?;
        fields::map("secrets", &request.secrets)?;
        check(&request.parameters)?;
        let wanted = SnapshotRequest::new(request.name, request.source_volume_id);
        let _operation = self.operations.begin("snapshot named", &wanted.name)?;
        // One that is not ready is an answer: the sidecar comes back until it is.
        let snapshot = self.finish(deadline, None, || self.volumes.create_snapshot(&wanted)).await?;
        Ok(CreateSnapshotResponse { snapshot: Some(described(snapshot)) })
    }

    pub(super) async fn drop_snapshot(
        &self,
        deadline: &Deadline,
        request: DeleteSnapshotRequest,
    ) -> Result<DeleteSnapshotResponse, Status> {
        fields::required("snapshot_id", &request.snapshot_id)?;
        fields::map("secrets", &request.secrets)?;
        let id = &request.snapshot_id;
        let _operation = self.operations.begin("snapshot", id)?;
        self.finish(deadline, None, || self.volumes.delete_snapshot(id)).await?;
        Ok(DeleteSnapshotResponse {})
    }

    pub(super) async fn snapshot(&self, request: GetSnapshotRequest) -> Result<GetSnapshotResponse, Status> {
        fields::required("snapshot_id", &request.snapshot_id)?;
        fields::map("secrets", &request.secrets)?;
        let snapshot = self.volumes.get_snapshot(&request.snapshot_id).await.map_err(|error| status::of(&error))?;
        Ok(GetSnapshotResponse { snapshot: Some(described(snapshot)) })
    }

    pub(super) async fn snapshot_page(&self, request: ListSnapshotsRequest) -> Result<ListSnapshotsResponse, Status> {
        fields::optional("source_volume_id", &request.source_volume_id)?;
        fields::optional("snapshot_id", &request.snapshot_id)?;
        fields::map("secrets", &request.secrets)?;
        let page = page(request.max_entries, &request.starting_token)?;
        let of_volume = |volume: &str| request.source_volume_id.is_empty() || request.source_volume_id == volume;
        let found = if request.snapshot_id.is_empty() {
            let mut filter = SnapshotFilter::default();
            filter.volume = Some(request.source_volume_id.clone()).filter(|volume| !volume.is_empty());
            self.volumes.list_snapshots(&filter, &page).await.map_err(|error| status::of_list(&error))?
        } else {
            // A list of one has no second page.
            match self.volumes.get_snapshot(&request.snapshot_id).await {
                Ok(snapshot) if of_volume(&snapshot.volume) => Page::new(vec![snapshot], None),
                Ok(_) => Page::new(Vec::new(), None),
                Err(error) if error.kind() == ErrorKind::NotFound => Page::new(Vec::new(), None),
                Err(error) => return Err(status::of(&error)),
            }
        };
        let entry = |snapshot| Entry { snapshot: Some(described(snapshot)) };
        Ok(ListSnapshotsResponse {
            entries: found.items.into_iter().map(entry).collect(),
            next_token: found.next.unwrap_or_default(),
        })
    }
}

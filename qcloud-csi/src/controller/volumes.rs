//! Making and deleting volumes, and what they can be used for.

use std::collections::BTreeMap;

use qcloud_container::kubernetes::volumes::{SizeRange, Volume, VolumeRequest, VolumeState};
use tonic::Status;

use super::ControllerService;
use crate::capability;
use crate::deadline::Deadline;
use crate::driver::{FS_TYPE, MKFS_OPTIONS};
use crate::fields;
use crate::proto::validate_volume_capabilities_response::Confirmed;
use crate::proto::volume_content_source::{SnapshotSource, Type as Source};
use crate::proto::{
    CapacityRange, CreateVolumeRequest, CreateVolumeResponse, DeleteVolumeRequest, DeleteVolumeResponse,
    ValidateVolumeCapabilitiesRequest, ValidateVolumeCapabilitiesResponse, VolumeContentSource,
};
use crate::{proto, status, topology};

/// Reads a size.
pub(super) fn size(range: &CapacityRange) -> Result<SizeRange, Status> {
    let bytes = |name: &str, value: i64| {
        u64::try_from(value)
            .map_err(|_| Status::invalid_argument(format!("{name} is {value}; it must not be negative")))
    };
    let (required, limit) = (bytes("required_bytes", range.required_bytes)?, bytes("limit_bytes", range.limit_bytes)?);
    match limit {
        0 => Ok(SizeRange::at_least(required)),
        limit if limit < required => Err(Status::invalid_argument(format!(
            "limit_bytes is {limit}, less than required_bytes, which is {required}"
        ))),
        limit => Ok(SizeRange::between(required, limit)),
    }
}

/// A number of bytes in the type of the protocol.
pub(super) fn bytes(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// The parameters of a storage class with those of an attributes class over them. Case does not tell names apart.
fn merge(mut parameters: BTreeMap<String, String>, over: BTreeMap<String, String>) -> BTreeMap<String, String> {
    for (name, value) in over {
        parameters.retain(|other, _| !other.eq_ignore_ascii_case(&name));
        parameters.insert(name, value);
    }
    parameters
}

/// The parameters that the node side reads.
fn context(parameters: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    [MKFS_OPTIONS, FS_TYPE]
        .into_iter()
        .filter_map(|key| {
            let (_, value) = parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case(key))?;
            Some((key.to_owned(), value.clone()))
        })
        .collect()
}

fn snapshot_of(source: Option<VolumeContentSource>) -> Result<Option<String>, Status> {
    match source {
        None => Ok(None),
        Some(VolumeContentSource { r#type: Some(Source::Snapshot(snapshot)) }) => {
            fields::required("snapshot_id", &snapshot.snapshot_id)?;
            Ok(Some(snapshot.snapshot_id))
        }
        Some(VolumeContentSource { r#type: Some(Source::Volume(_)) }) => {
            Err(Status::invalid_argument("volumes can't be cloned: take a snapshot, and make the volume from that"))
        }
        Some(VolumeContentSource { r#type: None }) => {
            Err(Status::invalid_argument("volume_content_source names neither a snapshot nor a volume"))
        }
    }
}

impl ControllerService {
    pub(super) async fn create(
        &self,
        deadline: &Deadline,
        request: CreateVolumeRequest,
    ) -> Result<CreateVolumeResponse, Status> {
        fields::required("name", &request.name)?;
        fields::map("parameters", &request.parameters)?;
        fields::map("mutable_parameters", &request.mutable_parameters)?;
        fields::map("secrets", &request.secrets)?;
        let uses = capability::read_all(&request.volume_capabilities)?;
        let parameters = merge(request.parameters, request.mutable_parameters);
        let volume_context = context(&parameters);

        let mut wanted = VolumeRequest::new(request.name, size(&request.capacity_range.unwrap_or_default())?);
        wanted.zones = topology::zones(&self.driver.zone_key(), request.accessibility_requirements.as_ref())?;
        wanted.shareable = uses.iter().any(|wanted| wanted.is_shared());
        wanted.source = snapshot_of(request.volume_content_source)?;
        wanted.parameters = parameters;

        let _operation = self.operations.begin("volume named", &wanted.name)?;
        let volume = self.finish(deadline, None, || self.volumes.create(&wanted)).await?;
        let volume = self.settled(deadline, volume).await?;
        if volume.state == VolumeState::Recycled {
            return Err(Status::aborted(format!("the volume {} was deleted while it was made", volume.id)));
        }
        let volume = proto::Volume { volume_context, ..self.described(&volume) };
        Ok(CreateVolumeResponse { volume: Some(volume) })
    }

    pub(super) async fn delete(
        &self,
        deadline: &Deadline,
        request: DeleteVolumeRequest,
    ) -> Result<DeleteVolumeResponse, Status> {
        fields::required("volume_id", &request.volume_id)?;
        fields::map("secrets", &request.secrets)?;
        let id = &request.volume_id;
        let _operation = self.operations.begin("volume", id)?;
        self.finish(deadline, Some(id), || self.volumes.delete(id)).await?;
        Ok(DeleteVolumeResponse {})
    }

    pub(super) async fn validate(
        &self,
        request: ValidateVolumeCapabilitiesRequest,
    ) -> Result<ValidateVolumeCapabilitiesResponse, Status> {
        fields::required("volume_id", &request.volume_id)?;
        fields::map("volume_context", &request.volume_context)?;
        fields::map("parameters", &request.parameters)?;
        fields::map("mutable_parameters", &request.mutable_parameters)?;
        fields::map("secrets", &request.secrets)?;
        if request.volume_capabilities.is_empty() {
            return Err(Status::invalid_argument("volume_capabilities are missing"));
        }
        let volume = self.volumes.get(&request.volume_id).await.map_err(|error| status::of(&error))?;
        // What no volume can do is not confirmed; it is no mistake to ask.
        let refusal = match capability::read_all(&request.volume_capabilities) {
            Ok(uses) => uses.into_iter().find_map(|wanted| wanted.refusal(&volume)),
            Err(status) => Some(status.message().to_owned()),
        };
        Ok(match refusal {
            Some(message) => ValidateVolumeCapabilitiesResponse { confirmed: None, message },
            None => {
                let volume_capabilities = request.volume_capabilities;
                let confirmed = Confirmed { volume_capabilities, ..Confirmed::default() };
                ValidateVolumeCapabilitiesResponse { confirmed: Some(confirmed), message: String::new() }
            }
        })
    }

    /// A volume in the words of the protocol.
    pub(super) fn described(&self, volume: &Volume) -> proto::Volume {
        let source = volume
            .source
            .clone()
            .map(|snapshot_id| VolumeContentSource { r#type: Some(Source::Snapshot(SnapshotSource { snapshot_id })) });
        proto::Volume {
            capacity_bytes: bytes(volume.size),
            volume_id: volume.id.clone(),
            volume_context: BTreeMap::new(),
            content_source: source,
            accessible_topology: vec![topology::of_zone(&self.driver.zone_key(), &volume.zone)],
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn sizes_are_read_with_and_without_limit() {
        let read = |required_bytes, limit_bytes| size(&CapacityRange { required_bytes, limit_bytes });
        assert_eq!(read(0, 0).unwrap(), SizeRange::at_least(0));
        assert_eq!(read(5, 0).unwrap(), SizeRange::at_least(5));
        assert_eq!(read(5, 7).unwrap(), SizeRange::between(5, 7));
        for (required, limit) in [(-1, 0), (0, -1), (7, 5)] {
            assert_eq!(read(required, limit).unwrap_err().code(), Code::InvalidArgument);
        }
    }

    #[test]
    fn an_attributes_class_wins_over_the_storage_class_whatever_the_case() {
        let merged = merge(map(&[("diskType", "CLOUD_SSD"), ("aspid", "a")]), map(&[("disktype", "CLOUD_HSSD")]));
        assert_eq!(merged, map(&[("aspid", "a"), ("disktype", "CLOUD_HSSD")]));
    }

    #[test]
    fn the_node_is_told_what_concerns_it() {
        let parameters = map(&[("mkfsOptions", "-m 1"), ("fsType", "xfs"), ("diskType", "CLOUD_SSD")]);
        assert_eq!(context(&parameters), map(&[("mkfsoptions", "-m 1"), ("fstype", "xfs")]));
    }
}

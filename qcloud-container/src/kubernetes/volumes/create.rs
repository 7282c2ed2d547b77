//! Whether a volume has to be made, or exists.

use super::{Volume, VolumeRequest, VolumeState};
use crate::kubernetes::{ErrorKind, ProviderError, Result};

/// What to do for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CreateStep {
    /// Make it.
    Create,
    /// It exists: use this one. The others are younger doubles that nobody has ever used.
    Adopt {
        /// The one to use.
        id: String,
        /// The ones to delete.
        doubles: Vec<String>,
    },
}

/// Decides on a request by the volumes of its name that this cluster has made.
///
/// The oldest counts, so that any two processes choose alike. The `kinds` are those that the request admits; any when
/// there are none.
///
/// # Errors
/// `AlreadyExists`, naming what differs.
pub fn plan_create(request: &VolumeRequest, kinds: &[String], found: &[Volume]) -> Result<CreateStep> {
    let mut found: Vec<&Volume> = found.iter().filter(|volume| volume.state != VolumeState::Recycled).collect();
    found.sort_by_key(|volume| (volume.created, &volume.id));
    let oldest = found.iter().position(|volume| !volume.attachments.is_empty()).unwrap_or(0);
    let Some(chosen) = found.get(oldest) else { return Ok(CreateStep::Create) };
    if let Some(difference) = difference(request, kinds, chosen) {
        let message = format!("the volume `{}` exists as {} with {difference}", request.name, chosen.id);
        return Err(ProviderError::new(ErrorKind::AlreadyExists, message));
    }
    let doubles = found
        .iter()
        .filter(|volume| volume.id != chosen.id && volume.attachments.is_empty() && volume.is_settled())
        .map(|volume| volume.id.clone())
        .collect();
    Ok(CreateStep::Adopt { id: chosen.id.clone(), doubles })
}

/// In what a volume is not what a request asks for.
fn difference(request: &VolumeRequest, kinds: &[String], volume: &Volume) -> Option<String> {
    if !request.size.contains(volume.size) {
        return Some(format!("{} bytes", volume.size));
    }
    if !request.zones.permits(&volume.zone) {
        return Some(format!("the zone {}", volume.zone));
    }
    if !kinds.is_empty() && !kinds.contains(&volume.kind) {
        return Some(format!("the kind {}", volume.kind));
    }
    if request.shareable != volume.shareable {
        return Some(if volume.shareable { "sharing".to_owned() } else { "no sharing".to_owned() });
    }
    if request.source != volume.source {
        return Some(match &volume.source {
            Some(source) => format!("the source {source}"),
            None => "no source".to_owned(),
        });
    }
    None
}

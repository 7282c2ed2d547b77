//! Snapshots: copies of volumes at a moment.

use std::time::SystemTime;

use super::SnapshotRequest;
use crate::kubernetes::{ErrorKind, ProviderError, Result};

/// A snapshot as it is observed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The id that the cloud gave it.
    pub id: String,
    /// The name that it was requested with. Empty when this cluster did not make it.
    pub name: String,
    /// The volume that it was taken of.
    pub volume: String,
    /// The size of a volume made from it, in bytes, at least.
    pub size: u64,
    /// Whether volumes can be made from it.
    pub ready: bool,
    /// When it was taken.
    pub created: Option<SystemTime>,
}

impl Snapshot {
    /// A snapshot that is ready; set the other fields as they are.
    pub fn new(id: impl Into<String>, volume: impl Into<String>, size: u64) -> Self {
        Self { id: id.into(), name: String::new(), volume: volume.into(), size, ready: true, created: None }
    }
}

/// What to do for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SnapshotStep {
    /// Take it.
    Create,
    /// It exists: use this one. There may be younger doubles, which stay: a lost answer can have left them, and someone may
    /// hold the id of any. They go with the one that is deleted.
    Adopt {
        /// The one to use.
        id: String,
    },
}

/// Decides on a request by the snapshots of its name that this cluster has made. The oldest counts.
///
/// # Errors
/// `AlreadyExists` when it is of another volume.
pub fn plan_snapshot(request: &SnapshotRequest, found: &[Snapshot]) -> Result<SnapshotStep> {
    let oldest = found.iter().min_by_key(|snapshot| (snapshot.created, &snapshot.id));
    let Some(oldest) = oldest else { return Ok(SnapshotStep::Create) };
    if oldest.volume != request.volume {
        let message =
            format!("the snapshot `{}` exists as {} of the volume {}", request.name, oldest.id, oldest.volume);
        return Err(ProviderError::new(ErrorKind::AlreadyExists, message));
    }
    Ok(SnapshotStep::Adopt { id: oldest.id.clone() })
}

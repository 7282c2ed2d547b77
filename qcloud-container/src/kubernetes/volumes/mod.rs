//! Persistent volumes: disks that are made, attached to one node or several, grown, copied and deleted.
//!
//! [`Volumes`] is the trait; a CSI controller is a thin layer over it, and [`CsiCode`] says which gRPC code an error
//! becomes. [`InMemoryVolumes`] is the reference implementation, [`conformance`] the suite that every implementation
//! passes. The decisions are pure functions: [`plan_create`], [`plan_attach`], [`plan_detach`], [`plan_expand`],
//! [`plan_snapshot`].

mod access;
mod attach;
mod capabilities;
pub mod conformance;
mod create;
mod csi;
mod memory;
mod page;
mod request;
mod size;
mod snapshot;
mod volume;
mod zones;

use std::collections::BTreeMap;

use async_trait::async_trait;

pub use access::{Access, Others};
pub use attach::{AttachStep, DetachStep, plan_attach, plan_detach};
pub use capabilities::VolumeCapabilities;
pub use create::{CreateStep, plan_create};
pub use csi::CsiCode;
pub use memory::{InMemoryNode, InMemoryVolumes};
pub use page::{Page, PageRequest};
pub use request::{Capacity, CapacityRequest, SnapshotFilter, SnapshotRequest, VolumeRequest};
pub use size::{GIB, SizeRange, SizeRules, plan_expand};
pub use snapshot::{Snapshot, SnapshotStep, plan_snapshot};
pub use volume::{Attachment, Volume, VolumeState};
pub use zones::ZoneRequirement;

use super::Result;

/// The volumes of a cloud.
///
/// Every method can be called again after any failure, by this process or another, and finishes what was begun.
/// Apart from [`settled`](Volumes::settled) none waits for work of the cloud: what has begun and is not finished is
/// [`ErrorKind::Pending`](super::ErrorKind::Pending). An id that this cloud can't have given names nothing, which is
/// [`ErrorKind::NotFound`](super::ErrorKind::NotFound) (or success, for a deletion).
#[async_trait]
pub trait Volumes: Send + Sync {
    /// What this cloud can do beside making, listing and attaching volumes; everything unless it says otherwise.
    fn capabilities(&self) -> VolumeCapabilities {
        VolumeCapabilities::default()
    }

    /// Makes the volume of this name, or gives the one that exists.
    ///
    /// # Errors
    /// `AlreadyExists` when one of the name has other properties, `NotFound` for an unknown snapshot, `OutOfRange` for
    /// a size that can't be had, `Exhausted` when no permitted zone can serve it, `InvalidArgument` for parameters
    /// that make no sense.
    async fn create(&self, request: &VolumeRequest) -> Result<Volume>;

    /// The volume of this id.
    ///
    /// # Errors
    /// `NotFound` when its absence is proven.
    async fn get(&self, id: &str) -> Result<Volume>;

    /// The volumes of this cluster, oldest first, page by page.
    ///
    /// # Errors
    /// `Conflict` for a token that no earlier page gave.
    async fn list(&self, page: &PageRequest) -> Result<Page<Volume>>;

    /// Deletes a volume of this cluster. One that does not exist is deleted already.
    ///
    /// # Errors
    /// `InUse` while it is attached, `Conflict` when it is not this cluster's.
    async fn delete(&self, id: &str) -> Result<()>;

    /// Attaches a volume to a node. It succeeds only when the volume has been seen on the node.
    ///
    /// # Errors
    /// `NotFound` for an unknown volume or node, `InUse` when other nodes have the volume in a way that `access` does
    /// not permit, `AlreadyExists` when the node itself has it with another access, `Exhausted(AttachLimit)` when the
    /// node takes no more.
    async fn attach(&self, id: &str, node: &str, access: Access) -> Result<Attachment>;

    /// Detaches a volume from a node, or from all nodes. It succeeds only when the volume has been seen off the node;
    /// a volume or node that does not exist is detached already.
    async fn detach(&self, id: &str, node: Option<&str>) -> Result<()>;

    /// Grows a volume to at least the required size. One that is large enough stays as it is.
    ///
    /// # Errors
    /// `OutOfRange` when no size within the range can be had, `Conflict` when it has to be detached first.
    async fn expand(&self, id: &str, size: SizeRange) -> Result<Volume>;

    /// Changes properties of a volume, given as in the parameters of its request. Properties that already are so stay.
    ///
    /// # Errors
    /// `InvalidArgument` for what can't be changed.
    async fn modify(&self, id: &str, parameters: &BTreeMap<String, String>) -> Result<Volume>;

    /// How many volumes of this provider a node takes in all.
    async fn attach_limit(&self, node: &str) -> Result<u32>;

    /// What new volumes can have.
    async fn capacity(&self, request: &CapacityRequest) -> Result<Capacity>;

    /// Waits until nothing is under way on a volume, and gives it. All waiting callers share one poller.
    ///
    /// The wait has no end of its own: drop it when the caller's time is over.
    async fn settled(&self, id: &str) -> Result<Volume>;

    /// Makes the snapshot of this name, or gives the one that exists. It may not be ready yet.
    ///
    /// # Errors
    /// `AlreadyExists` when one of the name is of another volume, `NotFound` for an unknown volume.
    async fn create_snapshot(&self, request: &SnapshotRequest) -> Result<Snapshot>;

    /// The snapshot of this id.
    ///
    /// # Errors
    /// `NotFound` when its absence is proven.
    async fn get_snapshot(&self, id: &str) -> Result<Snapshot>;

    /// The snapshots of this cluster, oldest first, page by page.
    ///
    /// # Errors
    /// `Conflict` for a token that no earlier page gave.
    async fn list_snapshots(&self, filter: &SnapshotFilter, page: &PageRequest) -> Result<Page<Snapshot>>;

    /// Deletes a snapshot of this cluster. One that does not exist is deleted already.
    ///
    /// # Errors
    /// `InUse` while something is made from it, `Conflict` when it is not this cluster's.
    async fn delete_snapshot(&self, id: &str) -> Result<()>;
}

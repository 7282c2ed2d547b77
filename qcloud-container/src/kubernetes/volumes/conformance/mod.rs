//! What every implementation of [`Volumes`] does, as a suite that any of them can run.
//!
//! ```no_run
//! # use qcloud_container::kubernetes::volumes::conformance::{self, VolumesHarness};
//! # async fn test(harness: &dyn VolumesHarness) {
//! let report = conformance::run(harness).await;
//! assert!(report.clone().into_result().is_ok(), "{report}");
//! # }
//! ```

mod attaching;
mod lifecycle;
mod snapshots;

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;

use super::{Attachment, GIB, SizeRange, Volume, VolumeCapabilities, VolumeRequest, Volumes, ZoneRequirement};
use crate::kubernetes::conformance::Report;
use crate::kubernetes::{ErrorKind, ProviderError};

/// A cloud to test on.
#[derive(Clone)]
pub struct Cloud {
    /// The implementation.
    pub volumes: Arc<dyn Volumes>,
    /// A zone with two nodes.
    pub zone: String,
    /// The two nodes.
    pub nodes: [String; 2],
    /// Another zone with a node.
    pub other_zone: String,
    /// The node of the other zone.
    pub other_node: String,
    /// Parameters that a volume of 20 GiB can be changed to.
    pub changed: BTreeMap<String, String>,
}

impl fmt::Debug for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cloud").field("zone", &self.zone).field("nodes", &self.nodes).finish_non_exhaustive()
    }
}

/// How the suite gets at an implementation, and provokes what it needs.
///
/// Methods that a cloud can't do give `false` (or `None`); the checks that need them are left out then.
#[async_trait]
pub trait VolumesHarness: Send + Sync {
    /// A cloud without volumes, with two nodes in one zone and one in another. No node has volumes yet.
    async fn fresh(&self) -> Cloud;

    /// Lets time pass until what is under way can have advanced.
    async fn pause(&self, cloud: &Cloud);

    /// The same cloud as a newly started process sees it.
    async fn restarted(&self, cloud: &Cloud) -> Cloud;

    /// Makes a volume of another owner in the first zone, under the name that the implementation would give to the
    /// volume of this name.
    async fn foreign_volume(&self, cloud: &Cloud, name: &str) -> Option<String>;

    /// Lets a zone have no more volumes.
    async fn sell_out(&self, cloud: &Cloud, zone: &str) -> bool;

    /// Removes a volume behind the implementation's back.
    async fn lose_volume(&self, cloud: &Cloud, id: &str) -> bool;

    /// Removes a node behind the implementation's back.
    async fn lose_node(&self, cloud: &Cloud, node: &str) -> bool;
}

/// What a check gives: nothing, or what was wrong.
type Outcome = Result<(), String>;
type Check = for<'t> fn(&'t Run<'t>) -> BoxFuture<'t, Outcome>;

/// One check on its own cloud.
struct Run<'t> {
    harness: &'t dyn VolumesHarness,
    cloud: Cloud,
}

/// Runs every check of what the implementation [can do](super::Volumes::capabilities), each on a fresh cloud.
pub async fn run(harness: &dyn VolumesHarness) -> Report {
    let mut report = Report::default();
    for (needed, checks) in GROUPS {
        for (check, body) in *checks {
            let run = Run { harness, cloud: harness.fresh().await };
            if needed(&run.volumes().capabilities()) {
                report.record(check, body(&run).await);
            }
        }
    }
    report
}

/// The names of all checks.
#[must_use]
pub fn names() -> Vec<&'static str> {
    GROUPS.iter().flat_map(|(_, checks)| *checks).map(|(name, _)| *name).collect()
}

/// The checks, by what an implementation has to be able to do for them.
type Group = (fn(&VolumeCapabilities) -> bool, &'static [(&'static str, Check)]);
const GROUPS: &[Group] = &[
    (|_| true, lifecycle::CHECKS),
    (|can| can.expand, lifecycle::OF_EXPANDING),
    (|can| can.modify, lifecycle::OF_MODIFYING),
    (|can| can.capacity, lifecycle::OF_CAPACITY),
    (|_| true, attaching::CHECKS),
    (|can| can.snapshots, snapshots::CHECKS),
];

/// How often an operation is looked at again before the suite gives up.
const PATIENCE: usize = 60;

impl Run<'_> {
    fn volumes(&self) -> &dyn Volumes {
        &*self.cloud.volumes
    }

    /// A request for 20 GiB in the first zone.
    fn request(&self, name: &str) -> VolumeRequest {
        VolumeRequest::new(name, SizeRange::at_least(20 * GIB)).zones(ZoneRequirement::one_of([&self.cloud.zone]))
    }

    /// Repeats an operation while it is pending or busy.
    async fn finish<T, F>(&self, mut operation: impl FnMut() -> F) -> Result<T, ProviderError>
    where
        F: Future<Output = Result<T, ProviderError>>,
    {
        let mut result = operation().await;
        for _ in 0..PATIENCE {
            match &result {
                Err(error) if matches!(error.kind(), ErrorKind::Pending | ErrorKind::Busy) => {}
                _ => break,
            }
            self.harness.pause(&self.cloud).await;
            result = operation().await;
        }
        result
    }

    async fn create(&self, request: &VolumeRequest) -> Result<Volume, ProviderError> {
        self.finish(|| self.volumes().create(request)).await
    }

    /// Makes a volume of 20 GiB in the first zone.
    async fn volume(&self, name: &str) -> Result<Volume, String> {
        good("create", self.create(&self.request(name)).await)
    }

    async fn attach(&self, id: &str, node: &str, access: super::Access) -> Result<Attachment, ProviderError> {
        let volumes = self.volumes();
        self.finish(|| async move {
            let result = volumes.attach(id, node, access).await;
            if is_pending(&result) {
                volumes.settled(id).await?;
            }
            result
        })
        .await
    }

    async fn detach(&self, id: &str, node: Option<&str>) -> Result<(), ProviderError> {
        let volumes = self.volumes();
        self.finish(|| async move {
            let result = volumes.detach(id, node).await;
            if is_pending(&result) {
                volumes.settled(id).await?;
            }
            result
        })
        .await
    }

    async fn expand(&self, id: &str, size: SizeRange) -> Result<Volume, ProviderError> {
        let volumes = self.volumes();
        self.finish(|| async move {
            let result = volumes.expand(id, size).await;
            if is_pending(&result) {
                volumes.settled(id).await?;
            }
            result
        })
        .await
    }

    async fn listed(&self) -> Result<Vec<Volume>, String> {
        Ok(good("list", self.volumes().list(&super::PageRequest::all()).await)?.items)
    }
}

fn is_pending<T>(result: &Result<T, ProviderError>) -> bool {
    result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Pending)
}

/// The value of a result that should be one.
fn good<T>(what: &str, result: Result<T, ProviderError>) -> Result<T, String> {
    result.map_err(|error| format!("{what} failed: {error:?}"))
}

/// Checks that a result is an error of this kind.
fn refused<T: Debug>(what: &str, result: Result<T, ProviderError>, kind: ErrorKind) -> Outcome {
    match result {
        Err(error) if error.kind() == kind => Ok(()),
        Err(error) => Err(format!("{what} should be refused as {kind:?}, but: {error:?}")),
        Ok(value) => Err(format!("{what} should be refused as {kind:?}, but gave {value:?}")),
    }
}

fn same<T: PartialEq + Debug>(what: &str, left: &T, right: &T) -> Outcome {
    if left == right { Ok(()) } else { Err(format!("{what}: {left:?} is not {right:?}")) }
}

fn holds(what: &str, condition: bool) -> Outcome {
    if condition { Ok(()) } else { Err(what.to_owned()) }
}

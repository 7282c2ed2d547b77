#![doc = include_str!("../../../docs/volumes.md")]

mod attach;
mod batch;
mod change;
mod create;
mod delete;
mod lists;
mod names;
mod observe;
mod parameters;
mod snapshots;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use qcloud_cbs::model::{AttachDetail, Disk, Snapshot as CbsSnapshot};
use qcloud_core::Config;
use qcloud_core::clock::Clock;

use self::attach::Place;
use self::batch::{Batcher, Pace};
use self::names::Names;
pub use self::names::{CLUSTER_TAG, SNAPSHOT_TAG, SOURCE_TAG, VOLUME_TAG};
use crate::kubernetes::volumes::{
    Access, Attachment, Capacity, CapacityRequest, Page, PageRequest, SizeRange, Snapshot, SnapshotFilter,
    SnapshotRequest, Volume, VolumeRequest, Volumes,
};
use crate::kubernetes::{ClusterIdentity, ErrorKind, ProviderError, Result};
use crate::provider::instances::zones::Zones;

/// When disks that are waited for are looked at again.
const POLL: Duration = Duration::from_millis(500);
/// How often an operation looks at a disk that changes all the time, before it leaves it to the next one.
const LOOKS: usize = 3;
/// Reads: gathered for a moment; their calls begin 50 ms apart, so that there are no more than 20 in a second however many
/// disks there are.
const READS: Pace = Pace { gather: Duration::from_millis(20), per_call: 100, pause: Duration::from_millis(50) };
/// Writes: gathered for longer, since their calls are scarcer.
const WRITES: Pace = Pace { gather: Duration::from_millis(50), per_call: 100, pause: Duration::ZERO };

/// [`Volumes`] on Cloud Block Storage.
///
/// Clones are not needed: share it behind an [`Arc`]. It keeps no state that matters; another process with the same
/// [`ClusterIdentity`] goes on where this one ended.
#[derive(Debug)]
pub struct CbsVolumes {
    cbs: qcloud_cbs::Client,
    cvm: qcloud_cvm::Client,
    clock: Arc<dyn Clock>,
    names: Names,
    zones: Vec<String>,
    zone_names: Zones,
    reserved: u32,
    attach_timeout: Duration,
    disks: Batcher<(), String, Disk>,
    snapshots: Batcher<(), String, CbsSnapshot>,
    limits: Batcher<(), String, AttachDetail>,
    attaching: Batcher<Place, String, ()>,
    detaching: Batcher<String, String, ()>,
    terminating: Batcher<(), String, ()>,
    seen: Seen,
}

/// What this process has noticed. Without it, things take longer and come out the same.
#[derive(Debug, Default)]
struct Seen {
    /// Names and ids that an operation of this process works on.
    claimed: Arc<Mutex<HashSet<String>>>,
    /// Disks that were deleted.
    gone: Mutex<HashMap<String, Duration>>,
    /// New disks and snapshots that can't be seen yet, and since when.
    unseen: Mutex<HashMap<String, Duration>>,
    /// Disks that are being attached, and since when.
    attaching: Mutex<HashMap<String, Duration>>,
}

impl CbsVolumes {
    /// Volumes of a cluster, through clients of this configuration.
    pub fn new(config: &Config, cluster: ClusterIdentity) -> Self {
        let cbs = qcloud_cbs::Client::new(config);
        let clock = config.clock();
        let (disks, snapshots, limits) = (cbs.clone(), cbs.clone(), cbs.clone());
        let (attaching, detaching, terminating) = (cbs.clone(), cbs.clone(), cbs.clone());
        let limits =
            Batcher::new(Arc::clone(clock), READS, move |(), ids| observe::limits(limits.clone(), ids).boxed());
        let numbers = limits.clone();
        let cvm = qcloud_cvm::Client::new(config);
        Self {
            zone_names: Zones::new(cvm.clone(), Arc::clone(clock)),
            cvm,
            names: Names { cluster },
            zones: Vec::new(),
            reserved: 2,
            attach_timeout: Duration::from_secs(300),
            disks: Batcher::new(Arc::clone(clock), READS, move |(), ids| observe::disks(disks.clone(), ids).boxed()),
            snapshots: Batcher::new(Arc::clone(clock), READS, move |(), ids| {
                observe::snapshots(snapshots.clone(), ids).boxed()
            }),
            limits,
            attaching: Batcher::new(Arc::clone(clock), WRITES, move |place, ids| {
                attach::attach(attaching.clone(), numbers.clone(), place, ids).boxed()
            }),
            detaching: Batcher::new(Arc::clone(clock), WRITES, move |node, ids| {
                attach::detach(detaching.clone(), node, ids).boxed()
            }),
            terminating: Batcher::new(Arc::clone(clock), WRITES, move |(), ids| {
                delete::terminate(terminating.clone(), ids).boxed()
            }),
            clock: Arc::clone(clock),
            cbs,
            seen: Seen::default(),
        }
    }

    /// The zones for volumes that may be anywhere, the best first.
    #[must_use]
    pub fn with_zones(mut self, zones: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.zones = zones.into_iter().map(Into::into).collect();
        self
    }

    /// How many of the disks that a node takes are kept for others; 2 as in Tencent's driver. No disk is attached beyond
    /// the rest, and those that someone else has attached count as well.
    #[must_use]
    pub fn with_reserved_attachments(mut self, reserved: u32) -> Self {
        self.reserved = reserved;
        self
    }

    /// After how long in the state `ATTACHING` the instance is looked at when the disk is to be attached or detached, and
    /// the disk detached if the instance is stopped or gone; 5 minutes.
    #[must_use]
    pub fn with_attach_timeout(mut self, timeout: Duration) -> Self {
        self.attach_timeout = timeout;
        self
    }

    /// Claims a name or id for one operation of this process.
    fn claim(&self, what: &str, of: &str) -> Result<Claim> {
        let key = format!("{what} {of}");
        if !lock(&self.seen.claimed).insert(key.clone()) {
            let message = format!("another operation on {what} {of} is under way");
            return Err(ProviderError::new(ErrorKind::Busy, message).with_retry_after(POLL));
        }
        Ok(Claim { key, claimed: Arc::clone(&self.seen.claimed) })
    }

    /// Since when something has been so; from now on if it is new.
    fn since(&self, notes: &Mutex<HashMap<String, Duration>>, id: &str) -> Duration {
        let now = self.clock.elapsed();
        now.saturating_sub(*lock(notes).entry(id.to_owned()).or_insert(now))
    }
}

/// Holds a name or id until the operation on it ends or is dropped.
#[derive(Debug)]
struct Claim {
    key: String,
    claimed: Arc<Mutex<HashSet<String>>>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&self.claimed).remove(&self.key);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pending(message: String) -> ProviderError {
    ProviderError::pending(message, POLL)
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> ProviderError {
    ProviderError::new(ErrorKind::InvalidArgument, message)
}

fn absent(what: &str, id: &str) -> ProviderError {
    ProviderError::new(ErrorKind::NotFound, format!("there is no {what} {id}"))
}

/// A name that something is requested with: what CSI allows.
fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > 128 {
        return Err(invalid(format!("a name has 1 to 128 bytes, not {}", name.len())));
    }
    Ok(())
}

#[async_trait]
impl Volumes for CbsVolumes {
    async fn create(&self, request: &VolumeRequest) -> Result<Volume> {
        self.create_volume(request).await
    }

    async fn get(&self, id: &str) -> Result<Volume> {
        Ok(self.volume(&self.disk(id).await?))
    }

    async fn list(&self, page: &PageRequest) -> Result<Page<Volume>> {
        self.list_volumes(page).await
    }

    async fn delete(&self, id: &str) -> Result<()> {
        self.delete_volume(id).await
    }

    async fn attach(&self, id: &str, node: &str, access: Access) -> Result<Attachment> {
        self.attach_volume(id, node, access).await
    }

    async fn detach(&self, id: &str, node: Option<&str>) -> Result<()> {
        self.detach_volume(id, node).await
    }

    async fn expand(&self, id: &str, size: SizeRange) -> Result<Volume> {
        self.expand_volume(id, size).await
    }

    async fn modify(&self, id: &str, parameters: &BTreeMap<String, String>) -> Result<Volume> {
        self.modify_volume(id, parameters).await
    }

    async fn attach_limit(&self, node: &str) -> Result<u32> {
        self.limit_of(node).await
    }

    async fn capacity(&self, request: &CapacityRequest) -> Result<Capacity> {
        self.capacity_of(request).await
    }

    async fn settled(&self, id: &str) -> Result<Volume> {
        loop {
            let volume = self.volume(&self.disk(id).await?);
            if volume.is_settled() {
                return Ok(volume);
            }
            self.clock.sleep(POLL).await;
        }
    }

    async fn create_snapshot(&self, request: &SnapshotRequest) -> Result<Snapshot> {
        self.take_snapshot(request).await
    }

    async fn get_snapshot(&self, id: &str) -> Result<Snapshot> {
        Ok(self.snapshot(&self.cbs_snapshot(id).await?))
    }

    async fn list_snapshots(&self, filter: &SnapshotFilter, page: &PageRequest) -> Result<Page<Snapshot>> {
        self.snapshot_page(filter, page).await
    }

    async fn delete_snapshot(&self, id: &str) -> Result<()> {
        self.drop_snapshot(id).await
    }
}

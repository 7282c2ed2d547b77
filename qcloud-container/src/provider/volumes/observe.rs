//! Looking at disks, snapshots and nodes, many with one call.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use qcloud_cbs::Client;
use qcloud_cbs::model::{
    AttachDetail, DescribeDisks, DescribeInstancesDiskNum, DescribeSnapshots, Disk, DiskState, Snapshot as CbsSnapshot,
    SnapshotState,
};
use qcloud_core::Timestamp;

use super::batch::{Answers, Batcher};
use super::names::{SNAPSHOT_TAG, SOURCE_TAG, VOLUME_TAG, attachment, check_id, check_node, is_id, split_mark, value};
use super::{CbsVolumes, absent, lock};
use crate::kubernetes::volumes::{Attachment, GIB, Snapshot, Volume, VolumeState};
use crate::kubernetes::{ErrorKind, ProviderError, Result};
use crate::provider::error::copy;

/// How long lists may lag behind what was done.
const LAG: Duration = Duration::from_secs(5);
/// How old an untagged object of our name is before it can't be one whose tags are still to come.
const TAGGED: Duration = Duration::from_secs(600);
/// The largest page, and the most ids of one call.
pub(super) const PAGE: u64 = 100;

/// Disks by their ids. Those that do not exist have no answer.
pub(super) async fn disks(cbs: Client, ids: Vec<String>) -> Answers<String, Disk> {
    all_of(ids, |chunk| {
        let call = cbs.describe_disks(DescribeDisks::new().disk_ids(chunk).limit(PAGE));
        async move {
            let answer = call.await?;
            complete(answer.total_count, answer.disk_set.len())?;
            Ok(answer.disk_set.into_iter().map(|disk| (disk.disk_id.clone(), disk)).collect())
        }
    })
    .await
}

/// Snapshots by their ids. Those that do not exist have no answer.
pub(super) async fn snapshots(cbs: Client, ids: Vec<String>) -> Answers<String, CbsSnapshot> {
    all_of(ids, |chunk| {
        let call = cbs.describe_snapshots(DescribeSnapshots::new().snapshot_ids(chunk).limit(PAGE));
        async move {
            let answer = call.await?;
            complete(answer.total_count, answer.snapshot_set.len())?;
            Ok(answer.snapshot_set.into_iter().map(|snapshot| (snapshot.snapshot_id.clone(), snapshot)).collect())
        }
    })
    .await
}

/// How many disks instances have and take. Those that do not exist have no answer.
pub(super) async fn limits(cbs: Client, ids: Vec<String>) -> Answers<String, AttachDetail> {
    all_of(ids, |chunk| {
        let call = cbs.describe_instances_disk_num(DescribeInstancesDiskNum::new(chunk));
        async move {
            let answer = call.await?;
            Ok(answer.attach_detail.into_iter().map(|detail| (detail.instance_id.clone(), detail)).collect())
        }
    })
    .await
}

/// Asks for ids with one call. When it fails, none of them is known to be absent.
async fn all_of<T, F>(ids: Vec<String>, call: impl FnOnce(Vec<String>) -> F) -> Answers<String, T>
where
    F: Future<Output = Result<Vec<(String, T)>>>,
{
    match call(ids.clone()).await {
        Ok(found) => found.into_iter().map(|(id, item)| (id, Ok(item))).collect(),
        Err(error) => ids.into_iter().map(|id| (id, Err(copy(&error)))).collect(),
    }
}

/// Refuses an answer that was cut short: it proves nothing about what it leaves out.
pub(super) fn complete(total: u64, count: usize) -> Result<()> {
    if usize::try_from(total).is_ok_and(|total| total > count) {
        let message = format!("the answer holds {count} of {total} objects");
        return Err(ProviderError::new(ErrorKind::Unavailable, message));
    }
    Ok(())
}

impl CbsVolumes {
    /// The object of an id; absent only when two complete answers leave it out, the second after the time that lists may
    /// lag behind. Of what this process has deleted, one is enough.
    async fn proven<T: Clone + Send + Sync + 'static>(
        &self,
        batcher: &Batcher<(), String, T>,
        (what, prefix): (&str, &str),
        id: &str,
    ) -> Result<T> {
        if !is_id(id, prefix) {
            return Err(absent(what, id));
        }
        if let Some(found) = batcher.ask((), id.to_owned()).await? {
            return Ok(found);
        }
        if !lock(&self.seen.gone).contains_key(id) {
            self.catch_up().await;
            if let Some(found) = batcher.ask((), id.to_owned()).await? {
                return Ok(found);
            }
        }
        Err(absent(what, id))
    }

    /// Waits until what was done before can be seen.
    pub(super) async fn catch_up(&self) {
        self.clock.sleep(LAG).await;
    }

    /// Decides about a refusal that contradicts what was seen. Lists may be behind: the first time, it waits until they
    /// have caught up, for another look; when the same comes again, it is the answer.
    pub(super) async fn doubt(&self, error: ProviderError, doubted: &mut Option<ErrorKind>) -> Result<()> {
        if doubted.replace(error.kind()) == Some(error.kind()) {
            return Err(error);
        }
        self.catch_up().await;
        Ok(())
    }

    /// Whether an object without tags, made at this time, may be one of ours whose tags can't be seen yet.
    pub(super) fn may_lack_tags(&self, created: Option<SystemTime>) -> bool {
        let age = created.and_then(|created| self.clock.now().duration_since(created).ok());
        age.is_none_or(|age| age <= TAGGED)
    }

    /// The disk of an id.
    pub(super) async fn disk(&self, id: &str) -> Result<Disk> {
        check_id(id, "disk")?;
        self.proven(&self.disks, ("volume", "disk"), id).await
    }

    /// The disk of an id, or `None` when its absence is proven.
    pub(super) async fn disk_if_any(&self, id: &str) -> Result<Option<Disk>> {
        match self.disk(id).await {
            Ok(disk) => Ok(Some(disk)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The snapshot of an id.
    pub(super) async fn cbs_snapshot(&self, id: &str) -> Result<CbsSnapshot> {
        check_id(id, "snap")?;
        self.proven(&self.snapshots, ("snapshot", "snap"), id).await
    }

    /// How many disks a node has and takes.
    pub(super) async fn node_numbers(&self, node: &str) -> Result<AttachDetail> {
        check_node(node)?;
        self.proven(&self.limits, ("node", "ins"), node).await
    }

    /// A disk in the words of the contract.
    pub(super) fn volume(&self, disk: &Disk) -> Volume {
        let ours = self.names.are_ours(&disk.tags);
        let tag = |key| value(&disk.tags, key).filter(|_| ours).map(str::to_owned);
        let mut nodes: Vec<&String> = Vec::new();
        for node in disk.instance_id_list.iter().chain(Some(&disk.instance_id)) {
            if !node.is_empty() && !nodes.contains(&node) {
                nodes.push(node);
            }
        }
        let renamed = self.is_renamed(disk);
        let attachments = nodes.into_iter().map(|node| {
            let says = attachment(&disk.disk_name, disk.shareable, &disk.disk_id, node);
            Attachment { read_only: says.read_only && !renamed, ..says }
        });
        let attachments = attachments.collect();
        let mut properties = BTreeMap::new();
        if disk.throughput_performance > 0 {
            properties.insert("throughputperformance".to_owned(), disk.throughput_performance.to_string());
        }
        Volume {
            name: tag(VOLUME_TAG).unwrap_or_default(),
            zone: disk.placement.zone.clone(),
            kind: disk.disk_type.to_string(),
            shareable: disk.shareable,
            encrypted: disk.encrypt,
            source: tag(SOURCE_TAG),
            state: state(disk),
            attachments,
            created: disk.create_time.and_then(time),
            properties,
            ..Volume::new(disk.disk_id.clone(), disk.disk_size.saturating_mul(GIB))
        }
    }

    /// The name that a disk of ours was given.
    pub(super) fn name_of(&self, disk: &Disk) -> String {
        self.names.object(value(&disk.tags, VOLUME_TAG).unwrap_or_default())
    }

    /// Whether a shareable disk of ours has another name than it was given, marks apart: then its name does not say who
    /// writes to it, and every node that has it may.
    pub(super) fn is_renamed(&self, disk: &Disk) -> bool {
        disk.shareable && self.names.are_ours(&disk.tags) && split_mark(&disk.disk_name).0 != self.name_of(disk)
    }

    /// A snapshot in the words of the contract.
    pub(super) fn snapshot(&self, snapshot: &CbsSnapshot) -> Snapshot {
        let name = value(&snapshot.tags, SNAPSHOT_TAG).filter(|_| self.names.are_ours(&snapshot.tags));
        Snapshot {
            name: name.unwrap_or_default().to_owned(),
            ready: matches!(snapshot.snapshot_state, SnapshotState::Normal | SnapshotState::RollingBack),
            created: snapshot.create_time.and_then(time),
            ..Snapshot::new(
                snapshot.snapshot_id.clone(),
                snapshot.disk_id.clone(),
                snapshot.disk_size.saturating_mul(GIB),
            )
        }
    }
}

fn state(disk: &Disk) -> VolumeState {
    match &disk.disk_state {
        DiskState::Unattached | DiskState::Attached if disk.migrating => VolumeState::Busy("migrating".to_owned()),
        DiskState::Unattached | DiskState::Attached => VolumeState::Ready,
        DiskState::Attaching => VolumeState::Attaching,
        DiskState::Detaching => VolumeState::Detaching,
        DiskState::ToRecycle => VolumeState::Recycled,
        other => VolumeState::Busy(other.to_string()),
    }
}

fn time(at: Timestamp) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(at.unix_seconds()).ok()?))
}

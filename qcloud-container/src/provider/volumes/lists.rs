//! Lists: of what this cluster has made, and of what is looked for by something else than an id.

use std::collections::HashSet;

use qcloud_cbs::model::{
    DescribeDisks, DescribeSnapshots, Disk, DiskOrderField, Filter, ItemOrderField, Snapshot as CbsSnapshot, SortOrder,
};

use super::CbsVolumes;
use super::names::{CLUSTER_TAG, is_id};
use super::observe::PAGE;
use crate::kubernetes::volumes::{Page, PageRequest, Snapshot, SnapshotFilter, Volume};
use crate::kubernetes::{ErrorKind, ProviderError, Result};

/// How often a list that changes while it is read is read anew.
const SWEEPS: usize = 4;

impl CbsVolumes {
    pub(super) async fn list_volumes(&self, page: &PageRequest) -> Result<Page<Volume>> {
        check_token(page, "disk")?;
        let ours = Filter::new(format!("tag:{CLUSTER_TAG}"), [&self.names.cluster.uid]);
        let mut disks = self.all_disks(DescribeDisks::new().filters([ours])).await?;
        disks.retain(|disk| self.names.are_ours(&disk.tags));
        let volumes = disks.iter().map(|disk| self.volume(disk)).collect();
        Ok(cut(volumes, page, |volume| &volume.id))
    }

    /// The cloud lists snapshots by their volume, and has no filter for their tags.
    pub(super) async fn snapshot_page(&self, only: &SnapshotFilter, page: &PageRequest) -> Result<Page<Snapshot>> {
        check_token(page, "snap")?;
        let mut snapshots = match &only.volume {
            None => self.all_snapshots(DescribeSnapshots::new()).await?,
            Some(volume) if is_id(volume, "disk") => self.snapshots_of(volume).await?,
            Some(_) => Vec::new(),
        };
        snapshots.retain(|snapshot| self.names.are_ours(&snapshot.tags));
        let snapshots = snapshots.iter().map(|snapshot| self.snapshot(snapshot)).collect();
        Ok(cut(snapshots, page, |snapshot| &snapshot.id))
    }

    /// Every disk that fits a call, the oldest first.
    pub(super) async fn all_disks(&self, call: DescribeDisks) -> Result<Vec<Disk>> {
        let call = call.order_field(DiskOrderField::CreateTime).order(SortOrder::Ascending).limit(PAGE);
        let page = |offset| {
            let call = call.clone().offset(offset);
            async move {
                let answer = self.cbs.describe_disks(call).await?;
                Ok((answer.total_count, answer.disk_set))
            }
        };
        sweep(page, |disk: &Disk| &disk.disk_id).await
    }

    /// Every snapshot of a disk, whoever's, the oldest first.
    pub(super) async fn snapshots_of(&self, disk: &str) -> Result<Vec<CbsSnapshot>> {
        self.all_snapshots(DescribeSnapshots::new().filters([Filter::new("disk-id", [disk])])).await
    }

    /// Every snapshot that fits a call, the oldest first.
    pub(super) async fn all_snapshots(&self, call: DescribeSnapshots) -> Result<Vec<CbsSnapshot>> {
        let call = call.order_field(ItemOrderField::CreateTime).order(SortOrder::Ascending).limit(PAGE);
        let page = |offset| {
            let call = call.clone().offset(offset);
            async move {
                let answer = self.cbs.describe_snapshots(call).await?;
                Ok((answer.total_count, answer.snapshot_set))
            }
        };
        sweep(page, |snapshot: &CbsSnapshot| &snapshot.snapshot_id).await
    }
}

/// A whole list. Offsets shift when something appears or vanishes between two pages, so a sweep counts only if the total
/// stayed the same and every object came once.
async fn sweep<T, F>(page: impl Fn(u64) -> F, id: impl Fn(&T) -> &str) -> Result<Vec<T>>
where
    F: Future<Output = Result<(u64, Vec<T>)>>,
{
    for _ in 0..SWEEPS {
        let (mut items, mut total) = (Vec::new(), None);
        let steady = loop {
            let offset = u64::try_from(items.len()).unwrap_or(u64::MAX);
            let (now, more) = page(offset).await?;
            if *total.get_or_insert(now) != now {
                break false;
            }
            let none = more.is_empty();
            items.extend(more);
            if none || u64::try_from(items.len()).is_ok_and(|count| count >= now) {
                break u64::try_from(items.len()).is_ok_and(|count| count == now);
            }
        };
        let distinct: HashSet<&str> = items.iter().map(&id).collect();
        if steady && distinct.len() == items.len() {
            return Ok(items);
        }
    }
    Err(ProviderError::new(ErrorKind::Unavailable, "the list changes faster than it can be read"))
}

/// A token is the id of the last entry, with its place in case that it vanishes.
fn check_token(page: &PageRequest, prefix: &str) -> Result<()> {
    match page.token.as_deref().map(|token| (token, read_token(token))) {
        None => Ok(()),
        Some((_, Some((_, id)))) if is_id(id, prefix) => Ok(()),
        Some((token, _)) => Err(ProviderError::new(ErrorKind::Conflict, format!("no page gave the token `{token}`"))),
    }
}

fn read_token(token: &str) -> Option<(usize, &str)> {
    let (place, id) = token.split_once('.')?;
    Some((place.parse().ok()?, id))
}

/// The page after a token. When the entry of the token is gone, those before it may be gone too: rather than leave one
/// out, some come twice.
fn cut<T>(items: Vec<T>, page: &PageRequest, id: impl Fn(&T) -> &str) -> Page<T> {
    let start = match page.token.as_deref().and_then(read_token) {
        None => 0,
        Some((place, last)) => match items.iter().position(|item| id(item) == last) {
            Some(place) => place + 1,
            None if page.limit == 0 => 0,
            None => place.saturating_sub(page.limit),
        },
    };
    let most = if page.limit == 0 { usize::MAX } else { page.limit };
    let total = items.len();
    let items: Vec<T> = items.into_iter().skip(start).take(most).collect();
    let end = start.saturating_add(items.len());
    let next = items.last().filter(|_| end < total).map(|last| format!("{end}.{}", id(last)));
    Page::new(items, next)
}

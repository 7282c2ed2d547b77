//! Snapshots. They have no client token: their name, which holds a hash of cluster and request, stands for one.

use qcloud_cbs::model::{CreateSnapshot, DeleteSnapshots, DescribeSnapshots, Filter, Snapshot as CbsSnapshot};

use super::names::{CLUSTER_TAG, SNAPSHOT_TAG, is_id, value};
use super::observe::PAGE;
use super::{CbsVolumes, absent, check_name, lock, pending};
use crate::kubernetes::volumes::{Snapshot, SnapshotRequest, SnapshotStep, plan_snapshot};
use crate::kubernetes::{ErrorKind, ProviderError, Result};

impl CbsVolumes {
    pub(super) async fn take_snapshot(&self, request: &SnapshotRequest) -> Result<Snapshot> {
        check_name(&request.name)?;
        let _claim = self.claim("the snapshot named", &request.name)?;
        let mut lost = None;
        for _ in 0..2 {
            if let Some(snapshot) = self.existing(request).await? {
                return Ok(snapshot);
            }
            if !is_id(&request.volume, "disk") {
                return Err(absent("volume", &request.volume));
            }
            if let Some(id) = self.unseen_snapshot(&request.name) {
                return Err(pending(format!("the new snapshot {id} can't be seen yet")));
            }
            let order = CreateSnapshot::new()
                .disk_id(&request.volume)
                .snapshot_name(self.names.object(&request.name))
                .tags(self.names.snapshot_tags(&request.name));
            match self.cbs.create_snapshot(order).await {
                Ok(answer) => match answer.snapshot_id {
                    Some(id) => return self.taken(&request.name, &id).await,
                    None => lost = Some(ProviderError::new(ErrorKind::Ambiguous, "CreateSnapshot gave no id")),
                },
                Err(error) => {
                    let error = ProviderError::from(error);
                    if error.kind() != ErrorKind::Ambiguous {
                        return Err(error);
                    }
                    lost = Some(error);
                }
            }
        }
        Err(lost.unwrap_or_else(|| pending(format!("the snapshot `{}` is being taken", request.name))))
    }

    /// The snapshot, if it exists. Younger doubles, which a lost answer can leave, are deleted.
    async fn existing(&self, request: &SnapshotRequest) -> Result<Option<Snapshot>> {
        let by_name = [Filter::new("snapshot-name", [self.names.object(&request.name)])];
        let mut found = self.snapshots_with(by_name).await?;
        // The name is hashed with the cluster: one of the name without tags is one whose tags can't be seen yet.
        found.retain(|snapshot| self.names.are_ours(&snapshot.tags) || value(&snapshot.tags, CLUSTER_TAG).is_none());
        if found.is_empty() {
            // Someone may have renamed it.
            found = self
                .snapshots_with([
                    Filter::new(format!("tag:{CLUSTER_TAG}"), [&self.names.cluster.uid]),
                    Filter::new(format!("tag:{SNAPSHOT_TAG}"), [&request.name]),
                ])
                .await?;
            found.retain(|snapshot| self.names.are_ours(&snapshot.tags));
        }
        let snapshots: Vec<Snapshot> = found.iter().map(|snapshot| self.snapshot(snapshot)).collect();
        let SnapshotStep::Adopt { id, doubles } = plan_snapshot(request, &snapshots)? else { return Ok(None) };
        let ours = |id: &String| found.iter().any(|one| one.snapshot_id == *id && self.names.are_ours(&one.tags));
        let doubles: Vec<String> = doubles.into_iter().filter(ours).collect();
        if !doubles.is_empty() {
            self.cbs.delete_snapshots(DeleteSnapshots::new(doubles)).await?;
        }
        lock(&self.seen.unseen).remove(&unseen_key(&request.name, &id));
        Ok(snapshots.into_iter().find(|snapshot| snapshot.id == id).map(|mut snapshot| {
            snapshot.name.clone_from(&request.name);
            snapshot
        }))
    }

    async fn snapshots_with(&self, filters: impl IntoIterator<Item = Filter>) -> Result<Vec<CbsSnapshot>> {
        let call = DescribeSnapshots::new().filters(filters).limit(PAGE);
        Ok(self.cbs.describe_snapshots(call).await?.snapshot_set)
    }

    /// A new snapshot, once it can be seen.
    async fn taken(&self, name: &str, id: &str) -> Result<Snapshot> {
        let key = unseen_key(name, id);
        if let Some(snapshot) = self.snapshots.ask((), id.to_owned()).await? {
            lock(&self.seen.unseen).remove(&key);
            return Ok(self.snapshot(&snapshot));
        }
        self.since(&self.seen.unseen, &key);
        Err(pending(format!("the new snapshot {id} can't be seen yet")))
    }

    /// The snapshot of the name that was taken a moment ago and can't be seen yet.
    fn unseen_snapshot(&self, name: &str) -> Option<String> {
        let prefix = unseen_key(name, "");
        let now = self.clock.elapsed();
        let unseen = lock(&self.seen.unseen);
        unseen
            .iter()
            .find(|(key, since)| key.starts_with(&prefix) && now.saturating_sub(**since).as_secs() < 60)
            .map(|(key, _)| key.split_at(prefix.len()).1.to_owned())
    }

    pub(super) async fn drop_snapshot(&self, id: &str) -> Result<()> {
        let _claim = self.claim("snapshot", id)?;
        let mut lost = None;
        for _ in 0..2 {
            let snapshot = match self.cbs_snapshot(id).await {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                other => other?,
            };
            if !self.names.are_ours(&snapshot.tags) {
                let message = format!("the snapshot {id} was not taken by this cluster, which does not delete it");
                return Err(ProviderError::new(ErrorKind::Conflict, message));
            }
            match self.cbs.delete_snapshots(DeleteSnapshots::new([id])).await.map_err(ProviderError::from) {
                Err(error) if error.kind() == ErrorKind::Ambiguous => lost = Some(error),
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => return Ok(()),
            }
        }
        Err(lost.unwrap_or_else(|| ProviderError::new(ErrorKind::Ambiguous, "the deletion gave no answer")))
    }
}

fn unseen_key(name: &str, id: &str) -> String {
    format!("{name}\n{id}")
}

//! Snapshots. They have no client token: their name, which holds a hash of cluster and request, stands for one.

use qcloud_cbs::model::{CreateSnapshot, DeleteSnapshots, DescribeSnapshots, Filter, Snapshot as CbsSnapshot};

use super::names::{CLUSTER_TAG, SNAPSHOT_TAG, is_id, value};
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

    /// The snapshot, if it exists: the oldest of several that a lost answer can leave.
    async fn existing(&self, request: &SnapshotRequest) -> Result<Option<Snapshot>> {
        let name = self.names.object(&request.name);
        let by_name = DescribeSnapshots::new().filters([Filter::new("snapshot-name", [&name])]);
        let mut found = self.all_snapshots(by_name).await?;
        if !found.iter().any(|snapshot| self.was_taken_for(&request.name, snapshot)) && is_id(&request.volume, "disk") {
            // Someone may have renamed it, or it can't be seen yet: no token keeps a second one from being taken.
            self.catch_up().await;
            found = self.snapshots_of(&request.volume).await?;
        }
        // The name is hashed with the cluster: one of the name without tags is one whose tags can't be seen yet.
        let untagged = found.iter().find(|snapshot| {
            snapshot.snapshot_name == name
                && value(&snapshot.tags, CLUSTER_TAG).is_none()
                && self.may_lack_tags(self.snapshot(snapshot).created)
        });
        let untagged = untagged.map(|snapshot| snapshot.snapshot_id.clone());
        found.retain(|snapshot| self.was_taken_for(&request.name, snapshot));
        let snapshots: Vec<Snapshot> = found.iter().map(|snapshot| self.snapshot(snapshot)).collect();
        let id = match (plan_snapshot(request, &snapshots)?, untagged) {
            (SnapshotStep::Adopt { id }, _) => id,
            (SnapshotStep::Create, None) => return Ok(None),
            (SnapshotStep::Create, Some(id)) => {
                return Err(pending(format!("the tags of the snapshot {id} can't be seen yet")));
            }
        };
        lock(&self.seen.unseen).remove(&unseen_key(&request.name, &id));
        Ok(snapshots.into_iter().find(|snapshot| snapshot.id == id))
    }

    /// Whether a snapshot is what this cluster has taken for a request of this name: nothing less lets it be adopted, or
    /// deleted with another.
    fn was_taken_for(&self, name: &str, snapshot: &CbsSnapshot) -> bool {
        self.names.are_ours(&snapshot.tags) && value(&snapshot.tags, SNAPSHOT_TAG) == Some(name)
    }

    /// A new snapshot, once it and its tags can be seen.
    async fn taken(&self, name: &str, id: &str) -> Result<Snapshot> {
        let key = unseen_key(name, id);
        let seen = self.snapshots.ask((), id.to_owned()).await?;
        if let Some(snapshot) = seen.filter(|snapshot| self.was_taken_for(name, snapshot)) {
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
            // All that were taken for one request: whoever asked for it holds the id of one of them.
            let mut ids = vec![id.to_owned()];
            if let Some(name) = value(&snapshot.tags, SNAPSHOT_TAG) {
                let doubles = self.snapshots_of(&snapshot.disk_id).await?.into_iter();
                let doubles = doubles.filter(|double| double.snapshot_id != id && self.was_taken_for(name, double));
                ids.extend(doubles.map(|double| double.snapshot_id));
            }
            let several = ids.len() > 1;
            match self.cbs.delete_snapshots(DeleteSnapshots::new(ids)).await.map_err(ProviderError::from) {
                Err(error) if error.kind() == ErrorKind::Ambiguous => lost = Some(error),
                // One of them went meanwhile, and nobody knows about the others.
                Err(error) if error.kind() == ErrorKind::NotFound && several => {
                    lost = Some(ProviderError::new(ErrorKind::Ambiguous, error.to_string()));
                }
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {
                    self.remember_gone(id);
                    return Ok(());
                }
            }
        }
        Err(lost.unwrap_or_else(|| ProviderError::new(ErrorKind::Ambiguous, "the deletion gave no answer")))
    }
}

fn unseen_key(name: &str, id: &str) -> String {
    format!("{name}\n{id}")
}

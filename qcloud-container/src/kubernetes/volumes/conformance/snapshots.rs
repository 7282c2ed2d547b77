//! Checks of snapshots, and of volumes made from them.

use super::{Check, Outcome, Run, good, holds, refused, same};
use crate::kubernetes::volumes::{PageRequest, Snapshot, SnapshotFilter, SnapshotRequest};
use crate::kubernetes::{ErrorKind, ProviderError};

pub(super) const CHECKS: &[(&str, Check)] = &[
    ("a snapshot is as requested", |run| Box::pin(as_requested(run))),
    ("a repeated request gives the same snapshot", |run| Box::pin(repeated(run))),
    ("the same name of another volume is refused", |run| Box::pin(other_volume(run))),
    ("an unknown volume has no snapshots", |run| Box::pin(unknown_volume(run))),
    ("a volume is restored", |run| Box::pin(restored(run))),
    ("an unknown snapshot is no source", |run| Box::pin(unknown_source(run))),
    ("snapshots outlive their volume", |run| Box::pin(outlive(run))),
    ("deletion of snapshots can be repeated", |run| Box::pin(deletion(run))),
    ("pages make up the list of snapshots", |run| Box::pin(pages(run))),
];

impl Run<'_> {
    async fn take(&self, name: &str, volume: &str) -> Result<Snapshot, ProviderError> {
        let request = SnapshotRequest::new(name, volume);
        self.finish(|| self.volumes().create_snapshot(&request)).await
    }

    /// A snapshot that volumes can be made from.
    async fn snapshot(&self, name: &str, volume: &str) -> Result<Snapshot, String> {
        let mut snapshot = good("snapshot", self.take(name, volume).await)?;
        for _ in 0..super::PATIENCE {
            if snapshot.ready {
                return Ok(snapshot);
            }
            self.harness.pause(&self.cloud).await;
            snapshot = good("get snapshot", self.volumes().get_snapshot(&snapshot.id).await)?;
        }
        Err("the snapshot is never ready".to_owned())
    }

    async fn snapshots(&self, filter: &SnapshotFilter) -> Result<Vec<Snapshot>, String> {
        Ok(good("list snapshots", self.volumes().list_snapshots(filter, &PageRequest::all()).await)?.items)
    }
}

async fn as_requested(run: &Run<'_>) -> Outcome {
    let volume = run.volume("a").await?;
    let snapshot = run.snapshot("s", &volume.id).await?;
    same("volume", &snapshot.volume, &volume.id)?;
    same("size", &snapshot.size, &volume.size)?;
    same("name", &snapshot.name.as_str(), &"s")?;
    same("what get says", &good("get snapshot", run.volumes().get_snapshot(&snapshot.id).await)?, &snapshot)
}

async fn repeated(run: &Run<'_>) -> Outcome {
    let volume = run.volume("a").await?;
    let first = good("snapshot", run.take("s", &volume.id).await)?;
    let second = good("snapshot", run.take("s", &volume.id).await)?;
    same("id", &second.id, &first.id)?;
    let again = Run { harness: run.harness, cloud: run.harness.restarted(&run.cloud).await };
    same("id after a restart", &good("snapshot", again.take("s", &volume.id).await)?.id, &first.id)?;
    same("number of snapshots", &again.snapshots(&SnapshotFilter::default()).await?.len(), &1)
}

async fn other_volume(run: &Run<'_>) -> Outcome {
    let (first, second) = (run.volume("a").await?, run.volume("b").await?);
    run.snapshot("s", &first.id).await?;
    refused("another volume", run.take("s", &second.id).await, ErrorKind::AlreadyExists)
}

async fn unknown_volume(run: &Run<'_>) -> Outcome {
    for id in ["no such id", "disk-99999999"] {
        refused("a snapshot", run.take("s", id).await, ErrorKind::NotFound)?;
        holds("there are none of it", run.snapshots(&SnapshotFilter::of_volume(id)).await?.is_empty())?;
    }
    refused("no name", run.take("", "disk-99999999").await, ErrorKind::InvalidArgument)
}

async fn restored(run: &Run<'_>) -> Outcome {
    let volume = run.volume("a").await?;
    let snapshot = run.snapshot("s", &volume.id).await?;
    let request = run.request("b").source(&snapshot.id);
    let copy = good("create", run.create(&request).await)?;
    same("source", &copy.source.as_deref(), &Some(snapshot.id.as_str()))?;
    same("id of the repeated request", &good("create", run.create(&request).await)?.id, &copy.id)?;
    refused("the name without its source", run.create(&run.request("b")).await, ErrorKind::AlreadyExists)
}

async fn unknown_source(run: &Run<'_>) -> Outcome {
    for id in ["no such id", "snap-99999999"] {
        let request = run.request("a").source(id);
        refused("an unknown source", run.create(&request).await, ErrorKind::NotFound)?;
        refused("get snapshot", run.volumes().get_snapshot(id).await, ErrorKind::NotFound)?;
    }
    Ok(())
}

async fn outlive(run: &Run<'_>) -> Outcome {
    let volume = run.volume("a").await?;
    let snapshot = run.snapshot("s", &volume.id).await?;
    good("delete", run.finish(|| run.volumes().delete(&volume.id)).await)?;
    good("get snapshot", run.volumes().get_snapshot(&snapshot.id).await)?;
    let request = run.request("b").source(&snapshot.id);
    good("create", run.create(&request).await).map(drop)
}

async fn deletion(run: &Run<'_>) -> Outcome {
    let volume = run.volume("a").await?;
    let snapshot = good("snapshot", run.take("s", &volume.id).await)?;
    good("delete", run.finish(|| run.volumes().delete_snapshot(&snapshot.id)).await)?;
    good("delete again", run.finish(|| run.volumes().delete_snapshot(&snapshot.id)).await)?;
    good("delete nonsense", run.volumes().delete_snapshot("no such id").await)?;
    refused("get snapshot", run.volumes().get_snapshot(&snapshot.id).await, ErrorKind::NotFound)
}

async fn pages(run: &Run<'_>) -> Outcome {
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        let volume = run.volume(name).await?;
        ids.push(run.snapshot(name, &volume.id).await?.id);
    }
    let mut seen = Vec::new();
    let mut request = PageRequest::first(2);
    while seen.len() <= ids.len() {
        let page = good("list", run.volumes().list_snapshots(&SnapshotFilter::default(), &request).await)?;
        seen.extend(page.items.into_iter().map(|snapshot| snapshot.id));
        let Some(token) = page.next else { break };
        request = PageRequest::after(token, 2);
    }
    ids.sort();
    seen.sort();
    same("the list", &seen, &ids)?;
    let invalid = run.volumes().list_snapshots(&SnapshotFilter::default(), &PageRequest::after("nonsense", 2)).await;
    refused("a made-up token", invalid, ErrorKind::Conflict)
}

//! Snapshots.

use std::collections::HashSet;

use qcloud_csi::proto::{DeleteSnapshotRequest, GetSnapshotRequest, ListSnapshotsRequest, Snapshot};
use tonic::Code;

use crate::lab::{Lab, NO_DISK, code, snapshot};

fn get(id: &str) -> GetSnapshotRequest {
    GetSnapshotRequest { snapshot_id: id.to_owned(), ..GetSnapshotRequest::default() }
}

fn delete(id: &str) -> DeleteSnapshotRequest {
    DeleteSnapshotRequest { snapshot_id: id.to_owned(), ..DeleteSnapshotRequest::default() }
}

async fn list(lab: &mut Lab, request: ListSnapshotsRequest) -> Vec<Snapshot> {
    let entries = lab.controller.list_snapshots(request).await.unwrap().into_inner().entries;
    entries.into_iter().map(|entry| entry.snapshot.unwrap()).collect()
}

fn check(snapshot: &Snapshot) {
    assert!(!snapshot.snapshot_id.is_empty() && !snapshot.source_volume_id.is_empty());
    assert!(snapshot.creation_time.as_ref().unwrap().seconds > 0);
}

/// A snapshot of a volume of its own.
async fn taken(lab: &mut Lab, name: &str) -> Snapshot {
    let volume = lab.volume(&format!("volume-of-{name}")).await;
    lab.snapshot(name, &volume.volume_id).await
}

#[tokio::test]
async fn snapshots_are_found_by_their_id() {
    let mut lab = Lab::new().await;
    taken(&mut lab, "before").await;
    let target = taken(&mut lab, "target").await;
    taken(&mut lab, "after").await;

    let request = ListSnapshotsRequest { snapshot_id: target.snapshot_id.clone(), ..ListSnapshotsRequest::default() };
    let found = list(&mut lab, request).await;
    assert_eq!(found, std::slice::from_ref(&target));
    let one = lab.controller.get_snapshot(get(&target.snapshot_id)).await.unwrap().into_inner().snapshot.unwrap();
    assert_eq!(one, target);
    check(&one);

    // Whose volume is another is not meant.
    let both = ListSnapshotsRequest {
        snapshot_id: target.snapshot_id.clone(),
        source_volume_id: NO_DISK.to_owned(),
        ..ListSnapshotsRequest::default()
    };
    assert_eq!(list(&mut lab, both).await, []);
}

#[tokio::test]
async fn snapshots_are_found_by_their_volume() {
    let mut lab = Lab::new().await;
    taken(&mut lab, "before").await;
    let target = taken(&mut lab, "target").await;
    taken(&mut lab, "after").await;
    let of =
        |volume: &str| ListSnapshotsRequest { source_volume_id: volume.to_owned(), ..ListSnapshotsRequest::default() };
    assert_eq!(list(&mut lab, of(&target.source_volume_id)).await, std::slice::from_ref(&target));
    for unknown in [NO_DISK, "none-exist-id"] {
        assert_eq!(list(&mut lab, of(unknown)).await, []);
    }
}

#[tokio::test]
async fn snapshots_that_do_not_exist_are_absent() {
    let mut lab = Lab::new().await;
    for unknown in ["none-exist-id", "snap-00000000"] {
        let request = ListSnapshotsRequest { snapshot_id: unknown.to_owned(), ..ListSnapshotsRequest::default() };
        assert_eq!(list(&mut lab, request).await, []);
        assert_eq!(code(lab.controller.get_snapshot(get(unknown)).await), Code::NotFound);
    }
    assert_eq!(code(lab.controller.get_snapshot(get("")).await), Code::InvalidArgument);
}

#[tokio::test]
async fn a_list_has_new_snapshots_and_no_deleted_ones() {
    let mut lab = Lab::new().await;
    let all = ListSnapshotsRequest::default();
    assert_eq!(list(&mut lab, all.clone()).await, []);
    let snapshot = taken(&mut lab, "listed").await;
    assert_eq!(list(&mut lab, all.clone()).await, std::slice::from_ref(&snapshot));
    lab.controller.delete_snapshot(delete(&snapshot.snapshot_id)).await.unwrap();
    assert_eq!(list(&mut lab, all).await, []);
}

#[tokio::test]
async fn a_list_comes_in_pages() {
    let mut lab = Lab::new().await;
    let mut made = HashSet::new();
    for number in 0..5 {
        made.insert(taken(&mut lab, &format!("page-{number}")).await.snapshot_id);
    }
    let request = ListSnapshotsRequest { max_entries: 2, ..ListSnapshotsRequest::default() };
    let first = lab.controller.list_snapshots(request).await.unwrap().into_inner();
    assert_eq!(first.entries.len(), 2);
    let request = ListSnapshotsRequest { starting_token: first.next_token, ..ListSnapshotsRequest::default() };
    let rest = lab.controller.list_snapshots(request).await.unwrap().into_inner();
    assert_eq!((rest.entries.len(), &*rest.next_token), (3, ""));
    let seen: HashSet<String> =
        first.entries.into_iter().chain(rest.entries).map(|entry| entry.snapshot.unwrap().snapshot_id).collect();
    assert_eq!(seen, made);

    let request = ListSnapshotsRequest { starting_token: "invalid".to_owned(), ..ListSnapshotsRequest::default() };
    assert_eq!(code(lab.controller.list_snapshots(request).await), Code::Aborted);
}

#[tokio::test]
async fn taking_needs_a_name_and_a_volume() {
    let mut lab = Lab::new().await;
    assert_eq!(code(lab.controller.create_snapshot(snapshot("", "testId")).await), Code::InvalidArgument);
    assert_eq!(code(lab.controller.create_snapshot(snapshot("name", "")).await), Code::InvalidArgument);
    for unknown in ["testId", NO_DISK] {
        assert_eq!(code(lab.controller.create_snapshot(snapshot("name", unknown)).await), Code::NotFound);
    }
    let mut odd = snapshot("name", "testId");
    odd.parameters.insert("XXX_FakeKey".to_owned(), "x".to_owned());
    assert_eq!(code(lab.controller.create_snapshot(odd).await), Code::InvalidArgument);
}

#[tokio::test]
async fn the_same_request_gives_the_same_snapshot() {
    let mut lab = Lab::new().await;
    let volume = lab.volume("volume").await;
    let first = lab.snapshot("twice", &volume.volume_id).await;
    let second = lab.snapshot("twice", &volume.volume_id).await;
    assert_eq!(first, second);
    assert_eq!(list(&mut lab, ListSnapshotsRequest::default()).await.len(), 1);
}

#[tokio::test]
async fn a_name_stands_for_one_snapshot_only() {
    let mut lab = Lab::new().await;
    taken(&mut lab, "taken").await;
    let other = lab.volume("other").await;
    let answer = lab.controller.create_snapshot(snapshot("taken", &other.volume_id)).await;
    assert_eq!(code(answer), Code::AlreadyExists);
}

#[tokio::test]
async fn the_longest_name_is_taken_whole() {
    let mut lab = Lab::new().await;
    let volume = lab.volume("volume").await;
    let name = "n".repeat(128);
    let first = lab.snapshot(&name, &volume.volume_id).await;
    assert_eq!(lab.snapshot(&name, &volume.volume_id).await, first);
    let over = lab.controller.create_snapshot(snapshot(&"n".repeat(129), &volume.volume_id)).await;
    assert_eq!(code(over), Code::InvalidArgument);
}

#[tokio::test]
async fn deleting_needs_an_id_and_nothing_else() {
    let mut lab = Lab::new().await;
    assert_eq!(code(lab.controller.delete_snapshot(delete("")).await), Code::InvalidArgument);
    for unknown in ["reallyfakesnapshotid", "snap-00000000"] {
        lab.controller.delete_snapshot(delete(unknown)).await.unwrap();
    }
    let snapshot = taken(&mut lab, "short-lived").await;
    lab.controller.delete_snapshot(delete(&snapshot.snapshot_id)).await.unwrap();
    lab.controller.delete_snapshot(delete(&snapshot.snapshot_id)).await.unwrap();
}

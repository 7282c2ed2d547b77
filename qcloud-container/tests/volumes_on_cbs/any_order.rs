//! Whatever goes wrong in whatever order: it ends as it should, and what belongs to others stays as it was.

use std::time::Duration;

use proptest::prelude::*;
use qcloud_container::kubernetes::ErrorKind;
use qcloud_container::kubernetes::volumes::{Access, SnapshotRequest, Volumes};
use qcloud_core::clock::Clock as _;
use qcloud_emulator::{Builder, Emulator};
use serde_json::json;

use crate::lab::{Fault, Lab, Process, ZONE, lagging, request};

/// After this time, lists show all that was done.
const SEEN: Duration = Duration::from_secs(10);
const ACTIONS: [&str; 9] = [
    "DescribeDisks",
    "CreateDisks",
    "AttachDisks",
    "DetachDisks",
    "TerminateDisks",
    "DescribeSnapshots",
    "CreateSnapshot",
    "DeleteSnapshots",
    "ModifyDiskAttributes",
];

fn faults() -> impl Strategy<Value = Vec<Option<Fault>>> {
    let fault = prop_oneof![
        3 => Just(None),
        1 => Just(Some(Fault::CutAfter)),
        1 => Just(Some(Fault::CutBefore)),
        1 => Just(Some(Fault::Code("RequestLimitExceeded"))),
        1 => Just(Some(Fault::Code("InternalError"))),
        1 => Just(Some(Fault::Code("ResourceBusy"))),
    ];
    prop::collection::vec(fault, 0..6)
}

/// A whole life, by processes that take turns.
async fn live(processes: &[Process], lab: &Lab, turns: &[usize]) {
    let mut turns = turns.iter().cycle();
    let mut next = || &processes[turns.next().unwrap() % processes.len()];
    let shared = request("a").shareable();
    let volume = next().create(&shared).await.unwrap();
    let access = Access::WRITER_AMONG_READERS;
    let process = next();
    process.insist(|| process.volumes.attach(&volume.id, &lab.nodes[0], access)).await.unwrap();
    let process = next();
    let second = process.insist(|| process.volumes.attach(&volume.id, &lab.nodes[1], access)).await;
    assert_eq!(second.unwrap_err().kind(), ErrorKind::InUse);
    let process = next();
    let reader = Access::READER_BESIDE_WRITER;
    process.insist(|| process.volumes.attach(&volume.id, &lab.nodes[1], reader)).await.unwrap();
    next().detach(&volume.id, Some(&lab.nodes[0])).await.unwrap();
    next().detach(&volume.id, None).await.unwrap();
    next().delete(&volume.id).await.unwrap();

    let source = next().create(&request("b")).await.unwrap();
    let wanted = SnapshotRequest::new("s", &source.id);
    let process = next();
    let snapshot = process.insist(|| process.volumes.create_snapshot(&wanted)).await.unwrap();
    let copy = next().create(&request("c").source(&snapshot.id)).await.unwrap();
    let process = next();
    process.insist(|| process.volumes.create_snapshot(&wanted)).await.unwrap();
    process.insist(|| process.volumes.delete_snapshot(&snapshot.id)).await.unwrap();
    next().delete(&copy.id).await.unwrap();
    next().delete(&source.id).await.unwrap();
}

async fn run(cloud: Builder, plans: Vec<Vec<Option<Fault>>>, turns: Vec<usize>) {
    let lab = Lab::with(cloud).await;
    let foreign = json!({
        "Placement": {"Zone": ZONE}, "DiskChargeType": "POSTPAID_BY_HOUR", "DiskType": "CLOUD_PREMIUM",
        "DiskSize": 20, "DiskCount": 2, "DiskName": "a",
        "Tags": [{"Key": "qcloud-rs-cluster", "Value": "uid-2"}, {"Key": "qcloud-rs-volume", "Value": "a"}],
    });
    lab.call("cbs", "CreateDisks", foreign).await;
    lab.clock.sleep(SEEN).await;
    let before = lab.disks().await;
    let processes = [lab.process(), lab.process()];
    for (place, plan) in plans.into_iter().enumerate() {
        processes[place / ACTIONS.len()].plan(ACTIONS[place % ACTIONS.len()], plan);
    }
    live(&processes, &lab, &turns).await;
    lab.clock.sleep(SEEN).await;
    assert_eq!(lab.disks().await, before);
    assert!(lab.snapshots().await.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_faults_converges(
        plans in prop::collection::vec(faults(), 2 * ACTIONS.len()),
        turns in prop::collection::vec(0..2_usize, 5..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(Emulator::builder(), plans, turns));
    }

    #[test]
    fn any_order_of_faults_converges_where_lists_lag(
        plans in prop::collection::vec(faults(), 2 * ACTIONS.len()),
        turns in prop::collection::vec(0..2_usize, 5..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(lagging(), plans, turns));
    }
}

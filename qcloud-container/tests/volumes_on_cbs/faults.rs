//! The failure matrix, by its rows.

use std::time::Duration;

use futures_util::future::join;
use qcloud_container::kubernetes::volumes::{
    Access, CsiCode, GIB, PageRequest, SizeRange, SnapshotFilter, SnapshotRequest, VolumeState, Volumes,
    ZoneRequirement,
};
use qcloud_container::kubernetes::{ErrorKind, Exhausted};
use qcloud_core::clock::Clock as _;
use qcloud_emulator::{Emulator, Quota, Task, UnknownFilters};
use serde_json::json;

use crate::lab::{Fault, Lab, OTHER_ZONE, ZONE, lagging, request};

fn code(code: &'static str) -> Option<Fault> {
    Some(Fault::Code(code))
}

#[tokio::test]
async fn row_1_a_burst_of_throttling_passes() {
    let lab = Lab::new().await;
    let process = lab.process();
    let throttled = || [code("RequestLimitExceeded"), code("RequestLimitExceeded"), None, code("RequestLimitExceeded")];
    for action in ["DescribeDisks", "CreateDisks", "AttachDisks", "DetachDisks", "TerminateDisks"] {
        process.plan(action, throttled());
    }
    let volume = process.volume("a").await;
    process.attach(&volume.id, &lab.nodes[0]).await.unwrap();
    process.detach(&volume.id, Some(&lab.nodes[0])).await.unwrap();
    process.delete(&volume.id).await.unwrap();
    assert!(lab.disks().await.is_empty());
    assert!(lab.emulator.calls().total() < 40, "{:?}", lab.emulator.calls().counts());
}

#[tokio::test]
async fn row_2_lost_answers_leave_exactly_one_object() {
    let lab = Lab::new().await;
    let process = lab.process();
    for action in ["CreateDisks", "AttachDisks", "CreateSnapshot", "ResizeDisk", "DetachDisks", "TerminateDisks"] {
        process.fail(action, Fault::CutAfter);
    }
    let volume = process.volume("a").await;
    assert_eq!(lab.disks().await.len(), 1);
    process.attach(&volume.id, &lab.nodes[0]).await.unwrap();
    assert_eq!(lab.count("AttachDisks"), 1);
    let wanted = SnapshotRequest::new("s", &volume.id);
    process.insist(|| process.volumes.create_snapshot(&wanted)).await.unwrap();
    assert_eq!(lab.snapshots().await.len(), 1);
    process.insist(|| process.volumes.expand(&volume.id, SizeRange::at_least(30 * GIB))).await.unwrap();
    // It was refused for as long as the snapshot was being taken, and executed once.
    let executed = lab.emulator.calls().of("ResizeDisk").into_iter().filter(|call| call.error.is_none());
    assert_eq!(executed.count(), 1);
    process.detach(&volume.id, Some(&lab.nodes[0])).await.unwrap();
    process.delete(&volume.id).await.unwrap();
    assert!(lab.disks().await.is_empty());
}

#[tokio::test]
async fn row_2_calls_that_never_arrived_are_made_again() {
    let lab = Lab::new().await;
    let process = lab.process();
    for action in ["CreateDisks", "AttachDisks", "CreateSnapshot", "DetachDisks", "TerminateDisks"] {
        process.fail(action, Fault::CutBefore);
    }
    let volume = process.volume("a").await;
    process.attach(&volume.id, &lab.nodes[0]).await.unwrap();
    let wanted = SnapshotRequest::new("s", &volume.id);
    process.insist(|| process.volumes.create_snapshot(&wanted)).await.unwrap();
    process.detach(&volume.id, Some(&lab.nodes[0])).await.unwrap();
    process.delete(&volume.id).await.unwrap();
    assert!(lab.disks().await.is_empty());
}

#[tokio::test]
async fn row_4_a_spent_token_is_replaced_only_after_proof_of_absence() {
    let lab = Lab::new().await;
    let process = lab.process();
    process.fail("CreateDisks", Fault::Code("InvalidParameter.InvalidClientToken"));
    process.volume("a").await;
    assert_eq!(lab.disks().await.len(), 1);

    // A disk of the name is there, and its tags can't be seen yet: nothing is ordered.
    let probe = lab.process_of("uid-2");
    let volume = probe.volume("b").await;
    let name_of_b = lab.disks().await.into_iter().find(|disk| disk["DiskId"] == volume.id.as_str()).unwrap();
    probe.delete(&volume.id).await.unwrap();
    let untagged = json!({
        "Placement": {"Zone": ZONE}, "DiskChargeType": "POSTPAID_BY_HOUR", "DiskType": "CLOUD_PREMIUM",
        "DiskSize": 20, "DiskName": name_of_b["DiskName"],
    });
    lab.call("cbs", "CreateDisks", untagged).await;
    lab.clock.sleep(Duration::from_secs(2)).await;
    let another = lab.process_of("uid-2");
    another.fail("CreateDisks", Fault::Code("InvalidParameter.ClientTokenLimitExceeded"));
    let error = another.volumes.create(&request("b")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Pending);
    lab.clock.sleep(Duration::from_secs(5)).await;
    assert_eq!(lab.disks().await.len(), 2);
}

#[tokio::test]
async fn row_4_a_disk_that_another_process_deleted_is_made_anew() {
    let lab = Lab::new().await;
    let (one, two) = (lab.process(), lab.process());
    let first = one.volume("a").await;
    two.delete(&first.id).await.unwrap();
    let second = one.volume("a").await;
    assert_ne!(first.id, second.id);
    assert_eq!(lab.disks().await.len(), 1);
}

#[tokio::test]
async fn row_5_an_attachment_that_hangs_is_undone_when_the_node_is_down() {
    let builder = Emulator::builder().task_duration(Task::DiskAttach, Duration::from_secs(3600));
    let lab = Lab::with(builder).await;
    let process = lab.process();
    let volume = process.volume("a").await;
    let attach = || process.volumes.attach(&volume.id, &lab.nodes[0], Access::SINGLE_WRITER);
    assert_eq!(attach().await.unwrap_err().kind(), ErrorKind::Pending);
    assert_eq!(attach().await.unwrap_err().kind(), ErrorKind::Pending);
    lab.clock.sleep(Duration::from_secs(400)).await;
    let hanging = attach().await.unwrap_err();
    assert_eq!(hanging.kind(), ErrorKind::Unavailable);
    assert_eq!(lab.count("DetachDisks"), 0, "the node runs: it may still come");
    lab.call("cvm", "StopInstances", json!({"InstanceIds": [lab.nodes[0]]})).await;
    lab.clock.sleep(Duration::from_secs(10)).await;
    let hanging = attach().await.unwrap_err();
    assert_eq!(CsiCode::of(&hanging), CsiCode::Unavailable);
    assert_eq!(lab.emulator.calls().of("DetachDisks")[0].parameters["InstanceId"], lab.nodes[0].as_str());
    lab.clock.sleep(Duration::from_secs(10)).await;
    assert_eq!(lab.disks().await[0]["DiskState"], "UNATTACHED");
}

#[tokio::test]
async fn row_5_and_14_a_disk_that_hangs_on_its_way_to_a_dead_node_is_freed_by_detaching_it() {
    let builder = Emulator::builder().task_duration(Task::DiskAttach, Duration::from_secs(3600));
    let lab = Lab::with(builder).await;
    let process = lab.process_with("uid-1", |volumes| volumes.with_attach_timeout(Duration::from_secs(60)));
    let volume = process.volume("a").await;
    let attached = process.volumes.attach(&volume.id, &lab.nodes[0], Access::SINGLE_WRITER).await;
    assert_eq!(attached.unwrap_err().kind(), ErrorKind::Pending);
    let detach = || process.volumes.detach(&volume.id, Some(&lab.nodes[0]));
    assert_eq!(detach().await.unwrap_err().kind(), ErrorKind::Pending);
    lab.clock.sleep(Duration::from_secs(60)).await;
    // The node runs, whatever one answer leaves out.
    process.fail("DescribeInstances", Fault::Empty);
    assert_eq!(detach().await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(lab.count("DetachDisks"), 0);

    lab.call("cvm", "StopInstances", json!({"InstanceIds": [lab.nodes[0]]})).await;
    lab.clock.sleep(Duration::from_secs(10)).await;
    process.fail("DetachDisks", Fault::Code("ResourceBusy"));
    assert_eq!(detach().await.unwrap_err().kind(), ErrorKind::Busy);
    // The minute does not begin anew.
    assert_eq!(detach().await.unwrap_err().kind(), ErrorKind::Pending);
    assert_eq!(lab.count("DetachDisks"), 1);
    process.detach(&volume.id, Some(&lab.nodes[0])).await.unwrap();
    assert_eq!(lab.disks().await[0]["DiskState"], "UNATTACHED");
    assert_eq!(lab.count("DetachDisks"), 1);
}

#[tokio::test]
async fn row_7_a_list_that_shifts_is_read_again() {
    let lab = Lab::new().await;
    let process = lab.process();
    for number in 0..3 {
        process.volume(&format!("v{number}")).await;
    }
    process.fail("DescribeDisks", Fault::Empty);
    // An empty first page says that there are none, consistently: that is the list of an empty account.
    assert!(process.volumes.list(&PageRequest::all()).await.unwrap().items.is_empty());
    let many: Vec<_> = lab.disks().await;
    let tags = many[0]["Tags"].clone();
    let more = json!({
        "Placement": {"Zone": ZONE}, "DiskChargeType": "POSTPAID_BY_HOUR", "DiskType": "CLOUD_PREMIUM",
        "DiskSize": 20, "DiskCount": 50, "Tags": tags,
    });
    for _ in 0..3 {
        lab.call("cbs", "CreateDisks", more.clone()).await;
    }
    lab.clock.sleep(Duration::from_secs(2)).await;
    // The second page is suddenly empty and the total another one: the sweep does not count.
    process.plan("DescribeDisks", [None, Some(Fault::Empty)]);
    let page = process.volumes.list(&PageRequest::all()).await.unwrap();
    assert_eq!(page.items.len(), 153);
    let first = process.volumes.list(&PageRequest::first(120)).await.unwrap();
    let rest = process.volumes.list(&PageRequest::after(first.next.unwrap(), 120)).await.unwrap();
    assert_eq!((first.items.len(), rest.items.len(), rest.next), (120, 33, None));
}

#[tokio::test]
async fn row_8_one_stale_read_is_no_proof_of_absence() {
    let lab = Lab::new().await;
    let process = lab.process();
    let volume = process.volume("a").await;
    process.fail("DescribeDisks", Fault::Empty);
    assert_eq!(process.volumes.get(&volume.id).await.unwrap().id, volume.id);
    process.fail("DescribeDisks", Fault::Empty);
    process.attach(&volume.id, &lab.nodes[0]).await.unwrap();
    process.fail("DescribeDisks", Fault::Empty);
    assert_eq!(process.delete(&volume.id).await.unwrap_err().kind(), ErrorKind::InUse);
    // The list by tag lags: the token finds the disk again.
    process.fail("DescribeDisks", Fault::Empty);
    assert_eq!(process.volume("a").await.id, volume.id);
    assert_eq!(lab.disks().await.len(), 1);
}

#[tokio::test]
async fn row_8_a_snapshot_that_lags_is_not_taken_twice() {
    let lab = Lab::new().await;
    let process = lab.process();
    let volume = process.volume("a").await;
    let wanted = SnapshotRequest::new("s", &volume.id);
    // By name, by disk, by id, and again by name and by disk.
    process.plan("DescribeSnapshots", std::iter::repeat_n(Some(Fault::Empty), 5));
    let taken = process.insist(|| process.volumes.create_snapshot(&wanted)).await.unwrap();
    assert_eq!(lab.snapshots().await.len(), 1);
    // Another process that sees nothing takes a second one. Whoever asked may have written down the id of either, so both stay
    // until one is deleted.
    lab.clock.sleep(Duration::from_secs(10)).await;
    let other = lab.process();
    other.plan("DescribeSnapshots", std::iter::repeat_n(Some(Fault::Empty), 2));
    let second = other.volumes.create_snapshot(&wanted).await.unwrap();
    assert_ne!(second.id, taken.id);
    lab.clock.sleep(Duration::from_secs(10)).await;
    assert_eq!(process.volumes.create_snapshot(&wanted).await.unwrap().id, taken.id);
    assert_eq!(lab.snapshots().await.len(), 2);
    process.volumes.delete_snapshot(&second.id).await.unwrap();
    lab.clock.sleep(Duration::from_secs(10)).await;
    assert_eq!(lab.snapshots().await.len(), 0);
}

#[tokio::test]
async fn row_8_what_can_not_be_seen_yet_is_not_absent() {
    let lab = Lab::with(lagging()).await;
    let process = lab.process();
    let disk = json!({
        "Placement": {"Zone": ZONE}, "DiskChargeType": "POSTPAID_BY_HOUR", "DiskType": "CLOUD_PREMIUM", "DiskSize": 20,
    });
    let id = lab.call("cbs", "CreateDisks", disk).await["DiskIdSet"][0].as_str().unwrap().to_owned();
    assert_eq!(process.volumes.get(&id).await.unwrap().id, id);
    // What this process has deleted itself is gone when it is seen no more.
    let volume = process.volume("a").await;
    process.delete(&volume.id).await.unwrap();
    lab.clock.sleep(Duration::from_secs(10)).await;
    let before = lab.count("DescribeDisks");
    assert_eq!(process.volumes.get(&volume.id).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(lab.count("DescribeDisks"), before + 1);
}

#[tokio::test]
async fn row_9_what_was_deleted_by_hand_is_made_again_or_gone() {
    let lab = Lab::new().await;
    let process = lab.process();
    let volume = process.volume("a").await;
    let wanted = SnapshotRequest::new("s", &volume.id);
    let snapshot = process.insist(|| process.volumes.create_snapshot(&wanted)).await.unwrap();
    lab.clock.sleep(Duration::from_secs(10)).await;
    lab.call("cbs", "DeleteSnapshots", json!({"SnapshotIds": [snapshot.id]})).await;
    process.volumes.delete_snapshot(&snapshot.id).await.unwrap();
    let again = process.insist(|| process.volumes.create_snapshot(&wanted)).await.unwrap();
    assert_ne!(again.id, snapshot.id);
    lab.clock.sleep(Duration::from_secs(10)).await;
    process.attach(&volume.id, &lab.nodes[0]).await.unwrap();
    lab.call("cbs", "DetachDisks", json!({"DiskIds": [volume.id]})).await;
    lab.clock.sleep(Duration::from_secs(10)).await;
    lab.call("cbs", "TerminateDisks", json!({"DiskIds": [volume.id]})).await;
    process.detach(&volume.id, Some(&lab.nodes[0])).await.unwrap();
    process.delete(&volume.id).await.unwrap();
}

#[tokio::test]
async fn a_disk_whose_making_can_not_be_finished_is_not_given_up() {
    let lab = Lab::new().await;
    let process = lab.process();
    let missing = request("a").parameter("aspid", "asp-00000000");
    assert_eq!(process.create(&missing).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert!(lab.disks().await.is_empty(), "a class that can't be served leaves no disk behind");

    let policy = json!({"Policy": [{"DayOfWeek": [1], "Hour": [2]}]});
    let policy = lab.call("cbs", "CreateAutoSnapshotPolicy", policy).await["AutoSnapshotPolicyId"].clone();
    let wanted = request("a").parameter("aspid", policy.as_str().unwrap());
    // Final for the call that is refused, and no end of the volume: its disk is there.
    for refusal in ["InvalidAutoSnapshotPolicyId.NotFound", "UnauthorizedOperation", "LimitExceeded"] {
        process.plan("BindAutoSnapshotPolicy", std::iter::repeat_n(code(refusal), 300));
        let error = process.create(&wanted).await.unwrap_err();
        assert_eq!(CsiCode::of(&error), CsiCode::Unavailable, "{error}");
        assert!(error.message().contains(lab.disks().await[0]["DiskId"].as_str().unwrap()), "{error}");
        process.plan("BindAutoSnapshotPolicy", []);
    }
    let volume = process.create(&wanted).await.unwrap();
    assert_eq!(lab.disks().await.len(), 1);
    let bound = lab.call("cbs", "DescribeDiskAssociatedAutoSnapshotPolicy", json!({"DiskId": volume.id})).await;
    assert_eq!(bound["TotalCount"], 1);
}

#[tokio::test]
async fn an_id_of_another_form_is_not_taken_for_absent() {
    let lab = Lab::new().await;
    let process = lab.process();
    // A volume of several disks of Tencent's driver, and an id of another length.
    for id in ["disk-1a2b3c4d,disk-99999999", "disk-1a2b3c4d5e"] {
        assert_eq!(process.delete(id).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert_eq!(process.detach(id, Some(&lab.nodes[0])).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert_eq!(process.attach(id, &lab.nodes[0]).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
    let deleted = process.volumes.delete_snapshot("snap-1a2b3c4d5e").await;
    assert_eq!(deleted.unwrap_err().kind(), ErrorKind::InvalidArgument);
    // What can't be meant as an id of a disk is certainly not there.
    process.delete("pvc-7d1e").await.unwrap();
    assert_eq!(process.attach("pvc-7d1e", &lab.nodes[0]).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn row_11_stock_and_quotas_are_told_apart() {
    let lab = Lab::with(Emulator::builder().sold_out_disk(ZONE, "CLOUD_PREMIUM").quota(Quota::DisksPerRegion, 4)).await;
    let process = lab.process();
    let anywhere = request("a").zones(ZoneRequirement::new([ZONE, OTHER_ZONE], [ZONE]));
    let volume = process.create(&anywhere).await.unwrap();
    assert_eq!(volume.zone, OTHER_ZONE);
    let here = process.create(&request("b")).await.unwrap_err();
    assert_eq!(here.kind(), ErrorKind::Exhausted(Exhausted::Stock));
    assert_eq!(CsiCode::of(&here), CsiCode::ResourceExhausted);
    let elsewhere = request("c").zones(ZoneRequirement::one_of([OTHER_ZONE]));
    let quota = process.create(&elsewhere).await.unwrap_err();
    assert_eq!(quota.kind(), ErrorKind::Exhausted(Exhausted::Quota));
}

#[tokio::test]
async fn row_12_a_disk_that_is_not_taken_back_stays() {
    let lab = Lab::new().await;
    let process = lab.process();
    let volume = process.volume("a").await;
    process.fail("TerminateDisks", Fault::Code("ResourceUnavailable.NotSupportRefund"));
    let error = process.delete(&volume.id).await.unwrap_err();
    assert_eq!(CsiCode::of(&error), CsiCode::FailedPrecondition);
    assert_eq!(lab.disks().await.len(), 1);
    process.fail("TerminateDisks", Fault::Code("ResourceUnavailable.RepeatRefund"));
    process.delete(&volume.id).await.unwrap();
}

#[tokio::test]
async fn row_14_a_disk_leaves_stopped_and_terminated_nodes() {
    let lab = Lab::new().await;
    let process = lab.process();
    let volume = process.volume("a").await;
    process.attach(&volume.id, &lab.nodes[0]).await.unwrap();
    lab.call("cvm", "StopInstances", json!({"InstanceIds": [lab.nodes[0]]})).await;
    lab.clock.sleep(Duration::from_secs(10)).await;
    process.detach(&volume.id, Some(&lab.nodes[0])).await.unwrap();
    process.attach(&volume.id, &lab.nodes[1]).await.unwrap();
    lab.call("cvm", "TerminateInstances", json!({"InstanceIds": [lab.nodes[1]]})).await;
    lab.clock.sleep(Duration::from_secs(10)).await;
    process.detach(&volume.id, Some(&lab.nodes[1])).await.unwrap();
    assert!(process.volumes.get(&volume.id).await.unwrap().attachments.is_empty());
    let gone = process.attach(&volume.id, &lab.nodes[1]).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn row_15_detaching_from_the_old_node_spares_the_new_one() {
    let lab = Lab::new().await;
    let process = lab.process();
    let volume = process.volume("a").await;
    process.attach(&volume.id, &lab.nodes[0]).await.unwrap();
    process.detach(&volume.id, Some(&lab.nodes[0])).await.unwrap();
    process.attach(&volume.id, &lab.nodes[1]).await.unwrap();
    process.detach(&volume.id, Some(&lab.nodes[0])).await.unwrap();
    assert!(process.volumes.get(&volume.id).await.unwrap().on(&lab.nodes[1]).is_some());
    // Every detachment names its node.
    assert!(lab.emulator.calls().of("DetachDisks").iter().all(|call| call.parameters["InstanceId"].is_string()));
}

#[tokio::test]
async fn row_17_two_replicas_make_one_disk_and_attach_it_once() {
    let lab = Lab::new().await;
    let (one, two) = (lab.process(), lab.process());
    let (first, second) = join(one.volume("a"), two.volume("a")).await;
    assert_eq!(first.id, second.id);
    assert_eq!(lab.disks().await.len(), 1);
    let (mine, theirs) = join(one.attach(&first.id, &lab.nodes[0]), two.attach(&first.id, &lab.nodes[1])).await;
    assert!(mine.is_ok() != theirs.is_ok(), "{mine:?} {theirs:?}");
    let loser = mine.and(theirs).unwrap_err();
    assert_eq!(loser.kind(), ErrorKind::InUse);
    let everyone = join(one.detach(&first.id, None), two.detach(&first.id, None)).await;
    assert!(everyone.0.is_ok() && everyone.1.is_ok(), "{everyone:?}");
    let both = join(one.delete(&first.id), two.delete(&first.id)).await;
    assert!(both.0.is_ok() && both.1.is_ok(), "{both:?}");
}

#[tokio::test]
async fn row_18_a_refused_lookup_is_never_an_absence() {
    let lab = Lab::new().await;
    let process = lab.process();
    let volume = process.volume("a").await;
    for (fault, kind) in [
        ("UnauthorizedOperation", ErrorKind::Unauthorized),
        ("AuthFailure.SecretIdNotFound", ErrorKind::Unauthorized),
        ("InternalError", ErrorKind::Unavailable),
    ] {
        process.plan("DescribeDisks", std::iter::repeat_n(code(fault), 10));
        assert_eq!(process.volumes.get(&volume.id).await.unwrap_err().kind(), kind, "{fault}");
        process.plan("DescribeDisks", std::iter::repeat_n(code(fault), 10));
        assert_eq!(process.volumes.delete(&volume.id).await.unwrap_err().kind(), kind, "{fault}");
        process.plan("DescribeDisks", std::iter::repeat_n(code(fault), 10));
        assert_eq!(process.volumes.detach(&volume.id, None).await.unwrap_err().kind(), kind, "{fault}");
        process.plan("DescribeDisks", []);
    }
    assert_eq!(process.volumes.get(&volume.id).await.unwrap().state, VolumeState::Ready);
}

#[tokio::test]
async fn row_20_constraints_of_disks_have_their_codes() {
    let builder = Emulator::builder().task_duration(Task::SnapshotCreate, Duration::from_secs(30));
    let lab = Lab::with(builder.resize_needs_stopped_instance(true)).await;
    let process = lab.process();
    let volume = process.volume("a").await;
    let zone = process.attach(&volume.id, &lab.other_node).await.unwrap_err();
    assert_eq!(CsiCode::of(&zone), CsiCode::InvalidArgument);
    let encrypted = request("b").shareable().parameter("encrypt", "ENCRYPT");
    assert_eq!(process.create(&encrypted).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(lab.count("CreateDisks"), 1, "the request that makes no sense is not sent");

    process.attach(&volume.id, &lab.nodes[0]).await.unwrap();
    let grow = || process.volumes.expand(&volume.id, SizeRange::at_least(30 * GIB));
    assert_eq!(CsiCode::of(&grow().await.unwrap_err()), CsiCode::FailedPrecondition);
    process.detach(&volume.id, None).await.unwrap();

    let wanted = SnapshotRequest::new("s", &volume.id);
    let snapshot = process.volumes.create_snapshot(&wanted).await.unwrap();
    assert!(!snapshot.ready);
    assert_eq!(CsiCode::of(&grow().await.unwrap_err()), CsiCode::Aborted, "a snapshot is being taken");
    let second = process.volumes.create_snapshot(&SnapshotRequest::new("t", &volume.id)).await.unwrap_err();
    assert_eq!(CsiCode::of(&second), CsiCode::Aborted);
    let early = process.volumes.create(&request("c").source(&snapshot.id)).await.unwrap_err();
    assert_eq!(CsiCode::of(&early), CsiCode::Aborted);
    process.insist(|| process.volumes.delete_snapshot(&snapshot.id)).await.unwrap();

    assert_eq!(CsiCode::of(&grow().await.unwrap_err()), CsiCode::Aborted);
    let busy = process.volumes.attach(&volume.id, &lab.nodes[0], Access::SINGLE_WRITER).await.unwrap_err();
    assert_eq!(CsiCode::of(&busy), CsiCode::Aborted, "it is growing");
    assert_eq!(process.volumes.settled(&volume.id).await.unwrap().size, 30 * GIB);
    let shared = process.create(&request("d").shareable()).await.unwrap();
    let copy = process.volumes.create_snapshot(&SnapshotRequest::new("u", &shared.id)).await.unwrap_err();
    assert_eq!(copy.kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn row_10_a_disk_of_the_same_name_is_not_ours() {
    let lab = Lab::new().await;
    let process = lab.process();
    let ours = process.volume("a").await;
    let name = lab.disks().await[0]["DiskName"].clone();
    process.delete(&ours.id).await.unwrap();
    let bare = json!({
        "Placement": {"Zone": ZONE}, "DiskChargeType": "POSTPAID_BY_HOUR", "DiskType": "CLOUD_PREMIUM",
        "DiskSize": 20, "DiskName": name,
    });
    let foreign = lab.call("cbs", "CreateDisks", bare).await["DiskIdSet"][0].as_str().unwrap().to_owned();
    // A disk without tags may be one of ours for as long as tags take; after that it is someone else's.
    lab.clock.sleep(Duration::from_secs(5)).await;
    assert_eq!(process.volumes.create(&request("a")).await.unwrap_err().kind(), ErrorKind::Pending);
    lab.clock.sleep(Duration::from_secs(700)).await;
    assert_eq!(lab.disks().await.len(), 1);
    let volume = process.volume("a").await;
    assert_ne!(volume.id, foreign);
    assert_eq!(process.delete(&foreign).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(lab.disks().await.len(), 2);
}

#[tokio::test]
async fn row_10_other_snapshots_of_a_disk_are_left_alone() {
    for filters in [UnknownFilters::Refuse, UnknownFilters::Ignore] {
        let lab = Lab::with(Emulator::builder().unknown_filters(filters)).await;
        let process = lab.process();
        let volume = process.volume("a").await;
        let by_hand = json!({"DiskId": volume.id, "SnapshotName": "mine"});
        lab.call("cbs", "CreateSnapshot", by_hand).await;
        lab.clock.sleep(Duration::from_secs(10)).await;
        let mut taken = Vec::new();
        for name in ["s", "t"] {
            let wanted = SnapshotRequest::new(name, &volume.id);
            let snapshot = process.insist(|| process.volumes.create_snapshot(&wanted)).await.unwrap();
            assert_eq!(snapshot.name, name);
            taken.push(snapshot.id);
            lab.clock.sleep(Duration::from_secs(10)).await;
        }
        // Someone renames the first: it is found again, and nothing else in its place.
        lab.call("cbs", "ModifySnapshotAttribute", json!({"SnapshotId": taken[0], "SnapshotName": "renamed"})).await;
        let again = process.volumes.create_snapshot(&SnapshotRequest::new("s", &volume.id)).await.unwrap();
        assert_eq!(again.id, taken[0]);
        assert_eq!(lab.snapshots().await.len(), 3, "{filters:?}");
        for filter in [SnapshotFilter::default(), SnapshotFilter::of_volume(&volume.id)] {
            let listed = process.volumes.list_snapshots(&filter, &PageRequest::all()).await.unwrap().items;
            let listed: Vec<String> = listed.into_iter().map(|snapshot| snapshot.id).collect();
            assert_eq!(listed, taken, "{filters:?}");
        }
    }
}

#[tokio::test]
async fn row_17_two_replicas_grant_one_writer() {
    let lab = Lab::new().await;
    let (one, two) = (lab.process(), lab.process());
    let volume = one.create(&request("a").shareable()).await.unwrap();
    let write = |process: crate::lab::Process, node: usize| {
        let (id, node) = (volume.id.clone(), lab.nodes[node].clone());
        async move { process.insist(|| process.volumes.attach(&id, &node, Access::WRITER_AMONG_READERS)).await }
    };
    let (mine, theirs) = join(write(one.clone(), 0), write(two.clone(), 1)).await;
    assert!(mine.is_ok() != theirs.is_ok(), "{mine:?} {theirs:?}");
    let loser = mine.and(theirs).unwrap_err();
    assert!(matches!(loser.kind(), ErrorKind::InUse | ErrorKind::AlreadyExists), "{loser:?}");
    let attachments = one.volumes.get(&volume.id).await.unwrap().attachments;
    assert_eq!(attachments.iter().filter(|attachment| !attachment.read_only).count(), 1);
}

#[tokio::test]
async fn row_10_two_clusters_in_one_account_leave_each_other_alone() {
    let lab = Lab::new().await;
    let (one, two) = (lab.process_of("uid-1"), lab.process_of("uid-2"));
    // The same claim name in both.
    let (mine, theirs) = (one.volume("a").await, two.volume("a").await);
    assert_ne!(mine.id, theirs.id);
    let listed = one.volumes.list(&PageRequest::default()).await.unwrap();
    let ids: Vec<_> = listed.items.iter().map(|volume| volume.id.as_str()).collect();
    assert_eq!(ids, [mine.id.as_str()]);
    assert_eq!(one.delete(&theirs.id).await.unwrap_err().kind(), ErrorKind::Conflict);
    let (of_mine, of_theirs) = (SnapshotRequest::new("s", &mine.id), SnapshotRequest::new("s", &theirs.id));
    let taken = one.insist(|| one.volumes.create_snapshot(&of_mine)).await.unwrap();
    let other = two.insist(|| two.volumes.create_snapshot(&of_theirs)).await.unwrap();
    assert_ne!(taken.id, other.id);
    one.delete(&mine.id).await.unwrap();
    assert_eq!(lab.disks().await.len(), 1);
}

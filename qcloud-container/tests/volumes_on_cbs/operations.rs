//! What is sent, what it costs, and whose things are whose.

use std::time::Duration;

use qcloud_container::kubernetes::volumes::{
    Access, CapacityRequest, GIB, PageRequest, SizeRange, SnapshotFilter, SnapshotRequest, VolumeRequest, Volumes,
    ZoneRequirement,
};
use qcloud_container::kubernetes::{ErrorKind, Exhausted, Retry};
use qcloud_core::clock::Clock as _;
use qcloud_emulator::{Emulator, Quota, Task};
use serde_json::json;

use crate::lab::{Lab, OTHER_ZONE, ZONE, request};

fn at_once() -> qcloud_emulator::Builder {
    [Task::DiskCreate, Task::DiskAttach, Task::DiskDetach, Task::DiskResize, Task::SnapshotCreate]
        .into_iter()
        .fold(Emulator::builder(), |builder, task| builder.task_duration(task, Duration::ZERO))
}

#[tokio::test]
async fn a_life_of_a_volume_costs_few_calls() {
    let lab = Lab::with(at_once()).await;
    let process = lab.process();
    let cost = |expected: &[(&str, usize)]| {
        let counts = lab.emulator.calls().counts();
        let expected: Vec<(String, usize)> =
            expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        assert_eq!(counts.into_iter().collect::<Vec<_>>(), expected);
        lab.emulator.calls().clear();
    };
    let volume = process.volumes.create(&request("a")).await.unwrap();
    cost(&[("CreateDisks", 1), ("DescribeDisks", 2)]);
    process.volumes.create(&request("a")).await.unwrap();
    cost(&[("DescribeDisks", 1)]);
    process.attach(&volume.id, &lab.nodes[0]).await.unwrap();
    cost(&[("AttachDisks", 1), ("DescribeDisks", 2), ("DescribeInstancesDiskNum", 1)]);
    process.attach(&volume.id, &lab.nodes[0]).await.unwrap();
    cost(&[("DescribeDisks", 1)]);
    let expanded = process.insist(|| process.volumes.expand(&volume.id, SizeRange::at_least(30 * GIB))).await.unwrap();
    assert_eq!(expanded.size, 30 * GIB);
    cost(&[("DescribeDisks", 2), ("ResizeDisk", 1)]);
    process.detach(&volume.id, Some(&lab.nodes[0])).await.unwrap();
    cost(&[("DescribeDisks", 2), ("DetachDisks", 1)]);
    let snapshot = process.volumes.create_snapshot(&SnapshotRequest::new("s", &volume.id)).await.unwrap();
    cost(&[("CreateSnapshot", 1), ("DescribeSnapshots", 3)]);
    process.volumes.create_snapshot(&SnapshotRequest::new("s", &volume.id)).await.unwrap();
    cost(&[("DescribeSnapshots", 1)]);
    process.volumes.delete_snapshot(&snapshot.id).await.unwrap();
    cost(&[("DeleteSnapshots", 1), ("DescribeSnapshots", 2)]);
    process.delete(&volume.id).await.unwrap();
    cost(&[("DescribeDisks", 1), ("TerminateDisks", 1)]);
    assert!(lab.disks().await.is_empty() && lab.snapshots().await.is_empty());
}

#[tokio::test]
async fn parameters_of_tencents_driver_are_sent() {
    let lab = Lab::new().await;
    let process = lab.process();
    let policy = json!({"Policy": [{"DayOfWeek": [1], "Hour": [2]}]});
    let policy = lab.call("cbs", "CreateAutoSnapshotPolicy", policy).await["AutoSnapshotPolicyId"].clone();
    let request = VolumeRequest::new("a", SizeRange::at_least(481 * GIB))
        .parameter("diskType", "CLOUD_HSSD")
        .parameter("diskZone", OTHER_ZONE)
        .parameter("paymode", "PREPAID")
        .parameter("diskChargeTypePrepaidPeriod", "2")
        .parameter("renewflag", "NOTIFY_AND_AUTO_RENEW")
        .parameter("encrypt", "ENCRYPT")
        .parameter("disktags", "team:storage")
        .parameter("throughputperformance", "100")
        .parameter("project", "7")
        .parameter("aspid", policy.as_str().unwrap());
    let volume = process.create(&request).await.unwrap();
    assert_eq!((volume.kind.as_str(), volume.size, volume.encrypted), ("CLOUD_HSSD", 490 * GIB, true));
    let sent = &lab.emulator.calls().of("CreateDisks")[0].parameters;
    assert_eq!(sent["Placement"], json!({"Zone": OTHER_ZONE, "ProjectId": 7}));
    assert_eq!(sent["DiskChargePrepaid"], json!({"Period": 2, "RenewFlag": "NOTIFY_AND_AUTO_RENEW"}));
    assert_eq!(sent["ThroughputPerformance"], 100);
    let tags = json!([
        {"Key": "qcloud-rs-cluster", "Value": "uid-1"},
        {"Key": "qcloud-rs-volume", "Value": "a"},
        {"Key": "team", "Value": "storage"},
    ]);
    assert_eq!(sent["Tags"], tags);
    let bound = lab.call("cbs", "DescribeDiskAssociatedAutoSnapshotPolicy", json!({"DiskId": volume.id})).await;
    assert_eq!(bound["AutoSnapshotPolicySet"][0]["AutoSnapshotPolicyId"], policy);
    // A disk in the recycle bin is a deleted one.
    process.delete(&volume.id).await.unwrap();
    process.delete(&volume.id).await.unwrap();
    assert_eq!(lab.disks().await[0]["DiskState"], "TORECYCLE");
    let attached = process.attach(&volume.id, &lab.other_node).await.unwrap_err();
    assert_eq!(attached.kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn the_type_cbs_is_whatever_the_zone_sells() {
    let lab = Lab::new().await;
    let process = lab.process();
    let wanted = request("a").parameter("type", "cbs");
    let volume = process.create(&wanted).await.unwrap();
    assert_eq!(volume.kind, "CLOUD_PREMIUM");
    assert_eq!(process.create(&wanted).await.unwrap().id, volume.id);
}

#[tokio::test]
async fn two_clusters_share_an_account() {
    let lab = Lab::new().await;
    let (one, two) = (lab.process_of("uid-1"), lab.process_of("uid-2"));
    let (first, second) = (one.volume("a").await, two.volume("a").await);
    assert_ne!(first.id, second.id);
    assert_eq!(one.volumes.list(&PageRequest::all()).await.unwrap().items, std::slice::from_ref(&first));
    assert_eq!(two.volumes.list(&PageRequest::all()).await.unwrap().items, std::slice::from_ref(&second));
    assert_eq!(two.delete(&first.id).await.unwrap_err().kind(), ErrorKind::Conflict);
    let snapshot = |process: crate::lab::Process, volume: String| async move {
        let request = SnapshotRequest::new("s", volume);
        process.insist(|| process.volumes.create_snapshot(&request)).await.unwrap()
    };
    let first_copy = snapshot(one.clone(), first.id.clone()).await;
    let second_copy = snapshot(two.clone(), second.id.clone()).await;
    assert_ne!(first_copy.id, second_copy.id);
    let refused = two.insist(|| two.volumes.delete_snapshot(&first_copy.id)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    let listed = one.volumes.list_snapshots(&SnapshotFilter::default(), &PageRequest::all()).await.unwrap().items;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].id, first_copy.id);
}

#[tokio::test]
async fn a_disk_made_by_hand_is_attached_grown_and_not_deleted() {
    let lab = Lab::new().await;
    let process = lab.process();
    let disk = json!({"Placement": {"Zone": ZONE}, "DiskChargeType": "POSTPAID_BY_HOUR", "DiskType": "CLOUD_SSD", "DiskSize": 20, "DiskName": "mine"});
    let id = lab.call("cbs", "CreateDisks", disk).await["DiskIdSet"][0].as_str().unwrap().to_owned();
    lab.clock.sleep(Duration::from_secs(2)).await;
    let reading = process.insist(|| process.volumes.attach(&id, &lab.nodes[0], Access::SINGLE_READER)).await.unwrap();
    assert!(reading.read_only);
    process.detach(&id, None).await.unwrap();
    process.insist(|| process.volumes.expand(&id, SizeRange::at_least(21 * GIB))).await.unwrap();
    assert_eq!(process.delete(&id).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(lab.disks().await[0]["DiskName"], "mine");
}

#[tokio::test]
async fn throughput_is_changed() {
    let lab = Lab::new().await;
    let process = lab.process();
    let request = VolumeRequest::new("a", SizeRange::at_least(500 * GIB)).parameter("diskType", "CLOUD_HSSD");
    let volume = process.create(&request).await.unwrap();
    let faster = [("throughputperformance".to_owned(), "200".to_owned())].into();
    let after = process.volumes.modify(&volume.id, &faster).await.unwrap();
    assert_eq!(after.properties["throughputperformance"], "200");
    process.volumes.modify(&volume.id, &faster).await.unwrap();
    assert_eq!(lab.count("ModifyDiskExtraPerformance"), 1);
}

#[tokio::test]
async fn quotas_and_limits_are_named() {
    let lab =
        Lab::with(Emulator::builder().quota(Quota::DisksPerInstance, 3).quota(Quota::SnapshotsPerRegion, 0)).await;
    let process = lab.process();
    let (first, second) = (process.volume("a").await, process.volume("b").await);
    process.attach(&first.id, &lab.nodes[0]).await.unwrap();
    let full = process.attach(&second.id, &lab.nodes[0]).await.unwrap_err();
    assert_eq!(full.kind(), ErrorKind::Exhausted(Exhausted::AttachLimit));
    let snapshot = process.volumes.create_snapshot(&SnapshotRequest::new("s", &first.id)).await.unwrap_err();
    assert_eq!(snapshot.kind(), ErrorKind::Exhausted(Exhausted::Quota));
    assert!(matches!(snapshot.retry(), Retry::After(after) if after >= Duration::from_secs(60)));
    assert!(snapshot.request_id().is_some());
}

#[tokio::test]
async fn a_zone_that_does_not_serve_the_topology_is_refused() {
    let lab = Lab::new().await;
    let elsewhere = request("a").zones(ZoneRequirement::one_of([OTHER_ZONE])).parameter("diskZone", ZONE);
    let error = lab.process().create(&elsewhere).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exhausted(Exhausted::Stock));
    assert_eq!(lab.count("CreateDisks"), 0);
}

#[tokio::test]
async fn of_several_zones_one_that_serves_the_topology_is_chosen() {
    let lab = Lab::new().await;
    let process = lab.process();
    let zones = format!("100003,{OTHER_ZONE}");
    let of = |name: &str, place: ZoneRequirement| request(name).zones(place).parameter("diskZones", &zones);
    let there = process.create(&of("a", ZoneRequirement::one_of([OTHER_ZONE]))).await.unwrap();
    assert_eq!(there.zone, OTHER_ZONE);
    let rather = ZoneRequirement::new([ZONE, OTHER_ZONE], [OTHER_ZONE]);
    assert_eq!(process.create(&of("b", rather)).await.unwrap().zone, OTHER_ZONE);
    assert_eq!(process.create(&of("c", ZoneRequirement::default())).await.unwrap().zone, ZONE);
    let elsewhere = process.create(&of("d", ZoneRequirement::one_of(["ap-guangzhou-6"]))).await.unwrap_err();
    assert_eq!(elsewhere.kind(), ErrorKind::Exhausted(Exhausted::Stock));
}

#[tokio::test]
async fn capacity_is_that_of_the_zone_where_volumes_are_made() {
    let lab = Lab::new().await;
    let process = lab.process();
    let available = async |zone: &str, of_parameters: &str| {
        let mut request = CapacityRequest::in_zone(zone);
        request.parameters.insert("diskZone".to_owned(), of_parameters.to_owned());
        process.volumes.capacity(&request).await.unwrap().available
    };
    assert_eq!(available(ZONE, OTHER_ZONE).await, 0);
    assert_eq!(available("100003", "100004").await, 0);
    assert_eq!(lab.count("DescribeDiskConfigQuota"), 0);
    assert!(available(ZONE, "100003").await > 0);
    assert!(available("100004", "").await > 0);
    let asked: Vec<_> = lab.emulator.calls().of("DescribeDiskConfigQuota");
    let zones: Vec<_> = asked.iter().map(|call| call.parameters["Zones"].clone()).collect();
    assert_eq!(zones, [json!([ZONE]), json!([OTHER_ZONE])]);
}

#[tokio::test]
async fn native_nodes_are_refused_with_the_reason() {
    let lab = Lab::new().await;
    let process = lab.process();
    let volume = process.volume("a").await;
    for node in ["kn-1a2b3c4d", "eks-1a2b3c4d"] {
        let attached = process.volumes.attach(&volume.id, node, Access::SINGLE_WRITER).await.unwrap_err();
        assert_eq!(attached.kind(), ErrorKind::Unsupported);
        assert!(attached.message().contains("native node"), "{attached}");
        assert_eq!(process.volumes.attach_limit(node).await.unwrap_err().kind(), ErrorKind::Unsupported);
        process.volumes.detach(&volume.id, Some(node)).await.unwrap();
    }
}

#[tokio::test]
async fn who_writes_to_a_renamed_disk_is_not_guessed() {
    let lab = Lab::new().await;
    let process = lab.process();
    let volume = process.create(&request("a").shareable()).await.unwrap();
    let attach = async |node: usize, access| {
        process.insist(|| process.volumes.attach(&volume.id, &lab.nodes[node], access)).await
    };
    attach(0, Access::WRITER_AMONG_READERS).await.unwrap();
    let given = lab.disks().await[0]["DiskName"].clone();
    lab.call("cbs", "ModifyDiskAttributes", json!({"DiskIds": [volume.id], "DiskName": "mine"})).await;
    assert_eq!(attach(1, Access::WRITER_AMONG_READERS).await.unwrap_err().kind(), ErrorKind::InUse);
    assert_eq!(attach(1, Access::READER).await.unwrap_err().kind(), ErrorKind::InUse);
    assert_eq!(attach(1, Access::READER_BESIDE_WRITER).await.unwrap_err().kind(), ErrorKind::Conflict);
    process.detach(&volume.id, None).await.unwrap();
    // With nobody on it, the disk gets its name back.
    attach(0, Access::WRITER_AMONG_READERS).await.unwrap();
    assert_eq!(lab.disks().await[0]["DiskName"], given);
    attach(1, Access::READER_BESIDE_WRITER).await.unwrap();
}

#[tokio::test]
async fn one_of_many_writers_is_not_taken_for_a_reader() {
    let lab = Lab::new().await;
    let process = lab.process();
    let volume = process.create(&request("a").shareable()).await.unwrap();
    let attach = async |node: usize, access| {
        process.insist(|| process.volumes.attach(&volume.id, &lab.nodes[node], access)).await
    };
    attach(0, Access::SHARED_WRITER).await.unwrap();
    assert_eq!(attach(1, Access::READER).await.unwrap_err().kind(), ErrorKind::InUse);
    assert_eq!(attach(1, Access::WRITER_AMONG_READERS).await.unwrap_err().kind(), ErrorKind::InUse);
    attach(1, Access::SHARED_WRITER).await.unwrap();
    assert_eq!(lab.count("ModifyDiskAttributes"), 1, "it is written down once");
    process.detach(&volume.id, None).await.unwrap();
    for node in [0, 1] {
        assert!(attach(node, Access::READER).await.unwrap().read_only);
    }
}

#[tokio::test]
async fn zones_may_be_given_by_their_numbers() {
    let lab = Lab::new().await;
    let process = lab.process();
    let by_number = request("a").zones(ZoneRequirement::one_of(["100003"]));
    let volume = process.create(&by_number).await.unwrap();
    assert_eq!(volume.zone, ZONE);
    assert_eq!(process.create(&by_number).await.unwrap().id, volume.id);
    assert_eq!(lab.count("DescribeZones"), 1);
    let unknown = process.create(&request("b").parameter("diskZone", "999999")).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::InvalidArgument);
}

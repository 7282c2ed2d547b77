use std::time::Duration;

use qcloud_emulator::{Quota, Task};
use serde_json::{Value, json};

use crate::client::{builder, code, text};
use crate::support::{ZONE, cbs, with};

#[tokio::test]
async fn a_snapshot_is_made_in_time_and_deleted() {
    let cbs = with(builder().task_duration(Task::SnapshotCreate, Duration::from_secs(200)));
    let disk = cbs.disk(json!({"Encrypt": "ENCRYPT"})).await;
    let tags = json!([{"Key": "csi-snapshot", "Value": "s-1"}]);
    let request = json!({"DiskId": disk, "SnapshotName": "before", "Tags": tags});
    let id = text(&cbs.ok("CreateSnapshot", request.clone()).await["SnapshotId"]);
    cbs.client.pass(50);
    let shown = cbs.shown_snapshot(&id).await.unwrap();
    for (name, value) in [
        ("SnapshotState", json!("CREATING")),
        ("Percent", json!(25)),
        ("SnapshotName", json!("before")),
        ("DiskId", json!(disk)),
        ("DiskSize", json!(20)),
        ("DiskUsage", json!("DATA_DISK")),
        ("Encrypt", json!(true)),
        ("IsPermanent", json!(true)),
        ("DeadlineTime", json!("")),
        ("CreateTime", json!("2026-01-02 11:04:06")),
        ("SnapshotMode", json!("STANDARD_SNAPSHOT")),
        ("Tags", tags),
    ] {
        assert_eq!(shown[name], value, "{name}");
    }
    assert_eq!(cbs.code("CreateSnapshot", request.clone()).await, "ResourceUnavailable.SnapshotCreating");
    assert_eq!(cbs.code("DeleteSnapshots", json!({"SnapshotIds": [id]})).await, "ResourceUnavailable.SnapshotCreating");
    let apply = json!({"SnapshotId": id, "DiskId": disk});
    assert_eq!(cbs.code("ApplySnapshot", apply).await, "ResourceUnavailable.SnapshotCreating");
    assert_eq!(code(cbs.create(json!({"SnapshotId": id})).await), "ResourceBusy");
    cbs.client.pass(150);
    let shown = cbs.shown_snapshot(&id).await.unwrap();
    assert_eq!((&shown["SnapshotState"], &shown["Percent"]), (&json!("NORMAL"), &json!(100)));
    // There is no client token: a repeat makes a second one.
    let second = text(&cbs.ok("CreateSnapshot", request).await["SnapshotId"]);
    assert_ne!(second, id);
    cbs.client.pass(200);
    let disk = cbs.shown(&disk).await.unwrap();
    assert_eq!((&disk["SnapshotCount"], &disk["SnapshotSize"]), (&json!(2), &json!(2 * 20 * 1024)));
    assert_eq!(
        cbs.code("DeleteSnapshots", json!({"SnapshotIds": [id, "snap-00000000"]})).await,
        "InvalidSnapshotId.NotFound"
    );
    assert!(cbs.shown_snapshot(&id).await.is_some());
    cbs.ok("DeleteSnapshots", json!({"SnapshotIds": [id, second]})).await;
    assert!(cbs.shown_snapshot(&id).await.is_none());
}

#[tokio::test]
async fn each_mistake_has_its_code() {
    let cbs = with(builder().quota(Quota::SnapshotsPerRegion, 1));
    let disk = cbs.disk(json!({})).await;
    for (request, code) in [
        (json!({}), "MissingParameter"),
        (json!({"DiskId": "disk-1"}), "InvalidParameterValue"),
        (json!({"DiskId": "disk-00000000"}), "InvalidDiskId.NotFound"),
        (json!({"DiskId": disk, "SnapshotName": "名".repeat(61)}), "InvalidParameterValue"),
        (json!({"DiskId": disk, "Deadline": "tomorrow"}), "InvalidParameterValue"),
        (json!({"DiskId": disk, "Deadline": "2026-01-03T03:04:05+00:00"}), "InvalidParameterValue"),
        (json!({"DiskId": disk, "DiskUsage": "SYSTEM_DISK"}), "InvalidParameterValue"),
        (json!({"DiskId": disk, "DiskUsage": "X"}), "InvalidParameterValue"),
        (json!({"DiskId": disk, "DiskBackupId": "dbp-12345678"}), "ResourceNotFound.NotFound"),
        (
            json!({"DiskId": disk, "Tags": [{"Key": "a", "Value": ""}, {"Key": "a", "Value": ""}]}),
            "InvalidParameterValue",
        ),
    ] {
        assert_eq!(cbs.code("CreateSnapshot", request.clone()).await, code, "{request}");
    }
    cbs.snapshot(&disk, json!({})).await;
    assert_eq!(cbs.code("CreateSnapshot", json!({"DiskId": disk})).await, "InsufficientSnapshotQuota");
}

#[tokio::test]
async fn disks_are_filled_from_snapshots() {
    let cbs = cbs();
    let disk = cbs.disk(json!({"DiskSize": 100})).await;
    let snapshot = cbs.snapshot(&disk, json!({})).await;
    let from = |more: Value| crate::support::merged(json!({"SnapshotId": snapshot}), more);
    let copy = cbs.disk(from(json!({"DiskSize": null}))).await;
    assert_eq!(cbs.shown(&copy).await.unwrap()["DiskSize"], 100);
    let larger = cbs.disk(from(json!({"DiskSize": 120, "DiskType": "CLOUD_SSD"}))).await;
    assert_eq!(cbs.shown(&larger).await.unwrap()["DiskSize"], 120);
    assert_eq!(code(cbs.create(from(json!({"DiskSize": 90}))).await), "InvalidParameterValue");
    // System disks are no source, unless the snapshot was made as one of a data disk.
    let instance = cbs.instances(1).await;
    let system = cbs.listed(json!({"Filters": [{"Name": "instance-id", "Values": instance}]})).await.remove(0);
    let of_system = cbs.snapshot(&system, json!({})).await;
    assert_eq!(code(cbs.create(json!({"SnapshotId": of_system})).await), "InvalidParameterValue");
    let as_data = cbs.snapshot(&system, json!({"DiskUsage": "DATA_DISK"})).await;
    cbs.create(json!({"SnapshotId": as_data})).await.unwrap();
}

#[tokio::test]
async fn snapshots_pass_at_their_deadline() {
    let cbs = cbs();
    let disk = cbs.disk(json!({})).await;
    let kept = cbs.snapshot(&disk, json!({"Deadline": "2026-01-05T00:00:00+00:00"})).await;
    let passing = cbs.snapshot(&disk, json!({"Deadline": "2026-01-05T00:00:00Z"})).await;
    assert_eq!(cbs.shown_snapshot(&passing).await.unwrap()["DeadlineTime"], "2026-01-05 08:00:00");
    cbs.ok("ModifySnapshotAttribute", json!({"SnapshotId": kept, "IsPermanent": true, "SnapshotName": "kept"})).await;
    cbs.days(4);
    assert!(cbs.shown_snapshot(&passing).await.is_none());
    let shown = cbs.shown_snapshot(&kept).await.unwrap();
    assert_eq!((&shown["IsPermanent"], &shown["SnapshotName"]), (&json!(true), &json!("kept")));
    let modify = |more: Value| crate::support::merged(json!({"SnapshotId": kept}), more);
    for (request, code) in [
        (modify(json!({})), "MissingParameter"),
        (modify(json!({"IsPermanent": false})), "MissingParameter"),
        (modify(json!({"SnapshotName": "n".repeat(61)})), "InvalidParameterValue"),
        (modify(json!({"Deadline": "2020-01-01T00:00:00+00:00"})), "InvalidParameterValue"),
        (json!({"SnapshotId": "snap-00000000", "SnapshotName": "n"}), "InvalidSnapshotId.NotFound"),
    ] {
        assert_eq!(cbs.code("ModifySnapshotAttribute", request.clone()).await, code, "{request}");
    }
    cbs.ok("ModifySnapshotAttribute", modify(json!({"Deadline": "2026-02-01T00:00:00+00:00"}))).await;
    assert_eq!(cbs.shown_snapshot(&kept).await.unwrap()["IsPermanent"], false);
    cbs.ok("ModifySnapshotAttribute", modify(json!({"Deadline": "2026-03-01T00:00:00+00:00"}))).await;
    cbs.days(40);
    assert!(cbs.shown_snapshot(&kept).await.is_some());
    cbs.days(40);
    assert!(cbs.shown_snapshot(&kept).await.is_none());
}

#[tokio::test]
async fn snapshots_stay_when_their_disk_goes_unless_told_otherwise() {
    let cbs = cbs();
    let disk = cbs.disk(json!({})).await;
    let permanent = cbs.snapshot(&disk, json!({})).await;
    let passing = cbs.snapshot(&disk, json!({"Deadline": "2027-01-05T00:00:00+00:00"})).await;
    cbs.ok("TerminateDisks", json!({"DiskIds": [disk], "DeleteSnapshot": 1})).await;
    assert!(cbs.shown_snapshot(&permanent).await.is_some());
    assert!(cbs.shown_snapshot(&passing).await.is_none());
    let disk = cbs.disk(json!({})).await;
    let kept = cbs.snapshot(&disk, json!({"Deadline": "2027-01-05T00:00:00+00:00"})).await;
    cbs.ok("TerminateDisks", json!({"DiskIds": [disk]})).await;
    assert!(cbs.shown_snapshot(&kept).await.is_some());
}

#[tokio::test]
async fn lists() {
    let cbs = cbs();
    let disks = cbs.disks(2).await;
    let first = cbs.snapshot(&disks[0], json!({"SnapshotName": "a"})).await;
    let tagged = json!({"Tags": [{"Key": "k", "Value": "v"}], "LocalSnap": true});
    let second = cbs.snapshot(&disks[1], tagged).await;
    let creating = cbs.ok("CreateSnapshot", json!({"DiskId": disks[1]})).await;
    let creating = text(&creating["SnapshotId"]);
    let listed = async |request: Value| -> Vec<String> {
        let answer = cbs.ok("DescribeSnapshots", request).await;
        answer["SnapshotSet"].as_array().unwrap().iter().map(|snapshot| text(&snapshot["SnapshotId"])).collect()
    };
    let all = [first.clone(), second.clone(), creating.clone()];
    for (name, value, expected) in [
        ("snapshot-id", first.as_str(), &all[..1]),
        ("snapshot-name", "a", &all[..1]),
        ("snapshot-state", "CREATING", &all[2..]),
        ("snapshot-state", "NORMAL", &all[..2]),
        ("snapshot-type", "PRIVATE_SNAPSHOT", &all[..]),
        ("snapshot-type", "SHARED_SNAPSHOT", &[]),
        ("disk-usage", "DATA_DISK", &all[..]),
        ("project-id", "0", &all[..]),
        ("disk-id", &disks[1], &all[1..]),
        ("encrypt", "true", &[]),
        ("zone", ZONE, &all[..]),
    ] {
        assert_eq!(listed(json!({"Filters": [{"Name": name, "Values": [value]}]})).await, expected, "{name} {value}");
    }
    assert_eq!(listed(json!({"SnapshotIds": [second, "snap-00000000"]})).await, all[1..2]);
    assert_eq!(listed(json!({"Order": "DESC", "Limit": 1})).await, all[2..]);
    assert_eq!(listed(json!({"Offset": 1})).await, all[1..]);
    assert_eq!(cbs.shown_snapshot(&second).await.unwrap()["SnapshotMode"], "INSTANT_SNAPSHOT");
    let eleven: Vec<String> = (0..11).map(|number| format!("disk-{number:08}")).collect();
    for (request, code) in [
        (
            json!({"SnapshotIds": [first], "Filters": [{"Name": "encrypt", "Values": ["true"]}]}),
            "InvalidParameterValue",
        ),
        (json!({"SnapshotIds": ["snap"]}), "InvalidParameterValue"),
        (json!({"Filters": [{"Name": "tag:k", "Values": ["v"]}]}), "InvalidFilter"),
        (json!({"Filters": [{"Name": "disk-id", "Values": eleven}]}), "InvalidFilter"),
        (json!({"OrderField": "DEADLINE"}), "InvalidParameterValue"),
        (json!({"Limit": 101}), "InvalidParameterValue"),
    ] {
        assert_eq!(cbs.code("DescribeSnapshots", request.clone()).await, code, "{request}");
    }
}

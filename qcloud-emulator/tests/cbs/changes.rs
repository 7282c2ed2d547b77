use std::time::Duration;

use qcloud_emulator::Task;
use serde_json::{Value, json};

use crate::client::builder;
use crate::support::{ZONE, cbs, with};

#[tokio::test]
async fn a_disk_grows() {
    let cbs = cbs();
    let instance = cbs.instances(1).await.remove(0);
    for (id, state) in [(cbs.disk(json!({})).await, "UNATTACHED"), (cbs.attached(&instance).await, "ATTACHED")] {
        cbs.ok("ResizeDisk", json!({"DiskId": id, "DiskSize": 50})).await;
        let disk = cbs.shown(&id).await.unwrap();
        assert_eq!((&disk["DiskState"], &disk["DiskSize"]), (&json!("EXPANDING"), &json!(20)));
        let busy = cbs.code("ResizeDisk", json!({"DiskId": id, "DiskSize": 60})).await;
        assert_eq!(busy, "InvalidDisk.Busy");
        assert_eq!(cbs.code("CreateSnapshot", json!({"DiskId": id})).await, "InvalidDisk.Busy");
        cbs.client.pass(1);
        let disk = cbs.shown(&id).await.unwrap();
        assert_eq!((&disk["DiskState"], &disk["DiskSize"]), (&json!(state), &json!(50)));
    }
}

#[tokio::test]
async fn growth_has_its_limits() {
    let cbs = with(builder().sold_out_disk(ZONE, "CLOUD_SSD"));
    let id = cbs.disk(json!({})).await;
    let system = cbs.instances(1).await;
    let system = cbs.listed(json!({"Filters": [{"Name": "instance-id", "Values": system}]})).await.remove(0);
    let returned = cbs.prepaid_disk("NOTIFY_AND_MANUAL_RENEW").await;
    cbs.ok("TerminateDisks", json!({"DiskIds": [returned]})).await;
    let making = cbs.disk(json!({})).await;
    cbs.ok("CreateSnapshot", json!({"DiskId": making})).await;
    for (request, code) in [
        (json!({"DiskId": id, "DiskSize": 20}), "InvalidParameterValue"),
        (json!({"DiskId": id, "DiskSize": 10}), "InvalidParameterValue"),
        (json!({"DiskId": id, "DiskSize": 25}), "InvalidParameterValue"),
        (json!({"DiskId": id, "DiskSize": 32_010}), "InvalidParameterValue"),
        (json!({"DiskSize": 30}), "MissingParameter"),
        (json!({"DiskId": "disk-1", "DiskSize": 30}), "InvalidParameterValue"),
        (json!({"DiskId": "disk-00000000", "DiskSize": 30}), "InvalidDiskId.NotFound"),
        (json!({"DiskId": system, "DiskSize": 30}), "ResourceUnavailable.NotSupported"),
        (json!({"DiskId": returned, "DiskSize": 30}), "ResourceUnavailable.Expire"),
        (json!({"DiskId": making, "DiskSize": 30}), "ResourceUnavailable.SnapshotCreating"),
    ] {
        assert_eq!(cbs.code("ResizeDisk", request.clone()).await, code, "{request}");
    }
    cbs.ok("ResizeDisk", json!({"DiskId": id, "DiskSize": 30})).await;
    cbs.client.pass(1);
    let to_ssd = json!({"DiskIds": [id], "DiskType": "CLOUD_SSD"});
    assert_eq!(cbs.code("ModifyDiskAttributes", to_ssd).await, "ResourceInsufficient");
}

#[tokio::test]
async fn a_knob_asks_for_stopped_instances() {
    let cbs = with(builder().resize_needs_stopped_instance(true));
    let instance = cbs.instances(1).await.remove(0);
    let id = cbs.attached(&instance).await;
    let request = json!({"DiskId": id, "DiskSize": 30});
    assert_eq!(cbs.code("ResizeDisk", request.clone()).await, "UnsupportedOperation.InstanceNotStopped");
    cbs.client.cvm("StopInstances", json!({"InstanceIds": [instance]})).await.unwrap();
    cbs.client.pass(1);
    cbs.ok("ResizeDisk", request).await;
}

#[tokio::test]
async fn attributes_change_for_all_disks_or_none() {
    let cbs = cbs();
    let ids = cbs.disks(2).await;
    let change = json!({"DiskIds": ids, "DiskName": "new", "ProjectId": 3, "DeleteWithInstance": true});
    cbs.ok("ModifyDiskAttributes", change).await;
    for id in &ids {
        let disk = cbs.shown(id).await.unwrap();
        assert_eq!((&disk["DiskName"], &disk["DeleteWithInstance"]), (&json!("new"), &json!(true)));
        assert_eq!(disk["Placement"]["ProjectId"], 3);
    }
    let system = cbs.instances(1).await;
    let system = cbs.listed(json!({"Filters": [{"Name": "instance-id", "Values": system}]})).await.remove(0);
    let prepaid = cbs.prepaid_disk("NOTIFY_AND_MANUAL_RENEW").await;
    let refused = "ResourceUnavailable.NotSupported";
    for (change, code) in [
        (json!({"DiskIds": [ids[0]]}), "MissingParameter"),
        (json!({"DiskIds": [], "DiskName": "x"}), "MissingParameter"),
        (json!({"DiskIds": [ids[0], "disk-00000000"], "DiskName": "x"}), "InvalidDiskId.NotFound"),
        (json!({"DiskIds": [ids[0]], "DiskName": "n".repeat(61)}), "InvalidParameterValue"),
        (json!({"DiskIds": [ids[0]], "Portable": false}), "InvalidParameterValue"),
        (json!({"DiskIds": [ids[0], system], "Portable": true}), refused),
        (json!({"DiskIds": [ids[0], system], "ProjectId": 1}), refused),
        (json!({"DiskIds": [ids[0], prepaid], "DeleteWithInstance": true}), refused),
        (json!({"DiskIds": ids, "DiskType": "CLOUD_SSD"}), "InvalidParameterValue"),
        (json!({"DiskIds": [ids[0]], "DiskName": "x", "DiskType": "CLOUD_SSD"}), "InvalidParameterValue"),
        (json!({"DiskIds": [ids[0]], "DiskType": "CLOUD_HSSD"}), "InvalidParameterValue"),
        (json!({"DiskIds": [ids[0]], "DiskType": "CLOUD_PREMIUM"}), "InvalidParameter.DiskConfigNotSupported"),
        (json!({"DiskIds": [ids[0]], "BurstPerformanceOperation": "CREATE"}), "InvalidParameterValue"),
        (json!({"DiskIds": [ids[0]], "BurstPerformanceOperation": "STOP"}), "InvalidParameterValue"),
    ] {
        assert_eq!(cbs.code("ModifyDiskAttributes", change.clone()).await, code, "{change}");
    }
    let disk = cbs.shown(&ids[0]).await.unwrap();
    assert_eq!((&disk["DiskName"], &disk["Placement"]["ProjectId"]), (&json!("new"), &json!(3)));
}

#[tokio::test]
async fn the_type_of_a_disk_changes_in_time() {
    let cbs = with(builder().task_duration(Task::DiskMigrate, Duration::from_secs(100)));
    let id = cbs.disk(json!({})).await;
    cbs.ok("ModifyDiskAttributes", json!({"DiskIds": [id], "DiskType": "CLOUD_SSD"})).await;
    cbs.client.pass(40);
    let disk = cbs.shown(&id).await.unwrap();
    assert_eq!((&disk["Migrating"], &disk["MigratePercent"]), (&json!(true), &json!(40)));
    assert_eq!((&disk["DiskType"], &disk["DiskState"]), (&json!("CLOUD_PREMIUM"), &json!("UNATTACHED")));
    let again = json!({"DiskIds": [id], "DiskType": "CLOUD_SSD"});
    assert_eq!(cbs.code("ModifyDiskAttributes", again).await, "ResourceInUse.DiskMigrating");
    assert_eq!(cbs.code("CreateSnapshot", json!({"DiskId": id})).await, "ResourceInUse.DiskMigrating");
    assert_eq!(cbs.code("TerminateDisks", json!({"DiskIds": [id]})).await, "ResourceBusy");
    cbs.client.pass(60);
    let disk = cbs.shown(&id).await.unwrap();
    assert_eq!((&disk["Migrating"], &disk["DiskType"]), (&json!(false), &json!("CLOUD_SSD")));
}

#[tokio::test]
async fn extra_performance_is_for_large_fast_disks() {
    let cbs = cbs();
    let fast = cbs.disk(json!({"DiskType": "CLOUD_HSSD", "DiskSize": 500})).await;
    let slow = cbs.disk(json!({"DiskSize": 500})).await;
    let small = cbs.disk(json!({"DiskType": "CLOUD_HSSD", "DiskSize": 460})).await;
    let change = |id: &str, more: u64| json!({"DiskId": id, "ThroughputPerformance": more});
    cbs.ok("ModifyDiskExtraPerformance", change(&fast, 300)).await;
    assert_eq!(cbs.shown(&fast).await.unwrap()["ThroughputPerformance"], 300);
    let quote = cbs.ok("InquirePriceModifyDiskExtraPerformance", change(&fast, 300)).await;
    assert_eq!(quote["DiskPrice"]["ChargeUnit"], "HOUR");
    for (request, code) in [
        (change(&slow, 100), "InvalidDisk.NotSupported"),
        (change(&small, 100), "InvalidDisk.NotSupported"),
        (change(&fast, 651), "InvalidParameter"),
        (change("disk-00000000", 100), "InvalidDiskId.NotFound"),
    ] {
        assert_eq!(cbs.code("ModifyDiskExtraPerformance", request).await, code);
    }
    cbs.ok("ModifyDiskAttributes", json!({"DiskIds": [fast], "BurstPerformanceOperation": "CREATE"})).await;
    assert_eq!(cbs.shown(&fast).await.unwrap()["BurstPerformance"], true);
    cbs.ok("ModifyDiskAttributes", json!({"DiskIds": [fast], "BurstPerformanceOperation": "CANCEL"})).await;
    assert_eq!(cbs.shown(&fast).await.unwrap()["BurstPerformance"], false);
}

#[tokio::test]
async fn postpaid_disks_go_at_once_and_all_together() {
    let cbs = cbs();
    let instance = cbs.instances(1).await.remove(0);
    let ids = cbs.disks(2).await;
    let attached = cbs.attached(&instance).await;
    let making = cbs.disk(json!({})).await;
    cbs.ok("CreateSnapshot", json!({"DiskId": making})).await;
    let system = cbs.listed(json!({"Filters": [{"Name": "disk-usage", "Values": ["SYSTEM_DISK"]}]})).await.remove(0);
    let many: Vec<Value> = (0..101).map(|number| json!(format!("disk-{number:08}"))).collect();
    for (bad, code) in [
        (json!([ids[0], attached]), "ResourceUnavailable.NotSupported"),
        (json!([ids[0], making]), "ResourceBusy"),
        (json!([ids[0], system]), "ResourceUnavailable.NotSupportRefund"),
        (json!([ids[0], "disk-00000000"]), "InvalidDiskId.NotFound"),
        (json!([ids[0], "disk"]), "InvalidParameterValue"),
        (json!(many), "InvalidParameterValue.LimitExceeded"),
        (json!([]), "MissingParameter"),
    ] {
        assert_eq!(cbs.code("TerminateDisks", json!({"DiskIds": bad})).await, code, "{bad}");
    }
    assert_eq!(
        cbs.code("TerminateDisks", json!({"DiskIds": [ids[0]], "DeleteSnapshot": 5})).await,
        "InvalidParameterValue"
    );
    assert_eq!(cbs.state(&ids[0]).await, "UNATTACHED");
    cbs.ok("TerminateDisks", json!({"DiskIds": ids})).await;
    assert_eq!((cbs.state(&ids[0]).await.as_str(), cbs.state(&ids[1]).await.as_str()), ("absent", "absent"));
    assert_eq!(cbs.code("TerminateDisks", json!({"DiskIds": ids})).await, "InvalidDiskId.NotFound");
}

use serde_json::json;

use crate::client::text;
use crate::support::cbs;

#[tokio::test]
async fn an_unattached_disk_is_rolled_back() {
    let cbs = cbs();
    let disk = cbs.disk(json!({})).await;
    let snapshot = cbs.snapshot(&disk, json!({})).await;
    let apply = json!({"SnapshotId": snapshot, "DiskId": disk});
    cbs.ok("ApplySnapshot", apply.clone()).await;
    cbs.client.pass(1);
    let shown = cbs.shown(&disk).await.unwrap();
    assert_eq!((&shown["DiskState"], &shown["Rollbacking"]), (&json!("ROLLBACKING"), &json!(true)));
    assert_eq!(shown["RollbackPercent"], 50);
    assert_eq!(cbs.shown_snapshot(&snapshot).await.unwrap()["SnapshotState"], "ROLLBACKING");
    assert_eq!(cbs.code("ApplySnapshot", apply.clone()).await, "ResourceInUse.DiskRollbacking");
    assert_eq!(cbs.code("CreateSnapshot", json!({"DiskId": disk})).await, "ResourceInUse.DiskRollbacking");
    assert_eq!(cbs.code("DeleteSnapshots", json!({"SnapshotIds": [snapshot]})).await, "ResourceBusy");
    assert_eq!(cbs.code("TerminateDisks", json!({"DiskIds": [disk]})).await, "ResourceBusy");
    cbs.client.pass(1);
    assert_eq!(cbs.state(&disk).await, "UNATTACHED");
    assert_eq!(cbs.shown_snapshot(&snapshot).await.unwrap()["SnapshotState"], "NORMAL");
    cbs.ok("ApplySnapshot", apply).await;
}

#[tokio::test]
async fn each_mistake_has_its_code() {
    let cbs = cbs();
    let disks = cbs.disks(3).await;
    let snapshot = cbs.snapshot(&disks[0], json!({})).await;
    let grown = cbs.snapshot(&disks[1], json!({})).await;
    cbs.ok("ResizeDisk", json!({"DiskId": disks[1], "DiskSize": 30})).await;
    cbs.client.pass(1);
    let other = cbs.snapshot(&disks[2], json!({})).await;
    cbs.ok("CreateSnapshot", json!({"DiskId": disks[2]})).await;
    for (request, code) in [
        (json!({"SnapshotId": "snap-00000000", "DiskId": disks[0]}), "InvalidSnapshotId.NotFound"),
        (json!({"SnapshotId": snapshot, "DiskId": disks[1]}), "InvalidParameterValue"),
        (json!({"SnapshotId": grown, "DiskId": disks[1]}), "InvalidParameter.DiskSizeNotMatch"),
        (json!({"SnapshotId": other, "DiskId": disks[2]}), "InvalidDisk.SnapshotCreating"),
        (json!({"SnapshotId": snapshot, "DiskId": disks[0], "AutoStartInstance": true}), "InvalidParameterValue"),
        (json!({"SnapshotId": snapshot, "DiskId": disks[0], "AutoStopInstance": true}), "InvalidParameterValue"),
    ] {
        assert_eq!(cbs.code("ApplySnapshot", request.clone()).await, code, "{request}");
    }
    cbs.ok("TerminateDisks", json!({"DiskIds": [disks[0]]})).await;
    assert_eq!(
        cbs.code("ApplySnapshot", json!({"SnapshotId": snapshot, "DiskId": disks[0]})).await,
        "InvalidDiskId.NotFound"
    );
}

#[tokio::test]
async fn disks_of_instances_need_them_to_be_stopped() {
    let cbs = cbs();
    let instance = cbs.instances(1).await.remove(0);
    let data = cbs.attached(&instance).await;
    let system = cbs.listed(json!({"Filters": [{"Name": "disk-usage", "Values": ["SYSTEM_DISK"]}]})).await.remove(0);
    let (of_data, of_system) = (cbs.snapshot(&data, json!({})).await, cbs.snapshot(&system, json!({})).await);
    let data_back = json!({"SnapshotId": of_data, "DiskId": data});
    let system_back = json!({"SnapshotId": of_system, "DiskId": system});
    assert_eq!(cbs.code("ApplySnapshot", data_back).await, "ResourceUnavailable.NotSupported");
    assert_eq!(cbs.code("ApplySnapshot", system_back.clone()).await, "InvalidInstance.NotSupported");
    // The instance can be stopped for it, and started again.
    let request = json!({"SnapshotId": of_data, "DiskId": data, "AutoStopInstance": true, "AutoStartInstance": true});
    cbs.ok("ApplySnapshot", request).await;
    assert_eq!(cbs.client.state(&instance).await, "STOPPED");
    cbs.client.pass(2);
    assert_eq!((cbs.state(&data).await.as_str(), cbs.client.state(&instance).await.as_str()), ("ATTACHED", "RUNNING"));
    cbs.client.cvm("StopInstances", json!({"InstanceIds": [instance]})).await.unwrap();
    cbs.client.pass(1);
    cbs.ok("ApplySnapshot", system_back).await;
    cbs.client.pass(2);
    assert_eq!(cbs.client.state(&instance).await, "STOPPED");
    assert_eq!(text(&cbs.shown(&system).await.unwrap()["DiskState"]), "ATTACHED");
}

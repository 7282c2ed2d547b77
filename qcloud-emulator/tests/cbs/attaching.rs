use std::time::Duration;

use qcloud_emulator::{Quota, Task};
use serde_json::json;

use crate::client::builder;
use crate::support::{cbs, with};

#[tokio::test]
async fn a_disk_goes_on_an_instance_and_off_again() {
    let cbs = with(
        builder()
            .task_duration(Task::DiskAttach, Duration::from_secs(5))
            .task_duration(Task::DiskDetach, Duration::from_secs(3)),
    );
    let instance = cbs.instances(1).await.remove(0);
    let ids = cbs.disks(2).await;
    let request = json!({"DiskIds": ids, "InstanceId": instance, "DeleteWithInstance": true});
    cbs.ok("AttachDisks", request.clone()).await;
    for id in &ids {
        let disk = cbs.shown(id).await.unwrap();
        assert_eq!((&disk["DiskState"], &disk["Attached"]), (&json!("ATTACHING"), &json!(false)));
        assert_eq!(disk["InstanceId"], *instance);
        assert_eq!(disk["DeleteWithInstance"], true);
    }
    // Meanwhile nothing else can be done to it.
    assert_eq!(cbs.code("AttachDisks", request.clone()).await, "ResourceBusy");
    assert_eq!(cbs.code("DetachDisks", json!({"DiskIds": ids})).await, "ResourceBusy");
    assert_eq!(cbs.code("TerminateDisks", json!({"DiskIds": ids})).await, "ResourceBusy");
    assert_eq!(cbs.code("ResizeDisk", json!({"DiskId": ids[0], "DiskSize": 30})).await, "InvalidDisk.Busy");
    cbs.client.pass(4);
    assert_eq!(cbs.state(&ids[0]).await, "ATTACHING");
    cbs.client.pass(1);
    let disk = cbs.shown(&ids[1]).await.unwrap();
    assert_eq!((&disk["DiskState"], &disk["Attached"]), (&json!("ATTACHED"), &json!(true)));
    assert_eq!((&disk["InstanceType"], &disk["LastAttachInsId"]), (&json!("CVM"), &json!(instance)));
    assert_eq!(cbs.code("AttachDisks", request).await, "ResourceUnavailable.Attached");

    cbs.ok("DetachDisks", json!({"DiskIds": [ids[0]], "InstanceId": instance})).await;
    let disk = cbs.shown(&ids[0]).await.unwrap();
    assert_eq!((&disk["DiskState"], &disk["Attached"]), (&json!("DETACHING"), &json!(true)));
    assert_eq!(cbs.code("DetachDisks", json!({"DiskIds": [ids[0]]})).await, "ResourceBusy");
    cbs.client.pass(3);
    let disk = cbs.shown(&ids[0]).await.unwrap();
    assert_eq!((&disk["DiskState"], &disk["Attached"]), (&json!("UNATTACHED"), &json!(false)));
    assert_eq!((&disk["InstanceId"], &disk["LastAttachInsId"]), (&json!(""), &json!(instance)));
    assert_eq!(cbs.state(&ids[1]).await, "ATTACHED");
    assert_eq!(cbs.code("DetachDisks", json!({"DiskIds": [ids[0]]})).await, "ResourceUnavailable.NotSupported");
}

#[tokio::test]
async fn a_disk_on_its_way_to_a_stopped_instance_is_called_back() {
    let cbs = with(builder().task_duration(Task::DiskAttach, Duration::from_secs(3600)));
    let instance = cbs.instances(1).await.remove(0);
    let id = cbs.disks(1).await.remove(0);
    cbs.ok("AttachDisks", json!({"DiskIds": [id], "InstanceId": instance})).await;
    let detach = json!({"DiskIds": [id], "InstanceId": instance});
    assert_eq!(cbs.code("DetachDisks", detach.clone()).await, "ResourceBusy");
    cbs.client.cvm("StopInstances", json!({"InstanceIds": [instance]})).await.unwrap();
    cbs.client.pass(1);
    cbs.ok("DetachDisks", detach).await;
    assert_eq!(cbs.state(&id).await, "DETACHING");
    cbs.client.pass(1);
    assert_eq!(cbs.state(&id).await, "UNATTACHED");
    // What was to come an hour later does not come any more.
    cbs.client.pass(3600);
    assert_eq!(cbs.state(&id).await, "UNATTACHED");
}

#[tokio::test]
async fn one_bad_disk_keeps_all_others_where_they_are() {
    let cbs = cbs();
    let instances = cbs.instances(2).await;
    let good = cbs.disks(2).await;
    let far = cbs.disk(json!({"Placement": {"Zone": "ap-guangzhou-4"}})).await;
    let taken = cbs.attached(&instances[1]).await;
    let system = cbs.listed(json!({"Filters": [{"Name": "disk-usage", "Values": ["SYSTEM_DISK"]}]})).await.remove(0);
    let returned = cbs.prepaid_disk("NOTIFY_AND_MANUAL_RENEW").await;
    cbs.ok("TerminateDisks", json!({"DiskIds": [returned]})).await;
    let migrating = cbs.disk(json!({})).await;
    cbs.ok("ModifyDiskAttributes", json!({"DiskIds": [migrating], "DiskType": "CLOUD_SSD"})).await;
    for (bad, code) in [
        (far.as_str(), "ResourceUnavailable.ZoneNotMatch"),
        (&taken, "ResourceUnavailable.Attached"),
        (&system, "ResourceUnavailable.TypeError"),
        (&returned, "ResourceUnavailable.NotSupported"),
        (&migrating, "ResourceInUse.DiskMigrating"),
        ("disk-00000000", "InvalidDiskId.NotFound"),
        ("disk-0", "InvalidParameterValue"),
    ] {
        let request = json!({"DiskIds": [good[0], good[1], bad], "InstanceId": instances[0]});
        assert_eq!(cbs.code("AttachDisks", request).await, code);
    }
    for id in &good {
        assert_eq!(cbs.state(id).await, "UNATTACHED");
    }
    cbs.ok("AttachDisks", json!({"DiskIds": good, "InstanceId": instances[0]})).await;
    cbs.client.pass(1);
    for (others, code) in [
        (json!([good[0], taken]), "InvalidParameterValue"),
        (json!([good[0], far]), "ResourceUnavailable.NotSupported"),
        (json!([good[0], system]), "ResourceUnavailable.TypeError"),
        (json!([good[0], "disk-00000000"]), "InvalidDiskId.NotFound"),
    ] {
        assert_eq!(cbs.code("DetachDisks", json!({"DiskIds": others})).await, code, "{others}");
    }
    assert_eq!(cbs.state(&good[0]).await, "ATTACHED");
}

#[tokio::test]
async fn instances_are_checked_too() {
    let cbs = cbs();
    let id = cbs.disk(json!({})).await;
    let attach = |instance: &str| json!({"DiskIds": [id], "InstanceId": instance});
    assert_eq!(cbs.code("AttachDisks", attach("ins-1")).await, "InvalidParameterValue");
    assert_eq!(cbs.code("AttachDisks", attach("ins-00000000")).await, "InvalidInstanceId.NotFound");
    let instances = cbs.instances(2).await;
    let ids = json!({"InstanceIds": [instances[0]]});
    cbs.client.cvm("StopInstances", ids.clone()).await.unwrap();
    assert_eq!(cbs.code("AttachDisks", attach(&instances[0])).await, "ResourceBusy");
    cbs.client.pass(1);
    cbs.client.cvm("TerminateInstances", ids).await.unwrap();
    assert_eq!(cbs.code("AttachDisks", attach(&instances[0])).await, "InvalidInstance.NotSupported");
    cbs.ok("AttachDisks", attach(&instances[1])).await;
    cbs.client.pass(1);
    for (instance, code) in [
        ("ins-1", "InvalidParameterValue"),
        ("ins-00000000", "InvalidInstanceId.NotFound"),
        // Gone by now.
        (&instances[0], "InvalidInstanceId.NotFound"),
    ] {
        assert_eq!(cbs.code("DetachDisks", attach(instance)).await, code);
    }
    let other = cbs.instances(1).await.remove(0);
    assert_eq!(cbs.code("DetachDisks", attach(&other)).await, "InvalidParameterValue");
    assert_eq!(
        cbs.code("AttachDisks", json!({"DiskIds": [id], "InstanceId": other, "AttachMode": "XF"})).await,
        "InvalidParameterValue"
    );
}

#[tokio::test]
async fn requests_and_instances_take_so_many_disks() {
    let cbs = with(builder().quota(Quota::DisksPerInstance, 12));
    let instance = cbs.instances(1).await.remove(0);
    let ids = cbs.disks(14).await;
    let attach = |ids: &[String]| json!({"DiskIds": ids, "InstanceId": instance});
    assert_eq!(cbs.code("AttachDisks", attach(&ids[..11])).await, "InvalidParameterValue.LimitExceeded");
    assert_eq!(cbs.code("AttachDisks", attach(&[])).await, "MissingParameter");
    cbs.ok("AttachDisks", attach(&ids[..10])).await;
    // Those that are still being attached count.
    assert_eq!(cbs.code("AttachDisks", attach(&ids[10..13])).await, "LimitExceeded.InstanceAttachedDisk");
    assert_eq!(cbs.state(&ids[10]).await, "UNATTACHED");
    cbs.ok("AttachDisks", attach(&ids[10..12])).await;
    cbs.client.pass(1);
    assert_eq!(cbs.code("AttachDisks", attach(&ids[12..13])).await, "LimitExceeded.InstanceAttachedDisk");
    assert_eq!(cbs.code("DetachDisks", json!({"DiskIds": ids[..11]})).await, "InvalidParameterValue.LimitExceeded");
    cbs.ok("DetachDisks", json!({"DiskIds": ids[..1]})).await;
    cbs.client.pass(1);
    cbs.ok("AttachDisks", attach(&ids[12..13])).await;
}

#[tokio::test]
async fn a_shared_disk_is_on_several_instances() {
    let cbs = cbs();
    let instances = cbs.instances(2).await;
    let id = cbs.disk(json!({"Shareable": true})).await;
    for instance in &instances {
        cbs.ok("AttachDisks", json!({"DiskIds": [id], "InstanceId": instance})).await;
        cbs.client.pass(1);
    }
    let again = json!({"DiskIds": [id], "InstanceId": instances[0]});
    assert_eq!(cbs.code("AttachDisks", again).await, "ResourceUnavailable.Attached");
    let disk = cbs.shown(&id).await.unwrap();
    assert_eq!((&disk["InstanceId"], &disk["InstanceIdList"]), (&json!(""), &json!(instances)));
    assert_eq!(disk["SnapshotAbility"], false);
    assert_eq!(cbs.code("CreateSnapshot", json!({"DiskId": id})).await, "InvalidDisk.NotSupportSnapshot");
    // Which instance it is to leave has to be said.
    assert_eq!(cbs.code("DetachDisks", json!({"DiskIds": [id]})).await, "MissingParameter");
    cbs.ok("DetachDisks", json!({"DiskIds": [id], "InstanceId": instances[0]})).await;
    assert_eq!(cbs.state(&id).await, "DETACHING");
    cbs.client.pass(1);
    let disk = cbs.shown(&id).await.unwrap();
    assert_eq!((&disk["DiskState"], &disk["InstanceIdList"]), (&json!("ATTACHED"), &json!([instances[1]])));
    // The last one goes without saying.
    cbs.ok("DetachDisks", json!({"DiskIds": [id]})).await;
    cbs.client.pass(1);
    assert_eq!(cbs.state(&id).await, "UNATTACHED");
}

use serde_json::{Value, json};

use crate::client::{builder, code};
use crate::support::{Cbs, ZONE, cbs, with};

/// An instance with three data disks, of which the second is to stay when it goes.
async fn instance_with_disks(cbs: &Cbs, more: Value) -> (String, Vec<String>) {
    let disks = json!([
        {"DiskType": "CLOUD_SSD", "DiskSize": 50, "DiskName": "one"},
        {"DiskSize": 30, "DeleteWithInstance": false},
        {"DiskSize": 40, "Encrypt": true},
    ]);
    let request = json!({"SystemDisk": {"DiskSize": 60}, "DataDisks": disks});
    let id = cbs.client.run(crate::support::merged(request, more)).await.unwrap().remove(0);
    cbs.client.pass(2);
    let disks = cbs.listed(json!({"Filters": [{"Name": "instance-id", "Values": [id]}]})).await;
    (id, disks)
}

#[tokio::test]
async fn the_disks_of_an_instance_are_disks_like_others() {
    let cbs = cbs();
    let (id, disks) = instance_with_disks(&cbs, json!({})).await;
    assert_eq!(disks.len(), 4);
    let system = cbs.shown(&disks[0]).await.unwrap();
    for (name, value) in [
        ("DiskUsage", json!("SYSTEM_DISK")),
        ("DiskSize", json!(60)),
        ("DiskState", json!("ATTACHED")),
        ("Attached", json!(true)),
        ("Portable", json!(false)),
        ("InstanceId", json!(id)),
        ("DiskChargeType", json!("POSTPAID_BY_HOUR")),
    ] {
        assert_eq!(system[name], value, "{name}");
    }
    assert_eq!(system["Placement"]["Zone"], ZONE);
    let data = cbs.shown(&disks[1]).await.unwrap();
    assert_eq!(
        (&data["DiskName"], &data["DiskUsage"], &data["Portable"]),
        (&json!("one"), &json!("DATA_DISK"), &json!(true))
    );
    // DescribeInstances agrees, also when something changes.
    let shown = cbs.client.instance(&id).await.unwrap();
    assert_eq!((&shown["SystemDisk"]["DiskId"], &shown["SystemDisk"]["DiskSize"]), (&json!(disks[0]), &json!(60)));
    let ids = |shown: &Value| -> Vec<Value> {
        shown["DataDisks"].as_array().unwrap().iter().map(|disk| disk["DiskId"].clone()).collect()
    };
    assert_eq!(json!(ids(&shown)), json!(disks[1..]));
    assert_eq!(shown["DataDisks"][2]["Encrypt"], true);
    cbs.ok("DetachDisks", json!({"DiskIds": [disks[1]]})).await;
    cbs.ok("ResizeDisk", json!({"DiskId": disks[2], "DiskSize": 100})).await;
    cbs.client.pass(1);
    let more = cbs.attached(&id).await;
    let shown = cbs.client.instance(&id).await.unwrap();
    assert_eq!(json!(ids(&shown)), json!([disks[2], disks[3], more]));
    assert_eq!(shown["DataDisks"][0]["DiskSize"], 100);
    let numbers = cbs.ok("DescribeInstancesDiskNum", json!({"InstanceIds": [id]})).await;
    assert_eq!(numbers["AttachDetail"][0]["AttachedDiskCount"], 3);
}

#[tokio::test]
async fn disks_go_with_their_instance_or_stay() {
    let cbs = cbs();
    let (id, disks) = instance_with_disks(&cbs, json!({})).await;
    let (stays, goes) = (cbs.attached(&id).await, cbs.disk(json!({})).await);
    let with_instance = json!({"DiskIds": [goes], "InstanceId": id, "DeleteWithInstance": true});
    cbs.ok("AttachDisks", with_instance).await;
    cbs.client.pass(1);
    let snapshot = cbs.snapshot(&disks[1], json!({})).await;
    cbs.client.cvm("TerminateInstances", json!({"InstanceIds": [id]})).await.unwrap();
    assert_eq!(cbs.state(&stays).await, "ATTACHED");
    cbs.client.pass(1);
    for gone in [&disks[0], &disks[1], &disks[3], &goes] {
        assert_eq!(cbs.state(gone).await, "absent");
    }
    for left in [&disks[2], &stays] {
        let disk = cbs.shown(left).await.unwrap();
        assert_eq!((&disk["DiskState"], &disk["InstanceId"]), (&json!("UNATTACHED"), &json!("")));
        assert_eq!(disk["LastAttachInsId"], *id);
    }
    assert!(cbs.shown_snapshot(&snapshot).await.is_some());
    cbs.ok("TerminateDisks", json!({"DiskIds": [disks[2], stays]})).await;
}

#[tokio::test]
async fn a_disk_that_is_being_attached_is_free_when_the_instance_goes() {
    let cbs = cbs();
    let instances = cbs.instances(2).await;
    let ids = cbs.disks(2).await;
    let shared = cbs.disk(json!({"Shareable": true})).await;
    cbs.ok("AttachDisks", json!({"DiskIds": [shared], "InstanceId": instances[1]})).await;
    cbs.client.pass(1);
    cbs.client.cvm("TerminateInstances", json!({"InstanceIds": [instances[0]]})).await.unwrap();
    assert_eq!(
        cbs.code("AttachDisks", json!({"DiskIds": ids, "InstanceId": instances[0]})).await,
        "InvalidInstance.NotSupported"
    );
    cbs.client.pass(1);
    let third = cbs.instances(1).await.remove(0);
    cbs.ok("AttachDisks", json!({"DiskIds": [ids[0], shared], "InstanceId": third})).await;
    cbs.client.cvm("TerminateInstances", json!({"InstanceIds": [third]})).await.unwrap();
    cbs.client.pass(1);
    assert_eq!(cbs.state(&ids[0]).await, "UNATTACHED");
    // The shared disk stays on its other instance.
    let shown = cbs.shown(&shared).await.unwrap();
    assert_eq!((&shown["DiskState"], &shown["InstanceIdList"]), (&json!("ATTACHED"), &json!([instances[1]])));
    cbs.ok("AttachDisks", json!({"DiskIds": [ids[0]], "InstanceId": instances[1]})).await;
}

#[tokio::test]
async fn prepaid_instances_have_prepaid_disks() {
    for (release, state) in [(false, "UNATTACHED"), (true, "absent")] {
        let cbs = cbs();
        let prepaid = json!({
            "InstanceChargeType": "PREPAID",
            "InstanceChargePrepaid": {"Period": 1, "RenewFlag": "NOTIFY_AND_AUTO_RENEW"},
        });
        let (id, disks) = instance_with_disks(&cbs, prepaid).await;
        let disk = cbs.shown(&disks[1]).await.unwrap();
        assert_eq!(
            (&disk["DiskChargeType"], &disk["DeadlineTime"]),
            (&json!("PREPAID"), &json!("2026-02-02 11:04:05"))
        );
        assert_eq!((&disk["AutoRenewFlagError"], &disk["DeadlineError"]), (&json!(false), &json!(false)));
        let own = cbs.prepaid_disk("NOTIFY_AND_MANUAL_RENEW").await;
        cbs.ok("AttachDisks", json!({"DiskIds": [own], "InstanceId": id})).await;
        assert_eq!(cbs.shown(&own).await.unwrap()["AutoRenewFlagError"], true);
        cbs.client.pass(1);
        let request = json!({"InstanceIds": [id], "ReleasePrepaidDataDisks": release});
        cbs.client.cvm("TerminateInstances", request.clone()).await.unwrap();
        cbs.client.pass(1);
        // In the recycle bin it keeps its disks.
        assert_eq!(
            (cbs.client.state(&id).await.as_str(), cbs.state(&disks[1]).await.as_str()),
            ("SHUTDOWN", "ATTACHED")
        );
        cbs.client.cvm("TerminateInstances", request).await.unwrap();
        cbs.client.pass(1);
        assert_eq!(cbs.client.state(&id).await, "gone");
        assert_eq!((cbs.state(&disks[0]).await.as_str(), cbs.state(&disks[1]).await.as_str()), ("absent", state));
    }
}

#[tokio::test]
async fn a_reinstalled_instance_may_have_a_larger_system_disk() {
    let cbs = cbs();
    let (id, disks) = instance_with_disks(&cbs, json!({})).await;
    let reset = json!({"InstanceId": id, "SystemDisk": {"DiskSize": 80}});
    cbs.client.cvm("ResetInstance", reset).await.unwrap();
    cbs.client.pass(3);
    assert_eq!(cbs.shown(&disks[0]).await.unwrap()["DiskSize"], 80);
    assert_eq!(cbs.client.instance(&id).await.unwrap()["SystemDisk"]["DiskSize"], 80);
}

#[tokio::test]
async fn disk_types_of_instances_are_checked() {
    let cbs = with(builder().sold_out_disk(ZONE, "CLOUD_SSD"));
    let system = |kind: &str| json!({"SystemDisk": {"DiskType": kind, "DiskSize": 50}});
    assert_eq!(code(cbs.client.run(system("CLOUD_GOLD")).await), "InvalidParameterValue");
    assert_eq!(code(cbs.client.run(system("CLOUD_SSD")).await), "ResourceInsufficient.CloudDiskSoldOut");
    // Local disks are none of CBS.
    let id = cbs.client.run(system("LOCAL_BASIC")).await.unwrap().remove(0);
    assert_eq!(cbs.listed(json!({})).await, [""; 0]);
    assert_eq!(cbs.client.instance(&id).await.unwrap()["SystemDisk"]["DiskType"], "LOCAL_BASIC");
}

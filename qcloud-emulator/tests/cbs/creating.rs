use std::time::Duration;

use qcloud_emulator::{Quota, Task};
use serde_json::{Value, json};

use crate::client::{builder, code};
use crate::support::{ZONE, cbs, new_disk, with};

#[tokio::test]
async fn a_new_disk_cannot_be_seen_at_once() {
    let cbs = with(builder().task_duration(Task::DiskCreate, Duration::from_secs(5)));
    let id = cbs.create(json!({"DiskName": "data"})).await.unwrap().remove(0);
    cbs.client.pass(4);
    assert_eq!(cbs.state(&id).await, "absent");
    assert_eq!(cbs.listed(json!({})).await, [""; 0]);
    assert_eq!(cbs.code("TerminateDisks", json!({"DiskIds": [id]})).await, "InvalidDiskId.NotFound");
    cbs.client.pass(1);
    let disk = cbs.shown(&id).await.unwrap();
    for (name, value) in [
        ("DiskState", json!("UNATTACHED")),
        ("DiskName", json!("data")),
        ("DiskUsage", json!("DATA_DISK")),
        ("DiskSize", json!(20)),
        ("Portable", json!(true)),
        ("Attached", json!(false)),
        ("InstanceId", json!("")),
        ("InstanceIdList", json!([])),
        ("DeadlineTime", json!("")),
        ("CreateTime", json!("2026-01-02 11:04:05")),
        ("Tags", json!([])),
        ("AutoSnapshotPolicyIds", Value::Null),
        ("LastAttachInsId", Value::Null),
    ] {
        assert_eq!(disk[name], value, "{name}");
    }
    assert_eq!(disk["Placement"]["Zone"], ZONE);
}

#[tokio::test]
async fn what_a_disk_is_made_with_is_shown() {
    let cbs = cbs();
    let ids = cbs
        .create(json!({
            "Placement": {"Zone": ZONE, "ProjectId": 7},
            "DiskType": "CLOUD_HSSD",
            "DiskSize": 500,
            "DiskCount": 3,
            "ThroughputPerformance": 100,
            "BurstPerformance": true,
            "Encrypt": "ENCRYPT",
            "KmsKeyId": "kms-abcd1234",
            "DeleteSnapshot": 1,
            "DiskBackupQuota": 3,
            "Tags": [{"Key": "csi-name", "Value": "pv-1"}],
            "DiskChargeType": "PREPAID",
            "DiskChargePrepaid": {"Period": 2, "RenewFlag": "NOTIFY_AND_AUTO_RENEW"},
        }))
        .await
        .unwrap();
    assert_eq!(ids.len(), 3);
    cbs.client.pass(1);
    let disk = cbs.shown(&ids[2]).await.unwrap();
    for (name, value) in [
        ("DiskType", json!("CLOUD_HSSD")),
        ("DiskName", json!("未命名")),
        ("ThroughputPerformance", json!(100)),
        ("BurstPerformance", json!(true)),
        ("Encrypt", json!(true)),
        ("EncryptType", json!("ENCRYPT_V2")),
        ("KmsKeyId", json!("kms-abcd1234")),
        ("DeleteSnapshot", json!(1)),
        ("DiskBackupQuota", json!(3)),
        ("Tags", json!([{"Key": "csi-name", "Value": "pv-1"}])),
        ("DiskChargeType", json!("PREPAID")),
        ("RenewFlag", json!("NOTIFY_AND_AUTO_RENEW")),
        ("DeadlineTime", json!("2026-03-02 11:04:05")),
        ("DifferDaysOfDeadline", json!(58)),
        ("IsReturnable", json!(true)),
    ] {
        assert_eq!(disk[name], value, "{name}");
    }
    assert_eq!(disk["Placement"]["ProjectId"], 7);
}

#[tokio::test]
async fn each_mistake_has_its_code() {
    let cbs = cbs();
    let prepaid = |prepaid: Value| json!({"DiskChargeType": "PREPAID", "DiskChargePrepaid": prepaid});
    let fast = |more: Value| crate::support::merged(json!({"DiskType": "CLOUD_HSSD", "DiskSize": 460}), more);
    let value = "InvalidParameterValue";
    let cases = [
        (json!({"Placement": {"Zone": "ap-shanghai-2"}}), value),
        (json!({"Placement": {"Zone": ZONE, "DedicatedClusterId": "cluster-12345678"}}), "UnsupportedOperation"),
        (json!({"DiskType": "CLOUD_GOLD"}), value),
        (json!({"DiskType": "CLOUD_TSSD"}), "InvalidParameter.DiskConfigNotSupported"),
        (json!({"DiskType": "CLOUD_BASIC"}), "InvalidParameter.DiskConfigNotSupported"),
        (json!({"DiskSize": 5}), value),
        (json!({"DiskSize": 15}), value),
        (json!({"DiskSize": 32_010}), value),
        (json!({"DiskSize": i64::MAX}), value),
        (json!({"DiskType": "CLOUD_SSD", "DiskSize": 10}), value),
        (json!({"DiskSize": null}), "MissingParameter"),
        (json!({"DiskChargeType": "FREE"}), value),
        (json!({"DiskChargeType": "CDCPAID"}), "InvalidParameter.DiskConfigNotSupported"),
        (json!({"DiskChargeType": "PREPAID"}), "MissingParameter"),
        (prepaid(json!({"Period": 13})), value),
        (prepaid(json!({"Period": 1, "RenewFlag": "PERHAPS"})), value),
        (json!({"DiskCount": 0}), value),
        (json!({"DiskCount": 51}), "InvalidParameterValue.LimitExceeded"),
        (json!({"DiskName": "n".repeat(61)}), value),
        (json!({"DeleteSnapshot": 2}), value),
        (json!({"ThroughputPerformance": 100}), value),
        (fast(json!({"ThroughputPerformance": 100})), value),
        (fast(json!({"DiskSize": 500, "ThroughputPerformance": 651})), value),
        (json!({"BurstPerformance": true}), value),
        (fast(json!({"DiskSize": 450, "BurstPerformance": true})), value),
        (json!({"Encrypt": "YES"}), value),
        (json!({"Encrypt": "ENCRYPT", "Shareable": true}), value),
        (json!({"KmsKeyId": "kms-abcd1234"}), "MissingParameter"),
        (json!({"EncryptType": "ENCRYPT_V2"}), value),
        (json!({"Tags": [{"Key": "", "Value": "v"}]}), value),
        (
            json!({"Tags": (0..51).map(|key| json!({"Key": key.to_string(), "Value": ""})).collect::<Vec<_>>()}),
            "LimitExceeded.TagQuotaLimitExceeded",
        ),
        (json!({"SnapshotId": "snap-1"}), value),
        (json!({"SnapshotId": "snap-12345678"}), "InvalidSnapshotId.NotFound"),
        (json!({"ClientToken": "t".repeat(65)}), "InvalidParameter.InvalidClientToken"),
        (json!({"ClientToken": "tökén"}), "InvalidParameter.InvalidClientToken"),
        (json!({"AutoMountConfiguration": {"InstanceId": ["ins-12345678"]}}), "InvalidInstanceId.NotFound"),
        (json!({"AutoMountConfiguration": {"InstanceId": []}}), value),
    ];
    for (more, code) in cases {
        assert_eq!(cbs.code("CreateDisks", new_disk(more.clone())).await, code, "{more}");
    }
    cbs.client.pass(1);
    assert_eq!(cbs.listed(json!({})).await, [""; 0]);
}

#[tokio::test]
async fn stock_and_quota_run_out() {
    let cbs = with(
        builder().sold_out_disk(ZONE, "CLOUD_SSD").sold_out_zone("ap-guangzhou-4").quota(Quota::DisksPerRegion, 3),
    );
    let ssd = |zone: &str| json!({"DiskType": "CLOUD_SSD", "Placement": {"Zone": zone}});
    assert_eq!(code(cbs.create(ssd(ZONE)).await), "ResourceInsufficient");
    assert_eq!(code(cbs.create(ssd("ap-guangzhou-4")).await), "ResourceInsufficient");
    cbs.create(ssd("ap-guangzhou-6")).await.unwrap();
    // All of a request or none of it.
    assert_eq!(code(cbs.create(json!({"DiskCount": 3})).await), "ResourceInsufficient.OverQuota");
    cbs.create(json!({"DiskCount": 2})).await.unwrap();
    assert_eq!(code(cbs.create(json!({})).await), "ResourceInsufficient.OverQuota");
    // Regions have quotas of their own.
    let elsewhere = crate::support::Cbs { client: cbs.client.in_region("ap-shanghai") };
    elsewhere.create(json!({"Placement": {"Zone": "ap-shanghai-2"}})).await.unwrap();
    elsewhere.client.pass(1);
    assert_eq!(elsewhere.listed(json!({})).await.len(), 1);
    assert_eq!(cbs.listed(json!({})).await.len(), 3);
}

#[tokio::test]
async fn a_client_token_makes_repeats_safe_for_a_day() {
    let cbs = cbs();
    let order = json!({"ClientToken": "token-1", "DiskCount": 2});
    let first = cbs.create(order.clone()).await.unwrap();
    assert_eq!(cbs.create(order.clone()).await.unwrap(), first);
    let other = cbs.create(json!({"ClientToken": "token-1", "DiskCount": 3})).await;
    assert_eq!(code(other), "InvalidParameter.InvalidClientToken");
    cbs.client.pass(24 * 3600 - 1);
    assert_eq!(cbs.create(order.clone()).await.unwrap(), first);
    // A refused order uses up no token.
    let wrong = json!({"ClientToken": "token-2", "DiskSize": 1});
    assert_eq!(code(cbs.create(wrong).await), "InvalidParameterValue");
    cbs.create(json!({"ClientToken": "token-2"})).await.unwrap();
    cbs.client.pass(1);
    let again = cbs.create(order).await.unwrap();
    assert!(again.iter().all(|id| !first.contains(id)));
    cbs.client.pass(1);
    assert_eq!(cbs.listed(json!({})).await.len(), 5);
}

#[tokio::test]
async fn new_disks_can_be_mounted_by_themselves() {
    let cbs = cbs();
    let instances = cbs.instances(2).await;
    let ids = cbs
        .create(json!({"DiskCount": 2, "AutoMountConfiguration": {"InstanceId": instances, "FileSystemType": "ext4"}}))
        .await
        .unwrap();
    cbs.client.pass(1);
    assert_eq!(cbs.state(&ids[0]).await, "ATTACHING");
    cbs.client.pass(1);
    for (id, instance) in ids.iter().zip(&instances) {
        assert_eq!(cbs.state(id).await, "ATTACHED");
        assert_eq!(cbs.shown(id).await.unwrap()["InstanceId"], **instance);
    }
    let far =
        json!({"Placement": {"Zone": "ap-guangzhou-4"}, "AutoMountConfiguration": {"InstanceId": [instances[0]]}});
    assert_eq!(code(cbs.create(far).await), "InvalidParameterValue");
    let many = json!({"DiskCount": 20, "AutoMountConfiguration": {"InstanceId": [instances[0]]}});
    assert_eq!(code(cbs.create(many).await), "LimitExceeded.InstanceAttachedDisk");
    let encrypted = json!({"Encrypt": "ENCRYPT", "AutoMountConfiguration": {"InstanceId": [instances[0]]}});
    assert_eq!(code(cbs.create(encrypted).await), "InvalidParameterValue");
}

#[tokio::test]
async fn a_seed_makes_the_same_disks_again() {
    let life = async |seed: u64| {
        let cbs = with(builder().seed(seed));
        let instance = cbs.instances(1).await.remove(0);
        let disk = cbs.attached(&instance).await;
        let snapshot = cbs.snapshot(&disk, json!({})).await;
        let policy = cbs.ok("CreateAutoSnapshotPolicy", json!({"Policy": [{"Hour": [1], "IntervalDays": 1}]})).await;
        let policy = policy["AutoSnapshotPolicyId"].clone();
        (cbs.shown(&disk).await, cbs.shown_snapshot(&snapshot).await, policy)
    };
    assert_eq!(life(7).await, life(7).await);
    assert_ne!(life(7).await, life(8).await);
}

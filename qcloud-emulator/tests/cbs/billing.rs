use qcloud_emulator::Quota;
use serde_json::{Value, json};

use crate::client::builder;
use crate::support::{Cbs, cbs, with};

const MANUAL: &str = "NOTIFY_AND_MANUAL_RENEW";
const AUTOMATIC: &str = "NOTIFY_AND_AUTO_RENEW";

async fn field(cbs: &Cbs, id: &str, name: &str) -> Value {
    cbs.shown(id).await.unwrap()[name].clone()
}

#[tokio::test]
async fn a_returned_prepaid_disk_waits_in_the_recycle_bin() {
    let cbs = cbs();
    let id = cbs.prepaid_disk(MANUAL).await;
    cbs.ok("TerminateDisks", json!({"DiskIds": [id]})).await;
    let disk = cbs.shown(&id).await.unwrap();
    assert_eq!((&disk["DiskState"], &disk["ReturnFailCode"]), (&json!("TORECYCLE"), &json!(1)));
    assert_eq!(disk["IsReturnable"], false);
    assert_eq!(cbs.code("TerminateDisks", json!({"DiskIds": [id]})).await, "ResourceUnavailable.RepeatRefund");
    assert_eq!(cbs.code("CreateSnapshot", json!({"DiskId": id})).await, "ResourceUnavailable.NotSupported");
    cbs.days(6);
    assert_eq!(cbs.state(&id).await, "TORECYCLE");
    cbs.days(1);
    assert_eq!(cbs.state(&id).await, "absent");
}

#[tokio::test]
async fn renewal_takes_a_disk_out_of_the_recycle_bin() {
    let cbs = cbs();
    let id = cbs.prepaid_disk(MANUAL).await;
    cbs.ok("TerminateDisks", json!({"DiskIds": [id]})).await;
    cbs.ok("RenewDisk", json!({"DiskId": id, "DiskChargePrepaid": {"Period": 2}})).await;
    assert_eq!(cbs.state(&id).await, "UNATTACHED");
    assert_eq!(field(&cbs, &id, "DeadlineTime").await, "2026-04-02 11:04:05");
    cbs.days(10);
    assert_eq!(cbs.state(&id).await, "UNATTACHED");
}

#[tokio::test]
async fn what_was_paid_is_used_up() {
    let cbs = cbs();
    let instance = cbs.instances(1).await.remove(0);
    let (left, renewed) = (cbs.prepaid_disk(MANUAL).await, cbs.prepaid_disk(AUTOMATIC).await);
    cbs.ok("AttachDisks", json!({"DiskIds": [left], "InstanceId": instance})).await;
    cbs.days(32);
    assert_eq!(cbs.state(&left).await, "TORECYCLE");
    assert_eq!(field(&cbs, &left, "InstanceId").await, "");
    assert_eq!(cbs.state(&renewed).await, "UNATTACHED");
    assert_eq!(field(&cbs, &renewed, "DeadlineTime").await, "2026-03-02 11:04:08");
    cbs.days(7);
    assert_eq!(cbs.state(&left).await, "absent");
    // However far the clock is put forward, this ends.
    cbs.days(366 * 9_000);
    assert_eq!(cbs.state(&renewed).await, "absent");
}

#[tokio::test]
async fn returns_are_limited() {
    let cbs = with(builder().quota(Quota::DiskRefunds, 1));
    let ids = [cbs.prepaid_disk(MANUAL).await, cbs.prepaid_disk(MANUAL).await];
    assert_eq!(cbs.code("TerminateDisks", json!({"DiskIds": ids})).await, "InsufficientRefundQuota");
    assert_eq!(cbs.state(&ids[0]).await, "UNATTACHED");
    cbs.ok("TerminateDisks", json!({"DiskIds": [ids[0]]})).await;
    assert_eq!(cbs.code("TerminateDisks", json!({"DiskIds": [ids[1]]})).await, "InsufficientRefundQuota");
    let postpaid = cbs.disk(json!({})).await;
    cbs.ok("TerminateDisks", json!({"DiskIds": [postpaid]})).await;
}

#[tokio::test]
async fn charge_types_change() {
    let cbs = cbs();
    let id = cbs.disk(json!({})).await;
    let system = cbs.instances(1).await;
    let system = cbs.listed(json!({"Filters": [{"Name": "instance-id", "Values": system}]})).await.remove(0);
    cbs.ok("ModifyDiskAttributes", json!({"DiskIds": [id], "DeleteWithInstance": true})).await;
    let change = |id: &str, more: Value| crate::support::merged(json!({"DiskIds": [id]}), more);
    let prepaid = json!({"DiskChargePrepaid": {"Period": 1}});
    for (request, code) in [
        (change(&id, json!({})), "MissingParameter"),
        (change(&id, json!({"DiskChargePostpaid": true, "DiskChargePrepaid": {"Period": 1}})), "InvalidParameter"),
        (change(&id, json!({"DiskChargePostpaid": true})), "ResourceUnavailable.NotSupported"),
        (change(&id, json!({"DiskChargePrepaid": {"Period": 0}})), "InvalidParameterValue"),
        (change(&system, prepaid.clone()), "ResourceUnavailable.NotPortable"),
        (change("disk-00000000", prepaid.clone()), "InvalidDiskId.NotFound"),
    ] {
        assert_eq!(cbs.code("ModifyDisksChargeType", request.clone()).await, code, "{request}");
    }
    cbs.ok("ModifyDisksChargeType", change(&id, prepaid)).await;
    assert_eq!(field(&cbs, &id, "DiskChargeType").await, "PREPAID");
    assert_eq!(field(&cbs, &id, "DeleteWithInstance").await, false);
    cbs.ok("ModifyDisksChargeType", change(&id, json!({"DiskChargePostpaid": true}))).await;
    assert_eq!(field(&cbs, &id, "DeadlineTime").await, "");
    // The end of the period that was given up means nothing.
    cbs.days(40);
    assert_eq!(cbs.state(&id).await, "UNATTACHED");
}

#[tokio::test]
async fn renewals() {
    let cbs = cbs();
    let (id, postpaid) = (cbs.prepaid_disk(MANUAL).await, cbs.disk(json!({})).await);
    let renew = |id: &str, prepaid: Value| json!({"DiskId": id, "DiskChargePrepaid": prepaid});
    for (request, code) in [
        (renew(&id, json!({"Period": 13})), "InvalidParameterValue"),
        (renew(&id, json!({"Period": 1, "RenewFlag": "X"})), "InvalidParameterValue"),
        (renew(&id, json!({"Period": 1, "CurInstanceDeadline": "soon"})), "InvalidParameterValue"),
        (renew(&id, json!({"Period": 1, "CurInstanceDeadline": "2018-03-30 20:15:03"})), "InvalidParameterValue"),
        (renew(&postpaid, json!({"Period": 1})), "ResourceUnavailable.NotSupported"),
        (renew("disk-00000000", json!({"Period": 1})), "InvalidDiskId.NotFound"),
    ] {
        assert_eq!(cbs.code("RenewDisk", request.clone()).await, code, "{request}");
    }
    // Up to the end that an instance has after its own renewal.
    cbs.ok("RenewDisk", renew(&id, json!({"Period": 1, "CurInstanceDeadline": "2026-05-05 00:00:00"}))).await;
    assert_eq!(field(&cbs, &id, "DeadlineTime").await, "2026-06-05 00:00:00");
    let flag = |id: &str, flag: &str| json!({"DiskIds": [id], "RenewFlag": flag, "AutoRenewPeriod": 3});
    assert_eq!(cbs.code("ModifyDisksRenewFlag", flag(&id, "X")).await, "InvalidParameterValue");
    assert_eq!(cbs.code("ModifyDisksRenewFlag", flag(&postpaid, AUTOMATIC)).await, "InvalidParameterValue");
    assert_eq!(cbs.code("ModifyDisksRenewFlag", flag("disk-00000000", AUTOMATIC)).await, "InvalidDiskId.NotFound");
    cbs.ok("ModifyDisksRenewFlag", flag(&id, AUTOMATIC)).await;
    cbs.days(160);
    assert_eq!(field(&cbs, &id, "DeadlineTime").await, "2026-09-05 00:00:00");
}

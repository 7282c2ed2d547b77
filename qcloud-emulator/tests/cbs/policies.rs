use qcloud_emulator::Quota;
use serde_json::{Value, json};

use crate::client::{builder, text};
use crate::support::{Cbs, cbs, with};

/// Every day at nine o'clock in Beijing. The clock there begins at four minutes past eleven on 2026-01-02.
fn daily() -> Value {
    json!({"Policy": [{"Hour": [9], "IntervalDays": 1}], "AutoSnapshotPolicyName": "daily"})
}

async fn policy(cbs: &Cbs, request: Value) -> String {
    text(&cbs.ok("CreateAutoSnapshotPolicy", request).await["AutoSnapshotPolicyId"])
}

async fn shown(cbs: &Cbs, id: &str) -> Option<Value> {
    let answer = cbs.ok("DescribeAutoSnapshotPolicies", json!({"AutoSnapshotPolicyIds": [id]})).await;
    answer["AutoSnapshotPolicySet"].as_array().unwrap().first().cloned()
}

async fn snapshots_of(cbs: &Cbs, disk: &str) -> Vec<Value> {
    let request = json!({"Filters": [{"Name": "disk-id", "Values": [disk]}], "Limit": 100});
    cbs.ok("DescribeSnapshots", request).await["SnapshotSet"].as_array().unwrap().clone()
}

#[tokio::test]
async fn bound_disks_in_use_get_snapshots() {
    let cbs = cbs();
    let instance = cbs.instances(1).await.remove(0);
    let used = cbs.attached(&instance).await;
    let unused = cbs.disk(json!({})).await;
    let id = policy(&cbs, crate::support::merged(daily(), json!({"RetentionDays": 3}))).await;
    cbs.ok("BindAutoSnapshotPolicy", json!({"AutoSnapshotPolicyId": id, "DiskIds": [used, unused]})).await;
    let bound = shown(&cbs, &id).await.unwrap();
    assert_eq!(bound["DiskIdSet"], json!([used, unused]));
    assert_eq!(bound["NextTriggerTime"], "2026-01-03 09:00:00");
    cbs.days(1);
    let made = snapshots_of(&cbs, &used).await;
    assert_eq!(made.len(), 1);
    assert_eq!((&made[0]["AutoSnapshotPolicyId"], &made[0]["IsPermanent"]), (&json!(id), &json!(false)));
    assert_eq!(
        (&made[0]["SnapshotName"], &made[0]["CreateTime"]),
        (&json!("daily_20260103090000"), &json!("2026-01-03 09:00:00"))
    );
    assert_eq!(made[0]["DeadlineTime"], "2026-01-06 09:00:00");
    assert!(snapshots_of(&cbs, &unused).await.is_empty());
    // Three are kept, however long it goes on.
    cbs.days(30);
    assert_eq!(snapshots_of(&cbs, &used).await.len(), 3);
    cbs.ok("UnbindAutoSnapshotPolicy", json!({"AutoSnapshotPolicyId": id, "DiskIds": [used]})).await;
    cbs.days(5);
    assert!(snapshots_of(&cbs, &used).await.is_empty());
    // Centuries pass quickly.
    cbs.ok("BindAutoSnapshotPolicy", json!({"AutoSnapshotPolicyId": id, "DiskIds": [used]})).await;
    cbs.days(365 * 5_000);
    assert!(snapshots_of(&cbs, &used).await.is_empty());
}

#[tokio::test]
async fn policies_are_changed_put_to_rest_and_deleted() {
    let cbs = cbs();
    let instance = cbs.instances(1).await.remove(0);
    let disk = cbs.attached(&instance).await;
    let id = policy(&cbs, daily()).await;
    cbs.ok("BindAutoSnapshotPolicy", json!({"AutoSnapshotPolicyId": id, "DiskIds": [disk]})).await;
    let modify = |more: Value| crate::support::merged(json!({"AutoSnapshotPolicyId": id}), more);
    cbs.ok("ModifyAutoSnapshotPolicyAttribute", modify(json!({"IsActivated": false}))).await;
    cbs.days(3);
    assert!(snapshots_of(&cbs, &disk).await.is_empty());
    let change = json!({
        "IsActivated": true,
        "IsPermanent": true,
        "AutoSnapshotPolicyName": "weekly",
        "Policy": [{"Hour": [0], "DayOfWeek": [1]}],
    });
    cbs.ok("ModifyAutoSnapshotPolicyAttribute", modify(change)).await;
    let changed = shown(&cbs, &id).await.unwrap();
    assert_eq!((&changed["AutoSnapshotPolicyName"], &changed["IsPermanent"]), (&json!("weekly"), &json!(true)));
    assert_eq!(changed["Policy"], json!([{"Hour": [0], "DayOfWeek": [1]}]));
    assert_eq!(changed["NextTriggerTime"], "2026-01-12 00:00:00");
    cbs.days(14);
    let made = snapshots_of(&cbs, &disk).await;
    assert_eq!(made.len(), 2);
    assert_eq!(made[0]["IsPermanent"], true);
    let of_disk = cbs.ok("DescribeDiskAssociatedAutoSnapshotPolicy", json!({"DiskId": disk})).await;
    assert_eq!((&of_disk["TotalCount"], &of_disk["AutoSnapshotPolicySet"][0]["DiskIdSet"]), (&json!(1), &json!([])));
    let with_policies = json!({"DiskIds": [disk], "ReturnBindAutoSnapshotPolicy": true});
    let listed = cbs.ok("DescribeDisks", with_policies).await;
    assert_eq!(listed["DiskSet"][0]["AutoSnapshotPolicyIds"], json!([id]));
    let both = json!({"AutoSnapshotPolicyIds": [id, "asp-00000000"]});
    assert_eq!(cbs.code("DeleteAutoSnapshotPolicies", both).await, "InvalidAutoSnapshotPolicyId.NotFound");
    assert!(shown(&cbs, &id).await.is_some());
    cbs.ok("DeleteAutoSnapshotPolicies", json!({"AutoSnapshotPolicyIds": [id]})).await;
    assert!(shown(&cbs, &id).await.is_none());
    cbs.days(14);
    assert_eq!(snapshots_of(&cbs, &disk).await.len(), 2);
}

#[tokio::test]
async fn a_dry_run_only_tells_the_next_moment() {
    let cbs = cbs();
    let answer = cbs.ok("CreateAutoSnapshotPolicy", crate::support::merged(daily(), json!({"DryRun": true}))).await;
    assert_eq!(answer["NextTriggerTime"], "2026-01-03 09:00:00");
    let all = cbs.ok("DescribeAutoSnapshotPolicies", json!({})).await;
    assert_eq!(all["TotalCount"], 0);
}

#[tokio::test]
async fn each_mistake_has_its_code() {
    let cbs = with(builder().quota(Quota::SnapshotPoliciesPerRegion, 2).quota(Quota::DisksPerSnapshotPolicy, 2));
    for schedule in [
        json!([]),
        json!([{"Hour": [], "IntervalDays": 1}]),
        json!([{"Hour": [24], "IntervalDays": 1}]),
        json!([{"Hour": [1]}]),
        json!([{"Hour": [1], "IntervalDays": 366}]),
        json!([{"Hour": [1], "DayOfWeek": [7]}]),
        json!([{"Hour": [1], "DayOfMonth": [0]}]),
        json!([{"Hour": [1], "DayOfMonth": [1], "DayOfWeek": [1]}]),
        json!([{"Hour": [1], "IntervalDays": 1}, {"Hour": [2], "IntervalDays": 1}]),
    ] {
        let code = cbs.code("CreateAutoSnapshotPolicy", json!({"Policy": schedule})).await;
        let expected = if schedule == json!([]) { "MissingParameter" } else { "InvalidParameter" };
        assert_eq!(code, expected, "{schedule}");
    }
    let forever = crate::support::merged(daily(), json!({"IsPermanent": true, "RetentionDays": 3}));
    assert_eq!(cbs.code("CreateAutoSnapshotPolicy", forever).await, "InvalidParameter");
    let long = crate::support::merged(daily(), json!({"AutoSnapshotPolicyName": "n".repeat(61)}));
    assert_eq!(cbs.code("CreateAutoSnapshotPolicy", long).await, "InvalidParameterValue");
    let id = policy(&cbs, daily()).await;
    policy(&cbs, daily()).await;
    let full = cbs.code("CreateAutoSnapshotPolicy", daily()).await;
    assert_eq!(full, "LimitExceeded.AutoSnapshotPolicyOutOfQuota");
    let disks = cbs.disks(3).await;
    let shared = cbs.disk(json!({"Shareable": true})).await;
    let bind = |disks: Value| json!({"AutoSnapshotPolicyId": id, "DiskIds": disks});
    cbs.ok("BindAutoSnapshotPolicy", bind(json!([disks[0]]))).await;
    let many: Vec<String> = (0..81).map(|number| format!("disk-{number:08}")).collect();
    for (request, code) in [
        (bind(json!([])), "MissingParameter"),
        (bind(json!(many)), "InvalidParameterValue.LimitExceeded"),
        (bind(json!(["disk-00000000"])), "InvalidDiskId.NotFound"),
        (bind(json!([disks[1], disks[0]])), "InvalidDisk.AlreadyBound"),
        (bind(json!([disks[1], disks[2]])), "InvalidParameterValue.BindDiskLimitExceeded"),
        (bind(json!([shared])), "InvalidDisk.NotSupported"),
        (
            json!({"AutoSnapshotPolicyId": "asp-00000000", "DiskIds": [disks[1]]}),
            "InvalidAutoSnapshotPolicyId.NotFound",
        ),
        (json!({"AutoSnapshotPolicyId": "asp", "DiskIds": [disks[1]]}), "InvalidParameterValue"),
    ] {
        assert_eq!(cbs.code("BindAutoSnapshotPolicy", request.clone()).await, code, "{request}");
    }
    assert_eq!(shown(&cbs, &id).await.unwrap()["DiskIdSet"], json!([disks[0]]));
    // Disks that are not bound are passed over, those that do not exist are not.
    cbs.ok("UnbindAutoSnapshotPolicy", bind(json!([disks[0], disks[1]]))).await;
    assert_eq!(shown(&cbs, &id).await.unwrap()["DiskIdSet"], json!([]));
    assert_eq!(cbs.code("UnbindAutoSnapshotPolicy", bind(json!(["disk-00000000"]))).await, "InvalidDiskId.NotFound");
    assert_eq!(cbs.code("UnbindAutoSnapshotPolicy", bind(json!([]))).await, "MissingParameter");
    // A disk that goes takes its bindings along.
    cbs.ok("BindAutoSnapshotPolicy", bind(json!([disks[1]]))).await;
    cbs.ok("TerminateDisks", json!({"DiskIds": [disks[1]]})).await;
    assert_eq!(shown(&cbs, &id).await.unwrap()["DiskIdSet"], json!([]));
}

#[tokio::test]
async fn lists() {
    let cbs = cbs();
    let ids = [policy(&cbs, daily()).await, policy(&cbs, json!({"Policy": [{"Hour": [1], "DayOfMonth": [1]}]})).await];
    let listed = async |request: Value| -> Vec<String> {
        let answer = cbs.ok("DescribeAutoSnapshotPolicies", request).await;
        answer["AutoSnapshotPolicySet"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| text(&one["AutoSnapshotPolicyId"]))
            .collect()
    };
    let filter = |name: &str, value: &str| json!({"Filters": [{"Name": name, "Values": [value]}]});
    assert_eq!(listed(filter("auto-snapshot-policy-id", &ids[1])).await, ids[1..]);
    assert_eq!(listed(filter("auto-snapshot-policy-name", "daily")).await, ids[..1]);
    assert_eq!(listed(filter("auto-snapshot-policy-state", "NORMAL")).await, ids);
    assert_eq!(listed(filter("auto-snapshot-policy-state", "ISOLATED")).await, [""; 0]);
    assert_eq!(listed(json!({"Order": "DESC", "Limit": 1})).await, ids[1..]);
    assert_eq!(cbs.code("DescribeAutoSnapshotPolicies", filter("name", "daily")).await, "InvalidFilter");
    let both =
        crate::support::merged(filter("auto-snapshot-policy-id", &ids[0]), json!({"AutoSnapshotPolicyIds": ids}));
    assert_eq!(cbs.code("DescribeAutoSnapshotPolicies", both).await, "InvalidParameterValue");
}

//! The requests of the official documentation.

use serde_json::{Value, json};

use crate::client::text;
use crate::support::{Cbs, cbs};

fn examples() -> Vec<(String, Value)> {
    let all: Value = serde_json::from_str(include_str!("../data/cbs-examples.json")).unwrap();
    let actions = all.as_object().unwrap().iter();
    actions
        .flat_map(|(action, examples)| {
            examples.as_array().unwrap().iter().map(|example| (action.clone(), example["request"].clone()))
        })
        .collect()
}

/// What an example may be refused with in an account that has nothing: its ids do not exist.
fn expected(action: &str, request: &Value) -> &'static [&'static str] {
    match action {
        "CreateDisks" if request.get("SnapshotId").is_some() => {
            &["InvalidParameterValue", "InvalidSnapshotId.NotFound"]
        }
        // A zone that was closed since.
        "CreateDisks" => &["InvalidParameterValue"],
        // The deadline is long past.
        "CreateSnapshot" => &["InvalidParameterValue"],
        // Its zone is in another region.
        "DescribeDiskConfigQuota" => &["InvalidParameterValue"],
        "ApplySnapshot" | "DeleteSnapshots" | "ModifySnapshotAttribute" => &["InvalidSnapshotId.NotFound"],
        "AttachDisks" => &["InvalidInstanceId.NotFound"],
        // One of the examples has a malformed id, the other a number written as a string.
        "ModifyDiskExtraPerformance" => &["InvalidParameterValue", "InvalidParameter"],
        _ if action.contains("AutoSnapshotPolic") && action != "DescribeDiskAssociatedAutoSnapshotPolicy" => {
            &["InvalidAutoSnapshotPolicyId.NotFound"]
        }
        _ => &["InvalidDiskId.NotFound"],
    }
}

#[tokio::test]
async fn every_example_is_accepted_or_refused_for_a_reason() {
    let cbs = cbs();
    let examples = examples();
    let implemented = qcloud_emulator::implemented_actions();
    for (.., action) in implemented.iter().filter(|(service, ..)| *service == "cbs") {
        assert!(examples.iter().any(|(name, _)| name == action), "no example of {action}");
    }
    let mut accepted = 0;
    for (action, request) in examples {
        match cbs.call(&action, request.clone()).await {
            Ok(_) => accepted += 1,
            Err(refusal) => {
                assert!(
                    expected(&action, &request).contains(&refusal.code.as_str()),
                    "{action} {request}: {refusal:?}"
                );
            }
        }
    }
    assert_eq!(accepted, 8);
}

/// Every id of a request replaced by one that exists.
fn with_ids(request: &Value, ids: &[(&str, &str)]) -> Value {
    match request {
        Value::String(text) => {
            json!(ids.iter().find(|(prefix, _)| text.starts_with(prefix)).map_or(text.as_str(), |(_, id)| id))
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(|item| with_ids(item, ids)).collect();
            items.dedup();
            json!(items)
        }
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), with_ids(value, ids)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

/// An account in which an example makes sense, with the ids of what it is about.
async fn account(cbs: &Cbs, action: &str) -> Vec<(&'static str, String)> {
    let instance = cbs.instances(1).await.remove(0);
    let more = match action {
        "RenewDisk" | "InquiryPriceRenewDisks" | "ModifyDisksRenewFlag" => {
            json!({"DiskChargeType": "PREPAID", "DiskChargePrepaid": {"Period": 1}})
        }
        "ModifyDiskExtraPerformance" | "InquirePriceModifyDiskExtraPerformance" => {
            json!({"DiskType": "CLOUD_HSSD", "DiskSize": 500})
        }
        _ => json!({}),
    };
    let disk = cbs.disk(more).await;
    let snapshot = cbs.snapshot(&disk, json!({})).await;
    let policy = cbs.ok("CreateAutoSnapshotPolicy", json!({"Policy": [{"Hour": [1], "IntervalDays": 1}]})).await;
    if action == "DetachDisks" {
        cbs.ok("AttachDisks", json!({"DiskIds": [disk], "InstanceId": instance})).await;
        cbs.client.pass(1);
    }
    let policy = text(&policy["AutoSnapshotPolicyId"]);
    vec![
        ("disk-", disk),
        ("snap-", snapshot),
        ("ins-", instance),
        ("asp-", policy),
        ("ap-", "ap-guangzhou-3".to_owned()),
    ]
}

#[tokio::test]
async fn examples_are_accepted_where_they_make_sense() {
    for (action, request) in examples() {
        let cbs = cbs();
        let account = account(&cbs, &action).await;
        let ids: Vec<(&str, &str)> = account.iter().map(|(prefix, id)| (*prefix, id.as_str())).collect();
        // Names of filters begin like ids.
        let mut request = if request.get("Filters").is_some() { request } else { with_ids(&request, &ids) };
        // The dates of the documentation are past, and one number is written as a string.
        if request.get("Deadline").is_some() {
            request["Deadline"] = json!("2027-01-08T09:47:55+00:00");
        }
        if let Some(deadline) = request.pointer_mut("/DiskChargePrepaid/CurInstanceDeadline") {
            *deadline = json!("2026-03-30 20:15:03");
        }
        if request.get("ThroughputPerformance") == Some(&json!("300")) {
            request["ThroughputPerformance"] = json!(300);
        }
        // CLOUD_TSSD is only quoted, never sold alone.
        let answer = cbs.call(&action, request.clone()).await;
        assert!(answer.is_ok(), "{action} {request}: {answer:?}");
    }
}

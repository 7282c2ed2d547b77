use serde_json::{Value, json};

use crate::support::{Cbs, ZONE, cbs};

fn filter(name: &str, values: &[&str]) -> Value {
    json!({"Filters": [{"Name": name, "Values": values}]})
}

#[tokio::test]
async fn every_filter_filters() {
    let cbs = cbs();
    let instance = cbs.client.run(json!({"InstanceName": "web"})).await.unwrap().remove(0);
    cbs.client.pass(2);
    let address = cbs.client.instance(&instance).await.unwrap()["PrivateIpAddresses"][0].as_str().unwrap().to_owned();
    let system = cbs.listed(filter("disk-usage", &["SYSTEM_DISK"])).await.remove(0);
    let attached = cbs.attached(&instance).await;
    let other = cbs
        .disk(json!({
            "Placement": {"Zone": "ap-guangzhou-4", "ProjectId": 9},
            "DiskType": "CLOUD_SSD",
            "DiskName": "other",
            "DiskChargeType": "PREPAID",
            "DiskChargePrepaid": {"Period": 1},
            "Tags": [{"Key": "app", "Value": "db"}],
        }))
        .await;
    let both = || vec![system.clone(), attached.clone()];
    let cases = [
        (filter("disk-usage", &["DATA_DISK"]), vec![attached.clone(), other.clone()]),
        (filter("disk-charge-type", &["PREPAID"]), vec![other.clone()]),
        (filter("portable", &["FALSE"]), vec![system.clone()]),
        (filter("portable", &["TRUE"]), vec![attached.clone(), other.clone()]),
        (filter("project-id", &["9"]), vec![other.clone()]),
        (filter("disk-id", &[&attached, &other]), vec![attached.clone(), other.clone()]),
        (filter("disk-name", &["other"]), vec![other.clone()]),
        (filter("disk-type", &["CLOUD_SSD"]), vec![other.clone()]),
        (filter("disk-state", &["ATTACHED"]), both()),
        (filter("instance-id", &[&instance]), both()),
        (filter("instance-name", &["web"]), both()),
        (filter("instance-ip-address", &[&address]), both()),
        (filter("zone", &["ap-guangzhou-4"]), vec![other.clone()]),
        (filter("tag-key", &["app"]), vec![other.clone()]),
        (filter("tag-value", &["db"]), vec![other.clone()]),
        (filter("tag:app", &["web", "db"]), vec![other.clone()]),
        (filter("tag:app", &["web"]), vec![]),
        (filter("dedicated-cluster-id", &["cluster-1"]), vec![]),
        (filter("cluster-group-id", &["1"]), vec![]),
        // All filters have to fit.
        (
            json!({"Filters": [{"Name": "zone", "Values": [ZONE]}, {"Name": "portable", "Values": ["true"]}]}),
            vec![attached.clone()],
        ),
    ];
    for (request, expected) in cases {
        assert_eq!(cbs.listed(request.clone()).await, expected, "{request}");
    }
}

#[tokio::test]
async fn pages_orders_and_ids() {
    let cbs = cbs();
    let mut ids = cbs.disks(25).await;
    assert_eq!(cbs.listed(json!({})).await, ids[..20]);
    let answer = cbs.ok("DescribeDisks", json!({"Offset": 20, "Limit": 10})).await;
    assert_eq!((answer["TotalCount"].as_u64(), answer["DiskSet"].as_array().unwrap().len()), (Some(25), 5));
    assert_eq!(cbs.listed(json!({"Offset": 1000})).await, [""; 0]);
    // A list of ids is cut at the default page too.
    assert_eq!(cbs.listed(json!({"DiskIds": ids})).await.len(), 20);
    assert_eq!(cbs.listed(json!({"DiskIds": ids, "Limit": 100})).await, ids);
    // Ids that do not exist are left out, ids named twice shown once.
    assert_eq!(cbs.listed(json!({"DiskIds": [ids[3], "disk-00000000", ids[3]]})).await, ids[3..4]);
    ids.reverse();
    assert_eq!(cbs.listed(json!({"Order": "DESC", "Limit": 100})).await, ids);
    let late = cbs.prepaid_disk("NOTIFY_AND_MANUAL_RENEW").await;
    let by_deadline = cbs.listed(json!({"OrderField": "DEADLINE", "Order": "ASC", "Limit": 1})).await;
    assert_eq!(by_deadline, [late]);
}

#[tokio::test]
async fn wrong_lists_are_refused() {
    let cbs = cbs();
    let id = cbs.disk(json!({})).await;
    let many: Vec<String> = (0..101).map(|number| format!("disk-{number:08}")).collect();
    let filters: Vec<Value> = (0..11).map(|_| json!({"Name": "zone", "Values": [ZONE]})).collect();
    for (request, code) in [
        (json!({"DiskIds": [id], "Filters": [{"Name": "zone", "Values": [ZONE]}]}), "InvalidParameterValue"),
        (json!({"DiskIds": ["disk-1"]}), "InvalidParameterValue"),
        (json!({"DiskIds": many}), "InvalidParameterValue"),
        (json!({"Limit": 101}), "InvalidParameterValue"),
        (json!({"Limit": 0}), "InvalidParameterValue"),
        (json!({"Limit": i64::MAX}), "InvalidParameterValue"),
        (json!({"Order": "UP"}), "InvalidParameterValue"),
        (json!({"OrderField": "SIZE"}), "InvalidParameterValue"),
        (filter("size", &["20"]), "InvalidFilter"),
        (filter("tag:", &["20"]), "InvalidFilter"),
        (json!({"Filters": filters}), "InvalidFilter"),
    ] {
        assert_eq!(cbs.code("DescribeDisks", request.clone()).await, code, "{request}");
    }
    assert_eq!(cbs.listed(json!({"Offset": i64::MAX})).await, [""; 0]);
    // Both given, but one of them empty, is no contradiction.
    let both = json!({"DiskIds": [], "Filters": [{"Name": "zone", "Values": [ZONE]}]});
    assert_eq!(cbs.listed(both).await, [id]);
}

#[tokio::test]
async fn regions_are_apart() {
    let cbs = cbs();
    let id = cbs.disk(json!({})).await;
    let elsewhere = Cbs { client: cbs.client.in_region("ap-shanghai") };
    assert_eq!(elsewhere.state(&id).await, "absent");
    assert_eq!(elsewhere.code("TerminateDisks", json!({"DiskIds": [id]})).await, "InvalidDiskId.NotFound");
}

#[tokio::test]
async fn the_numbers_of_disks_on_instances() {
    let cbs = cbs();
    let instances = cbs.instances(2).await;
    cbs.attached(&instances[0]).await;
    let request = json!({"InstanceIds": [instances[0], instances[1], "ins-00000000"]});
    let answer = cbs.ok("DescribeInstancesDiskNum", request).await;
    let numbers = json!([
        {"InstanceId": instances[0], "AttachedDiskCount": 1, "MaxAttachCount": 20},
        {"InstanceId": instances[1], "AttachedDiskCount": 0, "MaxAttachCount": 20},
    ]);
    assert_eq!(answer["AttachDetail"], numbers);
    let none = cbs.code("DescribeInstancesDiskNum", json!({"InstanceIds": []})).await;
    let malformed = cbs.code("DescribeInstancesDiskNum", json!({"InstanceIds": ["ins"]})).await;
    assert_eq!((none.as_str(), malformed.as_str()), ("MissingParameter", "InvalidParameterValue"));
}

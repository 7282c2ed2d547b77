//! Lists of instances: pages, ids and filters.

use serde_json::{Value, json};

use crate::client::{client, code, text};

fn ids(answer: &Value) -> Vec<String> {
    answer["InstanceSet"].as_array().unwrap().iter().map(|instance| text(&instance["InstanceId"])).collect()
}

#[tokio::test]
async fn pages_come_in_the_order_of_creation() {
    let client = client();
    let mut all = client.run(json!({"InstanceCount": 50})).await.unwrap();
    all.extend(client.run(json!({"InstanceCount": 57})).await.unwrap());
    let mut seen = Vec::new();
    for offset in (0..107).step_by(25) {
        let page = client.cvm("DescribeInstances", json!({"Offset": offset, "Limit": 25})).await.unwrap();
        assert_eq!(page["TotalCount"], 107);
        seen.extend(ids(&page));
    }
    assert_eq!(seen, all);
    // The default is 20, also for a list of ids.
    assert_eq!(ids(&client.cvm("DescribeInstances", json!({})).await.unwrap()).len(), 20);
    let named = client.cvm("DescribeInstances", json!({"InstanceIds": all[..30]})).await.unwrap();
    assert_eq!((named["TotalCount"].as_u64(), ids(&named).len()), (Some(30), 20));
    let beyond = client.cvm("DescribeInstances", json!({"Offset": 107})).await.unwrap();
    assert_eq!((beyond["TotalCount"].as_u64(), ids(&beyond).len()), (Some(107), 0));
    for page in [json!({"Limit": 101}), json!({"Limit": 0}), json!({"Offset": -1})] {
        assert_eq!(code(client.cvm("DescribeInstances", page).await), "InvalidParameterValue.LimitExceeded");
    }
}

#[tokio::test]
async fn ids_are_checked_and_unknown_ones_left_out() {
    let client = client();
    let all = client.run(json!({"InstanceCount": 2})).await.unwrap();
    let some = client.cvm("DescribeInstances", json!({"InstanceIds": [all[1], "ins-unknown0"]})).await.unwrap();
    assert_eq!(ids(&some), all[1..]);
    let describe = async |parameters: Value| code(client.cvm("DescribeInstances", parameters).await);
    assert_eq!(describe(json!({"InstanceIds": [all[0], "i-1"]})).await, "InvalidInstanceId.Malformed");
    let both = json!({"InstanceIds": [all[0]], "Filters": [{"Name": "zone", "Values": ["ap-guangzhou-3"]}]});
    assert_eq!(describe(both).await, "InvalidParameter");
    assert_eq!(
        describe(json!({"InstanceIds": vec!["ins-12345678"; 101]})).await,
        "InvalidParameterValue.LimitExceeded"
    );
}

#[tokio::test]
async fn filters_narrow_the_list_down() {
    let client = client();
    let network = client.network().await;
    let plain = client.running(&network, 1).await.remove(0);
    let special = json!({
        "Placement": {"Zone": "ap-guangzhou-4", "ProjectId": 7},
        "InstanceName": "special",
        "InstanceType": "SA2.MEDIUM4",
        "InstanceChargeType": "PREPAID",
        "InstanceChargePrepaid": {"Period": 12},
        "InternetAccessible": {"InternetMaxBandwidthOut": 10},
        "TagSpecification": [{"ResourceType": "instance", "Tags": [{"Key": "role", "Value": "web"}]}],
    });
    let special = client.run(special).await.unwrap().remove(0);
    let shown = client.instance(&special).await.unwrap();
    let list = async |filters: Vec<(&str, Vec<&str>)>| {
        let filters: Vec<Value> =
            filters.into_iter().map(|(name, values)| json!({"Name": name, "Values": values})).collect();
        client.cvm("DescribeInstances", json!({"Filters": filters})).await.map(|answer| ids(&answer))
    };
    let vpc = text(&shown["VirtualPrivateCloud"]["VpcId"]);
    let subnet = text(&shown["VirtualPrivateCloud"]["SubnetId"]);
    let (group, uuid) = (text(&shown["SecurityGroupIds"][0]), text(&shown["Uuid"]));
    let (private, public) = (text(&shown["PrivateIpAddresses"][0]), text(&shown["PublicIpAddresses"][0]));
    for (name, value) in [
        ("zone", "ap-guangzhou-4"),
        ("project-id", "7"),
        ("instance-id", &special),
        ("instance-name", "special"),
        ("instance-state", "PENDING"),
        ("instance-charge-type", "PREPAID"),
        ("vpc-id", &vpc),
        ("subnet-id", &subnet),
        ("uuid", &uuid),
        ("private-ip-address", &private),
        ("public-ip-address", &public),
        ("tag-key", "role"),
        ("tag-value", "web"),
        ("tag:role", "web"),
        ("creation-start-time", "2026-01-02 11:04:06"),
    ] {
        assert_eq!(list(vec![(name, vec![value])]).await.unwrap(), std::slice::from_ref(&special), "{name}");
    }
    // Both are in the default security group; values are alternatives, filters add up.
    assert_eq!(list(vec![("security-group-id", vec![&group])]).await.unwrap().len(), 2);
    let either = list(vec![("instance-state", vec!["RUNNING", "PENDING"])]).await.unwrap();
    assert_eq!(either, [plain, special]);
    let neither = list(vec![("instance-state", vec!["RUNNING"]), ("tag:role", vec!["web"])]).await.unwrap();
    assert!(neither.is_empty());
    assert!(list(vec![("tag:role", vec!["db"])]).await.unwrap().is_empty());
}

#[tokio::test]
async fn unfit_filters_are_refused() {
    let client = client();
    let list = async |filters: Value| code(client.cvm("DescribeInstances", json!({"Filters": filters})).await);
    let one = |name: &str, value: &str| json!([{"Name": name, "Values": [value]}]);
    for (filters, expected) in [
        (one("colour", "red"), "InvalidFilter"),
        (one("tag:", "red"), "InvalidFilter"),
        (one("instance-type", "SA2.MEDIUM4"), "InvalidFilter"),
        (one("vpc-id", "nonsense"), "InvalidParameterValue.VpcIdMalformed"),
        (one("subnet-id", "nonsense"), "InvalidParameterValue.SubnetIdMalformed"),
        (one("instance-id", "nonsense"), "InvalidInstanceId.Malformed"),
        (one("zone", "ap-shanghai-2"), "InvalidZone.MismatchRegion"),
        (one("private-ip-address", "10.0.0"), "InvalidParameterValue.IPAddressMalformed"),
        (json!([{"Name": "zone", "Values": ["a", "b", "c", "d", "e", "f"]}]), "InvalidFilterValue.LimitExceeded"),
        (json!(vec![json!({"Name": "instance-name", "Values": ["a"]}); 11]), "InvalidFilterValue.LimitExceeded"),
    ] {
        assert_eq!(list(filters.clone()).await, expected, "{filters}");
    }
}

#[tokio::test]
async fn regions_are_separate_worlds() {
    let guangzhou = client();
    let shanghai = guangzhou.in_region("ap-shanghai");
    let id = guangzhou.run(json!({})).await.unwrap().remove(0);
    assert_eq!(shanghai.cvm("DescribeInstances", json!({})).await.unwrap()["TotalCount"], 0);
    assert_eq!(code(shanghai.cvm("StopInstances", json!({"InstanceIds": [id]})).await), "InvalidInstanceId.NotFound");
    let zones = shanghai.cvm("DescribeZones", json!({})).await.unwrap();
    assert!(zones["ZoneSet"].as_array().unwrap().iter().all(|zone| text(&zone["Zone"]).starts_with("ap-shanghai-")));
    let regions = shanghai.cvm("DescribeRegions", json!({})).await.unwrap();
    assert_eq!(regions["TotalCount"].as_u64().unwrap(), regions["RegionSet"].as_array().unwrap().len() as u64);
}

#[tokio::test]
async fn types_and_images_can_be_looked_up() {
    let client = client();
    let filters = json!({"Filters": [{"Name": "zone", "Values": ["ap-guangzhou-3"]}]});
    let configs = client.cvm("DescribeInstanceTypeConfigs", filters.clone()).await.unwrap();
    let large = configs["InstanceTypeConfigSet"]
        .as_array()
        .unwrap()
        .iter()
        .find(|config| config["InstanceType"] == "S5.LARGE8");
    assert_eq!((&large.unwrap()["CPU"], &large.unwrap()["Memory"]), (&json!(4), &json!(8)));
    let filters = json!({"Filters": [
        {"Name": "zone", "Values": ["ap-guangzhou-3"]},
        {"Name": "instance-charge-type", "Values": ["POSTPAID_BY_HOUR"]},
        {"Name": "sort-keys", "Values": ["cpu:desc"]},
    ]});
    let items = client.cvm("DescribeZoneInstanceConfigInfos", filters).await.unwrap();
    let items = items["InstanceTypeQuotaSet"].as_array().unwrap();
    assert_eq!(items[0]["InstanceType"], "S5.4XLARGE64");
    assert!(items.iter().all(|item| item["Status"] == "SELL"));
    let ubuntu = json!({"Filters": [{"Name": "platform", "Values": ["Ubuntu"]}]});
    let images = client.cvm("DescribeImages", ubuntu).await.unwrap();
    assert_eq!(images["TotalCount"], 2);
}

//! Listing and changing load balancers.

use qcloud_emulator::MissingBalancer;
use serde_json::{Value, json};

use super::network;
use crate::client::{Client, builder, client, code, text};

fn ids(answer: &Value) -> Vec<String> {
    answer["LoadBalancerSet"].as_array().unwrap().iter().map(|balancer| text(&balancer["LoadBalancerId"])).collect()
}

#[tokio::test]
async fn the_newest_come_first_unless_asked_otherwise() {
    let client = client();
    let network = network(&client, 0).await;
    let mut made = Vec::new();
    for name in ["b", "c", "a"] {
        made.extend(client.balancers(&network.vpc, json!({"LoadBalancerName": name})).await);
    }
    let list = |parameters| client.clb("DescribeLoadBalancers", parameters);
    let newest: Vec<String> = made.iter().rev().cloned().collect();
    assert_eq!(ids(&list(json!({})).await.unwrap()), newest);
    assert_eq!(ids(&list(json!({"OrderType": 0})).await.unwrap()), made);
    let by_name = list(json!({"OrderBy": "LoadBalancerName", "OrderType": 0})).await.unwrap();
    assert_eq!(ids(&by_name), [made[2].clone(), made[0].clone(), made[1].clone()]);
    let page = list(json!({"OrderType": 0, "Offset": 1, "Limit": 1})).await.unwrap();
    assert_eq!((ids(&page), &page["TotalCount"]), (vec![made[1].clone()], &json!(3)));

    // A new one shifts the pages of the default order, not those of the ascending one.
    let before = list(json!({"Limit": 1, "Offset": 1})).await.unwrap();
    client.balancer(&network.vpc).await;
    assert_ne!(ids(&before), ids(&list(json!({"Limit": 1, "Offset": 1})).await.unwrap()));
    assert_eq!(ids(&page), ids(&list(json!({"OrderType": 0, "Offset": 1, "Limit": 1})).await.unwrap()));
}

#[tokio::test]
async fn what_is_asked_for_is_what_is_listed() {
    let client = client();
    let network = network(&client, 1).await;
    let tags = json!([{"TagKey": "owner", "TagValue": "me"}]);
    let tagged = client
        .balancers(&network.vpc, json!({"LoadBalancerName": "web-1", "Tags": tags, "MasterZoneId": "100004"}))
        .await
        .remove(0);
    let inside = json!({"LoadBalancerType": "INTERNAL", "VpcId": network.vpc, "SubnetId": network.subnet, "SlaType": "clb.c2.medium"});
    let inside = text(&client.clb_done("CreateLoadBalancer", inside).await["LoadBalancerIds"][0]);
    let prepaid = json!({"LBChargeType": "PREPAID", "LBChargePrepaid": {"Period": 1}});
    let prepaid = client.balancers(&network.vpc, prepaid).await.remove(0);
    let listener = client.listener(&tagged, "TCP", 80).await;
    let target = json!([{"InstanceId": network.instances[0], "Port": 80}]);
    client
        .clb_done("RegisterTargets", json!({"LoadBalancerId": tagged, "ListenerId": listener, "Targets": target}))
        .await;
    let group = client.vpc("CreateSecurityGroup", json!({"GroupName": "g", "GroupDescription": ""})).await.unwrap();
    let group = text(&group["SecurityGroup"]["SecurityGroupId"]);
    client
        .clb("SetLoadBalancerSecurityGroups", json!({"LoadBalancerId": inside, "SecurityGroups": [group]}))
        .await
        .unwrap();

    let (address, vip) = (client.address(&network.instances[0]).await, client.vip(&tagged).await);
    let filter = |name: &str, value: &str| json!({"Filters": [{"Name": name, "Values": ["none", value]}]});
    let cases = [
        (json!({"LoadBalancerIds": [tagged, "lb-00000000"]}), vec![&tagged]),
        (json!({"LoadBalancerType": "INTERNAL"}), vec![&inside]),
        (json!({"LoadBalancerName": "web"}), vec![&tagged]),
        (json!({"LoadBalancerVips": [vip]}), vec![&tagged]),
        (json!({"SearchKey": &prepaid[3..]}), vec![&prepaid]),
        (json!({"BackendPrivateIps": [address]}), vec![&tagged]),
        (json!({"WithRs": 1}), vec![&tagged]),
        (json!({"WithRs": 0}), vec![&prepaid, &inside]),
        (json!({"VpcId": "vpc-00000000"}), vec![]),
        (json!({"SecurityGroup": group}), vec![&inside]),
        (json!({"MasterZone": "ap-guangzhou-4"}), vec![&tagged]),
        (json!({"Forward": 0}), vec![]),
        (json!({"ProjectId": 7}), vec![]),
        (filter("charge-type", "PREPAID"), vec![&prepaid]),
        (filter("internet-charge-type", "TRAFFIC_POSTPAID_BY_HOUR"), vec![&prepaid, &tagged]),
        (filter("master-zone-id", "100004"), vec![&tagged]),
        (filter("tag-key", "owner"), vec![&tagged]),
        (filter("tag:owner", "me"), vec![&tagged]),
        (filter("tag:owner", "you"), vec![]),
        (filter("vip-isp", "INTERNAL"), vec![&inside]),
        (filter("sla-type", "clb.c2.medium"), vec![&inside]),
        (filter("exclusive", "1"), vec![]),
    ];
    for (parameters, expected) in cases {
        let answer = client.clb("DescribeLoadBalancers", parameters.clone()).await.unwrap();
        assert_eq!(ids(&answer).iter().collect::<Vec<_>>(), expected, "{parameters}");
    }
    let counted =
        client.clb("DescribeLoadBalancers", json!({"AdditionalFields": ["TargetCount"], "WithRs": 1})).await.unwrap();
    assert_eq!(counted["LoadBalancerSet"][0]["TargetCount"], 1);
    assert_eq!(client.shown(&prepaid).await.unwrap()["ExpireTime"], "2026-02-02 11:04:11");
}

#[tokio::test]
async fn lists_have_limits() {
    let client = client();
    let many: Vec<String> = (0..21).map(|number| format!("lb-000000{number:02}")).collect();
    let values: Vec<String> = (0..101).map(|number| number.to_string()).collect();
    let cases = [
        (json!({"LoadBalancerIds": many}), "InvalidParameterValue.Length"),
        (json!({"LoadBalancerIds": ["lb-1"]}), "InvalidParameter.FormatError"),
        (json!({"Limit": 101}), "InvalidParameterValue.Range"),
        (json!({"Offset": -1}), "InvalidParameterValue.Range"),
        (json!({"OrderType": 2}), "InvalidParameterValue"),
        (json!({"OrderBy": "Age"}), "InvalidParameterValue"),
        (json!({"AdditionalFields": ["Age"]}), "InvalidParameterValue"),
        (json!({"Filters": [{"Name": "age", "Values": ["1"]}]}), "InvalidParameterValue.InvalidFilter"),
        (json!({"Filters": [{"Name": "tag-key", "Values": values}]}), "InvalidParameterValue.Length"),
    ];
    for (parameters, expected) in cases {
        assert_eq!(code(client.clb("DescribeLoadBalancers", parameters.clone()).await), expected, "{parameters}");
    }
}

#[tokio::test]
async fn attributes_change_when_the_task_ends() {
    let client = client();
    let network = network(&client, 0).await;
    let (one, other) = (client.balancer(&network.vpc).await, client.balancer(&network.vpc).await);
    let modify = |id: &str, name: &str, value: Value| {
        client.clb("ModifyLoadBalancerAttributes", json!({"LoadBalancerId": id, name: value}))
    };
    modify(&one, "LoadBalancerName", json!("renamed")).await.unwrap();
    assert_eq!(client.shown(&one).await.unwrap()["LoadBalancerName"], one);
    client.pass(1);
    assert_eq!(client.shown(&one).await.unwrap()["LoadBalancerName"], "renamed");
    assert_eq!(code(modify(&other, "LoadBalancerName", json!("renamed")).await), "InvalidParameterValue.Duplicate");
    assert_eq!(code(modify(&other, "LoadBalancerName", json!("")).await), "InvalidParameterValue.Length");
    assert_eq!(code(modify("lb-00000000", "DeleteProtect", json!(true)).await), "InvalidParameter.LBIdNotFound");
    let region = json!({"Region": "mars", "VpcId": network.vpc});
    assert_eq!(code(modify(&one, "TargetRegionInfo", region).await), "InvalidParameter.RegionNotFound");
    let changes = [
        ("LoadBalancerPassToTarget", json!(true), "LoadBalancerPassToTarget", json!(true)),
        ("SnatPro", json!(true), "SnatPro", json!(true)),
        ("DeleteProtect", json!(true), "AttributeFlags", json!(["DeleteProtect"])),
        ("DeleteProtect", json!(false), "AttributeFlags", json!([])),
    ];
    for (name, value, shown, expected) in changes {
        modify(&one, name, value).await.unwrap();
        client.pass(1);
        assert_eq!(client.shown(&one).await.unwrap()[shown], expected, "{name}");
    }
    modify(&one, "InternetChargeInfo", json!({"InternetMaxBandwidthOut": 50})).await.unwrap();
    client.pass(1);
    let shown = client.shown(&one).await.unwrap();
    assert_eq!(shown["NetworkAttributes"]["InternetMaxBandwidthOut"], 50);
    assert_eq!(shown["NetworkAttributes"]["InternetChargeType"], "TRAFFIC_POSTPAID_BY_HOUR");
}

#[tokio::test]
async fn security_groups_are_replaced_added_and_taken_away() {
    let client = client();
    let network = network(&client, 0).await;
    let balancers = client.balancers(&network.vpc, json!({"Number": 2})).await;
    let mut groups = Vec::new();
    for name in ["a", "b"] {
        let group =
            client.vpc("CreateSecurityGroup", json!({"GroupName": name, "GroupDescription": ""})).await.unwrap();
        groups.push(text(&group["SecurityGroup"]["SecurityGroupId"]));
    }
    let set = |groups: Value| {
        client.clb("SetLoadBalancerSecurityGroups", json!({"LoadBalancerId": balancers[0], "SecurityGroups": groups}))
    };
    set(json!(groups)).await.unwrap();
    assert_eq!(client.shown(&balancers[0]).await.unwrap()["SecureGroups"], json!(groups));
    assert_eq!(code(client.vpc("DeleteSecurityGroup", json!({"SecurityGroupId": groups[0]})).await), "ResourceInUse");
    set(json!([groups[1]])).await.unwrap();
    assert_eq!(client.shown(&balancers[0]).await.unwrap()["SecureGroups"], json!([groups[1]]));
    assert_eq!(code(set(json!(["sg-00000000"])).await), "InvalidParameterValue");
    assert_eq!(code(set(json!(vec![&groups[0]; 51])).await), "InvalidParameterValue.Length");
    let one =
        |operation: &str| json!({"SecurityGroup": groups[0], "OperationType": operation, "LoadBalancerIds": balancers});
    client.clb("SetSecurityGroupForLoadbalancers", one("ADD")).await.unwrap();
    assert_eq!(client.shown(&balancers[1]).await.unwrap()["SecureGroups"], json!([groups[0]]));
    client.clb("SetSecurityGroupForLoadbalancers", one("DEL")).await.unwrap();
    assert_eq!(client.shown(&balancers[0]).await.unwrap()["SecureGroups"], json!([groups[1]]));
    set(Value::Null).await.unwrap();
    assert_eq!(client.shown(&balancers[0]).await.unwrap()["SecureGroups"], json!([]));
}

#[tokio::test]
async fn not_found_is_said_in_the_way_that_the_knob_says() {
    let own = "InvalidParameter.LBIdNotFound";
    let cases = [
        (MissingBalancer::ByAction, own, "InvalidParameter"),
        (MissingBalancer::OwnCode, own, own),
        (MissingBalancer::Plain, "InvalidParameter", "InvalidParameter"),
    ];
    for (knob, listed, unlisted) in cases {
        let client = Client::of(builder().missing_balancer(knob));
        let gone = json!({"LoadBalancerId": "lb-00000000"});
        assert_eq!(code(client.clb("DescribeListeners", gone.clone()).await), listed, "{knob:?}");
        let refusal = client.clb("DescribeTargets", gone).await.unwrap_err();
        assert_eq!(refusal.code, unlisted, "{knob:?}");
        assert!(refusal.message.contains("LoadBalancer not exist"), "{}", refusal.message);
    }
}

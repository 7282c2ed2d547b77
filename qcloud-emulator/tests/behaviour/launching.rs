//! `RunInstances`: what it makes, and what it refuses.

use std::collections::BTreeSet;

use qcloud_emulator::Quota;
use serde_json::{Value, json};

use crate::client::{Client, builder, client, code, text};

#[tokio::test]
async fn an_instance_has_what_was_ordered() {
    let client = client();
    let (vpc, subnet) = client.network().await;
    let group = client.vpc("CreateSecurityGroup", json!({"GroupName": "g", "GroupDescription": "d"})).await.unwrap();
    let group = text(&group["SecurityGroup"]["SecurityGroupId"]);
    let order = json!({
        "Placement": {"Zone": "ap-guangzhou-3", "ProjectId": 3},
        "InstanceType": "S5.LARGE8",
        "SystemDisk": {"DiskType": "CLOUD_SSD", "DiskSize": 60},
        "DataDisks": [{"DiskType": "CLOUD_HSSD", "DiskSize": 100, "DeleteWithInstance": false}],
        "VirtualPrivateCloud": {"VpcId": vpc, "SubnetId": subnet, "PrivateIpAddresses": ["10.0.1.77"]},
        "InternetAccessible": {"InternetChargeType": "BANDWIDTH_POSTPAID_BY_HOUR", "InternetMaxBandwidthOut": 5, "PublicIpAssigned": true},
        "InstanceName": "node",
        "HostName": "node-{IP}",
        "SecurityGroupIds": [group],
        "TagSpecification": [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}],
        "CamRoleName": "role",
        "LoginSettings": {"Password": "secret"},
    });
    let id = client.run(order).await.unwrap().remove(0);
    let shown = client.instance(&id).await.unwrap();
    assert_eq!(shown["Placement"], json!({"Zone": "ap-guangzhou-3", "ProjectId": 3, "HostId": ""}));
    assert_eq!((&shown["CPU"], &shown["Memory"]), (&json!(4), &json!(8)));
    assert_eq!((&shown["SystemDisk"]["DiskType"], &shown["SystemDisk"]["DiskSize"]), (&json!("CLOUD_SSD"), &json!(60)));
    assert_eq!(
        (&shown["DataDisks"][0]["DiskSize"], &shown["DataDisks"][0]["DeleteWithInstance"]),
        (&json!(100), &json!(false))
    );
    assert_eq!(shown["PrivateIpAddresses"], json!(["10.0.1.77"]));
    assert_eq!(shown["HostName"], "node-10.0.1.77");
    assert_eq!(shown["PublicIpAddresses"].as_array().unwrap().len(), 1);
    assert_eq!(shown["SecurityGroupIds"], json!([group]));
    assert_eq!(shown["Tags"], json!([{"Key": "a", "Value": "b"}]));
    assert_eq!((&shown["CamRoleName"], &shown["OsName"]), (&json!("role"), &json!("Ubuntu Server 22.04 LTS 64bit")));
    assert_eq!(shown["CreatedTime"], "2026-01-02T03:04:05Z");
    assert_eq!(shown["ExpiredTime"], Value::Null);
    assert!(!shown.to_string().contains("secret"));
}

#[tokio::test]
async fn without_a_network_the_default_one_is_used() {
    let client = client();
    assert_eq!(client.vpc("DescribeVpcs", json!({})).await.unwrap()["TotalCount"], 0);
    let ids = client.run(json!({"InstanceCount": 2})).await.unwrap();
    client.run(json!({"Placement": {"Zone": "ap-guangzhou-4"}})).await.unwrap();
    let vpcs = client.vpc("DescribeVpcs", json!({})).await.unwrap();
    assert_eq!((vpcs["TotalCount"].as_u64(), &vpcs["VpcSet"][0]["IsDefault"]), (Some(1), &json!(true)));
    assert_eq!(client.vpc("DescribeSubnets", json!({})).await.unwrap()["TotalCount"], 2);
    let groups = client.vpc("DescribeSecurityGroups", json!({})).await.unwrap();
    assert_eq!((groups["TotalCount"].as_u64(), &groups["SecurityGroupSet"][0]["IsDefault"]), (Some(1), &json!(true)));
    let mut addresses = BTreeSet::new();
    for id in ids {
        addresses.insert(text(&client.instance(&id).await.unwrap()["PrivateIpAddresses"][0]));
    }
    assert_eq!(addresses.len(), 2);
}

#[tokio::test]
async fn several_instances_get_numbered_names() {
    let client = client();
    let names = async |name: &str| {
        let mut names = Vec::new();
        for id in client.run(json!({"InstanceCount": 3, "InstanceName": name})).await.unwrap() {
            names.push(text(&client.instance(&id).await.unwrap()["InstanceName"]));
        }
        names
    };
    assert_eq!(names("web-{R:8}").await, ["web-8", "web-9", "web-10"]);
    assert_eq!(names("web-{R:8,F:3}").await, ["web-008", "web-009", "web-010"]);
    assert_eq!(names("db").await, ["db1", "db2", "db3"]);
}

#[tokio::test]
async fn a_client_token_makes_instances_once() {
    let client = client();
    let order = json!({"InstanceCount": 2, "ClientToken": "abc"});
    let first = client.run(order.clone()).await.unwrap();
    assert_eq!(client.run(order.clone()).await.unwrap(), first);
    let other = json!({"InstanceCount": 3, "ClientToken": "abc"});
    assert_eq!(code(client.run(other).await), "InvalidParameter.ParameterConflict");
    assert_eq!(code(client.run(json!({"ClientToken": "x".repeat(65)})).await), "InvalidClientToken.TooLong");
    assert_eq!(client.cvm("DescribeInstances", json!({})).await.unwrap()["TotalCount"], 2);
    client.pass(24 * 3600);
    assert_ne!(client.run(order).await.unwrap(), first);
}

#[tokio::test]
async fn a_dry_run_checks_and_makes_nothing() {
    let client = client();
    assert!(client.run(json!({"DryRun": true})).await.unwrap().is_empty());
    assert_eq!(
        code(client.run(json!({"DryRun": true, "InstanceType": "X.HUGE"})).await),
        "InvalidParameterValue.InstanceTypeNotFound"
    );
    assert_eq!(client.cvm("DescribeInstances", json!({})).await.unwrap()["TotalCount"], 0);
}

#[tokio::test]
async fn unfit_orders_are_refused() {
    let client = client();
    let (vpc, subnet) = client.network().await;
    let (other, _) = client.network().await;
    let network = |vpc: &str, subnet: &str| json!({"VirtualPrivateCloud": {"VpcId": vpc, "SubnetId": subnet}});
    let addresses = |addresses: Value| json!({"VirtualPrivateCloud": {"VpcId": vpc, "SubnetId": subnet, "PrivateIpAddresses": addresses}});
    let mut elsewhere = network(&vpc, &subnet);
    elsewhere["Placement"] = json!({"Zone": "ap-guangzhou-4"});
    for (order, expected) in [
        (json!({"Placement": null}), "MissingParameter"),
        (json!({"Placement": {}}), "MissingParameter"),
        (json!({"ImageId": null}), "MissingParameter"),
        (json!({"Placement": {"Zone": "ap-shanghai-2"}}), "InvalidZone.MismatchRegion"),
        (json!({"ImageId": "img-1"}), "InvalidImageId.Malformed"),
        (json!({"ImageId": "img-00000000"}), "InvalidImageId.NotFound"),
        (json!({"InstanceType": "X.HUGE"}), "InvalidParameterValue.InstanceTypeNotFound"),
        (json!({"InstanceCount": 0}), "InvalidParameterValue.Range"),
        (json!({"InstanceCount": 501}), "InvalidParameterValue.Range"),
        (json!({"InstanceCount": 2, "MinCount": 3}), "InvalidParameterValue.Range"),
        (json!({"InstanceChargeType": "PREPAID"}), "MissingParameter"),
        (json!({"InstanceChargeType": "PREPAID", "InstanceChargePrepaid": {"Period": 13}}), "InvalidPeriod"),
        (json!({"InstanceChargeType": "FREE"}), "InvalidParameterValue"),
        (json!({"InstanceName": "x".repeat(129)}), "InvalidInstanceName.TooLong"),
        (json!({"SystemDisk": {"DiskSize": 5}}), "InvalidParameterValue.Range"),
        (json!({"DataDisks": [{"DiskType": "CLOUD_SSD"}]}), "MissingParameter"),
        (json!({"SecurityGroupIds": ["sg-00000000"]}), "InvalidSecurityGroupId.NotFound"),
        (json!({"SecurityGroupIds": ["group"]}), "InvalidSgId.Malformed"),
        (json!({"TagSpecification": [{"ResourceType": "disk", "Tags": []}]}), "InvalidParameterValue"),
        (network("vpc", &subnet), "InvalidParameterValue.VpcIdMalformed"),
        (network(&vpc, "subnet"), "InvalidParameterValue.SubnetIdMalformed"),
        (network("vpc-00000000", &subnet), "InvalidParameterValue.VpcIdNotExist"),
        (network(&vpc, "subnet-00000000"), "InvalidParameterValue.SubnetNotExist"),
        (network(&other, &subnet), "InvalidParameterValue.VpcIdSubnetIdNotMatch"),
        (elsewhere, "InvalidParameterValue.SubnetIdZoneIdNotMatch"),
        (addresses(json!(["10.0.1"])), "InvalidParameterValue.IPAddressMalformed"),
        (addresses(json!(["10.0.2.9"])), "VpcAddrNotInSubNet"),
        (addresses(json!(["10.0.1.1"])), "VpcAddrNotInSubNet"),
        (addresses(json!(["10.0.1.8", "10.0.1.9"])), "InvalidParameterValue"),
    ] {
        assert_eq!(code(client.run(order.clone()).await), expected, "{order}");
    }
    client.run(addresses(json!(["10.0.1.8"]))).await.unwrap();
    assert_eq!(code(client.run(addresses(json!(["10.0.1.8"]))).await), "VpcIpIsUsed");
}

#[tokio::test]
async fn sold_out_and_quotas() {
    let sold_out =
        builder().sold_out_zone("ap-guangzhou-4").sold_out_type("S5.LARGE8").quota(Quota::InstancesPerZone, 3);
    let client = Client::of(sold_out);
    let elsewhere = json!({"Placement": {"Zone": "ap-guangzhou-4"}});
    assert_eq!(code(client.run(elsewhere).await), "ResourceInsufficient.AvailabilityZoneSoldOut");
    assert_eq!(code(client.run(json!({"InstanceType": "S5.LARGE8"})).await), "ResourcesSoldOut.SpecifiedInstanceType");
    assert_eq!(code(client.run(json!({"InstanceCount": 4})).await), "LimitExceeded.CvmInstanceQuota");
    // As many as there is room for, when that is enough.
    assert_eq!(client.run(json!({"InstanceCount": 4, "MinCount": 2})).await.unwrap().len(), 3);
    assert_eq!(code(client.run(json!({})).await), "LimitExceeded.CvmInstanceQuota");
    let filters = json!({"Filters": [{"Name": "instance-type", "Values": ["S5.LARGE8"]}]});
    let items = client.cvm("DescribeZoneInstanceConfigInfos", filters).await.unwrap();
    let items = items["InstanceTypeQuotaSet"].as_array().unwrap();
    assert!(items.iter().all(|item| item["Status"] == "SOLD_OUT"));
}

#[tokio::test]
async fn a_subnet_runs_out_of_addresses_and_gets_them_back() {
    let client = client();
    let (vpc, _) = client.network().await;
    // Sixteen addresses, three of them nobody's.
    let subnet = client.subnet(&vpc, "10.0.2.0/28").await.unwrap();
    let order =
        |count: usize| json!({"InstanceCount": count, "VirtualPrivateCloud": {"VpcId": vpc, "SubnetId": subnet}});
    let free = async || {
        let subnets = client.vpc("DescribeSubnets", json!({"SubnetIds": [subnet]})).await.unwrap();
        subnets["SubnetSet"][0]["AvailableIpAddressCount"].as_u64().unwrap()
    };
    assert_eq!(free().await, 13);
    let ids = client.run(order(10)).await.unwrap();
    assert_eq!(free().await, 3);
    assert_eq!(code(client.run(order(4)).await), "FailedOperation.NoAvailableIpAddressCountInSubnet");
    client.run(order(3)).await.unwrap();
    assert_eq!(code(client.run(order(1)).await), "FailedOperation.NoAvailableIpAddressCountInSubnet");
    client.pass(2);
    client.cvm("TerminateInstances", json!({"InstanceIds": ids})).await.unwrap();
    // They are given back when the instances are gone, not before.
    assert_eq!(free().await, 0);
    client.pass(1);
    assert_eq!(free().await, 10);
    client.run(order(10)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_at_once_do_not_get_in_each_others_way() {
    let client = client();
    let network = client.network().await;
    let mut calls = Vec::new();
    for _ in 0..40 {
        let (client, network) = (client.clone(), network.clone());
        calls.push(tokio::spawn(async move {
            let order = json!({"InstanceCount": 5, "VirtualPrivateCloud": {"VpcId": network.0, "SubnetId": network.1}});
            client.run(order).await.unwrap()
        }));
    }
    let mut ids = BTreeSet::new();
    for call in calls {
        ids.extend(call.await.unwrap());
    }
    assert_eq!(ids.len(), 200);
    let mut addresses = BTreeSet::new();
    for offset in [0, 100] {
        let page = client.cvm("DescribeInstances", json!({"Offset": offset, "Limit": 100})).await.unwrap();
        assert_eq!(page["TotalCount"], 200);
        addresses.extend(
            page["InstanceSet"].as_array().unwrap().iter().map(|instance| text(&instance["PrivateIpAddresses"][0])),
        );
    }
    assert_eq!(addresses.len(), 200);
}

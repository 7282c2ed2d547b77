//! VPCs and subnets.

use qcloud_emulator::{Quota, UnknownFilters, UnknownIds};
use serde_json::{Value, json};

use crate::client::{Client, builder, client, code, text};

#[tokio::test]
async fn a_vpc_is_made_listed_changed_and_deleted() {
    let client = client();
    let tags = json!([{"Key": "env", "Value": "test"}]);
    let made =
        client.vpc("CreateVpc", json!({"VpcName": "one", "CidrBlock": "172.16.0.0/16", "Tags": tags})).await.unwrap();
    let id = text(&made["Vpc"]["VpcId"]);
    assert_eq!((&made["Vpc"]["CidrBlock"], &made["Vpc"]["IsDefault"]), (&json!("172.16.0.0/16"), &json!(false)));
    assert_eq!(made["Vpc"]["CreatedTime"], "2026-01-02 11:04:05");
    client.vpc("CreateVpc", json!({"VpcName": "two", "CidrBlock": "10.0.0.0/12"})).await.unwrap();
    for filter in [
        ("vpc-id", id.as_str()),
        ("vpc-name", "on"),
        ("cidr-block", "172.16.0.0"),
        ("tag:env", "test"),
        ("tag-key", "env"),
    ] {
        let filters = json!({"Filters": [{"Name": filter.0, "Values": [filter.1]}]});
        let list = client.vpc("DescribeVpcs", filters).await.unwrap();
        assert_eq!(
            (list["TotalCount"].as_u64(), text(&list["VpcSet"][0]["VpcId"])),
            (Some(1), id.clone()),
            "{filter:?}"
        );
    }
    let change = json!({"VpcId": id, "VpcName": "new", "EnableMulticast": "true", "DnsServers": ["10.0.0.1"]});
    client.vpc("ModifyVpcAttribute", change).await.unwrap();
    let list = client.vpc("DescribeVpcs", json!({"VpcIds": [id]})).await.unwrap();
    let vpc = &list["VpcSet"][0];
    assert_eq!(
        (&vpc["VpcName"], &vpc["EnableMulticast"], &vpc["DnsServerSet"]),
        (&json!("new"), &json!(true), &json!(["10.0.0.1"]))
    );
    client.vpc("DeleteVpc", json!({"VpcId": id})).await.unwrap();
    assert_eq!(code(client.vpc("DeleteVpc", json!({"VpcId": id})).await), "ResourceNotFound");
    assert_eq!(client.vpc("DescribeRouteTables", json!({})).await.unwrap()["TotalCount"], 1);
}

#[tokio::test]
async fn networks_have_to_fit() {
    let client = client();
    let make = async |cidr: &str| code(client.vpc("CreateVpc", json!({"VpcName": "x", "CidrBlock": cidr})).await);
    assert_eq!(make("10.0.0.0").await, "InvalidParameterValue.Malformed");
    assert_eq!(make("10.0.0.1/16").await, "InvalidParameterValue.Malformed");
    for outside in ["8.8.0.0/16", "10.0.0.0/8", "10.0.0.0/29", "192.168.0.0/15", "172.32.0.0/16"] {
        assert_ne!(make(outside).await, "", "{outside}");
    }
    assert_eq!(code(client.vpc("CreateVpc", json!({"VpcName": "x"})).await), "MissingParameter");
    assert_eq!(
        code(client.vpc("CreateVpc", json!({"VpcName": "", "CidrBlock": "10.0.0.0/16"})).await),
        "InvalidParameterValue.Empty"
    );
    let (vpc, subnet) = client.network().await;
    for (cidr, expected) in [
        ("10.1.0.0/24", "InvalidParameterValue.SubnetRange"),
        ("10.0.0.0/29", "InvalidParameterValue.SubnetRange"),
        ("10.0.1.128/25", "InvalidParameterValue.SubnetConflict"),
        ("10.0.0.0/16", "InvalidParameterValue.SubnetConflict"),
        ("10.0.3.4/24", "InvalidParameterValue.Malformed"),
    ] {
        let refusal = client.subnet(&vpc, cidr).await.unwrap_err();
        assert_eq!(refusal.code, expected, "{cidr}");
        assert!(expected != "InvalidParameterValue.SubnetConflict" || refusal.message.contains(&subnet));
    }
    assert_eq!(code(client.subnet("vpc-00000000", "10.0.5.0/24").await), "ResourceNotFound");
    assert_eq!(code(client.subnet("vpc", "10.0.5.0/24").await), "InvalidParameterValue.Malformed");
    let elsewhere = json!({"VpcId": vpc, "SubnetName": "s", "Zone": "ap-shanghai-2", "CidrBlock": "10.0.5.0/24"});
    assert_eq!(code(client.vpc("CreateSubnet", elsewhere).await), "InvalidParameterValue");
}

#[tokio::test]
async fn subnets_are_listed_by_pages_of_strings_or_tokens() {
    let client = client();
    let (vpc, _) = client.network().await;
    for number in 2..30 {
        client.subnet(&vpc, &format!("10.0.{number}.0/24")).await.unwrap();
    }
    let count = |answer: &Value| answer["SubnetSet"].as_array().unwrap().len();
    let page = client.vpc("DescribeSubnets", json!({"Offset": "20", "Limit": "20"})).await.unwrap();
    assert_eq!((page["TotalCount"].as_u64(), count(&page)), (Some(29), 9));
    assert_eq!(count(&client.vpc("DescribeSubnets", json!({})).await.unwrap()), 20);
    for page in [json!({"Limit": "101"}), json!({"Limit": "x"}), json!({"Offset": "-1"})] {
        assert_eq!(code(client.vpc("DescribeSubnets", page).await), "InvalidParameterValue.Range");
    }
    let (mut token, mut seen) = (String::new(), 0);
    loop {
        let page = client.vpc("DescribeSubnets", json!({"MaxResults": 10, "NextToken": token})).await.unwrap();
        seen += count(&page);
        token = text(&page["NextToken"]);
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, 29);
    let both = json!({"SubnetIds": ["subnet-00000000"], "Filters": [{"Name": "vpc-id", "Values": [vpc]}]});
    assert_eq!(code(client.vpc("DescribeSubnets", both).await), "InvalidParameter.Coexist");
    let unknown = json!({"Filters": [{"Name": "colour", "Values": ["red"]}]});
    assert_eq!(code(client.vpc("DescribeSubnets", unknown).await), "InvalidParameter.FilterInvalidKey");
}

#[tokio::test]
async fn unknown_ids_are_omitted_or_refused() {
    let parameters = json!({"VpcIds": ["vpc-00000000"]});
    let omitting = client().vpc("DescribeVpcs", parameters.clone()).await.unwrap();
    assert_eq!((&omitting["TotalCount"], &omitting["VpcSet"]), (&json!(0), &json!([])));
    let refusing = Client::of(builder().unknown_ids(UnknownIds::Refuse));
    assert_eq!(code(refusing.vpc("DescribeVpcs", parameters).await), "ResourceNotFound");
}

#[tokio::test]
async fn unknown_filters_are_refused_or_ignored() {
    let parameters = json!({"Filters": [{"Name": "route-table-id", "Values": ["rtb-00000000"]}]});
    let refusing = client();
    assert_eq!(code(refusing.vpc("DescribeSubnets", parameters.clone()).await), "InvalidParameter.FilterInvalidKey");
    let ignoring = Client::of(builder().unknown_filters(UnknownFilters::Ignore));
    let (vpc, _) = ignoring.network().await;
    assert_eq!(ignoring.vpc("DescribeSubnets", parameters).await.unwrap()["TotalCount"], 1);
    for (cdc, count) in [("0", 1), ("1", 0)] {
        let filters = json!([
            {"Name": "route-table-id", "Values": ["rtb-00000000"]}, {"Name": "vpc-id", "Values": [vpc]},
            {"Name": "is-cdc-subnet", "Values": [cdc]},
        ]);
        let listed = ignoring.vpc("DescribeSubnets", json!({"Filters": filters})).await.unwrap();
        assert_eq!(listed["TotalCount"], count, "what is known still filters");
    }
}

#[tokio::test]
async fn several_subnets_are_made_together_or_not_at_all() {
    let client = client();
    let (vpc, _) = client.network().await;
    let subnet = |cidr: &str| json!({"CidrBlock": cidr, "SubnetName": "s", "Zone": "ap-guangzhou-3"});
    let clash = json!({"VpcId": vpc, "Subnets": [subnet("10.0.8.0/24"), subnet("10.0.8.0/25")]});
    assert_eq!(code(client.vpc("CreateSubnets", clash).await), "InvalidParameterValue.SubnetConflict");
    assert_eq!(client.vpc("DescribeSubnets", json!({})).await.unwrap()["TotalCount"], 1);
    let good = json!({"VpcId": vpc, "Subnets": [subnet("10.0.8.0/24"), subnet("10.0.9.0/24")]});
    let made = client.vpc("CreateSubnets", good).await.unwrap();
    assert_eq!(made["SubnetSet"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn nothing_in_use_can_be_deleted() {
    let client = client();
    let (vpc, subnet) = client.network().await;
    let id = client.running(&(vpc.clone(), subnet.clone()), 1).await.remove(0);
    let refusal = client.vpc("DeleteSubnet", json!({"SubnetId": subnet})).await.unwrap_err();
    assert_eq!(refusal.code, "ResourceInUse");
    assert!(refusal.message.contains(&id));
    let used = client.vpc("DescribeUsedIpAddress", json!({"VpcId": vpc})).await.unwrap();
    assert_eq!(
        (&used["IpAddressStates"][0]["ResourceId"], &used["IpAddressStates"][0]["ResourceType"]),
        (&json!(id), &json!("CVM"))
    );
    assert_eq!(code(client.vpc("DeleteVpc", json!({"VpcId": vpc})).await), "ResourceInUse");
    client.cvm("TerminateInstances", json!({"InstanceIds": [id]})).await.unwrap();
    client.pass(1);
    client.vpc("DeleteSubnet", json!({"SubnetId": subnet})).await.unwrap();
    let table = client.vpc("CreateRouteTable", json!({"VpcId": vpc, "RouteTableName": "t"})).await.unwrap();
    assert_eq!(code(client.vpc("DeleteVpc", json!({"VpcId": vpc})).await), "ResourceInUse");
    let table = text(&table["RouteTable"]["RouteTableId"]);
    client.vpc("DeleteRouteTable", json!({"RouteTableId": table})).await.unwrap();
    client.vpc("DeleteVpc", json!({"VpcId": vpc})).await.unwrap();
}

#[tokio::test]
async fn quotas_hold_and_can_be_asked_for() {
    let client = Client::of(builder().quota(Quota::VpcsPerRegion, 2).quota(Quota::SubnetsPerVpc, 1));
    let (vpc, _) = client.network().await;
    client.network().await;
    let third = client.vpc("CreateVpc", json!({"VpcName": "x", "CidrBlock": "10.0.0.0/16"})).await;
    assert_eq!(code(third), "LimitExceeded");
    assert_eq!(code(client.subnet(&vpc, "10.0.9.0/24").await), "LimitExceeded");
    let names = json!({"LimitTypes": ["appid-max-vpcs", "vpc-max-subnets", "route-table-max-policies"]});
    let limits = client.vpc("DescribeVpcLimits", names).await.unwrap();
    let values: Vec<u64> =
        limits["VpcLimitSet"].as_array().unwrap().iter().map(|limit| limit["LimitValue"].as_u64().unwrap()).collect();
    assert_eq!(values, [2, 1, 50]);
    assert_eq!(code(client.vpc("DescribeVpcLimits", json!({"LimitTypes": ["beer"]})).await), "InvalidParameterValue");
}

#[tokio::test]
async fn the_default_network_is_made_once() {
    let client = client();
    let first = client.vpc("CreateDefaultVpc", json!({"Zone": "ap-guangzhou-3"})).await.unwrap();
    let again = client.vpc("CreateDefaultVpc", json!({"Zone": "ap-guangzhou-3"})).await.unwrap();
    assert_eq!(first["Vpc"], again["Vpc"]);
    assert_eq!(code(client.vpc("CreateDefaultVpc", json!({"Zone": "nowhere"})).await), "InvalidParameterValue");
}

//! CCNs: VPCs of several regions joined, and the routes between them.

use qcloud_emulator::Quota;
use serde_json::{Value, json};

use crate::client::{Client, builder, client, code, text};

async fn ccn(client: &Client) -> String {
    let made = client.vpc("CreateCcn", json!({"CcnName": "ccn", "QosLevel": "AU"})).await.unwrap();
    assert_eq!(made["Ccn"]["State"], "AVAILABLE");
    text(&made["Ccn"]["CcnId"])
}

/// A VPC with one subnet: its id.
async fn vpc(client: &Client, zone: &str, network: &str, subnet: &str) -> String {
    let made = client.vpc("CreateVpc", json!({"VpcName": "v", "CidrBlock": network})).await.unwrap();
    let id = text(&made["Vpc"]["VpcId"]);
    let subnet = json!({"VpcId": id, "SubnetName": "s", "Zone": zone, "CidrBlock": subnet});
    client.vpc("CreateSubnet", subnet).await.unwrap();
    id
}

fn instances(ccn: &str, vpc: &str, region: &str) -> Value {
    json!({"CcnId": ccn, "Instances": [{"InstanceId": vpc, "InstanceRegion": region, "InstanceType": "VPC"}]})
}

async fn attach(client: &Client, ccn: &str, vpc: &str, region: &str) {
    client.vpc("AttachCcnInstances", instances(ccn, vpc, region)).await.unwrap();
    client.pass(1);
}

async fn routes(client: &Client, ccn: &str) -> Vec<Value> {
    let list = client.vpc("DescribeCcnRoutes", json!({"CcnId": ccn})).await.unwrap();
    list["RouteSet"].as_array().unwrap().clone()
}

#[tokio::test]
async fn vpcs_of_two_regions_learn_of_each_other() {
    let client = client();
    let shanghai = client.in_region("ap-shanghai");
    let here = vpc(&client, "ap-guangzhou-3", "10.1.0.0/16", "10.1.1.0/24").await;
    let there = vpc(&shanghai, "ap-shanghai-2", "10.2.0.0/16", "10.2.1.0/24").await;
    let id = ccn(&client).await;
    client.vpc("AttachCcnInstances", instances(&id, &here, "ap-guangzhou")).await.unwrap();
    let attached = async || client.vpc("DescribeCcnAttachedInstances", json!({"CcnId": id})).await.unwrap();
    let first = attached().await["InstanceSet"][0].clone();
    assert_eq!((&first["State"], &first["CidrBlock"]), (&json!("ATTACHING"), &json!(["10.1.0.0/16"])));
    assert!(routes(&client, &id).await.is_empty(), "not before it is active");
    client.pass(1);
    assert_eq!(attached().await["InstanceSet"][0]["State"], "ACTIVE");
    attach(&shanghai, &id, &there, "ap-shanghai").await;
    let known = routes(&shanghai, &id).await;
    let destinations: Vec<&Value> = known.iter().map(|route| &route["DestinationCidrBlock"]).collect();
    assert_eq!(destinations, [&json!("10.1.1.0/24"), &json!("10.2.1.0/24")]);
    assert!(known.iter().all(|route| route["Enabled"] == true));
    assert_eq!(known[1]["InstanceRegion"], "ap-shanghai");
    // A new subnet is known at once, and keeps the ids of the others.
    let subnet = json!({"VpcId": here, "SubnetName": "s", "Zone": "ap-guangzhou-3", "CidrBlock": "10.1.2.0/24"});
    client.vpc("CreateSubnet", subnet).await.unwrap();
    let more = routes(&client, &id).await;
    assert_eq!((more.len(), &more[0]["RouteId"]), (3, &known[0]["RouteId"]));

    assert_eq!(
        code(client.vpc("AttachCcnInstances", instances(&id, &here, "ap-guangzhou")).await),
        "UnsupportedOperation.CcnAttached"
    );
    assert_eq!(code(client.vpc("DeleteVpc", json!({"VpcId": here})).await), "ResourceInUse");
    assert_eq!(
        code(client.vpc("DeleteCcn", json!({"CcnId": id})).await),
        "UnsupportedOperation.ExistCcnInstancesNotSupportDeleteCcn"
    );
    let list = shanghai.vpc("DescribeCcns", json!({"CcnIds": [id]})).await.unwrap();
    assert_eq!(list["CcnSet"][0]["InstanceCount"], 2, "the same CCN in every region");
    for (vpc, region) in [(&here, "ap-guangzhou"), (&there, "ap-shanghai")] {
        client.vpc("DetachCcnInstances", instances(&id, vpc, region)).await.unwrap();
    }
    assert_eq!(attached().await["InstanceSet"][0]["State"], "DETACHING");
    assert_eq!(
        code(client.vpc("DetachCcnInstances", instances(&id, &here, "ap-guangzhou")).await),
        "UnsupportedOperation.InvalidState"
    );
    client.pass(1);
    assert_eq!(attached().await["TotalCount"], 0);
    assert!(routes(&client, &id).await.is_empty());
    client.vpc("DeleteCcn", json!({"CcnId": id})).await.unwrap();
    assert_eq!(code(client.vpc("DeleteCcn", json!({"CcnId": id})).await), "ResourceNotFound");
}

#[tokio::test]
async fn routes_that_overlap_are_disabled_until_there_is_room() {
    let client = client();
    let one = vpc(&client, "ap-guangzhou-3", "10.1.0.0/16", "10.1.1.0/24").await;
    let two = vpc(&client, "ap-guangzhou-3", "10.1.0.0/16", "10.1.1.0/24").await;
    let id = ccn(&client).await;
    attach(&client, &id, &one, "ap-guangzhou").await;
    attach(&client, &id, &two, "ap-guangzhou").await;
    let known = routes(&client, &id).await;
    assert_eq!((&known[0]["Enabled"], &known[1]["Enabled"]), (&json!(true), &json!(false)));
    let first = json!({"CcnId": id, "RouteIds": [known[0]["RouteId"]]});
    let second = json!({"CcnId": id, "RouteIds": [known[1]["RouteId"]]});
    assert_eq!(code(client.vpc("EnableCcnRoutes", second.clone()).await), "UnsupportedOperation.Ecmp");
    client.vpc("DisableCcnRoutes", first.clone()).await.unwrap();
    client.vpc("EnableCcnRoutes", second).await.unwrap();
    assert_eq!(code(client.vpc("EnableCcnRoutes", first).await), "UnsupportedOperation.Ecmp");
    let filter = json!({"CcnId": id, "Filters": [{"Name": "instance-id", "Values": [two]}]});
    let found = client.vpc("DescribeCcnRoutes", filter).await.unwrap();
    assert_eq!((&found["TotalCount"], &found["RouteSet"][0]["Enabled"]), (&json!(1), &json!(true)));
    let unknown = json!({"CcnId": id, "RouteIds": ["ccnr-00000000"]});
    assert_eq!(code(client.vpc("EnableCcnRoutes", unknown).await), "ResourceNotFound");
}

#[tokio::test]
async fn published_routes_reach_the_ccn_and_stay_until_withdrawn() {
    let client = client();
    let network = client.network().await;
    let instance = client.running(&network, 1).await.remove(0);
    let address = client.instance(&instance).await.unwrap()["PrivateIpAddresses"][0].clone();
    let table = client.vpc("DescribeRouteTables", json!({})).await.unwrap();
    let table = text(&table["RouteTableSet"][0]["RouteTableId"]);
    let pods = json!({"DestinationCidrBlock": "192.168.9.0/24", "GatewayType": "NORMAL_CVM", "GatewayId": address});
    let off = json!({"DestinationCidrBlock": "192.168.8.0/24", "GatewayType": "NORMAL_CVM", "GatewayId": address, "Enabled": false});
    let made = client.vpc("CreateRoutes", json!({"RouteTableId": table, "Routes": [pods, off]})).await.unwrap();
    let routes_made = made["RouteTableSet"][0]["RouteSet"].clone();
    let (item, disabled) = (text(&routes_made[0]["RouteItemId"]), text(&routes_made[1]["RouteItemId"]));
    let notify = |item: &str| json!({"RouteTableId": table, "RouteItemIds": [item]});
    assert_eq!(code(client.vpc("NotifyRoutes", notify(&item)).await), "UnsupportedOperation.CcnNotAttached");
    let id = ccn(&client).await;
    attach(&client, &id, &network.0, "ap-guangzhou").await;
    assert_eq!(routes(&client, &id).await.len(), 1);
    for (parameters, expected) in [
        (json!({"RouteTableId": "rtb", "RouteItemIds": [item]}), "InvalidRouteTableId.Malformed"),
        (json!({"RouteTableId": "rtb-00000000", "RouteItemIds": [item]}), "InvalidRouteTableId.NotFound"),
        (notify("rti-00000000"), "InvalidRouteId.NotFound"),
        (notify(&disabled), "UnsupportedOperation.InvalidStatusNotifyCcn"),
    ] {
        assert_eq!(code(client.vpc("NotifyRoutes", parameters.clone()).await), expected, "{parameters}");
    }
    client.vpc("NotifyRoutes", notify(&item)).await.unwrap();
    assert_eq!(code(client.vpc("NotifyRoutes", notify(&item)).await), "UnsupportedOperation.NotifyCcn");
    assert_eq!(routes(&client, &id).await[1]["DestinationCidrBlock"], "192.168.9.0/24");
    let tables = client.vpc("DescribeRouteTables", json!({"RouteTableIds": [table]})).await.unwrap();
    assert_eq!(tables["RouteTableSet"][0]["RouteSet"][0]["PublishedToVbc"], true);
    let delete = json!({"RouteTableId": table, "Routes": [{"RouteItemId": item}]});
    assert_eq!(code(client.vpc("DeleteRoutes", delete.clone()).await), "UnsupportedOperation.DisabledNotifyCcn");
    assert_eq!(code(client.vpc("DisableRoutes", notify(&item)).await), "UnsupportedOperation.DisabledNotifyCcn");
    client.vpc("WithdrawNotifyRoutes", notify(&item)).await.unwrap();
    assert_eq!(code(client.vpc("WithdrawNotifyRoutes", notify(&item)).await), "UnsupportedOperation.NotifyCcn");
    assert_eq!(routes(&client, &id).await.len(), 1);
    client.vpc("DeleteRoutes", delete).await.unwrap();
}

#[tokio::test]
async fn unfit_requests_are_refused() {
    let client = Client::of(builder().quota(Quota::Ccns, 1).quota(Quota::InstancesPerCcn, 1));
    for (parameters, expected) in [
        (json!({"CcnName": ""}), "InvalidParameterValue.Empty"),
        (json!({"CcnName": "x".repeat(61)}), "InvalidParameterValue.TooLong"),
        (json!({"CcnName": "x", "QosLevel": "XX"}), "InvalidParameterValue"),
        (json!({"CcnName": "x", "InstanceChargeType": "FREE"}), "InvalidParameterValue"),
        (
            json!({"CcnName": "x", "InstanceChargeType": "PREPAID", "BandwidthLimitType": "OUTER_REGION_LIMIT"}),
            "InvalidParameterValue.ParameterMismatch",
        ),
    ] {
        assert_eq!(code(client.vpc("CreateCcn", parameters.clone()).await), expected, "{parameters}");
    }
    let id = ccn(&client).await;
    assert_eq!(code(client.vpc("CreateCcn", json!({"CcnName": "x"})).await), "LimitExceeded");
    let (one, two) = (
        vpc(&client, "ap-guangzhou-3", "10.1.0.0/16", "10.1.1.0/24").await,
        vpc(&client, "ap-guangzhou-3", "10.2.0.0/16", "10.2.1.0/24").await,
    );
    let mut gateway = instances(&id, &one, "ap-guangzhou");
    gateway["Instances"][0]["InstanceType"] = json!("DIRECTCONNECT");
    let mut twice = instances(&id, &one, "ap-guangzhou");
    let again = twice["Instances"][0].clone();
    twice["Instances"].as_array_mut().unwrap().push(again);
    for (parameters, expected) in [
        (instances("ccn", &one, "ap-guangzhou"), "InvalidParameterValue.Malformed"),
        (instances("ccn-00000000", &one, "ap-guangzhou"), "ResourceNotFound"),
        (instances(&id, &one, "ap-shanghai"), "ResourceNotFound"),
        (instances(&id, &one, "mars"), "InvalidParameterValue"),
        (gateway, "UnsupportedOperation"),
        (twice, "InvalidParameterValue.Duplicate"),
        (json!({"CcnId": id, "Instances": []}), "InvalidParameterValue"),
    ] {
        assert_eq!(code(client.vpc("AttachCcnInstances", parameters.clone()).await), expected, "{parameters}");
    }
    attach(&client, &id, &one, "ap-guangzhou").await;
    assert_eq!(code(client.vpc("AttachCcnInstances", instances(&id, &two, "ap-guangzhou")).await), "LimitExceeded");
    let change = json!({"CcnId": id, "CcnName": "new", "RouteECMPFlag": true});
    client.vpc("ModifyCcnAttribute", change).await.unwrap();
    let found =
        client.vpc("DescribeCcns", json!({"Filters": [{"Name": "ccn-name", "Values": ["new"]}]})).await.unwrap();
    assert_eq!((&found["TotalCount"], &found["CcnSet"][0]["RouteECMPFlag"]), (&json!(1), &json!(true)));
}

//! NAT gateways, and what leads to them.

use qcloud_emulator::Quota;
use serde_json::{Value, json};

use crate::client::{Client, Refusal, builder, client, code, text};

async fn make(client: &Client, vpc: &str, more: Value) -> Result<String, Refusal> {
    let mut parameters = json!({"NatGatewayName": "nat", "VpcId": vpc, "AddressCount": 1});
    for (name, value) in more.as_object().unwrap() {
        parameters[name] = value.clone();
    }
    let made = client.vpc("CreateNatGateway", parameters).await?;
    assert_eq!(made["TotalCount"], 1);
    Ok(text(&made["NatGatewaySet"][0]["NatGatewayId"]))
}

async fn show(client: &Client, id: &str) -> Option<Value> {
    let list = client.vpc("DescribeNatGateways", json!({"NatGatewayIds": [id]})).await.unwrap();
    list["NatGatewaySet"].as_array().unwrap().first().cloned()
}

async fn state(client: &Client, id: &str) -> String {
    show(client, id).await.map_or_else(|| "gone".to_owned(), |gateway| text(&gateway["State"]))
}

async fn elastic(client: &Client, ip: &Value) -> Value {
    let filters = json!({"Filters": [{"Name": "address-ip", "Values": [ip]}]});
    client.vpc("DescribeAddresses", filters).await.unwrap()["AddressSet"][0].clone()
}

#[tokio::test]
async fn a_gateway_lives_and_carries_routes_when_it_is_available() {
    let client = client();
    let (vpc, _) = client.network().await;
    let table = client.vpc("DescribeRouteTables", json!({})).await.unwrap();
    let table = text(&table["RouteTableSet"][0]["RouteTableId"]);
    let id = make(&client, &vpc, json!({"Tags": [{"Key": "env", "Value": "test"}]})).await.unwrap();
    assert_eq!(state(&client, &id).await, "PENDING");
    let route = json!({"RouteTableId": table, "Routes": [
        {"DestinationCidrBlock": "0.0.0.0/0", "GatewayType": "NAT", "GatewayId": id},
    ]});
    let refused = client.vpc("CreateRoutes", route.clone()).await.unwrap_err();
    assert_eq!(refused.code, "InvalidParameterValue.RouteNextHopInvalid");
    assert!(refused.message.contains("PENDING"), "{}", refused.message);
    assert_eq!(
        code(client.vpc("DeleteNatGateway", json!({"NatGatewayId": id})).await),
        "UnsupportedOperation.MutexOperationTaskRunning"
    );
    client.pass(3);
    let shown = show(&client, &id).await.unwrap();
    assert_eq!((&shown["State"], &shown["VpcId"]), (&json!("AVAILABLE"), &json!(vpc)));
    let ip = shown["PublicIpAddressSet"][0]["PublicIpAddress"].clone();
    let address = elastic(&client, &ip).await;
    assert_eq!(
        (&address["AddressStatus"], &address["InstanceId"], &address["InstanceType"]),
        (&json!("BIND"), &json!(id), &json!("NAT"))
    );
    assert_eq!(
        code(client.vpc("DisassociateAddress", json!({"AddressId": address["AddressId"]})).await),
        "InvalidParameterValue.ResourceNotSupport"
    );
    client.vpc("CreateRoutes", route).await.unwrap();
    for (name, value) in
        [("vpc-id", vpc.as_str()), ("nat-gateway-name", "na"), ("tag-key", "env"), ("nat-state", "AVAILABLE")]
    {
        let filters = json!({"Filters": [{"Name": name, "Values": [value]}]});
        assert_eq!(client.vpc("DescribeNatGateways", filters).await.unwrap()["TotalCount"], 1, "{name}");
    }
    assert_eq!(code(client.vpc("DeleteVpc", json!({"VpcId": vpc})).await), "ResourceInUse");
    let change = json!({"NatGatewayId": id, "NatGatewayName": "new", "InternetMaxBandwidthOut": 500, "DeletionProtectionEnabled": true});
    client.vpc("ModifyNatGatewayAttribute", change).await.unwrap();
    let delete = |risk: bool| json!({"NatGatewayId": id, "IgnoreOperationRisk": risk});
    assert_eq!(
        code(client.vpc("DeleteNatGateway", delete(true)).await),
        "UnsupportedOperation.DeletionProtectionEnabled"
    );
    let open = json!({"NatGatewayId": id, "DeletionProtectionEnabled": false});
    client.vpc("ModifyNatGatewayAttribute", open).await.unwrap();
    assert_eq!(code(client.vpc("DeleteNatGateway", delete(false)).await), "UnsupportedOperation.NatGatewayHaveRoute");
    let deleting = client.vpc("DeleteNatGateway", delete(true)).await.unwrap();
    assert_eq!(state(&client, &id).await, "DELETING");
    let tables = client.vpc("DescribeRouteTables", json!({})).await.unwrap();
    assert_eq!(tables["RouteTableSet"][0]["RouteSet"], json!([]));
    client.pass(2);
    assert_eq!(state(&client, &id).await, "gone");
    let task = client.vpc("DescribeVpcTaskResult", json!({"TaskId": deleting["RequestId"]})).await.unwrap();
    assert_eq!(task["Status"], "SUCCESS");
    assert_eq!(elastic(&client, &ip).await["AddressStatus"], "UNBIND", "its address is left");
}

#[tokio::test]
async fn addresses_come_and_go() {
    let client = client();
    let (vpc, _) = client.network().await;
    let free = client.vpc("AllocateAddresses", json!({})).await.unwrap();
    client.pass(1);
    let free = client.vpc("DescribeAddresses", json!({"AddressIds": free["AddressSet"]})).await.unwrap();
    let free = text(&free["AddressSet"][0]["AddressIp"]);
    let id = make(&client, &vpc, json!({"AddressCount": 0, "PublicIpAddresses": [free]})).await.unwrap();
    assert_eq!(elastic(&client, &json!(free)).await["AddressStatus"], "BINDING");
    client.pass(3);
    let more = json!({"NatGatewayId": id, "AddressCount": 2});
    client.vpc("AssociateNatGatewayAddress", more.clone()).await.unwrap();
    assert_eq!(state(&client, &id).await, "UPDATING");
    assert_eq!(
        code(client.vpc("AssociateNatGatewayAddress", more).await),
        "UnsupportedOperation.MutexOperationTaskRunning"
    );
    client.pass(2);
    let addresses = show(&client, &id).await.unwrap()["PublicIpAddressSet"].clone();
    assert_eq!(addresses.as_array().unwrap().len(), 3);
    let take = |addresses: Value| json!({"NatGatewayId": id, "PublicIpAddresses": addresses});
    for (parameters, expected) in [
        (take(json!(["9.9.9.9"])), "UnsupportedOperation.PublicIpAddressIsNotExisted"),
        (take(json!([])), "MissingParameter"),
        (
            take(addresses.as_array().unwrap().iter().map(|address| address["PublicIpAddress"].clone()).collect()),
            "UnsupportedOperation.PublicIpAddressDisassociate",
        ),
    ] {
        assert_eq!(
            code(client.vpc("DisassociateNatGatewayAddress", parameters.clone()).await),
            expected,
            "{parameters}"
        );
    }
    client.vpc("DisassociateNatGatewayAddress", take(json!([free]))).await.unwrap();
    assert_eq!(elastic(&client, &json!(free)).await["AddressStatus"], "UNBINDING");
    client.pass(2);
    assert_eq!(elastic(&client, &json!(free)).await["AddressStatus"], "UNBIND");
    assert_eq!(show(&client, &id).await.unwrap()["PublicIpAddressSet"].as_array().unwrap().len(), 2);
    let not_there = client.vpc("DisassociateNatGatewayAddress", take(json!([free]))).await;
    assert_eq!(code(not_there), "UnsupportedOperation.NatGatewayEipNotExists");
}

#[tokio::test]
async fn unfit_gateways_are_refused() {
    let client = Client::of(builder().quota(Quota::NatGatewaysPerVpc, 1).quota(Quota::ElasticIpsPerRegion, 12));
    let (vpc, _) = client.network().await;
    for (more, expected) in [
        (json!({"VpcId": "vpc-00000000"}), "ResourceNotFound"),
        (json!({"NatGatewayName": ""}), "InvalidParameterValue.Empty"),
        (json!({"NatGatewayName": "x".repeat(61)}), "InvalidParameterValue.TooLong"),
        (json!({"AddressCount": 0}), "InvalidParameterValue.Empty"),
        (json!({"AddressCount": 11}), "LimitExceeded.PublicIpAddressPerNatGatewayLimitExceeded"),
        (json!({"AddressCount": 1_000_000_000_000_u64}), "LimitExceeded.PublicIpAddressPerNatGatewayLimitExceeded"),
        (json!({"PublicIpAddresses": ["9.9.9.9"]}), "UnsupportedOperation.PublicIpAddressIsNotExisted"),
        (json!({"InternetMaxBandwidthOut": 6000}), "InvalidParameterValue.Range"),
        (json!({"MaxConcurrentConnection": 5}), "InvalidParameterValue.Range"),
        (json!({"NatProductVersion": 3}), "InvalidParameterValue.Range"),
        (json!({"Zone": "mars-1"}), "UnsupportedOperation.NotSupportZone"),
    ] {
        assert_eq!(code(make(&client, &vpc, more.clone()).await), expected, "{more}");
    }
    assert_eq!(client.vpc("DescribeAddresses", json!({})).await.unwrap()["TotalCount"], 0);
    let id = make(&client, &vpc, json!({"AddressCount": 10})).await.unwrap();
    let refused = make(&client, &vpc, json!({})).await;
    assert_eq!(code(refused), "LimitExceeded.NatGatewayPerVpcLimitExceeded");
    let other = client.vpc("CreateVpc", json!({"VpcName": "o", "CidrBlock": "10.9.0.0/16"})).await.unwrap();
    let other = text(&other["Vpc"]["VpcId"]);
    let refused = make(&client, &other, json!({"AddressCount": 3})).await;
    assert_eq!(code(refused), "LimitExceeded.AddressQuotaLimitExceeded");
    client.pass(3);
    let ip = show(&client, &id).await.unwrap()["PublicIpAddressSet"][0]["PublicIpAddress"].clone();
    let refused = make(&client, &other, json!({"AddressCount": 0, "PublicIpAddresses": [ip]})).await;
    assert_eq!(code(refused), "ResourceInUse.Address");
    // A gateway serves its own VPC only.
    let table =
        client.vpc("DescribeRouteTables", json!({"Filters": [{"Name": "vpc-id", "Values": [other]}]})).await.unwrap();
    let route = json!({"RouteTableId": table["RouteTableSet"][0]["RouteTableId"], "Routes": [
        {"DestinationCidrBlock": "0.0.0.0/0", "GatewayType": "NAT", "GatewayId": id},
    ]});
    assert_eq!(code(client.vpc("CreateRoutes", route).await), "InvalidParameterValue.RouteNextHopInvalid");
    for (parameters, expected) in [
        (json!({"NatGatewayIds": ["nat"]}), "InvalidParameterValue.Malformed"),
        (json!({"Filters": [{"Name": "colour", "Values": ["red"]}]}), "InvalidParameter.FilterInvalidKey"),
        (json!({"Filters": [{"Name": "vpc-id", "Values": vec!["v"; 6]}]}), "InvalidParameterValue.LimitExceeded"),
    ] {
        assert_eq!(code(client.vpc("DescribeNatGateways", parameters.clone()).await), expected, "{parameters}");
    }
    let gone = json!({"NatGatewayId": "nat-00000000"});
    assert_eq!(code(client.vpc("DeleteNatGateway", gone).await), "ResourceNotFound");
}

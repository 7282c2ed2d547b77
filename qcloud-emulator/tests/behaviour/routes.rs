//! Route tables and routes.

use qcloud_emulator::Quota;
use serde_json::{Value, json};

use crate::client::{Client, builder, client, code, text};

/// A VPC with an instance: its id, the subnet's, the default route table's and the instance's address.
async fn network(client: &Client) -> (String, String, String, String) {
    let (vpc, subnet) = client.network().await;
    let id = client.running(&(vpc.clone(), subnet.clone()), 1).await.remove(0);
    let address = text(&client.instance(&id).await.unwrap()["PrivateIpAddresses"][0]);
    let tables =
        client.vpc("DescribeRouteTables", json!({"Filters": [{"Name": "vpc-id", "Values": [vpc]}]})).await.unwrap();
    (vpc, subnet, text(&tables["RouteTableSet"][0]["RouteTableId"]), address)
}

fn route(destination: &str, gateway: &str) -> Value {
    json!({"DestinationCidrBlock": destination, "GatewayType": "NORMAL_CVM", "GatewayId": gateway, "RouteDescription": "d"})
}

async fn routes(client: &Client, table: &str) -> Vec<Value> {
    let tables = client.vpc("DescribeRouteTables", json!({"RouteTableIds": [table]})).await.unwrap();
    tables["RouteTableSet"][0]["RouteSet"].as_array().unwrap().clone()
}

#[tokio::test]
async fn every_vpc_has_a_default_table_that_new_subnets_use() {
    let client = client();
    let (vpc, subnet) = client.network().await;
    let list = client.vpc("DescribeRouteTables", json!({})).await.unwrap();
    let default = &list["RouteTableSet"][0];
    assert_eq!((&default["Main"], &default["VpcId"]), (&json!(true), &json!(vpc)));
    let id = text(&default["RouteTableId"]);
    assert_eq!(default["AssociationSet"], json!([{"SubnetId": subnet, "RouteTableId": id}]));
    assert_eq!(
        code(client.vpc("DeleteRouteTable", json!({"RouteTableId": id})).await),
        "UnsupportedOperation.DelDefaultRoute"
    );

    let made = client.vpc("CreateRouteTable", json!({"VpcId": vpc, "RouteTableName": "mine"})).await.unwrap();
    let mine = text(&made["RouteTable"]["RouteTableId"]);
    let associate = |table: &str| json!({"RouteTableId": table, "SubnetId": subnet});
    client.vpc("ReplaceRouteTableAssociation", associate(&mine)).await.unwrap();
    let subnets = client.vpc("DescribeSubnets", json!({"SubnetIds": [subnet]})).await.unwrap();
    assert_eq!(subnets["SubnetSet"][0]["RouteTableId"], mine);
    assert_eq!(
        code(client.vpc("DeleteRouteTable", json!({"RouteTableId": mine})).await),
        "UnsupportedOperation.DelRouteWithSubnet"
    );
    let (other, _) = client.network().await;
    let foreign = client.vpc("CreateRouteTable", json!({"VpcId": other, "RouteTableName": "t"})).await.unwrap();
    let foreign = text(&foreign["RouteTable"]["RouteTableId"]);
    assert_eq!(
        code(client.vpc("ReplaceRouteTableAssociation", associate(&foreign)).await),
        "UnsupportedOperation.VpcMismatch"
    );
    client.vpc("ReplaceRouteTableAssociation", associate(&id)).await.unwrap();
    client.vpc("ModifyRouteTableAttribute", json!({"RouteTableId": mine, "RouteTableName": "renamed"})).await.unwrap();
    let named = json!({"Filters": [{"Name": "route-table-name", "Values": ["renamed"]}]});
    assert_eq!(client.vpc("DescribeRouteTables", named).await.unwrap()["TotalCount"], 1);
    client.vpc("DeleteRouteTable", json!({"RouteTableId": mine})).await.unwrap();
}

#[tokio::test]
async fn routes_live_by_batches() {
    let client = client();
    let (vpc, _, table, address) = network(&client).await;
    let batch = json!({"RouteTableId": table, "Routes": [route("192.168.1.0/24", &address), route("192.168.2.0/24", &address)]});
    let made = client.vpc("CreateRoutes", batch).await.unwrap();
    assert_eq!(made["TotalCount"], 1);
    let made = routes(&client, &table).await;
    assert_eq!(made.len(), 2);
    assert_eq!(
        (&made[0]["RouteType"], &made[0]["Enabled"], &made[0]["GatewayId"]),
        (&json!("USER"), &json!(true), &json!(address))
    );
    let item = text(&made[0]["RouteItemId"]);
    assert!(item.starts_with("rti-"));

    client.vpc("DisableRoutes", json!({"RouteTableId": table, "RouteItemIds": [item]})).await.unwrap();
    assert_eq!(routes(&client, &table).await[0]["Enabled"], false);
    client.vpc("EnableRoutes", json!({"RouteTableId": table, "RouteIds": [made[0]["RouteId"]]})).await.unwrap();
    assert_eq!(routes(&client, &table).await[0]["Enabled"], true);

    let mut changed = route("192.168.3.0/24", &address);
    changed["RouteId"] = made[0]["RouteId"].clone();
    let replaced = client.vpc("ReplaceRoutes", json!({"RouteTableId": table, "Routes": [changed]})).await.unwrap();
    assert_eq!(replaced["OldRouteSet"][0]["DestinationCidrBlock"], "192.168.1.0/24");
    assert_eq!(replaced["NewRouteSet"][0]["DestinationCidrBlock"], "192.168.3.0/24");
    assert_eq!(replaced["NewRouteSet"][0]["RouteItemId"], item);

    for (filter, count) in [
        (("route-table-id", table.as_str()), 2),
        (("dest-cidr", "192.168.3"), 1),
        (("description", "d"), 2),
        (("vpc-id", &vpc), 2),
    ] {
        let filters = json!({"Filters": [{"Name": filter.0, "Values": [filter.1]}]});
        assert_eq!(client.vpc("DescribeRouteList", filters).await.unwrap()["TotalCount"], count, "{filter:?}");
    }
    // By its id alone, or by what it says.
    let gone =
        client.vpc("DeleteRoutes", json!({"RouteTableId": table, "Routes": [{"RouteItemId": item}]})).await.unwrap();
    assert_eq!(gone["RouteSet"].as_array().unwrap().len(), 1);
    client
        .vpc("DeleteRoutes", json!({"RouteTableId": table, "Routes": [route("192.168.2.0/24", &address)]}))
        .await
        .unwrap();
    assert!(routes(&client, &table).await.is_empty());
    let again = json!({"RouteTableId": table, "Routes": [{"RouteItemId": item}]});
    assert_eq!(code(client.vpc("DeleteRoutes", again).await), "ResourceNotFound");
}

#[tokio::test]
async fn unfit_routes_are_refused_and_leave_the_table_alone() {
    let client = Client::of(builder().quota(Quota::RoutesPerTable, 4));
    let (_, _, table, address) = network(&client).await;
    let create =
        async |routes: Vec<Value>| client.vpc("CreateRoutes", json!({"RouteTableId": table, "Routes": routes})).await;
    let good = route("192.168.9.0/24", &address);
    let without = |name: &str| {
        let mut route = good.clone();
        route.as_object_mut().unwrap().remove(name);
        route
    };
    let vpn = json!({"DestinationCidrBlock": "192.168.9.0/24", "GatewayType": "VPN", "GatewayId": "vpngw-12345678"});
    for (bad, expected) in [
        (vec![route("10.0.5.0/24", &address)], "InvalidParameterValue.VpcCidrConflict"),
        (vec![route("192.168.1.1/24", &address)], "InvalidParameterValue.Malformed"),
        (vec![route("192.168.1.0/24", "10.0.1.200")], "InvalidParameterValue.RouteNextHopInvalid"),
        (vec![route("192.168.1.0/24", "nobody")], "InvalidParameterValue.RouteNextHopInvalid"),
        (vec![without("GatewayType")], "MissingParameter"),
        (vec![without("GatewayId")], "MissingParameter"),
        (vec![without("DestinationCidrBlock")], "MissingParameter"),
        (vec![], "MissingParameter"),
        (vec![good.clone(), good.clone()], "InvalidParameterValue.Duplicate"),
        (vec![good.clone(), vpn], "UnsupportedOperation.Ecmp"),
        ((0..5).map(|n| route(&format!("192.168.{n}.0/24"), &address)).collect(), "LimitExceeded"),
    ] {
        assert_eq!(code(create(bad.clone()).await), expected, "{bad:?}");
        assert!(routes(&client, &table).await.is_empty());
    }
    create(vec![good.clone()]).await.unwrap();
    assert_eq!(code(create(vec![good]).await), "InvalidParameterValue.Duplicate");
    let nobody = json!({"RouteTableId": "rtb-00000000", "Routes": [route("192.168.7.0/24", &address)]});
    assert_eq!(code(client.vpc("CreateRoutes", nobody).await), "ResourceNotFound");
    for (which, expected) in [
        (json!({}), "MissingParameter"),
        (json!({"RouteIds": [1], "RouteItemIds": ["rti-12345678"]}), "InvalidParameter.Coexist"),
        (json!({"RouteIds": [999]}), "ResourceNotFound"),
        (json!({"RouteItemIds": vec!["rti-12345678"; 101]}), "InvalidParameterValue.LimitExceeded"),
    ] {
        let mut parameters = which.clone();
        parameters["RouteTableId"] = json!(table);
        assert_eq!(code(client.vpc("EnableRoutes", parameters).await), expected, "{which}");
    }
}

#[tokio::test]
async fn instances_may_share_a_destination_up_to_eight() {
    let client = client();
    let (vpc, subnet, table, _) = network(&client).await;
    let mut addresses = Vec::new();
    for id in client.running(&(vpc, subnet), 9).await {
        addresses.push(text(&client.instance(&id).await.unwrap()["PrivateIpAddresses"][0]));
    }
    for (number, address) in addresses.iter().enumerate() {
        let made =
            client.vpc("CreateRoutes", json!({"RouteTableId": table, "Routes": [route("0.0.0.0/0", address)]})).await;
        match number {
            8 => assert_eq!(code(made), "UnsupportedOperation.Ecmp"),
            _ => assert!(made.is_ok(), "{number}"),
        }
    }
}

#[tokio::test]
async fn ipv6_routes_have_no_number() {
    let client = client();
    let (_, _, table, _) = network(&client).await;
    let route =
        json!({"DestinationIpv6CidrBlock": "2402:4e00::/32", "GatewayType": "VPN", "GatewayId": "vpngw-12345678"});
    client.vpc("CreateRoutes", json!({"RouteTableId": table, "Routes": [route]})).await.unwrap();
    let made = routes(&client, &table).await.remove(0);
    assert_eq!(made["RouteId"], 0);
    assert!(text(&made["RouteItemId"]).starts_with("rti6-"));
    let gone = json!({"RouteTableId": table, "Routes": [{"RouteItemId": made["RouteItemId"]}]});
    client.vpc("DeleteRoutes", gone).await.unwrap();
}

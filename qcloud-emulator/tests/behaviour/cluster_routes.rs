//! Cluster route tables, their routes, and what they conflict with.

use std::net::Ipv4Addr;

use qcloud_emulator::{ClusterErrors, Quota, RouteKind};
use serde_json::{Value, json};

use crate::client::{Client, builder, client, code, text};

fn table(vpc: &str, name: &str, cidr: &str) -> Value {
    json!({"RouteTableName": name, "RouteTableCidrBlock": cidr, "VpcId": vpc})
}

fn route(name: &str, cidr: &str, gateway: &str) -> Value {
    json!({"RouteTableName": name, "DestinationCidrBlock": cidr, "GatewayIp": gateway})
}

async fn routes(client: &Client, name: &str) -> Vec<(String, String)> {
    let answer = client.tke("DescribeClusterRoutes", json!({"RouteTableName": name})).await.unwrap();
    let routes = answer["RouteSet"].as_array().unwrap();
    assert_eq!(answer["TotalCount"], routes.len());
    routes.iter().map(|route| (text(&route["DestinationCidrBlock"]), text(&route["GatewayIp"]))).collect()
}

#[tokio::test]
async fn a_table_and_its_routes_live_and_go() {
    let client = client();
    let network = client.network().await;
    let ids = client.running(&network, 2).await;
    let (one, two) = (client.address(&ids[0]).await, client.address(&ids[1]).await);
    client.tke("CreateClusterRouteTable", table(&network.0, "own", "10.244.0.0/16")).await.unwrap();
    let tables = client.tke("DescribeClusterRouteTables", json!({})).await.unwrap();
    assert_eq!(tables["RouteTableSet"], json!([table(&network.0, "own", "10.244.0.0/16")]));
    client.tke("CreateClusterRoute", route("own", "10.244.1.0/24", &one)).await.unwrap();
    client.tke("CreateClusterRoute", route("own", "10.244.2.0/24", &two)).await.unwrap();
    let expected = [("10.244.1.0/24".to_owned(), one.clone()), ("10.244.2.0/24".to_owned(), two.clone())];
    assert_eq!(routes(&client, "own").await, expected);
    let filter =
        |name: &str, values: &[&str]| json!({"RouteTableName": "own", "Filters": [{"Name": name, "Values": values}]});
    let answer = client.tke("DescribeClusterRoutes", filter("GatewayIP", &[&two])).await.unwrap();
    assert_eq!(answer["TotalCount"], 1);
    for bad in [filter("GatewayIP", &[&one, &two]), filter("vpc-id", &["x"])] {
        assert_eq!(code(client.tke("DescribeClusterRoutes", bad).await), "InvalidParameter.Param");
    }
    let full = client.tke("DeleteClusterRouteTable", json!({"RouteTableName": "own"})).await;
    assert_eq!(code(full), "InvalidParameter.RouteTableNotEmpty");
    for (cidr, gateway) in &expected {
        client.tke("DeleteClusterRoute", route("own", cidr, gateway)).await.unwrap();
    }
    for id in ids {
        client.cvm("TerminateInstances", json!({"InstanceIds": [id]})).await.unwrap();
    }
    client.pass(1);
    client.vpc("DeleteSubnet", json!({"SubnetId": network.1})).await.unwrap();
    assert_eq!(code(client.vpc("DeleteVpc", json!({"VpcId": network.0})).await), "ResourceInUse");
    client.tke("DeleteClusterRouteTable", json!({"RouteTableName": "own"})).await.unwrap();
    client.vpc("DeleteVpc", json!({"VpcId": network.0})).await.unwrap();
    assert_eq!(client.tke("DescribeClusterRouteTables", json!({})).await.unwrap()["TotalCount"], 0);
}

/// The calls that go wrong, each with its codes in both families.
async fn mistakes(client: &Client) -> Vec<(&'static str, &'static str, String)> {
    let network = client.network().await;
    let ids = client.running(&network, 3).await;
    let mut addresses = Vec::new();
    for id in &ids {
        addresses.push(client.address(id).await);
    }
    let vpc = network.0.as_str();
    client.tke("CreateClusterRouteTable", table(vpc, "own", "10.244.0.0/16")).await.unwrap();
    client.tke("CreateClusterRoute", route("own", "10.244.1.0/24", &addresses[0])).await.unwrap();
    let cluster = client.cluster(vpc).await;
    let tables = client.vpc("DescribeRouteTables", json!({})).await.unwrap();
    let main = text(&tables["RouteTableSet"][0]["RouteTableId"]);
    let vpc_route = json!({"RouteTableId": main, "Routes": [{
        "DestinationCidrBlock": "192.168.9.0/24", "GatewayType": "NORMAL_CVM", "GatewayId": addresses[2],
    }]});
    client.vpc("CreateRoutes", vpc_route).await.unwrap();
    let conflicts = json!({"RouteTableName": "more", "RouteTableCidrBlock": "192.168.0.0/16", "VpcId": vpc, "IgnoreClusterCidrConflict": 1});
    client.tke("CreateClusterRouteTable", conflicts).await.unwrap();
    let free = addresses[1].as_str();
    let create = "CreateClusterRoute";
    let new = "CreateClusterRouteTable";
    let cases: Vec<(&str, Value, &str, &str)> = vec![
        (create, route("own", "10.244.2.0/24", "10.0.1.250"), "InternalError.CvmNotFound", "InternalError.CvmNotFound"),
        (
            create,
            route("own", "10.245.2.0/24", free),
            "InvalidParameter.CidrOutOfRouteTable",
            "InternalError.CidrOutOfRouteTable",
        ),
        (
            create,
            route("own", "10.0.0.0/8", free),
            "InvalidParameter.CidrOutOfRouteTable",
            "InternalError.CidrOutOfRouteTable",
        ),
        (
            create,
            route("own", "10.244.1.0/24", free),
            "InvalidParameter.CidrConflictWithOtherRoute",
            "InternalError.CidrConflictWithOtherRoute",
        ),
        (
            create,
            route("own", "10.244.1.128/25", free),
            "InvalidParameter.CidrConflictWithOtherRoute",
            "InternalError.CidrConflictWithOtherRoute",
        ),
        (
            create,
            route("own", "10.244.2.0/24", &addresses[0]),
            "InvalidParameter.GatewayAlreadyAssociatedCidr",
            "InternalError.GatewayAlreadyAssociatedCidr",
        ),
        // The very same route once more.
        (
            create,
            route("own", "10.244.1.0/24", &addresses[0]),
            "InvalidParameter.GatewayAlreadyAssociatedCidr",
            "InternalError.GatewayAlreadyAssociatedCidr",
        ),
        (
            create,
            route("none", "10.244.1.0/24", free),
            "ResourceNotFound.RouteTableNotFound",
            "InternalError.RouteTableNotFound",
        ),
        (create, route("own", "10.244.1.1/24", free), "InvalidParameter.Param", "InternalError.Param"),
        (create, route("own", "10.244.2.0/24", "here"), "InvalidParameter.Param", "InternalError.Param"),
        (create, route("more", "192.168.9.0/25", free), "FailedOperation.VpcCommon", "InternalError.VpcCommon"),
        (
            "DeleteClusterRoute",
            route("none", "10.244.1.0/24", free),
            "InternalError.RouteTableNotFound",
            "InternalError.RouteTableNotFound",
        ),
        ("DeleteClusterRoute", route("own", "10.244.1.0/24", free), "InvalidParameter", "InternalError.Param"),
        ("DeleteClusterRoute", route("own", "10.244.2.0/24", &addresses[0]), "InvalidParameter", "InternalError.Param"),
        ("DescribeClusterRoutes", json!({"RouteTableName": "none"}), "InvalidParameter", "InternalError.Param"),
        ("DeleteClusterRouteTable", json!({"RouteTableName": "none"}), "InvalidParameter", "InternalError.Db"),
        ("DeleteClusterRouteTable", json!({"RouteTableName": cluster}), "FailedOperation", "FailedOperation"),
        (
            new,
            table(vpc, "own", "172.31.0.0/16"),
            "ResourceInUse.ResourceExistAlready",
            "InternalError.ResourceExistAlready",
        ),
        (
            new,
            table(vpc, "t", "10.0.0.0/14"),
            "InvalidParameter.CidrConflictWithVpcCidr",
            "InternalError.CidrConflictWithVpcCidr",
        ),
        (
            new,
            table(vpc, "t", "10.244.0.0/20"),
            "InvalidParameter.CidrConflictWithOtherRoute",
            "InternalError.CidrConflictWithOtherRoute",
        ),
        (
            new,
            table(vpc, "t", "172.20.0.0/20"),
            "InternalError.CidrConflictWithOtherCluster",
            "InternalError.CidrConflictWithOtherCluster",
        ),
        (new, table(vpc, "t", "8.0.0.0/16"), "InvalidParameter.Param", "InternalError.Param"),
        (new, table(vpc, "t", "10.244.0.0/30"), "InvalidParameter.Param", "InternalError.Param"),
        (new, table(vpc, "", "172.31.0.0/16"), "InvalidParameter.Param", "InternalError.Param"),
        (new, table("vpc-00000000", "t", "172.31.0.0/16"), "InvalidParameter.Param", "InternalError.VpcCommon"),
        (
            "DescribeRouteTableConflicts",
            json!({"RouteTableCidrBlock": "x", "VpcId": vpc}),
            "FailedOperation.Param",
            "InternalError.Param",
        ),
        (
            "DescribeRouteTableConflicts",
            json!({"RouteTableCidrBlock": "10.0.0.0/25", "VpcId": vpc}),
            "InvalidParameter",
            "InternalError.CidrMaskSizeOutOfRange",
        ),
        (
            "DescribeRouteTableConflicts",
            json!({"RouteTableCidrBlock": "10.0.0.0/16", "VpcId": "vpc-00000000"}),
            "FailedOperation.VpcRecodrNotFound",
            "InternalError.VpcRecodrNotFound",
        ),
    ];
    let mut seen = Vec::new();
    for (action, parameters, parameter, internal) in cases {
        seen.push((parameter, internal, code(client.tke(action, parameters.clone()).await)));
    }
    // None of them did anything.
    assert_eq!(routes(client, "own").await.len(), 1);
    assert_eq!(client.tke("DescribeClusterRouteTables", json!({})).await.unwrap()["TotalCount"], 3);
    seen
}

#[tokio::test]
async fn each_mistake_has_its_code() {
    for (parameter, _, seen) in mistakes(&client()).await {
        assert_eq!(seen, parameter);
    }
}

#[tokio::test]
async fn each_mistake_has_its_code_in_the_other_family() {
    let client = Client::of(builder().cluster_errors(ClusterErrors::InternalError));
    for (_, internal, seen) in mistakes(&client).await {
        assert_eq!(seen, internal);
    }
}

#[tokio::test]
async fn routes_of_the_vpc_stay_out_of_the_pods_network() {
    let client = client();
    let network = client.network().await;
    let ids = client.running(&network, 2).await;
    let address = client.address(&ids[0]).await;
    let tables = client.vpc("DescribeRouteTables", json!({})).await.unwrap();
    let main = text(&tables["RouteTableSet"][0]["RouteTableId"]);
    let routes = |cidr: &str| {
        json!({"RouteTableId": main, "Routes": [
            {"DestinationCidrBlock": cidr, "GatewayType": "NORMAL_CVM", "GatewayId": address},
        ]})
    };
    client.tke("CreateClusterRouteTable", table(&network.0, "own", "10.244.0.0/16")).await.unwrap();
    for cidr in ["10.244.3.0/24", "10.244.0.0/16", "10.244.0.0/15"] {
        let refused = client.vpc("CreateRoutes", routes(cidr)).await;
        assert_eq!(code(refused), "UnsupportedOperation.ConflictWithDockerRoute", "{cidr}");
    }
    // A default route is for whatever has no other.
    client.vpc("CreateRoutes", routes("0.0.0.0/0")).await.unwrap();
    client.vpc("CreateRoutes", routes("10.99.0.0/16")).await.unwrap();
    let create = table(&network.0, "other", "10.96.0.0/12");
    let refused = client.tke("CreateClusterRouteTable", create).await;
    assert_eq!(code(refused), "InternalError.CidrConflictWithVpcGlobalRoute");
    let parameters = json!({"RouteTableCidrBlock": "10.0.0.0/10", "VpcId": network.0});
    let conflicts = client.tke("DescribeRouteTableConflicts", parameters).await.unwrap();
    assert_eq!(conflicts["HasConflict"], true);
    assert_eq!(conflicts["RouteTableConflictSet"][0]["RouteTableType"], "Vpc");
    let parameters = json!({"RouteTableCidrBlock": "10.64.0.0/10", "VpcId": network.0});
    let conflicts = client.tke("DescribeRouteTableConflicts", parameters).await.unwrap();
    assert_eq!(conflicts["RouteTableConflictSet"][0]["RouteTableType"], "VpcRouteTable");
    assert_eq!(conflicts["RouteTableConflictSet"][0]["RouteTableId"], json!(main));
    let parameters = json!({"RouteTableCidrBlock": "172.24.0.0/14", "VpcId": network.0});
    let conflicts = client.tke("DescribeRouteTableConflicts", parameters).await.unwrap();
    assert_eq!((&conflicts["HasConflict"], &conflicts["RouteTableConflictSet"]), (&json!(false), &json!([])));
    // When the table is gone, the VPC may have such routes.
    client.tke("DeleteClusterRouteTable", json!({"RouteTableName": "own"})).await.unwrap();
    client.vpc("CreateRoutes", routes("10.244.3.0/24")).await.unwrap();
}

#[tokio::test]
async fn the_data_path_can_be_asked() {
    let client = client();
    let network = client.network().await;
    let ids = client.running(&network, 2).await;
    let addresses = [client.address(&ids[0]).await, client.address(&ids[1]).await];
    client.tke("CreateClusterRouteTable", table(&network.0, "own", "10.244.0.0/16")).await.unwrap();
    client.tke("CreateClusterRoute", route("own", "10.244.1.0/24", &addresses[0])).await.unwrap();
    let tables = client.vpc("DescribeRouteTables", json!({})).await.unwrap();
    let main = text(&tables["RouteTableSet"][0]["RouteTableId"]);
    let vpc_routes = json!({"RouteTableId": main, "Routes": [
        {"DestinationCidrBlock": "0.0.0.0/0", "GatewayType": "NORMAL_CVM", "GatewayId": addresses[0]},
        {"DestinationCidrBlock": "10.99.0.0/16", "GatewayType": "NORMAL_CVM", "GatewayId": addresses[0]},
        {"DestinationCidrBlock": "10.99.0.0/16", "GatewayType": "NORMAL_CVM", "GatewayId": addresses[1]},
        {"DestinationCidrBlock": "10.99.7.0/24", "GatewayType": "NORMAL_CVM", "GatewayId": addresses[1], "Enabled": false},
    ]});
    client.vpc("CreateRoutes", vpc_routes).await.unwrap();
    let serving = |address: [u8; 4]| client.emulator.serving_route(&ids[1], Ipv4Addr::from(address)).unwrap();
    let pod = serving([10, 244, 1, 9]);
    assert_eq!((pod.kind, pod.destination.as_str()), (RouteKind::Cluster("own".to_owned()), "10.244.1.0/24"));
    assert_eq!((pod.next_hops[0].instance.as_deref(), pod.next_hops[0].running), (Some(ids[0].as_str()), true));
    let shared = serving([10, 99, 7, 1]);
    assert_eq!((shared.kind, shared.destination.as_str()), (RouteKind::Vpc(main.clone()), "10.99.0.0/16"));
    assert_eq!(shared.next_hops.len(), 2);
    // Pods without a route go wherever everything else goes.
    assert_eq!(serving([10, 244, 2, 9]).destination, "0.0.0.0/0");
    let neighbour = serving([10, 0, 1, 2]);
    assert_eq!((neighbour.kind, neighbour.destination.as_str()), (RouteKind::Local, "10.0.0.0/16"));
    assert!(neighbour.next_hops[0].instance.is_some());
    assert_eq!(client.emulator.serving_route("ins-00000000", Ipv4Addr::LOCALHOST), None);
    // A stopped node drops packets; a lost one leaves a hole.
    client.cvm("StopInstances", json!({"InstanceIds": [ids[0]]})).await.unwrap();
    assert!(!serving([10, 244, 1, 9]).next_hops[0].running);
    client.pass(1);
    client.cvm("TerminateInstances", json!({"InstanceIds": [ids[0]]})).await.unwrap();
    client.pass(1);
    assert_eq!(serving([10, 244, 1, 9]).next_hops[0].instance, None);
    assert_eq!(routes(&client, "own").await.len(), 1);
}

#[tokio::test]
async fn tables_have_a_quota() {
    let client = Client::of(builder().quota(Quota::ClusterRouteTablesPerRegion, 1));
    let (vpc, _) = client.network().await;
    client.tke("CreateClusterRouteTable", table(&vpc, "a", "10.244.0.0/16")).await.unwrap();
    let refused = client.tke("CreateClusterRouteTable", table(&vpc, "b", "10.245.0.0/16")).await;
    assert_eq!(code(refused), "InternalError.QuotaMaxRtLimit");
    assert_eq!(code(client.order_cluster(&vpc, json!({})).await), "InternalError.QuotaMaxRtLimit");
    // Another region has its own.
    let there = client.in_region("ap-shanghai");
    assert_eq!(there.tke("DescribeClusterRouteTables", json!({})).await.unwrap()["TotalCount"], 0);
}

//! Clusters: their life, their lists and their networks.

use qcloud_emulator::{ClusterErrors, Quota};
use serde_json::{Value, json};

use crate::client::{Client, builder, client, code, text};
use crate::kubernetes::{CREATED, JOINED};

#[tokio::test]
async fn a_cluster_is_created_runs_and_is_deleted() {
    let client = client();
    let (vpc, _) = client.network().await;
    let id = client.order_cluster(&vpc, json!({})).await.unwrap();
    assert_eq!(client.cluster_state(&id).await, "Creating");
    // Nothing can be done with it yet.
    let change = json!({"ClusterId": id, "ClusterName": "other"});
    assert_eq!(code(client.tke("ModifyClusterAttribute", change.clone()).await), "FailedOperation.ClusterState");
    client.pass(CREATED);
    let answer = client.tke("DescribeClusters", json!({})).await.unwrap();
    let cluster = &answer["Clusters"][0];
    assert_eq!(answer["TotalCount"], 1);
    assert_eq!(cluster["ClusterStatus"], "Running");
    assert_eq!(cluster["ClusterVersion"], "1.30.0");
    assert_eq!(cluster["CreatedTime"], "2026-01-02T03:04:05Z");
    let network = &cluster["ClusterNetworkSettings"];
    assert_eq!(network["ClusterCIDR"], "172.20.0.0/16");
    assert_eq!((&network["MaxNodePodNum"], &network["MaxClusterServiceNum"]), (&json!(64), &json!(256)));
    assert_eq!(network["VpcId"], json!(vpc));
    let changed = client.tke("ModifyClusterAttribute", change).await.unwrap();
    assert_eq!(changed["ClusterName"], "other");
    let deletion = json!({"ClusterId": id, "InstanceDeleteMode": "terminate"});
    client.tke("DeleteCluster", deletion.clone()).await.unwrap();
    assert_eq!(client.cluster_state(&id).await, "Deleting");
    assert_eq!(code(client.tke("DeleteCluster", deletion.clone()).await), "FailedOperation.ClusterState");
    client.pass(2);
    assert_eq!(client.cluster_state(&id).await, "gone");
    assert_eq!(code(client.tke("DeleteCluster", deletion).await), "ResourceNotFound.ClusterNotFound");
    let tables = client.tke("DescribeClusterRouteTables", json!({})).await.unwrap();
    assert_eq!(tables["TotalCount"], 0);
}

#[tokio::test]
async fn nodes_come_with_the_cluster_and_go_with_it() {
    let client = client();
    let network = client.network().await;
    let kept = client.running(&network, 1).await;
    let more = json!({
        "RunInstancesForNode": [{"NodeRole": "WORKER", "RunInstancesPara": [client.order(&network, 2)]}],
        "ExistedInstancesForNode": [{"NodeRole": "WORKER", "ExistedInstancesPara": {"InstanceIds": kept}}],
    });
    let id = client.order_cluster(&network.0, more).await.unwrap();
    assert_eq!(client.node_states(&id).await, ["initializing"; 3]);
    client.pass(JOINED);
    // The existing one is reinstalled first.
    assert_eq!(client.node_states(&id).await, ["running", "running", "initializing"]);
    client.pass(1);
    assert_eq!(client.node_states(&id).await, ["running"; 3]);
    let status = client.tke("DescribeClusterStatus", json!({})).await.unwrap();
    assert_eq!(status["ClusterStatusSet"][0]["ClusterRunningNodeNum"], 3);
    assert_eq!(status["ClusterStatusSet"][0]["ClusterInstanceState"], "AllNormal");
    client.tke("DeleteCluster", json!({"ClusterId": id, "InstanceDeleteMode": "retain"})).await.unwrap();
    client.pass(5);
    assert_eq!(client.cvm("DescribeInstances", json!({})).await.unwrap()["TotalCount"], 3);
}

#[tokio::test]
async fn a_cluster_that_cannot_have_its_nodes_is_not_made() {
    let client = Client::of(builder().sold_out_type("SA2.LARGE8"));
    let network = client.network().await;
    let mut order: Value = serde_json::from_str(&client.order(&network, 1)).unwrap();
    order["InstanceType"] = json!("SA2.LARGE8");
    let orders = [client.order(&network, 2), order.to_string()];
    let more = json!({"RunInstancesForNode": [{"NodeRole": "WORKER", "RunInstancesPara": orders}]});
    assert_eq!(code(client.order_cluster(&network.0, more).await), "FailedOperation.CvmCommon");
    // Each of these could be filled, but not both: the subnet has 253 addresses.
    let orders = [client.order(&network, 200), client.order(&network, 200)];
    let more = json!({
        "RunInstancesForNode": [{"NodeRole": "WORKER", "RunInstancesPara": orders}],
        "ClusterCIDRSettings": {"ClusterCIDR": "172.16.0.0/14", "MaxNodePodNum": 64},
    });
    assert_eq!(code(client.order_cluster(&network.0, more).await), "FailedOperation.CvmCommon");
    assert_eq!(client.tke("DescribeClusters", json!({})).await.unwrap()["TotalCount"], 0);
    assert_eq!(client.tke("DescribeClusterRouteTables", json!({})).await.unwrap()["TotalCount"], 0);
    assert_eq!(client.cvm("DescribeInstances", json!({})).await.unwrap()["TotalCount"], 0);
}

#[tokio::test]
async fn requests_that_cannot_be_are_told_why() {
    let client = client();
    let (vpc, subnet) = client.network().await;
    let cidrs = |cidr: &str| json!({"ClusterCIDRSettings": {"ClusterCIDR": cidr}});
    let basics = |more: Value| {
        let mut basics = json!({"VpcId": vpc});
        basics.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"ClusterBasicSettings": basics})
    };
    let cases = [
        ("FailedOperation.VpcRecodrNotFound", basics(json!({"VpcId": "vpc-00000000"}))),
        ("InvalidParameter.Param", json!({"ClusterBasicSettings": {}})),
        ("InvalidParameter.Param", json!({"ClusterType": "OTHER"})),
        // Its own control plane needs instances.
        ("InvalidParameter.Param", json!({"ClusterType": "INDEPENDENT_CLUSTER"})),
        ("InvalidParameter.Param", basics(json!({"ClusterVersion": "1.99.0"}))),
        ("InvalidParameter.Param", basics(json!({"ClusterLevel": "L7"}))),
        ("InvalidParameter.Param", basics(json!({"ClusterName": "x".repeat(51)}))),
        ("InvalidParameter.Param", cidrs("172.20.0.0")),
        ("InvalidParameter.Param", cidrs("172.20.1.0/16")),
        ("InvalidParameter.Param", json!({"ClusterCIDRSettings": {}})),
        ("InvalidParameter.CIDRMaskSizeOutOfRange", cidrs("172.20.0.0/25")),
        ("InvalidParameter.CIDRMaskSizeOutOfRange", cidrs("10.0.0.0/9")),
        ("InvalidParameter.InvalidPrivateNetworkCIDR", cidrs("8.8.0.0/16")),
        ("InvalidParameter.CidrConflictWithVpcCidr", cidrs("10.0.0.0/14")),
        ("InvalidParameter.Param", json!({"ClusterAdvancedSettings": {"NetworkType": "VPC-CNI"}})),
        (
            "FailedOperation.CvmVpcidNotMatch",
            json!({"RunInstancesForNode": [{"NodeRole": "WORKER", "RunInstancesPara": ["{}"]}]}),
        ),
        (
            "InvalidParameter.Param",
            json!({"RunInstancesForNode": [{"NodeRole": "WORKER", "RunInstancesPara": ["no JSON"]}]}),
        ),
    ];
    for (expected, more) in cases {
        assert_eq!(code(client.order_cluster(&vpc, more.clone()).await), expected, "{more}");
    }
    let cni = json!({
        "ClusterAdvancedSettings": {"NetworkType": "VPC-CNI"},
        "ClusterCIDRSettings": {"ServiceCIDR": "172.30.0.0/20", "EniSubnetIds": [subnet]},
    });
    let id = client.order_cluster(&vpc, cni).await.unwrap();
    client.pass(CREATED);
    let more = json!({"ClusterId": id, "ClusterCIDRs": ["172.24.0.0/16"]});
    assert_eq!(code(client.tke("AddClusterCIDR", more).await), "UnsupportedOperation.ClusterNotSuitAddClusterCIDR");
}

#[tokio::test]
async fn clusters_of_one_vpc_do_not_share_a_network() {
    let client = client();
    let (vpc, _) = client.network().await;
    let id = client.cluster(&vpc).await;
    let same = client.order_cluster(&vpc, json!({})).await;
    assert_eq!(code(same), "InvalidParameter.CidrConflictWithOtherCluster");
    let table = json!({"RouteTableName": "own", "RouteTableCidrBlock": "172.24.0.0/16", "VpcId": vpc});
    client.tke("CreateClusterRouteTable", table).await.unwrap();
    let other = json!({"ClusterCIDRSettings": {"ClusterCIDR": "172.24.0.0/14"}});
    assert_eq!(code(client.order_cluster(&vpc, other).await), "InvalidParameter.CidrConflictWithOtherRoute");
    let ignoring = json!({"ClusterCIDRSettings": {"ClusterCIDR": "172.24.0.0/14", "IgnoreClusterCIDRConflict": true}});
    client.order_cluster(&vpc, ignoring).await.unwrap();
    let add = |cidrs: &[&str], ignoring: bool| json!({"ClusterId": id, "ClusterCIDRs": cidrs, "IgnoreClusterCIDRConflict": ignoring});
    let cases = [
        ("InvalidParameter.CIDRMaskSizeOutOfRange", add(&["192.168.0.0/25"], false)),
        ("InvalidParameter.CidrConflictWithOtherRoute", add(&["172.20.0.0/24"], true)),
        ("InvalidParameter.CidrConflictWithOtherRoute", add(&["192.168.0.0/16", "192.168.4.0/24"], true)),
        ("InvalidParameter.CidrConflictWithVpcCidr", add(&["10.0.0.0/14"], true)),
        ("InvalidParameter.CidrConflictWithOtherCluster", add(&["172.26.0.0/16"], false)),
    ];
    for (expected, parameters) in cases {
        assert_eq!(code(client.tke("AddClusterCIDR", parameters.clone()).await), expected, "{parameters}");
    }
    client.tke("AddClusterCIDR", add(&["192.168.0.0/16"], false)).await.unwrap();
    let tables = client.tke("DescribeClusterRouteTables", json!({})).await.unwrap();
    let own = tables["RouteTableSet"].as_array().unwrap().iter().filter(|row| row["RouteTableName"] == json!(id));
    let cidrs: Vec<String> = own.map(|row| text(&row["RouteTableCidrBlock"])).collect();
    assert_eq!(cidrs, ["172.20.0.0/16", "192.168.0.0/16"]);
}

#[tokio::test]
async fn lists_filter_and_page() {
    let client = client();
    let (vpc, _) = client.network().await;
    let mut ids = Vec::new();
    for number in 0..5 {
        let more = json!({
            "ClusterBasicSettings": {
                "VpcId": vpc,
                "ClusterName": format!("c{number}"),
                "TagSpecification": [{"ResourceType": "cluster", "Tags": [{"Key": "n", "Value": (number % 2).to_string()}]}],
            },
            "ClusterCIDRSettings": {"ClusterCIDR": format!("172.{}.0.0/16", 20 + number)},
        });
        ids.push(client.order_cluster(&vpc, more).await.unwrap());
    }
    let list = async |parameters: Value| -> Vec<String> {
        let answer = client.tke("DescribeClusters", parameters).await.unwrap();
        answer["Clusters"].as_array().unwrap().iter().map(|cluster| text(&cluster["ClusterId"])).collect()
    };
    let filter = |name: &str, value: &str| json!({"Filters": [{"Name": name, "Values": [value]}]});
    assert_eq!(list(json!({"Offset": 1, "Limit": 2})).await, ids[1..3]);
    assert_eq!(list(filter("ClusterName", "c3")).await, ids[3..4]);
    assert_eq!(list(filter("vpc-id", &vpc)).await, ids);
    assert_eq!(list(filter("ClusterStatus", "Running")).await, Vec::<String>::new());
    assert_eq!(list(filter("Tags", "n:1")).await, [ids[1].clone(), ids[3].clone()]);
    assert_eq!(list(filter("tag:n", "0")).await.len(), 3);
    assert_eq!(list(json!({"ClusterIds": [ids[4], "cls-00000000"]})).await, ids[4..]);
    assert_eq!(list(json!({"Limit": 0})).await, ids);
    let short = client.tke2("DescribeClusters", filter("ClusterName", "c2")).await.unwrap();
    assert_eq!(short["Clusters"][0]["VpcId"], json!(vpc));
    for bad in [
        json!({"ClusterIds": ["cls-1"]}),
        json!({"Limit": 101}),
        json!({"Offset": -1}),
        filter("nope", "1"),
        json!({"ClusterIds": ids, "Filters": [{"Name": "ClusterName", "Values": ["c3"]}]}),
    ] {
        assert_eq!(code(client.tke("DescribeClusters", bad.clone()).await), "InvalidParameter.Param", "{bad}");
    }
    assert_eq!(client.in_region("ap-shanghai").tke("DescribeClusters", json!({})).await.unwrap()["TotalCount"], 0);
}

#[tokio::test]
async fn protection_and_quota_hold() {
    let client = Client::of(builder().quota(Quota::ClustersPerRegion, 1));
    let (vpc, _) = client.network().await;
    let id = client.cluster(&vpc).await;
    assert_eq!(code(client.order_cluster(&vpc, json!({})).await), "FailedOperation.QuotaMaxClsLimit");
    client.tke("EnableClusterDeletionProtection", json!({"ClusterId": id})).await.unwrap();
    let deletion = json!({"ClusterId": id, "InstanceDeleteMode": "retain"});
    let refused = client.tke("DeleteCluster", deletion.clone()).await;
    assert_eq!(code(refused), "OperationDenied.ClusterInDeletionProtection");
    client.tke("DisableClusterDeletionProtection", json!({"ClusterId": id})).await.unwrap();
    let bad = json!({"ClusterId": id, "InstanceDeleteMode": "burn"});
    assert_eq!(code(client.tke("DeleteCluster", bad).await), "InvalidParameter.Param");
    client.tke("DeleteCluster", deletion).await.unwrap();
}

#[tokio::test]
async fn endpoints_open_and_close_in_time() {
    let client = client();
    let (vpc, subnet) = client.network().await;
    let id = client.cluster(&vpc).await;
    let status = async || {
        let answer = client.tke("DescribeClusterEndpointStatus", json!({"ClusterId": id})).await.unwrap();
        text(&answer["Status"])
    };
    assert_eq!(status().await, "NotFound");
    let open = json!({"ClusterId": id, "SubnetId": subnet});
    let nowhere = client.tke("CreateClusterEndpoint", json!({"ClusterId": id})).await;
    assert_eq!(code(nowhere), "InvalidParameter.SubnetNotExist");
    client.tke("CreateClusterEndpoint", open.clone()).await.unwrap();
    assert_eq!(status().await, "Creating");
    let twice = client.tke("CreateClusterEndpoint", open).await;
    assert_eq!(code(twice), "FailedOperation.SwitchClusterEndpoint");
    client.pass(3);
    assert_eq!(status().await, "Created");
    let endpoints = client.tke("DescribeClusterEndpoints", json!({"ClusterId": id})).await.unwrap();
    assert_eq!(endpoints["ClusterIntranetEndpoint"], "https://10.0.1.2");
    assert_eq!(endpoints["ClusterExternalEndpoint"], "");
    let answer = client.tke("DescribeClusterKubeconfig", json!({"ClusterId": id})).await.unwrap();
    assert!(text(&answer["Kubeconfig"]).contains("server: https://10.0.1.2\n"), "{answer}");
    let answer = client.tke("DescribeClusterSecurity", json!({"ClusterId": id})).await.unwrap();
    assert_eq!((&answer["UserName"], &answer["PgwEndpoint"]), (&json!("admin"), &json!("https://10.0.1.2")));
    client.tke("DeleteClusterEndpoint", json!({"ClusterId": id})).await.unwrap();
    assert_eq!(status().await, "Deleting");
    client.pass(3);
    assert_eq!(status().await, "NotFound");
    let gone = client.tke("DeleteClusterEndpoint", json!({"ClusterId": id})).await;
    assert_eq!(code(gone), "ResourceNotFound");
    // Its address is free again.
    client.vpc("DeleteSubnet", json!({"SubnetId": subnet})).await.unwrap();
}

#[tokio::test]
async fn a_knob_chooses_the_other_family_of_codes() {
    let client = Client::of(builder().cluster_errors(ClusterErrors::InternalError));
    let (vpc, _) = client.network().await;
    let cidrs = |cidr: &str| json!({"ClusterCIDRSettings": {"ClusterCIDR": cidr}});
    let cases = [
        ("InternalError.CidrConflictWithVpcCidr", cidrs("10.0.0.0/14")),
        ("InternalError.CidrMaskSizeOutOfRange", cidrs("172.20.0.0/25")),
        ("InternalError.InvalidPrivateNetworkCidr", cidrs("8.8.0.0/16")),
        ("InternalError.Param", cidrs("x")),
    ];
    for (expected, more) in cases {
        assert_eq!(code(client.order_cluster(&vpc, more.clone()).await), expected, "{more}");
    }
    let missing = json!({"ClusterId": "cls-00000000"});
    let kubeconfig = client.tke("DescribeClusterKubeconfig", missing).await;
    assert_eq!(code(kubeconfig), "InternalError.ClusterNotFound");
}

#[tokio::test]
async fn the_same_seed_makes_the_same_clusters() {
    let mut seen = Vec::new();
    for _ in 0..2 {
        let client = Client::of(builder().seed(11));
        let network = client.network().await;
        let id = client.cluster(&network.0).await;
        let nodes = client.nodes(&id, &network, 3).await;
        let security = client.tke("DescribeClusterSecurity", json!({"ClusterId": id})).await.unwrap();
        seen.push((id, nodes, security["Password"].clone()));
    }
    assert_eq!(seen[0], seen[1]);
}

//! The newer version of the API: native pools and machines, and lists of every kind of node.

use serde_json::{Value, json};

use crate::client::{Client, client, code, text};
use crate::node_pools;

fn native(network: &(String, String), more: Value) -> Value {
    let mut native = json!({
        "Scaling": {"MinReplicas": 1, "MaxReplicas": 4},
        "SubnetIds": [network.1],
        "InstanceChargeType": "POSTPAID_BY_HOUR",
        "SystemDisk": {"DiskType": "CLOUD_PREMIUM", "DiskSize": 50},
        "InstanceTypes": ["SA2.MEDIUM4"],
        "Replicas": 2,
    });
    native.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    native
}

async fn make(client: &Client, cluster: &str, network: &(String, String)) -> String {
    let parameters = json!({
        "ClusterId": cluster, "Name": "native", "Type": "Native", "Native": native(network, json!({})),
        "Tags": [{"ResourceType": "machine", "Tags": [{"Key": "team", "Value": "b"}]}],
        "Labels": [{"Name": "tier", "Value": "db"}],
    });
    let answer = client.tke2("CreateNodePool", parameters).await.unwrap();
    client.pass(6);
    text(&answer["NodePoolId"])
}

async fn machines(client: &Client, cluster: &str) -> Vec<(String, String)> {
    let answer = client.tke2("DescribeClusterMachines", json!({"ClusterId": cluster})).await.unwrap();
    let machines = answer["Machines"].as_array().unwrap();
    machines.iter().map(|machine| (text(&machine["MachineName"]), text(&machine["MachineState"]))).collect()
}

async fn pool(client: &Client, cluster: &str) -> Value {
    let filter = json!({"ClusterId": cluster, "Filters": [{"Name": "NodePoolsName", "Values": ["native"]}]});
    client.tke2("DescribeNodePools", filter).await.unwrap()["NodePools"][0].take()
}

#[tokio::test]
async fn a_native_pool_lives_scales_and_goes() {
    let client = client();
    let network = client.network().await;
    let cluster = client.cluster(&network.0).await;
    let id = make(&client, &cluster, &network).await;
    let shown = pool(&client, &cluster).await;
    assert_eq!((&shown["Type"], &shown["LifeState"]), (&json!("Native"), &json!("normal")));
    assert_eq!(shown["CreatedAt"], "2026-01-02 03:04:10 +0000 UTC");
    assert_eq!((&shown["Native"]["Replicas"], &shown["Native"]["ReadyReplicas"]), (&json!(2), &json!(2)));
    let names = machines(&client, &cluster).await;
    assert!(names.iter().all(|(name, state)| name.starts_with(&format!("{id}-")) && state == "Running"));
    // The older version calls such nodes by their machines, and shows no native pools.
    let nodes = client.node_list(&cluster).await;
    assert_eq!(nodes[0]["InstanceId"], json!(names[0].0));
    let old = client.tke("DescribeClusterNodePools", json!({"ClusterId": cluster})).await.unwrap();
    assert_eq!(old["TotalCount"], 0);
    let scale = |replicas: i64| json!({"ClusterId": cluster, "NodePoolId": id, "Replicas": replicas});
    client.tke2("ScaleNodePool", scale(4)).await.unwrap();
    client.pass(5);
    assert_eq!(machines(&client, &cluster).await.len(), 4);
    for replicas in [0, 5] {
        assert_eq!(code(client.tke2("ScaleNodePool", scale(replicas)).await), "InvalidParameter.Param");
    }
    // A change of something else leaves the size alone.
    let change =
        json!({"ClusterId": cluster, "NodePoolId": id, "Native": {"EnableAutoscaling": true}, "Unschedulable": true});
    client.tke2("ModifyNodePool", change).await.unwrap();
    let shown = pool(&client, &cluster).await;
    assert_eq!((&shown["Native"]["Replicas"], &shown["Native"]["EnableAutoscaling"]), (&json!(4), &json!(true)));
    let change =
        json!({"ClusterId": cluster, "NodePoolId": id, "Native": {"Scaling": {"MinReplicas": 0, "MaxReplicas": 3}}});
    client.tke2("ModifyNodePool", change).await.unwrap();
    client.pass(2);
    assert_eq!(machines(&client, &cluster).await.len(), 3);
    client.tke2("DeleteNodePool", json!({"ClusterId": cluster, "NodePoolId": id})).await.unwrap();
    client.pass(2);
    assert_eq!(client.tke2("DescribeNodePools", json!({"ClusterId": cluster})).await.unwrap()["TotalCount"], 0);
    assert_eq!(client.cvm("DescribeInstances", json!({})).await.unwrap()["TotalCount"], 0);
}

#[tokio::test]
async fn machines_are_switched_and_deleted() {
    let client = client();
    let network = client.network().await;
    let cluster = client.cluster(&network.0).await;
    make(&client, &cluster, &network).await;
    let names: Vec<String> = machines(&client, &cluster).await.into_iter().map(|(name, _)| name).collect();
    let these = |names: &[String]| json!({"ClusterId": cluster, "MachineNames": names});
    client.tke2("StopMachines", these(&names[..1])).await.unwrap();
    assert_eq!(machines(&client, &cluster).await[0].1, "Stopping");
    client.pass(1);
    assert_eq!(machines(&client, &cluster).await[0].1, "Stopped");
    // All or none: the first one is stopped.
    assert_eq!(code(client.tke2("RebootMachines", these(&names)).await), "UnsupportedOperation");
    assert_eq!(machines(&client, &cluster).await[1].1, "Running");
    client.tke2("StartMachines", these(&names[..1])).await.unwrap();
    client.pass(1);
    client.tke2("RebootMachines", these(&names)).await.unwrap();
    client.pass(2);
    assert!(machines(&client, &cluster).await.iter().all(|(_, state)| state == "Running"));
    let delete = |name: &str, shrinking: bool| json!({"ClusterId": cluster, "MachineNames": [name], "EnableScaleDown": shrinking});
    // Without shrinking, another machine takes its place.
    client.tke2("DeleteClusterMachines", delete(&names[0], false)).await.unwrap();
    assert_eq!(machines(&client, &cluster).await.len(), 1);
    client.pass(5);
    assert_eq!(machines(&client, &cluster).await.len(), 2);
    client.tke2("DeleteClusterMachines", delete(&names[1], true)).await.unwrap();
    client.pass(5);
    let left = machines(&client, &cluster).await;
    assert_eq!(left.len(), 1);
    assert_eq!(pool(&client, &cluster).await["Native"]["Replicas"], 1);
    // The least is one.
    assert_eq!(code(client.tke2("DeleteClusterMachines", delete(&left[0].0, true)).await), "OperationDenied");
    assert_eq!(code(client.tke2("DeleteClusterMachines", delete("np-x", true)).await), "ResourceNotFound");
    let bad = json!({"ClusterId": cluster, "MachineNames": [left[0].0], "StopType": "never"});
    assert_eq!(code(client.tke2("StopMachines", bad).await), "InvalidParameter.Param");
}

#[tokio::test]
async fn mistakes_with_native_pools_have_their_codes() {
    let client = client();
    let network = client.network().await;
    let cluster = client.cluster(&network.0).await;
    let create = |kind: &str, more: Value| json!({"ClusterId": cluster, "Name": "n", "Type": kind, "Native": native(&network, more)});
    let cases = [
        (create("Super", json!({})), "UnsupportedOperation"),
        (create("Odd", json!({})), "InvalidParameter.Param"),
        (create("Native", json!({"SubnetIds": []})), "InvalidParameter.Param"),
        (create("Native", json!({"SubnetIds": ["subnet-00000000"]})), "InvalidParameter.SubnetNotExist"),
        (create("Native", json!({"InstanceTypes": []})), "InvalidParameter.Param"),
        (create("Native", json!({"InstanceTypes": ["NO.SUCH"]})), "InvalidParameter.Param"),
        (create("Native", json!({"Replicas": 9})), "InvalidParameter.Param"),
        (create("Native", json!({"InstanceChargeType": "PREPAID"})), "InvalidParameter.Param"),
        (json!({"ClusterId": cluster, "Name": "n", "Type": "Native"}), "MissingParameter"),
    ];
    for (parameters, expected) in cases {
        assert_eq!(code(client.tke2("CreateNodePool", parameters.clone()).await), expected, "{parameters}");
    }
    let nowhere = json!({"ClusterId": "cls-00000000"});
    for action in ["DescribeNodePools", "DescribeClusterMachines"] {
        assert_eq!(code(client.tke2(action, nowhere.clone()).await), "ResourceNotFound.ClusterNotFound");
    }
    let scale = json!({"ClusterId": "cls-00000000", "NodePoolId": "np-00000000", "Replicas": 1});
    assert_eq!(code(client.tke2("ScaleNodePool", scale).await), "ResourceNotFound");
}

#[tokio::test]
async fn every_kind_of_node_is_listed_together() {
    let client = client();
    let network = client.network().await;
    let cluster = client.cluster(&network.0).await;
    let native = make(&client, &cluster, &network).await;
    let regular = node_pools::pool(&cluster, &network, (0, 1, 1), json!({}));
    client.tke("CreateClusterNodePool", regular).await.unwrap();
    client.pass(6);
    client.nodes(&cluster, &network, 1).await;
    let list = async |more: Value| -> Vec<Value> {
        let mut parameters = json!({"ClusterId": cluster});
        parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut answer = client.tke2("DescribeClusterInstances", parameters).await.unwrap();
        serde_json::from_value(answer["InstanceSet"].take()).unwrap()
    };
    let filter = |name: &str, value: &str| json!({"Filters": [{"Name": name, "Values": [value]}]});
    let all = list(json!({})).await;
    let kinds: Vec<String> = all.iter().map(|node| text(&node["NodeType"])).collect();
    assert_eq!(kinds, ["Native", "Native", "Regular", "Regular"]);
    assert!(all[0]["Regular"].is_null() && all[3]["Native"].is_null());
    assert_eq!(all[0]["Native"]["InstanceId"], all[0]["InstanceId"]);
    assert_eq!(list(filter("NodePoolIds", &native)).await.len(), 2);
    assert_eq!(list(filter("NodePoolNames", "workers")).await.len(), 1);
    assert_eq!(list(filter("Labels", "tier=db")).await.len(), 2);
    assert_eq!(list(filter("InstanceType", "SA2.MEDIUM4")).await.len(), 2);
    assert_eq!(list(filter("VagueIpAddress", &text(&all[1]["LanIP"]))).await, all[1..2]);
    assert_eq!(list(filter("InstanceStates", "failed")).await, Vec::<Value>::new());
    assert_eq!(list(filter("Unschedulable", "false")).await.len(), 4);
    let newest = list(json!({"SortBy": {"FieldName": "CreatedTime", "OrderType": "desc"}, "Limit": 1})).await;
    assert_eq!(newest, all[3..]);
    let pools = client.tke2("DescribeNodePools", json!({"ClusterId": cluster})).await.unwrap();
    assert_eq!(pools["TotalCount"], 2);
    assert_eq!(pools["NodePools"][1]["Regular"]["DesiredNodesNum"], 1);
    let tagged = json!({"ClusterId": cluster, "Filters": [{"Name": "tag:team", "Values": ["b"]}]});
    assert_eq!(client.tke2("DescribeClusterMachines", tagged).await.unwrap()["TotalCount"], 2);
}

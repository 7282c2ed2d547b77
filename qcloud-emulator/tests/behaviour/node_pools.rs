//! Node pools of ordinary nodes: made, scaled over time, changed and deleted.

use qcloud_emulator::Task;
use serde_json::{Value, json};

use crate::client::{Client, builder, client, code, text};

/// Seconds from a change of size until the nodes run: one to begin, then to boot and to join.
const SCALED: u64 = 5;

pub(crate) fn pool(cluster: &str, network: &(String, String), sizes: (i64, i64, i64), more: Value) -> Value {
    let (min, desired, max) = sizes;
    let mut parameters = json!({
        "ClusterId": cluster,
        "Name": "workers",
        "AutoScalingGroupPara": json!({
            "MinSize": min, "DesiredCapacity": desired, "MaxSize": max, "VpcId": network.0, "SubnetIds": [network.1],
        }).to_string(),
        "LaunchConfigurePara": json!({"InstanceType": "S5.MEDIUM4"}).to_string(),
        "InstanceAdvancedSettings": {},
        "EnableAutoscale": true,
        "Labels": [{"Name": "tier", "Value": "web"}],
        "Tags": [{"Key": "team", "Value": "a"}],
    });
    parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    parameters
}

async fn make(client: &Client, cluster: &str, network: &(String, String), sizes: (i64, i64, i64)) -> String {
    let answer = client.tke("CreateClusterNodePool", pool(cluster, network, sizes, json!({}))).await.unwrap();
    text(&answer["NodePoolId"])
}

async fn detail(client: &Client, cluster: &str, pool: &str) -> Value {
    let parameters = json!({"ClusterId": cluster, "NodePoolId": pool});
    client.tke("DescribeClusterNodePoolDetail", parameters).await.unwrap()["NodePool"].take()
}

async fn scale(client: &Client, cluster: &str, pool: &str, desired: i64) -> Result<Value, crate::client::Refusal> {
    let parameters = json!({"ClusterId": cluster, "NodePoolId": pool, "DesiredCapacity": desired});
    client.tke("ModifyNodePoolDesiredCapacityAboutAsg", parameters).await
}

#[tokio::test]
async fn a_pool_makes_and_gives_back_instances_over_time() {
    let client = client();
    let network = client.network().await;
    let cluster = client.cluster(&network.0).await;
    let id = make(&client, &cluster, &network, (0, 2, 5)).await;
    assert_eq!(detail(&client, &cluster, &id).await["LifeState"], "creating");
    assert!(client.node_list(&cluster).await.is_empty());
    client.pass(1);
    let shown = detail(&client, &cluster, &id).await;
    assert_eq!((&shown["LifeState"], &shown["AutoscalingGroupStatus"]), (&json!("normal"), &json!("enabled")));
    client.pass(1);
    assert_eq!(client.node_states(&cluster).await, ["initializing"; 2]);
    let summary = &detail(&client, &cluster, &id).await["NodeCountSummary"]["AutoscalingAdded"];
    assert_eq!((&summary["Initializing"], &summary["Total"]), (&json!(2), &json!(2)));
    client.pass(4);
    let nodes = client.node_list(&cluster).await;
    assert_eq!(nodes[0]["InstanceState"], "running");
    assert_eq!(nodes[0]["NodePoolId"], json!(id));
    assert_eq!(nodes[0]["AutoscalingGroupId"], detail(&client, &cluster, &id).await["AutoscalingGroupId"]);
    assert_eq!(nodes[0]["InstanceAdvancedSettings"]["Labels"], json!([{"Name": "tier", "Value": "web"}]));
    let first = text(&nodes[0]["InstanceId"]);
    assert_eq!(client.instance(&first).await.unwrap()["Tags"], json!([{"Key": "team", "Value": "a"}]));
    scale(&client, &cluster, &id, 5).await.unwrap();
    assert_eq!(client.node_list(&cluster).await.len(), 2);
    client.pass(SCALED);
    assert_eq!(client.node_states(&cluster).await, ["running"; 5]);
    scale(&client, &cluster, &id, 1).await.unwrap();
    client.pass(1);
    // The oldest leave first.
    assert_eq!(client.node_list(&cluster).await.len(), 1);
    assert_eq!(client.state(&first).await, "TERMINATING");
    client.pass(1);
    assert_eq!(client.state(&first).await, "gone");
}

#[tokio::test]
async fn only_the_latest_size_counts() {
    let client = client();
    let network = client.network().await;
    let cluster = client.cluster(&network.0).await;
    let id = make(&client, &cluster, &network, (0, 0, 9)).await;
    client.pass(2);
    scale(&client, &cluster, &id, 9).await.unwrap();
    scale(&client, &cluster, &id, 1).await.unwrap();
    client.pass(SCALED);
    assert_eq!(client.node_states(&cluster).await, ["running"]);
    assert_eq!(client.cvm("DescribeInstances", json!({})).await.unwrap()["TotalCount"], 1);
}

#[tokio::test]
async fn a_pool_whose_size_changes_all_the_time_follows() {
    let client = Client::of(builder().task_duration(Task::NodePoolScale, std::time::Duration::from_secs(10)));
    let network = client.network().await;
    let cluster = client.cluster(&network.0).await;
    let id = make(&client, &cluster, &network, (0, 0, 9)).await;
    client.pass(20);
    for desired in 1..=4 {
        scale(&client, &cluster, &id, desired).await.unwrap();
        client.pass(5);
    }
    // The change of ten seconds ago brings the pool to the size that it is to have by now.
    assert_eq!(client.node_list(&cluster).await.len(), 4);
    client.pass(10);
    assert_eq!(client.node_list(&cluster).await.len(), 4);
}

#[tokio::test]
async fn mistakes_with_pools_have_their_codes() {
    let client = client();
    let network = client.network().await;
    let cluster = client.cluster(&network.0).await;
    let id = make(&client, &cluster, &network, (1, 1, 3)).await;
    client.pass(6);
    let group = |group: Value| pool(&cluster, &network, (0, 0, 1), json!({"AutoScalingGroupPara": group.to_string()}));
    let launch =
        |launch: Value| pool(&cluster, &network, (0, 0, 1), json!({"LaunchConfigurePara": launch.to_string()}));
    let create = "CreateClusterNodePool";
    let desired =
        |pool: &str, desired: i64| json!({"ClusterId": cluster, "NodePoolId": pool, "DesiredCapacity": desired});
    let set = "ModifyNodePoolDesiredCapacityAboutAsg";
    let cases = [
        (create, pool(&cluster, &network, (2, 2, 1), json!({})), "InvalidParameter.AsCommonError"),
        (create, pool(&cluster, &network, (0, 2, 1), json!({})), "InvalidParameter.AsCommonError"),
        (create, group(json!({"MinSize": 0})), "InvalidParameter.AsCommonError"),
        (create, group(json!({"MinSize": 0, "MaxSize": 1, "VpcId": "vpc-00000000"})), "InvalidParameter.AsCommonError"),
        (create, group(json!({"MinSize": 0, "MaxSize": 1})), "InvalidParameter.Param"),
        (
            create,
            group(json!({"MinSize": 0, "MaxSize": 1, "SubnetIds": ["subnet-00000000"]})),
            "InvalidParameter.SubnetNotExist",
        ),
        (create, launch(json!({})), "InvalidParameter.Param"),
        (create, launch(json!({"InstanceType": "NO.SUCH"})), "InvalidParameter.Param"),
        (create, launch(json!("text")), "InvalidParameter.Param"),
        (create, pool("cls-00000000", &network, (0, 0, 1), json!({})), "ResourceNotFound.ClusterNotFound"),
        (set, desired(&id, 4), "InvalidParameterValue.Size"),
        (set, desired(&id, 0), "InvalidParameterValue.Size"),
        (set, desired("np-00000000", 1), "ResourceNotFound"),
        ("DescribeClusterNodePools", json!({"ClusterId": "cls-00000000"}), "ResourceNotFound.ClusterNotFound"),
        (
            "DescribeClusterNodePoolDetail",
            json!({"ClusterId": cluster, "NodePoolId": "np-00000000"}),
            "ResourceNotFound",
        ),
        (
            "ModifyClusterNodePool",
            json!({"ClusterId": cluster, "NodePoolId": id, "MinNodesNum": 9}),
            "InvalidParameter.Param",
        ),
        (
            "DeleteClusterNodePool",
            json!({"ClusterId": cluster, "NodePoolIds": [id, "np-00000000"], "KeepInstance": false}),
            "ResourceNotFound",
        ),
    ];
    for (action, parameters, expected) in cases {
        assert_eq!(code(client.tke(action, parameters.clone()).await), expected, "{action} {parameters}");
    }
    // The pool of one node cannot lose it.
    let node = text(&client.node_list(&cluster).await[0]["InstanceId"]);
    let leave = json!({"ClusterId": cluster, "InstanceIds": [node], "InstanceDeleteMode": "terminate"});
    assert_eq!(code(client.tke("DeleteClusterInstances", leave).await), "FailedOperation.AsCommon");
    assert_eq!(client.node_states(&cluster).await, ["running"]);
}

#[tokio::test]
async fn nodes_that_leave_shrink_their_pool_and_lost_ones_are_replaced() {
    let client = client();
    let network = client.network().await;
    let cluster = client.cluster(&network.0).await;
    let id = make(&client, &cluster, &network, (0, 3, 3)).await;
    client.pass(6);
    let nodes: Vec<String> = client.node_list(&cluster).await.iter().map(|node| text(&node["InstanceId"])).collect();
    let leave = json!({"ClusterId": cluster, "InstanceIds": [nodes[0]], "InstanceDeleteMode": "terminate"});
    client.tke("DeleteClusterInstances", leave).await.unwrap();
    assert_eq!(detail(&client, &cluster, &id).await["DesiredNodesNum"], 2);
    client.pass(10);
    assert_eq!(client.node_list(&cluster).await.len(), 2);
    client.cvm("TerminateInstances", json!({"InstanceIds": [nodes[1]]})).await.unwrap();
    client.pass(1 + SCALED);
    let now: Vec<String> = client.node_list(&cluster).await.iter().map(|node| text(&node["InstanceId"])).collect();
    assert_eq!((now.len(), now.contains(&nodes[1])), (2, false));
    assert_eq!(client.node_states(&cluster).await, ["running"; 2]);
}

#[tokio::test]
async fn a_pool_whose_instances_are_sold_out_keeps_trying() {
    let client = Client::of(builder().sold_out_type("S5.MEDIUM4"));
    let network = client.network().await;
    let cluster = client.cluster(&network.0).await;
    let id = make(&client, &cluster, &network, (0, 2, 2)).await;
    // No number of tries is too many.
    client.pass(100 * 365 * 24 * 3600);
    assert!(client.node_list(&cluster).await.is_empty());
    assert_eq!(detail(&client, &cluster, &id).await["DesiredNodesNum"], 2);
    let two = json!({"LaunchConfigurePara": json!({"InstanceTypes": ["S5.MEDIUM4", "SA2.LARGE8"]}).to_string()});
    client.tke("CreateClusterNodePool", pool(&cluster, &network, (0, 1, 2), two)).await.unwrap();
    client.pass(6);
    let node = text(&client.node_list(&cluster).await[0]["InstanceId"]);
    assert_eq!(client.instance(&node).await.unwrap()["InstanceType"], "SA2.LARGE8");
}

#[tokio::test]
async fn a_pool_that_could_not_fill_fills_when_there_is_room() {
    let client = client();
    let network = client.network().await;
    let tiny = client.subnet(&network.0, "10.0.2.0/28").await.unwrap();
    let network = (network.0, tiny);
    let cluster = client.cluster(&network.0).await;
    let blockers = client.running(&network, 12).await;
    make(&client, &cluster, &network, (0, 3, 3)).await;
    client.pass(2);
    assert_eq!(client.node_list(&cluster).await.len(), 1);
    client.cvm("TerminateInstances", json!({"InstanceIds": blockers})).await.unwrap();
    client.pass(10);
    assert_eq!(client.node_states(&cluster).await, ["running"; 3]);
}

#[tokio::test]
async fn pools_change_and_are_deleted() {
    let client = client();
    let network = client.network().await;
    let cluster = client.cluster(&network.0).await;
    let id = make(&client, &cluster, &network, (0, 2, 5)).await;
    let other = make(&client, &cluster, &network, (0, 1, 5)).await;
    client.pass(6);
    let change = json!({
        "ClusterId": cluster, "NodePoolId": id, "Name": "renamed", "MaxNodesNum": 1, "EnableAutoscale": false,
        "Taints": [{"Key": "k", "Effect": "NoSchedule"}], "DeletionProtection": true,
    });
    client.tke("ModifyClusterNodePool", change).await.unwrap();
    let shown = detail(&client, &cluster, &id).await;
    assert_eq!((&shown["Name"], &shown["DesiredNodesNum"]), (&json!("renamed"), &json!(1)));
    assert_eq!(shown["AutoscalingGroupStatus"], "disabled");
    client.pass(2);
    let filter = json!({"ClusterId": cluster, "Filters": [{"Name": "nodepool-id", "Values": [id]}]});
    let left = client.tke("DescribeClusterInstances", filter).await.unwrap();
    assert_eq!(left["TotalCount"], 1);
    assert_eq!(left["InstanceSet"][0]["InstanceAdvancedSettings"]["Taints"][0]["Key"], "k");
    let named = json!({"ClusterId": cluster, "Filters": [{"Name": "NodePoolsName", "Values": ["renamed"]}]});
    let listed = client.tke("DescribeClusterNodePools", named).await.unwrap();
    assert_eq!((&listed["TotalCount"], &listed["NodePoolSet"][0]["NodePoolId"]), (&json!(1), &json!(id)));
    let delete =
        |keeping: bool, ids: &[&String]| json!({"ClusterId": cluster, "NodePoolIds": ids, "KeepInstance": keeping});
    let refused = client.tke("DeleteClusterNodePool", delete(false, &[&other, &id])).await;
    assert_eq!(code(refused), "OperationDenied");
    let release = json!({"ClusterId": cluster, "NodePoolId": id, "DeletionProtection": false});
    client.tke("ModifyClusterNodePool", release).await.unwrap();
    let kept = text(&left["InstanceSet"][0]["InstanceId"]);
    client.tke("DeleteClusterNodePool", delete(true, &[&id])).await.unwrap();
    client.tke("DeleteClusterNodePool", delete(false, &[&other])).await.unwrap();
    assert_eq!(detail(&client, &cluster, &id).await["LifeState"], "deleting");
    assert_eq!(code(scale(&client, &cluster, &id, 1).await), "ResourceNotFound");
    client.pass(2);
    let listed = client.tke("DescribeClusterNodePools", json!({"ClusterId": cluster})).await.unwrap();
    assert_eq!(listed["TotalCount"], 0);
    assert!(client.node_list(&cluster).await.is_empty());
    assert_eq!(client.state(&kept).await, "RUNNING");
    assert_eq!(client.cvm("DescribeInstances", json!({})).await.unwrap()["TotalCount"], 1);
}

#[tokio::test]
async fn instances_are_added_to_a_pool_by_hand() {
    let client = client();
    let network = client.network().await;
    let cluster = client.cluster(&network.0).await;
    let id = make(&client, &cluster, &network, (0, 1, 2)).await;
    client.pass(6);
    let ids = client.running(&network, 2).await;
    let add = |ids: &[String]| json!({"ClusterId": cluster, "InstanceIds": ids, "NodePool": {"AddToNodePool": true, "NodePoolId": id}});
    assert_eq!(code(client.tke("AddExistedInstances", add(&ids)).await), "FailedOperation.AsCommon");
    client.tke("AddExistedInstances", add(&ids[..1])).await.unwrap();
    client.pass(10);
    let summary = &detail(&client, &cluster, &id).await["NodeCountSummary"];
    assert_eq!((&summary["ManuallyAdded"]["Normal"], &summary["AutoscalingAdded"]["Normal"]), (&json!(1), &json!(1)));
    let filter =
        json!({"ClusterId": cluster, "Filters": [{"Name": "nodepool-instance-type", "Values": ["MANUALLY_ADDED"]}]});
    let listed = client.tke("DescribeClusterInstances", filter).await.unwrap();
    assert_eq!(listed["InstanceSet"][0]["InstanceId"], json!(ids[0]));
}

#[tokio::test]
async fn scaling_takes_as_long_as_the_knob_says() {
    let slow = std::time::Duration::from_secs(60);
    let client = Client::of(builder().task_duration(Task::NodePoolScale, slow));
    let network = client.network().await;
    let cluster = client.cluster(&network.0).await;
    make(&client, &cluster, &network, (0, 1, 1)).await;
    client.pass(60);
    assert!(client.node_list(&cluster).await.is_empty());
    client.pass(1);
    assert_eq!(client.node_list(&cluster).await.len(), 1);
}

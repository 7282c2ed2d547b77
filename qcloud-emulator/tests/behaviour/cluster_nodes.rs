//! Nodes: instances that join a cluster and leave it.

use qcloud_emulator::Quota;
use serde_json::{Value, json};

use crate::client::{Client, builder, client, code, text};
use crate::kubernetes::CREATED;

#[tokio::test]
async fn nodes_join_are_listed_and_leave() {
    let client = client();
    let network = client.network().await;
    let id = client.cluster(&network.0).await;
    let parameters = json!({"ClusterId": id, "RunInstancePara": client.order(&network, 3)});
    client.tke("CreateClusterInstances", parameters).await.unwrap();
    assert_eq!(client.node_states(&id).await, ["initializing"; 3]);
    client.pass(2);
    // The instances run, their nodes do not yet.
    assert_eq!(client.node_states(&id).await, ["initializing"; 3]);
    client.pass(2);
    let nodes = client.node_list(&id).await;
    let first = text(&nodes[0]["InstanceId"]);
    assert_eq!(nodes[0]["InstanceState"], "running");
    assert_eq!(nodes[0]["LanIP"], json!(client.address(&first).await));
    assert_eq!(nodes[0]["InstanceAdvancedSettings"]["Unschedulable"], 0);
    let page = client.tke("DescribeClusterInstances", json!({"ClusterId": id, "Offset": 2})).await.unwrap();
    assert_eq!((&page["TotalCount"], page["InstanceSet"].as_array().unwrap().len()), (&json!(3), 1));
    let masters = client.tke("DescribeClusterInstances", json!({"ClusterId": id, "InstanceRole": "MASTER"})).await;
    assert_eq!(masters.unwrap()["TotalCount"], 0);
    let second = text(&nodes[1]["InstanceId"]);
    let leave = |mode: &str, ids: &[&str]| json!({"ClusterId": id, "InstanceIds": ids, "InstanceDeleteMode": mode});
    let answer = client.tke("DeleteClusterInstances", leave("terminate", &[&first, "ins-00000000"])).await.unwrap();
    assert_eq!(answer["SuccInstanceIds"], json!([first]));
    assert_eq!(answer["NotFoundInstanceIds"], json!(["ins-00000000"]));
    assert_eq!(answer["FailedInstanceIds"], json!([]));
    assert_eq!(client.state(&first).await, "TERMINATING");
    client.tke("DeleteClusterInstances", leave("retain", &[&second])).await.unwrap();
    client.pass(1);
    assert_eq!(client.state(&first).await, "gone");
    assert_eq!(client.state(&second).await, "RUNNING");
    assert_eq!(client.node_list(&id).await.len(), 1);
}

#[tokio::test]
async fn some_instances_cannot_leave() {
    let client = client();
    let network = client.network().await;
    let id = client.cluster(&network.0).await;
    let mut prepaid: Value = serde_json::from_str(&client.order(&network, 1)).unwrap();
    prepaid["InstanceChargeType"] = json!("PREPAID");
    prepaid["InstanceChargePrepaid"] = json!({"Period": 1});
    let create = |order: String| json!({"ClusterId": id, "RunInstancePara": order});
    let answer = client.tke("CreateClusterInstances", create(prepaid.to_string())).await.unwrap();
    let lasting = text(&answer["InstanceIdSet"][0]);
    client.pass(4);
    let answer = client.tke("CreateClusterInstances", create(client.order(&network, 1))).await.unwrap();
    let early = text(&answer["InstanceIdSet"][0]);
    let leave = |more: Value| {
        let mut parameters =
            json!({"ClusterId": id, "InstanceIds": [lasting, early], "InstanceDeleteMode": "terminate"});
        parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        parameters
    };
    let answer = client.tke("DeleteClusterInstances", leave(json!({}))).await.unwrap();
    assert_eq!(answer["FailedInstanceIds"], json!([lasting, early]));
    assert_eq!(answer["SuccInstanceIds"], json!([]));
    client.pass(2);
    let protect = json!({"InstanceIds": [early], "DisableApiTermination": true});
    client.cvm("ModifyInstancesAttribute", protect).await.unwrap();
    let forced = client.tke("DeleteClusterInstances", leave(json!({"ForceDelete": true}))).await;
    assert_eq!(code(forced), "FailedOperation.CvmDeletionProtection");
    assert_eq!(client.node_list(&id).await.len(), 2);
    let release = json!({"InstanceIds": [early], "DisableApiTermination": false});
    client.cvm("ModifyInstancesAttribute", release).await.unwrap();
    let answer = client.tke("DeleteClusterInstances", leave(json!({"ForceDelete": true}))).await.unwrap();
    assert_eq!(answer["SuccInstanceIds"], json!([early]));
    let absent = json!({"ClusterId": "cls-00000000", "InstanceIds": [early], "InstanceDeleteMode": "retain"});
    assert_eq!(code(client.tke("DeleteClusterInstances", absent).await), "FailedOperation.ClusterNotFound");
    let missing = client.tke("DescribeClusterInstances", json!({"ClusterId": "cls-00000000"})).await;
    assert_eq!(code(missing), "InvalidParameter.ClusterNotFound");
}

#[tokio::test]
async fn existing_instances_are_added_one_by_one() {
    let client = client();
    let network = client.network().await;
    let id = client.cluster(&network.0).await;
    let ids = client.running(&network, 2).await;
    let elsewhere = client.run(json!({})).await.unwrap();
    let add = |ids: &[String]| json!({"ClusterId": id, "InstanceIds": ids});
    let mixed = [ids[0].clone(), elsewhere[0].clone(), "ins-00000000".to_owned()];
    let answer = client.tke("AddExistedInstances", add(&mixed)).await.unwrap();
    assert_eq!(answer["SuccInstanceIds"], json!([ids[0]]));
    assert_eq!(answer["FailedInstanceIds"], json!(mixed[1..]));
    assert_eq!(answer["FailedReasons"].as_array().unwrap().len(), 2);
    assert_eq!(client.state(&ids[0]).await, "REBOOTING");
    client.pass(5);
    assert_eq!(client.node_states(&id).await, ["running"]);
    let again = client.tke("AddExistedInstances", add(&ids[..1])).await.unwrap();
    assert_eq!(again["FailedInstanceIds"], json!([ids[0]]));
    for bad in [add(&[]), add(&["ins-1".to_owned()]), add(&[ids[1].clone(), ids[1].clone()])] {
        assert_eq!(code(client.tke("AddExistedInstances", bad).await), "InvalidParameter.Param");
    }
}

#[tokio::test]
async fn nodes_of_lost_instances_fail() {
    let client = client();
    let network = client.network().await;
    let id = client.cluster(&network.0).await;
    let nodes = client.nodes(&id, &network, 2).await;
    client.cvm("TerminateInstances", json!({"InstanceIds": [nodes[0]]})).await.unwrap();
    client.pass(1);
    assert_eq!(client.node_states(&id).await, ["failed", "running"]);
    let status = client.tke("DescribeClusterStatus", json!({"ClusterIds": [id]})).await.unwrap();
    assert_eq!(status["ClusterStatusSet"][0]["ClusterInstanceState"], "PartialAbnormal");
    // It can still be taken out.
    let leave = json!({"ClusterId": id, "InstanceIds": [nodes[0]], "InstanceDeleteMode": "terminate"});
    let answer = client.tke("DeleteClusterInstances", leave).await.unwrap();
    assert_eq!(answer["SuccInstanceIds"], json!([nodes[0]]));
}

#[tokio::test]
async fn there_is_room_for_so_many_nodes() {
    let client = Client::of(builder().quota(Quota::NodesPerCluster, 5));
    let network = client.network().await;
    let small = json!({"ClusterCIDRSettings": {"ClusterCIDR": "172.20.0.0/24", "MaxNodePodNum": 64, "MaxClusterServiceNum": 64}});
    let id = client.order_cluster(&network.0, small).await.unwrap();
    client.pass(CREATED);
    // 256 addresses, of which 64 are for services: three nodes with 64 pods each.
    let create = |count: usize, skipped: &[&str]| json!({"ClusterId": id, "RunInstancePara": client.order(&network, count), "SkipValidateOptions": skipped});
    let refused = client.tke("CreateClusterInstances", create(4, &[])).await;
    assert_eq!(code(refused), "FailedOperation.QuotaMaxNodLimit");
    client.tke("CreateClusterInstances", create(3, &[])).await.unwrap();
    client.tke("CreateClusterInstances", create(2, &["GlobalRouteCIDRCheck"])).await.unwrap();
    let refused = client.tke("CreateClusterInstances", create(1, &["GlobalRouteCIDRCheck"])).await;
    assert_eq!(code(refused), "FailedOperation.QuotaMaxNodLimit");
    assert_eq!(client.cvm("DescribeInstances", json!({})).await.unwrap()["TotalCount"], 5);
}

//! Native nodes, which TKE keeps and CVM does not list under the ids of their provider ids.

use std::time::Duration;

use futures_util::future::join_all;
use qcloud_container::kubernetes::ErrorKind;
use qcloud_container::kubernetes::instances::{InstanceState, Instances, Lookup, NodeRef};
use qcloud_container::provider::instances::{CvmInstances, InstanceSettings};
use serde_json::json;

use crate::cloud::{Cloud, Fault, When, Wire, text};

/// A cluster with so many native nodes; gives its id and the provider ids of the nodes.
async fn cluster(cloud: &Cloud, count: usize) -> (String, Vec<String>) {
    let order = json!({
        "ClusterType": "MANAGED_CLUSTER",
        "ClusterCIDRSettings": {"ClusterCIDR": "172.20.0.0/16", "MaxNodePodNum": 64},
        "ClusterBasicSettings": {"VpcId": cloud.vpc, "ClusterName": "c"},
    });
    let cluster = text(&cloud.call("tke", "CreateCluster", order).await["ClusterId"]);
    cloud.pass(Duration::from_secs(300)).await;
    let pool = json!({
        "ClusterId": cluster, "Name": "native", "Type": "Native",
        "Native": {
            "Scaling": {"MinReplicas": 0, "MaxReplicas": 400}, "SubnetIds": [cloud.subnet], "Replicas": count,
            "InstanceChargeType": "POSTPAID_BY_HOUR", "InstanceTypes": ["SA2.MEDIUM4"], "MachineType": "Native",
            "SystemDisk": {"DiskType": "CLOUD_PREMIUM", "DiskSize": 50},
        },
    });
    cloud.call("tke2", "CreateNodePool", pool).await;
    cloud.pass(Duration::from_secs(60)).await;
    let mut ids = Vec::new();
    loop {
        let page = json!({"ClusterId": cluster, "Offset": ids.len(), "Limit": 100});
        let answer = cloud.call("tke2", "DescribeClusterInstances", page).await;
        let nodes = answer["InstanceSet"].as_array().unwrap();
        // TKE writes `kn-` into provider ids where the API has `eks-`.
        ids.extend(nodes.iter().map(|node| text(&node["Native"]["InstanceId"]).replace("eks-", "tencentcloud://kn-")));
        if nodes.len() < 100 {
            break;
        }
    }
    assert_eq!(ids.len(), count);
    cloud.forget();
    (cluster, ids)
}

fn provider(cloud: &Cloud, cluster: &str) -> (CvmInstances, Wire) {
    let (config, wire) = cloud.process();
    let mut settings = InstanceSettings::new(&cloud.vpc);
    settings.tke_cluster_id = Some(cluster.to_owned());
    (CvmInstances::new(&config, settings).unwrap(), wire)
}

fn node(provider_id: &str) -> NodeRef {
    NodeRef::new("n").with_provider_id(provider_id)
}

#[tokio::test]
async fn native_nodes_are_found_together() {
    let cloud = Cloud::new().await;
    let (cluster, ids) = cluster(&cloud, 120).await;
    let (machines, _) = provider(&cloud, &cluster);
    let nodes: Vec<NodeRef> = ids.iter().map(|id| node(id)).collect();
    let found = join_all(nodes.iter().map(|node| machines.metadata(node))).await;
    for (machine, id) in found.iter().zip(&ids) {
        let machine = machine.as_ref().unwrap();
        assert_eq!((&machine.provider_id, machine.state), (id, InstanceState::Running));
        assert_eq!((machine.instance_type.as_str(), machine.zone.as_str()), ("SA2.MEDIUM4", "ap-guangzhou-3"));
        assert!(machine.internal_addresses().next().is_some());
    }
    assert_eq!(cloud.emulator.calls().total(), 2, "two pages for all of them");
    assert!(machines.lookup(&nodes).await.iter().all(Lookup::is_found));
    assert_eq!(cloud.emulator.calls().total(), 2);
}

#[tokio::test]
async fn a_native_node_is_absent_only_with_proof() {
    let cloud = Cloud::new().await;
    let (cluster, ids) = cluster(&cloud, 3).await;
    let (machines, wire) = provider(&cloud, &cluster);
    let list = json!({"ClusterId": cluster});
    let answer = cloud.call("tke2", "DescribeClusterInstances", list).await;
    let named = |id: &str| {
        let all = answer["InstanceSet"].as_array().unwrap();
        let is = |node: &&serde_json::Value| text(&node["Native"]["InstanceId"])[4..] == id[id.len() - 8..];
        text(&all.iter().find(is).unwrap()["Native"]["MachineName"])
    };
    let doomed = node(&ids[0]);
    assert!(machines.lookup_one(&doomed).await.is_found());
    cloud.call("tke2", "StopMachines", json!({"ClusterId": cluster, "MachineNames": [named(&ids[1])]})).await;
    let delete = json!({"ClusterId": cluster, "MachineNames": [named(&ids[0])], "EnableScaleDown": true});
    cloud.call("tke2", "DeleteClusterMachines", delete).await;
    cloud.pass(Duration::from_secs(61)).await;
    assert!(machines.is_shutdown(&node(&ids[1])).await.unwrap());
    // The first look proves nothing, and neither do refused, empty or cut-off ones.
    assert!(machines.lookup_one(&doomed).await.is_unknown());
    cloud.pass(Duration::from_secs(61)).await;
    let lies: [Fault; 3] = [
        Fault::Code("UnauthorizedOperation.CamNoAuth"),
        Fault::Rewrite(std::sync::Arc::new(|answer| answer["InstanceSet"] = json!([]))),
        Fault::Rewrite(std::sync::Arc::new(|answer| answer["TotalCount"] = json!(7))),
    ];
    for lie in lies {
        wire.spoil("DescribeClusterInstances", When::Always, lie);
        assert!(machines.lookup_one(&doomed).await.is_unknown());
        wire.heal();
        cloud.pass(Duration::from_secs(6)).await;
    }
    assert!(machines.lookup_one(&doomed).await.is_not_found());
    assert!(machines.lookup_one(&node(&ids[2])).await.is_found());
}

#[tokio::test]
async fn without_the_cluster_nobody_knows() {
    let cloud = Cloud::new().await;
    let machines = CvmInstances::new(&cloud.process().0, InstanceSettings::new(&cloud.vpc)).unwrap();
    let Lookup::Unknown(error) = machines.lookup_one(&node("tencentcloud://kn-1a2b3c4d")).await else { panic!() };
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("cluster"), "{error}");
    // A cluster without native nodes is more likely the wrong one than one that lost them all.
    let order = json!({
        "ClusterType": "MANAGED_CLUSTER",
        "ClusterCIDRSettings": {"ClusterCIDR": "172.20.0.0/16", "MaxNodePodNum": 64},
        "ClusterBasicSettings": {"VpcId": cloud.vpc, "ClusterName": "c"},
    });
    let cluster = text(&cloud.call("tke", "CreateCluster", order).await["ClusterId"]);
    let (machines, _) = provider(&cloud, &cluster);
    for _ in 0..5 {
        assert!(machines.lookup_one(&node("tencentcloud://kn-1a2b3c4d")).await.is_unknown());
        cloud.pass(Duration::from_secs(100)).await;
    }
}

//! What the tests of clusters share.

use serde_json::{Value, json};

use crate::client::{Client, Refusal, text};

/// Seconds until a new cluster runs.
pub(crate) const CREATED: u64 = 5;
/// Seconds until a new instance is a running node: two to boot and two to join.
pub(crate) const JOINED: u64 = 4;

impl Client {
    pub(crate) async fn tke(&self, action: &str, parameters: Value) -> Result<Value, Refusal> {
        self.call("tke", action, parameters).await
    }

    /// An action of the newer version.
    pub(crate) async fn tke2(&self, action: &str, parameters: Value) -> Result<Value, Refusal> {
        self.call_version("tke", "2022-05-01", action, parameters).await
    }

    /// Orders a cluster with the pods' network 172.20.0.0/16; `more` adds parameters.
    pub(crate) async fn order_cluster(&self, vpc: &str, more: Value) -> Result<String, Refusal> {
        let mut parameters = json!({
            "ClusterType": "MANAGED_CLUSTER",
            "ClusterBasicSettings": {"VpcId": vpc, "ClusterName": "lab", "ClusterVersion": "1.30.0"},
            "ClusterCIDRSettings": {"ClusterCIDR": "172.20.0.0/16", "MaxNodePodNum": 64},
        });
        for (name, value) in more.as_object().unwrap() {
            parameters[name] = value.clone();
        }
        self.tke("CreateCluster", parameters).await.map(|answer| text(&answer["ClusterId"]))
    }

    /// A cluster that runs.
    pub(crate) async fn cluster(&self, vpc: &str) -> String {
        let id = self.order_cluster(vpc, json!({})).await.unwrap();
        self.pass(CREATED);
        id
    }

    /// Parameters of `RunInstances` as the container service takes them.
    pub(crate) fn order(&self, network: &(String, String), count: usize) -> String {
        json!({
            "Placement": {"Zone": "ap-guangzhou-3"},
            "InstanceType": "S5.MEDIUM4",
            "InstanceCount": count,
            "VirtualPrivateCloud": {"VpcId": network.0, "SubnetId": network.1},
            "PurchaseSource": "unknown members are left out",
        })
        .to_string()
    }

    /// Makes nodes and waits until they run; gives their instance ids.
    pub(crate) async fn nodes(&self, cluster: &str, network: &(String, String), count: usize) -> Vec<String> {
        let parameters = json!({"ClusterId": cluster, "RunInstancePara": self.order(network, count)});
        let answer = self.tke("CreateClusterInstances", parameters).await.unwrap();
        self.pass(JOINED);
        answer["InstanceIdSet"].as_array().unwrap().iter().map(text).collect()
    }

    /// The nodes of a cluster, as the older version lists them.
    pub(crate) async fn node_list(&self, cluster: &str) -> Vec<Value> {
        let parameters = json!({"ClusterId": cluster, "Limit": 100});
        let mut answer = self.tke("DescribeClusterInstances", parameters).await.unwrap();
        serde_json::from_value(answer["InstanceSet"].take()).unwrap()
    }

    /// The states of a cluster's nodes, one after the other.
    pub(crate) async fn node_states(&self, cluster: &str) -> Vec<String> {
        self.node_list(cluster).await.iter().map(|node| text(&node["InstanceState"])).collect()
    }

    pub(crate) async fn cluster_state(&self, cluster: &str) -> String {
        let answer = self.tke("DescribeClusters", json!({"ClusterIds": [cluster]})).await.unwrap();
        answer["Clusters"].get(0).map_or_else(|| "gone".to_owned(), |cluster| text(&cluster["ClusterStatus"]))
    }
}

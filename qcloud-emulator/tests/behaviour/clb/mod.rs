//! Load balancers: what the adapters of a cluster do with them.

use serde_json::{Value, json};

use crate::client::{Client, Refusal, text};

mod atomicity;
mod creation;
mod data_path;
mod deletion;
mod detail;
mod examples;
mod health;
mod listeners;
mod lists;
mod registration;
mod rules;
mod tags;
mod target_groups;
mod tasks;

/// A network with instances that run.
pub(super) struct Network {
    pub(super) vpc: String,
    pub(super) subnet: String,
    pub(super) instances: Vec<String>,
}

pub(super) async fn network(client: &Client, instances: usize) -> Network {
    let network = client.network().await;
    let instances = if instances == 0 { Vec::new() } else { client.running(&network, instances).await };
    Network { vpc: network.0, subnet: network.1, instances }
}

/// `base` with members added or replaced.
pub(super) fn with(mut base: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        base[name] = value.clone();
    }
    base
}

impl Client {
    pub(super) async fn clb(&self, action: &str, parameters: Value) -> Result<Value, Refusal> {
        self.call("clb", action, parameters).await
    }

    /// Calls and lets the task come to its end.
    pub(super) async fn clb_done(&self, action: &str, parameters: Value) -> Value {
        let answer = self.clb(action, parameters).await.unwrap();
        self.pass(2);
        assert_eq!(self.task(&text(&answer["RequestId"])).await, 0, "{action}");
        answer
    }

    pub(super) async fn task(&self, id: &str) -> i64 {
        let answer = self.clb("DescribeTaskStatus", json!({"TaskId": id})).await.unwrap();
        answer["Status"].as_i64().unwrap()
    }

    /// Public load balancers that are ready.
    pub(super) async fn balancers(&self, vpc: &str, more: Value) -> Vec<String> {
        let parameters = with(json!({"LoadBalancerType": "OPEN", "VpcId": vpc}), &more);
        let answer = self.clb_done("CreateLoadBalancer", parameters).await;
        answer["LoadBalancerIds"].as_array().unwrap().iter().map(text).collect()
    }

    pub(super) async fn balancer(&self, vpc: &str) -> String {
        self.balancers(vpc, json!({})).await.remove(0)
    }

    pub(super) async fn shown(&self, balancer: &str) -> Option<Value> {
        let answer = self.clb("DescribeLoadBalancers", json!({"LoadBalancerIds": [balancer]})).await.unwrap();
        answer["LoadBalancerSet"].as_array().unwrap().first().cloned()
    }

    pub(super) async fn vip(&self, balancer: &str) -> String {
        text(&self.shown(balancer).await.unwrap()["LoadBalancerVips"][0])
    }

    pub(super) async fn listener(&self, balancer: &str, protocol: &str, port: u16) -> String {
        let parameters = json!({"LoadBalancerId": balancer, "Protocol": protocol, "Ports": [port]});
        text(&self.clb_done("CreateListener", parameters).await["ListenerIds"][0])
    }

    pub(super) async fn listeners(&self, balancer: &str) -> Vec<Value> {
        let answer = self.clb("DescribeListeners", json!({"LoadBalancerId": balancer})).await.unwrap();
        let listeners = answer["Listeners"].as_array().unwrap().clone();
        assert_eq!(answer["TotalCount"], listeners.len());
        listeners
    }

    /// The targets of a layer-4 listener, as instance or address, port and weight.
    pub(super) async fn bound(&self, balancer: &str, listener: &str) -> Vec<(String, u64, u64)> {
        let parameters = json!({"LoadBalancerId": balancer, "ListenerIds": [listener]});
        let answer = self.clb("DescribeTargets", parameters).await.unwrap();
        let targets = answer["Listeners"][0]["Targets"].as_array().unwrap();
        let name = |target: &Value| match target["InstanceId"].as_str() {
            Some("") | None => text(&target["PrivateIpAddresses"][0]),
            Some(id) => id.to_owned(),
        };
        let number = |value: &Value| value.as_u64().unwrap();
        targets.iter().map(|target| (name(target), number(&target["Port"]), number(&target["Weight"]))).collect()
    }
}

//! How everything ought to be, told from the objects of the cluster and the machines alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::world::{UNINITIALIZED, World, is_of_others};

const SHUTDOWN: &str = "node.cloudprovider.kubernetes.io/shutdown";

type Outcome = Result<(), String>;

fn check(so: bool, otherwise: impl FnOnce() -> String) -> Outcome {
    if so { Ok(()) } else { Err(otherwise()) }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

impl World {
    /// Whether all is as it ought to be, or what is not.
    pub(crate) async fn truth(&self) -> Outcome {
        self.nodes().await?;
        self.routes().await?;
        self.balancers().await?;
        check(self.others_service() == self.others, || "a Service of another class was touched".to_owned())?;
        self.cloud.check_foreigners().await
    }

    /// Each machine has its node, initialised, tainted only while it is stopped; nodes without a machine are gone.
    async fn nodes(&self) -> Outcome {
        let states = self.cloud.states().await;
        let mut expected: BTreeSet<String> = self.elsewhere.iter().map(|name| (*name).to_owned()).collect();
        for machine in self.machines.iter().filter(|machine| !machine.terminated && machine.uid.is_some()) {
            let name = machine.node();
            let node = self.server.get("v1", "Node", "", &name).unwrap();
            let taints: Vec<&str> = items(&node["spec"]["taints"]).map(|taint| text(&taint["key"])).collect();
            check(!taints.contains(&UNINITIALIZED), || format!("{name} is not initialised"))?;
            let id = &machine.id;
            check(text(&node["spec"]["providerID"]).ends_with(&**id), || {
                format!("{name} is not known to be {id}: {node:#}")
            })?;
            let stopped = states[id] == "STOPPED";
            check(taints.contains(&SHUTDOWN) == stopped, || {
                format!("{name} is {}, with the taints {taints:?}", states[id])
            })?;
            let address = json!({ "type": "InternalIP", "address": machine.address });
            check(items(&node["status"]["addresses"]).any(|one| *one == address), || {
                format!("{name} has a wrong address")
            })?;
            let mut conditions = items(&node["status"]["conditions"]);
            let network = conditions.find(|condition| condition["type"] == "NetworkUnavailable");
            check(network.is_some_and(|network| network["status"] == "False"), || {
                format!("{name} has no network: {network:?}")
            })?;
            expected.insert(name);
        }
        let nodes = self.server.list("v1", "Node");
        let found: BTreeSet<String> = nodes.iter().map(|node| text(&node["metadata"]["name"]).to_owned()).collect();
        check(found == expected, || {
            let left = nodes.iter().find(|node| !expected.contains(text(&node["metadata"]["name"])));
            format!("the nodes are {found:?}, not {expected:?}; {left:#?}")
        })
    }

    /// One route for each node, and no other of ours.
    async fn routes(&self) -> Outcome {
        let alive = self.machines.iter().filter(|machine| !machine.terminated && machine.uid.is_some());
        let expected: BTreeMap<String, String> =
            alive.map(|machine| (machine.network(), machine.address.clone())).collect();
        let mut found = BTreeMap::new();
        for (network, next_hop) in self.cloud.routes(self.cluster_table).await {
            let twice = found.insert(network.clone(), next_hop).is_some();
            check(!twice, || format!("two routes to {network}"))?;
        }
        check(found == expected, || format!("the routes are {found:?}, not {expected:?}"))
    }

    /// One balancer for each Service that wants one, with its listeners and targets, and no other.
    async fn balancers(&self) -> Outcome {
        let mut services = self.server.list("v1", "Service");
        services.retain(|service| !is_of_others(service));
        let mut expected = BTreeMap::new();
        for service in services.iter().filter(|service| service["spec"]["type"] == "LoadBalancer") {
            let name = text(&service["metadata"]["name"]);
            let gone = !service["metadata"]["deletionTimestamp"].is_null();
            check(!gone, || format!("{name} is still being deleted"))?;
            let address = &service["status"]["loadBalancer"]["ingress"][0]["ip"];
            check(address.is_string(), || format!("{name} has no address"))?;
            let twice = expected.insert(text(address).to_owned(), service).is_some();
            check(!twice, || format!("two Services at {address}"))?;
        }
        for service in services.iter().filter(|service| service["spec"]["type"] != "LoadBalancer") {
            let name = text(&service["metadata"]["name"]);
            let held = items(&service["metadata"]["finalizers"]).next().is_some();
            check(!held, || format!("{name} wants no balancer, and is still held"))?;
        }
        let groups = self.cloud.groups().await;
        let mut found = BTreeSet::new();
        for balancer in self.cloud.balancers().await {
            let id = text(&balancer["LoadBalancerId"]);
            if id == self.cloud.foreign_balancer {
                continue;
            }
            let address = text(&balancer["LoadBalancerVips"][0]);
            let service = expected.get(address).ok_or_else(|| format!("{id} at {address} belongs to no Service"))?;
            found.insert(address.to_owned());
            self.listeners(id, service).await?;
            let own: Vec<&str> =
                groups.iter().filter(|(_, uid)| service["metadata"]["uid"] == **uid).map(|(id, _)| &**id).collect();
            let on: Vec<&str> = items(&balancer["SecureGroups"]).map(text).collect();
            let limited = !service["spec"]["loadBalancerSourceRanges"].is_null();
            // The group of a Service that no longer limits who reaches it may stay, on no balancer, until the Service goes.
            check(if limited { own == on } else { on.is_empty() && own.len() <= 1 }, || {
                let name = text(&service["metadata"]["name"]);
                format!("{name}, limited: {limited}, has the security groups {own:?}, and its balancer {on:?}")
            })?;
        }
        check(found.len() == expected.len(), || format!("balancers at {found:?}, Services at {:?}", expected.keys()))?;
        let gone = groups.iter().find(|(_, uid)| !expected.values().any(|service| service["metadata"]["uid"] == **uid));
        check(gone.is_none(), || format!("the security group of a Service that went: {gone:?}"))
    }

    async fn listeners(&self, balancer: &str, service: &Value) -> Outcome {
        let name = text(&service["metadata"]["name"]);
        let shown = self.cloud.clb("DescribeTargets", json!({ "LoadBalancerId": balancer })).await;
        let mut found = BTreeMap::new();
        for listener in items(&shown["Listeners"]) {
            let targets: BTreeSet<(String, u64)> = items(&listener["Targets"])
                .map(|target| (text(&target["InstanceId"]).to_owned(), target["Port"].as_u64().unwrap_or_default()))
                .collect();
            found.insert((listener["Port"].as_u64(), text(&listener["Protocol"]).to_owned()), targets);
        }
        let machines = self.targets(service);
        let mut expected = BTreeMap::new();
        for port in items(&service["spec"]["ports"]) {
            let node_port = port["nodePort"].as_u64().unwrap();
            let targets: BTreeSet<(String, u64)> = machines.iter().map(|id| (id.clone(), node_port)).collect();
            expected.insert((port["port"].as_u64(), text(&port["protocol"]).to_owned()), targets);
        }
        check(found == expected, || format!("{name} at {balancer} has {found:#?}, not {expected:#?}"))
    }

    /// The machines that traffic of a Service goes to: all, or those with its pods.
    fn targets(&self, service: &Value) -> Vec<String> {
        let name = text(&service["metadata"]["name"]);
        let slice = self.server.get("discovery.k8s.io/v1", "EndpointSlice", "default", &format!("{name}-1"));
        let slice = slice.unwrap_or_default();
        let local = service["spec"]["externalTrafficPolicy"] == "Local";
        let with_pods: BTreeSet<&str> =
            items(&slice["endpoints"]).map(|endpoint| text(&endpoint["nodeName"])).collect();
        let alive = self.machines.iter().filter(|machine| !machine.terminated && machine.uid.is_some());
        let chosen = alive.filter(|machine| !local || with_pods.contains(machine.node().as_str()));
        chosen.map(|machine| machine.id.clone()).collect()
    }
}

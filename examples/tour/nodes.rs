//! The nodes of the cluster: which machine stands behind each of them.

use std::net::IpAddr;

use qcloud_container::kubernetes::instances::{
    Instance, Lookup, NodeOp, NodeRecord, NodeRef, UNINITIALIZED_TAINT, plan,
};
use qcloud_cvm::model::DescribeInstances;

use crate::Step;
use crate::account::Account;
use crate::cluster::Cluster;

/// A node that has got its machine.
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) address: IpAddr,
    pub(crate) machine: Instance,
    /// Its number, which is also in the network of its pods.
    number: usize,
}

impl Node {
    /// The network of its pods, which the controller manager of Kubernetes gives it.
    pub(crate) fn pod_network(&self) -> String {
        format!("172.16.{}.0/24", self.number)
    }

    /// The address of the pod on it.
    pub(crate) fn pod(&self) -> String {
        format!("172.16.{}.10", self.number)
    }
}

pub(crate) async fn find(account: &Account, cluster: &Cluster, ids: &[String]) -> Step<Vec<Node>> {
    account.title("Its nodes, found by their addresses");
    let running = account.cvm.describe_instances(DescribeInstances::new().instance_ids(ids)).await?.instance_set;
    let mut references = Vec::new();
    for (number, address) in running.iter().filter_map(|instance| instance.private_ip_addresses.first()).enumerate() {
        // As a kubelet registers: it knows its name and its address, and nothing of the cloud.
        references.push(NodeRef::new(format!("node-{number}")).with_address(address.parse()?));
    }

    let mut nodes = Vec::new();
    let lookups = cluster.machines.lookup(&references).await;
    for (number, (reference, lookup)) in references.into_iter().zip(lookups).enumerate() {
        let machine = match lookup {
            Lookup::Found(machine) => machine,
            Lookup::NotFound(absence) => return Err(format!("{} has no machine: {absence}", reference.name).into()),
            Lookup::Unknown(error) => return Err(error.into()),
        };
        let mut record = NodeRecord::default();
        record.ready = true;
        record.taints.insert(UNINITIALIZED_TAINT.to_owned());
        let ops = plan(&record, Lookup::Found(machine.clone()))?.ops;
        let labels = ops.iter().filter(|op| matches!(op, NodeOp::SetLabel(..))).count();
        account.tell(&format!(
            "{} is {} in {}: {labels} labels to set, then the taint goes",
            reference.name, machine.provider_id, machine.zone
        ));
        let Some(address) = machine.internal_addresses().next() else { continue };
        nodes.push(Node { name: reference.name, address, machine, number });
    }
    Ok(nodes)
}

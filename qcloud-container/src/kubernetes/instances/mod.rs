//! Machines behind nodes: whether they exist, what they are, where they stand.
//!
//! | Kubernetes asks | here |
//! |---|---|
//! | `InstancesV2.InstanceExists` | [`Instances::exists`] |
//! | `InstancesV2.InstanceShutdown` | [`Instances::is_shutdown`] |
//! | `InstancesV2.InstanceMetadata`, `Zones` | [`Instances::metadata`] |
//! | the periodic update of all nodes | [`Instances::list`], once |

pub mod conformance;
mod in_memory;
mod instance;
mod inventory;
#[cfg(feature = "k8s-openapi")]
mod node;
mod plan;

use std::time::Duration;

use async_trait::async_trait;

pub use in_memory::InMemoryInstances;
pub use instance::{Absence, AddressKind, Instance, InstanceState, Lookup, NodeAddress, NodeRef};
pub use inventory::Inventory;
pub use plan::{NodeOp, NodePlan, NodeRecord, SHUTDOWN_TAINT, UNINITIALIZED_TAINT, plan};

use super::{ErrorKind, ProviderError, Result};

/// Finds machines.
#[async_trait]
pub trait Instances: Send + Sync {
    /// Looks up the machines of many nodes at once; answers in their order. One bad reference does not spoil the others.
    ///
    /// Concurrent calls share requests to the cloud, so calling it for one node at a time is fine, too.
    async fn lookup(&self, nodes: &[NodeRef]) -> Vec<Lookup<Instance>>;

    /// All machines of the cluster's network.
    async fn list(&self) -> Result<Inventory>;

    /// What a lookup of one node says.
    async fn lookup_one(&self, node: &NodeRef) -> Lookup<Instance> {
        let one = self.lookup(std::slice::from_ref(node)).await.pop();
        one.unwrap_or_else(|| {
            Lookup::Unknown(ProviderError::new(ErrorKind::Internal, "the provider gave no answer for the node"))
        })
    }

    /// Whether the node's machine exists. `false` makes a controller delete the node: it is said only of a proven
    /// absence, and a doubt is an error.
    async fn exists(&self, node: &NodeRef) -> Result<bool> {
        match self.lookup_one(node).await {
            Lookup::Found(_) => Ok(true),
            Lookup::NotFound(_) => Ok(false),
            Lookup::Unknown(error) => Err(error),
        }
    }

    /// Whether the node's machine exists but runs nothing.
    async fn is_shutdown(&self, node: &NodeRef) -> Result<bool> {
        found(node, self.lookup_one(node).await).map(|instance| instance.state.is_shutdown())
    }

    /// The node's machine, once it is far enough to be described.
    async fn metadata(&self, node: &NodeRef) -> Result<Instance> {
        let instance = found(node, self.lookup_one(node).await)?;
        if instance.internal_addresses().next().is_none() {
            let message = format!("the machine {} of node {} has no address yet", instance.id, node.name);
            return Err(ProviderError::pending(message, Duration::from_secs(5)));
        }
        Ok(instance)
    }
}

fn found(node: &NodeRef, lookup: Lookup<Instance>) -> Result<Instance> {
    match lookup {
        Lookup::Found(instance) => Ok(instance),
        Lookup::NotFound(absence) => Err(ProviderError::new(
            ErrorKind::NotFound,
            format!("the machine of node {} does not exist: {absence}", node.name),
        )),
        Lookup::Unknown(error) => Err(error),
    }
}

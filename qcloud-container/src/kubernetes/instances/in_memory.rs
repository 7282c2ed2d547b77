//! The reference implementation: machines that exist in memory only.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::conformance::InstancesHarness;
use super::{Absence, AddressKind, Instance, InstanceState, Instances, Inventory, Lookup, NodeAddress, NodeRef};
use crate::kubernetes::{ErrorKind, ProviderError, Result};

/// Machines in memory. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct InMemoryInstances(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    made: u8,
    machines: Vec<Instance>,
    /// Time on the clock of this world.
    now: Duration,
    failing: bool,
    /// When each unknown id was first asked for in vain.
    missed: HashMap<String, Duration>,
}

/// How far apart two looks must be to prove an absence.
const GRACE: Duration = Duration::from_secs(30);

impl InMemoryInstances {
    /// No machines yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a machine.
    pub fn insert(&self, instance: Instance) {
        self.state().machines.push(instance);
    }

    /// Takes a machine away.
    pub fn remove(&self, id: &str) {
        self.state().machines.retain(|machine| machine.id != id);
    }

    /// Changes what a machine is doing.
    pub fn set_state(&self, id: &str, state: InstanceState) {
        for machine in self.state().machines.iter_mut().filter(|machine| machine.id == id) {
            machine.state = state;
        }
    }
}

impl State {
    fn lookup(&mut self, node: &NodeRef) -> Lookup<Instance> {
        if self.failing {
            return Lookup::Unknown(ProviderError::new(ErrorKind::Unavailable, "told to fail"));
        }
        let Some(provider_id) = &node.provider_id else {
            let named: Option<IpAddr> = node.name.parse().ok();
            let found = self.machines.iter().find(|machine| {
                machine.internal_addresses().any(|own| node.addresses.contains(&own) || named == Some(own))
            });
            return match found {
                Some(machine) => Lookup::Found(machine.clone()),
                None => Lookup::Unknown(ProviderError::new(
                    ErrorKind::Unavailable,
                    format!("the node {} has no provider id, and no machine has its address", node.name),
                )),
            };
        };
        let Some(id) = provider_id.strip_prefix("memory:///") else {
            let message = format!("`{provider_id}` is no provider id of this provider");
            return Lookup::Unknown(ProviderError::new(ErrorKind::InvalidArgument, message));
        };
        if let Some(machine) = self.machines.iter().find(|machine| machine.id == id) {
            self.missed.remove(id);
            return Lookup::Found(machine.clone());
        }
        let apart = self.now.saturating_sub(*self.missed.entry(id.to_owned()).or_insert(self.now));
        if apart >= GRACE {
            return Lookup::NotFound(Absence::NotListed { apart });
        }
        let message = format!("the machine {id} is not listed; looking again before believing it");
        Lookup::Unknown(ProviderError::pending(message, GRACE.saturating_sub(apart)))
    }
}

#[async_trait]
impl Instances for InMemoryInstances {
    async fn lookup(&self, nodes: &[NodeRef]) -> Vec<Lookup<Instance>> {
        let mut state = self.state();
        nodes.iter().map(|node| state.lookup(node)).collect()
    }

    async fn list(&self) -> Result<Inventory> {
        let state = self.state();
        if state.failing {
            return Err(ProviderError::new(ErrorKind::Unavailable, "told to fail"));
        }
        Ok(Inventory::new(state.machines.iter().cloned(), true))
    }
}

#[async_trait]
impl InstancesHarness for InMemoryInstances {
    async fn provider(&self) -> Arc<dyn Instances> {
        Arc::new(self.clone())
    }

    async fn start(&self) -> NodeRef {
        let mut state = self.state();
        state.made = state.made.saturating_add(1);
        let id = format!("m-{}", state.made);
        let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, state.made));
        let mut machine = Instance::new(&id, format!("memory:///{id}"));
        machine.instance_type = "small".to_owned();
        machine.zone = "zone-1".to_owned();
        machine.region = "region".to_owned();
        machine.network = "network".to_owned();
        machine.addresses.push(NodeAddress { kind: AddressKind::Internal, address });
        state.machines.push(machine);
        NodeRef::new(format!("node-{id}")).with_provider_id(format!("memory:///{id}")).with_address(address)
    }

    async fn stop(&self, node: &NodeRef) {
        let id = node.provider_id.as_deref().and_then(|id| id.strip_prefix("memory:///")).unwrap_or_default();
        self.set_state(id, InstanceState::Stopped);
    }

    async fn destroy(&self, node: &NodeRef) {
        let id = node.provider_id.as_deref().and_then(|id| id.strip_prefix("memory:///")).unwrap_or_default();
        self.remove(id);
    }

    async fn pass(&self, time: Duration) {
        self.state().now += time;
    }

    async fn fail(&self, failing: bool) {
        self.state().failing = failing;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::instances::conformance;

    #[tokio::test]
    async fn the_reference_implementation_conforms() {
        conformance::run(&InMemoryInstances::new()).await.into_result().unwrap_or_else(|report| panic!("{report}"));
    }
}

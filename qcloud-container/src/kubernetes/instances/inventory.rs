//! All machines at one moment, found by id and by address.

use std::collections::HashMap;
use std::net::IpAddr;

use super::Instance;

/// The answer to a sweep.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    instances: Vec<Instance>,
    by_id: HashMap<String, usize>,
    by_address: HashMap<IpAddr, Owner>,
    complete: bool,
}

#[derive(Clone, Copy, Debug)]
enum Owner {
    One(usize),
    /// An address that two machines have says nothing.
    Several,
}

impl Inventory {
    /// Machines of one network. One that occurs twice counts once, as it was last.
    ///
    /// `complete` says whether the list can't have missed one: machines came and went while it was read, say. From a list
    /// that may have, nothing is absent.
    #[must_use]
    pub fn new(listed: impl IntoIterator<Item = Instance>, complete: bool) -> Self {
        let mut inventory = Self { complete, ..Self::default() };
        for instance in listed {
            match inventory.by_id.get(&instance.id).copied() {
                Some(place) => {
                    if let Some(known) = inventory.instances.get_mut(place) {
                        *known = instance;
                    }
                }
                None => {
                    inventory.by_id.insert(instance.id.clone(), inventory.instances.len());
                    inventory.instances.push(instance);
                }
            }
        }
        for (place, instance) in inventory.instances.iter().enumerate() {
            for address in instance.internal_addresses() {
                let owner = inventory.by_address.entry(address).or_insert(Owner::One(place));
                if !matches!(owner, Owner::One(known) if *known == place) {
                    *owner = Owner::Several;
                }
            }
        }
        inventory
    }

    /// Whether the list can't have missed a machine.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// All machines, in the order of the list.
    #[must_use]
    pub fn instances(&self) -> &[Instance] {
        &self.instances
    }

    /// The machine of this id.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<&Instance> {
        self.instances.get(*self.by_id.get(id)?)
    }

    /// The one machine that has this internal address.
    #[must_use]
    pub fn by_address(&self, address: IpAddr) -> Option<&Instance> {
        match self.by_address.get(&address)? {
            Owner::One(place) => self.instances.get(*place),
            Owner::Several => None,
        }
    }

    /// Whether some machine has this internal address, even if it can't be said which.
    #[must_use]
    pub fn has_address(&self, address: IpAddr) -> bool {
        self.by_address.contains_key(&address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::instances::{AddressKind, NodeAddress};

    fn instance(id: &str, address: &str) -> Instance {
        let mut instance = Instance::new(id, format!("test:///{id}"));
        instance.addresses.push(NodeAddress { kind: AddressKind::Internal, address: address.parse().unwrap() });
        instance
    }

    #[test]
    fn a_machine_that_is_listed_twice_counts_once() {
        let inventory = Inventory::new([instance("a", "10.0.0.1"), instance("a", "10.0.0.2")], true);
        assert_eq!(inventory.instances().len(), 1);
        assert!(inventory.by_address("10.0.0.1".parse().unwrap()).is_none());
        assert_eq!(inventory.by_address("10.0.0.2".parse().unwrap()).unwrap().id, "a");
    }

    #[test]
    fn an_address_of_two_machines_names_neither() {
        let inventory = Inventory::new([instance("a", "10.0.0.1"), instance("b", "10.0.0.1")], true);
        assert!(inventory.by_address("10.0.0.1".parse().unwrap()).is_none());
        assert!(inventory.has_address("10.0.0.1".parse().unwrap()));
    }
}

//! What a lookup means for a node object: pure, for controllers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::{AddressKind, Instance, Lookup, NodeAddress};
use crate::kubernetes::{ErrorKind, ProviderError, Result};

/// The taint of a node that no cloud controller has seen yet.
pub const UNINITIALIZED_TAINT: &str = "node.cloudprovider.kubernetes.io/uninitialized";
/// The taint of a node whose machine is shut down.
pub const SHUTDOWN_TAINT: &str = "node.cloudprovider.kubernetes.io/shutdown";

/// What matters of a node object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeRecord {
    /// `spec.providerID`.
    pub provider_id: Option<String>,
    /// All labels.
    pub labels: BTreeMap<String, String>,
    /// The keys of all taints.
    pub taints: BTreeSet<String>,
    /// Internal and external addresses of the status.
    pub addresses: Vec<NodeAddress>,
    /// The annotation `alpha.kubernetes.io/provided-node-ip`: the addresses that the kubelet was told to use.
    pub provided_addresses: Vec<IpAddr>,
    /// Whether the node says that it is ready.
    pub ready: bool,
}

/// A change of a node object.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeOp {
    /// Set `spec.providerID`; it can't be changed any more after that.
    SetProviderId(String),
    /// Set a label.
    SetLabel(String, String),
    /// Replace the internal and external addresses of the status; a host name stays.
    SetAddresses(Vec<NodeAddress>),
    /// Add a taint that keeps new pods away.
    AddTaint(&'static str),
    /// Remove a taint.
    RemoveTaint(&'static str),
    /// Delete the node: its machine is proven not to exist.
    Delete,
}

/// What to change of a node.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct NodePlan {
    /// The changes, in order.
    pub ops: Vec<NodeOp>,
    /// Why that is not all: the machine has no address yet, or lacks the one that the kubelet was given. What does not
    /// depend on addresses is done for all that.
    pub obstacle: Option<ProviderError>,
}

/// What to change of a node after a lookup of its machine. Planning again after applying gives no further changes.
///
/// A node without a provider id gets it, with its labels, also when it is not new: its kubelet may have registered it
/// before there was a cloud controller.
///
/// A node that is ready is never deleted: its kubelet lives, so the machine does, whatever the cloud says.
///
/// # Errors
/// When nobody can say whether the machine exists, when it is not far enough, or when the node and the cloud contradict
/// each other: the node's provider id names another machine than the one that was found, or the node is ready and its machine
/// can't be found. Addresses that contradict the kubelet's are an [obstacle](NodePlan::obstacle); all others become those of
/// the machine.
pub fn plan(node: &NodeRecord, lookup: Lookup<Instance>) -> Result<NodePlan> {
    let instance = match lookup {
        Lookup::Found(instance) => instance,
        Lookup::NotFound(_) if node.ready => {
            return Err(ProviderError::new(ErrorKind::Conflict, "the node is ready, but its machine can't be found"));
        }
        Lookup::NotFound(_) => return Ok(NodePlan { ops: vec![NodeOp::Delete], obstacle: None }),
        Lookup::Unknown(error) => return Err(error),
    };
    if let Some(named) = node.provider_id.as_deref().filter(|id| !id.is_empty())
        && machine(named) != machine(&instance.provider_id)
    {
        let message = format!("the node is `{named}`, but the machine that was found is `{}`", instance.provider_id);
        return Err(ProviderError::new(ErrorKind::Conflict, message));
    }
    let mut ops = Vec::new();
    if instance.state.is_shutdown() && !node.ready {
        if !node.taints.contains(SHUTDOWN_TAINT) {
            ops.push(NodeOp::AddTaint(SHUTDOWN_TAINT));
        }
    } else if node.taints.contains(SHUTDOWN_TAINT) {
        ops.push(NodeOp::RemoveTaint(SHUTDOWN_TAINT));
    }
    let is_new = node.taints.contains(UNINITIALIZED_TAINT);
    if instance.addresses.is_empty() {
        let obstacle = is_new.then(|| {
            let message = format!("the machine {} has no address yet", instance.id);
            ProviderError::pending(message, Duration::from_secs(5))
        });
        return Ok(NodePlan { ops, obstacle });
    }
    let addresses = match chosen(&instance, &node.provided_addresses) {
        Ok(addresses) => addresses,
        Err(error) => return Ok(NodePlan { ops, obstacle: Some(error) }),
    };
    if is_new || has_no_provider_id(node) {
        ops.extend(describe(node, &instance));
    }
    if is_new {
        ops.push(NodeOp::RemoveTaint(UNINITIALIZED_TAINT));
    }
    if node.addresses != addresses {
        ops.push(NodeOp::SetAddresses(addresses));
    }
    Ok(NodePlan { ops, obstacle: None })
}

fn has_no_provider_id(node: &NodeRecord) -> bool {
    node.provider_id.as_ref().is_none_or(String::is_empty)
}

/// The part of a provider id that names the machine. One machine can have several: they differ in what stands before it.
fn machine(provider_id: &str) -> &str {
    provider_id.rsplit('/').next().unwrap_or(provider_id)
}

/// The addresses that the node is to have: those that its kubelet was told to use displace others of their kind.
fn chosen(instance: &Instance, provided: &[IpAddr]) -> Result<Vec<NodeAddress>> {
    let mut chosen = Vec::with_capacity(instance.addresses.len());
    for given in provided {
        let Some(address) = instance.addresses.iter().find(|address| address.address == *given) else {
            let message = format!("the kubelet was given the address {given}, which the machine {} lacks", instance.id);
            return Err(ProviderError::new(ErrorKind::Conflict, message));
        };
        chosen.push(*address);
    }
    let kinds: BTreeSet<AddressKind> = chosen.iter().map(|address| address.kind).collect();
    chosen.extend(instance.addresses.iter().filter(|address| !kinds.contains(&address.kind)));
    Ok(chosen)
}

/// The provider id and the labels of a node.
fn describe(node: &NodeRecord, instance: &Instance) -> Vec<NodeOp> {
    let mut ops = Vec::new();
    if has_no_provider_id(node) {
        ops.push(NodeOp::SetProviderId(instance.provider_id.clone()));
    }
    let ours = [
        ("node.kubernetes.io/instance-type", &instance.instance_type),
        ("beta.kubernetes.io/instance-type", &instance.instance_type),
        ("topology.kubernetes.io/zone", &instance.zone),
        ("failure-domain.beta.kubernetes.io/zone", &instance.zone),
        ("topology.kubernetes.io/region", &instance.region),
        ("failure-domain.beta.kubernetes.io/region", &instance.region),
    ];
    for (name, value) in ours {
        if !value.is_empty() && node.labels.get(name) != Some(value) {
            ops.push(NodeOp::SetLabel(name.to_owned(), value.clone()));
        }
    }
    // Kubernetes' own domains are not a provider's to write, and what someone has set stays.
    let further = instance.labels.iter().filter(|(name, _)| {
        let domain = name.split('/').next().unwrap_or_default();
        let reserved = ["k8s.io", "kubernetes.io"]
            .iter()
            .any(|own| domain == *own || domain.strip_suffix(own).is_some_and(|rest| rest.ends_with('.')));
        !reserved && !node.labels.contains_key(*name)
    });
    ops.extend(further.map(|(name, value)| NodeOp::SetLabel(name.clone(), value.clone())));
    ops
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::instances::{Absence, InstanceState};
    use proptest::prelude::*;

    fn instance(state: InstanceState) -> Instance {
        let mut instance = Instance::new("m-1", "test:///z/m-1");
        instance.instance_type = "small".to_owned();
        instance.zone = "z-1".to_owned();
        instance.region = "z".to_owned();
        instance.state = state;
        instance.addresses = vec![NodeAddress { kind: AddressKind::Internal, address: "10.0.0.1".parse().unwrap() }];
        instance.labels.insert("example.com/id".to_owned(), "m-1".to_owned());
        instance.labels.insert("x.kubernetes.io/id".to_owned(), "m-1".to_owned());
        instance
    }

    fn apply(node: &mut NodeRecord, op: NodeOp) {
        match op {
            NodeOp::SetProviderId(id) => node.provider_id = Some(id),
            NodeOp::SetLabel(name, value) => drop(node.labels.insert(name, value)),
            NodeOp::SetAddresses(addresses) => node.addresses = addresses,
            NodeOp::AddTaint(taint) => drop(node.taints.insert(taint.to_owned())),
            NodeOp::RemoveTaint(taint) => drop(node.taints.remove(taint)),
            NodeOp::Delete => panic!("deleted"),
        }
    }

    #[test]
    fn a_new_node_gets_all_that_is_known_and_loses_its_taint_last() {
        let mut node = NodeRecord::default();
        node.taints.insert(UNINITIALIZED_TAINT.to_owned());
        let ops = plan(&node, Lookup::Found(instance(InstanceState::Running))).unwrap().ops;
        assert_eq!(ops[0], NodeOp::SetProviderId("test:///z/m-1".to_owned()));
        assert!(ops.contains(&NodeOp::SetLabel("topology.kubernetes.io/zone".to_owned(), "z-1".to_owned())));
        assert!(ops.contains(&NodeOp::SetLabel("example.com/id".to_owned(), "m-1".to_owned())));
        assert!(!ops.iter().any(|op| matches!(op, NodeOp::SetLabel(name, _) if name.starts_with("x."))));
        assert!(ops.contains(&NodeOp::RemoveTaint(UNINITIALIZED_TAINT)));
    }

    #[test]
    fn only_a_proven_absence_deletes_and_never_a_ready_node() {
        let mut node = NodeRecord::default();
        assert_eq!(plan(&node, Lookup::NotFound(Absence::NeverRan)).unwrap().ops, [NodeOp::Delete]);
        let doubt = ProviderError::new(ErrorKind::Unavailable, "no answer");
        assert_eq!(plan(&node, Lookup::Unknown(doubt)).unwrap_err().kind(), ErrorKind::Unavailable);
        node.ready = true;
        assert_eq!(plan(&node, Lookup::NotFound(Absence::NeverRan)).unwrap_err().kind(), ErrorKind::Conflict);
    }

    #[test]
    fn a_machine_without_address_keeps_the_taint() {
        let mut node = NodeRecord::default();
        node.taints.insert(UNINITIALIZED_TAINT.to_owned());
        let mut pending = instance(InstanceState::Pending);
        pending.addresses.clear();
        let NodePlan { ops, obstacle } = plan(&node, Lookup::Found(pending)).unwrap();
        assert_eq!((ops, obstacle.unwrap().kind()), (vec![], ErrorKind::Pending));
    }

    #[test]
    fn another_machine_than_the_node_names_is_refused_whatever_the_form_of_its_id() {
        let named = |id: &str| NodeRecord { provider_id: Some(id.to_owned()), ..NodeRecord::default() };
        for id in ["test:///z/m-1", "former:///z-1/m-1", "test://m-1", ""] {
            assert!(plan(&named(id), Lookup::Found(instance(InstanceState::Running))).is_ok(), "{id}");
        }
        // Found by its address, say, while someone else set the provider id; and shut down, which would taint the node.
        for state in [InstanceState::Running, InstanceState::Stopped] {
            let error = plan(&named("test:///z/m-2"), Lookup::Found(instance(state))).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Conflict);
        }
    }

    #[test]
    fn an_address_that_the_machine_lacks_stops_all_but_the_taint_of_the_shutdown() {
        let mut node = NodeRecord { provided_addresses: vec!["10.9.9.9".parse().unwrap()], ..NodeRecord::default() };
        node.taints.insert(UNINITIALIZED_TAINT.to_owned());
        let NodePlan { ops, obstacle } = plan(&node, Lookup::Found(instance(InstanceState::Running))).unwrap();
        assert_eq!((ops, obstacle.unwrap().kind()), (vec![], ErrorKind::Conflict));
        let NodePlan { ops, obstacle } = plan(&node, Lookup::Found(instance(InstanceState::Stopped))).unwrap();
        assert_eq!((ops, obstacle.unwrap().kind()), (vec![NodeOp::AddTaint(SHUTDOWN_TAINT)], ErrorKind::Conflict));
    }

    #[test]
    fn a_node_that_was_there_before_the_controller_gets_its_provider_id_and_labels() {
        let machine = instance(InstanceState::Running);
        let mut node = NodeRecord { addresses: machine.addresses.clone(), ready: true, ..NodeRecord::default() };
        let ops = plan(&node, Lookup::Found(machine.clone())).unwrap().ops;
        assert_eq!(ops[0], NodeOp::SetProviderId("test:///z/m-1".to_owned()));
        assert!(ops.contains(&NodeOp::SetLabel("topology.kubernetes.io/zone".to_owned(), "z-1".to_owned())));
        // Afterwards its labels are whoever's changes them.
        node.provider_id = Some("test:///z/m-1".to_owned());
        assert_eq!(plan(&node, Lookup::Found(machine)).unwrap().ops, []);
    }

    #[test]
    fn an_address_that_was_asked_for_displaces_others_of_its_kind() {
        let mut machine = instance(InstanceState::Running);
        for (kind, address) in [(AddressKind::Internal, "10.0.0.2"), (AddressKind::External, "1.2.3.4")] {
            machine.addresses.push(NodeAddress { kind, address: address.parse().unwrap() });
        }
        let provider_id = Some(machine.provider_id.clone());
        let provided_addresses = vec!["10.0.0.2".parse().unwrap()];
        let mut node = NodeRecord { provider_id, provided_addresses, ..NodeRecord::default() };
        let ops = plan(&node, Lookup::Found(machine.clone())).unwrap().ops;
        let [NodeOp::SetAddresses(addresses)] = &ops[..] else { panic!("{ops:?}") };
        let shown: Vec<String> = addresses.iter().map(|address| address.address.to_string()).collect();
        assert_eq!(shown, ["10.0.0.2", "1.2.3.4"]);
        node.addresses.clone_from(addresses);
        assert_eq!(plan(&node, Lookup::Found(machine)).unwrap().ops, []);
    }

    proptest! {
        #[test]
        fn planning_again_gives_nothing(
            state in prop::sample::select(vec![
                InstanceState::Pending, InstanceState::Running, InstanceState::Stopping, InstanceState::Stopped,
                InstanceState::SetAside, InstanceState::Terminating,
            ]),
            uninitialized: bool, shutdown: bool, ready: bool, known: bool,
        ) {
            let mut node = NodeRecord { ready, ..NodeRecord::default() };
            if uninitialized { node.taints.insert(UNINITIALIZED_TAINT.to_owned()); }
            if shutdown { node.taints.insert(SHUTDOWN_TAINT.to_owned()); }
            if known { node.provider_id = Some("test:///z/m-1".to_owned()); }
            for op in plan(&node, Lookup::Found(instance(state))).unwrap().ops { apply(&mut node, op); }
            prop_assert_eq!(plan(&node, Lookup::Found(instance(state))).unwrap().ops, []);
            prop_assert!(node.provider_id.is_some());
            prop_assert_eq!(node.taints.contains(SHUTDOWN_TAINT), state.is_shutdown() && !ready);
        }
    }
}

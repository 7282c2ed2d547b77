//! Writing nodes.
//!
//! Merge patches that carry the resource version: a list is replaced as a whole, so it must be the list that was read.
//! (A strategic merge would merge addresses by their type, of which a node can have several, and replace taints as well.)
//! The status goes first: the taint, with which pods are let in, is taken away when everything else is there.

use k8s_openapi::api::core::v1::{Node, NodeAddress as StatusAddress, Taint};
use kube::Api;
use kube::api::{Patch, PatchParams};
use qcloud_container::kubernetes::instances::{AddressKind, NodeAddress, NodeOp};
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// Applies changes to a node as it was read.
///
/// # Errors
/// Among others, a conflict when the node has changed since; the first half may have been done then.
pub(super) async fn apply(api: &Api<Node>, node: &Node, ops: &[NodeOp]) -> Result<()> {
    let name = node.metadata.name.as_deref().unwrap_or_default();
    let mut version = node.metadata.resource_version.clone();
    let addresses = ops.iter().rev().find_map(|op| match op {
        NodeOp::SetAddresses(addresses) => Some(addresses),
        _ => None,
    });
    if let Some(addresses) = addresses {
        let mut patch = guard(node, version.as_deref());
        patch.insert("status".to_owned(), json!({ "addresses": status_addresses(node, addresses) }));
        let written = api.patch_status(name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        version = written.metadata.resource_version;
    }
    let mut patch = guard(node, version.as_deref());
    if add_rest(&mut patch, node, ops)? {
        api.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
    }
    Ok(())
}

/// The beginning of a patch that holds only for this node, as it was read.
fn guard(node: &Node, version: Option<&str>) -> Map<String, Value> {
    let mut patch = Map::new();
    patch.insert("metadata".to_owned(), json!({ "uid": node.metadata.uid, "resourceVersion": version }));
    patch
}

/// Adds labels and spec; whether there is anything to change of them.
fn add_rest(patch: &mut Map<String, Value>, node: &Node, ops: &[NodeOp]) -> Result<bool> {
    let (mut labels, mut spec) = (Map::new(), Map::new());
    let mut taints: Option<Vec<Taint>> = None;
    let present = || node.spec.as_ref().and_then(|spec| spec.taints.clone()).unwrap_or_default();
    for op in ops {
        match op {
            NodeOp::SetProviderId(id) => drop(spec.insert("providerID".to_owned(), json!(id))),
            NodeOp::SetLabel(name, value) => drop(labels.insert(name.clone(), json!(value))),
            NodeOp::AddTaint(key) => taints.get_or_insert_with(present).push(Taint {
                key: (*key).to_owned(),
                effect: "NoSchedule".to_owned(),
                ..Taint::default()
            }),
            NodeOp::RemoveTaint(key) => taints.get_or_insert_with(present).retain(|taint| taint.key != *key),
            NodeOp::SetAddresses(_) => {}
            other => return Err(Error::Refused(format!("{other:?} is no change of a node that can be written"))),
        }
    }
    if let Some(taints) = taints {
        // `null` removes the field, which is how the API server writes no taints.
        spec.insert("taints".to_owned(), if taints.is_empty() { Value::Null } else { json!(taints) });
    }
    let any = !labels.is_empty() || !spec.is_empty();
    if let Some(Value::Object(metadata)) = patch.get_mut("metadata")
        && !labels.is_empty()
    {
        metadata.insert("labels".to_owned(), Value::Object(labels));
    }
    if !spec.is_empty() {
        patch.insert("spec".to_owned(), Value::Object(spec));
    }
    Ok(any)
}

/// The machine's addresses, and what else the kubelet reported: its host name.
fn status_addresses(node: &Node, addresses: &[NodeAddress]) -> Vec<StatusAddress> {
    let ours = addresses.iter().map(|address| StatusAddress {
        type_: match address.kind {
            AddressKind::External => "ExternalIP".to_owned(),
            _ => "InternalIP".to_owned(),
        },
        address: address.address.to_string(),
    });
    let reported = node.status.as_ref().and_then(|status| status.addresses.as_ref()).into_iter().flatten();
    let others = reported.filter(|address| !matches!(address.type_.as_str(), "InternalIP" | "ExternalIP"));
    ours.chain(others.cloned()).collect()
}

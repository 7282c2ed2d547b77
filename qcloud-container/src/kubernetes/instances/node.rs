//! Reading node objects.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Node;

use super::{AddressKind, NodeAddress, NodeRecord, NodeRef};

/// The annotation with the address that the kubelet was told to use.
const PROVIDED_ADDRESS: &str = "alpha.kubernetes.io/provided-node-ip";

impl From<&Node> for NodeRef {
    fn from(node: &Node) -> Self {
        let mut reference = Self::new(node.metadata.name.clone().unwrap_or_default());
        reference.provider_id =
            node.spec.as_ref().and_then(|spec| spec.provider_id.clone()).filter(|id| !id.is_empty());
        reference.addresses = addresses(node)
            .into_iter()
            .filter(|address| address.kind == AddressKind::Internal)
            .map(|address| address.address)
            .collect();
        let mut provided = provided(node);
        provided.retain(|given| !reference.addresses.contains(given));
        reference.addresses.append(&mut provided);
        reference
    }
}

impl From<&Node> for NodeRecord {
    fn from(node: &Node) -> Self {
        let spec = node.spec.as_ref();
        let taints = spec.and_then(|spec| spec.taints.as_ref()).into_iter().flatten();
        let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref()).into_iter().flatten();
        Self {
            provider_id: spec.and_then(|spec| spec.provider_id.clone()).filter(|id| !id.is_empty()),
            labels: node.metadata.labels.clone().unwrap_or_default(),
            taints: taints.map(|taint| taint.key.clone()).collect(),
            addresses: addresses(node),
            provided_addresses: provided(node),
            ready: conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True"),
        }
    }
}

/// One address, or one of each family.
fn provided(node: &Node) -> Vec<IpAddr> {
    let given = node.metadata.annotations.as_ref().and_then(|annotations| annotations.get(PROVIDED_ADDRESS));
    given.into_iter().flat_map(|given| given.split(',')).filter_map(|address| address.trim().parse().ok()).collect()
}

fn addresses(node: &Node) -> Vec<NodeAddress> {
    let all = node.status.as_ref().and_then(|status| status.addresses.as_ref()).into_iter().flatten();
    all.filter_map(|address| {
        let kind = match address.type_.as_str() {
            "InternalIP" => AddressKind::Internal,
            "ExternalIP" => AddressKind::External,
            _ => return None,
        };
        Some(NodeAddress { kind, address: address.address.parse().ok()? })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Node {
        serde_json::from_value(serde_json::json!({
            "metadata": {
                "name": "n-1",
                "labels": {"a": "b"},
                "annotations": {PROVIDED_ADDRESS: "10.0.0.9,fd00::9"},
            },
            "spec": {
                "providerID": "qcloud:///100003/ins-1a2b3c4d",
                "taints": [{"key": "t", "effect": "NoSchedule"}],
            },
            "status": {
                "addresses": [
                    {"type": "InternalIP", "address": "10.0.0.1"},
                    {"type": "ExternalIP", "address": "1.2.3.4"},
                    {"type": "Hostname", "address": "n-1"},
                ],
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }))
        .unwrap()
    }

    #[test]
    fn a_node_names_its_machine() {
        let reference = NodeRef::from(&node());
        assert_eq!(reference.name, "n-1");
        assert_eq!(reference.provider_id.as_deref(), Some("qcloud:///100003/ins-1a2b3c4d"));
        let expected = ["10.0.0.1", "10.0.0.9", "fd00::9"].map(|address| address.parse::<IpAddr>().unwrap());
        assert_eq!(reference.addresses, expected);
        assert_eq!(NodeRef::from(&Node::default()), NodeRef::new(""));
    }

    #[test]
    fn a_node_is_read_for_planning() {
        let record = NodeRecord::from(&node());
        assert!(record.ready && record.taints.contains("t"));
        assert_eq!(record.addresses.len(), 2);
        let expected = ["10.0.0.9", "fd00::9"].map(|address| address.parse::<IpAddr>().unwrap());
        assert_eq!(record.provided_addresses, expected);
    }
}

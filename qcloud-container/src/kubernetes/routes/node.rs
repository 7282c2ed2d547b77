//! Reading node objects.

use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::api::core::v1::Node;

use super::{RouteSpec, Urgency};
use crate::kubernetes::instances::NodeRef;

impl RouteSpec {
    /// The routes that a node needs: one for each network of its pods. Each leads over the node's internal address of the
    /// same family, or of the other one where it has none. A node without networks or addresses needs none yet.
    #[must_use]
    pub fn of_node(node: &Node) -> Vec<Self> {
        let reference = NodeRef::from(node);
        let spec = node.spec.as_ref();
        let mut networks: Vec<&String> = spec.and_then(|spec| spec.pod_cidrs.as_ref()).into_iter().flatten().collect();
        if networks.is_empty() {
            networks.extend(spec.and_then(|spec| spec.pod_cidr.as_ref()));
        }
        let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
        let is = |name: &str, value: &str| {
            conditions.into_iter().flatten().any(|condition| condition.type_ == name && condition.status == value)
        };
        let urgency = match (is("Ready", "True"), is("NetworkUnavailable", "False")) {
            (true, false) => Urgency::Waiting,
            (true, true) => Urgency::Ready,
            (false, _) => Urgency::NotReady,
        };
        networks
            .into_iter()
            .filter_map(|network| {
                let destination: IpNet = network.parse().ok()?;
                let same = |address: &&IpAddr| address.is_ipv4() == matches!(destination, IpNet::V4(_));
                let next_hop = reference.addresses.iter().find(same).or_else(|| reference.addresses.first())?;
                Some(Self::new(&reference.name, *next_hop, destination).with_urgency(urgency))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(status: serde_json::Value) -> Node {
        serde_json::from_value(json!({
            "metadata": {"name": "n-1"},
            "spec": {"podCIDR": "172.16.1.0/24", "podCIDRs": ["172.16.1.0/24", "fd00::/64"]},
            "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn a_node_needs_a_route_for_each_network() {
        let addresses =
            json!([{"type": "InternalIP", "address": "fd01::1"}, {"type": "InternalIP", "address": "10.0.0.1"}]);
        let specs = RouteSpec::of_node(&node(json!({"addresses": addresses})));
        let (v4, v6) = (("10.0.0.1", "172.16.1.0/24"), ("fd01::1", "fd00::/64"));
        let expected = [v4, v6].map(|(hop, network)| {
            RouteSpec::new("n-1", hop.parse().unwrap(), network.parse().unwrap()).with_urgency(Urgency::NotReady)
        });
        assert_eq!(specs, expected);
        assert_eq!(RouteSpec::of_node(&Node::default()), []);
    }

    #[test]
    fn a_ready_node_without_network_is_waited_for() {
        let addresses = json!([{"type": "InternalIP", "address": "10.0.0.1"}]);
        for (unavailable, urgency) in [("True", Urgency::Waiting), ("False", Urgency::Ready)] {
            let conditions =
                json!([{"type": "Ready", "status": "True"}, {"type": "NetworkUnavailable", "status": unavailable}]);
            let specs = RouteSpec::of_node(&node(json!({"addresses": addresses, "conditions": conditions})));
            assert!(specs.iter().all(|spec| spec.urgency == urgency && spec.next_hop.is_ipv4()));
        }
    }
}

//! Zones in the topologies of the protocol.

use std::collections::BTreeMap;

use qcloud_container::kubernetes::volumes::ZoneRequirement;
use tonic::Status;

use crate::proto::{Topology, TopologyRequirement};

/// The key that Kubernetes itself labels nodes with.
const KUBERNETES_ZONE: &str = "topology.kubernetes.io/zone";

/// The topology of a zone.
pub(crate) fn of_zone(key: &str, zone: &str) -> Topology {
    Topology { segments: BTreeMap::from([(key.to_owned(), zone.to_owned())]) }
}

/// The zone of a topology.
///
/// # Errors
/// `INVALID_ARGUMENT` when it has none: whatever else it asks for can't be granted.
pub(crate) fn zone(key: &str, topology: &Topology) -> Result<String, Status> {
    let zone = topology.segments.get(key).or_else(|| topology.segments.get(KUBERNETES_ZONE));
    zone.cloned().ok_or_else(|| {
        let keys: Vec<&str> = topology.segments.keys().map(String::as_str).collect();
        Status::invalid_argument(format!("a topology has the keys [{}]; zones are named by {key}", keys.join(", ")))
    })
}

/// The zones that a volume may be in.
///
/// # Errors
/// As for one.
pub(crate) fn zones(key: &str, requirement: Option<&TopologyRequirement>) -> Result<ZoneRequirement, Status> {
    let Some(requirement) = requirement else { return Ok(ZoneRequirement::default()) };
    let read =
        |topologies: &[Topology]| topologies.iter().map(|topology| zone(key, topology)).collect::<Result<Vec<_>, _>>();
    Ok(ZoneRequirement::new(read(&requirement.requisite)?, read(&requirement.preferred)?))
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    const KEY: &str = "topology.example.com/zone";

    #[test]
    fn requisite_zones_permit_and_preferred_ones_come_first() {
        let requirement = TopologyRequirement {
            requisite: vec![of_zone(KEY, "a"), of_zone(KEY, "b"), of_zone(KUBERNETES_ZONE, "c")],
            preferred: vec![of_zone(KEY, "b")],
        };
        let zones = zones(KEY, Some(&requirement)).unwrap();
        assert_eq!(zones.candidates(&[]), ["b", "a", "c"]);
    }

    #[test]
    fn no_requirement_is_any_zone() {
        assert_eq!(zones(KEY, None).unwrap(), ZoneRequirement::default());
        assert_eq!(zones(KEY, Some(&TopologyRequirement::default())).unwrap(), ZoneRequirement::default());
    }

    #[test]
    fn a_place_that_is_not_a_zone_is_refused() {
        let requirement = TopologyRequirement { requisite: vec![of_zone("rack", "7")], preferred: vec![] };
        let status = zones(KEY, Some(&requirement)).unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains("rack") && status.message().contains(KEY), "{status}");
    }
}

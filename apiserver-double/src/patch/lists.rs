//! How strategic merge patches treat the lists of the kinds that the server knows.

use crate::kinds::Kind;

/// What a patch does to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListRule {
    /// It takes its place.
    Replace,
    /// Items with the same key merge, others are added.
    ByKey(&'static str),
    /// Values that are not in it are added.
    Set,
}

use ListRule::{ByKey, Set};

const METADATA: &[(&str, ListRule)] = &[("metadata.finalizers", Set), ("metadata.ownerReferences", ByKey("uid"))];

// Neither taints nor the status of balancers have a merge key: a patch replaces them whole.
const NODE: &[(&str, ListRule)] =
    &[("spec.podCIDRs", Set), ("status.addresses", ByKey("type")), ("status.conditions", ByKey("type"))];

const SERVICE: &[(&str, ListRule)] = &[("spec.ports", ByKey("port")), ("status.conditions", ByKey("type"))];

const CONDITIONS: &[(&str, ListRule)] = &[("status.conditions", ByKey("type"))];

const POD_STATUS: &[(&str, ListRule)] =
    &[("conditions", ByKey("type")), ("podIPs", ByKey("ip")), ("resourceClaimStatuses", ByKey("name"))];

const POD_SPEC: &[(&str, ListRule)] = &[
    ("containers", ByKey("name")),
    ("ephemeralContainers", ByKey("name")),
    ("hostAliases", ByKey("ip")),
    ("imagePullSecrets", ByKey("name")),
    ("initContainers", ByKey("name")),
    ("resourceClaims", ByKey("name")),
    ("schedulingGates", ByKey("name")),
    ("topologySpreadConstraints", ByKey("topologyKey")),
    ("volumes", ByKey("name")),
];

const CONTAINER: &[(&str, ListRule)] = &[
    ("env", ByKey("name")),
    ("ports", ByKey("containerPort")),
    ("volumeDevices", ByKey("devicePath")),
    ("volumeMounts", ByKey("mountPath")),
];

/// The rule for the list at this path, which leaves out positions: `spec.containers.env`.
pub(super) fn rule(kind: &Kind, path: &str) -> ListRule {
    let of_pod = |path: &str| {
        let in_container = path.strip_prefix("containers.").or_else(|| path.strip_prefix("initContainers."));
        match in_container {
            Some(rest) => find(CONTAINER, rest),
            None => find(POD_SPEC, path),
        }
    };
    let own = match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Node") => find(NODE, path),
        ("", "Service") => find(SERVICE, path),
        ("", "Namespace" | "PersistentVolumeClaim") | ("policy", "PodDisruptionBudget") => find(CONDITIONS, path),
        ("", "ServiceAccount") => find(&[("secrets", ByKey("name"))], path),
        ("", "Pod") => match (path.strip_prefix("spec."), path.strip_prefix("status.")) {
            (Some(rest), _) => of_pod(rest),
            (_, Some(rest)) => find(POD_STATUS, rest),
            _ => None,
        },
        ("apps" | "batch", _) => match path.strip_prefix("spec.template.spec.") {
            Some(rest) => of_pod(rest),
            None => find(CONDITIONS, path),
        },
        _ => None,
    };
    own.or_else(|| find(METADATA, path)).unwrap_or(ListRule::Replace)
}

fn find(rules: &[(&str, ListRule)], path: &str) -> Option<ListRule> {
    rules.iter().find(|(known, _)| *known == path).map(|(_, rule)| *rule)
}

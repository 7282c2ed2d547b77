//! The kinds of objects that the server knows, and how each behaves.

/// A kind of object: where it is found, and which of the general rules hold for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Empty for the core group.
    pub(crate) group: String,
    pub(crate) version: String,
    /// As paths name it, such as `services`.
    pub(crate) plural: String,
    pub(crate) kind: String,
    pub(crate) namespaced: bool,
    pub(crate) traits: Traits,
}

/// What differs from kind to kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traits {
    /// There is a `/status`, and other writes leave `status` alone.
    pub(crate) status: bool,
    /// `status` may be given when the object is made.
    pub(crate) status_on_create: bool,
    /// `metadata.generation` counts the changes of what is not status or metadata.
    pub(crate) generation: bool,
    /// PUT makes the object when there is none.
    pub(crate) create_on_update: bool,
    /// PUT works without a resourceVersion, and then overwrites whatever is there.
    pub(crate) unconditional_update: bool,
    /// The server knows nothing about it: no fields, no strategic merge patch.
    pub(crate) untyped: bool,
}

const PLAIN: Traits = Traits {
    status: false,
    status_on_create: false,
    generation: false,
    create_on_update: false,
    unconditional_update: true,
    untyped: false,
};
const WITH_STATUS: Traits = Traits { status: true, ..PLAIN };
const NODE: Traits = Traits { status: true, status_on_create: true, ..PLAIN };
const SERVICE: Traits = Traits { status: true, create_on_update: true, ..PLAIN };
const WORKLOAD: Traits = Traits { status: true, generation: true, ..PLAIN };
const COUNTED: Traits = Traits { generation: true, ..PLAIN };
const LEASE: Traits = Traits { create_on_update: true, unconditional_update: false, ..PLAIN };
const MADE_BY_PUT: Traits = Traits { create_on_update: true, ..PLAIN };
const UNTYPED: Traits = Traits { status: true, generation: true, unconditional_update: false, untyped: true, ..PLAIN };

type Row = (&'static str, &'static str, &'static str, &'static str, bool, Traits);

const BUILT_IN: &[Row] = &[
    ("", "v1", "configmaps", "ConfigMap", true, PLAIN),
    ("", "v1", "endpoints", "Endpoints", true, MADE_BY_PUT),
    ("", "v1", "events", "Event", true, MADE_BY_PUT),
    ("", "v1", "namespaces", "Namespace", false, WITH_STATUS),
    ("", "v1", "nodes", "Node", false, NODE),
    ("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", true, WITH_STATUS),
    ("", "v1", "persistentvolumes", "PersistentVolume", false, WITH_STATUS),
    ("", "v1", "pods", "Pod", true, WITH_STATUS),
    ("", "v1", "secrets", "Secret", true, PLAIN),
    ("", "v1", "serviceaccounts", "ServiceAccount", true, PLAIN),
    ("", "v1", "services", "Service", true, SERVICE),
    ("apps", "v1", "daemonsets", "DaemonSet", true, WORKLOAD),
    ("apps", "v1", "deployments", "Deployment", true, WORKLOAD),
    ("apps", "v1", "replicasets", "ReplicaSet", true, WORKLOAD),
    ("apps", "v1", "statefulsets", "StatefulSet", true, WORKLOAD),
    ("batch", "v1", "jobs", "Job", true, WORKLOAD),
    ("coordination.k8s.io", "v1", "leases", "Lease", true, LEASE),
    ("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", true, COUNTED),
    ("events.k8s.io", "v1", "events", "Event", true, MADE_BY_PUT),
    ("networking.k8s.io", "v1", "ingresses", "Ingress", true, WORKLOAD),
    ("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", true, WORKLOAD),
    ("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", false, PLAIN),
    ("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", false, PLAIN),
    ("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", true, PLAIN),
    ("rbac.authorization.k8s.io", "v1", "roles", "Role", true, PLAIN),
    ("storage.k8s.io", "v1", "csidrivers", "CSIDriver", false, PLAIN),
    ("storage.k8s.io", "v1", "csinodes", "CSINode", false, PLAIN),
    ("storage.k8s.io", "v1", "storageclasses", "StorageClass", false, PLAIN),
    ("storage.k8s.io", "v1", "volumeattachments", "VolumeAttachment", false, WITH_STATUS),
];

impl Kind {
    /// `v1`, or `apps/v1`.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Whether it is this kind of the core group.
    pub(crate) fn is_core(&self, kind: &str) -> bool {
        self.group.is_empty() && self.kind == kind
    }

    fn of_row(row: &Row) -> Self {
        let &(group, version, plural, kind, namespaced, traits) = row;
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            plural: plural.to_owned(),
            kind: kind.to_owned(),
            namespaced,
            traits,
        }
    }

    /// A kind that the server learns of by being told of an object.
    pub(crate) fn untyped(group: &str, version: &str, plural: &str, kind: &str, namespaced: bool) -> Self {
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            plural: plural.to_owned(),
            kind: kind.to_owned(),
            namespaced,
            traits: UNTYPED,
        }
    }
}

/// All kinds that are known from the start.
pub(crate) fn built_in() -> Vec<Kind> {
    BUILT_IN.iter().map(Kind::of_row).collect()
}

/// Whether the server has a fixed set of kinds in this group.
pub(crate) fn is_built_in_group(group: &str) -> bool {
    BUILT_IN.iter().any(|row| row.0 == group)
}

/// `v1` to no group and `v1`; `apps/v1` to `apps` and `v1`.
pub(crate) fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// How paths most likely name a kind: `Widget` is found under `widgets`.
pub(crate) fn plural_of(kind: &str) -> String {
    let lower = kind.to_lowercase();
    if lower.ends_with('s') || lower.ends_with('x') || lower.ends_with("ch") || lower.ends_with("sh") {
        return format!("{lower}es");
    }
    match lower.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{lower}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_of_unknown_kinds_are_guessed_as_english_has_them() {
        for (kind, plural) in
            [("Widget", "widgets"), ("Policy", "policies"), ("Gateway", "gateways"), ("Class", "classes")]
        {
            assert_eq!(plural_of(kind), plural);
        }
    }

    #[test]
    fn a_lease_is_never_overwritten_unseen() {
        let lease = built_in().into_iter().find(|kind| kind.kind == "Lease").unwrap();
        assert!(lease.traits.create_on_update && !lease.traits.unconditional_update);
    }
}

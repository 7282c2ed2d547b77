//! Whose objects are whose.

/// The cluster that owns objects in the cloud.
///
/// The uid tells clusters apart, not the name: two clusters of the same name must not take each other's objects.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ClusterIdentity {
    /// The UID of the cluster's `kube-system` namespace.
    pub uid: String,
    /// A name for people. Nothing in the cloud carries it.
    pub name: String,
}

impl ClusterIdentity {
    /// A cluster by its uid and name.
    pub fn new(uid: impl Into<String>, name: impl Into<String>) -> Self {
        Self { uid: uid.into(), name: name.into() }
    }
}

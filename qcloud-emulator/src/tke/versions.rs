//! The Kubernetes versions that clusters can have.

use serde_json::{Value, json};

use crate::call::Call;
use crate::error::ApiError;
use crate::world::World;

/// What a cluster gets when the request names no version, as the API has it.
pub(super) const DEFAULT: &str = "1.10.5";

/// Every version, newest first.
const VERSIONS: &[&str] = &[
    "1.32.2", "1.30.0", "1.28.3", "1.26.1", "1.24.4", "1.22.5", "1.20.6", "1.18.4", "1.16.3", "1.14.3", "1.12.4",
    DEFAULT,
];

pub(super) fn exists(version: &str) -> bool {
    VERSIONS.contains(&version)
}

/// All of them, for messages.
pub(super) fn names() -> String {
    VERSIONS.join(", ")
}

pub(super) fn describe(_: &mut World, _: &Call) -> Result<Value, ApiError> {
    let versions: Vec<Value> =
        VERSIONS.iter().map(|version| json!({ "Name": "k8s", "Version": version, "Remark": "" })).collect();
    Ok(json!({ "TotalCount": VERSIONS.len(), "VersionInstanceSet": versions }))
}

//! The condition by which a node says that its pods can't be reached.

use k8s_openapi::api::core::v1::{Node, NodeCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::error::Result;

/// Its name.
pub(super) const NAME: &str = "NetworkUnavailable";

/// Writes the condition.
pub(super) struct Conditions {
    api: Api<Node>,
}

impl Conditions {
    pub(super) fn new(api: Api<Node>) -> Self {
        Self { api }
    }

    /// Writes that the node has its routes, or why not; whether that was not yet there.
    ///
    /// A strategic merge touches this condition only, whatever the kubelet writes meanwhile. The uid makes it fail for
    /// another node of the same name.
    pub(super) async fn write(&self, node: &Node, failure: &Option<String>) -> Result<bool> {
        let (status, reason, message) = match failure {
            None => ("False", "RouteCreated", "the routes to the pods of this node are there"),
            Some(failure) => ("True", "NoRouteCreated", failure.as_str()),
        };
        let before = find(node, NAME);
        let same = |before: &NodeCondition| {
            before.status == status
                && before.reason.as_deref() == Some(reason)
                && (failure.is_none() || before.message.as_deref() == Some(message))
        };
        if before.is_some_and(same) {
            return Ok(false);
        }
        let now = Time(Timestamp::now());
        let since =
            before.filter(|before| before.status == status).and_then(|before| before.last_transition_time.clone());
        let condition = NodeCondition {
            type_: NAME.to_owned(),
            status: status.to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message.to_owned()),
            last_heartbeat_time: Some(now.clone()),
            last_transition_time: Some(since.unwrap_or(now)),
        };
        let patch = json!({ "metadata": { "uid": node.metadata.uid }, "status": { "conditions": [condition] } });
        let name = node.metadata.name.as_deref().unwrap_or_default();
        self.api.patch_status(name, &PatchParams::default(), &Patch::Strategic(patch)).await?;
        Ok(true)
    }
}

/// Whether a condition of the node has this status.
pub(super) fn is(node: &Node, name: &str, status: &str) -> bool {
    find(node, name).is_some_and(|condition| condition.status == status)
}

fn find<'n>(node: &'n Node, name: &str) -> Option<&'n NodeCondition> {
    let conditions = node.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == name)
}

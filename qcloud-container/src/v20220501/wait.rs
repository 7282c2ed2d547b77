//! Waiting for node pools.

use std::time::Duration;

use futures_util::TryStreamExt;
use qcloud_core::wait::{Condition, Wait, Watch, is_gone, state_in};

use super::Client;
use super::model::{DescribeNodePools, NodePool, NodePoolLifeState};

const NODE_POOLS: Watch<NodePool> =
    Watch::new("node pools", |pool| &pool.node_pool_id, |pool| pool.life_state.to_string());

impl Client {
    /// Waits until node pools of a cluster are as `condition` says, and gives them. See [`Wait`].
    pub fn wait_for_node_pools<'c>(
        &'c self,
        cluster_id: impl Into<String>,
        ids: impl IntoIterator<Item = impl Into<String>>,
        condition: impl Condition<NodePool> + 'c,
    ) -> Wait<'c, NodePool> {
        let cluster_id = cluster_id.into();
        // The action has no parameter for ids, so all pools of the cluster are read.
        let look = move |_: Vec<String>| {
            let call = self.describe_node_pools(DescribeNodePools::new(cluster_id.as_str()));
            Box::pin(async move { call.items().try_collect().await }) as _
        };
        Wait::new(self.config(), NODE_POOLS, ids, look, condition).with_timeout(Duration::from_secs(1200))
    }
}

/// The pool is ready. Hopeless while it is being deleted.
pub fn is_node_pool_ready() -> impl Condition<NodePool> {
    state_in(
        |pool: &NodePool| &pool.life_state,
        &[NodePoolLifeState::Normal, NodePoolLifeState::Running],
        &[NodePoolLifeState::Deleting, NodePoolLifeState::Deleted],
    )
}

/// The pool is no longer listed. For pools that have been listed before.
pub fn is_node_pool_gone() -> impl Condition<NodePool> {
    is_gone()
}

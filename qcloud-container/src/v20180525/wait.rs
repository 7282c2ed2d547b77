//! Waiting for clusters and node pools.

#[cfg(feature = "cluster")]
pub use cluster::*;
#[cfg(feature = "node_pool")]
pub use node_pool::*;

#[cfg(feature = "cluster")]
mod cluster {
    use std::time::Duration;

    use qcloud_core::wait::{Condition, Wait, Watch, is_gone, state_in};

    use crate::v20180525::Client;
    use crate::v20180525::model::{Cluster, ClusterState, DescribeClusters};

    const CLUSTERS: Watch<Cluster> =
        Watch::new("clusters", |cluster| &cluster.cluster_id, |cluster| cluster.cluster_status.to_string());

    impl Client {
        /// Waits until clusters are as `condition` says, and gives them. See [`Wait`]; clusters take minutes, so this
        /// one lasts 20 minutes unless told otherwise.
        pub fn wait_for_clusters<'c>(
            &'c self,
            ids: impl IntoIterator<Item = impl Into<String>>,
            condition: impl Condition<Cluster> + 'c,
        ) -> Wait<'c, Cluster> {
            let look = move |ids: Vec<String>| {
                let call = self.describe_clusters(DescribeClusters::new().cluster_ids(ids).limit(100));
                Box::pin(async move { Ok(call.await?.clusters) }) as _
            };
            Wait::new(self.config(), CLUSTERS, ids, look, condition).with_timeout(Duration::from_secs(1200))
        }
    }

    /// The cluster runs. Hopeless while it is being deleted, or when it is isolated for arrears.
    pub fn is_running() -> impl Condition<Cluster> {
        state_in(
            |cluster: &Cluster| &cluster.cluster_status,
            &[ClusterState::Running],
            &[ClusterState::Deleting, ClusterState::Isolated],
        )
    }

    /// The cluster is no longer listed. For clusters that have been listed before.
    pub fn is_cluster_gone() -> impl Condition<Cluster> {
        is_gone()
    }
}

#[cfg(feature = "node_pool")]
mod node_pool {
    use std::time::Duration;

    use qcloud_core::wait::{Condition, Wait, Watch, is_gone, state_in};

    use crate::v20180525::Client;
    use crate::v20180525::model::{DescribeClusterNodePools, NodePool, NodePoolLifeState};

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
            // The action lists all pools of the cluster at once.
            let look = move |_: Vec<String>| {
                let call = self.describe_cluster_node_pools(DescribeClusterNodePools::new(cluster_id.as_str()));
                Box::pin(async move { Ok(call.await?.node_pool_set) }) as _
            };
            Wait::new(self.config(), NODE_POOLS, ids, look, condition).with_timeout(Duration::from_secs(1200))
        }
    }

    /// The pool is ready. Hopeless while it is being deleted.
    pub fn is_node_pool_ready() -> impl Condition<NodePool> {
        state_in(
            |pool: &NodePool| &pool.life_state,
            &[NodePoolLifeState::Normal],
            &[NodePoolLifeState::Deleting, NodePoolLifeState::Deleted],
        )
    }

    /// The pool is no longer listed. For pools that have been listed before.
    pub fn is_node_pool_gone() -> impl Condition<NodePool> {
        is_gone()
    }
}

//! Node pools: what they are, and how those of ordinary nodes are listed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::LISTS;
use super::clusters::{self, Cluster, has_tag};
use super::faults::{self, Fault, NO_CLUSTER_FOR_POOLS, NOT_THERE};
use super::nodes::{Node, NodeState};
use crate::call::Call;
use crate::clock::Time;
use crate::error::ApiError;
use crate::listing::{Filter, Filters, Page};
use crate::tags::Tag;
use crate::world::{Local, World};

/// A node pool.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pool {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) state: PoolState,
    pub(super) labels: Value,
    pub(super) taints: Value,
    pub(super) annotations: Value,
    pub(super) tags: Vec<Tag>,
    pub(super) protected: bool,
    pub(super) unschedulable: i64,
    pub(super) autoscaling: bool,
    pub(super) min: i64,
    pub(super) max: i64,
    pub(super) desired: i64,
    /// Counts the changes of its size: what fails is tried again only for the latest one.
    pub(super) change: u64,
    /// Parameters of `RunInstances`, without type, zone and network.
    pub(super) order: Map<String, Value>,
    /// In the order of preference.
    pub(super) instance_types: Vec<String>,
    pub(super) subnets: Vec<String>,
    pub(super) kind: PoolKind,
    pub(super) created: Time,
}

/// What a pool's nodes are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum PoolKind {
    /// Ordinary nodes, which a scaling group makes.
    Regular {
        launch_configuration: String,
        scaling_group: String,
        os: String,
        os_customize: String,
        runtime: String,
        runtime_version: String,
        /// Kubernetes settings of new nodes, as answers show them.
        settings: Value,
    },
    /// Native nodes, with what the requests said about them.
    Native { given: Map<String, Value> },
}

/// The state of a node pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PoolState {
    Creating,
    Normal,
    Deleting,
}

impl PoolState {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Normal => "normal",
            Self::Deleting => "deleting",
        }
    }
}

/// The nodes of a pool.
pub(super) fn members<'a>(cluster: &'a Cluster, pool: &'a str) -> impl DoubleEndedIterator<Item = &'a Node> {
    cluster.nodes.values().filter(move |node| node.pool.as_deref() == Some(pool))
}

/// How many nodes a pool has, by origin and progress.
pub(super) fn summary(cluster: &Cluster, pool: &str) -> Value {
    let count = |scaled: bool, state: Option<NodeState>| {
        let nodes = members(cluster, pool).filter(|node| node.scaled == scaled);
        nodes.filter(|node| state.is_none_or(|state| node.state == state)).count()
    };
    let show = |scaled: bool| {
        json!({
            "Joining": 0,
            "Initializing": count(scaled, Some(NodeState::Initializing)),
            "Normal": count(scaled, Some(NodeState::Running)),
            "Total": count(scaled, None),
        })
    };
    json!({ "ManuallyAdded": show(false), "AutoscalingAdded": show(true) })
}

impl Pool {
    pub(super) fn is_native(&self) -> bool {
        matches!(self.kind, PoolKind::Native { .. })
    }

    /// The id of the scaling group; empty when the pool has none.
    pub(super) fn scaling_group(&self) -> &str {
        match &self.kind {
            PoolKind::Regular { scaling_group, .. } => scaling_group,
            PoolKind::Native { .. } => "",
        }
    }

    /// The state of the scaling group.
    pub(super) fn scaling_state(&self) -> &'static str {
        match self.state {
            PoolState::Deleting => "deleting",
            _ if self.autoscaling => "enabled",
            _ => "disabled",
        }
    }

    /// The Kubernetes settings of new nodes.
    pub(super) fn settings(&self) -> Value {
        match &self.kind {
            PoolKind::Regular { settings, .. } => settings.clone(),
            PoolKind::Native { .. } => super::nodes::settings(Some(&json!({
                "Labels": self.labels,
                "Taints": self.taints,
                "Unschedulable": self.unschedulable,
            }))),
        }
    }

    /// As the older version of the API shows it; native pools are not for that.
    fn show(&self, cluster: &Cluster) -> Option<Value> {
        let PoolKind::Regular {
            launch_configuration,
            scaling_group,
            os,
            os_customize,
            runtime,
            runtime_version,
            settings,
        } = &self.kind
        else {
            return None;
        };
        let setting = |name: &str| settings.get(name).cloned().unwrap_or_default();
        Some(json!({
            "NodePoolId": self.id,
            "Name": self.name,
            "ClusterInstanceId": cluster.id,
            "LifeState": self.state.name(),
            "LaunchConfigurationId": launch_configuration,
            "AutoscalingGroupId": scaling_group,
            "Labels": self.labels,
            "Taints": self.taints,
            "Annotations": self.annotations,
            "NodeCountSummary": summary(cluster, &self.id),
            "AutoscalingGroupStatus": self.scaling_state(),
            "MaxNodesNum": self.max,
            "MinNodesNum": self.min,
            "DesiredNodesNum": self.desired,
            "RuntimeConfig": { "RuntimeType": runtime, "RuntimeVersion": runtime_version },
            "NodePoolOs": os,
            "OsCustomizeType": os_customize,
            "ImageId": self.order.get("ImageId").and_then(Value::as_str).unwrap_or_default(),
            "DesiredPodNum": setting("DesiredPodNumber"),
            "UserScript": setting("UserScript"),
            "Tags": self.tags,
            "DeletionProtection": self.protected,
            "ExtraArgs": setting("ExtraArgs"),
            "GPUArgs": null,
            "DockerGraphPath": setting("DockerGraphPath"),
            "DataDisks": setting("DataDisks"),
            "Unschedulable": self.unschedulable,
            "PreStartUserScript": setting("PreStartUserScript"),
        }))
    }
}

/// The pool of this id in a cluster, or the error that says it does not exist.
pub(super) fn find<'a>(here: &Local<'_>, cluster: &'a Cluster, id: &str, absent: Fault) -> Result<&'a Pool, ApiError> {
    let missing = || absent.error(here.settings, format!("The cluster `{}` has no node pool `{id}`.", cluster.id));
    cluster.pools.get(id).ok_or_else(missing)
}

/// The pool of this id, to change it.
pub(super) fn find_mut<'a>(here: &'a mut Local<'_>, cluster_id: &str, pool_id: &str) -> Option<&'a mut Pool> {
    here.region.tke.clusters.get_mut(cluster_id).and_then(|cluster| cluster.pools.get_mut(pool_id))
}

/// How many of these nodes each pool has.
pub(super) fn count<'n>(nodes: impl Iterator<Item = &'n Node>) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for pool in nodes.filter_map(|node| node.pool.clone()) {
        *counts.entry(pool).or_default() += 1;
    }
    counts
}

/// What the newer version of the API lists by pools: the pools themselves, and the machines in them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listing {
    cluster_id: String,
    filters: Option<Vec<Filter>>,
    limit: Option<i64>,
    offset: Option<i64>,
}

impl Listing {
    /// The cluster, a page, and whether something of a pool is in the list.
    pub(super) fn read<'h>(
        self,
        call: &Call,
        here: &'h Local<'_>,
    ) -> Result<(&'h Cluster, Page, impl Fn(&Pool) -> bool), ApiError> {
        let filters = Filters::check(call, self.filters, &["NodePoolsName", "NodePoolsId", "tags", "tag:"], &LISTS)?;
        let page = faults::page(self.offset, self.limit)?;
        let cluster = clusters::find(here, &self.cluster_id, NO_CLUSTER_FOR_POOLS)?;
        let accepts = move |pool: &Pool| filters.accept(&pool.tags, |name, value| fits(pool, name, value));
        Ok((cluster, page, accepts))
    }
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        cluster_id: String,
        filters: Option<Vec<Filter>>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let filters = Filters::check(call, input.filters, &["NodePoolsName", "NodePoolsId", "Tags", "tag:"], &LISTS)?;
    let cluster = clusters::find(&here, &input.cluster_id, NO_CLUSTER_FOR_POOLS)?;
    let pools: Vec<Value> = cluster
        .pools
        .values()
        .filter(|pool| filters.accept(&pool.tags, |name, value| fits(pool, name, value)))
        .filter_map(|pool| pool.show(cluster))
        .collect();
    Ok(json!({ "TotalCount": pools.len(), "NodePoolSet": pools }))
}

/// Whether a pool fits a filter of either version.
fn fits(pool: &Pool, name: &str, value: &str) -> bool {
    match name {
        "NodePoolsName" => pool.name == value,
        "NodePoolsId" => pool.id == value,
        "Tags" | "tags" => has_tag(&pool.tags, value),
        _ => false,
    }
}

pub(super) fn describe_one(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        cluster_id: String,
        node_pool_id: String,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let cluster = clusters::find(&here, &input.cluster_id, NO_CLUSTER_FOR_POOLS)?;
    let pool = find(&here, cluster, &input.node_pool_id, NOT_THERE)?;
    match pool.show(cluster) {
        Some(shown) => Ok(json!({ "NodePool": shown })),
        None => {
            let message = format!("`{}` is a pool of native nodes: see DescribeNodePools of 2022-05-01.", pool.id);
            NOT_THERE.refuse(&here, message)
        }
    }
}

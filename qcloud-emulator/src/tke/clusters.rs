//! Clusters: what they are, and how they are listed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::endpoints::Endpoint;
use super::faults::{self, Fault};
use super::nodes::{Node, NodeState};
use super::pools::Pool;
use super::{LISTS, faults::BAD_PARAMETER};
use crate::call::Call;
use crate::cidr::Cidr;
use crate::clock::Time;
use crate::error::ApiError;
use crate::ids::well_formed;
use crate::listing::{self, Filter, Filters};
use crate::table::Table;
use crate::tags::Tag;
use crate::world::{Local, World};

/// A cluster.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cluster {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) kind: String,
    pub(super) version: String,
    pub(super) os: String,
    pub(super) os_customize: String,
    pub(super) project_id: i64,
    pub(super) level: String,
    pub(super) auto_level: bool,
    pub(super) tags: Vec<Tag>,
    pub(super) state: ClusterState,
    pub(super) network: Network,
    pub(super) runtime: String,
    pub(super) runtime_version: String,
    pub(super) node_names: String,
    pub(super) protected: bool,
    pub(super) audited: bool,
    pub(super) shares_gpus: bool,
    pub(super) highly_available: bool,
    pub(super) security_mode: Option<Value>,
    pub(super) created: Time,
    /// By instance id.
    pub(super) nodes: Table<Node>,
    pub(super) pools: Table<Pool>,
    /// The endpoint inside the VPC and the public one.
    pub(super) intranet: Option<Endpoint>,
    pub(super) extranet: Option<Endpoint>,
    pub(super) password: String,
}

/// The network of a cluster.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Network {
    pub(super) vpc_id: String,
    /// `GR`, `VPC-CNI` or `CiliumOverlay`.
    pub(super) kind: String,
    /// Those of pods, the first from the beginning and the others added later. Empty with VPC-CNI.
    pub(super) cidrs: Vec<Cidr>,
    pub(super) service_cidr: Option<Cidr>,
    pub(super) pods_per_node: u64,
    pub(super) services: u64,
    pub(super) ignores_conflicts: bool,
    pub(super) ignores_service_conflicts: bool,
    pub(super) ipvs: bool,
    pub(super) proxy_mode: String,
    pub(super) subnets: Vec<String>,
    pub(super) dual_stack: bool,
    pub(super) cilium_mode: String,
    pub(super) data_plane_v2: bool,
    pub(super) subnet: String,
}

/// The state of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ClusterState {
    Creating,
    Running,
    Deleting,
}

impl ClusterState {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Running => "Running",
            Self::Deleting => "Deleting",
        }
    }
}

impl Network {
    /// Whether pods are reached over cluster routes.
    pub(super) fn has_global_routes(&self) -> bool {
        self.kind == "GR"
    }

    /// How many nodes have room for a pod network of their own; `None` when nodes need none.
    pub(super) fn most_nodes(&self) -> Option<u64> {
        self.has_global_routes().then(|| {
            let addresses: u64 = self.cidrs.iter().map(|cidr| cidr.size()).sum();
            let services = if self.service_cidr.is_none() { self.services } else { 0 };
            addresses.saturating_sub(services) / self.pods_per_node.max(1)
        })
    }
}

fn text(cidr: Option<&Cidr>) -> String {
    cidr.map(ToString::to_string).unwrap_or_default()
}

impl Cluster {
    fn tag_specification(&self) -> Value {
        if self.tags.is_empty() {
            return json!([]);
        }
        json!([{ "ResourceType": "cluster", "Tags": self.tags }])
    }

    fn count(&self, wanted: impl Fn(&Node) -> bool) -> usize {
        self.nodes.values().filter(|node| wanted(node)).count()
    }

    fn show(&self) -> Value {
        let network = &self.network;
        json!({
            "ClusterId": self.id,
            "ClusterName": self.name,
            "ClusterDescription": self.description,
            "ClusterVersion": self.version,
            "ClusterOs": self.os,
            "ClusterType": self.kind,
            "ClusterNetworkSettings": {
                "ClusterCIDR": text(network.cidrs.first()),
                "IgnoreClusterCIDRConflict": network.ignores_conflicts,
                "MaxNodePodNum": network.pods_per_node,
                "MaxClusterServiceNum": network.services,
                "Ipvs": network.ipvs,
                "VpcId": network.vpc_id,
                "Cni": true,
                "KubeProxyMode": network.proxy_mode,
                "ServiceCIDR": text(network.service_cidr.as_ref()),
                "Subnets": network.subnets,
                "IgnoreServiceCIDRConflict": network.ignores_service_conflicts,
                "IsDualStack": network.dual_stack,
                "Ipv6ServiceCIDR": "",
                "CiliumMode": network.cilium_mode,
                "SubnetId": network.subnet,
                "DataPlaneV2": network.data_plane_v2,
            },
            "ClusterNodeNum": self.count(Node::is_worker),
            "ProjectId": self.project_id,
            "TagSpecification": self.tag_specification(),
            "ClusterStatus": self.state.name(),
            "Property": json!({ "NodeNameType": self.node_names, "NetworkType": network.kind }).to_string(),
            "ClusterMaterNodeNum": self.count(|node| node.role.starts_with("MASTER")),
            "ImageId": "",
            "OsCustomizeType": self.os_customize,
            "ContainerRuntime": self.runtime,
            "CreatedTime": self.created.iso(),
            "DeletionProtection": self.protected,
            "EnableExternalNode": false,
            "ClusterLevel": self.level,
            "AutoUpgradeClusterLevel": self.auto_level,
            "QGPUShareEnable": self.shares_gpus,
            "RuntimeVersion": self.runtime_version,
            "ClusterEtcdNodeNum": self.count(|node| node.role.ends_with("ETCD")),
            "CdcId": "",
            "IsHighAvailability": self.highly_available,
            "ClusterCategory": "tke",
            "SecurityModeConfig": self.security_mode.clone().unwrap_or_else(|| json!({ "Enabled": false })),
        })
    }

    fn show_in_short(&self) -> Value {
        json!({
            "ClusterId": self.id,
            "ClusterName": self.name,
            "ClusterDescription": self.description,
            "ClusterVersion": self.version,
            "ClusterType": self.kind,
            "TagSpecification": self.tag_specification(),
            "ClusterStatus": self.state.name(),
            "CreatedTime": self.created.iso(),
            "ClusterLevel": self.level,
            "VpcId": self.network.vpc_id,
        })
    }

    fn show_status(&self) -> Value {
        let states = |state: NodeState| self.count(|node| node.state == state);
        let (running, failed) = (states(NodeState::Running), states(NodeState::Failed));
        let instances = match (running, failed) {
            (0, 1..) => "AllAbnormal",
            (_, 1..) => "PartialAbnormal",
            (_, 0) => "AllNormal",
        };
        json!({
            "ClusterId": self.id,
            "ClusterState": self.state.name(),
            "ClusterInstanceState": instances,
            "ClusterBMonitor": true,
            "ClusterInitNodeNum": states(NodeState::Initializing),
            "ClusterRunningNodeNum": running,
            "ClusterFailedNodeNum": failed,
            "ClusterClosedNodeNum": 0,
            "ClusterClosingNodeNum": 0,
            "ClusterDeletionProtection": self.protected,
            "ClusterAuditEnabled": self.audited,
        })
    }
}

/// Checks the form of a cluster id.
pub(super) fn check_id(here: &Local<'_>, id: &str) -> Result<(), ApiError> {
    if well_formed(id, "cls") {
        return Ok(());
    }
    BAD_PARAMETER.refuse(here, format!("`{id}` is no cluster id; one looks like `cls-1a2b3c4d`."))
}

/// The cluster of this id, or the error that says it does not exist.
pub(super) fn find<'a>(here: &'a Local<'_>, id: &str, absent: Fault) -> Result<&'a Cluster, ApiError> {
    check_id(here, id)?;
    let missing = || absent.error(here.settings, format!("The cluster `{id}` does not exist in this region."));
    here.region.tke.clusters.get(id).ok_or_else(missing)
}

/// As [`find`], to change it.
pub(super) fn find_mut<'a>(here: &'a mut Local<'_>, id: &str, absent: Fault) -> Result<&'a mut Cluster, ApiError> {
    check_id(here, id)?;
    let missing = || absent.error(here.settings, format!("The cluster `{id}` does not exist in this region."));
    here.region.tke.clusters.get_mut(id).ok_or_else(missing)
}

/// As [`find`], and it must be running.
pub(super) fn find_running<'a>(here: &'a Local<'_>, id: &str, absent: Fault) -> Result<&'a Cluster, ApiError> {
    let cluster = find(here, id, absent)?;
    if cluster.state == ClusterState::Running {
        return Ok(cluster);
    }
    let message = format!("The cluster `{id}` is {}: it takes changes only while it is Running.", cluster.state.name());
    faults::CLUSTER_STATE.refuse(here, message)
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    list(world, call, Cluster::show)
}

pub(super) fn describe_in_short(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    list(world, call, Cluster::show_in_short)
}

fn list(world: &mut World, call: &Call, show: fn(&Cluster) -> Value) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        cluster_ids: Option<Vec<String>>,
        offset: Option<i64>,
        limit: Option<i64>,
        filters: Option<Vec<Filter>>,
        cluster_type: Option<String>,
    }
    const FILTERS: &[&str] =
        &["ClusterName", "ClusterType", "ClusterStatus", "vpc-id", "tag-key", "tag-value", "tag:", "Tags"];
    let input: Input = call.input()?;
    let here = world.local(call);
    listing::ids_or_filters(("ClusterIds", input.cluster_ids.as_ref()), input.filters.as_ref(), &LISTS)?;
    let ids = input.cluster_ids.unwrap_or_default();
    listing::check_ids(("ClusterIds", &ids), "cls", faults::PARAM, &LISTS)?;
    let filters = Filters::check(call, input.filters, FILTERS, &LISTS)?;
    let page = faults::page(input.offset, input.limit)?;
    let kind = input.cluster_type.filter(|kind| !kind.is_empty());
    let (total, clusters) = page.cut(here.region.tke.clusters.among(&ids).filter(|cluster| {
        kind.as_ref().is_none_or(|kind| cluster.kind == *kind)
            && filters.accept(&cluster.tags, |name, value| match name {
                "ClusterName" => cluster.name == value,
                "ClusterType" => cluster.kind == value,
                "ClusterStatus" => cluster.state.name() == value,
                "vpc-id" => cluster.network.vpc_id == value,
                "Tags" => has_tag(&cluster.tags, value),
                _ => false,
            })
    }));
    Ok(json!({ "TotalCount": total, "Clusters": clusters.into_iter().map(show).collect::<Vec<_>>() }))
}

/// Whether the tags have one that is written `key:value`.
pub(super) fn has_tag(tags: &[Tag], written: &str) -> bool {
    let (key, value) = written.split_once(':').unwrap_or((written, ""));
    tags.iter().any(|tag| tag.key == key && tag.value == value)
}

pub(super) fn describe_status(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        cluster_ids: Option<Vec<String>>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let ids = input.cluster_ids.unwrap_or_default();
    listing::check_ids(("ClusterIds", &ids), "cls", faults::PARAM, &LISTS)?;
    let clusters = here.region.tke.clusters.among(&ids);
    let states: Vec<Value> = clusters.map(Cluster::show_status).collect();
    Ok(json!({ "TotalCount": states.len(), "ClusterStatusSet": states }))
}

/// Reads the tags of a request, which come by the kind of resource that they are for.
pub(super) fn read_tags(
    here: &Local<'_>,
    given: Option<Vec<TagSpecification>>,
    kind: &str,
) -> Result<Vec<Tag>, ApiError> {
    let mut tags: BTreeMap<String, Tag> = BTreeMap::new();
    for specification in given.into_iter().flatten() {
        let other = specification.resource_type.filter(|given| !given.is_empty() && given != kind);
        if let Some(other) = other {
            let message = format!("`TagSpecification.ResourceType` must be `{kind}` here, not `{other}`.");
            return BAD_PARAMETER.refuse(here, message);
        }
        for tag in specification.tags.unwrap_or_default() {
            if let Some(twice) = tags.insert(tag.key.clone(), tag) {
                return BAD_PARAMETER.refuse(here, format!("The tag key `{}` is given twice.", twice.key));
            }
        }
    }
    crate::tags::check(Some(tags.into_values().collect()))
        .map_err(|error| BAD_PARAMETER.error(here.settings, error.message))
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagSpecification {
    resource_type: Option<String>,
    tags: Option<Vec<Tag>>,
}

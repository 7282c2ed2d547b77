//! `CreateCluster`.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::clusters::{Cluster, ClusterState, Network, TagSpecification, read_tags};
use super::faults::{BAD_PARAMETER, NO_VPC, TOO_MANY_CLUSTERS};
use super::lifecycle::{Event, plan_after};
use super::node_changes::unfit;
use super::nodes::{self, NewNode};
use super::route_tables::{self, RouteTable};
use super::{cidrs, conflicts, templates, versions};
use crate::call::Call;
use crate::cvm;
use crate::error::ApiError;
use crate::settings::{Quota, Task};
use crate::table::Table;
use crate::world::{Local, World};

/// The sizes of managed clusters.
pub(super) const LEVELS: &[&str] = &["L5", "L20", "L50", "L100", "L200", "L500", "L1000", "L3000", "L5000"];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    cluster_type: String,
    #[serde(rename = "ClusterCIDRSettings")]
    cidrs: Cidrs,
    #[serde(default)]
    run_instances_for_node: Vec<NewInstances>,
    #[serde(default)]
    cluster_basic_settings: Basics,
    #[serde(default)]
    cluster_advanced_settings: Details,
    instance_advanced_settings: Option<Value>,
    #[serde(default)]
    existed_instances_for_node: Vec<OldInstances>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Cidrs {
    #[serde(rename = "ClusterCIDR")]
    cluster: Option<String>,
    #[serde(rename = "IgnoreClusterCIDRConflict")]
    ignoring: Option<bool>,
    max_node_pod_num: Option<u64>,
    max_cluster_service_num: Option<u64>,
    #[serde(rename = "ServiceCIDR")]
    services: Option<String>,
    #[serde(default)]
    eni_subnet_ids: Vec<String>,
    #[serde(rename = "IgnoreServiceCIDRConflict")]
    ignoring_services: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NewInstances {
    node_role: String,
    run_instances_para: Vec<String>,
    #[serde(default)]
    instance_advanced_settings_overrides: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OldInstances {
    node_role: String,
    existed_instances_para: OldPara,
    instance_advanced_settings_override: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OldPara {
    instance_ids: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Basics {
    cluster_os: Option<String>,
    cluster_version: Option<String>,
    cluster_name: Option<String>,
    cluster_description: Option<String>,
    vpc_id: Option<String>,
    project_id: Option<i64>,
    tag_specification: Option<Vec<TagSpecification>>,
    os_customize_type: Option<String>,
    subnet_id: Option<String>,
    cluster_level: Option<String>,
    auto_upgrade_cluster_level: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Details {
    audit_enabled: Option<bool>,
    cilium_mode: Option<String>,
    container_runtime: Option<String>,
    #[serde(rename = "DataPlaneV2")]
    data_plane_v2: Option<bool>,
    deletion_protection: Option<bool>,
    #[serde(rename = "IPVS")]
    ipvs: Option<bool>,
    is_dual_stack: Option<bool>,
    kube_proxy_mode: Option<String>,
    network_type: Option<String>,
    node_name_type: Option<String>,
    #[serde(rename = "QGPUShareEnable")]
    shares_gpus: Option<bool>,
    runtime_version: Option<String>,
    is_high_availability: Option<bool>,
    security_mode_config: Option<Value>,
}

/// Instances that become nodes of the new cluster.
#[derive(Debug)]
enum Order {
    Run(Map<String, Value>, NewNode),
    Take(Vec<String>, NewNode),
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let mut here = world.local(call);
    one_of(&here, "ClusterType", &input.cluster_type, &["MANAGED_CLUSTER", "INDEPENDENT_CLUSTER"])?;
    let limit = here.settings.limit(Quota::ClustersPerRegion);
    if here.region.tke.clusters.len() >= limit {
        let message = format!("The region {} has its {limit} clusters already: delete one.", here.name);
        return TOO_MANY_CLUSTERS.refuse(&here, message);
    }
    let mut cluster = describe(&here, &input)?;
    let (orders, count) = read_orders(&here, &input, &cluster.network.vpc_id)?;
    nodes::check_room(&here, &cluster, count, false)?;
    if cluster.network.has_global_routes() {
        route_tables::check_room(&here)?;
    }
    cluster.id = here.ids.new_id("cls");
    cluster.password = here.ids.new_word(32);
    let id = cluster.id.clone();
    // All or nothing: what one order took is given back when a later one cannot be filled.
    let before = (orders.len() > 1).then(|| here.region.clone());
    let table = RouteTable::of_cluster(&id, &cluster.network.vpc_id, cluster.network.cidrs.clone());
    if cluster.network.has_global_routes() {
        here.region.tke.route_tables.insert(id.clone(), table);
    }
    here.region.tke.clusters.insert(id.clone(), cluster);
    for order in orders {
        if let Err(error) = fill(&mut here, &id, order) {
            match before {
                Some(before) => *here.region = before,
                None => {
                    here.region.tke.clusters.remove(&id);
                    here.region.tke.route_tables.remove(&id);
                }
            }
            return Err(error);
        }
    }
    plan_after(&mut here, Task::ClusterCreate, Event::ClusterIsReady { cluster: id.clone() });
    Ok(json!({ "ClusterId": id }))
}

fn fill(here: &mut Local<'_>, cluster: &str, order: Order) -> Result<(), ApiError> {
    match order {
        Order::Run(parameters, new) => {
            let made = cvm::run_for(here, &parameters).map_err(|error| templates::refused(here, &error))?;
            let runs_at = cvm::boots_at(here);
            for id in made {
                nodes::join(here, cluster, &id, new.clone(), runs_at);
            }
        }
        Order::Take(ids, new) => {
            for id in ids {
                let runs_at = cvm::reinstall(here, &id);
                nodes::join(here, cluster, &id, new.clone(), runs_at);
            }
        }
    }
    Ok(())
}

pub(super) fn one_of(here: &Local<'_>, parameter: &str, value: &str, known: &[&str]) -> Result<(), ApiError> {
    if known.contains(&value) {
        return Ok(());
    }
    BAD_PARAMETER.refuse(here, format!("`{parameter}`: `{value}` is none of {}.", known.join(", ")))
}

/// Checks what a cluster is to be, and its network.
fn describe(here: &Local<'_>, input: &Input) -> Result<Cluster, ApiError> {
    let (basics, details) = (&input.cluster_basic_settings, &input.cluster_advanced_settings);
    let Some(vpc_id) = basics.vpc_id.as_deref().filter(|id| !id.is_empty()) else {
        return BAD_PARAMETER.refuse(here, "`ClusterBasicSettings.VpcId` must name the VPC of the cluster.");
    };
    if !here.region.vpc.vpcs.contains(vpc_id) {
        return NO_VPC.refuse(here, format!("The VPC `{vpc_id}` does not exist in this region."));
    }
    let version = basics.cluster_version.as_deref().filter(|text| !text.is_empty()).unwrap_or(versions::DEFAULT);
    if !versions::exists(version) {
        let message = format!("`ClusterVersion`: there is no `{version}`; there are {}.", versions::names());
        return BAD_PARAMETER.refuse(here, message);
    }
    let level = basics.cluster_level.as_deref().filter(|text| !text.is_empty()).unwrap_or("L5");
    one_of(here, "ClusterLevel", level, LEVELS)?;
    let names = details.node_name_type.as_deref().filter(|text| !text.is_empty()).unwrap_or("lan-ip");
    one_of(here, "NodeNameType", names, &["lan-ip", "hostname"])?;
    let runtime = details.container_runtime.as_deref().filter(|text| !text.is_empty()).unwrap_or("docker");
    one_of(here, "ContainerRuntime", runtime, &["docker", "containerd"])?;
    check_name(here, basics.cluster_name.as_deref().unwrap_or_default())?;
    let or = |text: &Option<String>, default: &str| {
        text.clone().filter(|text| !text.is_empty()).unwrap_or_else(|| default.to_owned())
    };
    let upgrades = basics.auto_upgrade_cluster_level.as_ref().and_then(|level| level.get("IsAutoUpgrade"));
    Ok(Cluster {
        id: String::new(),
        name: or(&basics.cluster_name, "unnamed"),
        description: or(&basics.cluster_description, ""),
        kind: input.cluster_type.clone(),
        version: version.to_owned(),
        os: or(&basics.cluster_os, "tlinux2.4x86_64"),
        os_customize: or(&basics.os_customize_type, "GENERAL"),
        project_id: basics.project_id.unwrap_or_default().max(0),
        level: level.to_owned(),
        auto_level: upgrades.and_then(Value::as_bool).unwrap_or_default(),
        tags: read_tags(here, basics.tag_specification.clone(), "cluster")?,
        state: ClusterState::Creating,
        network: read_network(here, input, vpc_id)?,
        runtime: runtime.to_owned(),
        runtime_version: or(&details.runtime_version, if runtime == "docker" { "19.3" } else { "1.6.9" }),
        node_names: names.to_owned(),
        protected: details.deletion_protection.unwrap_or_default(),
        audited: details.audit_enabled.unwrap_or_default(),
        shares_gpus: details.shares_gpus.unwrap_or_default(),
        highly_available: details.is_high_availability.unwrap_or(true),
        security_mode: details.security_mode_config.clone(),
        created: here.now,
        nodes: Table::default(),
        pools: Table::default(),
        intranet: None,
        extranet: None,
        password: String::new(),
    })
}

pub(super) fn check_name(here: &Local<'_>, name: &str) -> Result<(), ApiError> {
    if name.chars().count() > 50 {
        return BAD_PARAMETER.refuse(here, "`ClusterName` has at most 50 characters.");
    }
    Ok(())
}

/// A number that the cloud rounds up to a power of two.
fn power(here: &Local<'_>, parameter: &str, given: Option<u64>, (least, most): (u64, u64)) -> Result<u64, ApiError> {
    let number = given.filter(|number| *number != 0).unwrap_or(256);
    if (least..=most).contains(&number) {
        return Ok(number.next_power_of_two());
    }
    BAD_PARAMETER.refuse(here, format!("`{parameter}` must be from {least} to {most}, not {number}."))
}

fn read_network(here: &Local<'_>, input: &Input, vpc_id: &str) -> Result<Network, ApiError> {
    let (given, details) = (&input.cidrs, &input.cluster_advanced_settings);
    let kind = details.network_type.as_deref().filter(|kind| !kind.is_empty()).unwrap_or("GR");
    one_of(here, "NetworkType", kind, &["GR", "VPC-CNI", "CiliumOverlay"])?;
    let pods_per_node = power(here, "MaxNodePodNum", given.max_node_pod_num, (4, 256))?;
    let services = power(here, "MaxClusterServiceNum", given.max_cluster_service_num, (32, 32_768))?;
    let mut networks = Vec::new();
    match given.cluster.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => {
            let cidr = cidrs::read_pods(here, "ClusterCIDR", text, cidrs::FOR_CLUSTERS)?;
            conflicts::refuse(here, vpc_id, cidr, given.ignoring == Some(true), conflicts::FOR_CLUSTERS)?;
            networks.push(cidr);
        }
        None if kind == "VPC-CNI" => {}
        None => return BAD_PARAMETER.refuse(here, format!("A cluster with the network {kind} needs a `ClusterCIDR`.")),
    }
    let service_cidr = given.services.as_deref().filter(|text| !text.is_empty());
    let service_cidr = service_cidr.map(|text| cidrs::read(here, "ServiceCIDR", text, BAD_PARAMETER)).transpose()?;
    if let Some(cidr) = service_cidr {
        if let Some(other) = networks.iter().find(|other| other.overlaps(cidr)) {
            return BAD_PARAMETER.refuse(here, format!("`ServiceCIDR`: {cidr} overlaps `ClusterCIDR`, {other}."));
        }
        if given.ignoring_services != Some(true) {
            conflicts::refuse(here, vpc_id, cidr, given.ignoring == Some(true), conflicts::FOR_CLUSTERS)?;
        }
    }
    let missing = given.eni_subnet_ids.iter().find(|id| !here.region.vpc.subnets.contains(id));
    if let Some(id) = missing {
        return BAD_PARAMETER.refuse(here, format!("`EniSubnetIds`: there is no subnet `{id}` in this region."));
    }
    if kind == "VPC-CNI" && given.eni_subnet_ids.is_empty() {
        return BAD_PARAMETER.refuse(here, "A VPC-CNI cluster needs `EniSubnetIds`, from which pods get addresses.");
    }
    Ok(Network {
        vpc_id: vpc_id.to_owned(),
        kind: kind.to_owned(),
        cidrs: networks,
        service_cidr,
        pods_per_node,
        services,
        ignores_conflicts: given.ignoring.unwrap_or_default(),
        ignores_service_conflicts: given.ignoring_services.unwrap_or_default(),
        ipvs: details.ipvs.unwrap_or_default(),
        proxy_mode: details.kube_proxy_mode.clone().unwrap_or_default(),
        subnets: given.eni_subnet_ids.clone(),
        dual_stack: details.is_dual_stack.unwrap_or_default(),
        cilium_mode: details.cilium_mode.clone().unwrap_or_default(),
        data_plane_v2: details.data_plane_v2.unwrap_or_default(),
        subnet: input.cluster_basic_settings.subnet_id.clone().unwrap_or_default(),
    })
}

/// Checks the instances that become nodes. Gives how many there are.
fn read_orders(here: &Local<'_>, input: &Input, vpc_id: &str) -> Result<(Vec<Order>, usize), ApiError> {
    const ROLES: &[&str] = &["WORKER", "MASTER_ETCD"];
    let (mut orders, mut count, mut masters) = (Vec::new(), 0, 0);
    let common = input.instance_advanced_settings.as_ref();
    let mut add = |order: Order, role: &str, number: usize| {
        orders.push(order);
        count += number;
        masters += if role == "MASTER_ETCD" { number } else { 0 };
    };
    let new = |role: &str, settings: Option<&Value>| NewNode {
        role: role.to_owned(),
        ..NewNode::worker(nodes::settings(settings.or(common)))
    };
    for group in &input.run_instances_for_node {
        one_of(here, "NodeRole", &group.node_role, ROLES)?;
        for (place, text) in group.run_instances_para.iter().enumerate() {
            let order = templates::read_order(here, "RunInstancesPara", text, vpc_id)?;
            let number = cvm::check_order(here, &order).map_err(|error| templates::refused(here, &error))?;
            let settings = group.instance_advanced_settings_overrides.get(place);
            add(Order::Run(order, new(&group.node_role, settings)), &group.node_role, number);
        }
    }
    let mut taken: Vec<&String> = Vec::new();
    for group in &input.existed_instances_for_node {
        one_of(here, "NodeRole", &group.node_role, ROLES)?;
        let ids = &group.existed_instances_para.instance_ids;
        for id in ids {
            if taken.contains(&id) {
                return BAD_PARAMETER.refuse(here, format!("The instance `{id}` is given twice."));
            }
            if let Some(reason) = unfit(here, "", vpc_id, id) {
                return BAD_PARAMETER.refuse(here, reason);
            }
            taken.push(id);
        }
        let node = new(&group.node_role, group.instance_advanced_settings_override.as_ref());
        add(Order::Take(ids.clone(), node), &group.node_role, ids.len());
    }
    let needed = if input.cluster_type == "MANAGED_CLUSTER" { 0..=0 } else { 3..=7 };
    if !needed.contains(&masters) {
        let message = format!(
            "A cluster of the type {} has from {} to {} MASTER_ETCD nodes, not {masters}.",
            input.cluster_type,
            needed.start(),
            needed.end()
        );
        return BAD_PARAMETER.refuse(here, message);
    }
    Ok((orders, count))
}

//! Clusters that change, and their end.

use serde::Deserialize;
use serde_json::{Value, json};

use super::clusters::{self, ClusterState};
use super::faults::{self, CLUSTER_STATE, NO_CLUSTER, NO_MORE_CIDRS, PROTECTED_CLUSTER, PROTECTED_INSTANCE};
use super::lifecycle::{Event, plan_after, remove_nodes};
use super::new_cluster::{LEVELS, check_name, one_of};
use super::node_changes::{destroying, refuse_protected};
use super::{cidrs, conflicts, endpoints};
use crate::call::Call;
use crate::error::ApiError;
use crate::settings::Task;
use crate::world::World;

pub(super) fn modify(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        cluster_id: String,
        project_id: Option<i64>,
        cluster_name: Option<String>,
        cluster_desc: Option<String>,
        cluster_level: Option<String>,
        auto_upgrade_cluster_level: Option<Value>,
        #[serde(rename = "QGPUShareEnable")]
        shares_gpus: Option<bool>,
        cluster_property: Option<Value>,
        is_high_availability: Option<bool>,
        security_mode_config: Option<Value>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    clusters::find_running(&here, &input.cluster_id, NO_CLUSTER)?;
    check_name(&here, input.cluster_name.as_deref().unwrap_or_default())?;
    if let Some(level) = &input.cluster_level {
        one_of(&here, "ClusterLevel", level, LEVELS)?;
    }
    let names =
        input.cluster_property.as_ref().and_then(|property| property.get("NodeNameType")).and_then(Value::as_str);
    if let Some(names) = names {
        one_of(&here, "ClusterProperty.NodeNameType", names, &["lan-ip", "hostname"])?;
    }
    let cluster = clusters::find_mut(&mut here, &input.cluster_id, NO_CLUSTER)?;
    cluster.project_id = input.project_id.map_or(cluster.project_id, |id| id.max(0));
    if let Some(name) = input.cluster_name.filter(|name| !name.is_empty()) {
        cluster.name = name;
    }
    if let Some(text) = input.cluster_desc {
        cluster.description = text;
    }
    if let Some(level) = input.cluster_level {
        cluster.level = level;
    }
    let upgrades = input.auto_upgrade_cluster_level.as_ref().and_then(|level| level.get("IsAutoUpgrade"));
    cluster.auto_level = upgrades.and_then(Value::as_bool).unwrap_or(cluster.auto_level);
    cluster.shares_gpus = input.shares_gpus.unwrap_or(cluster.shares_gpus);
    if let Some(names) = names {
        cluster.node_names = names.to_owned();
    }
    cluster.highly_available = input.is_high_availability.unwrap_or(cluster.highly_available);
    if input.security_mode_config.is_some() {
        cluster.security_mode = input.security_mode_config;
    }
    Ok(json!({
        "ProjectId": cluster.project_id,
        "ClusterName": cluster.name,
        "ClusterDesc": cluster.description,
        "ClusterLevel": cluster.level,
        "AutoUpgradeClusterLevel": { "IsAutoUpgrade": cluster.auto_level },
        "QGPUShareEnable": cluster.shares_gpus,
        "ClusterProperty": { "NodeNameType": cluster.node_names },
        "IsHighAvailability": cluster.highly_available,
        "SecurityModeConfig": cluster.security_mode.clone().unwrap_or_else(|| json!({ "Enabled": false })),
    }))
}

pub(super) fn protect(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    set_protected(world, call, true)
}

pub(super) fn unprotect(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    set_protected(world, call, false)
}

fn set_protected(world: &mut World, call: &Call, protected: bool) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        cluster_id: String,
    }
    let input: Input = call.input()?;
    clusters::find_mut(&mut world.local(call), &input.cluster_id, NO_CLUSTER)?.protected = protected;
    Ok(json!({}))
}

pub(super) fn add_cidrs(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        cluster_id: String,
        #[serde(rename = "ClusterCIDRs")]
        cidrs: Vec<String>,
        #[serde(rename = "IgnoreClusterCIDRConflict")]
        ignoring: Option<bool>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let cluster = clusters::find_running(&here, &input.cluster_id, faults::NO_CLUSTER_FOR_CIDRS)?;
    if !cluster.network.has_global_routes() {
        let message = format!(
            "The cluster `{}` has the network {}: only one with global routes (GR) takes further networks.",
            cluster.id, cluster.network.kind
        );
        return NO_MORE_CIDRS.refuse(&here, message);
    }
    if input.cidrs.is_empty() {
        return Err(ApiError::missing("ClusterCIDRs"));
    }
    let mut added: Vec<crate::cidr::Cidr> = Vec::new();
    for text in &input.cidrs {
        let cidr = cidrs::read_pods(&here, "ClusterCIDRs", text, cidrs::FOR_MORE_CIDRS)?;
        if let Some(own) = cluster.network.cidrs.iter().chain(&added).find(|own| own.overlaps(cidr)) {
            return faults::OWN_CIDR.refuse(&here, format!("{cidr} overlaps {own} of the cluster itself."));
        }
        conflicts::refuse(
            &here,
            &cluster.network.vpc_id,
            cidr,
            input.ignoring == Some(true),
            conflicts::FOR_MORE_CIDRS,
        )?;
        added.push(cidr);
    }
    if let Some(table) = here.region.tke.route_tables.get_mut(&input.cluster_id) {
        table.cidrs.extend(&added);
    }
    clusters::find_mut(&mut here, &input.cluster_id, NO_CLUSTER)?.network.cidrs.extend(&added);
    Ok(json!({}))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        cluster_id: String,
        instance_delete_mode: String,
        resource_delete_options: Option<Vec<Value>>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let cluster = clusters::find(&here, &input.cluster_id, NO_CLUSTER)?;
    if cluster.state != ClusterState::Running {
        let message = format!("The cluster `{}` is {}.", cluster.id, cluster.state.name());
        return CLUSTER_STATE.refuse(&here, message);
    }
    let options = input.resource_delete_options.unwrap_or_default();
    let anyway = options.iter().any(|option| option.get("SkipDeletionProtection") == Some(&Value::Bool(true)));
    if cluster.protected {
        let message =
            format!("The cluster `{}` is protected: call DisableClusterDeletionProtection first.", cluster.id);
        return PROTECTED_CLUSTER.refuse(&here, message);
    }
    let destroying = destroying(&here, &input.instance_delete_mode)?;
    let instances: Vec<String> = cluster.nodes.values().map(|node| node.instance.clone()).collect();
    // Instances that were bought for long are kept in any case.
    let postpaid = |id: &&String| here.region.cvm.instances.get(id).is_some_and(crate::cvm::Instance::is_postpaid);
    let (leaving, staying): (Vec<&String>, Vec<&String>) = instances.iter().partition(postpaid);
    let (leaving, staying): (Vec<String>, Vec<String>) =
        (leaving.into_iter().cloned().collect(), staying.into_iter().cloned().collect());
    if destroying && !anyway {
        refuse_protected(&here, &leaving, PROTECTED_INSTANCE)?;
    }
    endpoints::close(&mut here, &input.cluster_id);
    remove_nodes(&mut here, &input.cluster_id, &leaving, destroying);
    remove_nodes(&mut here, &input.cluster_id, &staying, false);
    here.region.tke.route_tables.remove(&input.cluster_id);
    let cluster = clusters::find_mut(&mut here, &input.cluster_id, NO_CLUSTER)?;
    cluster.state = ClusterState::Deleting;
    cluster.pools = crate::table::Table::default();
    plan_after(&mut here, Task::ClusterDelete, Event::ClusterIsGone { cluster: input.cluster_id });
    Ok(json!({}))
}

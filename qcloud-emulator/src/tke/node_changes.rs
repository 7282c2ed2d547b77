//! Instances that become nodes, and nodes that leave.

use serde::Deserialize;
use serde_json::{Value, json};

use super::clusters::{self, Cluster};
use super::faults::{
    BAD_PARAMETER, Fault, NO_CLUSTER, NO_CLUSTER_TO_DELETE_FROM, NOT_THERE, PROTECTED_INSTANCE, SCALING_GROUP,
};
use super::nodes::{self, NewNode, NodeState};
use super::pools::{self, PoolState};
use super::{lifecycle, templates};
use crate::call::Call;
use crate::cvm;
use crate::error::ApiError;
use crate::ids::well_formed;
use crate::world::{Local, World};

const MOST: usize = 100;
const CHECK_OF_NETWORK: &str = "GlobalRouteCIDRCheck";

/// Checks a list of instance ids: the form of each, and that none comes twice.
fn check_instances(here: &Local<'_>, ids: &[String]) -> Result<(), ApiError> {
    if ids.is_empty() || ids.len() > MOST {
        return BAD_PARAMETER.refuse(here, format!("`InstanceIds` takes 1 to {MOST} ids, not {}.", ids.len()));
    }
    for (place, id) in ids.iter().enumerate() {
        if !well_formed(id, "ins") {
            return BAD_PARAMETER.refuse(here, format!("`{id}` is no instance id; one looks like `ins-1a2b3c4d`."));
        }
        if ids.iter().take(place).any(|other| other == id) {
            return BAD_PARAMETER.refuse(here, format!("The instance `{id}` is given twice."));
        }
    }
    Ok(())
}

/// Why an instance cannot become a node of the cluster.
pub(super) fn unfit(here: &Local<'_>, cluster_id: &str, vpc_id: &str, id: &str) -> Option<String> {
    let Some(instance) = here.region.cvm.instances.get(id) else {
        return Some(format!("The instance {id} does not exist in this region."));
    };
    if instance.vpc_id != vpc_id {
        return Some(format!("The instance {id} is in {}, the cluster in {vpc_id}.", instance.vpc_id));
    }
    if let Some(other) = here.region.tke.clusters.values().find(|cluster| cluster.nodes.contains(id)) {
        let whose = if other.id == cluster_id { "this cluster" } else { other.id.as_str() };
        return Some(format!("The instance {id} is a node of {whose} already."));
    }
    if instance.charge_type() == "SPOTPAID" {
        return Some(format!("The instance {id} is a spot instance, which cannot be added."));
    }
    (!instance.is_at_rest()).then(|| format!("The instance {id} is {}, not RUNNING.", instance.state.name()))
}

pub(super) fn add_existing(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        cluster_id: String,
        instance_ids: Vec<String>,
        instance_advanced_settings: Option<Value>,
        node_pool: Option<PoolOption>,
        #[serde(default)]
        skip_validate_options: Vec<String>,
        instance_advanced_settings_overrides: Option<Vec<Value>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct PoolOption {
        add_to_node_pool: Option<bool>,
        node_pool_id: Option<String>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let cluster = clusters::find_running(&here, &input.cluster_id, NO_CLUSTER)?;
    check_instances(&here, &input.instance_ids)?;
    let overrides = input.instance_advanced_settings_overrides.unwrap_or_default();
    if overrides.len() > input.instance_ids.len() {
        return BAD_PARAMETER.refuse(&here, "`InstanceAdvancedSettingsOverrides` is longer than `InstanceIds`.");
    }
    let vpc_id = cluster.network.vpc_id.clone();
    let (mut good, mut bad, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
    for (place, id) in input.instance_ids.iter().enumerate() {
        match unfit(&here, &input.cluster_id, &vpc_id, id) {
            None => good.push((place, id.clone())),
            Some(reason) => {
                bad.push(id.clone());
                reasons.push(reason);
            }
        }
    }
    let ignoring = input.skip_validate_options.iter().any(|option| option == CHECK_OF_NETWORK);
    nodes::check_room(&here, cluster, good.len(), ignoring)?;
    let option = input.node_pool.filter(|option| option.add_to_node_pool == Some(true));
    let pool = option.map(|option| option.node_pool_id.unwrap_or_default());
    if let Some(pool) = &pool {
        grow(&mut here, &input.cluster_id, pool, good.len())?;
    }
    for (place, id) in &good {
        let settings = nodes::settings(overrides.get(*place).or(input.instance_advanced_settings.as_ref()));
        let runs_at = cvm::reinstall(&mut here, id);
        let new = NewNode { pool: pool.clone(), ..NewNode::worker(settings) };
        nodes::join(&mut here, &input.cluster_id, id, new, runs_at);
    }
    let good: Vec<String> = good.into_iter().map(|(_, id)| id).collect();
    Ok(json!({
        "SuccInstanceIds": good,
        "FailedInstanceIds": bad,
        "TimeoutInstanceIds": [],
        "FailedReasons": reasons,
    }))
}

/// Makes room in a pool for instances that are added by hand.
fn grow(here: &mut Local<'_>, cluster_id: &str, pool_id: &str, more: usize) -> Result<(), ApiError> {
    let clusters = &here.region.tke.clusters;
    let Some(pool) = clusters.get(cluster_id).and_then(|cluster| cluster.pools.get(pool_id)) else {
        return NOT_THERE.refuse(here, format!("The cluster `{cluster_id}` has no node pool `{pool_id}`."));
    };
    let desired = pool.desired.saturating_add(i64::try_from(more).unwrap_or(i64::MAX));
    if desired > pool.max || pool.state != PoolState::Normal || pool.is_native() {
        let message = format!(
            "The node pool `{pool_id}` is {} with {} of at most {} nodes: it cannot take {more} more.",
            pool.state.name(),
            pool.desired,
            pool.max
        );
        return SCALING_GROUP.refuse(here, message);
    }
    if let Some(pool) = pools::find_mut(here, cluster_id, pool_id) {
        pool.desired = desired;
    }
    Ok(())
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        cluster_id: String,
        run_instance_para: String,
        instance_advanced_settings: Option<Value>,
        #[serde(default)]
        skip_validate_options: Vec<String>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let cluster = clusters::find_running(&here, &input.cluster_id, NO_CLUSTER)?;
    let order = templates::read_order(&here, "RunInstancePara", &input.run_instance_para, &cluster.network.vpc_id)?;
    let count = cvm::check_order(&here, &order).map_err(|error| templates::refused(&here, &error))?;
    let ignoring = input.skip_validate_options.iter().any(|option| option == CHECK_OF_NETWORK);
    nodes::check_room(&here, cluster, count, ignoring)?;
    let new = NewNode::worker(nodes::settings(input.instance_advanced_settings.as_ref()));
    let made = cvm::run_for(&mut here, &order).map_err(|error| templates::refused(&here, &error))?;
    let runs_at = cvm::boots_at(&here);
    for id in &made {
        nodes::join(&mut here, &input.cluster_id, id, new.clone(), runs_at);
    }
    Ok(json!({ "InstanceIdSet": made }))
}

/// Reads whether instances are to be destroyed.
pub(super) fn destroying(here: &Local<'_>, mode: &str) -> Result<bool, ApiError> {
    match mode {
        "terminate" => Ok(true),
        "retain" => Ok(false),
        other => BAD_PARAMETER.refuse(here, format!("`InstanceDeleteMode` is terminate or retain, not `{other}`.")),
    }
}

/// The instances that a request deletes, sorted by what comes of it.
#[derive(Debug, Default)]
struct Sorted {
    good: Vec<String>,
    bad: Vec<String>,
    absent: Vec<String>,
}

fn sort(here: &Local<'_>, cluster: &Cluster, ids: &[String], destroying: bool, forcing: bool) -> Sorted {
    let mut sorted = Sorted::default();
    for id in ids {
        let Some(node) = cluster.nodes.get(id).filter(|node| node.machine.is_none()) else {
            sorted.absent.push(id.clone());
            continue;
        };
        let early = node.state == NodeState::Initializing && !forcing;
        let instance = here.region.cvm.instances.get(id);
        // Only instances that are paid by the hour can be destroyed.
        let lasting = destroying && instance.is_some_and(|instance| !instance.is_postpaid());
        if early || lasting { sorted.bad.push(id.clone()) } else { sorted.good.push(id.clone()) }
    }
    sorted
}

/// Refuses to destroy instances that are protected.
pub(super) fn refuse_protected(here: &Local<'_>, ids: &[String], fault: Fault) -> Result<(), ApiError> {
    let protected = ids.iter().find(|id| here.region.cvm.instances.get(id).is_some_and(cvm::Instance::is_protected));
    match protected {
        None => Ok(()),
        Some(id) => {
            let message = format!(
                "The instance `{id}` is protected: set DisableApiTermination to false with ModifyInstancesAttribute first."
            );
            fault.refuse(here, message)
        }
    }
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        cluster_id: String,
        instance_ids: Vec<String>,
        instance_delete_mode: String,
        force_delete: Option<bool>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let cluster = clusters::find_running(&here, &input.cluster_id, NO_CLUSTER_TO_DELETE_FROM)?;
    check_instances(&here, &input.instance_ids)?;
    let destroying = destroying(&here, &input.instance_delete_mode)?;
    let sorted = sort(&here, cluster, &input.instance_ids, destroying, input.force_delete == Some(true));
    if destroying {
        refuse_protected(&here, &sorted.good, PROTECTED_INSTANCE)?;
    }
    // The scaling group of each node pool shrinks by the instances that leave it.
    let sizes = pools::count(sorted.good.iter().filter_map(|id| cluster.nodes.get(id)));
    for (id, leaving) in &sizes {
        let Some(pool) = cluster.pools.get(id) else { continue };
        if pool.desired - leaving < pool.min {
            let message = format!(
                "The node pool `{id}` is to have {} nodes and at least {}: {leaving} cannot leave it.",
                pool.desired, pool.min
            );
            return SCALING_GROUP.refuse(&here, message);
        }
    }
    for (id, leaving) in &sizes {
        if let Some(pool) = pools::find_mut(&mut here, &input.cluster_id, id) {
            pool.desired -= leaving;
        }
    }
    lifecycle::remove_nodes(&mut here, &input.cluster_id, &sorted.good, destroying);
    Ok(json!({
        "SuccInstanceIds": sorted.good,
        "FailedInstanceIds": sorted.bad,
        "NotFoundInstanceIds": sorted.absent,
    }))
}

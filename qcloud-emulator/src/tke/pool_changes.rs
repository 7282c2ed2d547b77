//! Pools of ordinary nodes: made, changed, scaled and deleted.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::clusters;
use super::faults::{
    BAD_PARAMETER, BAD_SCALING_GROUP, BAD_SIZE, Fault, NO_CLUSTER_FOR_POOLS, NO_CLUSTER_TO_CHANGE_POOLS,
    NO_POOL_TO_SCALE, NO_SUBNET, NOT_THERE, PROTECTED, PROTECTED_INSTANCE,
};
use super::lifecycle::{self, Event, plan_after};
use super::node_changes::refuse_protected;
use super::pools::{self, Pool, PoolKind, PoolState};
use super::{nodes, scaling, templates};
use crate::call::Call;
use crate::error::ApiError;
use crate::settings::Task;
use crate::tags::{self, Tag};
use crate::world::{Local, World};

/// The most nodes of a scaling group.
const MOST: i64 = 2000;

/// The parameters of a scaling group that node pools use.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Group {
    max_size: i64,
    min_size: i64,
    desired_capacity: Option<i64>,
    vpc_id: Option<String>,
    #[serde(default)]
    subnet_ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Created {
    cluster_id: String,
    auto_scaling_group_para: String,
    launch_configure_para: String,
    instance_advanced_settings: Value,
    enable_autoscale: bool,
    name: Option<String>,
    labels: Option<Value>,
    taints: Option<Value>,
    annotations: Option<Value>,
    container_runtime: Option<String>,
    runtime_version: Option<String>,
    node_pool_os: Option<String>,
    os_customize_type: Option<String>,
    tags: Option<Vec<Tag>>,
    deletion_protection: Option<bool>,
}

/// Checks the sizes of a pool.
pub(super) fn check_sizes(
    here: &Local<'_>,
    (min, max, desired): (i64, i64, i64),
    fault: Fault,
) -> Result<(), ApiError> {
    if 0 <= min && min <= desired && desired <= max && max <= MOST {
        return Ok(());
    }
    let message = format!(
        "The sizes of a pool go from 0 over the least, {min}, and the desired, {desired}, to the most, {max}, and {MOST}."
    );
    fault.refuse(here, message)
}

fn read_group(here: &Local<'_>, text: &str, vpc_id: &str) -> Result<Group, ApiError> {
    let given = templates::read(here, "AutoScalingGroupPara", text)?;
    let group = Group::deserialize(Value::Object(given)).map_err(|error| {
        BAD_SCALING_GROUP.error(here.settings, format!("`AutoScalingGroupPara` is incomplete: {error}."))
    })?;
    let desired = group.desired_capacity.unwrap_or(group.min_size);
    check_sizes(here, (group.min_size, group.max_size, desired), BAD_SCALING_GROUP)?;
    if let Some(other) = group.vpc_id.as_ref().filter(|other| *other != vpc_id) {
        let message = format!("`AutoScalingGroupPara.VpcId` must be the cluster's `{vpc_id}`, not `{other}`.");
        return BAD_SCALING_GROUP.refuse(here, message);
    }
    check_subnets(here, "AutoScalingGroupPara.SubnetIds", &group.subnet_ids, vpc_id)?;
    Ok(group)
}

/// Checks that there are subnets, and that they are in the VPC.
pub(super) fn check_subnets(here: &Local<'_>, name: &str, ids: &[String], vpc_id: &str) -> Result<(), ApiError> {
    if ids.is_empty() {
        return BAD_PARAMETER.refuse(here, format!("`{name}` must name a subnet of `{vpc_id}`."));
    }
    let absent = ids.iter().find(|id| here.region.vpc.subnets.get(id).is_none_or(|subnet| subnet.vpc_id != vpc_id));
    match absent {
        None => Ok(()),
        Some(id) => NO_SUBNET.refuse(here, format!("`{name}`: `{vpc_id}` has no subnet `{id}`.")),
    }
}

/// Makes an order of `RunInstances` from a launch configuration. Gives the instance types beside it.
fn read_launch(here: &Local<'_>, text: &str) -> Result<(Map<String, Value>, Vec<String>), ApiError> {
    const KEPT: &[&str] = &[
        "ImageId",
        "InstanceName",
        "SystemDisk",
        "DataDisks",
        "InternetAccessible",
        "LoginSettings",
        "SecurityGroupIds",
        "EnhancedService",
        "UserData",
        "InstanceChargeType",
        "InstanceChargePrepaid",
        "CamRoleName",
        "HostName",
    ];
    let given = templates::read(here, "LaunchConfigurePara", text)?;
    let one = given.get("InstanceType").and_then(Value::as_str).filter(|kind| !kind.is_empty());
    let many = given.get("InstanceTypes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let kinds: Vec<String> = one.into_iter().chain(many).map(str::to_owned).collect();
    if kinds.is_empty() {
        return BAD_PARAMETER.refuse(here, "`LaunchConfigurePara` must have an `InstanceType` or `InstanceTypes`.");
    }
    let mut order: Map<String, Value> =
        given.into_iter().filter(|(name, value)| KEPT.contains(&name.as_str()) && !value.is_null()).collect();
    templates::set_image(&mut order);
    Ok((order, kinds))
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Created = call.input()?;
    let mut here = world.local(call);
    let cluster = clusters::find_running(&here, &input.cluster_id, NO_CLUSTER_FOR_POOLS)?;
    let vpc_id = cluster.network.vpc_id.clone();
    let group = read_group(&here, &input.auto_scaling_group_para, &vpc_id)?;
    let (order, instance_types) = read_launch(&here, &input.launch_configure_para)?;
    let tags = tags::check(input.tags).map_err(|error| BAD_PARAMETER.error(here.settings, error.message))?;
    let runtime = input.container_runtime.unwrap_or_else(|| cluster.runtime.clone());
    let runtime_version = input.runtime_version.unwrap_or_else(|| cluster.runtime_version.clone());
    let os = input.node_pool_os.filter(|os| !os.is_empty()).unwrap_or_else(|| cluster.os.clone());
    let mut settings = nodes::settings(Some(&input.instance_advanced_settings));
    let (labels, taints) = (input.labels.unwrap_or_else(|| json!([])), nodes::taints(input.taints.as_ref()));
    set(&mut settings, "Labels", labels.clone());
    set(&mut settings, "Taints", taints.clone());
    let mut pool = Pool {
        id: String::new(),
        name: input.name.unwrap_or_default(),
        state: PoolState::Creating,
        labels,
        taints,
        annotations: input.annotations.unwrap_or_else(|| json!([])),
        tags,
        protected: input.deletion_protection.unwrap_or_default(),
        unschedulable: settings.get("Unschedulable").and_then(Value::as_i64).unwrap_or_default(),
        autoscaling: input.enable_autoscale,
        min: group.min_size,
        max: group.max_size,
        desired: group.desired_capacity.unwrap_or(group.min_size),
        change: 0,
        order,
        instance_types,
        subnets: group.subnet_ids,
        kind: PoolKind::Regular {
            launch_configuration: String::new(),
            scaling_group: String::new(),
            os,
            os_customize: input.os_customize_type.unwrap_or_else(|| "GENERAL".to_owned()),
            runtime,
            runtime_version,
            settings,
        },
        created: here.now,
    };
    scaling::check(&here, &pool, &vpc_id).map_err(|error| templates::refused(&here, &error))?;
    pool.id = here.ids.new_id("np");
    if let PoolKind::Regular { launch_configuration, scaling_group, .. } = &mut pool.kind {
        *launch_configuration = here.ids.new_id("asc");
        *scaling_group = here.ids.new_id("asg");
    }
    Ok(json!({ "NodePoolId": insert(&mut here, &input.cluster_id, pool) }))
}

/// Puts a new pool into its cluster and plans its beginning.
pub(super) fn insert(here: &mut Local<'_>, cluster: &str, pool: Pool) -> String {
    let id = pool.id.clone();
    if let Some(cluster) = here.region.tke.clusters.get_mut(cluster) {
        cluster.pools.insert(id.clone(), pool);
    }
    plan_after(here, Task::NodePoolCreate, Event::PoolIsReady { cluster: cluster.to_owned(), pool: id.clone() });
    id
}

pub(super) fn set(settings: &mut Value, name: &str, value: Value) {
    if let Some(members) = settings.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

pub(super) fn modify(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        cluster_id: String,
        node_pool_id: String,
        name: Option<String>,
        max_nodes_num: Option<i64>,
        min_nodes_num: Option<i64>,
        labels: Option<Value>,
        taints: Option<Value>,
        annotations: Option<Value>,
        enable_autoscale: Option<bool>,
        os_name: Option<String>,
        os_customize_type: Option<String>,
        user_script: Option<String>,
        pre_start_user_script: Option<String>,
        docker_graph_path: Option<String>,
        extra_args: Option<Value>,
        tags: Option<Vec<Tag>>,
        unschedulable: Option<i64>,
        deletion_protection: Option<bool>,
        ignore_existed_node: Option<bool>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let cluster = clusters::find_running(&here, &input.cluster_id, NO_CLUSTER_FOR_POOLS)?;
    let mut pool = pools::find(&here, cluster, &input.node_pool_id, NOT_THERE)?.clone();
    let PoolKind::Regular { os, os_customize, settings, .. } = &mut pool.kind else {
        return NOT_THERE.refuse(&here, format!("`{}` is a pool of native nodes.", pool.id));
    };
    refuse_leaving(&here, pool.state, &pool.id)?;
    (pool.min, pool.max) = (input.min_nodes_num.unwrap_or(pool.min), input.max_nodes_num.unwrap_or(pool.max));
    let desired = pool.desired;
    if pool.min <= pool.max {
        pool.desired = pool.desired.clamp(pool.min, pool.max);
    }
    check_sizes(&here, (pool.min, pool.max, pool.desired), BAD_PARAMETER)?;
    let tags = input.tags.map(|given| tags::check(Some(given))).transpose();
    pool.tags = tags.map_err(|error| BAD_PARAMETER.error(here.settings, error.message))?.unwrap_or(pool.tags);
    pool.labels = input.labels.unwrap_or(pool.labels);
    pool.taints = input.taints.map(|given| nodes::taints(Some(&given))).unwrap_or(pool.taints);
    pool.annotations = input.annotations.unwrap_or(pool.annotations);
    pool.name = input.name.unwrap_or(pool.name);
    pool.autoscaling = input.enable_autoscale.unwrap_or(pool.autoscaling);
    pool.unschedulable = input.unschedulable.unwrap_or(pool.unschedulable);
    pool.protected = input.deletion_protection.unwrap_or(pool.protected);
    *os = input.os_name.unwrap_or_else(|| os.clone());
    *os_customize = input.os_customize_type.unwrap_or_else(|| os_customize.clone());
    let changes = [
        ("Labels", Some(pool.labels.clone())),
        ("Taints", Some(pool.taints.clone())),
        ("Unschedulable", Some(json!(pool.unschedulable))),
        ("UserScript", input.user_script.map(Value::from)),
        ("PreStartUserScript", input.pre_start_user_script.map(Value::from)),
        ("DockerGraphPath", input.docker_graph_path.map(Value::from)),
        (
            "ExtraArgs",
            input
                .extra_args
                .map(|flags| json!({ "Kubelet": flags.get("Kubelet").cloned().unwrap_or_else(|| json!([])) })),
        ),
    ];
    for (name, value) in changes {
        if let Some(value) = value {
            set(settings, name, value);
        }
    }
    let (id, resized) = (pool.id.clone(), pool.desired != desired);
    let marks = (pool.labels.clone(), pool.taints.clone());
    if let Some(cluster) = here.region.tke.clusters.get_mut(&input.cluster_id) {
        if let Some(found) = cluster.pools.get_mut(&id) {
            *found = pool;
        }
        let existing = cluster.nodes.values_mut().filter(|node| node.pool.as_ref() == Some(&id));
        for node in existing.filter(|_| input.ignore_existed_node != Some(true)) {
            set(&mut node.settings, "Labels", marks.0.clone());
            set(&mut node.settings, "Taints", marks.1.clone());
        }
    }
    if resized {
        scaling::plan(&mut here, &input.cluster_id, &id);
    }
    Ok(json!({}))
}

/// Refuses changes of a pool that is being deleted.
pub(super) fn refuse_leaving(here: &Local<'_>, state: PoolState, id: &str) -> Result<(), ApiError> {
    if state == PoolState::Deleting {
        return NOT_THERE.refuse(here, format!("The node pool `{id}` is being deleted."));
    }
    Ok(())
}

pub(super) fn set_desired(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        cluster_id: String,
        node_pool_id: String,
        desired_capacity: i64,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let cluster = clusters::find_running(&here, &input.cluster_id, NO_CLUSTER_TO_CHANGE_POOLS)?;
    let pool = pools::find(&here, cluster, &input.node_pool_id, NO_POOL_TO_SCALE)?;
    if pool.is_native() {
        return NO_POOL_TO_SCALE.refuse(&here, format!("`{}` is a pool of native nodes: see ScaleNodePool.", pool.id));
    }
    refuse_leaving(&here, pool.state, &pool.id)?;
    if !(pool.min..=pool.max).contains(&input.desired_capacity) {
        let message = format!(
            "`DesiredCapacity` must be from {} to {}, the sizes of `{}`, not {}.",
            pool.min, pool.max, pool.id, input.desired_capacity
        );
        return BAD_SIZE.refuse(&here, message);
    }
    resize(&mut here, &input.cluster_id, &input.node_pool_id, input.desired_capacity);
    Ok(json!({}))
}

/// Gives a pool another size and plans to bring it there.
pub(super) fn resize(here: &mut Local<'_>, cluster_id: &str, pool_id: &str, desired: i64) {
    if let Some(pool) = pools::find_mut(here, cluster_id, pool_id) {
        pool.desired = desired;
    }
    scaling::plan(here, cluster_id, pool_id);
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        cluster_id: String,
        node_pool_ids: Vec<String>,
        keep_instance: bool,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let cluster = clusters::find_running(&here, &input.cluster_id, NO_CLUSTER_FOR_POOLS)?;
    if input.node_pool_ids.is_empty() {
        return Err(ApiError::missing("NodePoolIds"));
    }
    let mut instances = Vec::new();
    for id in &input.node_pool_ids {
        let pool = pools::find(&here, cluster, id, NOT_THERE)?;
        refuse_leaving(&here, pool.state, id)?;
        refuse_guarded(&here, pool)?;
        instances.extend(pools::members(cluster, id).map(|node| node.instance.clone()));
    }
    if !input.keep_instance {
        refuse_protected(&here, &instances, PROTECTED_INSTANCE)?;
    }
    lifecycle::remove_nodes(&mut here, &input.cluster_id, &instances, !input.keep_instance);
    for id in &input.node_pool_ids {
        leave(&mut here, &input.cluster_id, id);
    }
    Ok(json!({}))
}

/// Refuses to delete a protected pool.
pub(super) fn refuse_guarded(here: &Local<'_>, pool: &Pool) -> Result<(), ApiError> {
    if pool.protected {
        let message = format!("The node pool `{}` is protected: set its DeletionProtection to false first.", pool.id);
        return PROTECTED.refuse(here, message);
    }
    Ok(())
}

/// Begins the end of a pool that has no nodes any more.
pub(super) fn leave(here: &mut Local<'_>, cluster_id: &str, pool_id: &str) {
    if let Some(pool) = pools::find_mut(here, cluster_id, pool_id) {
        pool.state = PoolState::Deleting;
        pool.desired = 0;
    }
    let event = Event::PoolIsGone { cluster: cluster_id.to_owned(), pool: pool_id.to_owned() };
    plan_after(here, Task::NodePoolDelete, event);
}

//! Node pools as the newer version of the API has them: native ones are made and changed here, all are listed.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::clusters::{self, Cluster, TagSpecification, read_tags};
use super::faults::{BAD_PARAMETER, NO_CLUSTER_FOR_POOLS, NOT_THERE, NOT_THERE_2022, PROTECTED, UNSUPPORTED};
use super::machines::go_time;
use super::node_changes::refuse_protected;
use super::pool_changes::{check_sizes, check_subnets, insert, leave, refuse_guarded, refuse_leaving, resize};
use super::pools::{self, Listing, Pool, PoolKind, PoolState};
use super::{lifecycle, nodes, scaling, templates};
use crate::call::Call;
use crate::error::ApiError;
use crate::world::{Local, World};

/// The size of a pool that says nothing about the most it may have.
const MOST: i64 = 2000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    cluster_id: String,
    node_pool_id: Option<String>,
    name: Option<String>,
    #[serde(rename = "Type")]
    kind: Option<String>,
    labels: Option<Value>,
    taints: Option<Value>,
    tags: Option<Vec<TagSpecification>>,
    deletion_protection: Option<bool>,
    unschedulable: Option<bool>,
    native: Option<Map<String, Value>>,
    annotations: Option<Value>,
}

fn strings(given: &Map<String, Value>, name: &str) -> Vec<String> {
    let list = given.get(name).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The order of `RunInstances` for one node, without type and place.
fn order(given: &Map<String, Value>) -> Map<String, Value> {
    let mut order = Map::new();
    let mut keep = |name: &str, value: Option<Value>| {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            order.insert(name.to_owned(), value);
        }
    };
    let disk = |disk: &Value| json!({ "DiskType": disk.get("DiskType"), "DiskSize": disk.get("DiskSize") });
    keep("SystemDisk", given.get("SystemDisk").map(disk));
    let disks = given.get("DataDisks").and_then(Value::as_array);
    keep("DataDisks", disks.map(|disks| disks.iter().map(disk).collect()));
    keep("InstanceChargeType", given.get("InstanceChargeType").cloned());
    keep("InstanceChargePrepaid", given.get("InstanceChargePrepaid").cloned());
    keep("SecurityGroupIds", given.get("SecurityGroupIds").cloned());
    keep("LoginSettings", given.get("KeyIds").map(|ids| json!({ "KeyIds": ids })));
    keep(
        "InternetAccessible",
        given.get("InternetAccessible").map(|internet| {
            json!({
                "InternetMaxBandwidthOut": internet.get("MaxBandwidthOut"),
                "InternetChargeType": internet.get("ChargeType"),
            })
        }),
    );
    templates::set_image(&mut order);
    order
}

/// Takes over what a pool's description says.
fn describe_into(here: &Local<'_>, pool: &mut Pool, given: &Map<String, Value>, vpc_id: &str) -> Result<(), ApiError> {
    let scaling = given.get("Scaling");
    let number = |name: &str| scaling.and_then(|scaling| scaling.get(name)).and_then(Value::as_i64);
    let replicas = given.get("Replicas").and_then(Value::as_i64);
    pool.min = number("MinReplicas").unwrap_or(pool.min);
    pool.max = number("MaxReplicas").unwrap_or(pool.max);
    pool.desired = replicas.unwrap_or(pool.desired);
    if replicas.is_none() && pool.min <= pool.max {
        pool.desired = pool.desired.clamp(pool.min, pool.max);
    }
    check_sizes(here, (pool.min, pool.max, pool.desired), BAD_PARAMETER)?;
    pool.autoscaling = given.get("EnableAutoscaling").and_then(Value::as_bool).unwrap_or(pool.autoscaling);
    pool.subnets = strings(given, "SubnetIds");
    pool.instance_types = strings(given, "InstanceTypes");
    pool.order = order(given);
    check_subnets(here, "Native.SubnetIds", &pool.subnets, vpc_id)?;
    if pool.instance_types.is_empty() {
        return BAD_PARAMETER.refuse(here, "`Native.InstanceTypes` must name an instance type.");
    }
    scaling::check(here, pool, vpc_id).map_err(|error| templates::refused(here, &error))?;
    pool.kind = PoolKind::Native { given: given.clone() };
    Ok(())
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let cluster = clusters::find_running(&here, &input.cluster_id, NO_CLUSTER_FOR_POOLS)?;
    let kind = input.kind.unwrap_or_default();
    if kind != "Native" {
        let message = format!("`Type`: the emulator makes Native pools here, not `{kind}`.");
        return if ["Regular", "Super", "External"].contains(&kind.as_str()) {
            UNSUPPORTED.refuse(&here, message)
        } else {
            BAD_PARAMETER.refuse(&here, message)
        };
    }
    let given = input.native.ok_or_else(|| ApiError::missing("Native"))?;
    let vpc_id = cluster.network.vpc_id.clone();
    let mut pool = Pool {
        id: String::new(),
        name: input.name.unwrap_or_default(),
        state: PoolState::Creating,
        labels: input.labels.unwrap_or_else(|| json!([])),
        taints: nodes::taints(input.taints.as_ref()),
        annotations: input.annotations.unwrap_or_else(|| json!([])),
        tags: read_tags(&here, input.tags, "machine")?,
        protected: input.deletion_protection.unwrap_or_default(),
        unschedulable: i64::from(input.unschedulable.unwrap_or_default()),
        autoscaling: false,
        min: 0,
        max: MOST,
        desired: 0,
        change: 0,
        order: Map::new(),
        instance_types: Vec::new(),
        subnets: Vec::new(),
        kind: PoolKind::Native { given: Map::new() },
        created: here.now,
    };
    describe_into(&here, &mut pool, &given, &vpc_id)?;
    pool.id = here.ids.new_id("np");
    Ok(json!({ "NodePoolId": insert(&mut here, &input.cluster_id, pool) }))
}

pub(super) fn modify(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let cluster = clusters::find_running(&here, &input.cluster_id, NO_CLUSTER_FOR_POOLS)?;
    let id = input.node_pool_id.unwrap_or_default();
    let mut pool = pools::find(&here, cluster, &id, NOT_THERE)?.clone();
    let PoolKind::Native { given } = &pool.kind else {
        return UNSUPPORTED.refuse(&here, format!("`{id}` is a pool of ordinary nodes: see ModifyClusterNodePool."));
    };
    refuse_leaving(&here, pool.state, &id)?;
    let mut given = given.clone();
    // The size stays as it is now, unless the request changes it.
    given.remove("Replicas");
    given.extend(input.native.unwrap_or_default());
    let desired = pool.desired;
    let vpc_id = cluster.network.vpc_id.clone();
    if let Some(tags) = input.tags {
        pool.tags = read_tags(&here, Some(tags), "machine")?;
    }
    pool.name = input.name.unwrap_or(pool.name);
    pool.labels = input.labels.unwrap_or(pool.labels);
    pool.taints = input.taints.map(|given| nodes::taints(Some(&given))).unwrap_or(pool.taints);
    pool.annotations = input.annotations.unwrap_or(pool.annotations);
    pool.protected = input.deletion_protection.unwrap_or(pool.protected);
    pool.unschedulable = input.unschedulable.map_or(pool.unschedulable, i64::from);
    describe_into(&here, &mut pool, &given, &vpc_id)?;
    let resized = pool.desired != desired;
    if let Some(found) = pools::find_mut(&mut here, &input.cluster_id, &id) {
        *found = pool;
    }
    if resized {
        scaling::plan(&mut here, &input.cluster_id, &id);
    }
    Ok(json!({}))
}

pub(super) fn scale(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        cluster_id: String,
        node_pool_id: String,
        replicas: i64,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let cluster = clusters::find_running(&here, &input.cluster_id, NOT_THERE_2022)?;
    let pool = pools::find(&here, cluster, &input.node_pool_id, NOT_THERE_2022)?;
    refuse_leaving(&here, pool.state, &pool.id)?;
    check_sizes(&here, (pool.min, pool.max, input.replicas), BAD_PARAMETER)?;
    resize(&mut here, &input.cluster_id, &input.node_pool_id, input.replicas);
    Ok(json!({}))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        cluster_id: String,
        node_pool_id: String,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let cluster = clusters::find_running(&here, &input.cluster_id, NO_CLUSTER_FOR_POOLS)?;
    let pool = pools::find(&here, cluster, &input.node_pool_id, NOT_THERE)?;
    refuse_leaving(&here, pool.state, &pool.id)?;
    refuse_guarded(&here, pool)?;
    let instances: Vec<String> =
        pools::members(cluster, &input.node_pool_id).map(|node| node.instance.clone()).collect();
    refuse_protected(&here, &instances, PROTECTED)?;
    lifecycle::remove_nodes(&mut here, &input.cluster_id, &instances, true);
    leave(&mut here, &input.cluster_id, &input.node_pool_id);
    Ok(json!({}))
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let listing: Listing = call.input()?;
    let here = world.local(call);
    let (cluster, page, is_listed) = listing.read(call, &here)?;
    let (total, pools) = page.cut(cluster.pools.values().filter(|pool| is_listed(pool)));
    let pools: Vec<Value> = pools.into_iter().map(|pool| show(cluster, pool)).collect();
    Ok(json!({ "NodePools": pools, "TotalCount": total }))
}

fn show(cluster: &Cluster, pool: &Pool) -> Value {
    let (native, regular) = match &pool.kind {
        PoolKind::Native { given } => (Some(show_native(cluster, pool, given)), None),
        PoolKind::Regular { .. } => (None, Some(show_regular(cluster, pool))),
    };
    json!({
        "ClusterId": cluster.id,
        "NodePoolId": pool.id,
        "Tags": [{ "ResourceType": "machine", "Tags": pool.tags }],
        "Taints": pool.taints,
        "DeletionProtection": pool.protected,
        "Unschedulable": pool.unschedulable != 0,
        "Type": if pool.is_native() { "Native" } else { "Regular" },
        "Labels": pool.labels,
        "LifeState": pool.state.name(),
        "CreatedAt": go_time(pool.created),
        "Name": pool.name,
        "Native": native,
        "Annotations": pool.annotations,
        "Super": null,
        "Regular": regular,
        "External": null,
    })
}

fn show_regular(cluster: &Cluster, pool: &Pool) -> Value {
    let PoolKind::Regular { launch_configuration, scaling_group, os, runtime, runtime_version, settings, .. } =
        &pool.kind
    else {
        return Value::Null;
    };
    let setting = |name: &str| settings.get(name).cloned().unwrap_or_default();
    json!({
        "LaunchConfigurationId": launch_configuration,
        "AutoscalingGroupId": scaling_group,
        "NodeCountSummary": pools::summary(cluster, &pool.id),
        "AutoscalingGroupStatus": pool.scaling_state(),
        "MaxNodesNum": pool.max,
        "MinNodesNum": pool.min,
        "DesiredNodesNum": pool.desired,
        "NodePoolOs": os,
        "InstanceAdvancedSettings": {
            "DesiredPodNumber": setting("DesiredPodNumber"),
            "PreStartUserScript": setting("PreStartUserScript"),
            "RuntimeConfig": { "RuntimeType": runtime, "RuntimeVersion": runtime_version, "RuntimeRootDir": "" },
            "UserScript": setting("UserScript"),
            "ExtraArgs": setting("ExtraArgs"),
        },
    })
}

fn show_native(cluster: &Cluster, pool: &Pool, given: &Map<String, Value>) -> Value {
    let or = |name: &str, default: Value| given.get(name).filter(|value| !value.is_null()).cloned().unwrap_or(default);
    // Requests may leave members out that answers always have.
    let full = |name: &str, default: Value| fill(default, given.get(name));
    let ready = pools::members(cluster, &pool.id).filter(|node| node.state == nodes::NodeState::Running).count();
    let disk = json!({
        "DiskType": "CLOUD_PREMIUM", "DiskSize": 50, "AutoFormatAndMount": false, "FileSystem": "", "MountTarget": "",
    });
    let upgrades = json!({
        "AutoUpgrade": false,
        "UpgradeOptions": { "AutoUpgradeStartTime": "", "Duration": "", "WeeklyPeriod": [] },
        "Components": [],
        "MaxUnavailable": { "Type": 0, "IntVal": 1, "StrVal": "" },
    });
    let mut scaling = full("Scaling", json!({ "CreatePolicy": "ZoneEquality" }));
    super::pool_changes::set(&mut scaling, "MinReplicas", json!(pool.min));
    super::pool_changes::set(&mut scaling, "MaxReplicas", json!(pool.max));
    json!({
        "Scaling": scaling,
        "SubnetIds": pool.subnets,
        "SecurityGroupIds": or("SecurityGroupIds", json!([])),
        "UpgradeSettings": full("UpgradeSettings", upgrades),
        "AutoRepair": or("AutoRepair", json!(false)),
        "InstanceChargeType": or("InstanceChargeType", json!("POSTPAID_BY_HOUR")),
        "InstanceChargePrepaid": full("InstanceChargePrepaid", json!({ "Period": 0, "RenewFlag": "" })),
        "SystemDisk": full("SystemDisk", disk),
        "KeyIds": or("KeyIds", json!([])),
        "Management": full("Management", json!({ "Nameservers": [], "Hosts": [], "KernelArgs": [] })),
        "HealthCheckPolicyName": or("HealthCheckPolicyName", json!("")),
        "HostNamePattern": or("HostNamePattern", json!("")),
        "KubeletArgs": or("KubeletArgs", json!([])),
        "Lifecycle": full("Lifecycle", json!({ "PreInit": "", "PostInit": "" })),
        "RuntimeRootDir": or("RuntimeRootDir", json!("/var/lib/containerd")),
        "EnableAutoscaling": pool.autoscaling,
        "InstanceTypes": pool.instance_types,
        "Replicas": pool.desired,
        "ReadyReplicas": ready,
        "InternetAccessible": full(
            "InternetAccessible",
            json!({ "MaxBandwidthOut": 0, "ChargeType": "", "BandwidthPackageId": "" }),
        ),
        "MachineType": or("MachineType", json!("NativeCVM")),
        "CustomImage": or("CustomImage", json!("")),
    })
}

/// A value with what was given in place of its defaults, member by member.
fn fill(default: Value, given: Option<&Value>) -> Value {
    match (default, given) {
        (default, None | Some(Value::Null)) => default,
        (Value::Object(mut members), Some(Value::Object(given))) => {
            for (name, value) in given {
                let default = members.remove(name).unwrap_or_default();
                members.insert(name.clone(), fill(default, Some(value)));
            }
            Value::Object(members)
        }
        (_, Some(given)) => given.clone(),
    }
}

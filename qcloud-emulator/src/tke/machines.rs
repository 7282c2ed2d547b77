//! Native nodes: listed, switched and deleted by the names of their machines.

use serde::Deserialize;
use serde_json::{Value, json};

use super::clusters::{self, Cluster};
use super::faults::{BAD_PARAMETER, NO_CLUSTER_FOR_POOLS, NOT_THERE_2022, PROTECTED, UNSUPPORTED};
use super::node_changes::{destroying, refuse_protected};
use super::nodes::{Node, NodeState};
use super::pools::{self, Listing, PoolKind};
use super::{lifecycle, scaling};
use crate::call::Call;
use crate::cbs;
use crate::clock::Time;
use crate::cvm::{self, Instance, InstanceState, Switch};
use crate::error::ApiError;
use crate::world::{Local, World};

const MOST: usize = 100;

/// The state of a machine, from the states of its node and its instance.
fn state(node: &Node, instance: Option<&Instance>) -> &'static str {
    match (node.state, instance.map(|instance| instance.state)) {
        (_, None) | (NodeState::Failed, _) => "Failed",
        (NodeState::Initializing, _) => "Creating",
        (_, Some(InstanceState::Running)) => "Running",
        (_, Some(InstanceState::Stopping)) => "Stopping",
        (_, Some(InstanceState::Stopped | InstanceState::Shutdown)) => "Stopped",
        (_, Some(InstanceState::Starting | InstanceState::Pending)) => "Starting",
        (_, Some(InstanceState::Rebooting)) => "Rebooting",
        (_, Some(InstanceState::Terminating)) => "Deleting",
        (_, Some(InstanceState::LaunchFailed)) => "Failed",
    }
}

/// What both kinds of answers show of a native node, its address left out.
fn show_common(here: &Local<'_>, cluster: &Cluster, node: &Node) -> Value {
    let instance = here.region.cvm.instances.get(&node.instance);
    let kind = instance.map(Instance::instance_type).unwrap_or_default();
    let disk = cbs::system_disk_on(here.region, &node.instance);
    let (internet, bandwidth) = instance.map(Instance::internet).unwrap_or_default();
    let charge = instance.map(Instance::charge_type).unwrap_or_default();
    let display = node.pool.as_ref().and_then(|id| cluster.pools.get(id)).map(|pool| pool.name.clone());
    json!({
        "MachineName": node.machine,
        "MachineState": state(node, instance),
        "Zone": instance.map(|instance| instance.zone.as_str()).unwrap_or_default(),
        "InstanceChargeType": charge,
        "CreatedAt": go_time(node.created),
        "LoginStatus": "disable",
        "IsProtectedFromScaleIn": false,
        "DisplayName": display,
        "CPU": instance.map(Instance::cpu).unwrap_or_default(),
        "GPU": 0,
        "RenewFlag": instance.map(Instance::renew_flag).unwrap_or_default(),
        "PayMode": charge,
        "Memory": instance.map(Instance::memory).unwrap_or_default(),
        "SystemDisk": {
            "DiskType": disk.map(|disk| disk.kind.as_str()).unwrap_or_default(),
            "DiskSize": disk.map(|disk| disk.size).unwrap_or_default(),
            "AutoFormatAndMount": false,
            "FileSystem": "",
            "MountTarget": "",
            "DiskId": disk.map(|disk| disk.id.as_str()).unwrap_or_default(),
        },
        "InternetAccessible": { "MaxBandwidthOut": bandwidth, "ChargeType": internet, "BandwidthPackageId": "" },
        "InstanceFamily": kind.split('.').next().unwrap_or_default(),
        "InstanceType": kind,
        "ExpiredTime": instance.and_then(Instance::expires).map(Time::iso),
    })
}

/// `2023-01-15 17:55:38 +0000 UTC`, as the newer version of the API writes times.
pub(super) fn go_time(at: Time) -> String {
    let iso = at.iso();
    let text = iso.trim_end_matches('Z').replace('T', " ");
    format!("{text} +0000 UTC")
}

fn with(mut shown: Value, more: Value) -> Value {
    if let (Some(members), Value::Object(more)) = (shown.as_object_mut(), more) {
        members.extend(more);
    }
    shown
}

/// A native node among nodes of every kind.
pub(super) fn show_native(here: &Local<'_>, cluster: &Cluster, node: &Node) -> Value {
    let instance = here.region.cvm.instances.get(&node.instance);
    let pool = node.pool.as_ref().and_then(|id| cluster.pools.get(id));
    let given = pool.and_then(|pool| match &pool.kind {
        PoolKind::Native { given } => Some(given),
        PoolKind::Regular { .. } => None,
    });
    let kind = given.and_then(|given| given.get("MachineType")).and_then(Value::as_str).unwrap_or("NativeCVM");
    // A lightweight machine is none of CVM's, and has another kind of id.
    let id = if kind == "Native" { node.instance.replacen("ins-", "eks-", 1) } else { node.instance.clone() };
    let more = json!({
        "LanIp": node.address,
        "WanIp": instance.and_then(|instance| instance.public_ips.first()),
        "KeyIds": given.and_then(|given| given.get("KeyIds")).cloned().unwrap_or_else(|| json!([])),
        "GPUParams": null,
        "DataDisks": null,
        "SecurityGroupIDs": instance.map(|instance| instance.security_groups.clone()).unwrap_or_default(),
        "VpcId": cluster.network.vpc_id,
        "SubnetId": instance.map(|instance| instance.subnet_id.as_str()).unwrap_or_default(),
        "OsImage": cluster.os,
        "MachineType": kind,
        "InstanceId": id,
        "Tags": instance.map(|instance| instance.tags().to_vec()),
        "IsMigrated": false,
        "ResourceId": id,
    });
    with(show_common(here, cluster, node), more)
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let listing: Listing = call.input()?;
    let here = world.local(call);
    let (cluster, page, is_listed) = listing.read(call, &here)?;
    let (total, machines) = page.cut(cluster.nodes.values().filter(|node| node.machine.is_some()).filter(|node| {
        let pool = node.pool.as_ref().and_then(|id| cluster.pools.get(id));
        pool.is_some_and(&is_listed)
    }));
    let show = |node: &Node| with(show_common(&here, cluster, node), json!({ "LanIP": node.address }));
    let machines: Vec<Value> = machines.into_iter().map(show).collect();
    Ok(json!({ "Machines": machines, "TotalCount": total }))
}

/// The nodes of these machines; all of them must exist.
fn named<'a>(here: &Local<'_>, cluster: &'a Cluster, names: &[String]) -> Result<Vec<&'a Node>, ApiError> {
    if names.is_empty() || names.len() > MOST {
        return BAD_PARAMETER.refuse(here, format!("`MachineNames` takes 1 to {MOST} names, not {}.", names.len()));
    }
    let mut found: Vec<&Node> = Vec::new();
    for name in names {
        let Some(node) = cluster.nodes.values().find(|node| node.machine.as_ref() == Some(name)) else {
            let message = format!("The cluster `{}` has no native node `{name}`.", cluster.id);
            return NOT_THERE_2022.refuse(here, message);
        };
        if !found.iter().any(|other| other.instance == node.instance) {
            found.push(node);
        }
    }
    Ok(found)
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        cluster_id: String,
        machine_names: Vec<String>,
        enable_scale_down: Option<bool>,
        instance_delete_mode: Option<String>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let cluster = clusters::find_running(&here, &input.cluster_id, NOT_THERE_2022)?;
    let destroying = destroying(&here, input.instance_delete_mode.as_deref().unwrap_or("terminate"))?;
    let nodes = named(&here, cluster, &input.machine_names)?;
    let instances: Vec<String> = nodes.iter().map(|node| node.instance.clone()).collect();
    if destroying {
        refuse_protected(&here, &instances, PROTECTED)?;
    }
    let leaving = pools::count(nodes.into_iter());
    let shrinking = input.enable_scale_down == Some(true);
    for (id, count) in leaving.iter().filter(|_| shrinking) {
        let Some(pool) = cluster.pools.get(id).filter(|pool| pool.desired - count < pool.min) else { continue };
        let message = format!(
            "The node pool `{id}` has {} replicas and at least {}: it cannot shrink by {count}.",
            pool.desired, pool.min
        );
        return PROTECTED.refuse(&here, message);
    }
    lifecycle::remove_nodes(&mut here, &input.cluster_id, &instances, destroying);
    for (id, count) in leaving {
        if let Some(pool) = pools::find_mut(&mut here, &input.cluster_id, &id).filter(|_| shrinking) {
            pool.desired -= count;
        }
        // A pool that keeps its size makes other nodes.
        scaling::plan(&mut here, &input.cluster_id, &id);
    }
    Ok(json!({}))
}

pub(super) fn start(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    turn(world, call, Switch::Start)
}

pub(super) fn stop(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    turn(world, call, Switch::Stop)
}

pub(super) fn reboot(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    turn(world, call, Switch::Reboot)
}

/// All of the machines, or none.
fn turn(world: &mut World, call: &Call, switch: Switch) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        cluster_id: String,
        machine_names: Vec<String>,
        stop_type: Option<String>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    if let Some(kind) = input.stop_type.filter(|kind| !["soft", "soft_first", "hard"].contains(&kind.as_str())) {
        return BAD_PARAMETER.refuse(&here, format!("`StopType`: `{kind}` is none of soft, soft_first and hard."));
    }
    let cluster = clusters::find_running(&here, &input.cluster_id, NO_CLUSTER_FOR_POOLS)?;
    let mut instances = Vec::new();
    for node in named(&here, cluster, &input.machine_names)? {
        let name = node.machine.as_deref().unwrap_or_default();
        match here.region.cvm.instances.get(&node.instance) {
            Some(instance) if node.state == NodeState::Running => instance
                .can(switch, here.settings)
                .map_err(|error| UNSUPPORTED.error(here.settings, format!("`{name}`: {}", error.message)))?,
            _ => return UNSUPPORTED.refuse(&here, format!("The native node `{name}` is {}.", node.state.name())),
        }
        instances.push(node.instance.clone());
    }
    for id in instances {
        cvm::turn(&mut here, &id, switch);
    }
    Ok(json!({}))
}

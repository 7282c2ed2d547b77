//! How nodes are listed, by either version of the API.

use serde::Deserialize;
use serde_json::{Value, json};

use super::clusters::{self, Cluster};
use super::faults::{self, BAD_PARAMETER, NO_CLUSTER_FOR_INSTANCES};
use super::nodes::Node;
use super::{LISTS, machines, pools::PoolKind};
use crate::call::Call;
use crate::error::ApiError;
use crate::ids::well_formed;
use crate::listing::{Filter, Filters};
use crate::world::{Local, World};

impl Node {
    /// What the older version of the API calls the node: by its instance, or its machine when it is native.
    fn shown_id(&self) -> &str {
        self.machine.as_deref().unwrap_or(&self.instance)
    }

    fn show(&self, cluster: &Cluster) -> Value {
        let pool = self.pool.as_ref().and_then(|id| cluster.pools.get(id));
        json!({
            "InstanceId": self.shown_id(),
            "InstanceRole": self.role,
            "FailedReason": self.reason,
            "InstanceState": self.state.name(),
            "DrainStatus": if self.is_unschedulable() { "drained" } else { "" },
            "InstanceAdvancedSettings": self.settings,
            "CreatedTime": self.created.iso(),
            "LanIP": self.address,
            "NodePoolId": self.pool.as_deref().unwrap_or_default(),
            "AutoscalingGroupId": pool.map(super::pools::Pool::scaling_group).unwrap_or_default(),
        })
    }

    fn show_kind(&self, here: &Local<'_>, cluster: &Cluster) -> Value {
        let pool = self.pool.as_ref().and_then(|id| cluster.pools.get(id));
        let native = self.machine.is_some().then(|| machines::show_native(here, cluster, self));
        let regular = self.machine.is_none().then(|| {
            let setting = |name: &str| self.settings.get(name).cloned().unwrap_or_default();
            let (runtime, version) = match pool.map(|pool| &pool.kind) {
                Some(PoolKind::Regular { runtime, runtime_version, .. }) => (runtime, runtime_version),
                _ => (&cluster.runtime, &cluster.runtime_version),
            };
            let tags = here.region.cvm.instances.get(&self.instance).map(|instance| instance.tags().to_vec());
            json!({
                "InstanceAdvancedSettings": {
                    "DesiredPodNumber": setting("DesiredPodNumber"),
                    "PreStartUserScript": setting("PreStartUserScript"),
                    "RuntimeConfig": { "RuntimeType": runtime, "RuntimeVersion": version, "RuntimeRootDir": "" },
                    "UserScript": setting("UserScript"),
                    "ExtraArgs": setting("ExtraArgs"),
                },
                "AutoscalingGroupId": pool.map(super::pools::Pool::scaling_group),
                "Tags": tags.unwrap_or_default(),
            })
        });
        json!({
            "InstanceId": self.instance,
            "InstanceRole": self.role,
            "FailedReason": self.reason,
            "InstanceState": self.state.name(),
            "Unschedulable": self.is_unschedulable(),
            "CreatedTime": self.created.iso(),
            "LanIP": self.address,
            "NodePoolId": self.pool.as_deref().unwrap_or_default(),
            "Native": native,
            "Regular": regular,
            "Super": null,
            "External": null,
            "NodeType": if self.machine.is_some() { "Native" } else { "Regular" },
        })
    }
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        cluster_id: String,
        offset: Option<i64>,
        limit: Option<i64>,
        instance_ids: Option<Vec<String>>,
        instance_role: Option<String>,
        filters: Option<Vec<Filter>>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let ids = input.instance_ids.unwrap_or_default();
    if ids.len() > LISTS.most_ids {
        let message = format!("`InstanceIds` takes at most {} ids, not {}.", LISTS.most_ids, ids.len());
        return BAD_PARAMETER.refuse(&here, message);
    }
    if let Some(id) = ids.iter().find(|id| !well_formed(id, "ins") && !id.starts_with("np-")) {
        let message =
            format!("`{id}` is no node id; one looks like `ins-1a2b3c4d`, or `np-1a2b3c4d-5e6f7` for native nodes.");
        return BAD_PARAMETER.refuse(&here, message);
    }
    let role = input.instance_role.filter(|role| !role.is_empty()).unwrap_or_else(|| "WORKER".to_owned());
    if !["WORKER", "MASTER", "ETCD", "MASTER_ETCD", "ALL"].contains(&role.as_str()) {
        let message = format!("`InstanceRole`: `{role}` is none of WORKER, MASTER, ETCD, MASTER_ETCD and ALL.");
        return BAD_PARAMETER.refuse(&here, message);
    }
    let filters = Filters::check(call, input.filters, &["nodepool-id", "nodepool-instance-type"], &LISTS)?;
    let page = faults::page(input.offset, input.limit)?;
    let cluster = clusters::find(&here, &input.cluster_id, NO_CLUSTER_FOR_INSTANCES)?;
    let (total, nodes) = page.cut(cluster.nodes.values().filter(|node| {
        (ids.is_empty() || ids.iter().any(|id| id == node.shown_id()))
            && (role == "ALL" || node.role == role)
            && filters.accept(&[], |name, value| match (name, value) {
                ("nodepool-id", id) => node.pool.as_deref() == Some(id),
                (_, "MANUALLY_ADDED") => !node.scaled,
                (_, "AUTOSCALING_ADDED") => node.scaled,
                (_, "ALL") => true,
                _ => false,
            })
    }));
    let nodes: Vec<Value> = nodes.into_iter().map(|node| node.show(cluster)).collect();
    Ok(json!({ "TotalCount": total, "InstanceSet": nodes }))
}

pub(super) fn describe_all_kinds(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        cluster_id: String,
        offset: Option<i64>,
        limit: Option<i64>,
        filters: Option<Vec<Filter>>,
        sort_by: Option<SortBy>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct SortBy {
        field_name: Option<String>,
        order_type: Option<String>,
    }
    const FILTERS: &[&str] = &[
        "InstanceIds",
        "InstanceType",
        "InstanceStates",
        "NodePoolIds",
        "NodePoolNames",
        "VagueIpAddress",
        "VagueInstanceName",
        "Labels",
        "Unschedulable",
    ];
    let input: Input = call.input()?;
    let here = world.local(call);
    let filters = Filters::check(call, input.filters, FILTERS, &LISTS)?;
    let page = faults::page(input.offset, input.limit)?;
    let sort = input.sort_by.unwrap_or(SortBy { field_name: None, order_type: None });
    let by = sort.field_name.unwrap_or_default().to_ascii_lowercase();
    let backwards = sort.order_type.is_some_and(|order| order.eq_ignore_ascii_case("desc"));
    let cluster = clusters::find(&here, &input.cluster_id, NO_CLUSTER_FOR_INSTANCES)?;
    let accept = |node: &&Node| filters.accept(&[], |name, value| fits(&here, cluster, node, name, value));
    let mut nodes: Vec<&Node> = cluster.nodes.values().filter(accept).collect();
    match by.as_str() {
        "instanceid" => nodes.sort_by(|one, other| one.instance.cmp(&other.instance)),
        "lanip" => nodes.sort_by_key(|node| node.address.parse::<std::net::Ipv4Addr>().ok()),
        // Everything else goes by the time at which nodes joined, which is their order here.
        _ => {}
    }
    if backwards {
        nodes.reverse();
    }
    let (total, nodes) = page.cut(nodes.into_iter());
    let nodes: Vec<Value> = nodes.into_iter().map(|node| node.show_kind(&here, cluster)).collect();
    Ok(json!({ "TotalCount": total, "InstanceSet": nodes, "Errors": [] }))
}

fn fits(here: &Local<'_>, cluster: &Cluster, node: &Node, name: &str, value: &str) -> bool {
    let instance = || here.region.cvm.instances.get(&node.instance);
    match name {
        "InstanceIds" => node.instance == value || node.machine.as_deref() == Some(value),
        "InstanceType" => instance().is_some_and(|instance| instance.instance_type() == value),
        "InstanceStates" => node.state.name() == value,
        "NodePoolIds" => node.pool.as_deref() == Some(value),
        "NodePoolNames" => {
            node.pool.as_ref().and_then(|id| cluster.pools.get(id)).is_some_and(|pool| pool.name == value)
        }
        "VagueIpAddress" => node.address.contains(value),
        "VagueInstanceName" => instance().is_some_and(|instance| instance.name().contains(value)),
        "Labels" => has_label(node, value),
        "Unschedulable" => node.is_unschedulable().to_string() == value,
        _ => false,
    }
}

/// Whether the node has a label that is written `name=value` or `name:value`.
fn has_label(node: &Node, written: &str) -> bool {
    let Some((name, value)) = written.split_once(['=', ':']) else { return false };
    let labels = node.settings.get("Labels").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let is = |label: &Value, member: &str, text: &str| label.get(member).and_then(Value::as_str) == Some(text);
    labels.iter().any(|label| is(label, "Name", name) && is(label, "Value", value))
}

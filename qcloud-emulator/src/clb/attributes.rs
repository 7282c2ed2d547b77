//! Changes of load balancers other than their listeners: attributes, security groups, starting and stopping.

use serde::Deserialize;
use serde_json::{Value, json};

use super::orders::{self, GivenInternet};
use super::{errors, tasks};
use crate::call::Call;
use crate::error::ApiError;
use crate::settings::{Quota, Task};
use crate::world::{Local, World};

const MOST_GROUPS: usize = 50;
const MOST_BALANCERS: usize = 20;

pub(super) fn modify(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        load_balancer_id: String,
        load_balancer_name: Option<String>,
        target_region_info: Option<TargetRegion>,
        internet_charge_info: Option<GivenInternet>,
        load_balancer_pass_to_target: Option<bool>,
        switch_flag: Option<u64>,
        snat_pro: Option<bool>,
        delete_protect: Option<bool>,
        associate_endpoint: Option<String>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct TargetRegion {
        region: String,
        vpc_id: String,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let mut draft = tasks::draft(&here, call, &input.load_balancer_id)?;
    if let Some(name) = input.load_balancer_name {
        errors::check_name("LoadBalancerName", &name)?;
        let mut others = here.region.clb.balancers.values().filter(|other| other.id != draft.id);
        if let Some(other) = others.find(|other| other.name == name) {
            return Err(errors::duplicate(format!("`LoadBalancerName`: `{}` has the name `{name}`.", other.id)));
        }
        draft.name = name;
    }
    if let Some(given) = &input.internet_charge_info {
        let with_sla = !draft.sla_type.is_empty();
        if !draft.public && !with_sla {
            return Err(errors::value(
                "`InternetChargeInfo` is for public load balancers and those with a specification.",
            ));
        }
        draft.internet = Some(orders::check_bandwidth("InternetChargeInfo", given, draft.internet.as_ref(), with_sla)?);
    }
    if let Some(target) = input.target_region_info {
        if crate::zones::region(&target.region).is_none() {
            let message = format!("`TargetRegionInfo.Region`: there is no region `{}`.", target.region);
            return Err(ApiError::new("InvalidParameter.RegionNotFound", message));
        }
        if draft.bound(here.region).next().is_some() {
            return Err(errors::failed(
                "`TargetRegionInfo` can only change while no target is bound: unbind them first.",
            ));
        }
        draft.target_region = (target.region, target.vpc_id);
    }
    match input.switch_flag.unwrap_or_default() {
        0 => {}
        1 | 2 => return Err(errors::failed("The emulator does not switch the billing mode of load balancers.")),
        other => return Err(errors::value(format!("`SwitchFlag` must be 0, 1 or 2, not {other}."))),
    }
    draft.pass_to_target = input.load_balancer_pass_to_target.unwrap_or(draft.pass_to_target);
    draft.snat_pro = input.snat_pro.unwrap_or(draft.snat_pro);
    draft.protected = input.delete_protect.unwrap_or(draft.protected);
    draft.endpoint = input.associate_endpoint.unwrap_or(draft.endpoint);
    tasks::change(&mut here, call, Task::LoadBalancerChange, draft);
    Ok(json!({ "DealName": null }))
}

fn check_security_group(here: &Local<'_>, parameter: &str, id: &str) -> Result<(), ApiError> {
    crate::listing::check_id((parameter, id), "sg", errors::FORMAT)?;
    if here.region.vpc.security_groups.contains(id) {
        return Ok(());
    }
    Err(errors::value(format!("`{parameter}`: the security group `{id}` does not exist in this region.")))
}

pub(super) fn set_security_groups(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        load_balancer_id: String,
        security_groups: Option<Vec<String>>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let groups = input.security_groups.unwrap_or_default();
    let mut draft = tasks::draft(&here, call, &input.load_balancer_id)?;
    errors::check_count("SecurityGroups", groups.len(), 0, MOST_GROUPS)?;
    draft.security_groups.clear();
    for group in groups {
        check_security_group(&here, "SecurityGroups", &group)?;
        if !draft.security_groups.contains(&group) {
            draft.security_groups.push(group);
        }
    }
    tasks::change_at_once(&mut here, call, vec![draft]);
    Ok(json!({}))
}

pub(super) fn set_security_group(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        security_group: String,
        operation_type: String,
        load_balancer_ids: Vec<String>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    errors::check_among("OperationType", &input.operation_type, &["ADD", "DEL"])?;
    errors::check_count("LoadBalancerIds", input.load_balancer_ids.len(), 1, MOST_BALANCERS)?;
    check_security_group(&here, "SecurityGroup", &input.security_group)?;
    let mut drafts = Vec::new();
    for id in &input.load_balancer_ids {
        let mut draft = tasks::draft(&here, call, id)?;
        if !draft.public {
            return Err(errors::value(format!("`LoadBalancerIds`: `{id}` is not public.")));
        }
        draft.security_groups.retain(|group| *group != input.security_group);
        if input.operation_type == "ADD" {
            draft.security_groups.push(input.security_group.clone());
            errors::check_count("SecurityGroups", draft.security_groups.len(), 0, MOST_GROUPS)?;
        }
        drafts.push(draft);
    }
    tasks::change_at_once(&mut here, call, drafts);
    Ok(json!({}))
}

pub(super) fn set_start_status(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        operation_type: String,
        load_balancer_id: String,
        listener_ids: Option<Vec<String>>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    errors::check_among("OperationType", &input.operation_type, &["Start", "Stop"])?;
    let stopped = input.operation_type == "Stop";
    let mut draft = tasks::draft(&here, call, &input.load_balancer_id)?;
    let listeners = input.listener_ids.unwrap_or_default();
    errors::check_count("ListenerIds", listeners.len(), 0, here.settings.limit(Quota::ListenersPerLoadBalancer))?;
    if listeners.is_empty() {
        draft.stopped = stopped;
    }
    for id in &listeners {
        draft.listener_mut(&here, call, id)?.stopped = stopped;
    }
    tasks::change(&mut here, call, Task::LoadBalancerChange, draft);
    Ok(json!({}))
}

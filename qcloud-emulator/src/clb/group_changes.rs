//! Creating, changing and deleting target groups.

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors;
use super::group_members::{self, GivenMember};
use super::groups::{self, TargetGroup};
use super::health_checks::{self, HealthCheck};
use super::orders::{GivenTag, check_tags};
use super::{numbers, tasks};
use crate::call::Call;
use crate::error::ApiError;
use crate::settings::Quota;
use crate::vpc;
use crate::world::{Local, World};

const MOST_FIRST_MEMBERS: usize = 50;
const MOST_DELETED: usize = 20;
const PROTOCOLS: &[&str] = &["TCP", "UDP", "HTTP", "HTTPS", "GRPC"];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    target_group_name: Option<String>,
    vpc_id: Option<String>,
    #[serde(default, deserialize_with = "numbers::optional")]
    port: Option<i64>,
    target_group_instances: Option<Vec<GivenMember>>,
    #[serde(rename = "Type")]
    version: Option<String>,
    protocol: Option<String>,
    health_check: Option<health_checks::GivenForGroup>,
    schedule_algorithm: Option<String>,
    tags: Option<Vec<GivenTag>>,
    #[serde(default, deserialize_with = "numbers::optional")]
    weight: Option<i64>,
    full_listen_switch: Option<bool>,
    keepalive_enable: Option<bool>,
    session_expire_time: Option<u64>,
    ip_version: Option<String>,
    snat_enable: Option<bool>,
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let mut group = check(&here, &input)?;
    let members = input.target_group_instances.unwrap_or_default();
    errors::check_count("TargetGroupInstances", members.len(), 0, MOST_FIRST_MEMBERS)?;
    if group.vpc_id.is_empty() {
        let zone = crate::zones::region(here.name).and_then(|region| region.zones().next());
        let subnet = vpc::default_subnet(&mut here, &zone.map(|zone| zone.name).unwrap_or_default())?;
        let subnet = here.region.vpc.subnets.get(&subnet);
        group.vpc_id = subnet.map(|subnet| subnet.vpc_id.clone()).unwrap_or_default();
    }
    group_members::add(&here, &mut group, &members)?;
    group.id = here.ids.new_id("lbtg");
    let id = group.id.clone();
    here.region.clb.groups.insert(id.clone(), group);
    Ok(json!({ "TargetGroupId": id }))
}

fn check(here: &Local<'_>, input: &Input) -> Result<TargetGroup, ApiError> {
    let name = input.target_group_name.clone().unwrap_or_else(|| "target-group".to_owned());
    errors::check_name("TargetGroupName", &name)?;
    if let Some(vpc_id) = &input.vpc_id {
        crate::listing::check_id(("VpcId", vpc_id), "vpc", errors::FORMAT)?;
        if !here.region.vpc.vpcs.contains(vpc_id) {
            return Err(errors::value(format!("`VpcId`: the VPC `{vpc_id}` does not exist in this region.")));
        }
    }
    let version = input.version.as_deref().unwrap_or("v1");
    errors::check_among("Type", version, &["v1", "v2"])?;
    let second = version == "v2";
    let protocol = match (&input.protocol, second) {
        (Some(protocol), true) => {
            errors::check_among("Protocol", protocol, PROTOCOLS)?;
            Some(protocol.clone())
        }
        (None, true) => return Err(ApiError::missing("Protocol")),
        (_, false) => None,
    };
    let all_ports = input.full_listen_switch.unwrap_or_default();
    if all_ports && (!second || input.port.is_some()) {
        return Err(errors::value(
            "`FullListenSwitch` is for groups of the second version, which then have no `Port`.",
        ));
    }
    let port = input.port.map(|port| errors::port("Port", port)).transpose()?;
    let members = input.target_group_instances.as_deref().unwrap_or_default();
    if port.is_none() && !all_ports && (members.is_empty() || members.iter().any(|member| member.port.is_none())) {
        return Err(ApiError::missing("Port"));
    }
    let limit = here.settings.limit(Quota::TargetGroups);
    if here.region.clb.groups.len() >= limit {
        return Err(errors::over_quota(format!("The region has its {limit} target groups already.")));
    }
    let mut group = TargetGroup {
        id: String::new(),
        name,
        vpc_id: input.vpc_id.clone().unwrap_or_default(),
        second,
        protocol,
        port,
        weight: None,
        scheduler: None,
        health_check: None,
        all_ports,
        keep_alive: input.keepalive_enable.unwrap_or_default(),
        session_expire: 0,
        ip_version: input.ip_version.clone().unwrap_or_else(|| "IPv4".to_owned()),
        snat: input.snat_enable.unwrap_or_default(),
        tags: check_tags(input.tags.as_deref())?,
        created: here.now,
        updated: here.now,
        members: Vec::new(),
        task: None,
    };
    if group.is_layer_7() {
        group.scheduler = Some("WRR".to_owned());
    }
    group.health_check = group.protocol.as_deref().map(HealthCheck::usual);
    group.set(
        input.weight,
        input.schedule_algorithm.as_ref(),
        input.session_expire_time,
        input.health_check.as_ref(),
    )?;
    Ok(group)
}

impl TargetGroup {
    fn is_layer_7(&self) -> bool {
        matches!(self.protocol.as_deref(), Some("HTTP" | "HTTPS" | "GRPC"))
    }

    /// Checks and sets what creating and changing have in common.
    fn set(
        &mut self,
        weight: Option<i64>,
        scheduler: Option<&String>,
        session: Option<u64>,
        check: Option<&health_checks::GivenForGroup>,
    ) -> Result<(), ApiError> {
        if let Some(weight) = weight {
            if !self.second {
                return Err(errors::value("`Weight` is for groups of the second version."));
            }
            self.weight = Some(errors::weight("Weight", weight)?);
        }
        if let Some(scheduler) = scheduler {
            if !self.is_layer_7() {
                return Err(errors::value(
                    "`ScheduleAlgorithm` is for HTTP, HTTPS and GRPC groups of the second version.",
                ));
            }
            errors::check_among("ScheduleAlgorithm", scheduler, &["WRR", "LEAST_CONN", "IP_HASH"])?;
            self.scheduler = Some(scheduler.clone());
        }
        if let Some(session) = session {
            if session != 0 && !self.is_layer_7() {
                return Err(errors::value(
                    "`SessionExpireTime` is for HTTP, HTTPS and GRPC groups of the second version.",
                ));
            }
            if session != 0 {
                errors::check_range("SessionExpireTime", i64::try_from(session).unwrap_or(i64::MAX), 30, 3600)?;
            }
            self.session_expire = session;
        }
        if let (Some(given), Some(old), Some(protocol)) = (check, &self.health_check, &self.protocol) {
            self.health_check = Some(old.with(&given.clone().into(), protocol)?);
        }
        Ok(())
    }
}

pub(super) fn modify(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        target_group_id: String,
        target_group_name: Option<String>,
        #[serde(default, deserialize_with = "numbers::optional")]
        port: Option<i64>,
        schedule_algorithm: Option<String>,
        health_check: Option<health_checks::GivenForGroup>,
        #[serde(default, deserialize_with = "numbers::optional")]
        weight: Option<i64>,
        keepalive_enable: Option<bool>,
        session_expire_time: Option<u64>,
        snat_enable: Option<bool>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let mut draft = groups::draft(&here, call, &input.target_group_id)?;
    if let Some(name) = input.target_group_name {
        errors::check_name("TargetGroupName", &name)?;
        draft.name = name;
    }
    if let Some(port) = input.port {
        if draft.all_ports {
            return Err(errors::value("`Port` is not for groups that listen on all ports."));
        }
        draft.port = Some(errors::port("Port", port)?);
    }
    draft.set(
        input.weight,
        input.schedule_algorithm.as_ref(),
        input.session_expire_time,
        input.health_check.as_ref(),
    )?;
    draft.keep_alive = input.keepalive_enable.unwrap_or(draft.keep_alive);
    draft.snat = input.snat_enable.unwrap_or(draft.snat);
    tasks::put_group(&mut here, draft);
    Ok(json!({}))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        target_group_ids: Vec<String>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    errors::check_count("TargetGroupIds", input.target_group_ids.len(), 1, MOST_DELETED)?;
    for id in &input.target_group_ids {
        groups::draft(&here, call, id)?;
        if let Some((balancer, listener, ..)) = groups::uses(here.region, id).next() {
            let message =
                format!("`{id}` is associated with `{}` of `{}`: disassociate it first.", listener.id, balancer.id);
            return Err(errors::failed(message));
        }
    }
    for id in &input.target_group_ids {
        here.region.clb.groups.remove(id);
    }
    Ok(json!({}))
}

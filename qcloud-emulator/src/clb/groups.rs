//! Target groups: sets of targets that listeners and rules share.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::errors::{self, Kind};
use super::health_checks::HealthCheck;
use super::listeners::{GroupBinding, Listener};
use super::load_balancers::{LoadBalancer, show_tags};
use super::rules::Rule;
use super::targets::Target;
use super::{LISTS, numbers};
use crate::call::Call;
use crate::clock::Time;
use crate::error::ApiError;
use crate::listing::{self, Filter, Filters, Page};
use crate::tags::Tag;
use crate::world::{Local, Region, World};

const MOST_IDS: usize = 100;

/// A target group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TargetGroup {
    pub(crate) id: String,
    pub(super) name: String,
    pub(crate) vpc_id: String,
    /// Whether it is of the second version.
    pub(super) second: bool,
    /// What it speaks; groups of the first version follow the listener.
    pub(super) protocol: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) weight: Option<u32>,
    pub(super) scheduler: Option<String>,
    /// Groups of the first version are checked as the listener says.
    pub(super) health_check: Option<HealthCheck>,
    pub(super) all_ports: bool,
    pub(super) keep_alive: bool,
    pub(super) session_expire: u64,
    pub(super) ip_version: String,
    pub(super) snat: bool,
    pub(super) tags: Vec<Tag>,
    pub(super) created: Time,
    pub(super) updated: Time,
    pub(super) members: Vec<Target>,
    /// The task that runs on it.
    pub(super) task: Option<String>,
}

/// The target group of this id, or the error that says it does not exist.
pub(super) fn find<'a>(here: &'a Local<'_>, call: &Call, id: &str) -> Result<&'a TargetGroup, ApiError> {
    errors::check_id("TargetGroupId", id, Kind::TargetGroup)?;
    let missing = || errors::not_found(here.settings, call.action, Kind::TargetGroup, id);
    here.region.clb.groups.get(id).ok_or_else(missing)
}

/// A copy of the target group to change, unless a task runs on it.
pub(super) fn draft(here: &Local<'_>, call: &Call, id: &str) -> Result<TargetGroup, ApiError> {
    let group = find(here, call, id)?;
    match &group.task {
        Some(task) => Err(errors::in_operating(id, task)),
        None => Ok(group.clone()),
    }
}

/// Where a group is in use.
pub(super) fn uses<'a>(
    region: &'a Region,
    id: &'a str,
) -> impl Iterator<Item = (&'a LoadBalancer, &'a Listener, Option<&'a Rule>, &'a GroupBinding)> {
    let listeners = region
        .clb
        .balancers
        .values()
        .flat_map(|balancer| balancer.listeners.iter().map(move |listener| (balancer, listener)));
    listeners.flat_map(move |(balancer, listener)| {
        let own = listener.groups.iter().map(move |group| (balancer, listener, None, group));
        let rules = listener
            .rules
            .iter()
            .flat_map(move |rule| rule.groups.iter().map(move |group| (balancer, listener, Some(rule), group)));
        own.chain(rules).filter(move |(_, _, _, group)| group.id == id)
    })
}

/// As listeners and rules show the one group that they forward to.
pub(super) fn show_binding(region: &Region, binding: Option<&GroupBinding>) -> Value {
    let found = binding.and_then(|binding| Some((binding, region.clb.groups.get(&binding.id)?)));
    found.map_or(Value::Null, |(binding, group)| {
        json!({ "TargetGroupId": group.id, "TargetGroupName": group.name, "Weight": binding.weight })
    })
}

/// As listeners and rules show all the groups that they forward to.
pub(super) fn show_bindings(region: &Region, bindings: &[GroupBinding]) -> Value {
    if bindings.is_empty() {
        return Value::Null;
    }
    bindings.iter().map(|binding| show_binding(region, Some(binding))).collect()
}

impl TargetGroup {
    fn show(&self, region: &Region, with_rules: bool) -> Value {
        let rules: Vec<Value> = uses(region, &self.id).map(show_use).collect();
        let count = rules.len();
        json!({
            "TargetGroupId": self.id,
            "VpcId": self.vpc_id,
            "TargetGroupName": self.name,
            "Port": if self.all_ports { Some(0) } else { self.port },
            "CreatedTime": self.created.beijing(),
            "UpdatedTime": self.updated.beijing(),
            "AssociatedRule": with_rules.then_some(rules),
            "Protocol": self.protocol,
            "ScheduleAlgorithm": self.scheduler,
            "HealthCheck": self.health_check.as_ref().map(HealthCheck::show_for_group),
            "TargetGroupType": if self.second { "v2" } else { "v1" },
            "AssociatedRuleCount": count,
            "RegisteredInstancesCount": self.members.len(),
            "Tag": show_tags(&self.tags),
            "Weight": self.weight,
            "FullListenSwitch": self.all_ports,
            "KeepaliveEnable": self.keep_alive,
            "SessionExpireTime": self.session_expire,
            "IpVersion": self.ip_version,
            "SnatEnable": self.snat,
        })
    }
}

fn show_use((balancer, listener, rule, binding): (&LoadBalancer, &Listener, Option<&Rule>, &GroupBinding)) -> Value {
    json!({
        "LoadBalancerId": balancer.id,
        "LoadBalancerName": balancer.name,
        "ListenerId": listener.id,
        "ListenerName": listener.name,
        "LocationId": rule.map(|rule| &rule.id),
        "Protocol": listener.protocol,
        "Port": listener.port,
        "Domain": rule.map(Rule::domain),
        "Url": rule.map(|rule| &rule.url),
        "Weight": binding.weight,
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    target_group_ids: Option<Vec<String>>,
    filters: Option<Vec<Filter>>,
    #[serde(default, deserialize_with = "numbers::optional")]
    offset: Option<i64>,
    #[serde(default, deserialize_with = "numbers::optional")]
    limit: Option<i64>,
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    listing::ids_or_filters(("TargetGroupIds", input.target_group_ids.as_ref()), input.filters.as_ref(), &LISTS)?;
    list(&world.local(call), call, input, &["TargetGroupVpcId", "TargetGroupName", "Tag"], true)
}

pub(super) fn describe_list(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let mut input: Input = call.input()?;
    if input.target_group_ids.as_ref().is_some_and(|ids| !ids.is_empty()) {
        input.filters = None;
    }
    list(&world.local(call), call, input, &["TargetGroupVpcId", "TargetGroupName"], false)
}

fn list(here: &Local<'_>, call: &Call, input: Input, known: &[&str], with_rules: bool) -> Result<Value, ApiError> {
    let ids = input.target_group_ids.unwrap_or_default();
    errors::check_count("TargetGroupIds", ids.len(), 0, MOST_IDS)?;
    ids.iter().try_for_each(|id| errors::check_id("TargetGroupIds", id, Kind::TargetGroup))?;
    let filters = Filters::check(call, input.filters, known, &LISTS)?;
    let page = Page::new(input.offset, input.limit, &LISTS)?;
    let (total, groups) = page.cut(here.region.clb.groups.among(&ids).filter(|group| {
        filters.accept(&[], |name, value| match name {
            "TargetGroupVpcId" => group.vpc_id == value,
            "TargetGroupName" => group.name == value,
            "Tag" => group.tags.iter().any(|tag| tag.key == value || format!("{}:{}", tag.key, tag.value) == value),
            _ => false,
        })
    }));
    let groups: Vec<Value> = groups.into_iter().map(|group| group.show(here.region, with_rules)).collect();
    Ok(json!({ "TotalCount": total, "TargetGroupSet": groups }))
}

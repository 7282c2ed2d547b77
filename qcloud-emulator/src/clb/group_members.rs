//! The members of target groups.

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors;
use super::groups::{self, TargetGroup};
use super::targets::{self, Target, TargetName};
use super::tasks::{self, Outcome};
use super::{LISTS, numbers};
use crate::call::Call;
use crate::error::ApiError;
use crate::listing::{Filter, Filters, Page};
use crate::settings::{Quota, Task};
use crate::world::{Local, Region, World};

const MOST_REMOVED: usize = 20;

/// A member as requests carry it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GivenMember {
    #[serde(rename = "BindIP")]
    bind_ip: String,
    #[serde(default, deserialize_with = "numbers::optional")]
    pub(super) port: Option<i64>,
    #[serde(default, deserialize_with = "numbers::optional")]
    weight: Option<i64>,
    #[serde(default, deserialize_with = "numbers::optional")]
    new_port: Option<i64>,
}

impl GivenMember {
    fn name(&self) -> Result<TargetName, ApiError> {
        let malformed = |_| ApiError::new(errors::FORMAT, format!("`BindIP`: `{}` is no IP address.", self.bind_ip));
        self.bind_ip.parse().map(TargetName::Address).map_err(malformed)
    }

    /// The port that was given; groups that listen on all ports have none.
    fn port(&self, group: &TargetGroup) -> Result<u16, ApiError> {
        match (self.port, group.all_ports) {
            (Some(0) | None, true) => Ok(0),
            (Some(_), true) => Err(errors::value(format!("`{}` listens on all ports: give no `Port`.", group.id))),
            (Some(port), false) => errors::port("TargetGroupInstances.Port", port),
            (None, false) => Err(ApiError::missing("TargetGroupInstances.Port")),
        }
    }
}

/// Adds members to a group.
pub(super) fn add(here: &Local<'_>, group: &mut TargetGroup, given: &[GivenMember]) -> Result<(), ApiError> {
    for member in given {
        let name = member.name()?;
        let port = match (member.port, group.port) {
            (None, Some(usual)) => usual,
            _ => member.port(group)?,
        };
        let usual = group.weight.map(i64::from).or((!group.second).then_some(10));
        let weight = member.weight.or(usual).ok_or_else(|| ApiError::missing("TargetGroupInstances.Weight"))?;
        let weight = errors::weight("TargetGroupInstances.Weight", weight)?;
        let place = targets::locate(here.region, &group.vpc_id, false, &name)?;
        if group.members.iter().any(|other| other.port == port && other.place.address == place.address) {
            return Err(errors::value(format!("The group has {name} with port {port} already, or it is given twice.")));
        }
        group.members.push(Target { place, port, weight, tag: String::new(), registered: here.now });
    }
    let limit = here.settings.limit(Quota::TargetsPerRule);
    if group.members.len() > limit {
        let message = format!("The group would have {} members, more than the quota of {limit}.", group.members.len());
        return Err(errors::over_quota(message));
    }
    Ok(())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    target_group_id: String,
    target_group_instances: Vec<GivenMember>,
}

/// Changes the members of a group in a task.
fn change(
    world: &mut World,
    call: &Call,
    most: usize,
    edit: impl FnOnce(&Local<'_>, &mut TargetGroup, &[GivenMember]) -> Result<(), ApiError>,
) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let mut draft = groups::draft(&here, call, &input.target_group_id)?;
    errors::check_count("TargetGroupInstances", input.target_group_instances.len(), 1, most)?;
    draft.members.retain(|member| targets::is_present(here.region, member));
    edit(&here, &mut draft, &input.target_group_instances)?;
    tasks::begin(&mut here, call, Task::TargetGroupChange, Outcome::Group(Box::new(draft)), None);
    Ok(json!({}))
}

/// The place of a member in its group.
fn place(group: &TargetGroup, given: &GivenMember) -> Result<usize, ApiError> {
    let (name, port) = (given.name()?, given.port(group)?);
    let place = group.members.iter().position(|member| member.port == port && name.fits(member));
    place.ok_or_else(|| errors::value(format!("`{}` has no member {name} with port {port}.", group.id)))
}

pub(super) fn register(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    change(world, call, 500, add)
}

pub(super) fn deregister(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    change(world, call, MOST_REMOVED, |_, group, given| {
        for member in given {
            let place = place(group, member)?;
            group.members.remove(place);
        }
        Ok(())
    })
}

pub(super) fn weight(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    change(world, call, 500, |_, group, given| {
        for member in given {
            let place = place(group, member)?;
            let weight = member.weight.ok_or_else(|| ApiError::missing("TargetGroupInstances.Weight"))?;
            let weight = errors::weight("TargetGroupInstances.Weight", weight)?;
            if let Some(member) = group.members.get_mut(place) {
                member.weight = weight;
            }
        }
        Ok(())
    })
}

pub(super) fn port(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    change(world, call, 500, |_, group, given| {
        for member in given {
            let place = place(group, member)?;
            let port = member.new_port.ok_or_else(|| ApiError::missing("TargetGroupInstances.NewPort"))?;
            let port = errors::port("TargetGroupInstances.NewPort", port)?;
            let name = member.name()?;
            if group.members.iter().any(|other| other.port == port && name.fits(other)) {
                return Err(errors::value(format!("`{}` has {name} with port {port} already.", group.id)));
            }
            if let Some(member) = group.members.get_mut(place) {
                member.port = port;
            }
        }
        Ok(())
    })
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        filters: Vec<Filter>,
        #[serde(default, deserialize_with = "numbers::optional")]
        limit: Option<i64>,
        #[serde(default, deserialize_with = "numbers::optional")]
        offset: Option<i64>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let filters = Filters::check(call, Some(input.filters), &["TargetGroupId", "BindIP", "InstanceId"], &LISTS)?;
    let page = Page::new(input.offset, input.limit, &LISTS)?;
    let members =
        here.region.clb.groups.values().flat_map(|group| group.members.iter().map(move |member| (group, member)));
    let (total, members) = page.cut(members.filter(|(group, member)| {
        targets::is_present(here.region, member)
            && filters.accept(&[], |name, value| match name {
                "TargetGroupId" => group.id == value,
                "BindIP" => targets::same_address(&member.place.address, value),
                "InstanceId" => member.place.instance == value,
                _ => false,
            })
    }));
    let members: Vec<Value> =
        members.into_iter().map(|(group, member)| show(&here, here.region, group, member)).collect();
    Ok(json!({ "TotalCount": total, "RealCount": total, "TargetGroupInstanceSet": members }))
}

fn show(here: &Local<'_>, region: &Region, group: &TargetGroup, member: &Target) -> Value {
    let instance = region.cvm.instances.get(&member.place.instance);
    let zone = region.vpc.subnets.get(&member.place.subnet).and_then(|subnet| here.zone(&subnet.zone));
    json!({
        "TargetGroupId": group.id,
        "Type": if instance.is_some() { "CVM" } else { member.place.kind.name() },
        "InstanceId": member.place.instance,
        "InstanceName": instance.map(|instance| instance.name.as_str()).unwrap_or_default(),
        "Port": member.port,
        "Weight": member.weight,
        "PublicIpAddresses": instance.map(|instance| instance.public_ips.clone()).unwrap_or_default(),
        "PrivateIpAddresses": [member.place.address],
        "EniId": member.place.interface,
        "ZoneId": zone.and_then(|zone| zone.id.parse::<u64>().ok()).unwrap_or_default(),
        "RegisteredTime": member.registered.beijing(),
    })
}

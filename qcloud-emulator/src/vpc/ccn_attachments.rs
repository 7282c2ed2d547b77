//! The network instances that are attached to a CCN.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::interfaces::ACCOUNT;
use super::{LISTS, TOO_LONG, check_id, vpcs};
use crate::call::Call;
use crate::clock::Time;
use crate::error::ApiError;
use crate::listing::{Filter, Filters, Page};
use crate::settings::{Quota, Task};
use crate::world::World;
use crate::zones;

/// An attachment. What it is at a moment follows from the times that it holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Attached {
    pub(super) instance_id: String,
    pub(super) region: String,
    description: String,
    since: Time,
    active: Time,
    gone: Option<Time>,
}

impl Attached {
    pub(super) fn is(&self, region: &str, instance: &str) -> bool {
        self.region == region && self.instance_id == instance
    }

    pub(super) fn is_active(&self, now: Time) -> bool {
        self.active <= now && self.gone.is_none()
    }

    pub(super) fn is_gone(&self, now: Time) -> bool {
        self.gone.is_some_and(|gone| gone <= now)
    }

    fn state(&self, now: Time) -> &'static str {
        match self.gone {
            Some(_) => "DETACHING",
            None if self.active <= now => "ACTIVE",
            None => "ATTACHING",
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    ccn_id: String,
    instances: Vec<Given>,
}

/// A network instance as requests carry it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    instance_id: String,
    instance_region: String,
    instance_type: String,
    description: Option<String>,
}

impl Input {
    fn of(call: &Call) -> Result<Self, ApiError> {
        let input: Self = call.input()?;
        if input.instances.is_empty() || input.instances.len() > 20 {
            let message = format!("`Instances` takes 1 to 20 network instances, not {}.", input.instances.len());
            return Err(ApiError::invalid_value(message));
        }
        for (place, given) in input.instances.iter().enumerate() {
            if input.instances.iter().take(place).any(|other| other.instance_id == given.instance_id) {
                let message = format!("`Instances`: `{}` is given twice.", given.instance_id);
                return Err(ApiError::new("InvalidParameterValue.Duplicate", message));
            }
        }
        Ok(input)
    }
}

pub(super) fn attach(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input = Input::of(call)?;
    world.state.ccns.settle(call.now);
    let ccn = world.state.ccns.find(&input.ccn_id)?;
    let mut new = Vec::new();
    for given in &input.instances {
        if given.instance_type != "VPC" {
            let message =
                format!("`InstanceType`: the emulator attaches only VPCs to a CCN, not `{}`.", given.instance_type);
            return Err(ApiError::new("UnsupportedOperation", message));
        }
        if given.description.as_ref().is_some_and(|text| text.len() > 100) {
            return Err(ApiError::new(TOO_LONG, "`Description` has at most 100 bytes."));
        }
        if zones::region(&given.instance_region).is_none() {
            let message = format!("`InstanceRegion`: there is no region `{}`.", given.instance_region);
            return Err(ApiError::invalid_value(message));
        }
        check_id("InstanceId", &given.instance_id, "vpc")?;
        match world.state.regions.get(&given.instance_region) {
            Some(region) => vpcs::find(region, &given.instance_id).map(|_| ())?,
            None => return Err(ApiError::not_found("VPC", &given.instance_id)),
        }
        if let Some(other) = world.state.ccns.of(&given.instance_region, &given.instance_id, call.now) {
            let message = format!("The VPC `{}` is attached to the CCN `{other}`.", given.instance_id);
            return Err(ApiError::new("UnsupportedOperation.CcnAttached", message));
        }
        new.push(Attached {
            instance_id: given.instance_id.clone(),
            region: given.instance_region.clone(),
            description: given.description.clone().unwrap_or_default(),
            since: call.now,
            active: call.now.after(world.settings.duration(Task::CcnAttach)),
            gone: None,
        });
    }
    let limit = world.settings.limit(Quota::InstancesPerCcn);
    if ccn.attached.len() + new.len() > limit {
        let message = format!("The CCN `{}` has at most {limit} network instances.", ccn.id);
        return Err(ApiError::new("LimitExceeded", message));
    }
    world.state.ccns.find_mut(&input.ccn_id)?.attached.extend(new);
    Ok(json!({}))
}

pub(super) fn detach(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input = Input::of(call)?;
    world.state.ccns.settle(call.now);
    let ccn = world.state.ccns.find(&input.ccn_id)?;
    for given in &input.instances {
        let Some(attached) = ccn.attached.iter().find(|other| other.is(&given.instance_region, &given.instance_id))
        else {
            let message =
                format!("`{}` of {} is not attached to `{}`.", given.instance_id, given.instance_region, ccn.id);
            return Err(ApiError::new("ResourceNotFound", message));
        };
        if !attached.is_active(call.now) {
            let state = attached.state(call.now);
            let message = format!("`{}` is {state}: wait until it is ACTIVE.", given.instance_id);
            return Err(ApiError::new("UnsupportedOperation.InvalidState", message));
        }
    }
    let gone = call.now.after(world.settings.duration(Task::CcnDetach));
    for given in &input.instances {
        // What the VPC published is published no more.
        if let Some(region) = world.state.regions.get_mut(&given.instance_region) {
            let tables = region.vpc.route_tables.values_mut().filter(|table| table.vpc_id == given.instance_id);
            tables.flat_map(|table| &mut table.routes).for_each(|route| route.published = false);
        }
        let ccn = world.state.ccns.find_mut(&input.ccn_id)?;
        let attached = ccn.attached.iter_mut().filter(|other| other.is(&given.instance_region, &given.instance_id));
        attached.for_each(|attached| attached.gone = Some(gone));
    }
    Ok(json!({}))
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        offset: Option<i64>,
        limit: Option<i64>,
        filters: Option<Vec<Filter>>,
        ccn_id: Option<String>,
        order_direction: Option<String>,
    }
    let input: Input = call.input()?;
    world.state.ccns.settle(call.now);
    if let Some(id) = &input.ccn_id {
        world.state.ccns.find(id)?;
    }
    let filters =
        Filters::check(call, input.filters, &["ccn-id", "instance-type", "instance-region", "instance-id"], &LISTS)?;
    let page = Page::new(input.offset, input.limit, &LISTS)?;
    let ccns = world.state.ccns.table.values().filter(|ccn| input.ccn_id.as_ref().is_none_or(|id| *id == ccn.id));
    let mut all: Vec<(&str, &Attached)> =
        ccns.flat_map(|ccn| ccn.attached.iter().map(move |attached| (ccn.id.as_str(), attached))).collect();
    all.sort_by_key(|(_, attached)| attached.since);
    if input.order_direction.as_deref() == Some("DESC") {
        all.reverse();
    }
    let (total, attached) = page.cut(all.into_iter().filter(|(ccn, attached)| {
        filters.accept(&[], |name, value| match name {
            "ccn-id" => *ccn == value,
            "instance-type" => value == "VPC",
            "instance-region" => attached.region == value,
            "instance-id" => attached.instance_id == value,
            _ => false,
        })
    }));
    let shown: Vec<Value> = attached
        .into_iter()
        .map(|(ccn, attached)| {
            let region = world.state.regions.get(&attached.region);
            let vpc = region.and_then(|region| region.vpc.vpcs.get(&attached.instance_id));
            json!({
                "CcnId": ccn,
                "InstanceType": "VPC",
                "InstanceId": attached.instance_id,
                "InstanceName": vpc.map(|vpc| vpc.name.as_str()).unwrap_or_default(),
                "InstanceRegion": attached.region,
                "InstanceUin": ACCOUNT,
                "CidrBlock": vpc.into_iter().flat_map(|vpc| vpc.networks()).collect::<Vec<_>>(),
                "State": attached.state(call.now),
                "AttachedTime": attached.since.beijing(),
                "CcnUin": ACCOUNT,
                "InstanceArea": "CHINA",
                "Description": attached.description,
                "RouteTableId": "",
                "RouteTableName": "",
            })
        })
        .collect();
    Ok(json!({ "TotalCount": total, "InstanceSet": shown }))
}

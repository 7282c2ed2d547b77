//! What uses security groups, and copies of them.

use serde::Deserialize;
use serde_json::{Value, json};

use super::MALFORMED;
use super::security_groups::{self, SecurityGroup};
use crate::call::Call;
use crate::error::ApiError;
use crate::listing;
use crate::tags::{self, Tag};
use crate::world::{Region, World};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Ids {
    security_group_ids: Vec<String>,
}

impl Ids {
    /// The ids of a request, all of which exist.
    fn existing(call: &Call, region: &Region) -> Result<Vec<String>, ApiError> {
        let input: Self = call.input()?;
        if input.security_group_ids.len() > 100 {
            let message = "`SecurityGroupIds` takes at most 100 ids.";
            return Err(ApiError::new("InvalidParameterValue.LimitExceeded", message));
        }
        for id in &input.security_group_ids {
            listing::check_id(("SecurityGroupIds", id), "sg", MALFORMED)?;
            security_groups::find(region, id)?;
        }
        Ok(input.security_group_ids)
    }
}

/// The other security groups whose policies name this one.
fn referring<'a>(region: &'a Region, id: &'a str) -> impl Iterator<Item = &'a SecurityGroup> {
    region.vpc.security_groups.values().filter(move |group| group.id != id && group.mentions(id))
}

pub(super) fn statistics(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let here = world.local(call);
    let region = &*here.region;
    let mut shown = Vec::new();
    for id in Ids::existing(call, region)? {
        let among = |groups: &[String]| groups.contains(&id);
        let cvm = region.cvm.instances.values().filter(|instance| among(&instance.security_groups)).count();
        let interfaces = region.vpc.interfaces.values().filter(|interface| !interface.primary);
        let eni = interfaces.filter(|interface| among(interface.groups(region))).count();
        let sg = referring(region, &id).count();
        let by_kind: Vec<Value> = [("CVM", cvm), ("ENI", eni), ("SG", sg)]
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(kind, count)| json!({ "InstanceType": kind, "InstanceCount": count }))
            .collect();
        shown.push(json!({
            "SecurityGroupId": id,
            "CVM": cvm,
            "CDB": 0,
            "ENI": eni,
            "SG": sg,
            "CLB": 0,
            "InstanceStatistics": by_kind,
            "TotalCount": cvm + eni + sg,
        }));
    }
    Ok(json!({ "SecurityGroupAssociationStatisticsSet": shown }))
}

pub(super) fn references(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let here = world.local(call);
    let mut shown = Vec::new();
    for id in Ids::existing(call, here.region)? {
        let referring: Vec<&str> = referring(here.region, &id).map(|group| group.id.as_str()).collect();
        shown.push(json!({ "SecurityGroupId": id, "ReferredSecurityGroupIds": referring }));
    }
    Ok(json!({ "ReferredSecurityGroupSet": shown }))
}

pub(super) fn clone(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        security_group_id: String,
        group_name: Option<String>,
        group_description: Option<String>,
        project_id: Option<String>,
        remote_region: Option<String>,
        tags: Option<Vec<Tag>>,
        is_clone_tags: Option<bool>,
    }
    let input: Input = call.input()?;
    let remote = input.remote_region.as_deref().filter(|name| !name.is_empty() && *name != call.region);
    if let Some(name) = remote.filter(|name| crate::zones::region(name).is_none()) {
        return Err(ApiError::invalid_value(format!("`RemoteRegion`: there is no region `{name}`.")));
    }
    let source = match remote {
        Some(name) => {
            world.state.regions.get(name).map(|region| security_groups::find(region, &input.security_group_id))
        }
        None => Some(security_groups::find(world.local(call).region, &input.security_group_id)),
    };
    let source =
        source.unwrap_or_else(|| Err(ApiError::not_found("security group", &input.security_group_id)))?.clone();
    let mut tags = if input.is_clone_tags == Some(true) { source.tags().to_vec() } else { Vec::new() };
    for tag in input.tags.unwrap_or_default() {
        tags.retain(|other| other.key != tag.key);
        tags.push(tag);
    }
    let tags = tags::check(Some(tags))?;
    let mut here = world.local(call);
    let wanted = (input.group_name.as_deref(), input.group_description.as_deref(), input.project_id.as_deref());
    let id = security_groups::make_copy(&mut here, &source, wanted, tags)?;
    Ok(json!({ "SecurityGroup": security_groups::find(here.region, &id)?.show() }))
}

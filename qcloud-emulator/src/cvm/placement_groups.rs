//! Placement groups, which the API calls disaster recover groups: instances of one group stay apart from each other.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{LISTS, TagSpecification, tag_specifications};
use crate::call::Call;
use crate::clock::Time;
use crate::error::ApiError;
use crate::listing::{self, Filter, Filters, Page};
use crate::settings::Quota;
use crate::tags::Tag;
use crate::world::{Local, Region, World};

/// How many instances a group of each type holds.
pub(super) const HOST_QUOTA: usize = 50;
pub(super) const SWITCH_QUOTA: usize = 20;
pub(super) const RACK_QUOTA: usize = 30;

const MALFORMED: &str = "InvalidParameterValue.DisasterRecoverGroupIdMalformed";
const MISSING: &str = "FailedOperation.DisasterRecoverGroupNotFound";

/// A placement group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PlacementGroup {
    id: String,
    name: String,
    kind: String,
    affinity: i64,
    strategy: String,
    partitions: i64,
    token: Option<String>,
    created: Time,
    tags: Vec<Tag>,
}

impl PlacementGroup {
    fn quota(&self) -> usize {
        match self.kind.as_str() {
            "HOST" => HOST_QUOTA,
            "SW" => SWITCH_QUOTA,
            _ => RACK_QUOTA,
        }
    }

    fn members<'a>(&'a self, region: &'a Region) -> impl Iterator<Item = &'a str> {
        let instances = region.cvm.instances.values();
        instances.filter(|instance| instance.placement_groups.contains(&self.id)).map(|instance| instance.id.as_str())
    }
}

/// Checks that instances may join these groups, so many at once.
pub(super) fn check_room(here: &Local<'_>, ids: &[String], count: usize) -> Result<(), ApiError> {
    if ids.len() > 1 {
        let message = "`DisasterRecoverGroupIds`: an instance is in one group at most.";
        return Err(ApiError::new("InvalidParameterValue.LimitExceeded", message));
    }
    for id in ids {
        let group = find(here.region, id)?;
        let present = group.members(here.region).count();
        if present + count > group.quota() {
            let message = format!("The group `{id}` has {present} instances and holds at most {}.", group.quota());
            return Err(ApiError::new("ResourceInsufficient.DisasterRecoverGroupCvmQuota", message));
        }
    }
    Ok(())
}

fn find<'a>(region: &'a Region, id: &str) -> Result<&'a PlacementGroup, ApiError> {
    listing::check_id(("DisasterRecoverGroupIds", id), "ps", MALFORMED)?;
    let missing = || ApiError::new(MISSING, format!("The placement group `{id}` does not exist in this region."));
    region.cvm.placement_groups.get(id).ok_or_else(missing)
}

fn check_name(name: &str) -> Result<(), ApiError> {
    if (1..=60).contains(&name.chars().count()) {
        return Ok(());
    }
    Err(ApiError::invalid_value("`Name` has 1 to 60 characters."))
}

fn check_affinity(affinity: i64) -> Result<i64, ApiError> {
    if (1..=10).contains(&affinity) {
        return Ok(affinity);
    }
    Err(ApiError::new("InvalidParameterValue.Range", format!("`Affinity` is between 1 and 10, not {affinity}.")))
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        name: String,
        #[serde(rename = "Type")]
        kind: String,
        client_token: Option<String>,
        affinity: Option<i64>,
        strategy: Option<String>,
        partition_count: Option<i64>,
        tag_specification: Option<Vec<TagSpecification>>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let token = input.client_token.filter(|token| !token.is_empty());
    if token.as_ref().is_some_and(|token| token.len() > 64) {
        return Err(ApiError::new("InvalidClientToken.TooLong", "`ClientToken` has at most 64 characters."));
    }
    let same = |group: &&PlacementGroup| token.is_some() && group.token == token;
    if let Some(group) = here.region.cvm.placement_groups.values().find(same) {
        return Ok(show_created(here.region, group));
    }
    check_name(&input.name)?;
    if !["HOST", "SW", "RACK"].contains(&input.kind.as_str()) {
        return Err(ApiError::invalid_value(format!("`Type`: `{}` is none of HOST, SW, RACK.", input.kind)));
    }
    let affinity = check_affinity(input.affinity.unwrap_or(1))?;
    let strategy = input.strategy.unwrap_or_else(|| "SPREAD".to_owned());
    let partitions = match (strategy.as_str(), input.partition_count) {
        ("SPREAD", _) => 0,
        ("PARTITION", count) if (2..=30).contains(&count.unwrap_or(2)) => count.unwrap_or(2),
        ("PARTITION", _) => {
            return Err(ApiError::new("InvalidParameterValue.Range", "`PartitionCount` is between 2 and 30."));
        }
        (other, _) => {
            return Err(ApiError::invalid_value(format!("`Strategy` is SPREAD or PARTITION, not `{other}`.")));
        }
    };
    let tags = tag_specifications(input.tag_specification.as_deref(), "ps")?;
    let limit = here.settings.limit(Quota::PlacementGroupsPerRegion);
    if here.region.cvm.placement_groups.len() >= limit {
        let message = format!("The region {} has its {limit} placement groups already.", here.name);
        return Err(ApiError::new("ResourceInsufficient.InsufficientGroupQuota", message));
    }
    let id = here.ids.new_id("ps");
    let group = PlacementGroup {
        id: id.clone(),
        name: input.name,
        kind: input.kind,
        affinity,
        strategy,
        partitions,
        token,
        created: here.now,
        tags,
    };
    let answer = show_created(here.region, &group);
    here.region.cvm.placement_groups.insert(id, group);
    Ok(answer)
}

fn show_created(region: &Region, group: &PlacementGroup) -> Value {
    json!({
        "DisasterRecoverGroupId": group.id,
        "Type": group.kind,
        "Name": group.name,
        "CvmQuotaTotal": group.quota(),
        "CurrentNum": group.members(region).count(),
        "CreateTime": group.created.beijing(),
        "Strategy": group.strategy,
        "PartitionCount": group.partitions,
    })
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        disaster_recover_group_ids: Option<Vec<String>>,
        name: Option<String>,
        offset: Option<i64>,
        limit: Option<i64>,
        filters: Option<Vec<Filter>>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let ids = input.disaster_recover_group_ids.unwrap_or_default();
    listing::check_ids(("DisasterRecoverGroupIds", &ids), "ps", MALFORMED, &LISTS)?;
    let filters = Filters::check(call, input.filters, &["tag-key", "tag-value", "tag:"], &LISTS)?;
    let page = Page::new(input.offset, input.limit, &LISTS)?;
    let (total, groups) = page.cut(here.region.cvm.placement_groups.among(&ids).filter(|group| {
        input.name.as_ref().is_none_or(|name| group.name.contains(name.as_str()))
            && filters.accept(&group.tags, |_, _| false)
    }));
    let groups: Vec<Value> = groups
        .into_iter()
        .map(|group| {
            let members: Vec<&str> = group.members(here.region).collect();
            json!({
                "DisasterRecoverGroupId": group.id,
                "Name": group.name,
                "Type": group.kind,
                "CvmQuotaTotal": group.quota(),
                "CurrentNum": members.len(),
                "InstanceIds": members,
                "CreateTime": group.created.iso(),
                "Affinity": group.affinity,
                "Strategy": group.strategy,
                "PartitionCount": group.partitions,
                "Tags": group.tags,
            })
        })
        .collect();
    Ok(json!({ "DisasterRecoverGroupSet": groups, "TotalCount": total }))
}

pub(super) fn modify(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        disaster_recover_group_id: String,
        name: String,
        affinity: Option<i64>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    find(here.region, &input.disaster_recover_group_id)?;
    check_name(&input.name)?;
    let affinity = input.affinity.map(check_affinity).transpose()?;
    if let Some(group) = here.region.cvm.placement_groups.get_mut(&input.disaster_recover_group_id) {
        group.name = input.name;
        group.affinity = affinity.unwrap_or(group.affinity);
    }
    Ok(json!({}))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        disaster_recover_group_ids: Vec<String>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    if input.disaster_recover_group_ids.is_empty() {
        return Err(ApiError::missing("DisasterRecoverGroupIds"));
    }
    for id in &input.disaster_recover_group_ids {
        if let Some(instance) = find(here.region, id)?.members(here.region).next() {
            let message = format!("The placement group `{id}` still has the instance `{instance}`.");
            return Err(ApiError::new("FailedOperation.PlacementSetNotEmpty", message));
        }
    }
    for id in &input.disaster_recover_group_ids {
        here.region.cvm.placement_groups.remove(id);
    }
    Ok(json!({}))
}

pub(super) fn describe_quota(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let here = world.local(call);
    Ok(json!({
        "GroupQuota": here.settings.limit(Quota::PlacementGroupsPerRegion),
        "CurrentNum": here.region.cvm.placement_groups.len(),
        "CvmInHostGroupQuota": HOST_QUOTA,
        "CvmInSwGroupQuota": SWITCH_QUOTA,
        "CvmInRackGroupQuota": RACK_QUOTA,
        "CvmInSwitchGroupQuota": SWITCH_QUOTA,
    }))
}

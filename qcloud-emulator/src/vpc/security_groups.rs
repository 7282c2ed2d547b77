//! Security groups. Their policies are in [`super::policies`].

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::policies::Policy;
use super::vpcs::refuse_unknown;
use super::{LISTS, MALFORMED, TOO_LONG, check_id, check_name};
use crate::call::Call;
use crate::clock::Time;
use crate::error::ApiError;
use crate::listing::{self, Filter, Filters, Page};
use crate::settings::Quota;
use crate::tags::{self, Tag};
use crate::world::{Local, Region, World};

/// A security group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SecurityGroup {
    pub(crate) id: String,
    pub(crate) name: String,
    description: String,
    project_id: String,
    pub(crate) is_default: bool,
    created: Time,
    pub(super) updated: Time,
    tags: Vec<Tag>,
    /// Grows by one with every change of the policies.
    pub(super) version: u64,
    pub(super) ingress: Vec<Policy>,
    pub(super) egress: Vec<Policy>,
}

impl SecurityGroup {
    pub(super) fn show(&self) -> Value {
        json!({
            "SecurityGroupId": self.id,
            "SecurityGroupName": self.name,
            "SecurityGroupDesc": self.description,
            "ProjectId": self.project_id,
            "IsDefault": self.is_default,
            "CreatedTime": self.created.beijing(),
            "UpdateTime": self.updated.beijing(),
            "TagSet": self.tags,
        })
    }

    pub(super) fn tags(&self) -> &[Tag] {
        &self.tags
    }

    pub(super) fn mentions(&self, id: &str) -> bool {
        self.ingress.iter().chain(&self.egress).any(|policy| policy.security_group_id == id)
    }
}

/// Whether any of the groups lets a client in. In each the first policy that fits decides; without one nobody gets in.
pub(crate) fn admits(region: &Region, groups: &[String], client: Ipv4Addr, port: u16, transport: &str) -> bool {
    groups.iter().filter_map(|id| region.vpc.security_groups.get(id)).any(|group| {
        let first = group.ingress.iter().find(|policy| policy.fits(client, port, transport));
        first.is_some_and(Policy::accepts)
    })
}

/// The security group of this id, or the error that says it does not exist.
pub(super) fn find<'a>(region: &'a Region, id: &str) -> Result<&'a SecurityGroup, ApiError> {
    check_id("SecurityGroupId", id, "sg")?;
    region.vpc.security_groups.get(id).ok_or_else(|| ApiError::not_found("security group", id))
}

/// As [`find`], to change it.
pub(super) fn find_mut<'a>(region: &'a mut Region, id: &str) -> Result<&'a mut SecurityGroup, ApiError> {
    check_id("SecurityGroupId", id, "sg")?;
    region.vpc.security_groups.get_mut(id).ok_or_else(|| ApiError::not_found("security group", id))
}

/// The default security group. It is made when it does not exist yet; it lets everything through, as the cloud's does
/// for a new account.
pub(crate) fn default_group(here: &mut Local<'_>) -> Result<String, ApiError> {
    let existing = here.region.vpc.security_groups.values().find(|group| group.is_default);
    if let Some(group) = existing {
        return Ok(group.id.clone());
    }
    let id = make(here, "default", "System created security group", "0", true, Vec::new())?;
    let now = here.now;
    let group = find_mut(here.region, &id)?;
    group.ingress = vec![Policy::accept_all(now)];
    group.egress = vec![Policy::accept_all(now)];
    Ok(id)
}

fn make(
    here: &mut Local<'_>,
    name: &str,
    description: &str,
    project_id: &str,
    is_default: bool,
    tags: Vec<Tag>,
) -> Result<String, ApiError> {
    let limit = here.settings.limit(Quota::SecurityGroupsPerRegion);
    if here.region.vpc.security_groups.len() >= limit {
        let message = format!("The region {} has its {limit} security groups already.", here.name);
        return Err(ApiError::new("LimitExceeded", message));
    }
    let id = here.ids.new_id("sg");
    let group = SecurityGroup {
        id: id.clone(),
        name: name.to_owned(),
        description: description.to_owned(),
        project_id: project_id.to_owned(),
        is_default,
        created: here.now,
        updated: here.now,
        tags,
        version: 0,
        ingress: Vec::new(),
        egress: Vec::new(),
    };
    here.region.vpc.security_groups.insert(id.clone(), group);
    Ok(id)
}

/// Makes a copy of a security group, with its policies; its name, description and project may be others.
pub(super) fn make_copy(
    here: &mut Local<'_>,
    source: &SecurityGroup,
    (name, description, project): (Option<&str>, Option<&str>, Option<&str>),
    tags: Vec<Tag>,
) -> Result<String, ApiError> {
    let (name, description) = (name.unwrap_or(&source.name), description.unwrap_or(&source.description));
    check_name("GroupName", name)?;
    check_description(description)?;
    let id = make(here, name, description, project.unwrap_or(&source.project_id), false, tags)?;
    let copy = find_mut(here.region, &id)?;
    copy.ingress.clone_from(&source.ingress);
    copy.egress.clone_from(&source.egress);
    Ok(id)
}

fn check_description(description: &str) -> Result<(), ApiError> {
    if description.chars().count() > 100 {
        return Err(ApiError::new(TOO_LONG, "`GroupDescription` has at most 100 characters."));
    }
    Ok(())
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        group_name: String,
        group_description: String,
        project_id: Option<String>,
        tags: Option<Vec<Tag>>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    check_name("GroupName", &input.group_name)?;
    check_description(&input.group_description)?;
    let tags = tags::check(input.tags)?;
    let project = input.project_id.unwrap_or_else(|| "0".to_owned());
    let id = make(&mut here, &input.group_name, &input.group_description, &project, false, tags)?;
    Ok(json!({ "SecurityGroup": find(here.region, &id)?.show() }))
}

pub(super) fn create_default(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let mut here = world.local(call);
    let id = default_group(&mut here)?;
    Ok(json!({ "SecurityGroup": find(here.region, &id)?.show() }))
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        security_group_ids: Option<Vec<String>>,
        filters: Option<Vec<Filter>>,
        offset: Option<String>,
        limit: Option<String>,
        order_field: Option<String>,
        order_direction: Option<String>,
    }
    const FILTERS: &[&str] = &["security-group-id", "project-id", "security-group-name", "tag-key", "tag:"];
    let input: Input = call.input()?;
    let here = world.local(call);
    listing::ids_or_filters(("SecurityGroupIds", input.security_group_ids.as_ref()), input.filters.as_ref(), &LISTS)?;
    let ids = input.security_group_ids.unwrap_or_default();
    listing::check_ids(("SecurityGroupIds", &ids), "sg", MALFORMED, &LISTS)?;
    refuse_unknown(&here, &ids, "security group", |id| here.region.vpc.security_groups.contains(id))?;
    let filters = Filters::check(call, input.filters, FILTERS, &LISTS)?;
    let page = Page::from_text(input.offset.as_deref(), input.limit.as_deref(), &LISTS)?;
    let mut groups: Vec<&SecurityGroup> = here.region.vpc.security_groups.values().collect();
    match input.order_field.as_deref() {
        None | Some("CreatedTime") => {}
        Some("UpdateTime") => groups.sort_by_key(|group| group.updated),
        Some(other) => {
            let message = format!("`OrderField` must be CreatedTime or UpdateTime, not `{other}`.");
            return Err(ApiError::invalid_value(message));
        }
    }
    if input.order_direction.as_deref() == Some("DESC") {
        groups.reverse();
    }
    let (total, groups) = page.cut(groups.into_iter().filter(|group| {
        (ids.is_empty() || ids.contains(&group.id))
            && filters.accept(&group.tags, |name, value| match name {
                "security-group-id" => group.id == value,
                "project-id" => group.project_id == value,
                "security-group-name" => group.name == value,
                _ => false,
            })
    }));
    let groups: Vec<Value> = groups.into_iter().map(SecurityGroup::show).collect();
    Ok(json!({ "SecurityGroupSet": groups, "TotalCount": total }))
}

pub(super) fn modify(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        security_group_id: String,
        group_name: Option<String>,
        group_description: Option<String>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    input.group_name.as_deref().map_or(Ok(()), |name| check_name("GroupName", name))?;
    input.group_description.as_deref().map_or(Ok(()), check_description)?;
    let group = find_mut(here.region, &input.security_group_id)?;
    group.name = input.group_name.unwrap_or_else(|| group.name.clone());
    group.description = input.group_description.unwrap_or_else(|| group.description.clone());
    group.updated = here.now;
    Ok(json!({}))
}

/// What uses the security group, other than itself: what stands in the way of deleting it.
fn users(region: &Region, id: &str) -> Vec<String> {
    let instances =
        region.cvm.instances.values().filter(|instance| instance.security_groups.iter().any(|group| group == id));
    let interfaces = region.vpc.interfaces.values().filter(|interface| !interface.primary);
    let interfaces = interfaces.filter(|interface| interface.groups(region).iter().any(|group| group == id));
    let gateways = region.vpc.nat_gateways.values().filter(|gateway| gateway.groups.iter().any(|group| group == id));
    let groups = region.vpc.security_groups.values().filter(|group| group.id != id && group.mentions(id));
    let balancers =
        region.clb.balancers.values().filter(|balancer| balancer.security_groups.iter().any(|group| group == id));
    let instances = instances.map(|instance| &instance.id).chain(interfaces.map(|interface| &interface.id));
    let served = gateways.map(|gateway| &gateway.id).chain(balancers.map(|balancer| &balancer.id));
    instances.chain(served).chain(groups.map(|group| &group.id)).cloned().collect()
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        security_group_id: String,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let group = find(here.region, &input.security_group_id)?;
    let users = users(here.region, &group.id);
    if !users.is_empty() {
        let message = format!("The security group `{}` is in use by {}.", group.id, users.join(", "));
        return Err(ApiError::in_use(message));
    }
    here.region.vpc.security_groups.remove(&input.security_group_id);
    Ok(json!({}))
}

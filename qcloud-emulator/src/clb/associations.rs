//! Which listeners and rules forward to which target groups.

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors;
use super::groups;
use super::listeners::{GroupBinding, Listener};
use super::load_balancers::LoadBalancer;
use super::rules::Location;
use super::tasks::{self, Outcome};
use crate::call::Call;
use crate::error::ApiError;
use crate::settings::Task;
use crate::world::{Local, World};

const MOST: usize = 20;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    associations: Vec<Association>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Association {
    load_balancer_id: String,
    target_group_id: String,
    listener_id: Option<String>,
    location_id: Option<String>,
    weight: Option<i64>,
}

pub(super) fn associate(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    change(world, call, |here, association, call, balancer| {
        let group = groups::find(here, call, &association.target_group_id)?;
        let weight = errors::weight("Associations.Weight", association.weight.unwrap_or(10))?;
        let (id, vpc_id, second) = (group.id.clone(), group.vpc_id.clone(), group.second);
        if vpc_id != balancer.vpc_id {
            return Err(errors::value(format!("`{id}` is in `{vpc_id}`, `{}` in `{}`.", balancer.id, balancer.vpc_id)));
        }
        let protocol = group.protocol.clone();
        let slot = slot(here, call, association, balancer)?;
        let wanted = if second { "TARGETGROUP-V2" } else { "TARGETGROUP" };
        if slot.target_type != wanted {
            let message =
                format!("`{}` forwards to {}; groups like `{id}` need {wanted}.", slot.name, slot.target_type);
            return Err(errors::value(message));
        }
        if protocol.as_ref().is_some_and(|protocol| !speaks(slot.protocol, protocol)) {
            let message = format!("`{id}` does not speak what `{}` forwards, {}.", slot.name, slot.protocol);
            return Err(ApiError::new("InvalidParameter.ProtocolCheckFailed", message));
        }
        if slot.bindings.iter().any(|binding| binding.id == id) {
            return Err(errors::value(format!("`{}` forwards to `{id}` already.", slot.name)));
        }
        if !second && !slot.bindings.is_empty() {
            return Err(errors::value(format!("`{}` forwards to another target group already.", slot.name)));
        }
        slot.bindings.push(GroupBinding { id, weight });
        Ok(())
    })
}

pub(super) fn disassociate(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    change(world, call, |here, association, call, balancer| {
        let id = groups::find(here, call, &association.target_group_id)?.id.clone();
        let slot = slot(here, call, association, balancer)?;
        let place = slot.bindings.iter().position(|binding| binding.id == id);
        let missing = || errors::value(format!("`{}` does not forward to `{id}`.", slot.name));
        slot.bindings.remove(place.ok_or_else(missing)?);
        Ok(())
    })
}

type Edit = fn(&Local<'_>, &Association, &Call, &mut LoadBalancer) -> Result<(), ApiError>;

/// Changes the associations of one or more load balancers in one task.
fn change(world: &mut World, call: &Call, edit: Edit) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let mut here = world.local(call);
    errors::check_count("Associations", input.associations.len(), 1, MOST)?;
    let mut second = None;
    let mut drafts: Vec<LoadBalancer> = Vec::new();
    for association in &input.associations {
        let group = groups::find(&here, call, &association.target_group_id)?;
        if *second.get_or_insert(group.second) != group.second {
            return Err(errors::value("`Associations`: the target groups must be of the same version."));
        }
        let known = drafts.iter().position(|draft| draft.id == association.load_balancer_id);
        if known.is_none() {
            drafts.push(tasks::draft(&here, call, &association.load_balancer_id)?);
        }
        let place = known.unwrap_or(drafts.len() - 1);
        if let Some(draft) = drafts.get_mut(place) {
            edit(&here, association, call, draft)?;
        }
    }
    tasks::begin(&mut here, call, Task::TargetGroupChange, Outcome::Become(drafts), None);
    Ok(json!({}))
}

/// The place that target groups are bound to: a layer-4 listener or a rule.
struct Slot<'a> {
    name: String,
    protocol: &'static str,
    target_type: String,
    bindings: &'a mut Vec<GroupBinding>,
}

fn slot<'a>(
    here: &Local<'_>,
    call: &Call,
    association: &Association,
    balancer: &'a mut LoadBalancer,
) -> Result<Slot<'a>, ApiError> {
    let id = association.listener_id.as_ref().ok_or_else(|| ApiError::missing("Associations.ListenerId"))?;
    let listener: &mut Listener = balancer.listener_mut(here, call, id)?;
    if !listener.is_layer_7() {
        let protocol = super::listeners::carrier(&listener.protocol);
        let (name, target_type) = (listener.id.clone(), listener.options.target_type.clone());
        return Ok(Slot { name, protocol, target_type, bindings: &mut listener.groups });
    }
    let place = Location::by_id(association.location_id.as_ref()).place(here, call, listener)?;
    let gone = || errors::not_found(here.settings, call.action, errors::Kind::Rule, "");
    let rule = listener.rules.get_mut(place).ok_or_else(gone)?;
    let (name, target_type) = (rule.id.clone(), rule.target_type.clone());
    Ok(Slot { name, protocol: "HTTP", target_type, bindings: &mut rule.groups })
}

/// Whether a group of this protocol is for what a listener or rule carries.
fn speaks(carried: &str, protocol: &str) -> bool {
    match carried {
        "HTTP" => matches!(protocol, "HTTP" | "HTTPS" | "GRPC"),
        other => other == protocol,
    }
}

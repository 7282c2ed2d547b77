//! `ModifyInstancesAttribute`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::instances::{State, named};
use super::lifecycle::check_state;
use super::run::existing_groups;
use crate::call::Call;
use crate::error::ApiError;
use crate::world::World;

pub(super) fn attributes(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        instance_ids: Vec<String>,
        instance_name: Option<String>,
        user_data: Option<String>,
        security_groups: Option<Vec<String>>,
        cam_role_name: Option<String>,
        host_name: Option<String>,
        disable_api_termination: Option<bool>,
        enable_jumbo_frame: Option<bool>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    if input.instance_name.as_ref().is_some_and(|name| name.chars().count() > 128) {
        return Err(ApiError::new("InvalidInstanceName.TooLong", "`InstanceName` has at most 128 characters."));
    }
    let instances = named(here.region, &input.instance_ids)?;
    for instance in &instances {
        check_state(instance, &[State::Running, State::Stopped], here.settings)?;
    }
    existing_groups(&here, input.security_groups.as_deref().unwrap_or_default())?;
    let nothing = input.instance_name.is_none()
        && input.user_data.is_none()
        && input.security_groups.is_none()
        && input.cam_role_name.is_none()
        && input.host_name.is_none()
        && input.disable_api_termination.is_none()
        && input.enable_jumbo_frame.is_none();
    if nothing {
        return Err(ApiError::new("MissingParameter", "Give an attribute to change, such as `InstanceName`."));
    }
    let ids: Vec<String> = instances.into_iter().map(|instance| instance.id.clone()).collect();
    for id in ids {
        let Some(instance) = here.region.cvm.instances.get_mut(&id) else { continue };
        if let Some(name) = &input.instance_name {
            instance.name.clone_from(name);
        }
        if let Some(name) = &input.host_name {
            instance.host_name.clone_from(name);
        }
        if let Some(groups) = &input.security_groups {
            instance.security_groups.clone_from(groups);
        }
        if let Some(role) = &input.cam_role_name {
            instance.role.clone_from(role);
        }
        instance.protected = input.disable_api_termination.unwrap_or(instance.protected);
        instance.jumbo_frames = input.enable_jumbo_frame.unwrap_or(instance.jumbo_frames);
    }
    Ok(json!({}))
}

//! Changes to what an instance is: its type, password, project, security groups and network.

use std::net::Ipv4Addr;

use serde::Deserialize;
use serde_json::{Value, json};

use super::instances::{Instance, State, named};
use super::lifecycle::{self, Outcome, changing, check_state};
use super::{catalog, run};
use crate::call::Call;
use crate::clb;
use crate::error::ApiError;
use crate::ids::well_formed;
use crate::settings::Task;
use crate::vpc::{self, subnets::Refused};
use crate::world::{Local, World};

/// The most security groups of one instance.
const MOST_GROUPS: usize = 5;

pub(super) fn reset_password(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        instance_ids: Vec<String>,
        password: String,
        user_name: Option<String>,
        force_stop: Option<bool>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    for instance in named(here.region, &input.instance_ids)? {
        check_password(&input.password, instance)?;
    }
    if input.user_name.as_ref().is_some_and(|name| name.is_empty() || name.chars().count() > 64) {
        return Err(ApiError::invalid_value("`UserName` has 1 to 64 characters."));
    }
    lifecycle::operate(&mut here, call, &input.instance_ids, changing(input.force_stop), |instance| {
        if let Some(name) = &input.user_name {
            instance.login_user.clone_from(name);
        }
        let (during, after) = lifecycle::stopping(instance);
        (during, Task::InstanceChange, Outcome::Becomes(after))
    })
}

/// A password has 8 to 30 characters of at least three kinds, 12 to 30 for Windows, and no slash to begin with.
fn check_password(password: &str, instance: &Instance) -> Result<(), ApiError> {
    let least = if instance.is_windows() { 12 } else { 8 };
    let kinds: [fn(&char) -> bool; 4] =
        [char::is_ascii_lowercase, char::is_ascii_uppercase, char::is_ascii_digit, char::is_ascii_punctuation];
    let used = kinds.iter().filter(|kind| password.chars().any(|character| kind(&character))).count();
    let known = password.chars().all(|character| kinds.iter().any(|kind| kind(&character)));
    if (least..=30).contains(&password.chars().count()) && used >= 3 && known && !password.starts_with('/') {
        return Ok(());
    }
    let message = format!(
        "`Password` has {least} to 30 characters, of at least three of a-z, A-Z, 0-9 and punctuation, and does not \
         begin with a slash."
    );
    Err(ApiError::new("InvalidPassword", message))
}

pub(super) fn reset_type(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        instance_ids: Vec<String>,
        instance_type: String,
        force_stop: Option<bool>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let instances = named(here.region, &input.instance_ids)?;
    let Some(kind) = catalog::find(&input.instance_type) else {
        let message = format!("`InstanceType`: there is no `{}`.", input.instance_type);
        return Err(ApiError::new("InvalidParameterValue.InstanceTypeNotFound", message));
    };
    let zones_gone = |zone: &String| here.settings.sold_out_zones.contains(zone);
    if catalog::sold_out(&here, kind.name) || instances.iter().any(|instance| zones_gone(&instance.zone)) {
        let message = format!("The instance type {} is sold out: try another one.", kind.name);
        return Err(ApiError::new("ResourcesSoldOut.SpecifiedInstanceType", message));
    }
    lifecycle::operate(&mut here, call, &input.instance_ids, changing(input.force_stop), |instance| {
        instance.instance_type = kind.name.to_owned();
        instance.cpu = kind.cpu;
        instance.memory = kind.memory;
        let (during, after) = lifecycle::stopping(instance);
        (during, Task::InstanceChange, Outcome::Becomes(after))
    })
}

pub(super) fn set_project(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        instance_ids: Vec<String>,
        project_id: i64,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    if input.project_id < 0 {
        let message = format!("`ProjectId`: there is no project {}.", input.project_id);
        return Err(ApiError::new("InvalidProjectId.NotFound", message));
    }
    change(&here, &input.instance_ids)?;
    for id in &input.instance_ids {
        if let Some(instance) = here.region.cvm.instances.get_mut(id) {
            instance.project_id = input.project_id;
        }
    }
    Ok(json!({}))
}

/// Checks that the instances exist and may be changed at once.
fn change(here: &Local<'_>, ids: &[String]) -> Result<(), ApiError> {
    let mut instances = named(here.region, ids)?.into_iter();
    instances.try_for_each(|instance| check_state(instance, &[State::Running, State::Stopped], here.settings))
}

pub(super) fn add_groups(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    change_groups(world, call, |instance, given| {
        let new = given.iter().filter(|id| !instance.security_groups.contains(id)).cloned();
        let groups: Vec<String> = instance.security_groups.iter().cloned().chain(new).collect();
        if groups.len() > MOST_GROUPS {
            let message = format!("The instance `{}` would have more than {MOST_GROUPS} security groups.", instance.id);
            return Err(ApiError::new("LimitExceeded.AssociateUSGLimitExceeded", message));
        }
        Ok(groups)
    })
}

pub(super) fn remove_groups(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    change_groups(world, call, |instance, given| {
        if let Some(id) = given.iter().find(|id| !instance.security_groups.contains(id)) {
            let message = format!("The security group `{id}` is not associated with `{}`.", instance.id);
            return Err(ApiError::new("InvalidSecurityGroupId.NotFound", message));
        }
        let left: Vec<String> = instance.security_groups.iter().filter(|id| !given.contains(id)).cloned().collect();
        if left.is_empty() {
            let message = format!("The instance `{}` must keep at least one security group.", instance.id);
            return Err(ApiError::new("FailedOperation.SecurityGroupActionFailed", message));
        }
        Ok(left)
    })
}

fn change_groups(
    world: &mut World,
    call: &Call,
    change: impl Fn(&Instance, &[String]) -> Result<Vec<String>, ApiError>,
) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        security_group_ids: Vec<String>,
        instance_ids: Vec<String>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    if input.security_group_ids.is_empty() {
        return Err(ApiError::missing("SecurityGroupIds"));
    }
    run::existing_groups(&here, &input.security_group_ids)?;
    self::change(&here, &input.instance_ids)?;
    let mut changes = Vec::new();
    for instance in named(here.region, &input.instance_ids)? {
        changes.push((instance.id.clone(), change(instance, &input.security_group_ids)?));
    }
    for (id, groups) in changes {
        if let Some(instance) = here.region.cvm.instances.get_mut(&id) {
            instance.security_groups = groups;
        }
    }
    Ok(json!({}))
}

pub(super) fn move_network(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        instance_ids: Vec<String>,
        virtual_private_cloud: Network,
        force_stop: Option<bool>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Network {
        vpc_id: String,
        subnet_id: String,
        private_ip_addresses: Option<Vec<String>>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let instances = named(here.region, &input.instance_ids)?;
    let network = &input.virtual_private_cloud;
    let fault = |code: &'static str, message: String| Err(ApiError::new(code, message));
    for (id, prefix, code) in [
        (&network.vpc_id, "vpc", "InvalidParameterValue.VpcIdMalformed"),
        (&network.subnet_id, "subnet", "InvalidParameterValue.SubnetIdMalformed"),
    ] {
        if !well_formed(id, prefix) {
            return fault(code, format!("`{id}` is malformed; an id looks like `{prefix}-1a2b3c4d`."));
        }
    }
    let Some(subnet) = here.region.vpc.subnets.get(&network.subnet_id) else {
        let message = format!("The subnet `{}` does not exist in this region.", network.subnet_id);
        return fault("InvalidParameterValue.SubnetNotExist", message);
    };
    if subnet.vpc_id != network.vpc_id {
        let message = format!("The subnet `{}` belongs to `{}`.", subnet.id, subnet.vpc_id);
        return fault("InvalidParameterValue.VpcIdSubnetIdNotMatch", message);
    }
    if let Some(instance) = instances.iter().find(|instance| instance.zone != subnet.zone) {
        let message = format!("The instance `{}` is in {}, the subnet in {}.", instance.id, instance.zone, subnet.zone);
        return fault("InvalidParameterValue.SubnetIdZoneIdNotMatch", message);
    }
    let addresses: Result<Vec<Ipv4Addr>, ApiError> = network
        .private_ip_addresses
        .iter()
        .flatten()
        .map(|text| {
            let message = format!("`{text}` is not an IPv4 address.");
            text.parse().map_err(|_| ApiError::new("InvalidParameterValue.IPAddressMalformed", message))
        })
        .collect();
    let addresses = addresses?;
    let ids: Vec<String> = instances.iter().map(|instance| instance.id.clone()).collect();
    if !addresses.is_empty() && addresses.len() != ids.len() {
        let message = format!("{} instances need as many addresses, not {}.", ids.len(), addresses.len());
        return Err(ApiError::invalid_value(message));
    }
    if let Some((id, balancer)) = ids.iter().find_map(|id| Some((id, clb::balancer_of(here.region, id)?))) {
        let message = format!("The instance `{id}` is bound to the load balancer `{balancer}`: unbind it first.");
        return fault("UnsupportedOperation.ModifyVPCWithCLB", message);
    }
    // Running instances are stopped unless the request forbids it.
    let allowed = changing(Some(input.force_stop.unwrap_or(true)));
    instances.iter().try_for_each(|instance| check_state(instance, allowed, here.settings))?;
    let wanted: Vec<(String, Option<Ipv4Addr>)> =
        ids.iter().enumerate().map(|(place, id)| (id.clone(), addresses.get(place).copied())).collect();
    vpc::move_instances(&mut here, &network.subnet_id, &wanted).map_err(|failure| match failure {
        vpc::CannotMove::SecondaryInterface(id) => {
            let message = format!("The instance `{id}` has secondary network interfaces: detach them first.");
            ApiError::new("EniNotAllowedChangeSubnet", message)
        }
        vpc::CannotMove::Address(Refused::Outside) => {
            ApiError::new("VpcAddrNotInSubNet", "An address is not one of the subnet.")
        }
        vpc::CannotMove::Address(Refused::Taken) => ApiError::new("VpcIpIsUsed", "An address is in use."),
        vpc::CannotMove::Address(Refused::Exhausted) => {
            let message = "The subnet has too few addresses left.";
            ApiError::new("FailedOperation.NoAvailableIpAddressCountInSubnet", message)
        }
    })?;
    lifecycle::operate(&mut here, call, &ids, allowed, |instance| {
        let (during, after) = lifecycle::stopping(instance);
        (during, Task::InstanceChange, Outcome::Becomes(after))
    })
}

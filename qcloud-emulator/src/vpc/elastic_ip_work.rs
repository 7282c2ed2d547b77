//! Binding, unbinding and releasing elastic IPs, and what happens when that is done.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::elastic_ip_allocation::{check_bandwidth, check_name};
use super::elastic_ips::{self, Bound, ElasticIp, State};
use super::interface_work;
use super::interfaces::PublicAddress;
use super::tasks::Tasks;
use crate::call::Call;
use crate::clock::Time;
use crate::cvm::instances::State as InstanceState;
use crate::error::ApiError;
use crate::ids::well_formed;
use crate::settings::Task;
use crate::world::{Event as WorldEvent, Local, World};

const NOT_PERMITTED: &str = "UnsupportedOperation.AddressStatusNotPermit";
/// How many elastic IPs one request releases or changes.
const MOST: usize = 100;

/// Work on an elastic IP comes to its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ended {
    address: String,
    /// The task: the event is void when the address works on something else since.
    task: String,
    outcome: Outcome,
}

/// What work leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Outcome {
    Ready,
    Bound,
    /// Unbound; the instance may get a public address of its own.
    Unbound(bool),
    Gone,
}

pub(super) fn plan(here: &mut Local<'_>, id: &str, (task, ends): (&str, Time), outcome: Outcome) {
    if let Some(elastic) = here.region.vpc.elastic_ips.get_mut(id) {
        elastic.task = Some(task.to_owned());
    }
    let event = Ended { address: id.to_owned(), task: task.to_owned(), outcome };
    here.plan(ends, WorldEvent::Vpc(super::Event::ElasticIp(event)));
}

/// Lets work come to its end.
pub(super) fn happen(here: &mut Local<'_>, event: Ended) {
    let Some(elastic) = here.region.vpc.elastic_ips.get_mut(&event.address) else { return };
    if elastic.task.as_deref() != Some(event.task.as_str()) {
        return;
    }
    elastic.task = None;
    match event.outcome {
        Outcome::Ready => elastic.state = State::Unbind,
        Outcome::Bound => bound(here, &event.address),
        Outcome::Unbound(reallocate) => unbound(here, &event.address, reallocate),
        Outcome::Gone => {
            here.region.vpc.elastic_ips.remove(&event.address);
        }
    }
}

fn bound(here: &mut Local<'_>, id: &str) {
    let Some(elastic) = here.region.vpc.elastic_ips.get_mut(id) else { return };
    elastic.state = State::Bind;
    let public = PublicAddress { id: elastic.id.clone(), ip: elastic.ip.clone(), elastic: true };
    let Some(Bound::Interface(interface_id, ip)) = elastic.bound.clone() else { return };
    let interface = here.region.vpc.interfaces.get_mut(&interface_id);
    match interface.and_then(|interface| interface.addresses.iter_mut().find(|address| address.ip == ip)) {
        // The public address that the instance came with, if it had one, is given up.
        Some(address) => address.public = Some(public),
        None => elastic_ips::set_free(here.region, id),
    }
    interface_work::mirror(here.region, &interface_id);
}

fn unbound(here: &mut Local<'_>, id: &str, reallocate: bool) {
    let target = here.region.vpc.elastic_ips.get(id).and_then(|elastic| elastic.bound.clone());
    elastic_ips::set_free(here.region, id);
    let Some(Bound::Interface(interface_id, ip)) = target else { return };
    let Some(interface) = here.region.vpc.interfaces.get_mut(&interface_id) else { return };
    if let Some(address) = interface.addresses.iter_mut().find(|address| address.ip == ip) {
        address.public = None;
    }
    let instance = interface.attachment.as_ref().map(|attachment| attachment.instance_id.clone());
    interface_work::mirror(here.region, &interface_id);
    if let Some(instance) = instance.filter(|_| reallocate) {
        interface_work::give_public(here, &instance);
    }
}

/// Checks that an elastic IP is in a state in which something may be done to it.
fn check_state(elastic: &ElasticIp, allowed: State, what: &str) -> Result<(), ApiError> {
    match elastic.state {
        state if state == allowed && elastic.task.is_none() => Ok(()),
        State::Bind | State::Unbind if elastic.task.is_none() => {
            let message = format!("The elastic IP `{}` cannot be {what}: it is {:?}.", elastic.id, elastic.state);
            Err(ApiError::new(NOT_PERMITTED, message))
        }
        state => {
            let message = format!("A task of the elastic IP `{}` is running ({state:?}): wait for it.", elastic.id);
            Err(ApiError::new("OperationDenied.MutexTaskRunning", message))
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Association {
    address_id: String,
    instance_id: Option<String>,
    network_interface_id: Option<String>,
    private_ip_address: Option<String>,
    eip_direct_connection: Option<bool>,
}

pub(super) fn associate(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Association = call.input()?;
    let mut here = world.local(call);
    let elastic = elastic_ips::find(here.region, &input.address_id)?;
    let instance = input.instance_id.as_deref().filter(|id| !id.is_empty());
    let interface = input.network_interface_id.as_deref().filter(|id| !id.is_empty());
    let (target, taken) = match (instance, interface) {
        (Some(_), Some(_)) => {
            let message = "`InstanceId` and `NetworkInterfaceId` cannot be given together: give one of them.";
            return Err(ApiError::new("InvalidParameterConflict", message));
        }
        (None, None) => {
            let message = "Give the `InstanceId`, or the `NetworkInterfaceId` and `PrivateIpAddress`, to bind it to.";
            return Err(ApiError::new("InvalidParameterValue.MissingAssociateEntity", message));
        }
        (Some(id), None) => (of_instance(&here, id)?, "InvalidInstanceId.AlreadyBindEip"),
        (None, Some(id)) => {
            let ip = input.private_ip_address.as_deref().ok_or_else(|| ApiError::missing("PrivateIpAddress"))?;
            (of_interface(&here, id, ip)?, "InvalidPrivateIpAddress.AlreadyBindEip")
        }
    };
    check_state(elastic, State::Unbind, "bound")?;
    if let Some(other) = here.region.vpc.elastic_ips.values().find(|other| other.bound.as_ref() == Some(&target)) {
        let message = format!("The elastic IP `{}` is bound there already: unbind it first.", other.id);
        return Err(ApiError::new(taken, message));
    }
    let id = elastic.id.clone();
    if let Some(elastic) = here.region.vpc.elastic_ips.get_mut(&id) {
        elastic.state = State::Binding;
        elastic.bound = Some(target);
        elastic.direct = input.eip_direct_connection.unwrap_or_default();
    }
    let (task, ends) = Tasks::begin_numbered(&mut here, Task::ElasticIpBind);
    plan(&mut here, &id, (&task, ends), Outcome::Bound);
    Ok(json!({ "TaskId": task }))
}

/// The primary private address of an instance.
fn of_instance(here: &Local<'_>, id: &str) -> Result<Bound, ApiError> {
    if !well_formed(id, "ins") {
        let other = ["lb", "nat", "havip", "eks"].iter().any(|prefix| well_formed(id, prefix));
        let (code, message) = if other {
            let message = format!("`InstanceId`: the emulator binds no elastic IPs to `{id}` by this action.");
            ("InvalidParameterValue.ResourceNotSupport", message)
        } else {
            ("InvalidParameterValue.InstanceIdMalformed", format!("`InstanceId`: `{id}` is malformed."))
        };
        return Err(ApiError::new(code, message));
    }
    let Some(instance) = here.region.cvm.instances.get(id) else {
        let message = format!("The instance `{id}` does not exist in this region.");
        return Err(ApiError::new("InvalidInstanceId.NotFound", message));
    };
    if !matches!(instance.state, InstanceState::Running | InstanceState::Stopped) {
        let message = format!("The instance `{id}` is {}: it must be RUNNING or STOPPED.", instance.state.name());
        return Err(ApiError::new("UnsupportedOperation.InstanceStateNotSupported", message));
    }
    let interface = here.region.vpc.interfaces.values().find(|interface| interface.primary && interface.is_at(id));
    let address = interface.and_then(|interface| Some((interface, interface.addresses.first()?)));
    let (interface, address) = address.ok_or_else(|| {
        ApiError::new(
            "FailedOperation.AddressEniInfoNotFound",
            format!("The instance `{id}` has no primary interface."),
        )
    })?;
    Ok(Bound::Interface(interface.id.clone(), address.ip))
}

fn of_interface(here: &Local<'_>, id: &str, ip: &str) -> Result<Bound, ApiError> {
    let Some(interface) = here.region.vpc.interfaces.get(id) else {
        let message = format!("The network interface `{id}` does not exist in this region.");
        return Err(ApiError::new("InvalidNetworkInterfaceId.NotFound", message));
    };
    let ip: Option<Ipv4Addr> = ip.parse().ok();
    match interface.addresses.iter().find(|address| Some(address.ip) == ip) {
        Some(address) => Ok(Bound::Interface(interface.id.clone(), address.ip)),
        None => {
            let message = format!("`PrivateIpAddress`: it is no private address of `{id}`.");
            Err(ApiError::new("InvalidParameterValue.PrivateIpAddressNotMatch", message))
        }
    }
}

pub(super) fn disassociate(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        address_id: String,
        reallocate_normal_public_ip: Option<bool>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let elastic = elastic_ips::find(here.region, &input.address_id)?;
    check_state(elastic, State::Bind, "unbound")?;
    let Some(Bound::Interface(interface, ip)) = &elastic.bound else {
        let message =
            format!("The elastic IP `{}` is not an instance's: use the action of what it is bound to.", elastic.id);
        return Err(ApiError::new("InvalidParameterValue.ResourceNotSupport", message));
    };
    let reallocate = input.reallocate_normal_public_ip.unwrap_or_default();
    let primary = here.region.vpc.interfaces.get(interface).is_some_and(|interface| {
        interface.primary && interface.addresses.first().is_some_and(|address| address.ip == *ip)
    });
    if reallocate && !primary {
        let message = "`ReallocateNormalPublicIp` is for the primary address of a primary interface only.";
        return Err(ApiError::new("InvalidParameterValue.OnlySupportedForMasterNetworkCard", message));
    }
    let id = elastic.id.clone();
    set_state(&mut here, &id, State::Unbinding);
    let (task, ends) = Tasks::begin_numbered(&mut here, Task::ElasticIpUnbind);
    plan(&mut here, &id, (&task, ends), Outcome::Unbound(reallocate));
    Ok(json!({ "TaskId": task }))
}

fn set_state(here: &mut Local<'_>, id: &str, state: State) {
    if let Some(elastic) = here.region.vpc.elastic_ips.get_mut(id) {
        elastic.state = state;
    }
}

/// The ids of a request, each once; all of them exist.
fn named(here: &Local<'_>, ids: &[String]) -> Result<Vec<String>, ApiError> {
    if ids.is_empty() || ids.len() > MOST {
        let message = format!("`AddressIds` takes 1 to {MOST} ids; the request gives {}.", ids.len());
        return Err(ApiError::new("InvalidParameterValue.Range", message));
    }
    let mut named: Vec<String> = Vec::new();
    for id in ids {
        let id = &elastic_ips::find(here.region, id)?.id;
        if !named.contains(id) {
            named.push(id.clone());
        }
    }
    Ok(named)
}

pub(super) fn release(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        address_ids: Vec<String>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let ids = named(&here, &input.address_ids)?;
    for id in &ids {
        check_state(elastic_ips::find(here.region, id)?, State::Unbind, "released")?;
    }
    let (task, ends) = Tasks::begin_numbered(&mut here, Task::ElasticIpRelease);
    for id in &ids {
        set_state(&mut here, id, State::Offlining);
        plan(&mut here, id, (&task, ends), Outcome::Gone);
    }
    Ok(json!({ "TaskId": task }))
}

pub(super) fn modify(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        address_id: String,
        address_name: Option<String>,
        eip_direct_connection: Option<String>,
        eip_visible_on_eni: Option<bool>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    elastic_ips::find(here.region, &input.address_id)?;
    input.address_name.as_deref().map_or(Ok(()), check_name)?;
    let direct = input.eip_direct_connection.map(|text| match text.as_str() {
        "TRUE" | "True" | "true" => Ok(true),
        "FALSE" | "False" | "false" => Ok(false),
        _ => Err(ApiError::invalid_value(format!("`EipDirectConnection` must be TRUE or FALSE, not `{text}`."))),
    });
    let direct = direct.transpose()?;
    if let Some(elastic) = here.region.vpc.elastic_ips.get_mut(&input.address_id) {
        elastic.name = input.address_name.unwrap_or_else(|| elastic.name.clone());
        elastic.direct = direct.unwrap_or(elastic.direct);
        elastic.visible = input.eip_visible_on_eni.unwrap_or(elastic.visible);
    }
    Ok(json!({}))
}

pub(super) fn modify_bandwidth(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        address_ids: Vec<String>,
        internet_max_bandwidth_out: i64,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let ids = named(&here, &input.address_ids)?;
    let mut bandwidth = 1;
    for id in &ids {
        bandwidth =
            check_bandwidth(input.internet_max_bandwidth_out, &elastic_ips::find(here.region, id)?.charge_type)?;
    }
    for id in &ids {
        if let Some(elastic) = here.region.vpc.elastic_ips.get_mut(id) {
            elastic.bandwidth = bandwidth;
        }
    }
    let (task, _) = Tasks::begin_numbered(&mut here, Task::ElasticIpBandwidth);
    Ok(json!({ "TaskId": task }))
}

//! Attaching, detaching, deleting and handing over network interfaces, and what happens when that is done.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::interface_creation::{MISMATCH, begin_task, own_public};
use super::interfaces::{self, AddressState, Attachment, Interface, State};
use super::{check_id, elastic_ips, replays, subnets};
use crate::call::Call;
use crate::clock::Time;
use crate::cvm::instances::{Instance, State as InstanceState};
use crate::error::ApiError;
use crate::settings::{Quota, Task};
use crate::world::{Event as WorldEvent, Local, Region, World};

/// Work on an interface comes to its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ended {
    interface: String,
    /// The request that began the work: the event is void when the interface works on something else since.
    task: String,
    step: Step,
}

/// What work leads to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Step {
    /// The interface is there, or attached, or its new addresses are.
    Ready,
    Detached,
    Deleted,
    /// Addresses are given back.
    Unassigned,
    /// Addresses move to another interface.
    Moved(String),
    /// The interface leaves its instance for another one.
    HandedOver(Attachment, Time),
    /// The work failed; this makes it undone.
    Undone(Box<Self>),
}

/// Plans the end of work that begins now.
pub(super) fn plan(here: &mut Local<'_>, call: &Call, id: &str, task: Task, step: Step) {
    plan_after(here, call, id, (here.now, task), step);
}

/// Plans the end of work that begins at a later time.
pub(super) fn plan_after(here: &mut Local<'_>, call: &Call, id: &str, (begins, task): (Time, Task), step: Step) {
    let ends = begins.after(here.settings.duration(task));
    begin_task(here, call, id, ends);
    let step = if here.fails(task) { failed(task) } else { step };
    let event = Ended { interface: id.to_owned(), task: call.request_id.clone(), step };
    here.plan(ends, WorldEvent::Vpc(super::Event::Interface(event)));
}

/// What work leads to that fails: the interface is as before.
fn failed(task: Task) -> Step {
    Step::Undone(Box::new(match task {
        Task::InterfaceCreate => Step::Deleted,
        Task::InterfaceAttach => Step::Detached,
        _ => Step::Ready,
    }))
}

/// Lets work come to its end.
pub(super) fn happen(here: &mut Local<'_>, event: Ended) {
    let Some(interface) = here.region.vpc.interfaces.get_mut(&event.interface) else { return };
    if interface.task.as_deref() != Some(event.task.as_str()) {
        return;
    }
    interface.task = None;
    let step = match event.step.clone() {
        Step::Undone(step) => {
            here.region.vpc.tasks.fail(&event.task, "The emulator was told to let it fail.");
            *step
        }
        step => step,
    };
    match step {
        Step::Undone(_) => {}
        Step::Ready => {
            interface.state = State::Available;
            for address in interface.addresses.iter_mut().filter(|address| address.state == AddressState::Pending) {
                address.state = AddressState::Available;
            }
        }
        Step::Detached => {
            interface.state = State::Available;
            interface.attachment = None;
        }
        Step::Deleted => remove(here.region, &event.interface),
        Step::Unassigned => unassign(here.region, &event.interface),
        Step::Moved(to) => move_addresses(here.region, &event.interface, &to),
        Step::HandedOver(attachment, _) if !here.region.cvm.instances.contains(&attachment.instance_id) => {
            interface.state = State::Available;
            interface.attachment = None;
            here.region.vpc.tasks.fail(&event.task, "The instance was terminated.");
        }
        Step::HandedOver(attachment, ends) => {
            interface.state = State::Attaching;
            interface.attachment = Some(attachment);
            interface.task = Some(event.task.clone());
            let event = Ended { step: Step::Ready, ..event.clone() };
            here.plan(ends, WorldEvent::Vpc(super::Event::Interface(event)));
        }
    }
    mirror(here.region, &event.interface);
}

/// Takes an interface out of the world, its addresses back, and its elastic IPs off.
fn remove(region: &mut Region, id: &str) {
    let Some(interface) = region.vpc.interfaces.remove(id) else { return };
    for address in &interface.addresses {
        elastic_ips::lose(region, address);
        subnets::release(region, &interface.subnet_id, &address.ip.to_string());
    }
}

fn unassign(region: &mut Region, id: &str) {
    let Some(interface) = region.vpc.interfaces.get_mut(id) else { return };
    let subnet = interface.subnet_id.clone();
    let (gone, kept) = interface.addresses.drain(..).partition(|address| address.state == AddressState::Deleting);
    interface.addresses = kept;
    let gone: Vec<interfaces::PrivateAddress> = gone;
    for address in gone {
        elastic_ips::lose(region, &address);
        subnets::release(region, &subnet, &address.ip.to_string());
    }
}

fn move_addresses(region: &mut Region, from: &str, to: &str) {
    let Some(source) = region.vpc.interfaces.get_mut(from) else { return };
    let subnet_id = source.subnet_id.clone();
    let (moving, kept) = source.addresses.drain(..).partition(|address| address.state == AddressState::Migrating);
    source.addresses = kept;
    let moving: Vec<interfaces::PrivateAddress> = moving;
    let Some(target) = region.vpc.interfaces.get_mut(to) else { return };
    target.task = None;
    for mut address in moving {
        address.state = AddressState::Available;
        if let Some(public) = &address.public
            && let Some(elastic) = region.vpc.elastic_ips.get_mut(&public.id)
        {
            elastic.follow(to);
        }
        if let Some(subnet) = region.vpc.subnets.get_mut(&subnet_id) {
            subnet.addresses.release(address.ip);
            // It was just released, so it can be had.
            let _ = subnet.take(Some(address.ip), to);
        }
        target.addresses.push(address);
    }
    mirror(region, to);
}

/// Shows the addresses of a primary interface on its instance.
pub(super) fn mirror(region: &mut Region, id: &str) {
    let Some(interface) = region.vpc.interfaces.get(id).filter(|interface| interface.primary) else { return };
    let Some(instance_id) = interface.attachment.as_ref().map(|attachment| attachment.instance_id.clone()) else {
        return;
    };
    let there = interface.addresses.iter().filter(|address| address.state != AddressState::Pending);
    let private: Vec<String> = there.map(|address| address.ip.to_string()).collect();
    let public =
        interface.addresses.iter().filter_map(|address| address.public.as_ref()).map(|public| public.ip.clone());
    let public: Vec<String> = public.collect();
    if let Some(instance) = region.cvm.instances.get_mut(&instance_id) {
        instance.private_ips = private;
        instance.public_ips = public;
    }
}

/// An instance is gone: its primary interface goes with it, others are left without an instance.
pub(crate) fn instance_gone(here: &mut Local<'_>, instance: &Instance) {
    let theirs = here.region.vpc.interfaces.values().filter(|interface| interface.is_at(&instance.id));
    let theirs: Vec<(String, bool)> = theirs.map(|interface| (interface.id.clone(), interface.primary)).collect();
    for (id, primary) in theirs {
        let Some(interface) = here.region.vpc.interfaces.get_mut(&id) else { continue };
        let task = interface.task.take();
        if primary {
            remove(here.region, &id);
        } else if interface.state == State::Deleting {
            interface.task.clone_from(&task);
            continue;
        } else {
            interface.state = State::Available;
            interface.attachment = None;
            for address in &mut interface.addresses {
                address.state = AddressState::Available;
            }
        }
        if let Some(task) = task {
            here.region.vpc.tasks.fail(&task, "The instance was terminated.");
        }
    }
}

/// Why instances cannot move to another subnet.
#[derive(Debug)]
pub(crate) enum CannotMove {
    /// This instance has secondary interfaces.
    SecondaryInterface(String),
    Address(subnets::Refused),
}

/// Moves instances with their primary interfaces to another subnet: all of them, or none. They may ask for addresses.
pub(crate) fn move_instances(
    here: &mut Local<'_>,
    subnet_id: &str,
    instances: &[(String, Option<Ipv4Addr>)],
) -> Result<(), CannotMove> {
    let region = &mut *here.region;
    let Some(target) = region.vpc.subnets.get(subnet_id) else { return Ok(()) };
    // On a copy, so that nobody moves when one of them cannot.
    let mut copy = target.clone();
    for (id, _) in instances {
        for interface in region.vpc.interfaces.values().filter(|interface| interface.is_at(id)) {
            if !interface.primary {
                return Err(CannotMove::SecondaryInterface(id.clone()));
            }
            if interface.subnet_id == subnet_id {
                interface.addresses.iter().for_each(|address| copy.addresses.release(address.ip));
            }
        }
    }
    let mut addresses = Vec::new();
    for (id, wanted) in instances {
        addresses.push(copy.take(*wanted, id).map_err(CannotMove::Address)?);
    }
    let vpc_id = copy.vpc_id.clone();
    for ((id, _), ip) in instances.iter().zip(addresses) {
        let primary = region.vpc.interfaces.values().find(|interface| interface.primary && interface.is_at(id));
        let Some(primary) = primary.cloned() else { continue };
        for address in &primary.addresses {
            subnets::release(region, &primary.subnet_id, &address.ip.to_string());
            if !address.primary {
                elastic_ips::lose(region, address);
            }
        }
        let public =
            primary.addresses.iter().find(|address| address.primary).and_then(|address| address.public.clone());
        if let Some(elastic) = public.as_ref().and_then(|public| region.vpc.elastic_ips.get_mut(&public.id)) {
            elastic.follow_address(ip);
        }
        if let Some(interface) = region.vpc.interfaces.get_mut(&primary.id) {
            let address = interfaces::PrivateAddress::new(ip, true, String::new(), AddressState::Available);
            interface.addresses = vec![interfaces::PrivateAddress { public, ..address }];
            interface.vpc_id.clone_from(&vpc_id);
            subnet_id.clone_into(&mut interface.subnet_id);
        }
        if let Some(instance) = region.cvm.instances.get_mut(id) {
            instance.vpc_id.clone_from(&vpc_id);
            subnet_id.clone_into(&mut instance.subnet_id);
        }
        mirror(region, &primary.id);
    }
    if let Some(subnet) = region.vpc.subnets.get_mut(subnet_id) {
        *subnet = copy;
    }
    Ok(())
}

/// An instance gets a public address of its own, in place of none.
pub(super) fn give_public(here: &mut Local<'_>, instance_id: &str) {
    let ip = here.ids.new_public_ip();
    let primary =
        here.region.vpc.interfaces.values_mut().find(|interface| interface.primary && interface.is_at(instance_id));
    let Some(interface) = primary else { return };
    if let Some(address) = interface.addresses.iter_mut().find(|address| address.primary && address.public.is_none()) {
        address.public = Some(own_public(instance_id, &ip));
    }
    let id = interface.id.clone();
    mirror(here.region, &id);
}

/// Checks that work on an interface may begin.
pub(super) fn check_idle(interface: &Interface, busy: &'static str) -> Result<(), ApiError> {
    if interface.state != State::Available {
        let message =
            format!("The interface `{}` is {}: wait until it is AVAILABLE.", interface.id, interface.state.name());
        return Err(ApiError::new("UnsupportedOperation.InvalidState", message));
    }
    if let Some(task) = &interface.task {
        let message =
            format!("The addresses of `{}` are being changed by the request {task}: wait for it.", interface.id);
        return Err(ApiError::new(busy, message));
    }
    Ok(())
}

/// Checks that an instance may get an interface in this VPC and zone. Gives the index that it will have there.
pub(super) fn check_instance(here: &Local<'_>, id: &str, (vpc_id, zone): (&str, &str)) -> Result<u64, ApiError> {
    check_id("InstanceId", id, "ins")?;
    let instance = here.region.cvm.instances.get(id).ok_or_else(|| ApiError::not_found("instance", id))?;
    if !matches!(instance.state, InstanceState::Running | InstanceState::Stopped) {
        let message = format!("The instance `{id}` is {}: it must be RUNNING or STOPPED.", instance.state.name());
        return Err(ApiError::new("UnsupportedOperation.ResourceIsInvalidState", message));
    }
    if instance.vpc_id != vpc_id {
        let message = format!("The interface is in `{vpc_id}`, the instance `{id}` in `{}`.", instance.vpc_id);
        return Err(ApiError::new("UnsupportedOperation.VpcMismatch", message));
    }
    if instance.zone != zone {
        let message = format!("The interface is in {zone}, the instance `{id}` in {}.", instance.zone);
        return Err(ApiError::new("UnsupportedOperation.ZoneMismatch", message));
    }
    let limit = interfaces::limits(instance).0.min(here.settings.limit(Quota::InterfacesPerInstance));
    let used: Vec<u64> = here
        .region
        .vpc
        .interfaces
        .values()
        .filter_map(|interface| interface.attachment.as_ref())
        .filter(|attachment| attachment.instance_id == id)
        .map(|attachment| attachment.index)
        .collect();
    if used.len() >= limit {
        let message = format!("The instance `{id}` has its {limit} network interfaces already.");
        return Err(ApiError::new("LimitExceeded", message));
    }
    Ok((1..).find(|index| !used.contains(index)).unwrap_or_default())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    network_interface_id: String,
    #[serde(default)]
    instance_id: String,
    attach_type: Option<u64>,
    client_token: Option<String>,
}

pub(super) fn attach(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let mut here = world.local(call);
    replays::once(&mut here, call, input.client_token.as_deref(), MISMATCH, |here| {
        let interface = interfaces::find(here.region, &input.network_interface_id)?;
        if let Some(attachment) = interface.attachment.as_ref().filter(|_| interface.state != State::Deleting) {
            let message = format!("The interface `{}` is attached to `{}`.", interface.id, attachment.instance_id);
            return Err(ApiError::new("UnsupportedOperation.AttachmentAlreadyExists", message));
        }
        check_idle(interface, "UnsupportedOperation.InvalidState")?;
        let index = check_instance(here, &input.instance_id, (&interface.vpc_id, &interface.zone))?;
        let kind = input.attach_type.unwrap_or_default();
        let attachment = Attachment { instance_id: input.instance_id.clone(), index, at: here.now, kind };
        if let Some(interface) = here.region.vpc.interfaces.get_mut(&input.network_interface_id) {
            interface.state = State::Attaching;
            interface.attachment = Some(attachment);
        }
        plan(here, call, &input.network_interface_id, Task::InterfaceAttach, Step::Ready);
        Ok(json!({}))
    })
}

/// The interface that is to leave an instance.
fn leaving<'a>(here: &'a Local<'_>, id: &str, instance_id: &str) -> Result<&'a Interface, ApiError> {
    let interface = interfaces::find(here.region, id)?;
    check_id("InstanceId", instance_id, "ins")?;
    if !interface.is_at(instance_id) {
        let message = format!("The interface `{id}` is not attached to `{instance_id}`.");
        return Err(ApiError::new("UnsupportedOperation.InvalidState", message));
    }
    refuse_primary(interface)?;
    check_idle(interface, "UnsupportedOperation.InvalidState")?;
    Ok(interface)
}

fn refuse_primary(interface: &Interface) -> Result<(), ApiError> {
    if interface.primary {
        let message = format!("`{}` is the primary interface of its instance: it goes where that goes.", interface.id);
        return Err(ApiError::new("UnsupportedOperation", message));
    }
    Ok(())
}

pub(super) fn detach(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let mut here = world.local(call);
    replays::once(&mut here, call, input.client_token.as_deref(), MISMATCH, |here| {
        let id = leaving(here, &input.network_interface_id, &input.instance_id)?.id.clone();
        if let Some(interface) = here.region.vpc.interfaces.get_mut(&id) {
            interface.state = State::Detaching;
        }
        plan(here, call, &id, Task::InterfaceDetach, Step::Detached);
        Ok(json!({}))
    })
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let interface = interfaces::find(here.region, &input.network_interface_id)?;
    refuse_primary(interface)?;
    check_idle(interface, "UnsupportedOperation.InvalidState")?;
    if let Some(attachment) = &interface.attachment {
        let message =
            format!("The interface `{}` is attached to `{}`: detach it first.", interface.id, attachment.instance_id);
        return Err(ApiError::in_use(message));
    }
    if interface.protected {
        let message = format!("The interface `{}` is protected from deletion.", interface.id);
        return Err(ApiError::new("UnsupportedOperation", message));
    }
    let id = interface.id.clone();
    if let Some(interface) = here.region.vpc.interfaces.get_mut(&id) {
        interface.state = State::Deleting;
    }
    plan(&mut here, call, &id, Task::InterfaceDelete, Step::Deleted);
    Ok(json!({}))
}

pub(super) fn hand_over(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        network_interface_id: String,
        source_instance_id: String,
        destination_instance_id: String,
        attach_type: Option<u64>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let interface = leaving(&here, &input.network_interface_id, &input.source_instance_id)?;
    if input.source_instance_id == input.destination_instance_id {
        let message = format!("The interface `{}` is at that instance already.", interface.id);
        return Err(ApiError::new("UnsupportedOperation.AttachmentAlreadyExists", message));
    }
    let index = check_instance(&here, &input.destination_instance_id, (&interface.vpc_id, &interface.zone))?;
    let id = interface.id.clone();
    if let Some(interface) = here.region.vpc.interfaces.get_mut(&id) {
        interface.state = State::Detaching;
    }
    let detached = here.now.after(here.settings.duration(Task::InterfaceDetach));
    let attached = detached.after(here.settings.duration(Task::InterfaceAttach));
    let kind = input.attach_type.unwrap_or_default();
    let attachment = Attachment { instance_id: input.destination_instance_id, index, at: detached, kind };
    begin_task(&mut here, call, &id, attached);
    let event = Ended { interface: id, task: call.request_id.clone(), step: Step::HandedOver(attachment, attached) };
    here.plan(detached, WorldEvent::Vpc(super::Event::Interface(event)));
    Ok(json!({}))
}

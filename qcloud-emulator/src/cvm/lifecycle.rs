//! The states of an instance and the actions that lead from one to the next.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::images;
use super::instances::{Instance, Operation, State, named};
use crate::call::Call;
use crate::cbs;
use crate::error::{ApiError, one_of};
use crate::settings::{BusyInstance, Settings, Task};
use crate::tke;
use crate::vpc::{self, subnets};
use crate::world::{Event as WorldEvent, Local, World};

/// An operation on an instance comes to its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Event {
    instance: String,
    /// The request that began the operation: the event is void when another one has begun since.
    request_id: String,
    outcome: Outcome,
}

/// What an operation leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Outcome {
    Becomes(State),
    /// It failed, and the instance is in this state.
    Fails(State),
    /// A prepaid instance goes to the recycle bin.
    IsIsolated,
    IsGone,
    IsGoneWithPrepaidDisks,
}

/// Plans the end of an operation. One that fails leaves the instance in the state `before`.
pub(super) fn plan(
    here: &mut Local<'_>,
    instance: &str,
    (task, outcome, before): (Task, Outcome, State),
    request_id: &str,
) {
    let outcome = if here.fails(task) { Outcome::Fails(before) } else { outcome };
    let at = here.now.after(here.settings.duration(task));
    let event = Event { instance: instance.to_owned(), request_id: request_id.to_owned(), outcome };
    here.plan(at, WorldEvent::Cvm(event));
}

/// Lets an operation come to its end.
pub(crate) fn happen(here: &mut Local<'_>, event: Event) {
    let Some(instance) = here.region.cvm.instances.get_mut(&event.instance) else { return };
    if instance.operation.request_id != event.request_id {
        return;
    }
    instance.operation.state = "SUCCESS".to_owned();
    match event.outcome {
        Outcome::Becomes(state) => instance.state = state,
        Outcome::Fails(state) => {
            instance.state = state;
            instance.operation.state = "FAILED".to_owned();
        }
        Outcome::IsIsolated => {
            instance.state = State::Shutdown;
            instance.isolated = true;
        }
        Outcome::IsGone | Outcome::IsGoneWithPrepaidDisks => {
            if let Some(gone) = here.region.cvm.instances.remove(&event.instance) {
                tke::instance_is_gone(here, &gone.id);
                vpc::instance_gone(here, &gone);
                for address in &gone.private_ips {
                    subnets::release(here.region, &gone.subnet_id, address);
                }
                cbs::release(here, &gone.id, event.outcome == Outcome::IsGoneWithPrepaidDisks);
            }
        }
    }
}

/// Checks that an instance is in one of the states that an action asks for, and not busy.
pub(super) fn check_state(instance: &Instance, allowed: &[State], settings: &Settings) -> Result<(), ApiError> {
    let busy = instance.operation.state == "OPERATING";
    if allowed.contains(&instance.state) && !busy {
        return Ok(());
    }
    let state = instance.state;
    let message = format!(
        "The instance `{}` is {} (latest operation: {}, {}).",
        instance.id,
        state.name(),
        instance.operation.action,
        instance.operation.state
    );
    let passing =
        matches!(state, State::Stopping | State::Starting | State::Rebooting) || (busy && allowed.contains(&state));
    let code = match settings.busy_instance {
        BusyInstance::OperationInProgress if passing => "OperationDenied.InstanceOperationInProgress".to_owned(),
        BusyInstance::TaskRunning if passing => "MutexOperation.TaskRunning".to_owned(),
        _ => format!("UnsupportedOperation.InstanceState{}", state.in_codes()),
    };
    Err(ApiError::new(code, message))
}

/// The states in which an instance may be changed: a running one only when the request stops it.
pub(super) fn changing(force_stop: Option<bool>) -> &'static [State] {
    if force_stop == Some(true) { &[State::Running, State::Stopped] } else { &[State::Stopped] }
}

/// The state of an instance while it is changed, and afterwards: what runs is stopped for it.
pub(super) fn stopping(instance: &Instance) -> (State, State) {
    if instance.state == State::Running { (State::Stopping, State::Running) } else { (State::Stopped, State::Stopped) }
}

/// An operation on several instances: all of them are checked before any is touched.
pub(super) fn operate(
    here: &mut Local<'_>,
    call: &Call,
    ids: &[String],
    allowed: &[State],
    begin: impl Fn(&mut Instance) -> (State, Task, Outcome),
) -> Result<Value, ApiError> {
    let instances = named(here.region, ids)?;
    for instance in &instances {
        check_state(instance, allowed, here.settings)?;
    }
    let ids: Vec<String> = instances.into_iter().map(|instance| instance.id.clone()).collect();
    for id in ids {
        let Some(instance) = here.region.cvm.instances.get_mut(&id) else { continue };
        let before = instance.state;
        let (state, task, outcome) = begin(instance);
        instance.state = state;
        instance.operation = Operation {
            action: call.action.to_owned(),
            state: "OPERATING".to_owned(),
            request_id: call.request_id.clone(),
        };
        plan(here, &id, (task, outcome, before), &call.request_id);
    }
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    instance_ids: Vec<String>,
    force_stop: Option<bool>,
    force_reboot: Option<bool>,
    stop_type: Option<String>,
    stopped_mode: Option<String>,
    release_prepaid_data_disks: Option<bool>,
}

impl Input {
    fn of(call: &Call) -> Result<Self, ApiError> {
        let input: Self = call.input()?;
        if input.stop_type.is_some() && (input.force_stop.is_some() || input.force_reboot.is_some()) {
            let message = "`StopType` cannot be given together with `ForceStop` or `ForceReboot`.";
            return Err(ApiError::new("InvalidParameterCombination", message));
        }
        one_of("StopType", input.stop_type.as_deref(), &["SOFT_FIRST", "HARD", "SOFT"])?;
        one_of("StoppedMode", input.stopped_mode.as_deref(), &["KEEP_CHARGING", "STOP_CHARGING"])?;
        Ok(input)
    }
}

pub(super) fn start(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input = Input::of(call)?;
    operate(&mut world.local(call), call, &input.instance_ids, &[State::Stopped], |_| {
        (State::Starting, Task::InstanceStart, Outcome::Becomes(State::Running))
    })
}

pub(super) fn stop(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input = Input::of(call)?;
    operate(&mut world.local(call), call, &input.instance_ids, &[State::Running], |instance| {
        let keep = instance.is_prepaid() || input.stopped_mode.as_deref() != Some("STOP_CHARGING");
        instance.stopped_mode = if keep { "KEEP_CHARGING" } else { "STOP_CHARGING" }.to_owned();
        (State::Stopping, Task::InstanceStop, Outcome::Becomes(State::Stopped))
    })
}

pub(super) fn reboot(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input = Input::of(call)?;
    operate(&mut world.local(call), call, &input.instance_ids, &[State::Running], |_| {
        (State::Rebooting, Task::InstanceReboot, Outcome::Becomes(State::Running))
    })
}

pub(super) fn terminate(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input = Input::of(call)?;
    let mut here = world.local(call);
    if let Some(instance) = named(here.region, &input.instance_ids)?.iter().find(|instance| instance.protected) {
        let message = format!(
            "The instance `{}` is protected: set DisableApiTermination to false with ModifyInstancesAttribute first.",
            instance.id
        );
        return Err(ApiError::new("UnsupportedOperation.InstancesProtected", message));
    }
    let with_disks = input.release_prepaid_data_disks == Some(true);
    let gone = if with_disks { Outcome::IsGoneWithPrepaidDisks } else { Outcome::IsGone };
    let allowed = [State::Running, State::Stopped, State::Shutdown];
    operate(&mut here, call, &input.instance_ids, &allowed, |instance| {
        // A prepaid instance first goes to the recycle bin, and from there when it is terminated once more.
        if instance.is_prepaid() && !instance.isolated {
            (State::Stopping, Task::InstanceTerminate, Outcome::IsIsolated)
        } else {
            (State::Terminating, Task::InstanceTerminate, gone)
        }
    })
}

pub(super) fn reset(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        instance_id: String,
        image_id: Option<String>,
        system_disk: Option<SystemDisk>,
        host_name: Option<String>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct SystemDisk {
        disk_size: Option<i64>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let image = input.image_id.as_deref().map(|id| images::find(&here, id)).transpose()?;
    let ids = [input.instance_id];
    let answer = operate(&mut here, call, &ids, &[State::Running, State::Stopped], |instance| {
        if let Some(image) = &image {
            instance.image_id.clone_from(&image.id);
            instance.os_name.clone_from(&image.os);
        }
        if let Some(name) = &input.host_name {
            instance.host_name.clone_from(name);
        }
        (State::Rebooting, Task::InstanceReset, Outcome::Becomes(State::Running))
    })?;
    if let (Some(size), [id]) = (input.system_disk.as_ref().and_then(|disk| disk.disk_size), &ids) {
        cbs::grow_system_disk(here.region, id, size);
    }
    Ok(answer)
}

//! What other services do with instances: the container service makes, reinstalls, switches and destroys those of its
//! nodes.

use serde_json::{Map, Value};

use super::instances::{Instance, Operation, State};
use super::lifecycle::{self, Outcome, check_state};
use super::run::{Input, check};
use super::{API, launch};
use crate::call::Call;
use crate::clock::Time;
use crate::error::ApiError;
use crate::settings::{Settings, Task};
use crate::tags::Tag;
use crate::validate::{self, Form};
use crate::world::Local;

/// A switch of an instance that another service may turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    Start,
    Stop,
    Reboot,
}

impl Switch {
    fn action(self) -> &'static str {
        match self {
            Self::Start => "StartInstances",
            Self::Stop => "StopInstances",
            Self::Reboot => "RebootInstances",
        }
    }

    fn from(self) -> State {
        match self {
            Self::Start => State::Stopped,
            Self::Stop | Self::Reboot => State::Running,
        }
    }
}

/// Checks parameters of `RunInstances` and says how many instances they would make. Members that `RunInstances` does
/// not know are left out: other services pass more than it takes.
pub(crate) fn check_order(here: &Local<'_>, parameters: &Map<String, Value>) -> Result<usize, ApiError> {
    let call = order_call(here, parameters, String::new())?;
    let input: Input = call.input()?;
    Ok(check(here, &input)?.count)
}

/// Makes instances, as `RunInstances` does. Gives their ids.
pub(crate) fn run(here: &mut Local<'_>, parameters: &Map<String, Value>) -> Result<Vec<String>, ApiError> {
    let request_id = here.ids.new_uuid();
    let call = order_call(here, parameters, request_id)?;
    let input: Input = call.input()?;
    let order = check(here, &input)?;
    launch::launch(here, &call, &input, order)
}

fn order_call(here: &Local<'_>, parameters: &Map<String, Value>, request_id: String) -> Result<Call, ApiError> {
    const ACTION: &str = "RunInstances";
    let model = API.model()?;
    let known = model.members(model.input(ACTION).unwrap_or_default());
    let kept = parameters.iter().filter(|(name, _)| known.iter().any(|member| member.name == **name));
    let kept = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    let parameters = validate::request(model, ACTION, kept, Form::Json)?;
    let (action, region, now, unknown_filters) = (ACTION, here.name, here.now, here.settings.unknown_filters);
    Ok(Call { action, region, parameters, now, request_id, unknown_filters, secret_id: String::new() })
}

/// How long it takes until an instance that is made now runs.
pub(crate) fn boots_at(here: &Local<'_>) -> Time {
    here.now.after(here.settings.duration(Task::InstanceBoot))
}

fn begin(here: &mut Local<'_>, id: &str, action: &str, (state, task, outcome): (State, Task, Outcome)) {
    let request_id = here.ids.new_uuid();
    let Some(instance) = here.region.cvm.instances.get_mut(id) else { return };
    let before = instance.state;
    instance.state = state;
    instance.operation =
        Operation { action: action.to_owned(), state: "OPERATING".to_owned(), request_id: request_id.clone() };
    lifecycle::plan(here, id, (task, outcome, before), &request_id);
}

/// Destroys an instance, whatever it is doing.
pub(crate) fn destroy(here: &mut Local<'_>, id: &str) {
    begin(here, id, "TerminateInstances", (State::Terminating, Task::InstanceTerminate, Outcome::IsGone));
}

/// Reinstalls an instance, as joining a cluster does. Gives the time at which it runs again.
pub(crate) fn reinstall(here: &mut Local<'_>, id: &str) -> Time {
    begin(here, id, "ResetInstance", (State::Rebooting, Task::InstanceReset, Outcome::Becomes(State::Running)));
    here.now.after(here.settings.duration(Task::InstanceReset))
}

/// Turns a switch of an instance that [`Instance::can`] be turned.
pub(crate) fn turn(here: &mut Local<'_>, id: &str, switch: Switch) {
    let change = match switch {
        Switch::Start => (State::Starting, Task::InstanceStart, Outcome::Becomes(State::Running)),
        Switch::Stop => (State::Stopping, Task::InstanceStop, Outcome::Becomes(State::Stopped)),
        Switch::Reboot => (State::Rebooting, Task::InstanceReboot, Outcome::Becomes(State::Running)),
    };
    begin(here, id, switch.action(), change);
}

impl Instance {
    /// Checks that the instance is in a state in which the switch can be turned, and not busy.
    pub(crate) fn can(&self, switch: Switch, settings: &Settings) -> Result<(), ApiError> {
        check_state(self, &[switch.from()], settings)
    }

    /// Whether it runs and nothing is being done to it.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.state == State::Running && self.operation.state != "OPERATING"
    }

    /// Whether it is protected from being destroyed.
    pub(crate) fn is_protected(&self) -> bool {
        self.protected
    }

    /// Whether it is paid by the hour: others cannot be destroyed by other services.
    pub(crate) fn is_postpaid(&self) -> bool {
        !self.is_prepaid()
    }

    pub(crate) fn uuid(&self) -> &str {
        &self.uuid
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn instance_type(&self) -> &str {
        &self.instance_type
    }

    pub(crate) fn image_id(&self) -> &str {
        &self.image_id
    }

    pub(crate) fn charge_type(&self) -> &str {
        &self.charge_type
    }

    pub(crate) fn renew_flag(&self) -> &str {
        &self.renew_flag
    }

    pub(crate) fn cpu(&self) -> u32 {
        self.cpu
    }

    pub(crate) fn memory(&self) -> u32 {
        self.memory
    }

    /// How the internet is paid for, and the bandwidth in Mbit/s.
    pub(crate) fn internet(&self) -> (&str, i64) {
        (&self.internet.charge_type, self.internet.bandwidth)
    }

    pub(crate) fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// The CAM role bound to the instance; empty when there is none.
    pub(crate) fn role(&self) -> &str {
        &self.role
    }

    pub(crate) fn address(&self) -> &str {
        self.private_ips.first().map(String::as_str).unwrap_or_default()
    }

    pub(crate) fn expires(&self) -> Option<Time> {
        self.expires
    }
}

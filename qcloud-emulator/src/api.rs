//! The services, each with its model and the actions that have behaviour.

use std::sync::OnceLock;

use serde::Serialize;
use serde_json::Value;

use crate::call::Call;
use crate::error::ApiError;
use crate::model::Model;
use crate::world::World;
use crate::{cbs, clb, cvm, sts, tag, tke, vpc};

/// What an action does: it reads its parameters from the call, changes the world and gives its answer, the
/// `RequestId` left out.
pub(crate) type Handler = fn(&mut World, &Call) -> Result<Value, ApiError>;

/// As a [`Handler`], for actions that write their answer themselves because it is long: a JSON object.
pub(crate) type Writer = fn(&mut World, &Call) -> Result<String, ApiError>;

/// What carries an action out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Run {
    Giving(Handler),
    Writing(Writer),
}

/// What an action answers.
#[derive(Debug)]
pub(crate) enum Answer {
    Given(Value),
    Written(String),
}

impl Run {
    pub(crate) fn run(self, world: &mut World, call: &Call) -> Result<Answer, ApiError> {
        match self {
            Self::Giving(handler) => handler(world, call).map(Answer::Given),
            Self::Writing(writer) => writer(world, call).map(Answer::Written),
        }
    }
}

impl Answer {
    /// The answer, to be looked at.
    pub(crate) fn value(self) -> Result<Value, ApiError> {
        match self {
            Self::Given(value) => Ok(value),
            Self::Written(text) => serde_json::from_str(&text).map_err(unwritable),
        }
    }
}

/// Writes an answer.
pub(crate) fn written(answer: &impl Serialize) -> Result<String, ApiError> {
    serde_json::to_string(answer).map_err(unwritable)
}

fn unwritable(error: serde_json::Error) -> ApiError {
    ApiError::internal(format!("An answer could not be written: {error}."))
}

/// An action that has behaviour.
#[derive(Debug)]
pub(crate) struct Action {
    pub(crate) name: &'static str,
    pub(crate) run: Run,
    /// Whether the action works without a region.
    pub(crate) anywhere: bool,
    /// Whether the action takes requests that nobody signed.
    pub(crate) unsigned: bool,
}

impl Action {
    pub(crate) const fn new(name: &'static str, handler: Handler) -> Self {
        Self { name, run: Run::Giving(handler), anywhere: false, unsigned: false }
    }

    pub(crate) const fn writing(name: &'static str, writer: Writer) -> Self {
        Self { name, run: Run::Writing(writer), anywhere: false, unsigned: false }
    }

    pub(crate) const fn anywhere(self) -> Self {
        Self { anywhere: true, ..self }
    }

    pub(crate) const fn unsigned(self) -> Self {
        Self { unsigned: true, ..self }
    }
}

/// One version of a service.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) service: &'static str,
    pub(crate) version: &'static str,
    source: &'static str,
    pub(crate) actions: &'static [Action],
    model: OnceLock<Result<Model, String>>,
}

impl Api {
    pub(crate) const fn new(
        service: &'static str,
        version: &'static str,
        source: &'static str,
        actions: &'static [Action],
    ) -> Self {
        Self { service, version, source, actions, model: OnceLock::new() }
    }

    /// The model, read at its first use.
    pub(crate) fn model(&self) -> Result<&Model, ApiError> {
        let model = self.model.get_or_init(|| serde_json::from_str(self.source).map_err(|error| error.to_string()));
        model.as_ref().map_err(|error| ApiError::internal(format!("The model of {} is broken: {error}.", self.service)))
    }

    pub(crate) fn action(&self, name: &str) -> Option<&'static Action> {
        self.actions.iter().find(|action| action.name == name)
    }
}

/// Every API that the emulator knows.
pub(crate) static APIS: &[&Api] =
    &[&cvm::API, &vpc::API, &clb::API, &cbs::API, &tke::API_2018, &tke::API_2022, &sts::API, &tag::API];

/// The actions that have behaviour, as `(service, version, action)`.
pub fn implemented_actions() -> Vec<(&'static str, &'static str, &'static str)> {
    APIS.iter().flat_map(|api| api.actions.iter().map(|action| (api.service, api.version, action.name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_parses_and_has_every_implemented_action_once() {
        for api in APIS {
            let model = api.model().unwrap();
            assert!(model.actions().count() > 0, "{}", api.service);
            for (place, action) in api.actions.iter().enumerate() {
                assert!(model.has(action.name), "{} has no {}", api.service, action.name);
                assert!(!api.actions[..place].iter().any(|other| other.name == action.name), "{}", action.name);
            }
        }
    }
}

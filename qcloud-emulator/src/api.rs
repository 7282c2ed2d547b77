//! The services, each with its model and the actions that have behaviour.

use std::sync::OnceLock;

use serde_json::Value;

use crate::call::Call;
use crate::error::ApiError;
use crate::model::Model;
use crate::world::World;
use crate::{cbs, clb, cvm, sts, tke, vpc};

/// What an action does: it reads its parameters from the call, changes the world and gives its answer, the
/// `RequestId` left out.
pub(crate) type Handler = fn(&mut World, &Call) -> Result<Value, ApiError>;

/// An action that has behaviour.
#[derive(Debug)]
pub(crate) struct Action {
    pub(crate) name: &'static str,
    pub(crate) handler: Handler,
    /// Whether the action works without a region.
    pub(crate) anywhere: bool,
    /// Whether the action takes requests that nobody signed.
    pub(crate) unsigned: bool,
}

impl Action {
    pub(crate) const fn new(name: &'static str, handler: Handler) -> Self {
        Self { name, handler, anywhere: false, unsigned: false }
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
    &[&cvm::API, &vpc::API, &clb::API, &cbs::API, &tke::API_2018, &tke::API_2022, &sts::API];

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

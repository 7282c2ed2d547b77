//! A call: what a handler sees of a request.

use serde::Deserialize;
use serde_json::Value;

use crate::clock::Time;
use crate::error::ApiError;
use crate::settings::UnknownFilters;

/// A call of an action, its signature verified and its parameters checked against the model.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) action: &'static str,
    /// The region it is for; the emulator's own for actions that need none.
    pub(crate) region: &'static str,
    pub(crate) parameters: Value,
    pub(crate) now: Time,
    pub(crate) request_id: String,
    /// What becomes of filters that the action does not have.
    pub(crate) unknown_filters: UnknownFilters,
    /// The key that signed it; empty when none did.
    pub(crate) secret_id: String,
}

impl Call {
    /// The parameters as a structure of the handler's own, with the members that it looks at. Those that the structure
    /// needs although the model does not are missing parameters.
    pub(crate) fn input<'de, T: Deserialize<'de>>(&'de self) -> Result<T, ApiError> {
        T::deserialize(&self.parameters).map_err(|error| {
            let text = error.to_string();
            match text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
                Some(parameter) => ApiError::missing(parameter),
                // The model was checked before, so only the emulator's own structures can be at fault.
                None => ApiError::internal(format!("The emulator misreads the parameters of {}: {text}.", self.action)),
            }
        })
    }
}

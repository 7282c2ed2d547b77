//! What can go wrong: answers to clients, and failures to start.

use std::borrow::Cow;
use std::net::SocketAddr;

use crate::fault::Effect;

/// An error answer of the API: its code and the sentence that explains it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) code: Cow<'static, str>,
    pub(crate) message: String,
}

impl ApiError {
    pub(crate) fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }

    pub(crate) fn missing(parameter: &str) -> Self {
        Self::new("MissingParameter", format!("The request is missing the required parameter `{parameter}`."))
    }

    pub(crate) fn invalid_value(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterValue", message)
    }

    pub(crate) fn not_found(what: &str, id: &str) -> Self {
        Self::new("ResourceNotFound", format!("The {what} `{id}` does not exist in this region."))
    }

    pub(crate) fn in_use(message: impl Into<String>) -> Self {
        Self::new("ResourceInUse", message)
    }

    /// More calls than allowed.
    pub(crate) fn throttled(message: impl Into<String>) -> Self {
        Self::new("RequestLimitExceeded", message)
    }

    /// What the fault plan answers a call with that it does not let through; only of interest when there is an answer.
    pub(crate) fn struck(effect: &Effect) -> Self {
        match effect {
            Effect::Error { code, message } => Self::new(code.clone(), message.clone()),
            Effect::Throttle => Self::throttled("The emulator was told to throttle this call."),
            _ => Self::internal("The emulator was told to break this call."),
        }
    }

    /// A fault of the emulator itself: the message is meant for its developers.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new("InternalError", message)
    }
}

/// Why the emulator did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address to listen on is not a loopback address. The emulator's keys are no secret, so it never listens
    /// where others could reach it.
    #[error("refusing to listen on {0}: the emulator only listens on loopback addresses such as 127.0.0.1")]
    NotLoopback(SocketAddr),
    /// The default region is not one that the emulator has.
    #[error("unknown region {region:?}: the emulator has {known}")]
    UnknownRegion {
        /// The region asked for.
        region: String,
        /// The regions there are, separated by commas.
        known: String,
    },
    /// The address could not be bound.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// Why a saved state could not be restored, or a state not be saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// It is no saved state of an emulator, or a damaged one.
    #[error("this is no saved state of the emulator: {0}")]
    Unreadable(String),
    /// It was saved by a version that wrote another format.
    #[error("the state has the format version {found}; this emulator reads version {known}")]
    Version {
        /// The version of the saved state.
        found: u64,
        /// The version that this emulator reads and writes.
        known: u64,
    },
    /// The state could not be written.
    #[error("the state could not be saved: {0}")]
    Unwritable(String),
}

/// What is wrong with a configuration, and in which line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub(crate) String);

/// Checks a value that is one of a few.
pub(crate) fn one_of(parameter: &str, value: Option<&str>, known: &[&str]) -> Result<(), ApiError> {
    match value {
        Some(value) if !known.contains(&value) => {
            Err(ApiError::invalid_value(format!("`{parameter}`: `{value}` is none of {}.", known.join(", "))))
        }
        _ => Ok(()),
    }
}

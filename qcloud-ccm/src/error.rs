//! What can go wrong in a controller, and when to try again.

use std::fmt;
use std::time::Duration;

use qcloud_container::kubernetes::{ErrorKind, ProviderError, Retry};

/// `Result` with an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an object could not be brought to what it ought to be.
///
/// `Display` is one line for a log or an event on the object.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The cloud refused, or can't say.
    Provider(ProviderError),
    /// The API server refused, or can't be reached.
    Kubernetes(kube::Error),
    /// The object can't be served as it stands. The text says what to change.
    Refused(String),
    /// It is not time yet.
    Later {
        /// What is waited for.
        reason: String,
        /// When to look again.
        after: Duration,
    },
}

impl Error {
    /// When to try again: [`Retry::Never`] means not before the object changes, but for a rare look whether the world did.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Provider(error) => error.retry(),
            Self::Refused(_) => Retry::Never,
            Self::Later { after, .. } => Retry::After(*after),
            Self::Kubernetes(kube::Error::Api(status)) => match status.code {
                // The object is gone, or what was asked of it makes no sense: what is watched will tell.
                404 | 422 => Retry::Never,
                429 | 500..=599 => match status.details.as_ref().map(|details| details.retry_after_seconds) {
                    Some(seconds) if seconds > 0 => Retry::After(Duration::from_secs(seconds.into())),
                    _ => Retry::Backoff,
                },
                _ => Retry::Backoff,
            },
            Self::Kubernetes(_) => Retry::Backoff,
        }
    }

    /// Whether the API server says that the object does not exist.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Kubernetes(kube::Error::Api(status)) if status.code == 404)
    }

    /// Whether the API server refused because the object has changed since it was read.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Kubernetes(kube::Error::Api(status)) if status.code == 409)
    }

    /// Whether it is only too early, which is no fault: something is under way that has to end first.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        match self {
            Self::Later { .. } => true,
            Self::Provider(error) => matches!(error.kind(), ErrorKind::Pending | ErrorKind::Busy),
            _ => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider(error) => error.fmt(f),
            Self::Kubernetes(kube::Error::Api(status)) => {
                write!(f, "the API server answered {}: {}", status.code, status.message)
            }
            Self::Kubernetes(error) => {
                write!(f, "the API server can't be asked: {error}")?;
                let mut cause = std::error::Error::source(error);
                while let Some(error) = cause {
                    write!(f, ": {error}")?;
                    cause = error.source();
                }
                Ok(())
            }
            Self::Refused(reason) | Self::Later { reason, .. } => f.write_str(reason),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Provider(error) => std::error::Error::source(error),
            Self::Kubernetes(_) | Self::Refused(_) | Self::Later { .. } => None,
        }
    }
}

impl From<ProviderError> for Error {
    fn from(error: ProviderError) -> Self {
        Self::Provider(error)
    }
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Kubernetes(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    fn api(code: u16) -> Error {
        Error::from(kube::Error::Api(Status::failure("no", "Reason").with_code(code).boxed()))
    }

    #[test]
    fn an_object_that_is_worked_on_is_waited_for() {
        let waits = |kind| Error::from(ProviderError::new(kind, "not now")).is_waiting();
        assert!(waits(ErrorKind::Pending) && waits(ErrorKind::Busy));
        assert!(!waits(ErrorKind::Throttled) && !waits(ErrorKind::Unavailable));
    }

    #[test]
    fn an_answer_says_when_to_try_again() {
        assert_eq!(api(404).retry(), Retry::Never);
        assert_eq!(api(422).retry(), Retry::Never);
        assert_eq!(api(409).retry(), Retry::Backoff);
        assert_eq!(api(403).retry(), Retry::Backoff);
        let details = serde_json::from_value(serde_json::json!({"retryAfterSeconds": 7})).unwrap();
        let busy = Status::failure("busy", "TooManyRequests").with_code(429).with_details(details);
        let busy = Error::from(kube::Error::Api(busy.boxed()));
        assert_eq!(busy.retry(), Retry::After(Duration::from_secs(7)));
        assert_eq!(busy.to_string(), "the API server answered 429: busy");
    }
}

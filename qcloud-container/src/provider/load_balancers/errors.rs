//! What an error of the API means to a controller.

use std::time::Duration;

use qcloud_core::Error;

use crate::kubernetes::{ErrorKind, Exhausted, ProviderError};

/// What the failed call was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// A lookup: a lost answer leaves no doubt about what exists.
    Read,
    /// A change: after a lost answer nobody knows.
    Write,
}

/// How long a controller leaves alone what only people or time can mend.
const SLOW: Duration = Duration::from_secs(300);
const BUSY: Duration = Duration::from_secs(2);
const THROTTLED: Duration = Duration::from_secs(5);

pub(super) fn provider_error(call: Call, error: Error) -> ProviderError {
    let code = error.code().unwrap_or_default().to_owned();
    let (kind, after) = kind(call, &code, &error);
    let mut mapped = ProviderError::new(kind, error.to_string());
    if let Some(after) = after {
        mapped = mapped.with_retry_after(after);
    }
    if !code.is_empty() {
        mapped = mapped.with_code(code);
    }
    if let Some(id) = error.request_id() {
        mapped = mapped.with_request_id(id);
    }
    mapped.with_source(error)
}

fn kind(call: Call, code: &str, error: &Error) -> (ErrorKind, Option<Duration>) {
    if error.is_throttled() {
        return (ErrorKind::Throttled, Some(THROTTLED));
    }
    if error.is_busy() {
        return (ErrorKind::Busy, Some(BUSY));
    }
    if error.is_auth() {
        // Permissions and expired tokens mend without a change of the object: a controller comes back, slowly.
        return (ErrorKind::Unauthorized, Some(SLOW));
    }
    if error.is_ambiguous() {
        return (if call == Call::Write { ErrorKind::Ambiguous } else { ErrorKind::Unavailable }, None);
    }
    if qcloud_clb::is_not_found(error) {
        return (ErrorKind::NotFound, None);
    }
    match code {
        "InvalidParameter.PortCheckFailed" => (ErrorKind::Conflict, None),
        "FailedOperation.TargetNumCheckRisk"
        | "FailedOperation.TrafficCheckRisk"
        | "FailedOperation.FrequencyCheckRisk"
        | "FailedOperation.EipTrafficCheckRisk" => (ErrorKind::InUse, Some(SLOW)),
        _ if error.is_quota() => (ErrorKind::Exhausted(Exhausted::Quota), Some(SLOW)),
        _ if error.is_sold_out() => (ErrorKind::Exhausted(Exhausted::Stock), Some(SLOW)),
        _ if code.starts_with("InvalidParameter") || code.starts_with("MissingParameter") => {
            (ErrorKind::InvalidArgument, None)
        }
        _ if code.starts_with("UnsupportedOperation") => (ErrorKind::Unsupported, None),
        _ if code.starts_with("FailedOperation") || code.starts_with("ResourceInUse") => (ErrorKind::Conflict, None),
        "" => (ErrorKind::Unavailable, None),
        _ => (ErrorKind::Internal, None),
    }
}

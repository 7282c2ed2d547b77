//! The errors of CLB. "Does not exist" has no code of its own in every action, so a knob decides how it is said.

use crate::error::ApiError;
use crate::listing;
use crate::settings::{MissingBalancer, Settings};

pub(super) const PARAMETER: &str = "InvalidParameter";
pub(super) const LENGTH: &str = "InvalidParameterValue.Length";
pub(super) const RANGE: &str = "InvalidParameterValue.Range";
pub(super) const DUPLICATE: &str = "InvalidParameterValue.Duplicate";
pub(super) const FORMAT: &str = "InvalidParameter.FormatError";
const FAILED: &str = "FailedOperation";

/// The actions whose documentation lists a code of its own for a load balancer that does not exist.
const WITH_BALANCER_CODE: &[&str] = &[
    "ModifyLoadBalancerAttributes",
    "SetLoadBalancerSecurityGroups",
    "DeleteLoadBalancer",
    "DescribeListeners",
    "BatchRegisterTargets",
    "BatchDeregisterTargets",
    "DescribeTargetHealth",
];
/// The same for listeners and rules.
const WITH_LISTENER_CODE: &[&str] = &["BatchRegisterTargets", "BatchDeregisterTargets"];

/// Something that an id names.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    LoadBalancer,
    Listener,
    Rule,
    TargetGroup,
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Self::LoadBalancer => "lb",
            Self::Listener => "lbl",
            Self::Rule => "loc",
            Self::TargetGroup => "lbtg",
        }
    }
}

/// Checks the form of an id.
pub(super) fn check_id(parameter: &str, id: &str, kind: Kind) -> Result<(), ApiError> {
    listing::check_id((parameter, id), kind.prefix(), FORMAT)
}

/// The id names nothing.
pub(super) fn not_found(settings: &Settings, action: &str, kind: Kind, id: &str) -> ApiError {
    let (code, message) = match kind {
        Kind::LoadBalancer => {
            ("InvalidParameter.LBIdNotFound", format!("LoadBalancer not exist: `{id}` is not in this region."))
        }
        Kind::Listener => {
            ("InvalidParameter.ListenerIdNotFound", format!("Listener not exist: the load balancer has no `{id}`."))
        }
        Kind::Rule => {
            ("InvalidParameter.LocationNotFound", format!("Location not exist: the listener has no rule {id}."))
        }
        Kind::TargetGroup => (PARAMETER, format!("TargetGroup not exist: `{id}` is not in this region.")),
    };
    let listed = match kind {
        Kind::LoadBalancer => WITH_BALANCER_CODE.contains(&action),
        Kind::Listener | Kind::Rule => WITH_LISTENER_CODE.contains(&action),
        Kind::TargetGroup => false,
    };
    let own = match settings.missing_balancer {
        MissingBalancer::ByAction => listed,
        MissingBalancer::OwnCode => true,
        MissingBalancer::Plain => false,
    };
    ApiError::new(if own { code } else { PARAMETER }, message)
}

/// A task holds the resource.
pub(super) fn in_operating(id: &str, task: &str) -> ApiError {
    let message = format!("`{id}` is in operating: the task `{task}` runs on it. Wait for its end, then try again.");
    ApiError::new("FailedOperation.ResourceInOperating", message)
}

pub(super) fn failed(message: impl Into<String>) -> ApiError {
    ApiError::new(FAILED, message)
}

pub(super) fn parameter(message: impl Into<String>) -> ApiError {
    ApiError::new(PARAMETER, message)
}

pub(super) fn value(message: impl Into<String>) -> ApiError {
    ApiError::invalid_value(message)
}

pub(super) fn length(message: impl Into<String>) -> ApiError {
    ApiError::new(LENGTH, message)
}

pub(super) fn duplicate(message: impl Into<String>) -> ApiError {
    ApiError::new(DUPLICATE, message)
}

pub(super) fn over_quota(message: impl Into<String>) -> ApiError {
    ApiError::new("LimitExceeded", message)
}

/// Checks that so many more fit beside what something has.
pub(super) fn check_room(id: &str, what: &str, present: usize, more: usize, limit: usize) -> Result<(), ApiError> {
    if present + more <= limit {
        return Ok(());
    }
    Err(over_quota(format!("`{id}` has {present} {what}; {more} more would exceed the quota of {limit}.")))
}

/// Checks that a list has neither too few nor too many items.
pub(super) fn check_count(parameter: &str, count: usize, least: usize, most: usize) -> Result<(), ApiError> {
    if (least..=most).contains(&count) {
        return Ok(());
    }
    Err(length(format!("`{parameter}` takes {least} to {most} items; the request gives {count}.")))
}

/// Names have 1 to 80 characters.
pub(super) fn check_name(parameter: &str, name: &str) -> Result<(), ApiError> {
    let characters = name.chars().count();
    if (1..=80).contains(&characters) {
        return Ok(());
    }
    Err(length(format!("`{parameter}` has 1 to 80 characters; this one has {characters}.")))
}

/// Checks that a number is within bounds.
pub(super) fn check_range(parameter: &str, number: i64, least: i64, most: i64) -> Result<(), ApiError> {
    if (least..=most).contains(&number) {
        return Ok(());
    }
    Err(value(format!("`{parameter}` must be between {least} and {most}, not {number}.")))
}

/// Checks that a text is one of those that are allowed.
pub(super) fn check_among(parameter: &str, text: &str, allowed: &[&str]) -> Result<(), ApiError> {
    if allowed.contains(&text) {
        return Ok(());
    }
    Err(value(format!("`{parameter}` must be one of {}, not `{text}`.", allowed.join(", "))))
}

/// A port from 1 to 65535.
pub(super) fn port(parameter: &str, number: i64) -> Result<u16, ApiError> {
    let port = u16::try_from(number).ok().filter(|port| *port != 0);
    port.ok_or_else(|| value(format!("`{parameter}` must be between 1 and 65535, not {number}.")))
}

/// A weight from 0 to 100.
pub(super) fn weight(parameter: &str, number: i64) -> Result<u32, ApiError> {
    check_range(parameter, number, 0, 100)?;
    Ok(u32::try_from(number).unwrap_or_default())
}

//! What QCloud's errors mean to a controller.

use std::time::Duration;

use qcloud_core::{Error, ErrorKind as CallErrorKind};

use crate::kubernetes::{ErrorKind, Exhausted, ProviderError, Retry};

/// What has run out does not come back at once.
const SLOW: Duration = Duration::from_secs(120);
/// An ended token or a wrong clock is put right by the next refresh.
const REFRESH: Duration = Duration::from_secs(15);
/// How long operations of others on an object usually last.
const BUSY: Duration = Duration::from_secs(2);
/// By the time a call is refused here, the client has waited and tried it several times.
const THROTTLED: Duration = Duration::from_secs(5);

impl From<Error> for ProviderError {
    /// Reads the kind off the error code, and off whether the action may have been executed: a write whose outcome
    /// nobody knows is [`ErrorKind::Ambiguous`], a read that gave no answer is [`ErrorKind::Unavailable`].
    fn from(error: Error) -> Self {
        let kind = kind_of(&error);
        let mut message = String::new();
        for part in [error.action(), error.code()].into_iter().flatten() {
            message.push_str(part);
            message.push_str(": ");
        }
        message.push_str(error.message());
        let mut mapped = Self::new(kind, message);
        if let Some(code) = error.code() {
            mapped = mapped.with_code(code);
        }
        if let Some(request_id) = error.request_id() {
            mapped = mapped.with_request_id(request_id);
        }
        if let Some(after) = retry_after(kind, &error) {
            mapped = mapped.with_retry_after(after);
        }
        mapped.with_source(error)
    }
}

/// The kind of a failed call.
fn kind_of(error: &Error) -> ErrorKind {
    let doubtful = error.is_ambiguous() && !is_read(error);
    let Some(code) = error.code() else {
        return match error.kind() {
            _ if doubtful => ErrorKind::Ambiguous,
            CallErrorKind::Config => ErrorKind::InvalidArgument,
            CallErrorKind::Credentials => ErrorKind::Unauthorized,
            CallErrorKind::Connect | CallErrorKind::Timeout | CallErrorKind::Transport | CallErrorKind::Http => {
                ErrorKind::Unavailable
            }
            CallErrorKind::Wait => ErrorKind::Conflict,
            _ => ErrorKind::Internal,
        };
    };
    let kind = by_code(error, code);
    // An attempt before the one that was refused may have been executed. What proves presence or absence settles that.
    let settled = matches!(kind, ErrorKind::NotFound | ErrorKind::AlreadyExists);
    if doubtful && !settled && !is_internal(code) { ErrorKind::Ambiguous } else { kind }
}

/// The kind of a refusal, by its code: single codes first, then what the form of the code says.
fn by_code(error: &Error, code: &str) -> ErrorKind {
    let (category, last) = (code.split('.').next().unwrap_or(code), code.rsplit('.').next().unwrap_or(code));
    match code {
        "ResourceUnavailable.RepeatRefund" => return ErrorKind::NotFound,
        // CLB has no uniform code for what is gone.
        "InvalidParameter" if is_of_clb(error) && qcloud_clb::is_not_found(error) => return ErrorKind::NotFound,
        "ResourceUnavailable.Attached" => return ErrorKind::InUse,
        "LimitExceeded.InstanceAttachedDisk" => return ErrorKind::Exhausted(Exhausted::AttachLimit),
        "ResourceInsufficient.OverQuota"
        | "OverQuota"
        | "ResourceInsufficient.OverRefundQuota"
        | "InsufficientRefundQuota" => return ErrorKind::Exhausted(Exhausted::Quota),
        "ResourceInsufficient.Subnet" | "FailedOperation.NoAvailableIpAddressCountInSubnet" => {
            return ErrorKind::Exhausted(Exhausted::Addresses);
        }
        "ResourceUnavailable.ZoneNotMatch"
        | "ResourceUnavailable.NotPortable"
        | "ResourceUnavailable.TypeError"
        | "ResourceUnavailable.NotSupported" => return ErrorKind::InvalidArgument,
        "InvalidDisk.Busy"
        | "ResourceInUse.DiskMigrating"
        | "ResourceInUse.DiskRollbacking"
        | "ResourceInUse.CopySnapshotConflict"
        | "ResourceUnavailable.DiskBackupCreating"
        | "ResourceUnavailable.TooManyCreatingSnapshot"
        | "ResourceInsufficient.UpgradeServiceBusy"
        | "TradeDealConflict" => return ErrorKind::Busy,
        "UnsupportedOperation" | "UnsupportedRegion" | "InvalidAction" => return ErrorKind::Unsupported,
        "InvalidParameterValue.ResourceNotFound" => return ErrorKind::NotFound,
        _ => {}
    }
    // The container service files plain refusals under `InternalError`, too.
    match last {
        "RouteTableNotEmpty" => return ErrorKind::InUse,
        "DiskConfigNotSupported" => return ErrorKind::Exhausted(Exhausted::Stock),
        "Duplicate" | "ResourceExistAlready" | "DuplicatePolicy" => return ErrorKind::AlreadyExists,
        "GatewayAlreadyAssociatedCidr"
        | "CidrConflictWithOtherRoute"
        | "CidrConflictWithOtherCluster"
        | "CidrConflictWithVpcGlobalRoute"
        | "PortCheckFailed"
        | "VersionMismatch"
        | "ClientTokenLimitExceeded"
        | "InstanceNotStopped" => return ErrorKind::Conflict,
        "TargetNumCheckRisk" | "TrafficCheckRisk" | "FrequencyCheckRisk" | "EipTrafficCheckRisk" => {
            return ErrorKind::InUse;
        }
        "CidrOutOfRouteTable"
        | "CidrConflictWithVpcCidr"
        | "VpcCidrConflict"
        | "CidrInvali"
        | "CidrInvalid"
        | "Param" => return ErrorKind::InvalidArgument,
        "CamNoAuth" | "InsufficientBalance" | "TradeInsufficientBalance" => return ErrorKind::Unauthorized,
        _ => {}
    }
    if last.contains("SnapshotCreating") || error.is_busy() {
        ErrorKind::Busy
    } else if error.is_throttled() {
        ErrorKind::Throttled
    } else if last.starts_with("QuotaMax") || error.is_quota() {
        ErrorKind::Exhausted(Exhausted::Quota)
    } else if error.is_sold_out() {
        ErrorKind::Exhausted(Exhausted::Stock)
    } else if error.is_auth() || category == "InvalidAccount" {
        ErrorKind::Unauthorized
    } else if error.is_not_found() && category != "InvalidParameterValue" {
        ErrorKind::NotFound
    } else if is_internal(code) {
        if is_read(error) { ErrorKind::Unavailable } else { ErrorKind::Ambiguous }
    } else {
        by_category(category)
    }
}

fn by_category(category: &str) -> ErrorKind {
    match category {
        "ResourceInUse" | "VpcIpIsUsed" => ErrorKind::InUse,
        "UnsupportedOperation" | "OperationDenied" | "ResourceUnavailable" | "InvalidInstanceState" => {
            ErrorKind::Conflict
        }
        "MissingParameter" | "UnknownParameter" => ErrorKind::InvalidArgument,
        other if other.starts_with("Invalid") => ErrorKind::InvalidArgument,
        _ => ErrorKind::Internal,
    }
}

fn retry_after(kind: ErrorKind, error: &Error) -> Option<Duration> {
    let code = error.code().unwrap_or_default();
    match kind {
        ErrorKind::Exhausted(Exhausted::AttachLimit) => None,
        ErrorKind::Exhausted(_) => Some(SLOW),
        ErrorKind::InUse if code.ends_with("CheckRisk") => Some(SLOW),
        ErrorKind::Unauthorized if error.kind() == CallErrorKind::Credentials => Some(REFRESH),
        ErrorKind::Unauthorized if code.starts_with("AuthFailure.") && error.is_retryable() => Some(REFRESH),
        // A permission is granted, or an account topped up, without any change to the object.
        ErrorKind::Unauthorized => Some(SLOW),
        ErrorKind::Busy => Some(BUSY),
        ErrorKind::Throttled => Some(THROTTLED),
        _ => None,
    }
}

fn is_internal(code: &str) -> bool {
    matches!(code.split('.').next(), Some("InternalError" | "InternalServerError" | "ServiceUnavailable"))
}

fn is_of_clb(error: &Error) -> bool {
    error.action().is_some_and(|action| action.starts_with("clb:"))
}

fn is_read(error: &Error) -> bool {
    let action = error.action().and_then(|action| action.rsplit(':').next()).unwrap_or_default();
    ["Describe", "Get", "List", "Inquir", "Check"].iter().any(|verb| action.starts_with(verb))
}

/// The same error for one more who waits. The cause stays with the first.
pub(crate) fn copy(error: &ProviderError) -> ProviderError {
    reworded(error, error.message().to_owned())
}

/// The same error in other words.
pub(crate) fn reworded(error: &ProviderError, message: String) -> ProviderError {
    let mut copy = ProviderError::new(error.kind(), message);
    if let Some(code) = error.code() {
        copy = copy.with_code(code);
    }
    if let Some(request_id) = error.request_id() {
        copy = copy.with_request_id(request_id);
    }
    if let Retry::After(after) = error.retry() {
        copy = copy.with_retry_after(after);
    }
    copy
}

#[cfg(test)]
mod tests {
    use super::*;
    use qcloud_core::transport::{TransportError, TransportErrorKind};

    fn kind(action: &str, code: &str) -> ErrorKind {
        ProviderError::from(Error::service(action, code, "said so", "r-1")).kind()
    }

    #[test]
    fn codes_have_the_kinds_of_the_table() {
        use ErrorKind as K;
        for (code, expected) in [
            ("InvalidDiskId.NotFound", K::NotFound),
            ("InvalidInstanceId.NotFound", K::NotFound),
            ("ResourceNotFound.NotFound", K::NotFound),
            ("ResourceNotFound.RouteTableNotFound", K::NotFound),
            ("InternalError.RouteTableNotFound", K::NotFound),
            ("InternalError.CvmNotFound", K::NotFound),
            ("InvalidParameter.LBIdNotFound", K::NotFound),
            ("ResourceUnavailable.RepeatRefund", K::NotFound),
            ("ResourceUnavailable.Attached", K::InUse),
            ("ResourceInUse", K::InUse),
            ("LimitExceeded.InstanceAttachedDisk", K::Exhausted(Exhausted::AttachLimit)),
            ("ResourceUnavailable.ZoneNotMatch", K::InvalidArgument),
            ("ResourceUnavailable.NotPortable", K::InvalidArgument),
            ("ResourceUnavailable.TypeError", K::InvalidArgument),
            ("ResourceUnavailable.NotSupported", K::InvalidArgument),
            ("ResourceBusy", K::Busy),
            ("InvalidDisk.Busy", K::Busy),
            ("InvalidDisk.SnapshotCreating", K::Busy),
            ("ResourceInUse.DiskMigrating", K::Busy),
            ("TradeDealConflict", K::Busy),
            ("ResourceInUse.DiskRollbacking", K::Busy),
            ("ResourceInUse.CopySnapshotConflict", K::Busy),
            ("ResourceUnavailable.DiskBackupCreating", K::Busy),
            ("ResourceUnavailable.TooManyCreatingSnapshot", K::Busy),
            ("ResourceInsufficient.UpgradeServiceBusy", K::Busy),
            ("FailedOperation.ResourceInOperating", K::Busy),
            ("ResourceInsufficient", K::Exhausted(Exhausted::Stock)),
            ("ResourceInsufficient.DiskConfigNotSupported", K::Exhausted(Exhausted::Stock)),
            ("InsufficientSnapshotQuota", K::Exhausted(Exhausted::Quota)),
            ("ResourceInsufficient.OverQuota", K::Exhausted(Exhausted::Quota)),
            ("ResourceInsufficient.OverRefundQuota", K::Exhausted(Exhausted::Quota)),
            ("InsufficientRefundQuota", K::Exhausted(Exhausted::Quota)),
            ("ResourceInsufficient.Subnet", K::Exhausted(Exhausted::Addresses)),
            ("LimitExceeded", K::Exhausted(Exhausted::Quota)),
            ("InternalError.QuotaMaxRtLimit", K::Exhausted(Exhausted::Quota)),
            ("RequestLimitExceeded", K::Throttled),
            ("LimitExceeded.ActionLimited", K::Throttled),
            ("InvalidAccount.InsufficientBalance", K::Unauthorized),
            ("InternalError.InsufficientBalance", K::Unauthorized),
            ("FailedOperation.TradeInsufficientBalance", K::Unauthorized),
            ("UnauthorizedOperation.CamNoAuth", K::Unauthorized),
            ("InternalError.CamNoAuth", K::Unauthorized),
            ("FailedOperation.CamNoAuth", K::Unauthorized),
            ("AuthFailure.SignatureExpire", K::Unauthorized),
            ("InvalidParameter.GatewayAlreadyAssociatedCidr", K::Conflict),
            ("InternalError.GatewayAlreadyAssociatedCidr", K::Conflict),
            ("InternalError.CidrOutOfRouteTable", K::InvalidArgument),
            ("InternalError.CidrInvali", K::InvalidArgument),
            ("UnsupportedOperation.ConflictWithDockerRoute", K::Conflict),
            ("UnsupportedOperation.Ecmp", K::Conflict),
            ("UnsupportedOperation.InstanceNotStopped", K::Conflict),
            ("InvalidParameterValue.Duplicate", K::AlreadyExists),
            ("InvalidParameterValue.RouteNextHopInvalid", K::InvalidArgument),
            ("InvalidParameterValue.SubnetNotExist", K::InvalidArgument),
            ("InvalidInstanceId.Malformed", K::InvalidArgument),
            ("UnsupportedOperation", K::Unsupported),
            ("FailedOperation.TrafficCheckRisk", K::InUse),
            ("InternalError", K::Ambiguous),
            ("SomethingNew", K::Internal),
        ] {
            assert_eq!(kind("x:CreateThing", code), expected, "{code}");
        }
        assert_eq!(kind("x:DescribeThings", "InternalError"), K::Unavailable);
    }

    #[test]
    fn a_balancer_that_is_gone_may_say_so_in_words_only() {
        let error =
            Error::service("clb:DeleteLoadBalancer", "InvalidParameter", "LoadBalancer lb-12345678 not exist", "r");
        assert_eq!(ProviderError::from(error).kind(), ErrorKind::NotFound);
        assert_eq!(kind("clb:DeleteLoadBalancer", "InvalidParameter"), ErrorKind::InvalidArgument);
    }

    #[test]
    fn the_request_id_code_and_pause_are_kept() {
        let error = ProviderError::from(Error::service("vpc:CreateRoutes", "LimitExceeded", "50 routes", "r-7"));
        assert_eq!(error.to_string(), "vpc:CreateRoutes: LimitExceeded: 50 routes (request id r-7)");
        assert_eq!(error.code(), Some("LimitExceeded"));
        assert_eq!(error.retry(), Retry::After(SLOW));
        let denied = Error::service("clb:CreateLoadBalancer", "UnauthorizedOperation", "no", "r");
        assert_eq!(ProviderError::from(denied).retry(), Retry::After(SLOW));
        let expired = Error::service("cvm:DescribeInstances", "AuthFailure.SignatureExpire", "late", "r");
        assert_eq!(ProviderError::from(expired).retry(), Retry::After(REFRESH));
    }

    #[test]
    fn lost_answers_are_ambiguous_and_connections_that_never_were_are_not() {
        let lost = |kind| ProviderError::from(Error::from(TransportError::new(kind, "gone"))).kind();
        assert_eq!(lost(TransportErrorKind::Timeout), ErrorKind::Ambiguous);
        assert_eq!(lost(TransportErrorKind::Interrupted), ErrorKind::Ambiguous);
        assert_eq!(lost(TransportErrorKind::Connect), ErrorKind::Unavailable);
    }
}

//! What error codes mean, read off their form: codes are `Category.Detail`, and services differ in where they put the
//! telling word. TKE files many of its refusals under `InternalError` or `FailedOperation` as well as where they belong.

fn last(code: &str) -> &str {
    code.rsplit('.').next().unwrap_or(code)
}

fn category(code: &str) -> &str {
    code.split('.').next().unwrap_or(code)
}

/// Something that the request is about is not there. What is missing around it says nothing of that: the key, account,
/// region or project of the caller, the action itself, or a record of the service's own.
pub(crate) fn is_not_found(code: &str) -> bool {
    let said = category(code) == "ResourceNotFound"
        || ["NotFound", "NotExist", "NotExists", "NotExisted"].iter().any(|end| last(code).ends_with(end));
    let aside = is_auth(code)
        || matches!(category(code), "InvalidAccountId" | "InvalidProjectId" | "InvalidRegion")
        || matches!(
            last(code),
            "ActionNotFound"
                | "AppIdNotFound"
                | "DbRecordNotFound"
                | "ProjectIdNotExist"
                | "RegionNotFound"
                | "RoleNotFound"
                | "UinNotFound"
        );
    said && !aside
}

/// `RequestLimitExceeded` has other details, such as a number of jobs, that do not pass with the second.
pub(crate) fn is_throttled(code: &str) -> bool {
    matches!(
        code,
        "RequestLimitExceeded"
            | "RequestLimitExceeded.UinLimitExceeded"
            | "RequestLimitExceeded.UINLimitExceeded"
            | "RequestLimitExceeded.UinLimitedExceeded"
            | "RequestLimitExceeded.IPLimitExceeded"
            | "RequestLimitExceeded.GlobalRegionUinLimitExceeded"
            | "LimitExceeded.ActionLimited"
    )
}

pub(crate) fn is_quota(code: &str) -> bool {
    let (category, last) = (category(code), last(code));
    !is_throttled(code)
        && (matches!(category, "LimitExceeded" | "OverQuota" | "VpcLimitExceeded")
            || matches!(code, "InsufficientRefundQuota" | "InsufficientSnapshotQuota" | "InvalidKeyPair.LimitExceeded")
            || category.ends_with("QuotaLimitExceeded")
            || (category == "ResourceInsufficient" && last.ends_with("Quota"))
            || last.ends_with("QuotaLimitExceeded")
            || last.ends_with("QuotaNotEnough")
            || last.starts_with("QuotaMax")
            || last == "QuotaUSGLimit")
}

pub(crate) fn is_sold_out(code: &str) -> bool {
    let short = matches!(category(code), "ResourcesSoldOut" | "ResourceInsufficient")
        || code.contains("SoldOut")
        || code == "FailedOperation.NoAvailableIpAddressCountInSubnet";
    short && !is_quota(code) && !is_busy(code)
}

pub(crate) fn is_busy(code: &str) -> bool {
    matches!(category(code), "MutexOperation" | "ResourceBusy")
        || matches!(
            code,
            "FailedOperation.ResourceInOperating"
                | "InvalidDisk.Busy"
                | "OperationDenied.InstanceOperationInProgress"
                | "ResourceInsufficient.UpgradeServiceBusy"
                | "UnsupportedOperation.IdempotentProcessing"
                | "UnsupportedOperation.NatGatewayIsBusy"
                | "UnsupportedOperation.ResourceProcessing"
        )
        || matches!(last(code), "MutexOperationTaskRunning" | "TaskAlreadyRunning")
        || last(code).ends_with("MutexTaskRunning")
}

pub(crate) fn is_auth(code: &str) -> bool {
    matches!(category(code), "AuthFailure" | "UnauthorizedOperation") || last(code) == "CamNoAuth"
}

/// A fault inside the API, after which nobody knows what was done.
pub(crate) fn is_internal(code: &str) -> bool {
    matches!(category(code), "InternalError" | "InternalServerError" | "ServiceUnavailable") && !is_refusal(code)
}

/// What TKE files under `InternalError` though it says no to the request, and did nothing.
fn is_refusal(code: &str) -> bool {
    is_not_found(code)
        || is_quota(code)
        || is_busy(code)
        || is_auth(code)
        || last(code).starts_with("CidrConflict")
        || matches!(
            last(code),
            "AccountUserNotAuthenticated"
                | "CidrInvali"
                | "CidrMaskSizeOutOfRange"
                | "CidrOutOfRouteTable"
                | "EmptyClusterNotSupport"
                | "GatewayAlreadyAssociatedCidr"
                | "InsufficientBalance"
                | "InvalidPrivateNetworkCidr"
                | "NoPaymentAccess"
                | "NotVerified"
                | "OsNotSupport"
                | "Param"
                | "PublicClusterOpNotSupport"
                | "ResourceExistAlready"
                | "RouteTableNotEmpty"
                | "TradeInsufficientBalance"
        )
}

/// The clock is off, or a temporary key has just ended: cured by signing again, once.
pub(crate) fn is_stale_credential(code: &str) -> bool {
    is_clock_skew(code) || is_expired_token(code)
}

pub(crate) fn is_clock_skew(code: &str) -> bool {
    code == "AuthFailure.SignatureExpire"
}

pub(crate) fn is_expired_token(code: &str) -> bool {
    matches!(code, "AuthFailure.TokenFailure" | "AuthFailure.TokenExpired" | "UnauthorizedOperation.InvalidToken")
}

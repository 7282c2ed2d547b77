//! What the account may not do: denied actions, and actions that cost money when there is none.

use crate::error::ApiError;
use crate::settings::Settings;

/// The code of a denial, unless the knob gives another.
pub(crate) const DENIED: &str = "UnauthorizedOperation.CamNoAuth";

/// The actions that an account without money is refused, and the code that their documentation lists for it.
const PAID: &[(&str, &str, &str)] = &[
    ("cvm", "RunInstances", "InvalidAccount.InsufficientBalance"),
    ("vpc", "AllocateAddresses", "FailedOperation.BalanceInsufficient"),
    ("vpc", "CreateCcn", "UnsupportedOperation.InsufficientFunds"),
    ("vpc", "CreateNatGateway", "UnsupportedOperation.InsufficientFunds"),
    ("cbs", "CreateDisks", "InvalidAccount.InsufficientBalance"),
    ("cbs", "ResizeDisk", "InvalidAccount.InsufficientBalance"),
    ("cbs", "CreateSnapshot", "InvalidAccount.InsufficientBalance"),
    ("cbs", "ModifyDiskExtraPerformance", "InvalidAccount.InsufficientBalance"),
];

/// Refuses an action that the account is not allowed.
pub(crate) fn check_permission(settings: &Settings, service: &str, action: &str) -> Result<(), ApiError> {
    let denied = settings.denied.iter().filter(|(actions, _)| actions.have(service, action));
    match denied.max_by_key(|(actions, _)| actions.exactness()) {
        None => Ok(()),
        Some((_, code)) => {
            let message =
                format!("You are not authorized to perform {service}:{action}: the emulator was told to deny it.");
            Err(ApiError::new(code.clone(), message))
        }
    }
}

/// Refuses an action that the account cannot pay.
pub(crate) fn check_balance(settings: &Settings, service: &str, action: &str) -> Result<(), ApiError> {
    let paid = PAID.iter().find(|(paid_service, paid, _)| *paid_service == service && *paid == action);
    match paid {
        Some((_, _, code)) if settings.insufficient_balance => {
            Err(ApiError::new(*code, "The balance of the account does not cover this: top it up first."))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::api::APIS;

    #[test]
    fn every_paid_action_is_in_its_model() {
        for (service, action, _) in super::PAID {
            assert!(APIS.iter().any(|api| api.service == *service && api.model().unwrap().has(action)), "{action}");
        }
    }
}

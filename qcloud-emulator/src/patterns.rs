//! Names of actions in knobs: whole, or with a `*` at their end for any rest.

use crate::api::APIS;

/// Whether the pattern stands for this name.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}

/// Whether there is an action, known to the models, that service and pattern stand for; the error says what is missing.
pub(crate) fn check(service: Option<&str>, action: Option<&str>) -> Result<(), String> {
    let mut services = APIS.iter().filter(|api| service.is_none_or(|service| service == api.service)).peekable();
    if services.peek().is_none() {
        let mut known: Vec<&str> = APIS.iter().map(|api| api.service).collect();
        known.dedup();
        return Err(format!("there is no service `{}`, only {}", service.unwrap_or_default(), known.join(", ")));
    }
    let Some(action) = action else { return Ok(()) };
    let known = services.filter_map(|api| api.model().ok()).any(|model| model.actions().any(|name| fits(action, name)));
    if known {
        return Ok(());
    }
    match service {
        Some(service) => Err(format!("{service} has no action `{action}`")),
        None => Err(format!("there is no action `{action}`")),
    }
}

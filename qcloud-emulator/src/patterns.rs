//! Names of actions in knobs: whole, or with a `*` at their end for any rest.

use serde::{Deserialize, Serialize};

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

/// Actions as knobs name them, `cvm:RunInstances`. The service may be `*`, and the action may end in one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Actions {
    service: String,
    action: String,
}

impl Actions {
    pub(crate) fn new(service: impl Into<String>, action: impl Into<String>) -> Self {
        Self { service: service.into(), action: action.into() }
    }

    pub(crate) fn have(&self, service: &str, action: &str) -> bool {
        fits(&self.service, service) && fits(&self.action, action)
    }

    /// How exactly they are named: of two that have an action, the knob of the more exact one counts.
    pub(crate) fn exactness(&self) -> (usize, usize) {
        (self.action.len(), self.service.len())
    }
}

impl TryFrom<String> for Actions {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (service, action) = text
            .split_once(':')
            .ok_or_else(|| format!("`{text}` must read `<service>:<action>`, such as `cvm:RunInstances`"))?;
        check(Some(service).filter(|service| *service != "*"), Some(action))?;
        Ok(Self::new(service, action))
    }
}

impl From<Actions> for String {
    fn from(actions: Actions) -> Self {
        format!("{}:{}", actions.service, actions.action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_named_whole_or_by_their_beginning() {
        let read = |text: &str| Actions::try_from(text.to_owned());
        for (text, service, action, has) in [
            ("cvm:RunInstances", "cvm", "RunInstances", true),
            ("cvm:RunInstances", "vpc", "RunInstances", false),
            ("cvm:Describe*", "cvm", "DescribeZones", true),
            ("cvm:Describe*", "cvm", "RunInstances", false),
            ("*:Delete*", "vpc", "DeleteVpc", true),
            ("*:*", "vpc", "DeleteVpc", true),
        ] {
            assert_eq!(read(text).unwrap().have(service, action), has, "{text} {service} {action}");
            assert_eq!(String::from(read(text).unwrap()), text);
        }
        for (text, part) in [("Run", "must read"), ("ec2:*", "no service `ec2`"), ("cvm:Foo*", "cvm has no action")] {
            assert!(read(text).unwrap_err().contains(part), "{text}");
        }
    }
}

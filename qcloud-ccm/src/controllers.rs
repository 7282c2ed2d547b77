//! Which controllers run.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// A controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// Initialises nodes and follows what becomes of their machines.
    Node,
    /// Keeps the routes to pods.
    Route,
    /// Serves Services of type LoadBalancer.
    Service,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Node, Self::Route, Self::Service];

    /// Its name here.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Route => "route",
            Self::Service => "service",
        }
    }

    /// The controllers of this name: ours, or one of Kubernetes' own names, of which two stand for our one of nodes.
    fn named(name: &str) -> Option<Self> {
        match name {
            "node"
            | "cloud-node"
            | "cloud-node-controller"
            | "cloud-node-lifecycle"
            | "cloud-node-lifecycle-controller" => Some(Self::Node),
            "route" | "node-route-controller" => Some(Self::Route),
            "service" | "service-lb-controller" => Some(Self::Service),
            _ => None,
        }
    }
}

/// A choice of controllers: `*` for all, a name for one, `-name` for all but one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controllers {
    on: BTreeSet<Kind>,
    named: BTreeSet<Kind>,
}

impl Controllers {
    /// Whether it runs.
    #[must_use]
    pub fn has(&self, kind: Kind) -> bool {
        self.on.contains(&kind)
    }

    /// Whether it was asked for by its name, so that it is an error when it can't run.
    #[must_use]
    pub fn insists_on(&self, kind: Kind) -> bool {
        self.named.contains(&kind)
    }
}

impl Default for Controllers {
    fn default() -> Self {
        Self { on: Kind::ALL.into(), named: BTreeSet::new() }
    }
}

/// A name that no controller has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no controller `{0}`; there are node, route and service, `*` for all, and `-name` for all but one")]
pub struct UnknownController(String);

impl FromStr for Controllers {
    type Err = UnknownController;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (mut on, mut off) = (BTreeSet::new(), BTreeSet::new());
        let mut all = false;
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let kind = |name: &str| Kind::named(name).ok_or_else(|| UnknownController(word.to_owned()));
            match word.strip_prefix('-') {
                _ if word == "*" => all = true,
                Some(name) => drop(off.insert(kind(name)?)),
                None => drop(on.insert(kind(word)?)),
            }
        }
        let named: BTreeSet<Kind> = on.difference(&off).copied().collect();
        let mut on = named.clone();
        // A list of exceptions alone is meant as exceptions from all.
        if all || (on.is_empty() && !off.is_empty()) {
            on.extend(Kind::ALL.iter().filter(|kind| !off.contains(kind)));
        }
        Ok(Self { on, named })
    }
}

impl fmt::Display for Controllers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.on.iter().map(|kind| kind.name()).collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_read() {
        let read = |text: &str| text.parse::<Controllers>().unwrap().to_string();
        assert_eq!(read("*"), "node,route,service");
        assert_eq!(read("*,-route"), "node,service");
        assert_eq!(read("-service"), "node,route");
        assert_eq!(read("node"), "node");
        assert_eq!(read("service-lb-controller, cloud-node-lifecycle-controller"), "node,service");
        assert_eq!("*,nodes".parse::<Controllers>(), Err(UnknownController("nodes".to_owned())));
    }

    #[test]
    fn only_what_is_named_is_insisted_on() {
        let choice: Controllers = "*,route".parse().unwrap();
        assert!(choice.insists_on(Kind::Route) && !choice.insists_on(Kind::Service) && choice.has(Kind::Service));
    }
}

//! Who uses which object: directions and groups.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Model;

/// How the objects of a model are used.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    sent: BTreeSet<String>,
    received: BTreeSet<String>,
    /// Groups whose actions reach the object.
    groups: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Walks from the requests and responses of all actions; `group_of` says where an action belongs.
    pub(crate) fn new<'a>(model: &'a Model, group_of: impl Fn(&str) -> &'a str) -> Self {
        let mut graph = Self::default();
        for (name, action) in &model.actions {
            let group = group_of(name);
            for (object, sent) in [(&action.input, true), (&action.output, false)] {
                let reached = reach(model, object);
                for object in &reached {
                    graph.groups.entry((*object).to_owned()).or_default().insert(group.to_owned());
                }
                let side = if sent { &mut graph.sent } else { &mut graph.received };
                side.extend(reached.into_iter().map(str::to_owned));
            }
        }
        graph
    }

    pub(crate) fn is_sent(&self, object: &str) -> bool {
        self.sent.contains(object)
    }

    pub(crate) fn is_received(&self, object: &str) -> bool {
        self.received.contains(object)
    }

    pub(crate) fn groups(&self, object: &str) -> impl Iterator<Item = &str> {
        self.groups.get(object).into_iter().flatten().map(String::as_str)
    }
}

fn reach<'a>(model: &'a Model, object: &'a str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![object];
    while let Some(object) = waiting.pop() {
        if model.objects.contains_key(object) && reached.insert(object) {
            waiting.extend(model.members(object).iter().map(|member| member.type_name()));
        }
    }
    reached
}

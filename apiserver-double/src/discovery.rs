//! What the server says of itself.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::store::Store;

/// The answer to a GET of a path that is not one of a resource.
pub(crate) fn answer(store: &Store, path: &str) -> Option<Value> {
    let parts = path.trim_start_matches('/').split('/').collect::<Vec<_>>();
    match parts.as_slice() {
        ["version"] => Some(json!({
            "major": "1", "minor": "33", "gitVersion": "v1.33.0-double", "gitCommit": "", "gitTreeState": "clean",
            "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "rustc", "platform": "memory",
        })),
        ["api"] => Some(json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [] })),
        ["apis"] => {
            let groups = groups(store).into_iter().map(|(name, version)| group(&name, &version)).collect::<Vec<_>>();
            Some(json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups }))
        }
        ["apis", name] => {
            let (_, version) = groups(store).into_iter().find(|(known, _)| known == name)?;
            let mut group = group(name, &version);
            if let Some(fields) = group.as_object_mut() {
                fields.insert("kind".to_owned(), "APIGroup".into());
                fields.insert("apiVersion".to_owned(), "v1".into());
            }
            Some(group)
        }
        ["api", version] => resources(store, "", version),
        ["apis", group, version] => resources(store, group, version),
        _ => None,
    }
}

fn groups(store: &Store) -> BTreeSet<(String, String)> {
    let kinds = store.tables().map(|table| &table.kind);
    kinds.filter(|kind| !kind.group.is_empty()).map(|kind| (kind.group.clone(), kind.version.clone())).collect()
}

fn group(name: &str, version: &str) -> Value {
    let version = json!({ "groupVersion": format!("{name}/{version}"), "version": version });
    json!({ "name": name, "versions": [version], "preferredVersion": version })
}

fn resources(store: &Store, group: &str, version: &str) -> Option<Value> {
    let kinds = store.tables().map(|table| &table.kind);
    let kinds = kinds.filter(|kind| kind.group == group && kind.version == version && !kind.kind.is_empty());
    let mut resources = Vec::new();
    for kind in kinds {
        let verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
        let singular = kind.kind.to_lowercase();
        resources.push(json!({
            "name": kind.plural, "singularName": singular, "namespaced": kind.namespaced, "kind": kind.kind,
            "verbs": verbs,
        }));
        if kind.traits.status {
            resources.push(json!({
                "name": format!("{}/status", kind.plural), "singularName": "", "namespaced": kind.namespaced,
                "kind": kind.kind, "verbs": ["get", "patch", "update"],
            }));
        }
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let list = json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources,
    });
    (!resources.is_empty()).then_some(list)
}

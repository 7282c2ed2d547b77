//! What an administrator does: past faults, versions and finalizers' guards, but not past the rules for good objects.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::json::At as _;
use crate::kinds::{self, Kind};
use crate::refusal::Refusal;
use crate::rules::{self, Taken};
use crate::state::State;
use crate::store::{Key, Table};
use crate::write::{metadata, text};

/// Why the server does not keep an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} ({code}): {message}")]
#[non_exhaustive]
pub struct Refused {
    /// The status that a client would have got, such as 422.
    pub code: u16,
    /// The reason in one word, such as `Invalid`.
    pub reason: String,
    /// What is wrong.
    pub message: String,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { code: refusal.code, reason: refusal.reason, message: refusal.message }
    }
}

pub(crate) fn put(state: &mut State, mut object: Value) -> Result<Value, Refused> {
    let api_version = object.at("apiVersion").as_str().unwrap_or_default().to_owned();
    let named = object.at("kind").as_str().unwrap_or_default().to_owned();
    if api_version.is_empty() || named.is_empty() {
        return Err(Refusal::bad_request("an object has an apiVersion and a kind").into());
    }
    if metadata(&mut object).is_none()
        && let Some(fields) = object.as_object_mut()
    {
        fields.insert("metadata".to_owned(), Value::Object(Map::new()));
    }
    let kind = kind_or_new(state, &api_version, &named, !text(&object, "namespace").is_empty())?;
    let misfit = rules::read(&kind, &mut object);
    if let Some(wrong) = misfit.wrong.first() {
        return Err(Refusal::bad_request(wrong.clone()).into());
    }
    if !misfit.unknown.is_empty() {
        return Err(Refusal::bad_request(format!("unknown fields: {}", misfit.unknown.join(", "))).into());
    }
    let key = place(&kind, &mut object);
    if !key.namespace.is_empty() {
        make_namespace(state, &key.namespace);
    }
    let before = state.store.of(&kind).and_then(|table| table.get(&key)).map(|before| before.value().clone());
    let (uid, now) = (state.uid(), state.clock.text());
    if let Some(metadata) = metadata(&mut object) {
        let old = before.as_ref().map_or(&Value::Null, |before| before.at("metadata"));
        let mut keep = |field: &str, new: Value| {
            let value = old.get(field).cloned().unwrap_or(new);
            metadata.entry(field).or_insert(value);
        };
        keep("uid", uid.into());
        keep("creationTimestamp", now.into());
        if kind.traits.generation {
            keep("generation", json!(1));
        }
    }
    let services = state.store.table("", "services").filter(|_| kind.is_core("Service"));
    let others = services.into_iter().flat_map(|table| table.objects());
    let others = others.filter(|(other, _)| **other != key).map(|(_, other)| other.value());
    let mut taken = Taken::by(others, &mut state.random);
    rules::complete(&kind, &mut object, before.as_ref(), &mut taken);
    let wrong = rules::check(&kind, &object, None, false, &taken);
    if !wrong.is_empty() {
        return Err(Refusal::invalid(&kind, &key.name, &wrong).into());
    }
    let written = state.store.write(&kind, key, object).ok_or_else(Refusal::no_such_path)?;
    Ok(written.value().clone())
}

/// Puts the object where its kind belongs: in its namespace, the default one, or none.
fn place(kind: &Kind, object: &mut Value) -> Key {
    let mut namespace = text(object, "namespace").to_owned();
    if namespace.is_empty() && kind.namespaced {
        "default".clone_into(&mut namespace);
    }
    if let Some(metadata) = metadata(object) {
        if kind.namespaced {
            metadata.insert("namespace".to_owned(), namespace.clone().into());
        } else {
            metadata.remove("namespace");
            namespace.clear();
        }
    }
    Key::new(&namespace, text(object, "name"))
}

pub(crate) fn make_namespace(state: &mut State, name: &str) {
    let Some(kind) = state.store.table("", "namespaces").map(|table| Arc::clone(&table.kind)) else { return };
    let key = Key::new("", name);
    if state.store.of(&kind).is_some_and(|table| table.get(&key).is_some()) {
        return;
    }
    let (uid, now) = (state.uid(), state.clock.text());
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {
            "name": name, "uid": uid, "creationTimestamp": now, "labels": { "kubernetes.io/metadata.name": name },
        },
        "spec": { "finalizers": ["kubernetes"] },
        "status": { "phase": "Active" },
    });
    state.store.write(&kind, key, namespace);
}

pub(crate) fn get(state: &State, api_version: &str, kind: &str, namespace: &str, name: &str) -> Option<Value> {
    let table = table(state, api_version, kind)?;
    table.get(&Key::new(namespace, name)).map(|object| object.value().clone())
}

pub(crate) fn list(state: &State, api_version: &str, kind: &str) -> Vec<Value> {
    let objects = table(state, api_version, kind).into_iter().flat_map(|table| table.objects().values());
    objects.map(|object| object.value().clone()).collect()
}

pub(crate) fn delete(state: &mut State, api_version: &str, kind: &str, namespace: &str, name: &str) -> bool {
    let Some(table) = table(state, api_version, kind) else { return false };
    let (kind, key) = (Arc::clone(&table.kind), Key::new(namespace, name));
    let Some(found) = table.get(&key).map(Arc::clone) else { return false };
    state.delete_all(&kind, &[(key, found)]);
    true
}

fn table<'a>(state: &'a State, api_version: &str, kind: &str) -> Option<&'a Table> {
    let (group, version) = kinds::split_api_version(api_version);
    let of_kind = |known: &Kind| known.group == group && known.version == version && known.kind == kind;
    let by_name = state.store.tables().find(|table| of_kind(&table.kind));
    // The kind of a custom resource that was only seen in paths has no name.
    by_name.or_else(|| state.store.table(group, &kinds::plural_of(kind)).filter(|table| table.kind.kind.is_empty()))
}

fn kind_or_new(state: &mut State, api_version: &str, named: &str, namespaced: bool) -> Result<Arc<Kind>, Refused> {
    let (group, version) = kinds::split_api_version(api_version);
    if table(state, api_version, named).is_none() {
        if kinds::is_built_in_group(group) {
            let message = format!("no matches for kind {named:?} in version {api_version:?}");
            return Err(Refusal::new(404, "NotFound", message).into());
        }
        state.store.learn(Kind::untyped(group, version, &kinds::plural_of(named), named, namespaced));
    }
    table(state, api_version, named).map(|table| Arc::clone(&table.kind)).ok_or_else(|| Refusal::no_such_path().into())
}

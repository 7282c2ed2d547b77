//! What the server completes in objects that come in, and what it refuses.

mod event;
mod fields;
mod lease;
mod metadata;
pub(crate) mod names;
mod node;
mod service;
mod slices;

use std::net::IpAddr;

use serde_json::{Map, Value, json};

pub(crate) use fields::read;
pub(crate) use service::Taken;

use crate::json::At as _;
use crate::kinds::Kind;
use crate::refusal::Cause;

/// Fills in what the server decides or takes as agreed.
pub(crate) fn complete(kind: &Kind, object: &mut Value, before: Option<&Value>, taken: &mut Taken<'_>) {
    if matches!((kind.group.as_str(), kind.kind.as_str()), ("", "Node" | "Service") | ("coordination.k8s.io", "Lease"))
    {
        set_default(object, &[], "spec", json!({}));
    }
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Node") => node::complete(object),
        ("", "Service") => service::complete(object, before, taken),
        ("", "Namespace") => {
            let name = object.at("metadata.name").clone();
            if let Some(labels) = object_at(object, &["metadata", "labels"]) {
                labels.insert("kubernetes.io/metadata.name".to_owned(), name);
            }
            set_default(object, &["status"], "phase", json!("Active"));
        }
        ("", "Pod") => set_default(object, &["status"], "phase", json!("Pending")),
        ("", "Secret") if before.is_none() => set_default(object, &[], "type", json!("Opaque")),
        _ => {}
    }
}

/// What is wrong with an object that is to be kept. `status` is true for writes to the status.
pub(crate) fn check(
    kind: &Kind,
    object: &Value,
    before: Option<&Value>,
    status: bool,
    taken: &Taken<'_>,
) -> Vec<Cause> {
    let mut wrong = metadata::check(kind, object, before);
    wrong.extend(match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Node") => node::check(object, before),
        ("", "Service") if status => service::check_status(object),
        ("", "Service") => service::check(object, before, taken),
        ("", "Event") => event::check_core(object),
        ("events.k8s.io", "Event") => event::check(object, before),
        ("coordination.k8s.io", "Lease") => lease::check(object),
        ("discovery.k8s.io", "EndpointSlice") => slices::check(object, before),
        _ => Vec::new(),
    });
    wrong
}

/// The items of a list; none of what is no list.
fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// The entries of an object whose values are text.
fn strings(object: &Value) -> impl Iterator<Item = (&str, &str)> {
    object.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default()))
}

/// The object at this path, made where there is none.
fn object_at<'a>(object: &'a mut Value, path: &[&str]) -> Option<&'a mut Map<String, Value>> {
    let mut at = object;
    for step in path {
        let next = at.as_object_mut()?.entry((*step).to_owned()).or_insert(Value::Null);
        if next.is_null() {
            *next = json!({});
        }
        at = next;
    }
    at.as_object_mut()
}

fn set_default(object: &mut Value, path: &[&str], field: &str, value: Value) {
    if let Some(fields) = object_at(object, path)
        && fields.get(field).is_none_or(Value::is_null)
    {
        fields.insert(field.to_owned(), value);
    }
}

/// 4 or 6 for a range such as `10.0.0.0/8`.
fn family_of_range(text: &str) -> Option<u8> {
    let (address, bits) = text.split_once('/')?;
    let bits = bits.parse::<u8>().ok()?;
    match address.parse::<IpAddr>().ok()? {
        IpAddr::V4(_) => (bits <= 32).then_some(4),
        IpAddr::V6(_) => (bits <= 128).then_some(6),
    }
}

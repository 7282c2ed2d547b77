//! Strategic merge patches: merge patches that know which lists have keys.

use serde_json::{Map, Value};

use super::lists::{self, ListRule};
use crate::kinds::Kind;
use crate::refusal::Refusal;

const PATCH: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const DELETE_VALUES: &str = "$deleteFromPrimitiveList/";
const ORDER: &str = "$setElementOrder/";

pub(super) fn apply(kind: &Kind, object: &mut Value, patch: &Value) -> Result<(), Refusal> {
    match (object.as_object_mut(), patch.as_object()) {
        (Some(object), Some(patch)) => merge(kind, "", object, patch),
        _ => Err(Refusal::bad_request("error decoding patch: a strategic merge patch is a JSON object")),
    }
}

fn bad_format(what: &str) -> Refusal {
    Refusal::bad_request(format!("invalid patch format of {what}"))
}

fn merge(kind: &Kind, path: &str, target: &mut Map<String, Value>, patch: &Map<String, Value>) -> Result<(), Refusal> {
    match patch.get(PATCH).map(Value::as_str) {
        None | Some(Some("merge")) => {}
        Some(Some("replace")) => {
            *target = patch.clone();
            target.remove(PATCH);
            return Ok(());
        }
        Some(Some("delete")) => {
            target.clear();
            return Ok(());
        }
        Some(_) => return Err(Refusal::bad_request(format!("Unknown value of the directive {PATCH}"))),
    }
    if let Some(retained) = patch.get(RETAIN) {
        let retained = retained.as_array().ok_or_else(|| bad_format(RETAIN))?;
        target.retain(|name, _| retained.iter().any(|one| one.as_str() == Some(name)));
    }
    for (name, value) in patch {
        if name == PATCH || name == RETAIN || name.starts_with(ORDER) {
            continue;
        }
        if let Some(name) = name.strip_prefix(DELETE_VALUES) {
            let gone = value.as_array().ok_or_else(|| bad_format(DELETE_VALUES))?;
            if let Some(items) = target.get_mut(name).and_then(Value::as_array_mut) {
                items.retain(|item| !gone.contains(item));
            }
            continue;
        }
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match value {
            Value::Null => {
                target.remove(name);
            }
            Value::Object(patch) => {
                let deletes = patch.get(PATCH).and_then(Value::as_str) == Some("delete");
                if deletes {
                    target.remove(name);
                    continue;
                }
                let entry = target.entry(name.clone()).or_insert(Value::Null);
                merge_into(kind, &path, entry, patch)?;
            }
            Value::Array(items) => merge_list(kind, &path, target.entry(name.clone()).or_insert(Value::Null), items)?,
            scalar => {
                target.insert(name.clone(), scalar.clone());
            }
        }
    }
    for (name, order) in patch.iter().filter_map(|(name, order)| Some((name.strip_prefix(ORDER)?, order))) {
        let order = order.as_array().ok_or_else(|| bad_format(ORDER))?;
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        if let Some(items) = target.get_mut(name).and_then(Value::as_array_mut) {
            sort(lists::rule(kind, &path), items, order);
        }
    }
    Ok(())
}

/// Merges into what may not be an object yet.
fn merge_into(kind: &Kind, path: &str, target: &mut Value, patch: &Map<String, Value>) -> Result<(), Refusal> {
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    match target.as_object_mut() {
        Some(target) => merge(kind, path, target, patch),
        None => Ok(()),
    }
}

fn merge_list(kind: &Kind, path: &str, target: &mut Value, patch: &[Value]) -> Result<(), Refusal> {
    let directive = |item: &Value| item.get(PATCH).and_then(Value::as_str).map(str::to_owned);
    if patch.iter().any(|item| directive(item).as_deref() == Some("replace")) {
        *target = patch.iter().filter(|item| directive(item).is_none()).cloned().collect();
        return Ok(());
    }
    let rule = lists::rule(kind, path);
    if rule == ListRule::Replace || !target.is_array() {
        *target = Value::Array(Vec::new());
    }
    let Some(items) = target.as_array_mut() else { return Ok(()) };
    for item in patch {
        match rule {
            ListRule::Replace => items.push(item.clone()),
            ListRule::Set => {
                if !items.contains(item) {
                    items.push(item.clone());
                }
            }
            ListRule::ByKey(key) => {
                let (Some(fields), Some(value)) = (item.as_object(), item.get(key)) else {
                    let why = format!("map: {item} does not contain declared merge key: {key}");
                    return Err(Refusal::new(500, "", why));
                };
                if directive(item).as_deref() == Some("delete") {
                    items.retain(|item| item.get(key) != Some(value));
                } else if let Some(found) = items.iter_mut().find(|item| item.get(key) == Some(value)) {
                    merge_into(kind, path, found, fields)?;
                } else {
                    let mut added = Value::Null;
                    merge_into(kind, path, &mut added, fields)?;
                    items.push(added);
                }
            }
        }
    }
    Ok(())
}

/// Puts a list into the order asked for; what is not in it keeps its place behind.
fn sort(rule: ListRule, items: &mut [Value], order: &[Value]) {
    let place = |item: &Value| {
        let found = order.iter().position(|wanted| match rule {
            ListRule::ByKey(key) => wanted.get(key).is_some() && wanted.get(key) == item.get(key),
            _ => wanted == item,
        });
        found.unwrap_or(order.len())
    };
    items.sort_by_key(place);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::built_in;

    fn patched(kind: &str, object: Value, patch: Value) -> Value {
        let kind = built_in().into_iter().find(|known| known.kind == kind).unwrap();
        let mut object = object;
        apply(&kind, &mut object, &patch).unwrap();
        object
    }

    #[test]
    fn conditions_merge_by_type() {
        let node = json!({ "status": { "conditions": [{ "type": "Ready", "status": "True", "reason": "r" }] } });
        let patch = json!({ "status": { "conditions": [
            { "type": "NetworkUnavailable", "status": "False" }, { "type": "Ready", "status": "False" },
        ] } });
        let conditions = json!([
            { "type": "Ready", "status": "False", "reason": "r" }, { "type": "NetworkUnavailable", "status": "False" },
        ]);
        assert_eq!(patched("Node", node, patch), json!({ "status": { "conditions": conditions } }));
    }

    #[test]
    fn taints_are_replaced_whole() {
        let taint = |key: &str| json!({ "key": key, "effect": "NoSchedule" });
        let node = json!({ "spec": { "taints": [taint("a"), taint("b")] } });
        let patch = json!({ "spec": { "taints": [taint("c")] } });
        assert_eq!(patched("Node", node, patch.clone()), patch);
    }

    #[test]
    fn two_addresses_of_a_type_collapse_unless_replaced() {
        let address = |ip: &str| json!({ "type": "InternalIP", "address": ip });
        let node = json!({ "status": { "addresses": [address("10.0.0.1")] } });
        let both = json!({ "status": { "addresses": [address("10.0.0.2"), address("fd00::2")] } });
        let collapsed = json!({ "status": { "addresses": [address("fd00::2")] } });
        assert_eq!(patched("Node", node.clone(), both.clone()), collapsed);
        let replace = json!({ "status": { "addresses": [
            { "$patch": "replace" }, address("10.0.0.2"), address("fd00::2"),
        ] } });
        assert_eq!(patched("Node", node, replace), both);
    }

    #[test]
    fn finalizers_are_a_set() {
        let service = json!({ "metadata": { "finalizers": ["a/a", "b/b"] } });
        let added = patched("Service", service.clone(), json!({ "metadata": { "finalizers": ["c/c", "a/a"] } }));
        assert_eq!(added, json!({ "metadata": { "finalizers": ["a/a", "b/b", "c/c"] } }));
        let patch = json!({ "metadata": {
            "$deleteFromPrimitiveList/finalizers": ["a/a"], "$setElementOrder/finalizers": ["b/b"],
        } });
        assert_eq!(patched("Service", service, patch), json!({ "metadata": { "finalizers": ["b/b"] } }));
    }

    #[test]
    fn ports_merge_by_port_and_can_be_deleted() {
        let service = json!({ "spec": { "ports": [{ "port": 80, "nodePort": 30080 }, { "port": 443 }] } });
        let patch = json!({ "spec": {
            "ports": [{ "port": 443, "$patch": "delete" }, { "port": 80, "name": "http" }, { "port": 8080 }],
            "$setElementOrder/ports": [{ "port": 8080 }, { "port": 80 }],
        } });
        let ports = json!([{ "port": 8080 }, { "port": 80, "nodePort": 30080, "name": "http" }]);
        assert_eq!(patched("Service", service, patch), json!({ "spec": { "ports": ports } }));
    }

    #[test]
    fn directives_replace_and_retain() {
        let service = json!({ "spec": { "selector": { "a": "1", "b": "2" }, "type": "NodePort", "x": 1 } });
        let replaced =
            patched("Service", service.clone(), json!({ "spec": { "selector": { "$patch": "replace", "c": "3" } } }));
        assert_eq!(replaced["spec"]["selector"], json!({ "c": "3" }));
        let kept = patched("Service", service, json!({ "spec": { "$retainKeys": ["type"], "type": "ClusterIP" } }));
        assert_eq!(kept["spec"], json!({ "type": "ClusterIP" }));
    }

    #[test]
    fn an_item_without_its_key_is_an_error() {
        let kind = built_in().into_iter().find(|known| known.kind == "Node").unwrap();
        let patch = json!({ "status": { "conditions": [{ "status": "True" }] } });
        assert_eq!(apply(&kind, &mut json!({}), &patch).unwrap_err().code, 500);
    }
}

//! JSON patches, RFC 6902.

use serde_json::Value;

use super::unprocessable;
use crate::refusal::Refusal;

/// More operations than this are refused.
const MOST: usize = 10_000;

pub(super) fn apply(object: &mut Value, patch: &Value) -> Result<(), Refusal> {
    let Some(operations) = patch.as_array() else {
        return Err(Refusal::bad_request("error decoding patch: a JSON patch is a list of operations"));
    };
    if operations.len() > MOST {
        let message = format!("the allowed maximum operations in a JSON patch is {MOST}, got {}", operations.len());
        return Err(Refusal::new(413, "RequestEntityTooLarge", message));
    }
    operations.iter().try_for_each(|operation| step(object, operation))
}

fn step(object: &mut Value, operation: &Value) -> Result<(), Refusal> {
    let text = |name: &str| {
        operation.get(name).and_then(Value::as_str).ok_or_else(|| unprocessable(format!("{operation} has no {name:?}")))
    };
    let value =
        || operation.get("value").cloned().ok_or_else(|| unprocessable(format!("{operation} has no \"value\"")));
    let path = text("path")?;
    match text("op")? {
        "add" => add(object, path, value()?),
        "remove" => remove(object, path).map(drop),
        "replace" => {
            let value = value()?;
            *find(object, path)? = value;
            Ok(())
        }
        "move" => {
            let moved = remove(object, text("from")?)?;
            add(object, path, moved)
        }
        "copy" => {
            let copied = find(object, text("from")?)?.clone();
            add(object, path, copied)
        }
        "test" => {
            let wanted = value()?;
            // What is absent counts as null.
            let found = object.pointer(path).unwrap_or(&Value::Null);
            if *found == wanted { Ok(()) } else { Err(unprocessable(format!("testing value {path} failed"))) }
        }
        other => Err(unprocessable(format!("unexpected kind of operation: {other}"))),
    }
}

fn missing(path: &str) -> Refusal {
    unprocessable(format!("there is nothing at {path:?}"))
}

fn find<'a>(object: &'a mut Value, path: &str) -> Result<&'a mut Value, Refusal> {
    object.pointer_mut(path).ok_or_else(|| missing(path))
}

/// The object or list that holds what the path names, and the last part of the path.
fn parent<'a>(object: &'a mut Value, path: &str) -> Result<(&'a mut Value, String), Refusal> {
    let (parent, last) = path.rsplit_once('/').ok_or_else(|| missing(path))?;
    Ok((find(object, parent)?, last.replace("~1", "/").replace("~0", "~")))
}

fn add(object: &mut Value, path: &str, value: Value) -> Result<(), Refusal> {
    if path.is_empty() {
        *object = value;
        return Ok(());
    }
    match parent(object, path)? {
        (Value::Object(fields), name) => {
            fields.insert(name, value);
        }
        (Value::Array(items), last) => {
            let at = if last == "-" { Some(items.len()) } else { last.parse().ok() };
            let at = at.filter(|at| *at <= items.len()).ok_or_else(|| missing(path))?;
            items.insert(at, value);
        }
        _ => return Err(missing(path)),
    }
    Ok(())
}

fn remove(object: &mut Value, path: &str) -> Result<Value, Refusal> {
    let removed = match parent(object, path)? {
        (Value::Object(fields), name) => fields.remove(&name),
        (Value::Array(items), last) => {
            let at = last.parse().ok().filter(|at| *at < items.len());
            at.map(|at: usize| items.remove(at))
        }
        _ => None,
    };
    removed.ok_or_else(|| missing(path))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_operation_does_what_the_rfc_says() {
        let mut object = json!({ "a": { "b/c": 1 }, "l": [1, 2] });
        let patch = json!([
            { "op": "test", "path": "/a/b~1c", "value": 1 },
            { "op": "add", "path": "/l/1", "value": 9 },
            { "op": "add", "path": "/l/-", "value": 3 },
            { "op": "remove", "path": "/l/0" },
            { "op": "replace", "path": "/a/b~1c", "value": 2 },
            { "op": "copy", "from": "/a", "path": "/copy" },
            { "op": "move", "from": "/a/b~1c", "path": "/moved" },
            { "op": "test", "path": "/nothing", "value": null },
        ]);
        apply(&mut object, &patch).unwrap();
        assert_eq!(object, json!({ "a": {}, "l": [9, 2, 3], "copy": { "b/c": 2 }, "moved": 2 }));
    }

    #[test]
    fn what_can_not_be_done_is_refused() {
        for operation in [
            json!({ "op": "test", "path": "/a", "value": 2 }),
            json!({ "op": "remove", "path": "/x" }),
            json!({ "op": "replace", "path": "/x", "value": 1 }),
            json!({ "op": "add", "path": "/l/5", "value": 1 }),
            json!({ "op": "add", "path": "/x/y", "value": 1 }),
            json!({ "op": "add", "path": "/x" }),
            json!({ "op": "polish", "path": "/a" }),
        ] {
            let mut object = json!({ "a": 1, "l": [] });
            assert_eq!(apply(&mut object, &json!([operation])).unwrap_err().code, 422, "{operation}");
        }
        assert_eq!(apply(&mut json!({}), &json!({})).unwrap_err().code, 400);
    }
}

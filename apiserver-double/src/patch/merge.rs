//! Merge patches, RFC 7386.

use serde_json::{Map, Value};

use crate::refusal::Refusal;

pub(super) fn apply(object: &mut Value, patch: Value) -> Result<(), Refusal> {
    if !patch.is_object() {
        return Err(Refusal::bad_request("error decoding patch: a merge patch is a JSON object"));
    }
    merge(object, patch);
    Ok(())
}

fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(fields) = target.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(&name);
        } else {
            merge(fields.entry(name).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_merge_lists_are_replaced_and_null_removes() {
        let mut object = json!({ "a": { "b": 1, "c": 2 }, "l": [1, 2], "gone": 1 });
        apply(&mut object, json!({ "a": { "c": 3 }, "l": [9], "gone": null, "new": { "x": null, "y": 1 } })).unwrap();
        assert_eq!(object, json!({ "a": { "b": 1, "c": 3 }, "l": [9], "new": { "y": 1 } }));
    }
}

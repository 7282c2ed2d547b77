//! The rules for `metadata`, which all kinds share.

use serde_json::Value;

use super::{names, strings};
use crate::json::At as _;
use crate::kinds::Kind;
use crate::refusal::Cause;

/// All annotations of an object together may be no longer.
const ANNOTATIONS: usize = 256 * 1024;

/// What is wrong with the metadata of an object that is made or changed.
pub(super) fn check(kind: &Kind, object: &Value, before: Option<&Value>) -> Vec<Cause> {
    let metadata = object.at("metadata");
    let mut wrong = Vec::new();
    if before.is_none() {
        name(kind, metadata, &mut wrong);
    }
    keys_and_values(metadata, &mut wrong);
    finalizers(metadata, before, &mut wrong);
    owners(metadata.at("ownerReferences"), &mut wrong);
    if let Some(before) = before {
        for field in
            ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"]
        {
            if metadata.at(field) != before.at("metadata").at(field) {
                wrong.push(Cause::invalid(format!("metadata.{field}"), metadata.at(field), "field is immutable"));
            }
        }
    }
    wrong
}

fn name(kind: &Kind, metadata: &Value, wrong: &mut Vec<Cause>) {
    let text = metadata.at("name").as_str().unwrap_or_default();
    let answer = match (kind.group.as_str(), kind.kind.as_str()) {
        _ if text.is_empty() => {
            wrong.push(Cause::required("metadata.name", "name or generateName is required"));
            return;
        }
        ("", "Namespace") => names::label(text),
        ("", "Service") => names::label_1035(text),
        // Roles and their bindings only have to fit into a path.
        ("rbac.authorization.k8s.io", _) if !text.contains(['/', '%']) && text != "." && text != ".." => Ok(()),
        _ => names::subdomain(text),
    };
    if let Err(why) = answer {
        wrong.push(Cause::invalid("metadata.name", metadata.at("name"), why));
    }
}

fn keys_and_values(metadata: &Value, wrong: &mut Vec<Cause>) {
    for (key, value) in strings(metadata.at("labels")) {
        if let Err(why) = names::qualified(key) {
            wrong.push(Cause::invalid("metadata.labels", &key.into(), why));
        }
        if let Err(why) = names::label_value(value) {
            wrong.push(Cause::invalid("metadata.labels", &value.into(), why));
        }
    }
    let mut size = 0;
    for (key, value) in strings(metadata.at("annotations")) {
        // Upper case is forgiven here, in the domain as well.
        if let Err(why) = names::qualified(&key.to_lowercase()) {
            wrong.push(Cause::invalid("metadata.annotations", &key.into(), why));
        }
        size += key.len() + value.len();
    }
    if size > ANNOTATIONS {
        wrong.push(Cause::too_long("metadata.annotations", format!("may not be more than {ANNOTATIONS} bytes")));
    }
}

fn finalizers(metadata: &Value, before: Option<&Value>, wrong: &mut Vec<Cause>) {
    let list = |metadata: &Value| metadata.at("finalizers").as_array().cloned().unwrap_or_default();
    let now = list(metadata);
    for (index, finalizer) in now.iter().enumerate() {
        let text = finalizer.as_str().unwrap_or_default();
        let standard = matches!(text, "kubernetes" | "orphan" | "foregroundDeletion");
        let field = || format!("metadata.finalizers[{index}]");
        if let Err(why) = names::qualified(text) {
            wrong.push(Cause::invalid(field(), finalizer, why));
        } else if !text.contains('/') && !standard {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            wrong.push(Cause::invalid(field(), finalizer, why));
        }
    }
    if let Some(before) = before
        && before.at("metadata.deletionTimestamp").is_string()
    {
        let known = list(before.at("metadata"));
        let new = now.iter().filter(|one| !known.contains(one)).collect::<Vec<_>>();
        if !new.is_empty() {
            let why =
                format!("no new finalizers can be added if the object is being deleted, found new finalizers {new:?}");
            wrong.push(Cause::forbidden("metadata.finalizers", &why));
        }
    }
}

fn owners(owners: &Value, wrong: &mut Vec<Cause>) {
    let owners = owners.as_array().map(Vec::as_slice).unwrap_or_default();
    for owner in owners {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner.at(field).as_str().unwrap_or_default().is_empty() {
                let why = format!("{field} must not be empty");
                wrong.push(Cause::invalid(format!("metadata.ownerReferences.{field}"), owner.at(field), &why));
            }
        }
    }
    if owners.iter().filter(|owner| owner.at("controller") == true).count() > 1 {
        let why = "Only one reference can have Controller set to true";
        wrong.push(Cause::invalid("metadata.ownerReferences", &Value::from(owners), why));
    }
}

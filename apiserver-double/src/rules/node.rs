//! The rules for nodes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{items, names};
use crate::json::At as _;
use crate::refusal::Cause;

/// Keeps the old and the new field of the pod ranges together.
pub(super) fn complete(node: &mut Value) {
    let Some(spec) = node.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let first = spec.get("podCIDRs").and_then(|ranges| ranges.get(0)).cloned();
    match spec.get("podCIDR").cloned() {
        Some(range) if first.as_ref() != Some(&range) => {
            spec.insert("podCIDRs".to_owned(), json!([range]));
        }
        None => {
            if let Some(first) = first {
                spec.insert("podCIDR".to_owned(), first);
            }
        }
        Some(_) => {}
    }
}

pub(super) fn check(node: &Value, before: Option<&Value>) -> Vec<Cause> {
    let mut wrong = Vec::new();
    taints(node.at("spec.taints"), &mut wrong);
    ranges(node.at("spec.podCIDRs"), &mut wrong);
    let mut seen = BTreeSet::new();
    for (index, address) in items(node.at("status.addresses")).enumerate() {
        if !seen.insert(address.to_string()) {
            wrong.push(Cause::duplicate(format!("status.addresses[{index}]"), address));
        }
    }
    let Some(before) = before else { return wrong };
    for (field, name) in [("providerID", "providerID"), ("podCIDRs", "podCIDR")] {
        let (old, new) = (before.at("spec").at(field), node.at("spec").at(field));
        if !old.is_null() && old != new {
            let why = format!("node updates may not change {name} except from \"\" to valid");
            wrong.push(Cause::forbidden(format!("spec.{field}"), &why));
        }
    }
    wrong
}

fn taints(taints: &Value, wrong: &mut Vec<Cause>) {
    let mut seen = BTreeSet::new();
    for (index, taint) in items(taints).enumerate() {
        let field = |name: &str| format!("metadata.taints[{index}]{name}");
        let (key, value) =
            (taint.at("key").as_str().unwrap_or_default(), taint.at("value").as_str().unwrap_or_default());
        if let Err(why) = names::qualified(key) {
            wrong.push(Cause::invalid(field(".key"), taint.at("key"), why));
        }
        if let Err(why) = names::label_value(value) {
            wrong.push(Cause::invalid(field(".value"), taint.at("value"), why));
        }
        match taint.at("effect").as_str().unwrap_or_default() {
            "NoSchedule" | "PreferNoSchedule" | "NoExecute" => {}
            "" => wrong.push(Cause::required(field(".effect"), "")),
            _ => {
                let supported = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
                wrong.push(Cause::unsupported(field(".effect"), taint.at("effect"), &supported));
            }
        }
        if !seen.insert((key, taint.at("effect").as_str())) {
            wrong.push(Cause::duplicate(field(""), taint));
        }
    }
}

fn ranges(ranges: &Value, wrong: &mut Vec<Cause>) {
    let list = items(ranges).collect::<Vec<_>>();
    for (index, range) in list.iter().enumerate() {
        if super::family_of_range(range.as_str().unwrap_or_default()).is_none() {
            let why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
            wrong.push(Cause::invalid(format!("spec.podCIDRs[{index}]"), range, why));
        }
    }
    let families = list.iter().filter_map(|range| super::family_of_range(range.as_str()?)).collect::<BTreeSet<_>>();
    if list.len() > 2 || (list.len() == 2 && families.len() != 2) {
        let why = "may specify no more than one CIDR for each IP family";
        wrong.push(Cause::invalid("spec.podCIDRs", ranges, why));
    }
}

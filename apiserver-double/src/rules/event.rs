//! The rules for events, in the old form and in the new.

use serde_json::Value;

use super::names;
use crate::json::At as _;
use crate::refusal::Cause;

const NOTE: usize = 1024;
const SHORT: usize = 128;

/// The new form, `events.k8s.io/v1`.
pub(super) fn check(event: &Value, before: Option<&Value>) -> Vec<Cause> {
    let mut wrong = Vec::new();
    let text = |field: &str| event.at(field).as_str().unwrap_or_default();
    namespace(event, "regarding", &mut wrong);
    if event.at("eventTime").is_null() {
        wrong.push(Cause::required("eventTime", ""));
    }
    if text("reportingController").is_empty() {
        wrong.push(Cause::required("reportingController", ""));
    } else if let Err(why) = names::qualified(text("reportingController")) {
        wrong.push(Cause::invalid("reportingController", event.at("reportingController"), why));
    }
    for field in ["reportingInstance", "action", "reason"] {
        match text(field).len() {
            0 => wrong.push(Cause::required(field, "")),
            1..=SHORT => {}
            _ => wrong.push(Cause::invalid(field, event.at(field), "can have at most 128 characters")),
        }
    }
    if text("note").len() > NOTE {
        wrong.push(Cause::invalid("note", event.at("note"), "can have at most 1024 characters"));
    }
    if !matches!(text("type"), "Normal" | "Warning") {
        wrong.push(Cause::invalid("type", event.at("type"), "has invalid value"));
    }
    if let Some(before) = before {
        let fixed = [
            "eventTime",
            "reportingController",
            "reportingInstance",
            "action",
            "reason",
            "regarding",
            "related",
            "note",
            "type",
        ];
        for field in fixed {
            if event.at(field) != before.at(field) {
                wrong.push(Cause::invalid(field, event.at(field), "field is immutable"));
            }
        }
    }
    wrong
}

/// The old form, of the core group.
pub(super) fn check_core(event: &Value) -> Vec<Cause> {
    let mut wrong = Vec::new();
    namespace(event, "involvedObject", &mut wrong);
    wrong
}

fn namespace(event: &Value, subject: &str, wrong: &mut Vec<Cause>) {
    let of_event = event.at("metadata.namespace").as_str().unwrap_or_default();
    match event.at(subject).at("namespace").as_str().unwrap_or_default() {
        // What has no namespace is told of in the default one.
        "" if matches!(of_event, "default" | "kube-system") => {}
        of_subject if of_subject == of_event => {}
        _ => {
            let field = format!("{subject}.namespace");
            wrong.push(Cause::invalid(field, event.at(subject).at("namespace"), "does not match event.namespace"));
        }
    }
}

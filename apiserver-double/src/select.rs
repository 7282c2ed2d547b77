//! Label and field selectors.

use serde_json::Value;

use crate::json::At as _;
use crate::kinds::Kind;
use crate::refusal::Refusal;
use crate::rules::names;

/// What a list or a watch is limited to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    labels: Vec<LabelRule>,
    fields: Vec<FieldRule>,
}

#[derive(Clone, Debug, PartialEq)]
struct LabelRule {
    key: String,
    wants: Wants,
}

#[derive(Clone, Debug, PartialEq)]
enum Wants {
    In(Vec<String>),
    /// An object without the label is selected as well.
    NotIn(Vec<String>),
    Exists,
    Absent,
    GreaterThan(i64),
    LessThan(i64),
}

#[derive(Clone, Debug)]
struct FieldRule {
    path: String,
    value: String,
    equal: bool,
}

impl Selector {
    pub(crate) fn parse(kind: &Kind, labels: Option<&str>, fields: Option<&str>) -> Result<Self, Refusal> {
        Ok(Self {
            labels: label_rules(labels.unwrap_or_default())?,
            fields: field_rules(kind, fields.unwrap_or_default())?,
        })
    }

    /// Whether everything is selected.
    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub(crate) fn selects(&self, object: &Value) -> bool {
        let labels = object.at("metadata.labels");
        self.labels.iter().all(|rule| rule.holds(labels.get(&rule.key).and_then(Value::as_str)))
            && self.fields.iter().all(|rule| (field(object, &rule.path) == rule.value) == rule.equal)
    }
}

impl LabelRule {
    fn holds(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match &self.wants {
            Wants::In(values) => value.is_some_and(|value| values.iter().any(|one| one == value)),
            Wants::NotIn(values) => value.is_none_or(|value| values.iter().all(|one| one != value)),
            Wants::Exists => value.is_some(),
            Wants::Absent => value.is_none(),
            Wants::GreaterThan(bound) => number().is_some_and(|number| number > *bound),
            Wants::LessThan(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

fn label_rules(text: &str) -> Result<Vec<LabelRule>, Refusal> {
    let wrong = |part: &str| {
        Refusal::bad_request(format!(
            "unable to parse requirement: {part:?} of the label selector {text:?} is not understood"
        ))
    };
    let mut rules = Vec::new();
    for part in split_outside_parentheses(text) {
        let part = part.trim();
        if part.is_empty() {
            if text.trim().is_empty() {
                continue;
            }
            return Err(wrong(part));
        }
        let rule = label_rule(part).ok_or_else(|| wrong(part))?;
        let values = match &rule.wants {
            Wants::In(values) | Wants::NotIn(values) => values.as_slice(),
            _ => &[],
        };
        if names::qualified(&rule.key).is_err() || values.iter().any(|value| names::label_value(value).is_err()) {
            return Err(wrong(part));
        }
        rules.push(rule);
    }
    Ok(rules)
}

fn label_rule(part: &str) -> Option<LabelRule> {
    let rule = |key: &str, wants| Some(LabelRule { key: key.trim().to_owned(), wants });
    let one = |value: &str| vec![value.trim().to_owned()];
    if let Some(key) = part.strip_prefix('!') {
        return rule(key, Wants::Absent);
    }
    if let Some((key, value)) = part.split_once("!=") {
        return rule(key, Wants::NotIn(one(value)));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return rule(key, Wants::In(one(value)));
    }
    if let Some((key, bound)) = part.split_once('>') {
        return rule(key, Wants::GreaterThan(bound.trim().parse().ok()?));
    }
    if let Some((key, bound)) = part.split_once('<') {
        return rule(key, Wants::LessThan(bound.trim().parse().ok()?));
    }
    if let Some((head, values)) = part.split_once('(') {
        let values = values.trim().strip_suffix(')')?.split(',').map(|value| value.trim().to_owned()).collect();
        let (key, word) = head.trim().rsplit_once(char::is_whitespace)?;
        return match word {
            "in" => rule(key, Wants::In(values)),
            "notin" => rule(key, Wants::NotIn(values)),
            _ => None,
        };
    }
    rule(part, Wants::Exists)
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut inside = false;
    text.split(move |letter| {
        match letter {
            '(' => inside = true,
            ')' => inside = false,
            _ => {}
        }
        letter == ',' && !inside
    })
    .collect()
}

/// Which fields a kind can be selected by, besides its name and namespace.
fn selectable(kind: &Kind) -> &'static [&'static str] {
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Node") => &["spec.unschedulable"],
        ("", "Service") => &["spec.clusterIP", "spec.type"],
        ("", "Secret") => &["type"],
        ("", "Namespace") => &["status.phase"],
        ("", "Pod") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        ("", "Event") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("events.k8s.io", "Event") => &[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        ],
        ("apps", "ReplicaSet") => &["status.replicas"],
        ("batch", "Job") => &["status.successful"],
        _ => &[],
    }
}

fn field_rules(kind: &Kind, text: &str) -> Result<Vec<FieldRule>, Refusal> {
    let mut rules = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (path, value, equal) = if let Some((path, value)) = part.split_once("!=") {
            (path, value, false)
        } else if let Some((path, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
            (path, value, true)
        } else {
            let why = format!("invalid selector: '{text}'; can't understand '{part}'");
            return Err(Refusal::bad_request(why));
        };
        let known = path == "metadata.name"
            || (path == "metadata.namespace" && kind.namespaced)
            || selectable(kind).contains(&path);
        if !known {
            return Err(Refusal::bad_request(format!("field label not supported: {path}")));
        }
        rules.push(FieldRule { path: path.to_owned(), value: value.to_owned(), equal });
    }
    Ok(rules)
}

/// A field as text; one that is not set is empty, or `false` where it is a switch.
fn field(object: &Value, path: &str) -> String {
    let found = path.split('.').try_fold(object, |value, key| value.get(key));
    match found {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None if matches!(path, "spec.unschedulable" | "spec.hostNetwork") => "false".to_owned(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::built_in;

    fn selects(labels: &str) -> bool {
        let kind = built_in().into_iter().find(|kind| kind.kind == "Node").unwrap();
        let object = json!({ "metadata": { "labels": { "zone": "a", "size": "7", "bare": "" } } });
        Selector::parse(&kind, Some(labels), None).unwrap().selects(&object)
    }

    #[test]
    fn labels_are_selected_in_every_form() {
        for yes in [
            "",
            "zone=a",
            "zone==a",
            "zone!=b",
            "zone in (b, a)",
            "zone notin (b)",
            "other!=x",
            "bare",
            "!other",
            "size>6",
            "size<8,zone",
        ] {
            assert!(selects(yes), "{yes}");
        }
        for no in ["zone=b", "zone!=a", "other=x", "zone notin (a,b)", "!bare", "size>7", "zone=a,other"] {
            assert!(!selects(no), "{no}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let nodes = built_in().into_iter().find(|kind| kind.kind == "Node").unwrap();
        for labels in ["a b", "a in b", "zone=a,,b", "zone in (a", "=x", "zone=white space"] {
            assert_eq!(Selector::parse(&nodes, Some(labels), None).unwrap_err().code, 400, "{labels}");
        }
        for fields in ["metadata.namespace=x", "spec.nodeName=x", "metadata.name"] {
            assert_eq!(Selector::parse(&nodes, None, Some(fields)).unwrap_err().code, 400, "{fields}");
        }
    }

    #[test]
    fn a_field_that_is_not_set_is_empty_or_false() {
        let kinds = built_in();
        let nodes = kinds.iter().find(|kind| kind.kind == "Node").unwrap();
        let pods = kinds.iter().find(|kind| kind.kind == "Pod").unwrap();
        let selects = |kind, fields| Selector::parse(kind, None, Some(fields)).unwrap().selects(&json!({}));
        assert!(selects(nodes, "spec.unschedulable=false"));
        assert!(selects(pods, "spec.nodeName="));
        assert!(!selects(pods, "spec.nodeName!="));
    }
}

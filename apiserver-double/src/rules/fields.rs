//! The fields of the kinds that controllers of a cloud write, so that slips of the pen are found as a real server finds them.
//!
//! The tables go down to `metadata`, `spec` and `status`. What is deeper, and other kinds, is kept as it comes.

use serde_json::{Map, Value};

use crate::kinds::Kind;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Text,
    Number,
    Switch,
    /// A list that is left out when it is empty.
    List,
    /// An object of which nothing more is known here.
    Object,
    /// Names and text; left out when there are none.
    Map,
    /// A moment in the form of RFC 3339.
    Time,
    Fields(&'static [(&'static str, Self)]),
}

use Is::{Fields, List, Number, Object, Switch, Text, Time};

/// What is wrong with the form of an object.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// What can't be read at all.
    pub(crate) wrong: Vec<String>,
    /// Fields that the server does not know; it leaves them out.
    pub(crate) unknown: Vec<String>,
}

const METADATA: &[(&str, Is)] = &[
    ("annotations", Is::Map),
    ("creationTimestamp", Time),
    ("deletionGracePeriodSeconds", Number),
    ("deletionTimestamp", Time),
    ("finalizers", List),
    ("generateName", Text),
    ("generation", Number),
    ("labels", Is::Map),
    ("managedFields", List),
    ("name", Text),
    ("namespace", Text),
    ("ownerReferences", List),
    ("resourceVersion", Text),
    ("selfLink", Text),
    ("uid", Text),
];

/// For kinds whose other fields are not written down here.
const ANY: &[(&str, Is)] = &[("apiVersion", Text), ("kind", Text), ("metadata", Fields(METADATA))];

const NODE: &[(&str, Is)] = &[
    ("apiVersion", Text),
    ("kind", Text),
    ("metadata", Fields(METADATA)),
    (
        "spec",
        Fields(&[
            ("configSource", Object),
            ("externalID", Text),
            ("podCIDR", Text),
            ("podCIDRs", List),
            ("providerID", Text),
            ("taints", List),
            ("unschedulable", Switch),
        ]),
    ),
    (
        "status",
        Fields(&[
            ("addresses", List),
            ("allocatable", Object),
            ("capacity", Object),
            ("conditions", List),
            ("config", Object),
            ("daemonEndpoints", Object),
            ("features", Object),
            ("images", List),
            ("nodeInfo", Object),
            ("phase", Text),
            ("runtimeHandlers", List),
            ("volumesAttached", List),
            ("volumesInUse", List),
        ]),
    ),
];

const SERVICE: &[(&str, Is)] = &[
    ("apiVersion", Text),
    ("kind", Text),
    ("metadata", Fields(METADATA)),
    (
        "spec",
        Fields(&[
            ("allocateLoadBalancerNodePorts", Switch),
            ("clusterIP", Text),
            ("clusterIPs", List),
            ("externalIPs", List),
            ("externalName", Text),
            ("externalTrafficPolicy", Text),
            ("healthCheckNodePort", Number),
            ("internalTrafficPolicy", Text),
            ("ipFamilies", List),
            ("ipFamilyPolicy", Text),
            ("loadBalancerClass", Text),
            ("loadBalancerIP", Text),
            ("loadBalancerSourceRanges", List),
            ("ports", List),
            ("publishNotReadyAddresses", Switch),
            ("selector", Is::Map),
            ("sessionAffinity", Text),
            ("sessionAffinityConfig", Object),
            ("trafficDistribution", Text),
            ("type", Text),
        ]),
    ),
    ("status", Fields(&[("conditions", List), ("loadBalancer", Fields(&[("ingress", List)]))])),
];

const LEASE: &[(&str, Is)] = &[
    ("apiVersion", Text),
    ("kind", Text),
    ("metadata", Fields(METADATA)),
    (
        "spec",
        Fields(&[
            ("acquireTime", Time),
            ("holderIdentity", Text),
            ("leaseDurationSeconds", Number),
            ("leaseTransitions", Number),
            ("preferredHolder", Text),
            ("renewTime", Time),
            ("strategy", Text),
        ]),
    ),
];

const SLICE: &[(&str, Is)] = &[
    ("addressType", Text),
    ("apiVersion", Text),
    ("endpoints", List),
    ("kind", Text),
    ("metadata", Fields(METADATA)),
    ("ports", List),
];

const EVENT: &[(&str, Is)] = &[
    ("action", Text),
    ("apiVersion", Text),
    ("deprecatedCount", Number),
    ("deprecatedFirstTimestamp", Time),
    ("deprecatedLastTimestamp", Time),
    ("deprecatedSource", Object),
    ("eventTime", Time),
    ("kind", Text),
    ("metadata", Fields(METADATA)),
    ("note", Text),
    ("reason", Text),
    ("regarding", Object),
    ("related", Object),
    ("reportingController", Text),
    ("reportingInstance", Text),
    ("series", Object),
    ("type", Text),
];

/// Reads an object as the server does: what is null or empty is the same as absent, and unknown fields are left out.
pub(crate) fn read(kind: &Kind, object: &mut Value) -> Misfit {
    let (table, closed) = match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Node") => (NODE, true),
        ("", "Service") => (SERVICE, true),
        ("coordination.k8s.io", "Lease") => (LEASE, true),
        ("discovery.k8s.io", "EndpointSlice") => (SLICE, true),
        ("events.k8s.io", "Event") => (EVENT, true),
        _ => (ANY, false),
    };
    let mut misfit = Misfit::default();
    if closed {
        without_nulls(object);
    }
    if let Some(fields) = object.as_object_mut() {
        read_fields(table, closed, "", fields, &mut misfit);
    }
    misfit
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

fn read_fields(table: &[(&str, Is)], closed: bool, path: &str, fields: &mut Map<String, Value>, misfit: &mut Misfit) {
    fields.retain(|name, value| {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let Some((_, is)) = table.iter().find(|(known, _)| known == name) else {
            if closed {
                misfit.unknown.push(path);
            }
            return !closed;
        };
        match (is, &mut *value) {
            (_, Value::Null) => return false,
            (Text, Value::String(text)) => return !text.is_empty(),
            (Time, Value::String(text)) if text.parse::<jiff::Timestamp>().is_ok() => {}
            (Number, Value::Number(number)) if number.is_i64() || number.is_u64() => {}
            (Switch, Value::Bool(_)) | (Object, Value::Object(_)) => {}
            (List, Value::Array(items)) => return !items.is_empty(),
            (Is::Map, Value::Object(entries)) if entries.values().all(Value::is_string) => return !entries.is_empty(),
            (Fields(table), Value::Object(inner)) => read_fields(table, true, &path, inner, misfit),
            (_, value) => misfit.wrong.push(format!("cannot read {value} as {path}")),
        }
        true
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::built_in;

    fn misfit(kind: &str, mut object: Value) -> (Misfit, Value) {
        let kind = built_in().into_iter().find(|known| known.kind == kind).unwrap();
        (read(&kind, &mut object), object)
    }

    #[test]
    fn unknown_fields_are_named_and_left_out() {
        let (misfit, object) = misfit("Service", json!({ "spec": { "loadbalancerIP": "x" }, "state": {} }));
        assert_eq!(misfit.unknown, ["spec.loadbalancerIP", "state"]);
        assert_eq!(object, json!({ "spec": {} }));
    }

    #[test]
    fn what_is_empty_is_absent() {
        let (found, object) = misfit(
            "Node",
            json!({ "metadata": { "labels": {}, "creationTimestamp": null }, "spec": { "taints": [], "providerID": "" } }),
        );
        assert_eq!((found, object), (Misfit::default(), json!({ "metadata": {}, "spec": {} })));
    }

    #[test]
    fn wrong_types_are_found() {
        for object in [
            json!({ "metadata": { "labels": { "a": 1 } } }),
            json!({ "metadata": { "creationTimestamp": "yesterday" } }),
            json!({ "spec": { "unschedulable": "true" } }),
            json!({ "spec": [] }),
        ] {
            assert_eq!(misfit("Node", object.clone()).0.wrong.len(), 1, "{object}");
        }
    }
}

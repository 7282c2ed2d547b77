//! Making and changing objects.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::json::At as _;
use crate::kinds::Kind;
use crate::patch;
use crate::path::Call;
use crate::refusal::{Cause, Refusal};
use crate::rules::{self, Taken};
use crate::state::{State, Written, key_of};
use crate::store::{Key, Object};

/// The body of a request, with what its headers say of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent<'a> {
    pub(crate) content_type: &'a str,
    pub(crate) bytes: &'a [u8],
}

/// What becomes of fields that the server does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unknown {
    Ignored,
    Warned,
    Refused,
}

impl State {
    /// POST.
    pub(crate) fn create(&mut self, kind: &Arc<Kind>, call: &Call, sent: Sent<'_>) -> Result<Written, Refusal> {
        let (object, warnings) = decoded(kind, call, sent)?;
        Ok(self.make(&kind.named_by(&object), call, object)?.warning(warnings))
    }

    /// PUT, of the object or of its status.
    pub(crate) fn update(&mut self, kind: &Arc<Kind>, call: &Call, sent: Sent<'_>) -> Result<Written, Refusal> {
        let (object, warnings) = decoded(kind, call, sent)?;
        let kind = kind.named_by(&object);
        let name = text(&object, "name");
        if name != call.place.name {
            let message =
                format!("the name of the object ({name}) does not match the name on the URL ({})", call.place.name);
            return Err(Refusal::bad_request(message));
        }
        let uid = text(&object, "uid").to_owned();
        let before = match self.find(&kind, &call.place) {
            Ok(before) => Arc::clone(before),
            Err(_) if kind.traits.create_on_update && call.place.subresource.is_empty() => {
                if !uid.is_empty() {
                    return Err(wrong_uid(&kind, &call.place.name, &uid, ""));
                }
                let mut object = object;
                if let Some(metadata) = metadata(&mut object) {
                    metadata.remove("resourceVersion");
                }
                return Ok(self.make(&kind, call, object)?.warning(warnings));
            }
            Err(refusal) => return Err(refusal),
        };
        if !uid.is_empty() && uid != text(before.value(), "uid") {
            return Err(wrong_uid(&kind, &call.place.name, &uid, text(before.value(), "uid")));
        }
        Ok(self.change(&kind, call, &before, object)?.warning(warnings))
    }

    /// PATCH, of the object or of its status.
    pub(crate) fn patch(&mut self, kind: &Arc<Kind>, call: &Call, sent: Sent<'_>) -> Result<Written, Refusal> {
        let before = Arc::clone(self.find(kind, &call.place)?);
        let mut object = patch::apply(kind, sent.content_type, before.value(), sent.bytes)?;
        if object.at("apiVersion") != before.value().at("apiVersion") || object.at("kind") != before.value().at("kind")
        {
            return Err(Refusal::bad_request("a patch can't change the apiVersion or kind of an object"));
        }
        let misfit = rules::read(kind, &mut object);
        let refused = |why: String| Refusal::invalid_kind("", "", "", &[Cause::invalid("patch", &Value::Null, &why)]);
        if let Some(wrong) = misfit.wrong.first() {
            return Err(refused(wrong.clone()));
        }
        let warnings = unknown_fields(call, &misfit.unknown)?.map_err(refused)?;
        if text(&object, "name") != call.place.name {
            let name = text(&object, "name");
            let message =
                format!("the name of the object ({name}) does not match the name on the URL ({})", call.place.name);
            return Err(Refusal::bad_request(message));
        }
        Ok(self.change(kind, call, &before, object)?.warning(warnings))
    }

    fn make(&mut self, kind: &Arc<Kind>, call: &Call, mut object: Value) -> Result<Written, Refusal> {
        same_namespace(call, &object)?;
        let dry_run = call.query.dry_run()?;
        let (uid, now) = (self.uid(), self.clock.text());
        let generated = text(&object, "generateName").to_owned();
        let suffix = self.suffix();
        let mut versioned = false;
        if let Some(metadata) = metadata(&mut object) {
            if metadata.get("name").is_none() && !generated.is_empty() {
                let stem = generated.chars().take(58).collect::<String>();
                metadata.insert("name".to_owned(), format!("{stem}{suffix}").into());
            }
            let version = metadata.remove("resourceVersion");
            versioned = version.is_some_and(|version| version != "" && version != "0");
            for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "managedFields", "generation"]
            {
                metadata.remove(field);
            }
            metadata.insert("uid".to_owned(), uid.into());
            metadata.insert("creationTimestamp".to_owned(), now.into());
            if kind.namespaced {
                metadata.insert("namespace".to_owned(), call.place.namespace.clone().into());
            } else {
                metadata.remove("namespace");
            }
            if kind.traits.generation {
                metadata.insert("generation".to_owned(), 1.into());
            }
        }
        if kind.traits.status
            && !kind.traits.status_on_create
            && let Some(fields) = object.as_object_mut()
        {
            fields.remove("status");
        }
        let name = text(&object, "name").to_owned();
        self.open_namespace(kind, &call.place.namespace, &name)?;
        let key = Key::new(&call.place.namespace, &name);
        self.complete_and_check(kind, &key, &mut object, None, false)?;
        if versioned {
            return Err(Refusal::new(500, "", "resourceVersion should not be set on objects to be created"));
        }
        if self.store.of(kind).is_some_and(|table| table.get(&key).is_some()) {
            return Err(Refusal::already_exists(kind, &name));
        }
        if dry_run {
            return Ok(Written::value(201, object));
        }
        let written = self.store.write(kind, key, object).ok_or_else(Refusal::no_such_path)?;
        Ok(Written::object(201, written))
    }

    fn change(&mut self, kind: &Kind, call: &Call, before: &Arc<Object>, object: Value) -> Result<Written, Refusal> {
        let name = &call.place.name;
        same_namespace(call, &object)?;
        let dry_run = call.query.dry_run()?;
        let version = text(&object, "resourceVersion");
        if matches!(version, "" | "0") {
            if !kind.traits.unconditional_update {
                let why = "must be specified for an update";
                return Err(Refusal::invalid(
                    kind,
                    name,
                    &[Cause::invalid("metadata.resourceVersion", &0.into(), why)],
                ));
            }
        } else if version != text(before.value(), "resourceVersion") {
            return Err(Refusal::outdated(kind, name));
        }
        let status = call.place.subresource == "status";
        let old = before.value();
        let mut object = if status { with_status(kind, old, object) } else { without_status(kind, old, object) };
        keep_system_fields(&mut object, old);
        let key = key_of(&call.place);
        self.complete_and_check(kind, &key, &mut object, Some(old), status)?;
        if kind.traits.generation
            && asks_differently(&object, old)
            && let Some(metadata) = metadata(&mut object)
        {
            let generation = old.at("metadata.generation").as_u64().unwrap_or_default();
            metadata.insert("generation".to_owned(), (generation + 1).into());
        }
        if object == *old {
            // Nothing is written, and nobody hears of it.
            return Ok(Written::object(200, Arc::clone(before)));
        }
        if dry_run {
            return Ok(Written::value(200, object));
        }
        let written = if is_finished(&object) {
            let last = self.store.remove(kind, key, object);
            self.close_namespace(&call.place.namespace);
            last
        } else {
            self.store.write(kind, key, object)
        };
        Ok(Written::object(200, written.ok_or_else(Refusal::no_such_path)?))
    }

    fn complete_and_check(
        &mut self,
        kind: &Kind,
        key: &Key,
        object: &mut Value,
        before: Option<&Value>,
        status: bool,
    ) -> Result<(), Refusal> {
        let services = self.store.table("", "services").filter(|_| kind.is_core("Service"));
        let others = services.into_iter().flat_map(|table| table.objects());
        let others = others.filter(|(other, _)| *other != key).map(|(_, other)| other.value());
        let mut taken = Taken::by(others, &mut self.random);
        rules::complete(kind, object, before, &mut taken);
        let wrong = rules::check(kind, object, before, status, &taken);
        if wrong.is_empty() { Ok(()) } else { Err(Refusal::invalid(kind, &key.name, &wrong)) }
    }
}

impl Kind {
    /// A custom kind whose name shows only in its objects.
    fn named_by(self: &Arc<Self>, object: &Value) -> Arc<Self> {
        if !self.kind.is_empty() {
            return Arc::clone(self);
        }
        Arc::new(Self { kind: object.at("kind").as_str().unwrap_or_default().to_owned(), ..(**self).clone() })
    }
}

/// Reads the object of a POST or PUT.
fn decoded(kind: &Kind, call: &Call, sent: Sent<'_>) -> Result<(Value, Vec<String>), Refusal> {
    let content_type = sent.content_type.split(';').next().unwrap_or_default().trim();
    if !matches!(content_type, "" | "application/json") {
        let message =
            "the body of the request was in an unknown format - accepted media types include: application/json";
        return Err(Refusal::new(415, "UnsupportedMediaType", message));
    }
    let mut object = serde_json::from_slice::<Value>(sent.bytes)
        .map_err(|error| Refusal::bad_request(format!("the object provided is unrecognized: {error}")))?;
    let Some(fields) = object.as_object_mut() else {
        return Err(Refusal::bad_request("the object provided is unrecognized: it is no JSON object"));
    };
    let (api_version, own_kind) = (kind.api_version(), kind.kind.clone());
    fields.entry("apiVersion").or_insert_with(|| api_version.clone().into());
    if !own_kind.is_empty() {
        fields.entry("kind").or_insert_with(|| own_kind.clone().into());
    }
    fields.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    if *object.at("apiVersion") != api_version {
        let message = format!(
            "the API version in the data ({}) does not match the expected API version ({api_version})",
            object.at("apiVersion").as_str().unwrap_or_default()
        );
        return Err(Refusal::bad_request(message));
    }
    let given = object.at("kind").as_str().unwrap_or_default().to_owned();
    if given.is_empty() || (given != own_kind && !own_kind.is_empty()) {
        let message = format!("{given} in version {:?} cannot be handled as a {own_kind}", kind.version);
        return Err(Refusal::bad_request(message));
    }
    let refused = |why: String| {
        Refusal::bad_request(format!("{given} in version {:?} cannot be handled as a {given}: {why}", kind.version))
    };
    let misfit = rules::read(kind, &mut object);
    if let Some(wrong) = misfit.wrong.first() {
        return Err(refused(wrong.clone()));
    }
    if !object.at("metadata").is_object() {
        return Err(refused("there is no metadata".to_owned()));
    }
    let warnings = unknown_fields(call, &misfit.unknown)?.map_err(refused)?;
    Ok((object, warnings))
}

/// Warnings of unknown fields, or why they are refused.
fn unknown_fields(call: &Call, unknown: &[String]) -> Result<Result<Vec<String>, String>, Refusal> {
    let treated = match call.query.get("fieldValidation") {
        None | Some("Warn") => Unknown::Warned,
        Some("Ignore") => Unknown::Ignored,
        Some("Strict") => Unknown::Refused,
        Some(other) => {
            let cause = Cause::unsupported("fieldValidation", &other.into(), &["Ignore", "Strict", "Warn"]);
            return Err(Refusal::invalid_kind("meta.k8s.io", "UpdateOptions", "", &[cause]));
        }
    };
    let named = unknown.iter().map(|field| format!("unknown field {field:?}")).collect::<Vec<_>>();
    Ok(match treated {
        Unknown::Refused if !named.is_empty() => Err(format!("strict decoding error: {}", named.join(", "))),
        Unknown::Warned => Ok(named),
        _ => Ok(Vec::new()),
    })
}

pub(crate) fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object.at("metadata").at(field).as_str().unwrap_or_default()
}

pub(crate) fn metadata(object: &mut Value) -> Option<&mut Map<String, Value>> {
    object.get_mut("metadata").and_then(Value::as_object_mut)
}

fn wrong_uid(kind: &Kind, name: &str, wanted: &str, found: &str) -> Refusal {
    let why = format!("Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}");
    Refusal::conflict(kind, name, &why)
}

fn same_namespace(call: &Call, object: &Value) -> Result<(), Refusal> {
    let given = text(object, "namespace");
    if given.is_empty() || given == call.place.namespace || call.place.namespace.is_empty() {
        return Ok(());
    }
    Err(Refusal::bad_request("the namespace of the provided object does not match the namespace sent on the request"))
}

/// The object as it was, with the new status. Of built-in kinds, metadata can be changed on this way as well.
fn with_status(kind: &Kind, old: &Value, new: Value) -> Value {
    let mut object = old.clone();
    if let (Some(fields), Value::Object(mut new)) = (object.as_object_mut(), new) {
        match new.remove("status") {
            Some(status) => fields.insert("status".to_owned(), status),
            None => fields.remove("status"),
        };
        if let Some(metadata) = new.remove("metadata").filter(|_| !kind.traits.untyped) {
            fields.insert("metadata".to_owned(), metadata);
        }
    }
    object
}

/// The new object with the status that it had.
fn without_status(kind: &Kind, old: &Value, mut new: Value) -> Value {
    if kind.traits.status
        && let Some(fields) = new.as_object_mut()
    {
        match old.get("status") {
            Some(status) => fields.insert("status".to_owned(), status.clone()),
            None => fields.remove("status"),
        };
    }
    new
}

/// What only the server sets keeps its value, whatever the request says.
fn keep_system_fields(object: &mut Value, old: &Value) {
    let old = old.at("metadata");
    let Some(metadata) = metadata(object) else { return };
    metadata.remove("selfLink");
    metadata.remove("managedFields");
    metadata.insert("resourceVersion".to_owned(), old.at("resourceVersion").clone());
    let mut keep = |field: &str, always: bool| {
        if let Some(value) = old.get(field).filter(|_| always || !metadata.contains_key(field)) {
            metadata.insert(field.to_owned(), value.clone());
        }
    };
    keep("namespace", false);
    keep("uid", false);
    keep("creationTimestamp", true);
    keep("deletionTimestamp", true);
    keep("deletionGracePeriodSeconds", false);
    keep("generation", true);
}

/// Whether something else changed than metadata and status.
fn asks_differently(new: &Value, old: &Value) -> bool {
    let asked = |object: &Value| {
        let mut object = object.clone();
        if let Some(fields) = object.as_object_mut() {
            fields.remove("metadata");
            fields.remove("status");
        }
        object
    };
    asked(new) != asked(old)
}

/// Whether it is being deleted and nobody holds it any more.
fn is_finished(object: &Value) -> bool {
    let held = object.at("metadata.finalizers").as_array().is_some_and(|finalizers| !finalizers.is_empty());
    object.at("metadata.deletionTimestamp").is_string() && !held
}

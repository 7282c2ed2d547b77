//! Deleting objects, and what becomes of namespaces with them.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::json::At as _;
use crate::kinds::Kind;
use crate::path::Call;
use crate::refusal::Refusal;
use crate::state::{State, Written, key_of};
use crate::store::{Key, Object};
use crate::write::{metadata, text};

impl State {
    /// DELETE. Without finalizers the object is gone at once: there is nobody here to end pods gracefully, or to collect
    /// what an object owns.
    pub(crate) fn delete(&mut self, kind: &Arc<Kind>, call: &Call, options: &[u8]) -> Result<Written, Refusal> {
        if !call.place.subresource.is_empty() {
            return Err(Refusal::new(
                405,
                "MethodNotAllowed",
                "the server does not allow this method on the requested resource",
            ));
        }
        let options = read_options(options)?;
        let dry_run = call.query.dry_run()? || *options.at("dryRun") == json!(["All"]);
        let before = Arc::clone(self.find(kind, &call.place)?);
        let name = &call.place.name;
        for (field, what) in [("uid", "UID"), ("resourceVersion", "ResourceVersion")] {
            let wanted = options.at("preconditions").at(field);
            let found = text(before.value(), field);
            if wanted.as_str().is_some_and(|wanted| wanted != found) {
                let wanted = wanted.as_str().unwrap_or_default();
                let why =
                    format!("Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {found}");
                return Err(Refusal::conflict(kind, name, &why));
            }
        }
        if dry_run {
            return Ok(Written::value(200, before.value().clone()));
        }
        Ok(self.let_go(kind, key_of(&call.place), &before))
    }

    /// DELETE of all that are selected, answered with what they were.
    pub(crate) fn delete_all(&mut self, kind: &Kind, selected: &[(Key, Arc<Object>)]) {
        for (key, object) in selected {
            self.let_go(kind, key.clone(), object);
        }
    }

    fn let_go(&mut self, kind: &Kind, key: Key, before: &Arc<Object>) -> Written {
        let mut object = before.value().clone();
        let is_held = object.at("metadata.finalizers").as_array().is_some_and(|finalizers| !finalizers.is_empty());
        let namespace = key.namespace.clone();
        if kind.is_core("Namespace") {
            self.empty(&key.name);
        }
        let waits = is_held || (kind.is_core("Namespace") && self.is_populated(&key.name));
        if !waits {
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                "details": {
                    "name": key.name, "group": kind.group, "kind": kind.plural, "uid": text(&object, "uid"),
                },
            });
            self.store.remove(kind, key, object);
            self.close_namespace(&namespace);
            return Written::value(200, status);
        }
        if object.at("metadata.deletionTimestamp").is_string() {
            return Written::object(200, Arc::clone(before));
        }
        let now = self.clock.text();
        if let Some(metadata) = metadata(&mut object) {
            metadata.insert("deletionTimestamp".to_owned(), now.into());
            metadata.insert("deletionGracePeriodSeconds".to_owned(), 0.into());
            if let Some(generation) = metadata.get("generation").and_then(Value::as_u64) {
                metadata.insert("generation".to_owned(), (generation + 1).into());
            }
        }
        if kind.is_core("Namespace")
            && let Some(status) = object.get_mut("status").and_then(Value::as_object_mut)
        {
            status.insert("phase".to_owned(), "Terminating".into());
        }
        match self.store.write(kind, key, object) {
            Some(written) => Written::object(200, written),
            None => Written::object(200, Arc::clone(before)),
        }
    }

    /// New objects need a namespace that exists and is not being deleted.
    pub(crate) fn open_namespace(&self, kind: &Kind, namespace: &str, name: &str) -> Result<(), Refusal> {
        if !kind.namespaced {
            return Ok(());
        }
        let Some(table) = self.store.table("", "namespaces") else { return Ok(()) };
        let found = table.get(&Key::new("", namespace));
        let found = found.ok_or_else(|| Refusal::not_found(&table.kind, namespace))?;
        if found.value().at("metadata.deletionTimestamp").is_string() {
            let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
            return Err(Refusal::forbidden(kind, name, &why));
        }
        Ok(())
    }

    /// A namespace that is being deleted goes with the last object in it.
    pub(crate) fn close_namespace(&mut self, namespace: &str) {
        if namespace.is_empty() || self.is_populated(namespace) {
            return;
        }
        let Some(table) = self.store.table("", "namespaces") else { return };
        let (kind, key) = (Arc::clone(&table.kind), Key::new("", namespace));
        let found = table.get(&key).map(|found| found.value().clone());
        if let Some(found) = found.filter(|found| found.at("metadata.deletionTimestamp").is_string()) {
            self.store.remove(&kind, key, found);
        }
    }

    fn is_populated(&self, namespace: &str) -> bool {
        self.store.tables().any(|table| table.objects().keys().any(|key| key.namespace == namespace))
    }

    /// Deletes all that is in a namespace, as far as finalizers allow.
    fn empty(&mut self, namespace: &str) {
        let inside = self
            .store
            .tables()
            .flat_map(|table| {
                let objects = table.objects().iter().filter(|(key, _)| key.namespace == namespace);
                objects.map(|(key, object)| (Arc::clone(&table.kind), key.clone(), Arc::clone(object)))
            })
            .collect::<Vec<_>>();
        for (kind, key, object) in inside {
            self.let_go(&kind, key, &object);
        }
    }
}

fn read_options(body: &[u8]) -> Result<Value, Refusal> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(format!("unable to read the delete options: {error}")))
}

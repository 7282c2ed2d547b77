//! Lists, whole or in pages.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::json::At as _;
use crate::kinds::Kind;
use crate::path::Call;
use crate::refusal::{Cause, Refusal};
use crate::select::Selector;
use crate::state::{State, too_large};
use crate::store::{Key, Object, Table};

/// What of an object an answer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Whole,
    /// `PartialObjectMetadata`.
    Metadata,
}

impl Format {
    /// What a client accepts first.
    pub(crate) fn accepted(accept: &str) -> Self {
        let first = accept.split(',').next().unwrap_or_default();
        if first.contains("as=PartialObjectMetadata") { Self::Metadata } else { Self::Whole }
    }

    pub(crate) fn show(self, object: &Object) -> Bytes {
        match self {
            Self::Whole => object.text().clone(),
            Self::Metadata => partial(object.value()).to_string().into(),
        }
    }
}

/// The metadata of an object alone.
pub(crate) fn partial(object: &Value) -> Value {
    json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object.at("metadata") })
}

/// Where a list begins, and of which moment it is.
struct Start {
    objects: BTreeMap<Key, Arc<Object>>,
    revision: u64,
    after: Option<Key>,
    limit: Option<usize>,
}

impl State {
    /// GET of a collection.
    pub(crate) fn list(&self, kind: &Kind, call: &Call, format: Format) -> Result<Bytes, Refusal> {
        let selector = Selector::parse(kind, call.query.get("labelSelector"), call.query.get("fieldSelector"))?;
        check_options(call)?;
        let table = self.store.of(kind).ok_or_else(Refusal::no_such_path)?;
        let start = self.start(table, call)?;
        let from = start.after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut found = start
            .objects
            .range((from, Bound::Unbounded))
            .filter(|(key, object)| in_namespace(call, key) && selector.selects(object.value()));
        let page = found.by_ref().take(start.limit.unwrap_or(usize::MAX)).collect::<Vec<_>>();
        let left = found.count();
        let mut metadata = json!({ "resourceVersion": start.revision.to_string() });
        if let (Some(fields), Some((last, _)), 1..) = (metadata.as_object_mut(), page.last(), left) {
            fields.insert("continue".to_owned(), token(start.revision, last).into());
            if selector.is_empty() {
                fields.insert("remainingItemCount".to_owned(), left.into());
            }
        }
        let items = page.iter().map(|(_, object)| match format {
            Format::Whole if !kind.traits.untyped => object.item().clone(),
            format => format.show(object),
        });
        Ok(written(kind, format, &metadata, items))
    }

    /// What a list or a DELETE of a collection is about, as it is now.
    pub(crate) fn selected(&self, kind: &Kind, call: &Call) -> Result<Vec<(Key, Arc<Object>)>, Refusal> {
        let selector = Selector::parse(kind, call.query.get("labelSelector"), call.query.get("fieldSelector"))?;
        let table = self.store.of(kind).ok_or_else(Refusal::no_such_path)?;
        let objects = table.objects().iter();
        let selected = objects.filter(|(key, object)| in_namespace(call, key) && selector.selects(object.value()));
        Ok(selected.map(|(key, object)| (key.clone(), Arc::clone(object))).collect())
    }

    fn start(&self, table: &Table, call: &Call) -> Result<Start, Refusal> {
        let current = self.store.revision();
        let now = || (table.objects().clone(), current);
        let limit = call.query.number("limit")?.filter(|limit| *limit > 0);
        let limit = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let wanted = call.query.number("resourceVersion")?;
        if let Some(text) = call.query.get("continue") {
            if wanted.is_some_and(|wanted| wanted != 0) {
                return Err(Refusal::bad_request("specifying resource version is not allowed when using continue"));
            }
            let (revision, after) = from_token(text)?;
            let (objects, revision) = match revision {
                // Goes on with the present state, after an answer that said so.
                0 => now(),
                _ => (table.at(revision).ok_or_else(|| outdated_page(&after))?, revision),
            };
            return Ok(Start { objects, revision, after: Some(after), limit });
        }
        let exact = match call.query.get("resourceVersionMatch") {
            Some(wanted) => wanted == "Exact",
            None => limit.is_some() && wanted.is_some_and(|wanted| wanted > 0),
        };
        if let Some(wanted) = wanted.filter(|wanted| *wanted > current) {
            return Err(too_large(wanted, current));
        }
        let (objects, revision) = match wanted {
            Some(wanted) if exact => {
                let why = "The resourceVersion for the provided list is too old.";
                (table.at(wanted).ok_or_else(|| Refusal::expired(why))?, wanted)
            }
            _ => now(),
        };
        // Whatever version will do is answered from memory at once, and whole.
        let limit = limit.filter(|_| wanted != Some(0));
        Ok(Start { objects, revision, after: None, limit })
    }
}

/// The text of a list.
pub(crate) fn written(kind: &Kind, format: Format, metadata: &Value, items: impl Iterator<Item = Bytes>) -> Bytes {
    let (list, api_version) = match format {
        Format::Whole => (format!("{}List", kind.kind), kind.api_version()),
        Format::Metadata => ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned()),
    };
    let mut text =
        format!(r#"{{"kind":"{list}","apiVersion":"{api_version}","metadata":{metadata},"items":["#).into_bytes();
    for (index, item) in items.enumerate() {
        if index > 0 {
            text.push(b',');
        }
        text.extend_from_slice(&item);
    }
    text.extend_from_slice(b"]}");
    text.into()
}

pub(crate) fn in_namespace(call: &Call, key: &Key) -> bool {
    call.place.namespace.is_empty() || call.place.namespace == key.namespace
}

fn check_options(call: &Call) -> Result<(), Refusal> {
    let field = "resourceVersionMatch";
    let wrong = match call.query.get(field) {
        _ if call.query.get("sendInitialEvents").is_some() => {
            Some(Cause::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
        }
        None => None,
        Some(_) if call.query.get("continue").is_some() => {
            Some(Cause::forbidden(field, "resourceVersionMatch is forbidden when continue is provided"))
        }
        Some(_) if call.query.get("resourceVersion").is_none() => {
            Some(Cause::forbidden(field, "resourceVersionMatch is forbidden unless resourceVersion is provided"))
        }
        Some("Exact") if call.query.get("resourceVersion") == Some("0") => {
            Some(Cause::forbidden(field, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""))
        }
        Some("Exact" | "NotOlderThan") => None,
        Some(other) => Some(Cause::unsupported(field, &other.into(), &["Exact", "NotOlderThan"])),
    };
    match wrong {
        Some(cause) => Err(Refusal::invalid_kind("meta.k8s.io", "ListOptions", "", &[cause])),
        None => Ok(()),
    }
}

/// Names a moment and the last object of a page.
fn token(revision: u64, last: &Key) -> String {
    format!("{revision}/{}/{}", last.namespace, last.name)
}

fn from_token(text: &str) -> Result<(u64, Key), Refusal> {
    let mut parts = text.splitn(3, '/');
    let parsed = (|| {
        let revision = parts.next()?.parse().ok()?;
        Some((revision, Key::new(parts.next()?, parts.next()?)))
    })();
    parsed.ok_or_else(|| Refusal::bad_request("continue key is not valid"))
}

fn outdated_page(after: &Key) -> Refusal {
    let why = "The provided continue parameter is too old to display a consistent list result. You can start a new list \
               without the continue parameter, or use the continue token in this response to retrieve the remainder of the \
               results, which are then inconsistent with the pages before";
    Refusal { continue_: Some(token(0, after)), ..Refusal::expired(why) }
}

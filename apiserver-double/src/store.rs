//! What the server remembers: objects, their versions, and the latest changes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::watch;

use crate::kinds::{self, Kind};

/// An object as it was at one version.
#[derive(Debug)]
pub(crate) struct Object {
    value: Value,
    revision: u64,
    text: OnceLock<Bytes>,
    item: OnceLock<Bytes>,
}

impl Object {
    /// Gives the object its version.
    pub(crate) fn new(mut value: Value, revision: u64) -> Self {
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("resourceVersion".to_owned(), revision.to_string().into());
        }
        Self { value, revision, text: OnceLock::new(), item: OnceLock::new() }
    }

    pub(crate) fn value(&self) -> &Value {
        &self.value
    }

    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// As answers and watches show it.
    pub(crate) fn text(&self) -> &Bytes {
        self.text.get_or_init(|| self.value.to_string().into())
    }

    /// As lists of built-in kinds show it: without apiVersion and kind.
    pub(crate) fn item(&self) -> &Bytes {
        self.item.get_or_init(|| {
            let mut value = self.value.clone();
            if let Some(fields) = value.as_object_mut() {
                fields.remove("apiVersion");
                fields.remove("kind");
            }
            value.to_string().into()
        })
    }
}

/// Which object of a kind is meant; the namespace is empty for those that have none. Lists go in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Added,
    Modified,
    Deleted,
}

/// A change that watches tell of.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) act: Act,
    pub(crate) key: Key,
    /// As it is now; of a deleted object, its last state under the version of the deletion.
    pub(crate) object: Arc<Object>,
    pub(crate) before: Option<Arc<Object>>,
}

impl Change {
    pub(crate) fn revision(&self) -> u64 {
        self.object.revision()
    }
}

/// All objects of one kind.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) kind: Arc<Kind>,
    objects: BTreeMap<Key, Arc<Object>>,
    changes: VecDeque<Change>,
    /// Changes up to this version are forgotten.
    forgotten: u64,
    /// Wakes the watches of this kind.
    moved: watch::Sender<u64>,
}

impl Table {
    fn new(kind: Kind, revision: u64) -> Self {
        Self {
            kind: Arc::new(kind),
            objects: BTreeMap::new(),
            changes: VecDeque::new(),
            forgotten: revision,
            moved: watch::Sender::new(revision),
        }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<Object>> {
        self.objects.get(key)
    }

    pub(crate) fn objects(&self) -> &BTreeMap<Key, Arc<Object>> {
        &self.objects
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }

    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// What happened after this version, or nothing if part of it is forgotten.
    pub(crate) fn since(&self, revision: u64) -> Option<impl Iterator<Item = &Change>> {
        let start = self.changes.partition_point(|change| change.revision() <= revision);
        (revision >= self.forgotten).then(|| self.changes.range(start..))
    }

    /// The objects as they were at this version, or nothing if that is forgotten.
    pub(crate) fn at(&self, revision: u64) -> Option<BTreeMap<Key, Arc<Object>>> {
        if revision < self.forgotten {
            return None;
        }
        let mut objects = self.objects.clone();
        for change in self.changes.iter().rev().take_while(|change| change.revision() > revision) {
            match &change.before {
                Some(before) => objects.insert(change.key.clone(), Arc::clone(before)),
                None => objects.remove(&change.key),
            };
        }
        Some(objects)
    }
}

/// All that the server remembers.
#[derive(Debug)]
pub(crate) struct Store {
    revision: u64,
    remember: usize,
    tables: BTreeMap<(String, String), Table>,
}

impl Store {
    /// Keeps so many changes of each kind for watches to resume from.
    pub(crate) fn new(remember: usize) -> Self {
        let mut store = Self { revision: 1, remember, tables: BTreeMap::new() };
        for kind in kinds::built_in() {
            store.learn(kind);
        }
        store
    }

    /// The version of the latest change of anything.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn learn(&mut self, kind: Kind) {
        let revision = self.revision;
        self.tables.entry((kind.group.clone(), kind.plural.clone())).or_insert_with(|| Table::new(kind, revision));
    }

    pub(crate) fn table(&self, group: &str, plural: &str) -> Option<&Table> {
        self.tables.get(&(group.to_owned(), plural.to_owned()))
    }

    pub(crate) fn of(&self, kind: &Kind) -> Option<&Table> {
        self.table(&kind.group, &kind.plural)
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.values()
    }

    /// Keeps an object, new or changed.
    pub(crate) fn write(&mut self, kind: &Kind, key: Key, value: Value) -> Option<Arc<Object>> {
        let table = self.tables.get_mut(&(kind.group.clone(), kind.plural.clone()))?;
        self.revision += 1;
        let object = Arc::new(Object::new(value, self.revision));
        let before = table.objects.insert(key.clone(), Arc::clone(&object));
        let act = if before.is_some() { Act::Modified } else { Act::Added };
        record(table, Change { act, key, object: Arc::clone(&object), before }, self.remember);
        Some(object)
    }

    /// Forgets an object. `last` is how watches see it for the last time.
    pub(crate) fn remove(&mut self, kind: &Kind, key: Key, last: Value) -> Option<Arc<Object>> {
        let table = self.tables.get_mut(&(kind.group.clone(), kind.plural.clone()))?;
        let before = table.objects.remove(&key)?;
        self.revision += 1;
        let object = Arc::new(Object::new(last, self.revision));
        let change = Change { act: Act::Deleted, key, object: Arc::clone(&object), before: Some(before) };
        record(table, change, self.remember);
        Some(object)
    }

    /// Forgets all changes up to now: watches that want to resume from an earlier version have to list again.
    pub(crate) fn forget(&mut self) {
        let revision = self.revision;
        for table in self.tables.values_mut() {
            table.changes.clear();
            table.forgotten = revision;
        }
    }
}

fn record(table: &mut Table, change: Change, remember: usize) {
    let revision = change.revision();
    table.changes.push_back(change);
    while table.changes.len() > remember {
        if let Some(oldest) = table.changes.pop_front() {
            table.forgotten = oldest.revision();
        }
    }
    table.moved.send_replace(revision);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nodes() -> Kind {
        kinds::built_in().into_iter().find(|kind| kind.kind == "Node").unwrap()
    }

    fn write(store: &mut Store, name: &str, mark: u32) -> u64 {
        let value = json!({ "metadata": { "name": name }, "mark": mark });
        store.write(&nodes(), Key::new("", name), value).unwrap().revision()
    }

    #[test]
    fn the_past_can_be_seen_until_it_is_forgotten() {
        let mut store = Store::new(100);
        write(&mut store, "a", 1);
        let then = write(&mut store, "b", 1);
        write(&mut store, "a", 2);
        write(&mut store, "c", 1);
        store.remove(&nodes(), Key::new("", "b"), json!({ "metadata": {} })).unwrap();
        let past = store.of(&nodes()).unwrap().at(then).unwrap();
        let marks = past.iter().map(|(key, object)| (key.name.as_str(), object.value()["mark"].clone()));
        assert_eq!(marks.collect::<Vec<_>>(), [("a", json!(1)), ("b", json!(1))]);
        store.forget();
        assert!(store.of(&nodes()).unwrap().at(then).is_none());
    }

    #[test]
    fn old_changes_make_room_for_new_ones() {
        let mut store = Store::new(2);
        let versions = [1, 2, 3].map(|mark| write(&mut store, "a", mark));
        let table = store.of(&nodes()).unwrap();
        assert!(table.since(versions[0] - 1).is_none());
        assert_eq!(table.since(versions[0]).unwrap().count(), 2);
    }
}

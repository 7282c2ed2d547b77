//! Events: what `kubectl describe` shows an operator of what was done to an object, and why something was not.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Client, Resource};
use tokio::time::Instant;

/// For how long a repetition is counted on the event that there is.
const SAME: Duration = Duration::from_secs(360);
/// How many different events an object may have at once, and how often it may have one more after that.
const BURST: u32 = 25;
const REFILL: Duration = Duration::from_secs(300);
/// How long writing one may take; it is not worth more.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much text an event takes, in bytes.
const LONGEST: usize = 1_024;

/// Writes events. Clones share what they remember.
///
/// A repetition is counted on the event that there is, which is written again the second, fourth, eighth time and so on: what
/// goes wrong all the time is no load on the API server. An object that gets too many different ones gets no more for a
/// while. An event that can't be written is logged, and that is all.
#[derive(Clone)]
pub struct Events {
    client: Client,
    component: &'static str,
    instance: Arc<str>,
    memory: Arc<Mutex<Memory>>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("component", &self.component).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Memory {
    written: HashMap<Key, Written>,
    budgets: HashMap<String, Budget>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    kind: &'static str,
    object: String,
    reason: String,
    note: String,
}

struct Written {
    name: String,
    count: i32,
    last: Instant,
}

struct Budget {
    left: u32,
    since: Instant,
}

/// What is to be done about an event.
enum Step {
    Create(String),
    Count(String, i32),
    Nothing,
}

/// The reference to an object, for its events.
pub fn reference<K: Resource<DynamicType = ()>>(object: &K) -> ObjectReference {
    object.object_ref(&())
}

impl Events {
    /// Events of a component, such as `service-controller`, with this name of the process.
    #[must_use]
    pub fn new(client: Client, component: &'static str, instance: &str) -> Self {
        Self { client, component, instance: Arc::from(instance), memory: Arc::default() }
    }

    /// The same, in the name of another component.
    #[must_use]
    pub fn of(&self, component: &'static str) -> Self {
        Self { component, ..self.clone() }
    }

    /// Tells of something that is as it should be.
    pub async fn normal(&self, about: &ObjectReference, reason: &str, note: impl Into<String>) {
        self.write("Normal", about, reason, note.into()).await;
    }

    /// Tells of something that someone should look into.
    pub async fn warning(&self, about: &ObjectReference, reason: &str, note: impl Into<String>) {
        self.write("Warning", about, reason, note.into()).await;
    }

    async fn write(&self, kind: &'static str, about: &ObjectReference, reason: &str, mut note: String) {
        if note.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|end| note.is_char_boundary(*end)).unwrap_or_default();
            note.truncate(end);
        }
        let object = format!(
            "{}/{}/{}",
            about.kind.as_deref().unwrap_or_default(),
            about.namespace.as_deref().unwrap_or_default(),
            about.uid.as_deref().or(about.name.as_deref()).unwrap_or_default()
        );
        let key = Key { kind, object, reason: reason.to_owned(), note };
        let namespace = about.namespace.as_deref().unwrap_or("default");
        let api: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let step = self.remember(&key, about.name.as_deref().unwrap_or(self.component));
        let written = tokio::time::timeout(PATIENCE, async {
            match step {
                Step::Nothing => Ok(()),
                Step::Create(name) => {
                    api.create(&PostParams::default(), &self.event(name, about, &key)).await.map(drop)
                }
                Step::Count(name, count) => {
                    let series = EventSeries { count, last_observed_time: MicroTime(Timestamp::now()) };
                    let patch = Patch::Merge(serde_json::json!({ "series": series }));
                    api.patch(&name, &PatchParams::default(), &patch).await.map(drop)
                }
            }
        });
        let failure = match written.await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {PATIENCE:?}"),
        };
        // Perhaps it has expired there: the next one is a new one.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).written.remove(&key);
        tracing::warn!(object = key.object, reason, note = key.note, "an event can't be written: {failure}");
    }

    fn remember(&self, key: &Key, name: &str) -> Step {
        let now = Instant::now();
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.written.retain(|_, written| now.duration_since(written.last) < SAME);
        memory.budgets.retain(|_, budget| now.duration_since(budget.since) < REFILL * BURST);
        if let Some(written) = memory.written.get_mut(key) {
            written.count = written.count.saturating_add(1);
            written.last = now;
            let tell = u32::try_from(written.count).is_ok_and(u32::is_power_of_two);
            return if tell { Step::Count(written.name.clone(), written.count) } else { Step::Nothing };
        }
        let budget = memory.budgets.entry(key.object.clone()).or_insert(Budget { left: BURST, since: now });
        while budget.left < BURST && now.duration_since(budget.since) >= REFILL {
            budget.left += 1;
            budget.since += REFILL;
        }
        if budget.left == 0 {
            return Step::Nothing;
        }
        if budget.left == BURST {
            budget.since = now;
        }
        budget.left -= 1;
        let name = format!("{name}.{:016x}", fastrand::u64(..));
        memory.written.insert(key.clone(), Written { name: name.clone(), count: 1, last: now });
        Step::Create(name)
    }

    fn event(&self, name: String, about: &ObjectReference, key: &Key) -> Event {
        Event {
            metadata: ObjectMeta {
                name: Some(name),
                namespace: Some(about.namespace.clone().unwrap_or_else(|| "default".to_owned())),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(Timestamp::now())),
            type_: Some(key.kind.to_owned()),
            reason: Some(key.reason.clone()),
            action: Some(key.reason.clone()),
            note: Some(key.note.clone()),
            regarding: Some(about.clone()),
            reporting_controller: Some(self.component.to_owned()),
            reporting_instance: Some(self.instance.chars().take(128).collect()),
            ..Event::default()
        }
    }
}

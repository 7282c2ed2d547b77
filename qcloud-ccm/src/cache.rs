//! What the API server holds of one kind, kept up to date by one watch that all controllers share.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use futures_util::{Stream, StreamExt};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch};

/// A change of an object.
#[derive(Debug)]
pub enum Change<K> {
    /// It is new, or not what it was.
    Applied(Arc<K>),
    /// It is gone; this is what it was last.
    Deleted(Arc<K>),
}

impl<K> Change<K> {
    /// The object.
    pub fn object(&self) -> &Arc<K> {
        match self {
            Self::Applied(object) | Self::Deleted(object) => object,
        }
    }
}

impl<K> Clone for Change<K> {
    fn clone(&self) -> Self {
        match self {
            Self::Applied(object) => Self::Applied(Arc::clone(object)),
            Self::Deleted(object) => Self::Deleted(Arc::clone(object)),
        }
    }
}

/// The objects of one kind. Clones share them.
///
/// `managedFields` are not kept. After a gap in the watch, the list is compared with what was known, so that nothing is
/// missed and nothing is told twice.
pub struct Cache<K>(Arc<Inner<K>>);

struct Inner<K> {
    state: RwLock<State<K>>,
    ready: watch::Sender<bool>,
}

struct State<K> {
    objects: Objects<K>,
    listeners: Vec<mpsc::UnboundedSender<Change<K>>>,
}

/// By namespace and name.
type Objects<K> = HashMap<String, HashMap<String, Arc<K>>>;

impl<K> Clone for Cache<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> fmt::Debug for Cache<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let objects: usize = self.read().objects.values().map(HashMap::len).sum();
        f.debug_struct("Cache").field("objects", &objects).field("ready", &*self.0.ready.borrow()).finish()
    }
}

impl<K> Cache<K> {
    fn read(&self) -> RwLockReadGuard<'_, State<K>> {
        self.0.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State<K>> {
        self.0.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the objects have been listed once.
    pub async fn ready(&self)
    where
        K: Send + Sync,
    {
        // The sender lives as long as this.
        let _ = self.0.ready.subscribe().wait_for(|ready| *ready).await;
    }

    /// Whether the objects have been listed once.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self.0.ready.borrow()
    }

    /// The object of this name, as far as is known.
    #[must_use]
    pub fn get(&self, namespace: Option<&str>, name: &str) -> Option<Arc<K>> {
        self.read().objects.get(namespace.unwrap_or_default())?.get(name).map(Arc::clone)
    }

    /// All objects, in no order.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<K>> {
        self.read().objects.values().flat_map(HashMap::values).map(Arc::clone).collect()
    }

    /// What is known now, each object as applied, then every change.
    pub fn changes(&self) -> impl Stream<Item = Change<K>> + Send + Unpin + use<K>
    where
        K: Send + Sync + 'static,
    {
        let (sender, receiver) = mpsc::unbounded_channel();
        {
            let mut state = self.write();
            for object in state.objects.values().flat_map(HashMap::values) {
                let _ = sender.send(Change::Applied(Arc::clone(object)));
            }
            state.listeners.push(sender);
        }
        futures_util::stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver))).boxed()
    }
}

impl<K> Cache<K>
where
    K: Resource + Clone + fmt::Debug + DeserializeOwned + Send + Sync + 'static,
{
    /// A cache, and the work that fills it and keeps it up to date for as long as it is polled.
    pub fn start(api: Api<K>, config: watcher::Config) -> (Self, impl Future<Output = ()> + Send) {
        Self::start_trimmed(api, config, |_| {})
    }

    /// Like [`start`](Self::start), with a function that takes out of each object what nobody needs.
    pub fn start_trimmed(
        api: Api<K>,
        config: watcher::Config,
        trim: fn(&mut K),
    ) -> (Self, impl Future<Output = ()> + Send) {
        let state = State { objects: HashMap::new(), listeners: Vec::new() };
        let cache = Self(Arc::new(Inner { state: RwLock::new(state), ready: watch::Sender::new(false) }));
        let driven = cache.clone();
        let work = async move {
            let mut listed = Objects::new();
            let mut events = watcher(api, config).default_backoff().boxed();
            while let Some(event) = events.next().await {
                match event {
                    Ok(event) => driven.take(event, &mut listed, trim),
                    Err(error) => tracing::warn!(kind = std::any::type_name::<K>(), "watching: {error}"),
                }
            }
        };
        (cache, work)
    }

    fn take(&self, event: Event<K>, listed: &mut Objects<K>, trim: fn(&mut K)) {
        let prepare = |mut object: K| {
            object.meta_mut().managed_fields = None;
            trim(&mut object);
            Arc::new(object)
        };
        match event {
            Event::Init => listed.clear(),
            Event::InitApply(object) => put(listed, prepare(object)),
            Event::InitDone => {
                self.write().relisted(std::mem::take(listed));
                self.0.ready.send_replace(true);
            }
            Event::Apply(object) => {
                let object = prepare(object);
                let mut state = self.write();
                put(&mut state.objects, Arc::clone(&object));
                state.tell(&Change::Applied(object));
            }
            Event::Delete(object) => {
                let object = prepare(object);
                let (namespace, name) = place(&*object);
                let mut state = self.write();
                if let Some(named) = state.objects.get_mut(namespace) {
                    named.remove(name);
                    if named.is_empty() {
                        state.objects.remove(namespace);
                    }
                }
                state.tell(&Change::Deleted(object));
            }
        }
    }
}

fn place<K: Resource>(object: &K) -> (&str, &str) {
    let meta = object.meta();
    (meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
}

fn put<K: Resource>(objects: &mut Objects<K>, object: Arc<K>) {
    let (namespace, name) = place(&*object);
    let (namespace, name) = (namespace.to_owned(), name.to_owned());
    objects.entry(namespace).or_default().insert(name, object);
}

impl<K: Resource> State<K> {
    fn tell(&mut self, change: &Change<K>) {
        self.listeners.retain(|listener| listener.send(change.clone()).is_ok());
    }

    /// Takes over a complete list, and tells in what it differs.
    fn relisted(&mut self, listed: Objects<K>) {
        let known = std::mem::take(&mut self.objects);
        let find = |objects: &Objects<K>, object: &K| {
            let (namespace, name) = place(object);
            objects.get(namespace).and_then(|named| named.get(name)).map(Arc::clone)
        };
        for object in known.values().flat_map(HashMap::values) {
            // One that was made again under its old name was deleted in between.
            let same = find(&listed, object).is_some_and(|now| now.meta().uid == object.meta().uid);
            if !same {
                self.tell(&Change::Deleted(Arc::clone(object)));
            }
        }
        for object in listed.values().flat_map(HashMap::values) {
            let version = &object.meta().resource_version;
            let same = find(&known, object).is_some_and(|then| then.meta().resource_version == *version);
            if !same || version.is_none() {
                self.tell(&Change::Applied(Arc::clone(object)));
            }
        }
        self.objects = listed;
    }
}

//! The server as tests hold it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;

use crate::admin::{self, Refused};
use crate::fault::Faults;
use crate::http::Served;
use crate::log::Requests;
use crate::service::ApiService;
use crate::state::State;
use crate::watch::End;

/// A Kubernetes API server in memory. Clones share the same one.
///
/// What tests do with it directly, they do as an administrator: no fault strikes, nothing is counted, and the rules of
/// versions and immutable fields don't hold.
#[derive(Clone, Debug)]
pub struct ApiServer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    state: Mutex<State>,
    pub(crate) faults: Faults,
    pub(crate) requests: Requests,
    ends: watch::Sender<Option<End>>,
}

/// How a server is to be.
#[derive(Clone, Debug)]
#[must_use = "the server is made by `build`"]
pub struct Builder {
    seed: u64,
    remember: usize,
    start: Timestamp,
}

impl Default for ApiServer {
    fn default() -> Self {
        Self::new()
    }
}

impl ApiServer {
    /// A server with the usual namespaces and nothing else in it.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A server of another seed, memory or time.
    pub fn builder() -> Builder {
        Builder { seed: 0, remember: 10_000, start: Timestamp::now() }
    }

    /// The server as a service for requests inside the process: `kube::Client::new(server.service(), "default")`.
    pub fn service(&self) -> ApiService {
        ApiService::new(Arc::clone(&self.inner))
    }

    /// Serves HTTP on this address, which must be one of loopback; with port 0 on a free one.
    ///
    /// # Errors
    ///
    /// If the address is not one of loopback, or can't be listened on.
    pub async fn serve(&self, address: SocketAddr) -> std::io::Result<Served> {
        Served::start(self.service(), address).await
    }

    /// Keeps an object as it is given, its status included, in the place of one that may be there. A namespace that is
    /// missing is made. Answers with the object as it is now.
    ///
    /// # Errors
    ///
    /// If no server would keep such an object, say for its name.
    pub fn put(&self, object: Value) -> Result<Value, Refused> {
        admin::put(&mut self.inner.state(), object)
    }

    /// The object, if there is one. The namespace is empty for objects of the cluster.
    pub fn get(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        admin::get(&self.inner.state(), api_version, kind, namespace, name)
    }

    /// All objects of a kind, by namespace and name.
    pub fn list(&self, api_version: &str, kind: &str) -> Vec<Value> {
        admin::list(&self.inner.state(), api_version, kind)
    }

    /// Changes an object in place and answers with it, or with nothing if there is none.
    ///
    /// # Errors
    ///
    /// If no server would keep what became of it.
    pub fn edit(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<Option<Value>, Refused> {
        let mut state = self.inner.state();
        let Some(mut object) = admin::get(&state, api_version, kind, namespace, name) else { return Ok(None) };
        change(&mut object);
        admin::put(&mut state, object).map(Some)
    }

    /// Deletes an object: at once, or when its finalizers are removed. Says whether there was one.
    pub fn delete(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> bool {
        admin::delete(&mut self.inner.state(), api_version, kind, namespace, name)
    }

    /// What is to go wrong with requests.
    pub fn faults(&self) -> &Faults {
        &self.inner.faults
    }

    /// What was asked so far.
    pub fn requests(&self) -> &Requests {
        &self.inner.requests
    }

    /// Forgets all past changes. Watches that want to resume from before now, and lists that go on with an older page,
    /// are answered 410 and have to begin anew; running watches go on.
    pub fn expire_history(&self) {
        self.inner.state().store.forget();
    }

    /// Ends all running watches, as a server does that shuts down or sheds load.
    pub fn end_watches(&self) {
        self.inner.ends.send_replace(Some(End::Clean));
    }

    /// Breaks the connections of all running watches.
    pub fn drop_watches(&self) {
        self.inner.ends.send_replace(Some(End::Broken));
    }

    /// The server's time.
    pub fn now(&self) -> Timestamp {
        self.inner.state().clock.now()
    }
}

impl Inner {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells a watch that begins now when to end.
    pub(crate) fn ends(&self) -> watch::Receiver<Option<End>> {
        self.ends.subscribe()
    }
}

impl Builder {
    /// Uids, ports, and faults with a probability follow from it. 0 if not set.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many changes of each kind are remembered, for watches to resume from. 10,000 if not set.
    pub fn history(mut self, changes: usize) -> Self {
        self.remember = changes;
        self
    }

    /// What the server's clock shows now; the machine's time if not set. From now on it follows the runtime's clock, also
    /// when that is paused.
    pub fn start(mut self, shows: Timestamp) -> Self {
        self.start = shows;
        self
    }

    /// Makes the server.
    pub fn build(self) -> ApiServer {
        let mut state = State::new(self.remember, self.seed, self.start);
        for namespace in ["default", "kube-node-lease", "kube-public", "kube-system"] {
            admin::make_namespace(&mut state, namespace);
        }
        let inner = Inner {
            state: Mutex::new(state),
            faults: Faults::new(self.seed),
            requests: Requests::default(),
            ends: watch::Sender::new(None),
        };
        ApiServer { inner: Arc::new(inner) }
    }
}

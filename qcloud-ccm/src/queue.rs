//! A queue of things to look at again, with the semantics of client-go's: a key is worked on once at a time, additions
//! merge, and failures are repeated after growing pauses.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use qcloud_container::kubernetes::Retry;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::error::Error;
use crate::metrics::{Metrics, QueueMetrics};

/// How long to wait after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pauses {
    /// After the first failure; it doubles with each further one.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// When to look again at what is of no use to repeat before it changes: the world may have.
    pub hopeless: Duration,
    /// Whether each pause is a random part of what it would be, so that many keys don't come back at once.
    pub jitter: bool,
}

impl Default for Pauses {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(5),
            longest: Duration::from_secs(300),
            hopeless: Duration::from_secs(1_800),
            jitter: true,
        }
    }
}

impl Pauses {
    /// The pause after this many failures in a row.
    fn after(&self, failures: u32) -> Duration {
        let factor = 2_u32.checked_pow(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let whole = self.first.saturating_mul(factor).min(self.longest);
        // Never less than a tenth, so that bad luck makes no hot loop.
        if self.jitter { whole.mul_f64(fastrand::f64().mul_add(0.9, 0.1)) } else { whole }
    }
}

/// What became of a key that was worked on without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is as it ought to be.
    Done,
    /// It is to be looked at again after this long.
    After(Duration),
}

/// Keys that are to be worked on. Clones share them.
pub struct Queue<K>(Arc<Inner<K>>);

struct Inner<K> {
    name: &'static str,
    pauses: Pauses,
    state: Mutex<State<K>>,
    changed: Notify,
    metrics: Option<QueueMetrics>,
}

struct State<K> {
    /// Keys to be worked on now, in order; each is in `wanted`, too.
    ready: VecDeque<K>,
    /// Keys to be worked on now, also those that are worked on and were added meanwhile.
    wanted: HashSet<K>,
    working: HashSet<K>,
    later: BTreeMap<(Instant, u64), K>,
    due: HashMap<K, (Instant, u64)>,
    /// Tells apart what is due at the same moment.
    sequence: u64,
    failures: HashMap<K, u32>,
}

impl<K> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> fmt::Debug for Queue<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("name", &self.0.name).field("pauses", &self.0.pauses).finish_non_exhaustive()
    }
}

impl<K: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static> Queue<K> {
    /// An empty queue. The name stands in logs and metrics.
    #[must_use]
    pub fn new(name: &'static str, pauses: Pauses) -> Self {
        Self::build(name, pauses, None)
    }

    /// An empty queue whose length and work are counted.
    #[must_use]
    pub fn counted(name: &'static str, pauses: Pauses, metrics: &Metrics) -> Self {
        Self::build(name, pauses, Some(metrics.queue(name)))
    }

    fn build(name: &'static str, pauses: Pauses, metrics: Option<QueueMetrics>) -> Self {
        let state = State {
            ready: VecDeque::new(),
            wanted: HashSet::new(),
            working: HashSet::new(),
            later: BTreeMap::new(),
            due: HashMap::new(),
            sequence: 0,
            failures: HashMap::new(),
        };
        Self(Arc::new(Inner { name, pauses, state: Mutex::new(state), changed: Notify::new(), metrics }))
    }

    fn state(&self) -> MutexGuard<'_, State<K>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a key to be worked on now. If it waits already, that is all; if it is being worked on, it will be once more.
    pub fn add(&self, key: K) {
        self.state().add(key);
        self.announce();
    }

    /// Adds a key to be worked on after this long. Of several times, the earliest holds.
    pub fn add_after(&self, key: K, after: Duration) {
        if after.is_zero() {
            return self.add(key);
        }
        self.state().add_at(key, Instant::now() + after);
        self.announce();
    }

    /// How many keys wait to be worked on now.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.state().ready.len()
    }

    fn announce(&self) {
        if let Some(metrics) = &self.0.metrics {
            metrics.depth(self.depth());
        }
        self.0.changed.notify_waiters();
    }

    /// Works on keys, on this many at once and never on one twice at once, until it is dropped. What is dropped unfinished
    /// is taken up again by the next call.
    pub async fn work<F, Fut>(&self, workers: usize, reconcile: F)
    where
        F: Fn(K) -> Fut + Send + Sync,
        Fut: Future<Output = Result<Next, Error>> + Send,
    {
        let mut running = FuturesUnordered::new();
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            // From here on, no addition is missed.
            changed.as_mut().enable();
            let due = {
                let mut state = self.state();
                state.promote(Instant::now());
                while running.len() < workers.max(1)
                    && let Some(key) = state.take()
                {
                    running.push(self.one(key, &reconcile));
                }
                state.later.first_key_value().map(|((at, _), _)| *at)
            };
            if let Some(metrics) = &self.0.metrics {
                metrics.depth(self.depth());
            }
            let soonest = async {
                match due {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(()) = running.next(), if !running.is_empty() => {}
                () = &mut changed => {}
                () = soonest => {}
            }
        }
    }

    async fn one<F, Fut>(&self, key: K, reconcile: &F)
    where
        F: Fn(K) -> Fut + Send + Sync,
        Fut: Future<Output = Result<Next, Error>> + Send,
    {
        let mut work = Work { queue: self, key: Some(key.clone()) };
        let started = Instant::now();
        let result = reconcile(key.clone()).await;
        if let Some(metrics) = &self.0.metrics {
            metrics.worked(started.elapsed(), result.as_ref().err());
        }
        work.finish(result);
    }
}

/// A key that is being worked on.
struct Work<'q, K: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static> {
    queue: &'q Queue<K>,
    key: Option<K>,
}

impl<K: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static> Work<'_, K> {
    fn finish(&mut self, result: Result<Next, Error>) {
        let Some(key) = self.key.take() else { return };
        let (name, pauses) = (self.queue.0.name, &self.queue.0.pauses);
        let mut state = self.queue.state();
        let pause = match &result {
            Ok(next) => {
                state.failures.remove(&key);
                match next {
                    Next::Done => None,
                    Next::After(after) => Some(*after),
                }
            }
            Err(error) => {
                let pause = match error.retry() {
                    Retry::Never => {
                        state.failures.remove(&key);
                        pauses.hopeless
                    }
                    Retry::After(after) => after.max(Duration::from_millis(100)),
                    Retry::Backoff => {
                        let failures = state.failures.entry(key.clone()).or_default();
                        *failures = failures.saturating_add(1);
                        pauses.after(*failures)
                    }
                };
                if error.is_waiting() {
                    tracing::debug!(queue = name, ?key, again_in = ?pause, "{error}");
                } else {
                    tracing::warn!(queue = name, ?key, again_in = ?pause, "{error}");
                }
                Some(pause)
            }
        };
        state.working.remove(&key);
        if let Some(pause) = pause {
            state.add_at(key.clone(), Instant::now() + pause);
        }
        if state.wanted.contains(&key) {
            state.ready.push_back(key);
        }
        drop(state);
        self.queue.announce();
    }
}

impl<K: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static> Drop for Work<'_, K> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            let mut state = self.queue.state();
            state.working.remove(&key);
            state.wanted.insert(key.clone());
            state.ready.push_front(key);
        }
    }
}

impl<K: Clone + Eq + Hash> State<K> {
    fn add(&mut self, key: K) {
        if self.wanted.insert(key.clone()) && !self.working.contains(&key) {
            self.ready.push_back(key);
        }
    }

    fn add_at(&mut self, key: K, at: Instant) {
        if let Some(known) = self.due.get(&key) {
            if known.0 <= at {
                return;
            }
            self.later.remove(known);
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.due.insert(key.clone(), (at, self.sequence));
        self.later.insert((at, self.sequence), key);
    }

    /// Moves what is due to what is ready.
    fn promote(&mut self, now: Instant) {
        while let Some(first) = self.later.first_entry()
            && first.key().0 <= now
        {
            let key = first.remove();
            self.due.remove(&key);
            self.add(key);
        }
    }

    fn take(&mut self) -> Option<K> {
        let key = self.ready.pop_front()?;
        self.wanted.remove(&key);
        self.working.insert(key.clone());
        Some(key)
    }
}

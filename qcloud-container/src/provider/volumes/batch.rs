//! Calls that many callers share.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared, join_all};
use qcloud_core::clock::Clock;

use crate::kubernetes::{ErrorKind, ProviderError, Result};
use crate::provider::error::copy;

/// What a round found out for each key. A key that is missing has no answer.
pub(super) type Answers<K, V> = HashMap<K, Result<V>>;
type Shareable<K, V> = Arc<Answers<K, V>>;
type Carry<G, K, V> = dyn Fn(G, Vec<K>) -> BoxFuture<'static, Answers<K, V>> + Send + Sync;

/// Gathers keys for a moment and has them answered together, each group on its own.
///
/// The future of a round belongs to those who wait for it: whoever is left drives it, and when nobody is, it is
/// dropped. Nothing runs in the background.
pub(super) struct Batcher<G, K, V> {
    inner: Arc<Inner<G, K, V>>,
}

impl<G, K, V> Clone for Batcher<G, K, V> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

struct Inner<G, K, V> {
    clock: Arc<dyn Clock>,
    pace: Pace,
    carry: Box<Carry<G, K, V>>,
    state: Mutex<State<G, K, V>>,
}

/// When rounds begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// How long keys are gathered.
    pub(super) gather: Duration,
    /// How many keys one call takes.
    pub(super) per_call: usize,
    /// How far apart calls begin, those of a round and those of the next.
    pub(super) pause: Duration,
}

struct State<G, K, V> {
    rounds: HashMap<G, Round<K, V>>,
    /// When the next round may begin.
    next: Duration,
}

struct Round<K, V> {
    /// `None` once the round has begun.
    keys: Arc<Mutex<Option<Vec<K>>>>,
    future: WeakShared<BoxFuture<'static, Shareable<K, V>>>,
}

impl<G, K, V> Batcher<G, K, V>
where
    G: Clone + Eq + Hash + Send + Sync + 'static,
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(super) fn new(
        clock: Arc<dyn Clock>,
        pace: Pace,
        carry: impl Fn(G, Vec<K>) -> BoxFuture<'static, Answers<K, V>> + Send + Sync + 'static,
    ) -> Self {
        let state = Mutex::new(State { rounds: HashMap::new(), next: Duration::ZERO });
        Self { inner: Arc::new(Inner { clock, pace, carry: Box::new(carry), state }) }
    }

    /// The answer for a key; `None` when the round had none.
    pub(super) async fn ask(&self, group: G, key: K) -> Result<Option<V>> {
        let answers = self.join(group, &key).await;
        match answers.get(&key) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value.clone())),
            Some(Err(error)) => Err(copy(error)),
        }
    }

    fn join(&self, group: G, key: &K) -> Shared<BoxFuture<'static, Shareable<K, V>>> {
        let mut state = self.inner.state();
        if let Some(round) = state.rounds.get(&group)
            && let Some(future) = round.future.upgrade()
            && let Some(keys) = round.keys.lock().unwrap_or_else(PoisonError::into_inner).as_mut()
        {
            if !keys.contains(key) {
                keys.push(key.clone());
            }
            return future;
        }
        let keys = Arc::new(Mutex::new(Some(vec![key.clone()])));
        let inner = Arc::clone(&self.inner);
        let future = inner.round(group.clone(), Arc::clone(&keys)).boxed().shared();
        if let Some(weak) = future.downgrade() {
            state.rounds.insert(group, Round { keys, future: weak });
        }
        future
    }
}

impl<G, K, V> Inner<G, K, V>
where
    G: Clone + Eq + Hash + Send + Sync,
    K: Clone + Eq + Hash + Send + Sync,
    V: Send + Sync,
{
    fn state(&self) -> MutexGuard<'_, State<G, K, V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn round(self: Arc<Self>, group: G, keys: Arc<Mutex<Option<Vec<K>>>>) -> Shareable<K, V> {
        self.clock.sleep(self.pace.gather).await;
        // Others may have begun a round meanwhile, and put this one off.
        loop {
            let wait = self.state().next.saturating_sub(self.clock.elapsed());
            if wait.is_zero() {
                break;
            }
            self.clock.sleep(wait).await;
        }
        let keys = keys.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
        let calls: Vec<Vec<K>> = keys.chunks(self.pace.per_call.max(1)).map(<[K]>::to_vec).collect();
        {
            let mut state = self.state();
            let count = u32::try_from(calls.len()).unwrap_or(u32::MAX);
            state.next = self.clock.elapsed().saturating_add(self.pace.pause.saturating_mul(count));
            state.rounds.remove(&group);
        }
        let calls = (0_u32..).zip(calls).map(|(place, keys)| {
            let (inner, group) = (&self, group.clone());
            async move {
                let wait = inner.pace.pause.saturating_mul(place);
                if !wait.is_zero() {
                    inner.clock.sleep(wait).await;
                }
                (inner.carry)(group, keys).await
            }
        });
        Arc::new(join_all(calls).await.into_iter().flatten().collect())
    }
}

impl<G, K, V> fmt::Debug for Batcher<G, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batcher").field("pace", &self.inner.pace).finish_non_exhaustive()
    }
}

/// Makes a call that takes several ids and does all or nothing. When it is refused, halves of it are tried, so that one
/// bad id does not hold up the others.
pub(super) async fn bisect<F>(ids: Vec<String>, largest: usize, call: impl Fn(Vec<String>) -> F) -> Answers<String, ()>
where
    F: Future<Output = Result<()>>,
{
    let mut answers = HashMap::new();
    let mut parts: Vec<Vec<String>> = ids.chunks(largest.max(1)).map(<[String]>::to_vec).collect();
    parts.reverse();
    while let Some(mut part) = parts.pop() {
        match call(part.clone()).await {
            Ok(()) => answers.extend(part.into_iter().map(|id| (id, Ok(())))),
            Err(error) if part.len() > 1 && may_be_one_of_them(&error) => {
                let half = part.split_off(part.len() / 2);
                parts.extend([half, part]);
            }
            Err(error) => answers.extend(part.into_iter().map(|id| (id, Err(copy(&error))))),
        }
    }
    answers
}

/// Whether a refusal may be due to one of the ids alone.
fn may_be_one_of_them(error: &ProviderError) -> bool {
    let of_the_node = error.code().is_some_and(|code| code.starts_with("InvalidInstance"));
    !of_the_node
        && !matches!(
            error.kind(),
            ErrorKind::Ambiguous | ErrorKind::Throttled | ErrorKind::Unauthorized | ErrorKind::Unavailable
        )
}

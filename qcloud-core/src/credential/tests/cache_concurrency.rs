//! Many callers at once, and callers that go away.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

use super::super::{CredentialCache, CredentialProvider, Credentials, refused};
use super::cache::{Scripted, Step, until};
use super::{TestClock, start_plus};
use crate::Error;

/// Answers once let through; a load in the making counts.
#[derive(Debug)]
struct Gated {
    gate: Semaphore,
    loads: AtomicU32,
    fails: bool,
}

impl Gated {
    fn new(fails: bool) -> Arc<Self> {
        Arc::new(Self { gate: Semaphore::new(0), loads: AtomicU32::new(0), fails })
    }

    fn count(&self) -> u32 {
        self.loads.load(Ordering::SeqCst)
    }
}

impl CredentialProvider for Gated {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn load(&self) -> BoxFuture<'_, Result<Option<Credentials>, Error>> {
        Box::pin(async move {
            let number = self.loads.fetch_add(1, Ordering::SeqCst) + 1;
            self.gate.acquire().await.unwrap().forget();
            if self.fails {
                return Err(refused(format!("failure {number}")));
            }
            let end = start_plus(3600 * u64::from(number));
            Ok(Some(Credentials::new(format!("id-{number}"), "key").with_expiry(end)))
        })
    }
}

fn cache(provider: &Arc<Gated>, clock: &TestClock) -> CredentialCache {
    CredentialCache::new(Arc::clone(provider) as Arc<dyn CredentialProvider>, Arc::new(clock.clone()))
}

/// Polls a future once, as a task would that is about to be dropped.
fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_tasks_make_one_load() {
    let provider = Gated::new(false);
    let cache = cache(&provider, &TestClock::still());
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { cache.get().await.unwrap() })
        })
        .collect();
    while provider.count() == 0 {
        tokio::task::yield_now().await;
    }
    provider.gate.add_permits(1);
    for task in tasks {
        let found = task.await.unwrap();
        assert_eq!((found.credentials().secret_id(), found.generation()), ("id-1", 1));
    }
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn those_who_wait_share_a_failure() {
    let provider = Gated::new(true);
    let cache = cache(&provider, &TestClock::still());
    let callers = futures_util::future::join_all((0..100).map(|_| cache.get()));
    // Polled after the callers, so that all of them wait by then.
    let open = async { provider.gate.add_permits(100) };
    for outcome in futures_util::future::join(callers, open).await.0 {
        assert_eq!(outcome.unwrap_err().message(), "failure 1");
    }
    assert_eq!(provider.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_tasks_make_one_renewal_and_need_not_wait_for_it() {
    let provider = Gated::new(false);
    let clock = TestClock::still();
    let cache = cache(&provider, &clock);
    provider.gate.add_permits(1);
    assert_eq!(cache.get().await.unwrap().generation(), 1);
    clock.advance(3500);
    let renewing = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get().await.unwrap().generation() }
    });
    while provider.count() == 1 {
        tokio::task::yield_now().await;
    }
    let callers = futures_util::future::join_all((0..100).map(|_| cache.get())).await;
    assert!(callers.into_iter().all(|found| found.unwrap().generation() == 1));
    provider.gate.add_permits(1);
    assert_eq!(renewing.await.unwrap(), 2);
    assert_eq!(cache.get().await.unwrap().generation(), 2);
    assert_eq!(provider.count(), 2);
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_its_load_to_the_next() {
    let provider = Gated::new(false);
    let cache = cache(&provider, &TestClock::still());
    for _ in 0..10 {
        assert!(poll_once(cache.get()).is_pending());
    }
    provider.gate.add_permits(1);
    assert_eq!(cache.get().await.unwrap().credentials().secret_id(), "id-1");
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn one_of_two_callers_goes_away() {
    let provider = Gated::new(false);
    let cache = cache(&provider, &TestClock::still());
    let first = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get().await.map(|_| ()) }
    });
    let second = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get().await.unwrap().generation() }
    });
    while provider.count() == 0 {
        tokio::task::yield_now().await;
    }
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    provider.gate.add_permits(1);
    assert_eq!(second.await.unwrap(), 1);
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn a_renewal_left_behind_is_taken_up_again() {
    let provider = Gated::new(false);
    let clock = TestClock::still();
    let cache = cache(&provider, &clock);
    provider.gate.add_permits(1);
    assert_eq!(cache.get().await.unwrap().generation(), 1);
    clock.advance(3500);
    assert!(poll_once(cache.get()).is_pending());
    provider.gate.add_permits(1);
    assert_eq!(cache.get().await.unwrap().generation(), 2);
    assert_eq!(provider.count(), 2);
}

#[tokio::test]
async fn a_slow_renewal_does_not_hold_callers_up() {
    let provider = Scripted::new([until("old", 3600), Step::Hang, until("new", 9999)]);
    let clock = TestClock::still();
    let cache = CredentialCache::new(Arc::<Scripted>::clone(&provider), Arc::new(clock.clone()));
    let id = async || cache.get().await.unwrap().credentials().secret_id().to_owned();
    assert_eq!(id().await, "old");
    clock.advance(3500);
    for _ in 0..2 {
        let mut call = pin!(id());
        assert!(poll_once(call.as_mut()).is_pending());
        assert_eq!(id().await, "old");
        clock.advance(2);
        assert_eq!(call.await, "old");
    }
    assert_eq!(provider.count(), 2);
    clock.advance(15);
    assert_eq!((id().await.as_str(), provider.count()), ("new", 3));
}

#[tokio::test]
async fn a_load_left_behind_for_long_is_begun_anew() {
    let provider = Scripted::new([Step::Hang, until("id", 3600)]);
    let clock = TestClock::still();
    let cache = CredentialCache::new(Arc::<Scripted>::clone(&provider), Arc::new(clock.clone()));
    assert!(poll_once(cache.get()).is_pending());
    clock.advance(60);
    assert_eq!(cache.get().await.unwrap().credentials().secret_id(), "id");
    assert_eq!(provider.count(), 2);
}

#[tokio::test]
async fn a_dropped_cache_drops_its_provider() {
    let provider = Gated::new(false);
    let cache = cache(&provider, &TestClock::still());
    assert!(poll_once(cache.get()).is_pending());
    drop(cache);
    assert_eq!(Arc::strong_count(&provider), 1);
}

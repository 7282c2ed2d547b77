//! When the cache loads, renews, falls back and gives up.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::super::{CredentialCache, CredentialProvider, Credentials, refused};
use super::{TestClock, start_plus};
use crate::{Error, ErrorKind};

/// What one load of a scripted provider does.
#[derive(Debug)]
pub(super) enum Step {
    Give(Credentials),
    None,
    Fail(&'static str),
    Hang,
    Panic,
}

#[derive(Debug, Default)]
pub(super) struct Scripted {
    steps: Mutex<VecDeque<Step>>,
    pub(super) loads: AtomicU32,
}

impl Scripted {
    pub(super) fn new(steps: impl IntoIterator<Item = Step>) -> Arc<Self> {
        Arc::new(Self { steps: Mutex::new(steps.into_iter().collect()), loads: AtomicU32::new(0) })
    }

    pub(super) fn count(&self) -> u32 {
        self.loads.load(Ordering::SeqCst)
    }
}

impl CredentialProvider for Scripted {
    fn name(&self) -> &'static str {
        "script"
    }

    fn load(&self) -> BoxFuture<'_, Result<Option<Credentials>, Error>> {
        Box::pin(async move {
            self.loads.fetch_add(1, Ordering::SeqCst);
            let step = self.steps.lock().unwrap().pop_front().expect("a load too many");
            match step {
                Step::Give(credentials) => Ok(Some(credentials)),
                Step::None => Ok(None),
                Step::Fail(message) => {
                    Err(refused(message).with_source(Error::new(ErrorKind::Connect, "the cause below")))
                }
                Step::Hang => std::future::pending().await,
                Step::Panic => panic!("made to panic"),
            }
        })
    }
}

/// Keys that hold until so many seconds after the start.
pub(super) fn until(id: &str, seconds: u64) -> Step {
    Step::Give(Credentials::new(id, "hunter2").with_token("hunter3").with_expiry(start_plus(seconds)))
}

struct Fixture {
    clock: TestClock,
    provider: Arc<Scripted>,
    cache: CredentialCache,
}

fn fixture(clock: TestClock, steps: impl IntoIterator<Item = Step>) -> Fixture {
    let provider = Scripted::new(steps);
    let cache = CredentialCache::new(Arc::<Scripted>::clone(&provider), Arc::new(clock.clone()));
    Fixture { clock, provider, cache }
}

impl Fixture {
    async fn id(&self) -> String {
        self.cache.get().await.unwrap().credentials().secret_id().to_owned()
    }

    async fn generation(&self) -> u64 {
        self.cache.get().await.unwrap().generation()
    }

    async fn error(&self) -> Error {
        let error = self.cache.get().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Credentials);
        error
    }
}

#[tokio::test]
async fn permanent_keys_are_loaded_once() {
    let fixture = fixture(TestClock::still(), [Step::Give(Credentials::new("id", "key"))]);
    let first = fixture.cache.get().await.unwrap();
    fixture.clock.advance(365 * 86_400);
    let second = fixture.cache.clone().get().await.unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!((first.generation(), fixture.provider.count()), (1, 1));
}

#[tokio::test]
async fn renewed_in_the_last_five_minutes_or_tenth() {
    for (life, still_old, surely_new) in [(7200, 7200 - 361, 7200 - 299), (600, 600 - 73, 600 - 59)] {
        let fixture = fixture(TestClock::still(), [until("old", life), until("new", 100_000)]);
        assert_eq!(fixture.id().await, "old");
        fixture.clock.advance(still_old);
        assert_eq!((fixture.id().await.as_str(), fixture.generation().await), ("old", 1));
        fixture.clock.advance(surely_new - still_old);
        assert_eq!((fixture.id().await.as_str(), fixture.generation().await), ("new", 2));
        assert_eq!(fixture.provider.count(), 2);
    }
}

#[tokio::test]
async fn a_failed_renewal_keeps_the_old_keys_and_rests() {
    let steps = [until("old", 3600), Step::Fail("down"), Step::None, Step::Fail("still down"), until("new", 9999)];
    let fixture = fixture(TestClock::still(), steps);
    assert_eq!(fixture.id().await, "old");
    fixture.clock.advance(3500);
    assert_eq!(fixture.id().await, "old");
    fixture.clock.advance(9);
    assert_eq!((fixture.id().await.as_str(), fixture.provider.count()), ("old", 2));
    fixture.clock.advance(1);
    assert_eq!((fixture.id().await.as_str(), fixture.provider.count()), ("old", 3));
    fixture.clock.advance(90);
    let error = fixture.error().await;
    assert_eq!(error.message(), "still down");
    // No rest when there is nothing to fall back on.
    assert_eq!((fixture.id().await.as_str(), fixture.generation().await), ("new", 2));
}

#[tokio::test]
async fn keys_close_to_their_end_are_not_fetched_over_and_over() {
    // A metadata server gives the same keys until it has new ones.
    let fixture = fixture(TestClock::still(), [until("same", 3600), until("same", 3600), until("next", 9999)]);
    assert_eq!(fixture.generation().await, 1);
    fixture.clock.advance(3400);
    for _ in 0..5 {
        assert_eq!((fixture.generation().await, fixture.provider.count()), (1, 2));
    }
    fixture.clock.advance(185);
    assert_eq!((fixture.id().await.as_str(), fixture.generation().await), ("next", 2));
}

#[tokio::test]
async fn failures_say_why_and_are_not_kept() {
    let steps = [Step::Fail("no way"), Step::None, until("gone", 0), Step::Panic, until("id", 3600)];
    let fixture = fixture(TestClock::still(), steps);
    let error = fixture.error().await;
    assert_eq!(error.to_string(), "no way");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "the cause below");
    assert!(fixture.error().await.message().contains("(script) is not set up here"));
    assert!(fixture.error().await.message().contains("check the machine's clock"));
    assert!(fixture.error().await.message().contains("panicked"));
    assert_eq!(fixture.id().await, "id");
    assert!(!format!("{:?}{:?}", fixture.cache, fixture.cache.get().await).contains("hunter"));
}

#[tokio::test]
async fn errors_of_other_kinds_become_errors_of_the_credentials() {
    #[derive(Debug)]
    struct Foreign;
    impl CredentialProvider for Foreign {
        fn name(&self) -> &'static str {
            "vault"
        }
        fn load(&self) -> BoxFuture<'_, Result<Option<Credentials>, Error>> {
            Box::pin(async { Err(Error::service("sts:AssumeRole", "AuthFailure.TokenFailure", "no", "r-1")) })
        }
    }
    let error = CredentialCache::new(Arc::new(Foreign), Arc::new(TestClock::still())).get().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "credentials could not be loaded (vault): sts:AssumeRole: AuthFailure.TokenFailure: no (request id r-1)"
    );
    assert_eq!((error.kind(), error.code()), (ErrorKind::Credentials, None));
}

#[tokio::test]
async fn a_load_has_a_time_limit_of_its_own() {
    let fixture = fixture(TestClock::running(), [Step::Hang, Step::Hang]);
    let error = fixture.error().await;
    assert_eq!(error.message(), "no credentials within 15s; the source (script) does not answer");
    let cache = fixture.cache.clone().with_load_timeout(Duration::from_secs(3));
    assert!(cache.get().await.unwrap_err().message().contains("within 3s"));
}

#[tokio::test]
async fn invalidated_keys_are_loaded_again_once() {
    let key = |id: &str| Step::Give(Credentials::new(id, "key"));
    let fixture = fixture(TestClock::still(), [key("a"), key("b"), Step::Fail("down"), key("b")]);
    let first = fixture.generation().await;
    fixture.cache.invalidate(first);
    fixture.cache.invalidate(first);
    assert_eq!((fixture.id().await.as_str(), fixture.generation().await), ("b", 2));
    // A call that was refused with the first keys comes late.
    fixture.cache.invalidate(first);
    assert_eq!((fixture.id().await.as_str(), fixture.provider.count()), ("b", 2));
    // Refused keys are not used again because the provider fails.
    fixture.cache.invalidate(2);
    assert_eq!(fixture.error().await.message(), "down");
    // The same keys keep their number, so that what was derived from them still holds.
    assert_eq!((fixture.id().await.as_str(), fixture.generation().await), ("b", 2));
    assert_eq!(fixture.provider.count(), 4);
}

#[tokio::test]
async fn a_load_may_be_given_all_the_time_there_is() {
    let fixture = fixture(TestClock::still(), [Step::Hang]);
    fixture.clock.advance(1);
    let cache = fixture.cache.clone().with_load_timeout(Duration::MAX);
    for _ in 0..2 {
        assert!(cache.get().now_or_never().is_none());
    }
    assert_eq!(fixture.provider.count(), 1, "the second caller waits for the load of the first");
}

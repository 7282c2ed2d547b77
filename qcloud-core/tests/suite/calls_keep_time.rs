//! Timeouts, the waits between attempts, and that each attempt is signed for its own time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use qcloud_core::clock::Clock;
use qcloud_core::testing::{ManualClock, ScriptedTransport};
use qcloud_core::transport::HttpRequest;
use qcloud_core::transport::TransportErrorKind;
use qcloud_core::{Attempt, Client, Effect, ErrorKind, Interceptor, RetryPolicy, Sent};
use serde_json::json;

use crate::support::{LAMP, action, builder, client, headers};

const SECOND: Duration = Duration::from_secs(1);

fn script(steps: usize, step: fn(ScriptedTransport) -> ScriptedTransport) -> ScriptedTransport {
    (0..steps).fold(ScriptedTransport::new(), |transport, _| step(transport))
}

/// Notes when each attempt starts.
#[derive(Clone, Debug)]
struct Starts(ManualClock, Arc<Mutex<Vec<Duration>>>);

impl Interceptor for Starts {
    fn before_attempt(&self, _: &Attempt<'_>, _: &mut HttpRequest) {
        self.1.lock().unwrap().push(self.0.elapsed());
    }
}

#[tokio::test]
async fn waits_are_random_below_a_ceiling_that_doubles() {
    let mut sums = [Duration::ZERO; 4];
    const SEEDS: u64 = 200;
    for seed in 0..SEEDS {
        let clock = ManualClock::auto();
        let starts = Starts(clock.clone(), Arc::default());
        let retry = RetryPolicy::default().max_attempts(5).delays(SECOND, 3 * SECOND);
        let config = builder(&script(5, ScriptedTransport::throttled), &clock)
            .jitter_seed(seed)
            .interceptor(starts.clone())
            .retry(retry)
            .build()
            .unwrap();
        Client::new(&config, LAMP).call(action(Effect::Read)).await.unwrap_err();
        let starts = starts.1.lock().unwrap().clone();
        let waits: Vec<_> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
        for ((wait, ceiling), sum) in waits.iter().zip([1, 2, 3, 3]).zip(&mut sums) {
            assert!(*wait <= ceiling * SECOND, "{waits:?}");
            *sum += *wait;
        }
    }
    for (sum, ceiling) in sums.into_iter().zip([1.0, 2.0, 3.0, 3.0]) {
        let mean = sum.as_secs_f64() / SEEDS as f64 / ceiling;
        assert!((0.4..0.6).contains(&mean), "the waits are {mean} of their ceiling on average");
    }
}

#[tokio::test]
async fn the_same_seed_waits_the_same() {
    let passed = async || {
        let (client, clock) = client(&script(3, ScriptedTransport::throttled));
        client.call(action(Effect::Read)).await.unwrap_err();
        clock.passed()
    };
    assert_eq!(passed().await, passed().await);
}

#[tokio::test]
async fn no_wait_begins_that_the_deadline_would_cut() {
    let transport = script(3, ScriptedTransport::throttled);
    let (client, clock) = client(&transport);
    let slow = RetryPolicy::default().delays(10_000 * SECOND, 10_000 * SECOND);
    let error = client.call(action(Effect::Read)).with_retry(slow).with_timeout(5 * SECOND).await.unwrap_err();
    assert!(error.is_throttled(), "{error}");
    assert_eq!((transport.requests().len(), clock.passed()), (1, Duration::ZERO));
}

#[tokio::test]
async fn each_attempt_is_signed_for_its_own_time() {
    let transport = script(2, ScriptedTransport::throttled).answer(json!({}));
    let (client, _) = client(&transport);
    let retry = RetryPolicy::default().delays(20 * SECOND, 20 * SECOND);
    client.call(action(Effect::Read)).with_retry(retry).await.unwrap();
    for name in ["x-tc-timestamp", "authorization"] {
        let mut values = headers(&transport, name);
        values.dedup();
        assert_eq!(values.len(), 3, "{name}: {values:?}");
    }
}

#[tokio::test]
async fn an_attempt_that_hangs_is_given_up_and_the_operation_has_the_last_word() {
    let transport = script(3, ScriptedTransport::hang);
    let (client, clock) = client(&transport);
    let error = client.call(action(Effect::Read)).await.unwrap_err();
    assert_eq!((error.kind(), error.was_sent(), error.attempts()), (ErrorKind::Timeout, Sent::Maybe, 2), "{error}");
    assert!(error.message().contains("none within"), "{error}");
    // 30 s for the first try, and what was left of 60 s for the second.
    assert_eq!(clock.passed(), 60 * SECOND);
}

#[tokio::test]
async fn after_an_attempt_that_hangs_the_next_may_succeed() {
    let transport = ScriptedTransport::new().hang().answer(json!({ "Lit": true }));
    let clock = ManualClock::auto();
    let config = builder(&transport, &clock).attempt_timeout(2 * SECOND).build().unwrap();
    let answer = Client::new(&config, LAMP).call(action(Effect::Read)).await.unwrap();
    assert_eq!(answer["Lit"], true);
    assert!(clock.passed() >= 2 * SECOND && clock.passed() < 3 * SECOND, "{clock:?}");
}

#[tokio::test]
async fn a_call_s_own_timeout_covers_all_of_it() {
    let transport = ScriptedTransport::new().hang();
    let (client, clock) = client(&transport);
    let error = client.call(action(Effect::Read)).with_timeout(5 * SECOND).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts(), clock.passed()), (ErrorKind::Timeout, 1, 5 * SECOND), "{error}");
}

#[tokio::test]
async fn a_timeout_of_nothing_sends_nothing() {
    let transport = ScriptedTransport::new().answer(json!({}));
    let (client, _) = client(&transport);
    let error = client.call(action(Effect::Read)).with_timeout(Duration::ZERO).await.unwrap_err();
    assert_eq!((error.kind(), error.was_sent(), error.attempts()), (ErrorKind::Timeout, Sent::No, 0), "{error}");
    assert!(transport.requests().is_empty());
}

#[tokio::test]
async fn a_transport_that_says_timeout_is_one() {
    let transport = ScriptedTransport::new().fail(TransportErrorKind::Timeout);
    let (client, _) = client(&transport);
    let error = client.call(action(Effect::Write)).await.unwrap_err();
    assert_eq!(error.to_string(), "lamp:SwitchLamp: no complete answer in time: scripted");
}

//! Client-side rate limits: the pace, who goes first, and who is counted apart.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{join_all, poll_immediate};
use qcloud_core::clock::Clock;
use qcloud_core::testing::{ManualClock, ScriptedTransport};
use qcloud_core::transport::HttpRequest;
use qcloud_core::{Attempt, Client, Config, Effect, ErrorKind, Interceptor, RateLimits, Rates, Raw, Service};
use serde_json::json;

use crate::support::{LAMP, builder};

const RATES: Rates = Rates { service: "lamp", default: 10, actions: &[("Slow", 1), ("Free", 0)] };

/// Notes when each attempt is let through, and for whom.
#[derive(Clone, Debug)]
struct Passes(ManualClock, Arc<Mutex<Vec<(u128, String)>>>);

impl Passes {
    fn at(&self) -> Vec<u128> {
        self.1.lock().unwrap().iter().map(|(at, _)| *at).collect()
    }

    fn who(&self) -> Vec<String> {
        self.1.lock().unwrap().iter().map(|(_, who)| who.clone()).collect()
    }
}

impl Interceptor for Passes {
    fn before_attempt(&self, _: &Attempt<'_>, request: &mut HttpRequest) {
        let who = request.headers().get("x-who").map_or("", |who| who.to_str().unwrap()).to_owned();
        self.1.lock().unwrap().push((self.0.elapsed().as_millis(), who));
    }
}

fn limited(limits: RateLimits, answers: usize) -> (Config, Passes) {
    let transport = (0..answers).fold(ScriptedTransport::new(), |transport, _| transport.answer(json!({})));
    let clock = ManualClock::auto();
    let passes = Passes(clock.clone(), Arc::default());
    let config = builder(&transport, &clock)
        .rate_limits(limits)
        .interceptor(passes.clone())
        .operation_timeout(DAY)
        .build()
        .unwrap();
    (config, passes)
}

const DAY: Duration = Duration::from_secs(86_400);

fn raw(name: &str) -> Raw {
    Raw::new(name, json!({})).with_effect(Effect::Read)
}

/// The most calls that begin within any second.
fn busiest_second(at: &[u128]) -> usize {
    let from = |first: &u128| at.iter().filter(|at| (*first..*first + 1000).contains(*at)).count();
    at.iter().map(from).max().unwrap_or_default()
}

#[tokio::test]
async fn no_second_has_more_calls_than_are_documented_not_even_the_first() {
    for share in [0.05, 0.5, 0.8, 0.95, 1.0] {
        let (config, passes) = limited(RateLimits::new().with_rates(RATES).with_share(share), 40);
        let client = Client::new(&config, LAMP);
        for _ in 0..40 {
            client.call(raw("Any")).await.unwrap();
        }
        let busiest = busiest_second(&passes.at());
        assert!(busiest <= 10, "{busiest} calls in a second at a share of {share}");
        // What did not go at once went at the rate.
        let last = *passes.at().last().unwrap() as f64 / 1000.0;
        let burst = (10.0 * (1.0 - share)).max(1.0);
        let due = (40.0 - burst) / (10.0 * share);
        assert!((due - 0.002..due + 0.05).contains(&last), "the last of 40 went at {last} s, not {due} s");
    }
}

#[tokio::test]
async fn listed_actions_have_their_own_rate_and_zero_is_none() {
    let (config, passes) = limited(RateLimits::new().with_rates(RATES), 60);
    let client = Client::new(&config, LAMP);
    for _ in 0..3 {
        client.call(raw("Slow")).await.unwrap();
    }
    assert!(passes.at()[2] >= 2000, "{:?}", passes.at());
    let before = passes.at().len();
    for _ in 0..50 {
        client.call(raw("Free")).await.unwrap();
    }
    let at = passes.at().split_off(before);
    assert_eq!(at.first(), at.last());
}

#[tokio::test]
async fn a_share_makes_it_slower_and_nonsense_is_bounded() {
    let (config, passes) = limited(RateLimits::new().with_rates(RATES).with_share(0.5), 10);
    let client = Client::new(&config, LAMP);
    for _ in 0..10 {
        client.call(raw("Any")).await.unwrap();
    }
    // Five at once, then five a second.
    let last = passes.at()[9];
    assert!((1000..=1001).contains(&last), "{last}");
    for share in [f64::NAN, f64::INFINITY, -1.0, 0.0, 2.0] {
        let (config, _) = limited(RateLimits::new().with_rates(RATES).with_share(share), 2);
        let client = Client::new(&config, LAMP);
        client.call(raw("Any")).await.unwrap();
        client.call(raw("Any")).await.unwrap();
    }
}

#[tokio::test]
async fn regions_services_and_actions_are_counted_apart_and_clients_together() {
    let (config, passes) = limited(RateLimits::new().with_rates(RATES), 10);
    let one = Client::new(&config, LAMP);
    let two = Client::new(&config, LAMP);
    one.call(raw("Slow")).await.unwrap();
    two.call(raw("Slow")).with_region("ap-shanghai").await.unwrap();
    two.call(raw("Slow").with_service(Service::new("other", "1"))).await.unwrap();
    two.call(raw("Other")).await.unwrap();
    assert_eq!(passes.at(), [0; 4]);
    two.call(raw("Slow")).await.unwrap();
    assert!(passes.at()[4] >= 1000);
}

#[tokio::test]
async fn turns_are_given_in_the_order_of_asking() {
    let (config, passes) = limited(RateLimits::new().with_rates(RATES), 8);
    let client = Client::new(&config, LAMP);
    join_all((0..8).map(|who| {
        let call = client.call(raw("Slow")).with_header("x-who", who.to_string());
        async move { call.await.unwrap() }
    }))
    .await;
    assert_eq!(passes.who(), ["0", "1", "2", "3", "4", "5", "6", "7"]);
    let gaps: Vec<_> = passes.at().windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| (999..=1001).contains(gap)), "{gaps:?}");
}

#[tokio::test]
async fn who_stops_waiting_takes_no_turn() {
    let transport = (0..3).fold(ScriptedTransport::new(), |transport, _| transport.answer(json!({})));
    let clock = ManualClock::new();
    let limits = RateLimits::new().with_rates(RATES);
    let config = builder(&transport, &clock).rate_limits(limits).build().unwrap();
    let client = Client::new(&config, LAMP);
    let mut first = Box::pin(async { client.call(raw("Slow")).await });
    assert!(poll_immediate(&mut first).await.is_some());
    let mut given_up = Box::pin(async { client.call(raw("Slow")).await });
    let mut patient = Box::pin(async { client.call(raw("Slow")).await });
    assert!(poll_immediate(&mut given_up).await.is_none());
    assert!(poll_immediate(&mut patient).await.is_none());
    clock.advance(Duration::from_millis(500));
    drop(given_up);
    assert!(poll_immediate(&mut patient).await.is_none());
    clock.advance(Duration::from_millis(501));
    assert!(poll_immediate(&mut patient).await.is_some(), "the turn of the one that gave up is not lost");
    assert_eq!(transport.requests().len(), 2);
}

#[tokio::test]
async fn retries_wait_for_their_turn_too_and_the_call_s_time_holds() {
    let transport = ScriptedTransport::new().throttled().answer(json!({}));
    let clock = ManualClock::auto();
    let limits = RateLimits::new().with_rates(RATES);
    let config = builder(&transport, &clock).rate_limits(limits).build().unwrap();
    let client = Client::new(&config, LAMP);
    client.call(raw("Slow")).await.unwrap();
    assert!(clock.passed() >= Duration::from_secs(1));

    // The turn would come after the call's time: what the first try met is what is told.
    let transport = ScriptedTransport::new().throttled().answer(json!({}));
    let clock = ManualClock::auto();
    let limits = RateLimits::new().with_rates(RATES).with_share(0.001);
    let config = builder(&transport, &clock).rate_limits(limits).build().unwrap();
    let client = Client::new(&config, LAMP);
    let error = client.call(raw("Slow")).await.unwrap_err();
    assert!(error.is_throttled(), "{error}");
    assert!(error.to_string().contains("time was up while it waited for its turn"), "{error}");
    assert_eq!((transport.requests().len(), error.attempts()), (1, 1));
    // And one that never got a turn has not been sent.
    let error = client.call(raw("Slow")).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts(), error.is_ambiguous()), (ErrorKind::Timeout, 0, false), "{error}");
}

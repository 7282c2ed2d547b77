//! What is sent again after a failure, and what never is: the table of `RetryPolicy`, end to end.

use http::StatusCode;
use qcloud_core::testing::{ManualClock, ScriptedTransport};
use qcloud_core::transport::TransportErrorKind;
use qcloud_core::{Client, Effect, Endpoint, ErrorKind, RetryPolicy, Sent};
use serde_json::json;

use crate::support::{LAMP, MakeLamp, action, builder, call, client, headers};

const EFFECTS: [Effect; 3] = [Effect::Read, Effect::Token, Effect::Write];

type Failure = fn(ScriptedTransport) -> ScriptedTransport;

/// How many requests go out for each effect when every one fails like this.
async fn requests(failure: Failure) -> [usize; 3] {
    let mut counts = [0; 3];
    for (count, effect) in counts.iter_mut().zip(EFFECTS) {
        let transport = failure(failure(failure(failure(ScriptedTransport::new()))));
        let error = call(&transport, effect).await.unwrap_err();
        *count = transport.requests().len();
        assert_eq!(error.attempts() as usize, *count, "{error}");
    }
    counts
}

#[tokio::test]
async fn each_failure_is_retried_for_the_effects_that_it_is_safe_for() {
    let table: [(&str, Failure, [usize; 3]); 22] = [
        ("no connection", |t| t.fail(TransportErrorKind::Connect), [3, 3, 3]),
        ("timeout of the transport", |t| t.fail(TransportErrorKind::Timeout), [3, 3, 1]),
        ("connection broken", |t| t.fail(TransportErrorKind::Interrupted), [3, 3, 1]),
        ("too large", |t| t.fail(TransportErrorKind::TooLarge), [1, 1, 1]),
        ("no request", |t| t.fail(TransportErrorKind::Request), [1, 1, 1]),
        ("empty body", |t| t.status(StatusCode::OK, ""), [3, 3, 1]),
        ("cut body", |t| t.status(StatusCode::OK, r#"{"Response":{"A":"#), [3, 3, 1]),
        ("gateway 502", |t| t.status(StatusCode::BAD_GATEWAY, "<html>"), [3, 3, 1]),
        ("gateway 503", |t| t.status(StatusCode::SERVICE_UNAVAILABLE, "x"), [3, 3, 1]),
        ("gateway 429", |t| t.status(StatusCode::TOO_MANY_REQUESTS, "x"), [3, 3, 1]),
        ("gateway 403", |t| t.status(StatusCode::FORBIDDEN, "x"), [1, 1, 1]),
        ("redirect", |t| t.status(StatusCode::FOUND, ""), [1, 1, 1]),
        ("html with 200", |t| t.status(StatusCode::OK, "<html>"), [1, 1, 1]),
        ("not an answer", |t| t.status(StatusCode::OK, r#"{"other":1}"#), [1, 1, 1]),
        ("throttled", ScriptedTransport::throttled, [3, 3, 3]),
        ("throttled for the user", |t| t.error("RequestLimitExceeded.UinLimitExceeded", ""), [3, 3, 3]),
        ("internal error", |t| t.error("InternalError", ""), [3, 3, 1]),
        ("internal error of the database", |t| t.error("InternalError.DbError", ""), [3, 3, 1]),
        ("busy", |t| t.error("MutexOperation.TaskRunning", ""), [1, 1, 1]),
        ("quota", |t| t.error("LimitExceeded.Lamps", ""), [1, 1, 1]),
        ("sold out", |t| t.error("ResourcesSoldOut.Lamps", ""), [1, 1, 1]),
        ("bad parameter", |t| t.error("InvalidParameterValue", ""), [1, 1, 1]),
    ];
    for (name, failure, expected) in table {
        assert_eq!(requests(failure).await, expected, "{name}");
    }
}

#[tokio::test]
async fn a_retry_that_succeeds_is_a_success() {
    let transport = ScriptedTransport::new()
        .fail(TransportErrorKind::Interrupted)
        .status(StatusCode::BAD_GATEWAY, "<html>")
        .answer(json!({ "Lit": true }));
    assert_eq!(call(&transport, Effect::Read).await.unwrap()["Lit"], true);
    assert_eq!(transport.remaining(), 0);
}

#[tokio::test]
async fn busy_resources_are_waited_for_only_on_request() {
    let busy = || ScriptedTransport::new().error("MutexOperation.TaskRunning", "busy").answer(json!({}));
    assert!(call(&busy(), Effect::Write).await.unwrap_err().is_busy());
    let transport = busy();
    let (client, _) = client(&transport);
    client.call(action(Effect::Write)).with_retry(RetryPolicy::default().retry_busy(true)).await.unwrap();
    assert_eq!(transport.requests().len(), 2);
}

#[tokio::test]
async fn the_client_token_is_made_once_and_kept_over_retries() {
    let transport = ScriptedTransport::new().throttled().fail(TransportErrorKind::Interrupted).answer(json!({}));
    let (client, _) = client(&transport);
    client.call(MakeLamp { name: "desk".into(), ..MakeLamp::default() }).await.unwrap();
    let tokens: Vec<_> =
        transport.requests().iter().map(|request| request.body["ClientToken"].as_str().unwrap().to_owned()).collect();
    assert_eq!(tokens.len(), 3);
    assert!(!tokens[0].is_empty() && tokens[0].len() <= 64);
    assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
}

#[tokio::test]
async fn a_client_token_that_is_given_is_sent_as_it_is_and_an_empty_one_is_filled() {
    let transport = ScriptedTransport::new().throttled().answer(json!({})).answer(json!({}));
    let (client, _) = client(&transport);
    client.call(MakeLamp { client_token: Some("mine".into()), ..MakeLamp::default() }).await.unwrap();
    client.call(MakeLamp { client_token: Some(String::new()), ..MakeLamp::default() }).await.unwrap();
    let requests = transport.requests();
    assert_eq!([&requests[0].body["ClientToken"], &requests[1].body["ClientToken"]], ["mine", "mine"]);
    assert_eq!(requests[2].body["ClientToken"].as_str().unwrap().len(), 32);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_ambiguous_and_sent_once() {
    for kind in [TransportErrorKind::Interrupted, TransportErrorKind::Timeout] {
        let transport = ScriptedTransport::new().fail(kind);
        let error = call(&transport, Effect::Write).await.unwrap_err();
        assert_eq!((error.was_sent(), error.is_ambiguous(), error.attempts()), (Sent::Maybe, true, 1), "{error}");
    }
    let transport = ScriptedTransport::new().fail(TransportErrorKind::Connect).fail(TransportErrorKind::Interrupted);
    let error = call(&transport, Effect::Write).await.unwrap_err();
    assert_eq!((error.was_sent(), error.attempts()), (Sent::Maybe, 2), "{error}");
    let unreachable = (0..3).fold(ScriptedTransport::new(), |t, _| t.fail(TransportErrorKind::Connect));
    let error = call(&unreachable, Effect::Write).await.unwrap_err();
    assert_eq!((error.was_sent(), error.is_ambiguous()), (Sent::No, false), "{error}");
}

/// Whatever the last try says, an earlier one may have been executed.
#[tokio::test]
async fn the_doubt_of_an_earlier_attempt_stays_with_the_last_error() {
    let doubts: [Failure; 4] = [
        |t| t.fail(TransportErrorKind::Interrupted),
        |t| t.fail(TransportErrorKind::Timeout),
        |t| t.error("InternalError", ""),
        |t| t.status(StatusCode::BAD_GATEWAY, "<html>"),
    ];
    let endings: [Failure; 3] =
        [|t| t.fail(TransportErrorKind::Connect), ScriptedTransport::throttled, |t| t.error("LimitExceeded.Lamps", "")];
    for doubt in doubts {
        for ending in endings {
            let script = || ending(ending(doubt(ScriptedTransport::new())));
            let error = call(&script(), Effect::Token).await.unwrap_err();
            assert!(error.is_ambiguous() && error.was_sent() != Sent::No, "{error:?}");
            let error = call(&script(), Effect::Read).await.unwrap_err();
            assert!(!error.is_ambiguous(), "a read has no effect to be in doubt about: {error:?}");
        }
        let script = doubt(ScriptedTransport::new()).error("InvalidParameterValue", "");
        assert!(call(&script, Effect::Token).await.unwrap_err().is_ambiguous());
    }
    let clear = ScriptedTransport::new().throttled().error("InvalidParameterValue", "");
    assert!(!call(&clear, Effect::Token).await.unwrap_err().is_ambiguous());
}

#[tokio::test]
async fn the_bucket_of_retries_runs_dry_and_fills_again() {
    let failing = (0..200).fold(ScriptedTransport::new(), |t, _| t.error("InternalError", ""));
    let clock = ManualClock::auto();
    let retry = RetryPolicy::default().max_attempts(2);
    let client = Client::new(&builder(&failing, &clock).retry(retry).build().unwrap(), LAMP);
    for _ in 0..36 {
        client.call(action(Effect::Read)).await.unwrap_err();
    }
    // 500 tokens pay for 35 retries of 14; the last call went without.
    assert_eq!(failing.requests().len(), 35 * 2 + 1);
    let before = failing.requests().len();
    let transport = failing.answer_to("SwitchedLamp", json!({}));
    drop(transport.clone());
    assert_eq!(client.call(action(Effect::Read)).await.unwrap_err().attempts(), 1);
    assert_eq!(transport.requests().len(), before + 1);
}

#[tokio::test]
async fn successes_pay_for_retries_again() {
    let mut transport = (0..71).fold(ScriptedTransport::new(), |t, _| t.error("InternalError", ""));
    for _ in 0..14 {
        transport = transport.answer(json!({}));
    }
    let transport = transport.error("InternalError", "").answer(json!({}));
    let clock = ManualClock::auto();
    let retry = RetryPolicy::default().max_attempts(2);
    let client = Client::new(&builder(&transport, &clock).retry(retry).build().unwrap(), LAMP);
    for _ in 0..36 {
        client.call(action(Effect::Read)).await.unwrap_err();
    }
    for _ in 0..14 {
        client.call(action(Effect::Read)).await.unwrap();
    }
    client.call(action(Effect::Read)).await.unwrap();
    assert_eq!(transport.remaining(), 0);
}

#[tokio::test]
async fn retries_move_on_to_fallback_endpoints_only_when_the_one_before_gave_no_answer() {
    let urls = |transport: &ScriptedTransport| transport.requests().into_iter().map(|r| r.url).collect::<Vec<_>>();
    let run = async |transport: ScriptedTransport, effect| {
        let fallbacks = ["https://second.example.com", "https://third.example.com"];
        let config = builder(&transport, &ManualClock::auto())
            .fallback_endpoints(fallbacks.map(|url| Endpoint::url(url).unwrap()))
            .build()
            .unwrap();
        let outcome = Client::new(&config, LAMP).call(action(effect)).await;
        (outcome, urls(&transport))
    };
    let first = "https://lamp.tencentcloudapi.com/";
    let (outcome, went) = run(
        ScriptedTransport::new().fail(TransportErrorKind::Connect).fail(TransportErrorKind::Connect).answer(json!({})),
        Effect::Write,
    )
    .await;
    outcome.unwrap();
    assert_eq!(went, [first, "https://second.example.com/", "https://third.example.com/"]);

    let (outcome, went) =
        run(ScriptedTransport::new().status(StatusCode::BAD_GATEWAY, "x").answer(json!({})), Effect::Read).await;
    outcome.unwrap();
    assert_eq!(went, [first, "https://second.example.com/"]);

    let (outcome, went) = run(ScriptedTransport::new().throttled().answer(json!({})), Effect::Read).await;
    outcome.unwrap();
    assert_eq!(went, [first, first]);

    let (outcome, went) = run(ScriptedTransport::new().fail(TransportErrorKind::Timeout), Effect::Write).await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(went, [first]);
}

#[tokio::test]
async fn each_host_is_signed_for_itself() {
    let transport = ScriptedTransport::new().fail(TransportErrorKind::Connect).answer(json!({}));
    let config = builder(&transport, &ManualClock::auto())
        .fallback_endpoints([Endpoint::url("https://Second.example.com:8443").unwrap()])
        .build()
        .unwrap();
    Client::new(&config, LAMP).call(action(Effect::Read)).await.unwrap();
    assert_eq!(headers(&transport, "host"), ["lamp.tencentcloudapi.com", "Second.example.com:8443"]);
    let signatures = headers(&transport, "authorization");
    assert_ne!(signatures[0], signatures[1]);
}

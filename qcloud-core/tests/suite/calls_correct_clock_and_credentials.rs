//! A clock that is off and a token that has ended are put right once, without the caller's doing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use qcloud_core::credential::{CredentialProvider, Credentials};
use qcloud_core::testing::{ManualClock, ScriptedTransport};
use qcloud_core::transport::HttpResponse;
use qcloud_core::{Client, Effect, Error, ErrorKind, RetryPolicy};
use serde_json::json;

use crate::support::{LAMP, action, builder, client, headers};

/// The clock of the tests starts at 2024-05-01T08:00:00Z.
const START: i64 = 1_714_550_400;

fn expired(date: Option<&str>) -> HttpResponse {
    let body =
        json!({ "Response": { "Error": { "Code": "AuthFailure.SignatureExpire", "Message": "" }, "RequestId": "r" } });
    let mut response = HttpResponse::new(Bytes::from(body.to_string()));
    if let Some(date) = date {
        response.headers_mut().insert("date", date.parse().unwrap());
    }
    response
}

fn times(transport: &ScriptedTransport) -> Vec<i64> {
    headers(transport, "x-tc-timestamp").iter().map(|time| time.parse::<i64>().unwrap() - START).collect()
}

#[tokio::test]
async fn the_clock_is_corrected_from_the_date_and_stays_so() {
    let transport = ScriptedTransport::new()
        .respond(expired(Some("Wed, 01 May 2024 09:00:00 GMT")))
        .answer(json!({}))
        .answer(json!({}));
    let (client, clock) = client(&transport);
    // A write too: the API refused it before doing anything.
    client.call(action(Effect::Write)).await.unwrap();
    clock.advance(std::time::Duration::from_secs(7));
    client.call(action(Effect::Write)).await.unwrap();
    assert_eq!(times(&transport), [0, 3600, 3607]);
}

#[tokio::test]
async fn a_clock_that_is_ahead_is_turned_back() {
    let transport = ScriptedTransport::new().respond(expired(Some("Wed, 01 May 2024 07:50:00 GMT"))).answer(json!({}));
    let (client, _) = client(&transport);
    client.call(action(Effect::Read)).await.unwrap();
    assert_eq!(times(&transport), [0, -600]);
}

#[tokio::test]
async fn it_is_corrected_once_per_call_and_without_a_date_not_at_all() {
    let date = Some("Wed, 01 May 2024 09:00:00 GMT");
    let transport = ScriptedTransport::new().respond(expired(date)).respond(expired(date));
    let error = client(&transport).0.call(action(Effect::Read)).await.unwrap_err();
    assert!(error.is_auth());
    assert_eq!((error.attempts(), transport.remaining()), (2, 0));
    for date in [None, Some("yesterday")] {
        let transport = ScriptedTransport::new().respond(expired(date));
        let error = client(&transport).0.call(action(Effect::Read)).await.unwrap_err();
        assert_eq!(error.code(), Some("AuthFailure.SignatureExpire"), "{error}");
        assert_eq!(error.attempts(), 1);
    }
}

/// It is not a retry: nothing was done.
#[tokio::test]
async fn it_is_corrected_even_without_retries() {
    let transport = ScriptedTransport::new().respond(expired(Some("Wed, 01 May 2024 09:00:00 GMT"))).answer(json!({}));
    client(&transport).0.call(action(Effect::Write)).with_retry(RetryPolicy::none()).await.unwrap();
}

/// Gives a new token each time.
#[derive(Clone, Debug, Default)]
struct Tokens(Arc<AtomicU32>);

impl CredentialProvider for Tokens {
    fn name(&self) -> &'static str {
        "tokens"
    }

    fn load(&self) -> BoxFuture<'_, Result<Option<Credentials>, Error>> {
        let number = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        Box::pin(async move { Ok(Some(Credentials::new("AKID", "key").with_token(format!("token-{number}")))) })
    }
}

#[tokio::test]
async fn an_ended_token_is_replaced_once() {
    let run = async |transport: &ScriptedTransport| {
        let tokens = Tokens::default();
        let config = builder(transport, &ManualClock::auto()).credentials(tokens.clone()).build().unwrap();
        let outcome = Client::new(&config, LAMP).call(action(Effect::Write)).await;
        (outcome, tokens.0.load(Ordering::SeqCst))
    };
    let transport = ScriptedTransport::new().error("AuthFailure.TokenFailure", "").answer(json!({}));
    let (outcome, loads) = run(&transport).await;
    outcome.unwrap();
    assert_eq!(loads, 2);
    assert_eq!(headers(&transport, "x-tc-token"), ["token-1", "token-2"]);

    let transport = ScriptedTransport::new()
        .error("AuthFailure.TokenFailure", "")
        .error("AuthFailure.TokenFailure", "")
        .answer(json!({}));
    let (outcome, loads) = run(&transport).await;
    assert!(outcome.unwrap_err().is_auth());
    assert_eq!((loads, transport.remaining()), (2, 1));

    let transport = ScriptedTransport::new().error("AuthFailure.SignatureFailure", "").answer(json!({}));
    let (outcome, loads) = run(&transport).await;
    assert!(outcome.unwrap_err().is_auth());
    assert_eq!((loads, transport.remaining()), (1, 1));
}

#[derive(Debug)]
struct Nothing;

impl CredentialProvider for Nothing {
    fn name(&self) -> &'static str {
        "nothing"
    }

    fn load(&self) -> BoxFuture<'_, Result<Option<Credentials>, Error>> {
        Box::pin(async { Ok(None) })
    }
}

#[tokio::test]
async fn without_credentials_nothing_is_sent() {
    let transport = ScriptedTransport::new().answer(json!({}));
    let config = builder(&transport, &ManualClock::auto()).credentials(Nothing).build().unwrap();
    let error = Client::new(&config, LAMP).call(action(Effect::Read)).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Credentials, 0), "{error}");
    assert!(error.is_auth() && !error.is_retryable());
    assert_eq!(error.action(), Some("lamp:SwitchLamp"));
    assert!(transport.requests().is_empty());
}

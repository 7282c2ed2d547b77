//! Secrets planted in credentials, parameters, answers and proxies show up in no Debug, no Display and no log.

use std::error::Error as _;
use std::fmt::Debug;

use http::StatusCode;
use qcloud_core::credential::{CredentialCache, Credentials, StaticCredentials};
use qcloud_core::testing::{ManualClock, ScriptedTransport};
use qcloud_core::transport::TransportErrorKind;
use qcloud_core::{Client, Error, Raw, Secret};
use serde_json::json;
use std::sync::Arc;

use crate::support::capture::Capture;
use crate::support::{LAMP, MakeLamp, builder};

/// Part of every planted secret.
const PLANTED: &str = "hunter2";

fn assert_clean(what: &str, text: &str) {
    assert!(!text.contains(PLANTED), "{what} shows a secret: {text}");
}

fn credentials() -> Credentials {
    Credentials::new("AKIDpublic", "key-hunter2").with_token("token-hunter2")
}

fn assert_error_is_clean(error: &Error) {
    assert_clean("Display", &error.to_string());
    assert_clean("Debug", &format!("{error:?} {error:#?}"));
    let mut cause = error.source();
    while let Some(next) = cause {
        assert_clean("a cause", &format!("{next} {next:?}"));
        cause = next.source();
    }
}

fn lamp() -> MakeLamp {
    MakeLamp { name: "desk".into(), password: Secret::new("password-hunter2"), client_token: None }
}

#[tokio::test]
async fn calls_of_every_outcome_log_no_secret() {
    let (capture, _guard) = Capture::start();
    let transport = ScriptedTransport::new()
        .throttled()
        .error("AuthFailure.TokenFailure", "the token has ended")
        .fail(TransportErrorKind::Interrupted)
        .status(StatusCode::BAD_GATEWAY, "<html>")
        .answer(json!({ "Password": "answer-hunter2" }))
        .error("InvalidParameter", "no")
        .status(StatusCode::OK, "")
        .hang()
        .fail(TransportErrorKind::Connect)
        .answer(json!({ "Password": "answer-hunter2" }));
    let config = builder(&transport, &ManualClock::auto())
        .credentials(StaticCredentials::new(credentials()))
        .retry(qcloud_core::RetryPolicy::default().max_attempts(5))
        .build()
        .unwrap();
    let client = Client::new(&config, LAMP);
    client.call(lamp()).await.unwrap();
    assert_error_is_clean(&client.call(lamp()).await.unwrap_err());
    client.call(Raw::new("MakeLamp", json!({ "Password": "password-hunter2" }))).await.unwrap_err();
    client.call(lamp()).await.unwrap();
    assert_eq!(transport.remaining(), 0);
    assert!(capture.own().len() > 10, "the subscriber sees the crate's events");
    assert_clean("the log", &capture.text());
    let sent = format!("{:?}", transport.requests().iter().map(|request| request.headers.clone()).collect::<Vec<_>>());
    assert_clean("the headers' Debug", &sent);
    assert!(!sent.contains("Signature="), "{sent}");
}

#[test]
fn debug_of_everything_public_is_clean() {
    let transport = ScriptedTransport::new();
    let clock = ManualClock::new();
    let with_keys = builder(&transport, &clock).credentials(StaticCredentials::new(credentials()));
    let config = with_keys.clone().build().unwrap();
    let client = Client::new(&config, LAMP);
    let cache = CredentialCache::new(Arc::new(StaticCredentials::new(credentials())), Arc::new(clock));
    let shown: [(&str, &dyn Debug); 9] = [
        ("Credentials", &credentials()),
        ("StaticCredentials", &StaticCredentials::new(credentials())),
        ("Secret", &Secret::new("x-hunter2")),
        ("ConfigBuilder", &with_keys),
        ("Config", &config),
        ("Client", &client),
        ("Call", &client.call(lamp())),
        ("CredentialCache", &cache),
        ("a request", &lamp()),
    ];
    for (what, value) in shown {
        assert_clean(what, &format!("{value:?} {value:#?}"));
    }
}

#[tokio::test]
async fn bad_credentials_are_refused_without_being_shown() {
    for bad in ["key-hunter2 ", "key\nhunter2", "kéy-hunter2", " hunter2"] {
        let transport = ScriptedTransport::new().answer(json!({}));
        let config = builder(&transport, &ManualClock::auto()).static_credentials("AKID", bad).build().unwrap();
        let error = Client::new(&config, LAMP).call(lamp()).await.unwrap_err();
        assert_error_is_clean(&error);
        assert!(error.is_auth() && transport.requests().is_empty(), "{error}");
    }
}

#[cfg(feature = "reqwest")]
#[tokio::test]
async fn proxies_with_passwords_are_not_shown() {
    use qcloud_core::credential::ProviderContext;
    use qcloud_core::transport::{Proxy, ReqwestTransport};
    use qcloud_core::{Config, Endpoint};

    let (capture, _guard) = Capture::start();
    // Nothing listens on port 1.
    let proxy = || Proxy::Url("http://me:hunter2@127.0.0.1:1".into());
    let transport = ReqwestTransport::builder().proxy(proxy()).build().unwrap();
    assert_clean("ReqwestTransport", &format!("{transport:?} {transport:#?}"));
    assert_clean("ProviderContext", &format!("{:?}", ProviderContext::new(transport)));
    let with_proxy = Config::builder()
        .region("ap-guangzhou")
        .static_credentials("AKID", "key-hunter2")
        .endpoint(Endpoint::insecure_url("http://lamp.invalid").unwrap())
        .retry(qcloud_core::RetryPolicy::none())
        .proxy(proxy());
    assert_clean("ConfigBuilder", &format!("{with_proxy:?}"));
    let error = Client::new(&with_proxy.build().unwrap(), LAMP).call(lamp()).await.unwrap_err();
    assert_eq!(error.kind(), qcloud_core::ErrorKind::Connect, "{error}");
    assert_error_is_clean(&error);
    assert_clean("the log", &capture.text());
    for wrong in ["hunter2", "ftp://me:hunter2@x:1", "http://me:hunter2@[", "http://me:hunter2@:x"] {
        if let Err(error) = ReqwestTransport::builder().proxy(Proxy::Url(wrong.into())).build() {
            assert_error_is_clean(&error);
            assert!(error.to_string().contains("proxy"), "{error}");
        }
    }
}

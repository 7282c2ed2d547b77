//! What a call sends, and what its options change for this call only.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use qcloud_core::testing::{ManualClock, ScriptedTransport};
use qcloud_core::transport::HttpRequest;
use qcloud_core::{
    Attempt, Client, Effect, Endpoint, Error, ErrorKind, Interceptor, Language, Raw, Region, RetryPolicy, Service,
};
use serde_json::{Value, json};

use crate::support::{LAMP, action, builder, client, headers};

fn answers(count: usize) -> ScriptedTransport {
    (0..count).fold(ScriptedTransport::new(), |transport, _| transport.answer(json!({})))
}

#[tokio::test]
async fn a_request_carries_what_the_api_needs() {
    let transport = answers(1);
    let config = builder(&transport, &ManualClock::auto()).application("inventory/1.2").build().unwrap();
    let parameters = json!({ "Limit": 1, "Names": ["a", "灯"] });
    Client::new(&config, LAMP).call(Raw::new("DescribeLamps", parameters.clone())).await.unwrap();
    let request = transport.requests().remove(0);
    let header = |name: &str| request.headers[name].to_str().unwrap();
    assert_eq!(request.url, "https://lamp.tencentcloudapi.com/");
    assert_eq!(request.body, parameters);
    assert_eq!(header("host"), "lamp.tencentcloudapi.com");
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("x-tc-action"), "DescribeLamps");
    assert_eq!(header("x-tc-version"), "2024-05-01");
    assert_eq!(header("x-tc-region"), "ap-guangzhou");
    assert_eq!(header("x-tc-language"), "en-US");
    assert_eq!(header("x-tc-timestamp"), "1714550400");
    assert_eq!(header("user-agent"), concat!("qcloud-rust/", env!("CARGO_PKG_VERSION"), " inventory/1.2"));
    assert!(header("authorization").starts_with("TC3-HMAC-SHA256 Credential=AKIDtest/2024-05-01/lamp/tc3_request, "));
    assert!(!request.headers.contains_key("x-tc-token"));
}

#[tokio::test]
async fn options_hold_for_one_call() {
    let transport = answers(2);
    let (client, _) = client(&transport);
    client
        .call(action(Effect::Read))
        .with_region("ap-shanghai")
        .with_language(Language::Chinese)
        .with_header("X-Trace", "t-1")
        .await
        .unwrap();
    client.call(action(Effect::Read)).await.unwrap();
    assert_eq!(headers(&transport, "x-tc-region"), ["ap-shanghai", "ap-guangzhou"]);
    assert_eq!(headers(&transport, "x-tc-language"), ["zh-CN", "en-US"]);
    assert_eq!(headers(&transport, "x-trace"), ["t-1"]);
}

#[tokio::test]
async fn a_configuration_for_another_region_leaves_the_first_as_it_is() {
    let transport = answers(3);
    let guangzhou = builder(&transport, &ManualClock::auto()).build().unwrap();
    let shanghai = guangzhou.in_region("ap-shanghai");
    assert_eq!((guangzhou.region(), shanghai.region()), (Some(&Region::GUANGZHOU), Some(&Region::SHANGHAI)));
    Client::new(&shanghai, LAMP).call(action(Effect::Read)).await.unwrap();
    Client::new(&shanghai, LAMP).call(action(Effect::Read)).with_region("ap-tokyo").await.unwrap();
    Client::new(&guangzhou, LAMP).call(action(Effect::Read)).await.unwrap();
    assert_eq!(headers(&transport, "x-tc-region"), ["ap-shanghai", "ap-tokyo", "ap-guangzhou"]);
    let nowhere = Client::new(&guangzhou.in_region("no such place"), LAMP);
    assert_eq!(nowhere.call(action(Effect::Read)).await.unwrap_err().kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_retry_policy_can_be_given_for_one_call() {
    let transport = (0..6).fold(ScriptedTransport::new(), |transport, _| transport.throttled());
    let (client, _) = client(&transport);
    let retry = RetryPolicy::default().max_attempts(5);
    assert_eq!(client.call(action(Effect::Read)).with_retry(retry).await.unwrap_err().attempts(), 5);
    assert_eq!(client.call(action(Effect::Read)).with_retry(RetryPolicy::none()).await.unwrap_err().attempts(), 1);
}

#[tokio::test]
async fn the_headers_of_the_sdk_are_not_overridden() {
    let transport = answers(1);
    let (client, _) = client(&transport);
    let mut call = client.call(action(Effect::Read));
    for name in
        ["Host", "Content-Type", "X-TC-Action", "X-TC-Version", "X-TC-Timestamp", "X-TC-Region", "Authorization"]
    {
        call = call.with_header(name, "wrong");
    }
    call.await.unwrap();
    let text = format!("{:?}", transport.requests()[0].headers);
    assert!(!text.contains("wrong"), "{text}");
}

#[tokio::test]
async fn mistakes_in_options_are_told_and_nothing_is_sent() {
    let transport = answers(3);
    let (client, _) = client(&transport);
    let call = || client.call(action(Effect::Read));
    for (outcome, says) in [
        (call().with_header("no good", "x").await, "`no good`"),
        (call().with_header("x", "line\nend").await, "`x`"),
        (call().with_header("Content-Length", "5").await, "`content-length`"),
        (call().with_header("Transfer-Encoding", "chunked").await, "`transfer-encoding`"),
        (call().with_region("Guangzhou!").await, "`Guangzhou!`"),
        (call().with_region("").await, "can't be a region"),
    ] {
        let error = outcome.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Config, 0));
        assert!(error.to_string().contains(says), "{error}");
        assert!(error.to_string().starts_with("lamp:SwitchLamp: "), "{error}");
    }
    assert!(transport.requests().is_empty());
}

#[tokio::test]
async fn raw_calls_reach_any_service_and_no_parameters_are_an_empty_object() {
    let transport = answers(2);
    let (client, _) = client(&transport);
    let tag = Service::new("tag", "2018-08-13");
    client.call(Raw::new("GetTags", Value::Null).with_service(tag)).await.unwrap();
    let request = transport.requests().remove(0);
    assert_eq!(request.url, "https://tag.tencentcloudapi.com/");
    assert_eq!(request.headers["x-tc-version"], "2018-08-13");
    assert_eq!(request.body, json!({}));
    // Unless said otherwise, an action without a type is taken for a write.
    let transport = ScriptedTransport::new().error("InternalError", "");
    let (client, _) = crate::support::client(&transport);
    assert_eq!(client.call(Raw::new("Foo", json!({}))).await.unwrap_err().attempts(), 1);
}

#[tokio::test]
async fn endpoints_decide_the_host() {
    for (endpoint, url) in [
        (Endpoint::public(), "https://lamp.tencentcloudapi.com/"),
        (Endpoint::internal(), "https://lamp.internal.tencentcloudapi.com/"),
        (Endpoint::international(), "https://lamp.intl.tencentcloudapi.com/"),
        (Endpoint::regional(), "https://lamp.ap-guangzhou.tencentcloudapi.com/"),
        (Endpoint::url("http://127.0.0.1:8080/").unwrap(), "http://127.0.0.1:8080/"),
    ] {
        let transport = answers(1);
        let config = builder(&transport, &ManualClock::auto()).endpoint(endpoint).build().unwrap();
        Client::new(&config, LAMP).call(action(Effect::Read)).await.unwrap();
        assert_eq!(transport.requests()[0].url, url);
    }
}

/// A name and what it saw.
#[derive(Clone, Debug)]
struct Witness(&'static str, Arc<Mutex<Vec<String>>>);

impl Interceptor for Witness {
    fn before_attempt(&self, attempt: &Attempt<'_>, request: &mut HttpRequest) {
        assert!(!request.headers().contains_key("authorization"), "it is signed afterwards");
        request.headers_mut().append("x-seen-by", self.0.parse().unwrap());
        let Attempt { service, action, effect, region, number, .. } = attempt;
        self.1.lock().unwrap().push(format!("{} before {number}: {service}:{action} {effect:?} {region:?}", self.0));
    }

    fn after_attempt(&self, attempt: &Attempt<'_>, took: Duration, error: Option<&Error>) {
        assert_eq!(took, Duration::ZERO);
        let code = error.map(|error| error.code().unwrap_or("no code"));
        self.1.lock().unwrap().push(format!("{} after {}: {code:?}", self.0, attempt.number));
    }
}

#[tokio::test]
async fn interceptors_see_each_attempt_in_the_order_of_configuration() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let transport = ScriptedTransport::new().throttled().answer(json!({}));
    let config = builder(&transport, &ManualClock::auto())
        .interceptor(Witness("one", Arc::clone(&seen)))
        .interceptor(Witness("two", Arc::clone(&seen)))
        .build()
        .unwrap();
    Client::new(&config, LAMP).call(action(Effect::Write)).await.unwrap();
    let what = |number| format!("{number}: lamp:SwitchLamp Write Some(\"ap-guangzhou\")");
    assert_eq!(
        *seen.lock().unwrap(),
        [
            format!("one before {}", what(1)),
            format!("two before {}", what(1)),
            "one after 1: Some(\"RequestLimitExceeded\")".to_owned(),
            "two after 1: Some(\"RequestLimitExceeded\")".to_owned(),
            format!("one before {}", what(2)),
            format!("two before {}", what(2)),
            "one after 2: None".to_owned(),
            "two after 2: None".to_owned(),
        ]
    );
    let values: Vec<_> = transport.requests()[0].headers.get_all("x-seen-by").iter().cloned().collect();
    assert_eq!(values, ["one", "two"]);
}

#[tokio::test]
async fn the_operation_can_be_changed_before_the_call() {
    let transport = answers(1);
    let (client, _) = client(&transport);
    let mut call = client.call(Raw::new("A", json!({})));
    *call.operation_mut() = Raw::new("B", json!({}));
    call.await.unwrap();
    assert_eq!(transport.requests()[0].action, "B");
}

#[tokio::test]
async fn no_region_is_fine_until_the_api_asks_for_one() {
    let transport = ScriptedTransport::new().answer(json!({})).error("MissingParameter", "Region is missing.");
    let config = qcloud_core::Config::builder()
        .static_credentials("AKID", "key")
        .transport(transport.clone())
        .clock(ManualClock::auto())
        .endpoint(Endpoint::regional())
        .build()
        .unwrap();
    let client = Client::new(&config, LAMP);
    client.call(action(Effect::Read)).await.unwrap();
    let request = transport.requests().remove(0);
    assert_eq!((request.region, request.url.as_str()), (None, "https://lamp.tencentcloudapi.com/"));
    let error = client.call(action(Effect::Read)).await.unwrap_err();
    for way in ["ConfigBuilder::region", "Call::with_region", "TENCENTCLOUD_REGION"] {
        assert!(error.to_string().contains(way), "{error}");
    }
    assert_eq!(client.config().region(), None::<&Region>);
}

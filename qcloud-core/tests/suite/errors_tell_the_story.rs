//! Errors: their line for people, their parts for programs, and their size.

use std::error::Error as _;

use http::StatusCode;
use qcloud_core::testing::ScriptedTransport;
use qcloud_core::transport::TransportErrorKind;
use qcloud_core::{Action, Effect, Error, ErrorKind, Operation, RetryPolicy, Sent};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::support::{LAMP, MakeLamp, call, client};

#[test]
fn an_error_is_one_pointer_wide_and_can_travel() {
    fn travels<T: Send + Sync + std::error::Error + 'static>() {}
    travels::<Error>();
    assert_eq!(size_of::<Error>(), size_of::<usize>());
}

#[tokio::test]
async fn the_line_tells_action_code_message_request_and_attempts() {
    let three = |step: fn(ScriptedTransport) -> ScriptedTransport| step(step(step(ScriptedTransport::new())));
    for (transport, line) in [
        (
            ScriptedTransport::new().error("InvalidLamp.NotFound", "There is no lamp `l-1`."),
            "lamp:SwitchLamp: InvalidLamp.NotFound: There is no lamp `l-1`. (request id request-1)",
        ),
        (
            three(ScriptedTransport::throttled),
            "lamp:SwitchLamp: RequestLimitExceeded: too many calls per second (request id request-1, 3 attempts)",
        ),
        (
            three(|t| t.status(StatusCode::BAD_GATEWAY, "<html>\n<h1>Bad Gateway</h1>")),
            "lamp:SwitchLamp: a gateway answered in place of the API: `<html> <h1>Bad Gateway</h1>` (HTTP 502, 3 attempts)",
        ),
        (three(|t| t.fail(TransportErrorKind::Connect)), "lamp:SwitchLamp: could not connect: scripted (3 attempts)"),
        (
            ScriptedTransport::new().status(StatusCode::MOVED_PERMANENTLY, ""),
            "lamp:SwitchLamp: a gateway answered in place of the API: an empty body; redirects are not followed, check \
             the endpoint (HTTP 301)",
        ),
        (
            ScriptedTransport::new().error("UnsupportedRegion", "No."),
            "lamp:SwitchLamp: UnsupportedRegion: No. \
             [the region sent was `ap-guangzhou`] (request id request-1)",
        ),
    ] {
        assert_eq!(call(&transport, Effect::Read).await.unwrap_err().to_string(), line);
    }
}

#[tokio::test]
async fn an_error_answer_keeps_its_parts() {
    let body = r#"{"Response":{"Error":{"Code":"InvalidParameter","Message":"灯"},"RequestId":"r-9"}}"#;
    let transport = ScriptedTransport::new().status(StatusCode::BAD_REQUEST, body);
    let error = call(&transport, Effect::Read).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code(), error.message(), error.request_id(), error.http_status(), error.action()),
        (ErrorKind::Service, Some("InvalidParameter"), "灯", Some("r-9"), Some(400), Some("lamp:SwitchLamp"))
    );
    assert_eq!((error.attempts(), error.was_sent()), (1, Sent::Yes));
}

#[derive(Serialize)]
struct ReadLamp;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Lamps {
    lamps: Vec<Lamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Lamp {
    watts: i64,
}

impl Operation for ReadLamp {
    type Output = Lamps;

    fn action(&self) -> Action {
        Action::new(LAMP, "ReadLamp", Effect::Read)
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_named_by_its_path() {
    let transport = ScriptedTransport::new().answer(json!({ "Lamps": [{ "Watts": 1 }, { "Watts": [] }] }));
    let error = client(&transport).0.call(ReadLamp).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().starts_with("lamp:ReadLamp: `Lamps[1].Watts` in the answer can't be read: "), "{error}");
    assert!(error.to_string().ends_with("(request id request-1)"), "{error}");
    assert!(error.source().is_some() && error.is_ambiguous() && !error.is_retryable());
    assert_eq!(error.was_sent(), Sent::Yes);
}

#[tokio::test]
async fn json_that_is_no_answer_is_an_error() {
    for body in
        [r#"{"Answer":{}}"#, r#"{"Response":[]}"#, r#"{"Response":7}"#, r#"{"Response":{}} extra }"#, "{}", "{\0}"]
    {
        let transport = ScriptedTransport::new().status(StatusCode::OK, body);
        let error = client(&transport).0.call(ReadLamp).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode, "{body}: {error}");
        assert_eq!(transport.requests().len(), 1);
    }
    for body in ["[]", "null", "OK", "\u{feff}{}"] {
        let transport = ScriptedTransport::new().status(StatusCode::OK, body);
        let error = client(&transport).0.call(ReadLamp).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Http, "{body}: {error}");
        assert!(error.is_ambiguous() && !error.is_retryable(), "what the API said is hidden: {error}");
        assert!(error.to_string().contains("not the API's"), "{error}");
    }
}

#[tokio::test]
async fn odd_error_answers_are_still_errors() {
    for (body, code) in [
        (r#"{"Response":{"RequestId":"r","Error":{"Message":"m","Code":"A.B"}}}"#, Some("A.B")),
        (r#" {"Response" : {"Error" : {"Code" : "A.B"}}} "#, Some("A.B")),
        (r#"{"Response":{"Error":{"Code":"A.B","Message":null},"RequestId":null}}"#, Some("A.B")),
        (r#"{"Response":{"Error":{"Code":"A.B","Message":"a \"quoted\" 灯"},"RequestId":"r"}}"#, Some("A.B")),
    ] {
        let transport = ScriptedTransport::new().status(StatusCode::OK, body);
        let error = call(&transport, Effect::Read).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Service, code), "{body}: {error}");
    }
}

/// What says that the call failed, or says nothing at all, never passes for a list without items or a write that was done.
#[tokio::test]
async fn a_broken_answer_is_no_success() {
    let bodies: [(&[u8], ErrorKind, Option<&str>); 8] = [
        (br#"{"Response":null}"#, ErrorKind::Decode, None),
        (br#"{"Response":""}"#, ErrorKind::Decode, None),
        (br#"{"Response":{"Error":"down","RequestId":"r"}}"#, ErrorKind::Decode, None),
        (br#"{"Response":{"Error":{"Code":null,"Message":"m"},"RequestId":"r"}}"#, ErrorKind::Decode, None),
        (br#"{"Response":{"Error":{"Code":4000,"Message":"m"},"RequestId":"r"}}"#, ErrorKind::Decode, None),
        (
            br#"{"Response":{"Error":{"Code":"InternalError","Message":"m"},"RequestId":7}}"#,
            ErrorKind::Service,
            Some("InternalError"),
        ),
        (
            br#"{"Response":{"Error":{"Code":"InternalError","Message":"\ud83d"},"RequestId":"r"}}"#,
            ErrorKind::Service,
            Some("InternalError"),
        ),
        (
            b"{\"Response\":{\"Error\":{\"Code\":\"InternalError\",\"Message\":\"\xe7\x81\"},\"RequestId\":\"r\"}}",
            ErrorKind::Service,
            Some("InternalError"),
        ),
    ];
    for (body, kind, code) in bodies {
        let shown = String::from_utf8_lossy(body);
        let transport = || ScriptedTransport::new().status(StatusCode::OK, body);
        let read = client(&transport()).0.call(ReadLamp).with_retry(RetryPolicy::none()).await.unwrap_err();
        let write = client(&transport()).0.call(MakeLamp::default()).with_retry(RetryPolicy::none()).await.unwrap_err();
        let free = call(&transport(), Effect::Write).await.unwrap_err();
        for error in [read, write, free] {
            assert_eq!((error.kind(), error.code()), (kind, code), "{shown}: {error}");
            assert!(error.is_ambiguous(), "{shown}: {error}");
        }
    }
}

#[tokio::test]
async fn predicates_say_what_to_do() {
    let of = async |code: &str| call(&ScriptedTransport::new().error(code, ""), Effect::Write).await.unwrap_err();
    assert!(of("InvalidInstanceId.NotFound").await.is_not_found());
    assert!(of("ResourceNotFound").await.is_not_found());
    assert!(of("LimitExceeded.InstanceQuota").await.is_quota());
    assert!(of("ResourcesSoldOut.SpecifiedInstanceType").await.is_sold_out());
    assert!(of("FailedOperation.ResourceInOperating").await.is_busy());
    assert!(of("AuthFailure.SecretIdNotFound").await.is_auth());
    assert!(of("UnauthorizedOperation").await.is_auth());
    let error = of("InternalError").await;
    assert!(error.is_ambiguous() && error.is_retryable());
    let error = of("InvalidParameterValue").await;
    assert!(!(error.is_ambiguous() || error.is_retryable() || error.is_not_found() || error.is_auth()));
    let error = of("InternalError.CamNoAuth").await;
    assert!(error.is_auth() && !error.is_ambiguous() && !error.is_retryable());
}

/// A program that deletes takes "not found" for done: a typo in its key or region must not look like that.
#[tokio::test]
async fn what_is_missing_around_a_resource_does_not_say_that_it_is_gone() {
    for code in [
        "AuthFailure.SecretIdNotFound",
        "UnauthorizedOperation.MFANotFound",
        "InvalidRegion.NotFound",
        "InvalidAccountId.NotFound",
        "InvalidProjectId.NotFound",
        "InvalidParameter.RegionNotFound",
        "UnsupportedOperation.UinNotFound",
        "UnsupportedOperation.AppIdNotFound",
        "UnsupportedOperation.ActionNotFound",
        "UnsupportedOperation.RoleNotFound",
        "InternalError.DbRecordNotFound",
        "FailedOperation.DbRecordNotFound",
    ] {
        let error = call(&ScriptedTransport::new().error(code, ""), Effect::Write).await.unwrap_err();
        assert!(!error.is_not_found(), "{code}");
    }
}

//! The envelope: `{"Response": {…}}` with the answer or an error in it. Errors come with HTTP 200 as well.

use std::fmt;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

use crate::transport::HttpResponse;
use crate::{Error, ErrorKind, Sent};

/// How much of a body that is not the API's goes into an error message.
const EXCERPT: usize = 200;

/// What an HTTP answer turned out to be.
pub(crate) enum Answer {
    /// An answer of the API without an error: the body is yet to be decoded.
    Success(Bytes),
    /// Anything else.
    Failure(Error),
}

#[derive(Deserialize)]
struct Probe<T> {
    #[serde(rename = "Response")]
    response: T,
}

#[derive(Deserialize)]
struct ProbeError {
    #[serde(rename = "Error")]
    error: Option<ApiError>,
}

#[derive(Deserialize)]
#[serde(expecting = "an error with its code")]
struct ApiError {
    #[serde(rename = "Code")]
    code: Text,
    #[serde(rename = "Message")]
    message: Option<Text>,
}

#[derive(Deserialize)]
struct ProbeRequestId {
    #[serde(rename = "RequestId")]
    request_id: Option<Text>,
}

/// Text that may be damaged, such as a message cut within a character: what is not Unicode becomes `\u{fffd}`, for an error
/// is an error however it is spelt.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Damaged;

        impl Visitor<'_> for Damaged {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Text, E> {
                Ok(Text(String::from_utf8_lossy(bytes).into_owned()))
            }
        }

        deserializer.deserialize_bytes(Damaged)
    }
}

/// The request id in a body, when it can be found.
pub(crate) fn request_id(body: &[u8]) -> Option<String> {
    Some(serde_json::from_slice::<Probe<ProbeRequestId>>(body).ok()?.response.request_id?.0)
}

/// The error that the envelope holds: `None` for an answer without one, `Err` for what can't be told to be either.
fn api_error(body: &[u8]) -> Result<Option<ApiError>, serde_json::Error> {
    let error = serde_json::from_slice::<Probe<ProbeError>>(body)?.response.error;
    match error {
        Some(ApiError { code: Text(code), .. }) if code.is_empty() => {
            Err(serde::de::Error::custom("its code is empty"))
        }
        error => Ok(error),
    }
}

/// The start of a foreign body, on one line, for a message.
pub(crate) fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..EXCERPT * 4).unwrap_or(body));
    let mut line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.retain(|c| !c.is_control());
    if let Some((cut, _)) = line.char_indices().nth(EXCERPT) {
        line.truncate(cut);
        line.push('…');
    }
    line
}

/// Sorts an HTTP answer: status first, JSON second.
pub(crate) fn classify(response: HttpResponse, service: &str, action: &str) -> Answer {
    let status = response.status();
    let body = response.into_body();
    let first = body.iter().copied().find(|byte| !byte.is_ascii_whitespace());
    let last = body.iter().rev().copied().find(|byte| !byte.is_ascii_whitespace());
    let is_object = first == Some(b'{');

    let complete = is_object && last == Some(b'}');
    if complete && (!status.is_success() || memchr::memmem::find(&body, b"\"Error\"").is_some()) {
        match api_error(&body) {
            Ok(Some(ApiError { code: Text(code), message })) => {
                let message = message.map(|Text(message)| message).unwrap_or_default();
                let request_id = request_id(&body).unwrap_or_default();
                let failure = Error::service(format!("{service}:{action}"), code, message, request_id);
                let failure = if status.is_success() { failure } else { failure.with_http_status(status.as_u16()) };
                return Answer::Failure(failure);
            }
            Err(error) if status.is_success() => {
                let failure = Error::new(ErrorKind::Decode, format!("an error in the answer can't be read: {error}"))
                    .with_source(error)
                    .with_action(service, action)
                    .with_request_id(request_id(&body).unwrap_or_default())
                    .with_sent(Sent::Yes);
                return Answer::Failure(failure);
            }
            _ => {}
        }
    }
    if status.is_success() && complete {
        return Answer::Success(body);
    }
    let failure = if status.is_success() && (first.is_none() || is_object) {
        Error::new(
            ErrorKind::Transport,
            if first.is_none() { "the answer is empty" } else { "the answer was cut short" },
        )
        .with_sent(Sent::Maybe)
    } else {
        let what =
            if status.is_success() { "the answer is not the API's" } else { "a gateway answered in place of the API" };
        let hint = if status.is_redirection() { "; redirects are not followed, check the endpoint" } else { "" };
        let shown = excerpt(&body);
        let shown = if shown.is_empty() { "an empty body".to_owned() } else { format!("`{shown}`") };
        Error::new(ErrorKind::Http, format!("{what}: {shown}{hint}"))
            .with_http_status(status.as_u16())
            .with_sent(Sent::Yes)
    };
    Answer::Failure(failure.with_action(service, action))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classified(status: u16, body: &str) -> Result<Bytes, Error> {
        classified_bytes(status, body.as_bytes())
    }

    fn classified_bytes(status: u16, body: &[u8]) -> Result<Bytes, Error> {
        let response = http::Response::builder().status(status).body(Bytes::copy_from_slice(body)).unwrap();
        match classify(response, "cvm", "DescribeInstances") {
            Answer::Success(body) => Ok(body),
            Answer::Failure(error) => Err(error),
        }
    }

    #[test]
    fn an_error_with_status_200_is_an_error() {
        let error = classified(
            200,
            r#"{"Response":{"Error":{"Code":"InvalidZone","Message":"no such zone"},"RequestId":"r-1"}}"#,
        )
        .unwrap_err();
        assert_eq!(error.to_string(), "cvm:DescribeInstances: InvalidZone: no such zone (request id r-1)");
        assert_eq!(error.was_sent(), Sent::Yes);
    }

    #[test]
    fn an_answer_that_merely_mentions_errors_is_a_success() {
        let body = r#"{"Response":{"Results":[{"Error":{"Code":"x"}}],"RequestId":"r-1"}}"#;
        assert_eq!(classified(200, body).unwrap(), body);
        assert!(classified(200, r#"{"Response":{"Error":null,"RequestId":"r-1"}}"#).is_ok());
    }

    #[test]
    fn a_damaged_error_is_an_error_all_the_same() {
        let cut: &[u8] =
            b"{\"Response\":{\"Error\":{\"Code\":\"InvalidZone\",\"Message\":\"no \xe4\xb8\"},\"RequestId\":\"r-1\"}}";
        let surrogate = br#"{"Response":{"Error":{"Code":"InvalidZone","Message":"no \ud83d"},"RequestId":7}}"#;
        for body in [cut, surrogate] {
            let error = classified_bytes(200, body).unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::Service, Some("InvalidZone")), "{error}");
            assert!(error.message().starts_with("no \u{fffd}"), "{error}");
        }
    }

    #[test]
    fn an_error_without_a_code_leaves_open_what_happened() {
        for body in [
            r#"{"Response":{"Error":"down","RequestId":"r-1"}}"#,
            r#"{"Response":{"Error":{},"RequestId":"r-1"}}"#,
            r#"{"Response":{"Error":{"Code":null,"Message":"x"},"RequestId":"r-1"}}"#,
            r#"{"Response":{"Error":{"Code":"","Message":"x"},"RequestId":"r-1"}}"#,
            r#"{"Response":{"Error":{"Code":4000,"Message":"x"},"RequestId":"r-1"}}"#,
            r#"{"Response":{"Error":{"Code":"A"},"Error":{"Code":"B"},"RequestId":"r-1"}}"#,
        ] {
            let error = classified(200, body).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode, "{body}: {error}");
            assert!(error.is_ambiguous() && !error.is_not_found(), "{body}");
        }
    }

    #[test]
    fn an_html_page_is_shown_as_what_it_is() {
        let error = classified(502, "<html>\n<h1>Bad\u{7} Gateway</h1></html>").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Http);
        assert_eq!(
            error.to_string(),
            "cvm:DescribeInstances: a gateway answered in place of the API: `<html> <h1>Bad Gateway</h1></html>` (HTTP 502)"
        );
        assert!(error.is_retryable() && error.is_ambiguous());
        let error = classified(200, "<html>login here</html>").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Http);
        assert!(!error.is_retryable());
    }

    #[test]
    fn a_cut_or_empty_body_may_have_been_executed() {
        for body in ["", r#"{"Response":{"TotalCount":1"#] {
            let error = classified(200, body).unwrap_err();
            assert_eq!((error.kind(), error.was_sent()), (ErrorKind::Transport, Sent::Maybe), "{body}");
        }
    }

    #[test]
    fn excerpts_are_short() {
        assert!(excerpt("é".repeat(5000).as_bytes()).chars().count() <= EXCERPT + 1);
    }
}

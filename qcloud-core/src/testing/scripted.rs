//! A transport that plays a part.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::transport::{HttpRequest, HttpResponse, Transport, TransportError, TransportErrorKind};

/// Answers calls with what the test wrote down, in that order, and keeps the requests. Clones share the script.
///
/// A request for which nothing is left fails with a message that says so.
#[derive(Clone, Default)]
pub struct ScriptedTransport(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    steps: VecDeque<(Option<String>, Step)>,
    requests: Vec<ScriptedRequest>,
}

enum Step {
    Respond(HttpResponse),
    Fail(TransportErrorKind),
    Hang,
}

/// A request as it came out of the SDK.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ScriptedRequest {
    /// Wire name of the action.
    pub action: String,
    /// The region, if one was sent.
    pub region: Option<String>,
    /// The URL.
    pub url: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The parameters.
    pub body: Value,
}

impl ScriptedTransport {
    /// A script without steps.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(self, action: Option<&str>, step: Step) -> Self {
        self.script().steps.push_back((action.map(str::to_owned), step));
        self
    }

    fn response(content: Value) -> Step {
        let mut content = content;
        if let Some(content) = content.as_object_mut() {
            content.entry("RequestId").or_insert_with(|| "request-1".into());
        }
        let body = json!({ "Response": content }).to_string();
        Step::Respond(HttpResponse::new(Bytes::from(body)))
    }

    /// Answers with this content of the envelope; a request id is added.
    #[must_use]
    pub fn answer(self, content: Value) -> Self {
        self.step(None, Self::response(content))
    }

    /// Like [`answer`](Self::answer), but only to this action; the step is passed over by others. For tests whose calls
    /// come in no fixed order.
    #[must_use]
    pub fn answer_to(self, action: &str, content: Value) -> Self {
        self.step(Some(action), Self::response(content))
    }

    /// Answers with an error code.
    #[must_use]
    pub fn error(self, code: &str, message: &str) -> Self {
        self.answer(json!({ "Error": { "Code": code, "Message": message } }))
    }

    /// Answers that the rate is exceeded.
    #[must_use]
    pub fn throttled(self) -> Self {
        self.error("RequestLimitExceeded", "too many calls per second")
    }

    /// Answers with this status and body, such as a gateway's page.
    #[must_use]
    pub fn status(self, status: StatusCode, body: impl Into<Bytes>) -> Self {
        let mut response = HttpResponse::new(body.into());
        *response.status_mut() = status;
        self.respond(response)
    }

    /// Answers with exactly this.
    #[must_use]
    pub fn respond(self, response: HttpResponse) -> Self {
        self.step(None, Step::Respond(response))
    }

    /// Gives no answer, in this way.
    #[must_use]
    pub fn fail(self, kind: TransportErrorKind) -> Self {
        self.step(None, Step::Fail(kind))
    }

    /// Never answers, so that the attempt's time runs out.
    #[must_use]
    pub fn hang(self) -> Self {
        self.step(None, Step::Hang)
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<ScriptedRequest> {
        self.script().requests.clone()
    }

    /// How many steps are left.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.script().steps.len()
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

impl Transport for ScriptedTransport {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        let action = header(request.headers(), "x-tc-action").unwrap_or_default();
        let step = {
            let mut script = self.script();
            script.requests.push(ScriptedRequest {
                action: action.clone(),
                region: header(request.headers(), "x-tc-region"),
                url: request.uri().to_string(),
                headers: request.headers().clone(),
                body: serde_json::from_slice(request.body()).unwrap_or(Value::Null),
            });
            let fits = |(only, _): &(Option<String>, Step)| only.as_ref().is_none_or(|only| *only == action);
            let place = script.steps.iter().position(fits);
            place.and_then(|place| script.steps.remove(place)).map(|(_, step)| step)
        };
        Box::pin(async move {
            match step {
                Some(Step::Respond(response)) => Ok(response),
                Some(Step::Fail(kind)) => Err(TransportError::new(kind, "scripted")),
                Some(Step::Hang) => std::future::pending().await,
                None => Err(TransportError::new(
                    TransportErrorKind::Request,
                    format!("the script has no answer left for {action}"),
                )),
            }
        })
    }
}

impl fmt::Debug for ScriptedTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let script = self.script();
        f.debug_struct("ScriptedTransport")
            .field("remaining", &script.steps.len())
            .field("requests", &script.requests.len())
            .finish()
    }
}

//! The server as a tower service: one request, one answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WARNING};
use http::request::Parts;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Limited};
use serde_json::{Value, json};

use crate::body::{Lost, ResponseBody};
use crate::discovery;
use crate::fault::Fault;
use crate::kinds::Kind;
use crate::list::{self, Format};
use crate::path::{Call, Verb};
use crate::refusal::Refusal;
use crate::server::Inner;
use crate::state::{Body, State, Written};
use crate::watch;
use crate::write::Sent;

/// Larger requests are refused, as the real server does.
const LARGEST: usize = 3 * 1024 * 1024;

/// Answers requests inside the process. Clones are answered by the same server.
#[derive(Clone, Debug)]
pub struct ApiService {
    server: Arc<Inner>,
}

impl ApiService {
    pub(crate) fn new(server: Arc<Inner>) -> Self {
        Self { server }
    }

    async fn answer(&self, parts: &Parts, body: Result<Bytes, Refusal>) -> Result<Response<ResponseBody>, Lost> {
        let body = match body {
            Ok(body) => body,
            Err(refusal) => return Ok(refused(&refusal)),
        };
        let call = match Call::of(parts) {
            Some(Ok(call)) => call,
            Some(Err(refusal)) => return Ok(refused(&refusal)),
            None => return Ok(self.other(parts)),
        };
        let number = self.server.requests.came(&call, self.server.state().clock.now());
        let mut fault = self.server.faults.strike(&call);
        let is_watch = call.verb == Verb::Watch;
        match fault {
            Some(Fault::Refuse(code, reason)) => {
                let refusal = Refusal::new(code, reason, format!("refused, as a fault wanted it: {reason}"));
                return Ok(self.logged(number, refused(&refusal)));
            }
            Some(Fault::Conflict) => {
                let message = format!(
                    "Operation cannot be fulfilled on {} {:?}: the object has been modified; please apply your changes to \
                     the latest version and try again",
                    call.place.plural, call.place.name
                );
                return Ok(self.logged(number, refused(&Refusal::new(409, "Conflict", message))));
            }
            Some(Fault::TooMany { retry_after }) => {
                let message = "the server has received too many requests and has asked us to try again later";
                let refusal = Refusal::new(429, "TooManyRequests", message).after(retry_after);
                return Ok(self.logged(number, refused(&refusal)));
            }
            Some(Fault::LostBefore) => return Err(Lost::Before),
            Some(Fault::Late(wait)) => {
                tokio::time::sleep(wait).await;
                fault = None;
            }
            Some(Fault::Stall) if !is_watch => return std::future::pending().await,
            _ => {}
        }
        let (lost, stalls) = (matches!(fault, Some(Fault::LostAfter)), matches!(fault, Some(Fault::BodyStall)));
        let mut response = match self.carry_out(parts, &call, &body, fault) {
            Ok(response) => response,
            Err(refusal) => refused(&refusal),
        };
        if stalls {
            response = response.map(ResponseBody::stalled);
        }
        if lost { Err(Lost::After) } else { Ok(self.logged(number, response)) }
    }

    fn logged(&self, number: u64, response: Response<ResponseBody>) -> Response<ResponseBody> {
        self.server.requests.answered(number, response.status().as_u16());
        response
    }

    fn carry_out(
        &self,
        parts: &Parts,
        call: &Call,
        body: &Bytes,
        fault: Option<Fault>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let header =
            |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
        let format = Format::accepted(header(http::header::ACCEPT));
        let sent = Sent { content_type: header(CONTENT_TYPE), bytes: body };
        let mut state = self.server.state();
        let state: &mut State = &mut state;
        let kind = call.place.kind(&mut state.store)?;
        check_subresource(&kind, call)?;
        let written = match call.verb {
            Verb::Watch => {
                let frames = watch::open(&self.server, state, &kind, call, format, fault)?;
                return Ok(response(200, ResponseBody::stream(frames)));
            }
            Verb::List => return Ok(response(200, ResponseBody::whole(state.list(&kind, call, format)?))),
            Verb::Get => {
                let object = state.get(&kind, call)?;
                return Ok(response(200, ResponseBody::whole(format.show(&object))));
            }
            Verb::Create => state.create(&kind, call, sent)?,
            Verb::Update => state.update(&kind, call, sent)?,
            Verb::Patch => state.patch(&kind, call, sent)?,
            Verb::Delete => state.delete(&kind, call, body)?,
            Verb::DeleteCollection => {
                let selected = state.selected(&kind, call)?;
                let metadata = json!({ "resourceVersion": state.store.revision().to_string() });
                let items = selected.iter().map(|(_, object)| object.item().clone());
                let deleted = list::written(&kind, Format::Whole, &metadata, items);
                if !call.query.dry_run()? {
                    state.delete_all(&kind, &selected);
                }
                return Ok(response(200, ResponseBody::whole(deleted)));
            }
        };
        Ok(shown(written))
    }

    /// What is not about resources: health, version, discovery.
    fn other(&self, parts: &Parts) -> Response<ResponseBody> {
        if parts.method != Method::GET {
            return refused(&Refusal::no_such_path());
        }
        match parts.uri.path().trim_end_matches('/') {
            "/healthz" | "/livez" | "/readyz" => {
                let mut healthy = response(200, ResponseBody::whole(Bytes::from_static(b"ok")));
                healthy.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
                healthy
            }
            path => match discovery::answer(&self.server.state().store, path) {
                Some(value) => response(200, ResponseBody::whole(value.to_string().into())),
                None => refused(&Refusal::no_such_path()),
            },
        }
    }
}

/// Only the status can be written apart from the rest, where there is one.
fn check_subresource(kind: &Kind, call: &Call) -> Result<(), Refusal> {
    match call.place.subresource.as_str() {
        "" => Ok(()),
        "status" if kind.traits.status => Ok(()),
        _ => Err(Refusal::no_such_path()),
    }
}

fn response(code: u16, body: ResponseBody) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(code).unwrap_or_default();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn shown(written: Written) -> Response<ResponseBody> {
    let text = match written.body {
        Body::Object(object) => object.text().clone(),
        Body::Value(value) => value_text(&value),
    };
    let mut response = response(written.code, ResponseBody::whole(text));
    for warning in written.warnings {
        let quoted = format!("299 - \"{}\"", warning.replace('\\', "\\\\").replace('"', "\\\""));
        if let Ok(value) = HeaderValue::from_str(&quoted) {
            response.headers_mut().append(WARNING, value);
        }
    }
    response
}

fn value_text(value: &Value) -> Bytes {
    value.to_string().into()
}

fn refused(refusal: &Refusal) -> Response<ResponseBody> {
    let mut response = response(refusal.status().as_u16(), ResponseBody::whole(value_text(&refusal.object())));
    if let Some(seconds) = refusal.retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

impl<B> tower::Service<Request<B>> for ApiService
where
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<ResponseBody>;
    type Error = Lost;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Lost>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = match Limited::new(body, LARGEST).collect().await {
                Ok(body) => Ok(body.to_bytes()),
                Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                    let message = format!("Request entity too large: limit is {LARGEST}");
                    Err(Refusal::new(413, "RequestEntityTooLarge", message))
                }
                // The client went away while it was sending.
                Err(_) => return Err(Lost::Before),
            };
            service.answer(&parts, body).await
        })
    }
}

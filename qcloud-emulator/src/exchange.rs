//! What comes of a request: an answer, or none.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};

use crate::clock::Time;
use crate::fault::Effect;

/// How long a connection without an answer is held, by the emulator's clock.
const HOLD: Duration = Duration::from_secs(60);

/// A request that got no answer, because a [fault](crate::Fault) would have it so.
///
/// A transport that stands in for the network makes a timeout of [`NoAnswerKind::Timeout`] and [`NoAnswerKind::Hang`],
/// and a broken connection of [`NoAnswerKind::Cut`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoAnswer {
    /// What the caller sees.
    pub kind: NoAnswerKind,
    /// Whether the action was carried out nevertheless. No caller of the real cloud can know.
    pub executed: bool,
    /// The id of the request, as the call log has it.
    pub request_id: String,
}

/// What the caller sees of a request that got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoAnswerKind {
    /// Nothing, until it gives up or the emulator's clock has moved on by a minute.
    Timeout,
    /// Nothing, until it gives up.
    Hang,
    /// A connection that was closed, before the answer or in the middle of it.
    Cut,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            NoAnswerKind::Timeout => "no answer in time",
            NoAnswerKind::Hang => "no answer",
            NoAnswerKind::Cut => "the connection was cut before the answer was complete",
        };
        write!(f, "{what}, as the fault plan has it (request {})", self.request_id)
    }
}

impl std::error::Error for NoAnswer {}

/// What the emulator does about a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    Answer(Response<Bytes>),
    /// Sends an answer that promises more bytes than it has, and closes the connection.
    BrokenOff(Response<Bytes>),
    /// Closes the connection.
    Cut,
    /// Keeps silent until this moment, then closes the connection; for ever without one.
    Silence(Option<Time>),
}

impl Outcome {
    /// What becomes of the answer that the caller should have had, under an effect.
    pub(crate) fn of(effect: Option<&Effect>, answer: Response<Bytes>, now: Time) -> Self {
        match effect {
            None | Some(Effect::Error { .. } | Effect::Throttle | Effect::PageShift(_)) => Self::Answer(answer),
            Some(Effect::Timeout) => Self::Silence(Some(now.after(HOLD))),
            Some(Effect::Hang) => Self::Silence(None),
            Some(Effect::Cut) => Self::Cut,
            Some(Effect::NotJson) => Self::Answer(answer.map(|_| Bytes::from_static(b"upstream connect error\n"))),
            Some(Effect::BadGateway) => Self::Answer(bad_gateway()),
            Some(Effect::TruncatedJson) => Self::Answer(answer.map(|body| half(&body))),
            Some(Effect::WrongLength) => Self::BrokenOff(answer),
        }
    }

    /// As a caller without a connection sees it.
    pub(crate) fn into_result(self, executed: bool, request_id: String) -> Result<Response<Bytes>, NoAnswer> {
        let kind = match self {
            Self::Answer(response) => return Ok(response),
            Self::BrokenOff(_) | Self::Cut => NoAnswerKind::Cut,
            Self::Silence(Some(_)) => NoAnswerKind::Timeout,
            Self::Silence(None) => NoAnswerKind::Hang,
        };
        Err(NoAnswer { kind, executed, request_id })
    }
}

/// The first half of a body.
pub(crate) fn half(body: &Bytes) -> Bytes {
    body.slice(..body.len() / 2)
}

fn bad_gateway() -> Response<Bytes> {
    let page = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n";
    let mut response = Response::new(Bytes::from_static(page.as_bytes()));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

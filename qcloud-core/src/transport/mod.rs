//! How requests reach the API: the one-method [`Transport`] trait and its errors.

#[cfg(feature = "reqwest")]
mod reqwest;

use std::error::Error as StdError;
use std::fmt;

use bytes::Bytes;
use futures_util::future::BoxFuture;

#[cfg(feature = "reqwest")]
pub use self::reqwest::{Proxy, ReqwestTransport, ReqwestTransportBuilder};

/// A request ready to go: absolute URL, headers signed, body complete.
pub type HttpRequest = http::Request<Bytes>;

/// An answer with its whole body.
pub type HttpResponse = http::Response<Bytes>;

/// Carries one HTTP exchange. Implement it to use another HTTP client, or to test without a network.
///
/// An implementation sends the request exactly once, without following redirects and without changing body or headers,
/// which are signed. Timeouts per attempt, retries and the reading of the answer are the caller's.
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends the request and reads the whole answer, whatever its status.
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>>;
}

/// What went wrong in an exchange, by what it means for a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// No connection: name not resolved, refused, TLS failed. The request was not sent; any action is retried.
    Connect,
    /// The connection broke after sending had begun. The action may have been executed; reads and token-bearing
    /// actions are retried.
    Interrupted,
    /// No complete answer in time. As with [`Interrupted`](Self::Interrupted), the action may have been executed.
    Timeout,
    /// The answer is larger than the configured limit. Not retried.
    TooLarge,
    /// The request could not be made at all (a bad URL, say). Not sent, not retried.
    Request,
}

/// An exchange that gave no answer.
#[derive(Debug)]
pub struct TransportError {
    kind: TransportErrorKind,
    source: Box<dyn StdError + Send + Sync>,
}

impl TransportError {
    /// An error of this kind, with its cause (an error or a message).
    pub fn new(kind: TransportErrorKind, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { kind, source: source.into() }
    }

    /// What it means for a retry.
    #[must_use]
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            TransportErrorKind::Connect => "could not connect",
            TransportErrorKind::Interrupted => "connection broken before the answer was complete",
            TransportErrorKind::Timeout => "no complete answer in time",
            TransportErrorKind::TooLarge => "answer too large",
            TransportErrorKind::Request => "request could not be made",
        };
        write!(f, "{what}: {}", self.source)?;
        let mut cause = self.source.source();
        while let Some(next) = cause {
            write!(f, ": {next}")?;
            cause = next.source();
        }
        Ok(())
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.source)
    }
}

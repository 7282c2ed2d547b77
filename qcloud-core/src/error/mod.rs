//! The one error type, its kinds and its predicates.

pub(crate) mod code;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use crate::transport::{TransportError, TransportErrorKind};

/// `Result` with the SDK's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Where a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration does not make sense, or something needed is missing. Nothing was sent.
    Config,
    /// No credentials could be had. Nothing was sent.
    Credentials,
    /// No connection could be made. Nothing was sent.
    Connect,
    /// No answer in the time allowed for the attempt or the whole operation.
    Timeout,
    /// The connection broke, or the answer was cut short or too large.
    Transport,
    /// Something other than the API answered, such as a gateway with an HTML page.
    Http,
    /// The API answered with an error code.
    Service,
    /// The API answered with something that can't be read as the expected type.
    Decode,
    /// A waiter saw a state from which the awaited one can't be reached.
    Wait,
}

/// Whether the API may have seen the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sent {
    /// Certainly not.
    No,
    /// Nobody knows: the exchange ended without an answer.
    Maybe,
    /// Yes: there was an answer.
    Yes,
}

/// Everything that can go wrong in a call.
///
/// `Display` is one line with the action, the code, the message, the request id and the number of attempts. Match on
/// [`kind`](Self::kind), on [`code`](Self::code) with the constants of each service's `error_code` module, or ask one of
/// the predicates. Neither `Display` nor `Debug` ever holds a secret or a request body.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    action: Option<String>,
    code: Option<String>,
    message: Cow<'static, str>,
    request_id: Option<String>,
    http_status: Option<u16>,
    attempts: u32,
    sent: Sent,
    /// An earlier attempt of the same call may have taken effect.
    unsure: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind, with a message that says what to do. For implementers of providers, transports and waiters.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            action: None,
            code: None,
            message: message.into(),
            request_id: None,
            http_status: None,
            attempts: 0,
            sent: Sent::No,
            unsure: false,
            source: None,
        }))
    }

    /// An error answer of the API. `action` is written as `service:Action`.
    pub fn service(
        action: impl Into<String>,
        code: impl Into<String>,
        message: impl Into<String>,
        request_id: impl Into<String>,
    ) -> Self {
        let mut error = Self::new(ErrorKind::Service, message.into());
        error.0.action = Some(action.into());
        error.0.code = Some(code.into());
        error.0.request_id = Some(request_id.into()).filter(|id| !id.is_empty());
        error.0.sent = Sent::Yes;
        error
    }

    /// Adds the cause, for [`StdError::source`].
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub(crate) fn with_action(mut self, service: &str, action: &str) -> Self {
        self.0.action = Some(format!("{service}:{action}"));
        self
    }

    pub(crate) fn with_attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = attempts;
        self
    }

    pub(crate) fn with_request_id(mut self, request_id: impl Into<String>) -> Self {
        self.0.request_id = Some(request_id.into()).filter(|id| !id.is_empty());
        self
    }

    /// Adds to the message what the SDK knows and the API does not.
    pub(crate) fn with_hint(mut self, hint: impl fmt::Display) -> Self {
        self.0.message = Cow::Owned(format!("{} [{hint}]", self.0.message));
        self
    }

    pub(crate) fn with_http_status(mut self, status: u16) -> Self {
        self.0.http_status = Some(status);
        self
    }

    pub(crate) fn with_sent(mut self, sent: Sent) -> Self {
        self.0.sent = sent;
        self
    }

    /// Says that an attempt before the one that this error is about may have taken effect.
    pub(crate) fn with_doubt(mut self) -> Self {
        self.0.unsure = true;
        if self.0.sent == Sent::No {
            self.0.sent = Sent::Maybe;
        }
        self
    }

    /// Where it failed.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The API's error code, such as `InvalidInstanceId.NotFound`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// What happened, in words: the API's own message, or ours.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The id under which the API logged the request; quote it in support cases.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The action, as `service:Action`; `None` when no call was made.
    #[must_use]
    pub fn action(&self) -> Option<&str> {
        self.0.action.as_deref()
    }

    /// The HTTP status, when it is not 200 or the body was not the API's.
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        self.0.http_status
    }

    /// How many times the request was tried; 0 when it never got that far.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Whether the API may have seen the request.
    #[must_use]
    pub fn was_sent(&self) -> Sent {
        self.0.sent
    }

    fn code_is(&self, test: impl Fn(&str) -> bool) -> bool {
        self.code().is_some_and(test)
    }

    /// Something that the request names does not exist.
    ///
    /// It says that the API answered so, not which of several named things is missing. It is never true of a lookup
    /// that failed for another reason, nor of a key, account, project, region or action that does not exist. Describe
    /// actions mostly leave unknown ids out of their answer instead.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.code_is(code::is_not_found)
    }

    /// The API refused the request for its rate, before executing it. Retried automatically; slow down if it persists,
    /// or configure [`RateLimits`](crate::RateLimits).
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        self.code_is(code::is_throttled)
    }

    /// A quota of the account is used up. Repeating does not help: free something or have the quota raised.
    #[must_use]
    pub fn is_quota(&self) -> bool {
        self.code_is(code::is_quota)
    }

    /// The zone, type or address range has nothing left. Try another one.
    #[must_use]
    pub fn is_sold_out(&self) -> bool {
        self.code_is(code::is_sold_out)
    }

    /// Another operation on the same resource is under way. It passes by itself; see
    /// [`RetryPolicy::retry_busy`](crate::RetryPolicy::retry_busy).
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.code_is(code::is_busy)
    }

    /// The credentials are missing, wrong, expired, or not permitted to do this.
    ///
    /// `AuthFailure.*`: check the key pair, the token and the machine's clock. `UnauthorizedOperation*` and `*.CamNoAuth`:
    /// the identity lacks a CAM permission.
    #[must_use]
    pub fn is_auth(&self) -> bool {
        self.kind() == ErrorKind::Credentials || self.code_is(code::is_auth)
    }

    /// A later try of the same request can succeed without anything being changed: throttling, a busy resource, a
    /// fault inside the API or on the way to it. Whether it is also *safe* is another question: see
    /// [`is_ambiguous`](Self::is_ambiguous).
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self.kind() {
            ErrorKind::Connect | ErrorKind::Timeout => true,
            ErrorKind::Transport => self.was_sent() == Sent::Maybe,
            ErrorKind::Http => self.http_status().is_some_and(|status| status >= 500 || status == 429),
            ErrorKind::Service => {
                self.is_throttled()
                    || self.is_busy()
                    || self.code_is(code::is_internal)
                    || self.code_is(code::is_stale_credential)
            }
            _ => false,
        }
    }

    /// Nobody knows whether the action took effect: an answer was lost, could not be read, or was an internal error, at
    /// the last attempt or one before it. Look before repeating a write.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        if self.0.unsure {
            return true;
        }
        match self.kind() {
            ErrorKind::Decode => true,
            // A page with a 4xx stands for a refusal on the way; one with a 2xx hides what the API said.
            ErrorKind::Http => self.http_status().is_none_or(|status| !(300..500).contains(&status)),
            ErrorKind::Service => self.code_is(code::is_internal),
            _ => self.was_sent() == Sent::Maybe,
        }
    }
}

impl From<TransportError> for Error {
    fn from(error: TransportError) -> Self {
        let (kind, sent) = match error.kind() {
            TransportErrorKind::Connect => (ErrorKind::Connect, Sent::No),
            TransportErrorKind::Interrupted => (ErrorKind::Transport, Sent::Maybe),
            TransportErrorKind::Timeout => (ErrorKind::Timeout, Sent::Maybe),
            TransportErrorKind::TooLarge => (ErrorKind::Transport, Sent::Yes),
            TransportErrorKind::Request => (ErrorKind::Config, Sent::No),
        };
        Self::new(kind, error.to_string()).with_sent(sent).with_source(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        if let Some(action) = &inner.action {
            write!(f, "{action}: ")?;
        }
        if let Some(code) = &inner.code {
            write!(f, "{code}: ")?;
        }
        f.write_str(&inner.message)?;
        let mut details = Vec::new();
        if let Some(status) = inner.http_status {
            details.push(format!("HTTP {status}"));
        }
        if let Some(request_id) = &inner.request_id {
            details.push(format!("request id {request_id}"));
        }
        if inner.attempts > 1 {
            details.push(format!("{} attempts", inner.attempts));
        }
        if !details.is_empty() {
            write!(f, " ({})", details.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        f.debug_struct("Error")
            .field("kind", &inner.kind)
            .field("action", &inner.action)
            .field("code", &inner.code)
            .field("message", &inner.message)
            .field("request_id", &inner.request_id)
            .field("http_status", &inner.http_status)
            .field("attempts", &inner.attempts)
            .field("sent", &inner.sent)
            .field("source", &inner.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

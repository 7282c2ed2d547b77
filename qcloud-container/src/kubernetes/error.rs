//! The error of all providers, with what it means for a retry.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// `Result` with a [`ProviderError`].
pub type Result<T, E = ProviderError> = std::result::Result<T, E>;

/// What a resource ran out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Exhausted {
    /// A quota of the account.
    Quota,
    /// The zone or type is sold out.
    Stock,
    /// The subnet has no address left.
    Addresses,
    /// The node takes no more volumes.
    AttachLimit,
}

/// What went wrong, by what a controller does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The object does not exist, and that is proven.
    NotFound,
    /// An object of that name exists with other properties.
    AlreadyExists,
    /// The object is not in the state that the request assumes.
    Conflict,
    /// Something else uses the object.
    InUse,
    /// The request makes no sense; it will not until someone changes it.
    InvalidArgument,
    /// A size or number lies outside what is possible.
    OutOfRange,
    /// Something has run out.
    Exhausted(Exhausted),
    /// Too many calls; later.
    Throttled,
    /// Another operation on the object is under way.
    Busy,
    /// The operation has begun and is not finished; come back.
    Pending,
    /// The credentials do not permit it.
    Unauthorized,
    /// The cloud can't be reached or is at fault.
    Unavailable,
    /// Nobody knows whether the write took effect: observe before doing anything.
    Ambiguous,
    /// This provider can't do that.
    Unsupported,
    /// Anything else.
    Internal,
}

/// When to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Not before something is changed.
    Never,
    /// After this long.
    After(Duration),
    /// With the caller's own growing pauses.
    Backoff,
}

/// An operation of a provider that did not succeed.
///
/// `Display` is one line for an event on the object: the message, and the request id when there is one.
pub struct ProviderError(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    code: Option<String>,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl ProviderError {
    /// An error of this kind with a message that says what to do.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            code: None,
            request_id: None,
            retry_after: None,
            source: None,
        }))
    }

    /// An operation that has begun and is worth looking at again after this long.
    pub fn pending(message: impl Into<Cow<'static, str>>, after: Duration) -> Self {
        Self::new(ErrorKind::Pending, message).with_retry_after(after)
    }

    /// Adds the cloud's own error code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.0.code = Some(code.into());
        self
    }

    /// Adds the id under which the cloud logged the request.
    #[must_use]
    pub fn with_request_id(mut self, request_id: impl Into<String>) -> Self {
        self.0.request_id = Some(request_id.into());
        self
    }

    /// Says when to try again, where the kind alone would leave it to the caller.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What happened, in words.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The cloud's own error code, when it gave one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The id under which the cloud logged the request, to quote in support cases.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// When to try again.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match (self.0.retry_after, self.0.kind) {
            (Some(after), _) => Retry::After(after),
            (
                None,
                ErrorKind::NotFound
                | ErrorKind::AlreadyExists
                | ErrorKind::InvalidArgument
                | ErrorKind::OutOfRange
                | ErrorKind::Unauthorized
                | ErrorKind::Unsupported,
            ) => Retry::Never,
            (None, _) => Retry::Backoff,
        }
    }

    /// Whether trying again is of no use before something is changed.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.retry() == Retry::Never
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(request_id) = &self.0.request_id {
            write!(f, " (request id {request_id})")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderError")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("code", &self.0.code)
            .field("request_id", &self.0.request_id)
            .field("retry", &self.retry())
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for ProviderError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

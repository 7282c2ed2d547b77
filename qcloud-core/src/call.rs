//! A call: an operation on its way, with its options.

use std::fmt;
use std::future::IntoFuture;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::client::Client;
use crate::config::Language;
use crate::decode::{self, DecodeError};
use crate::dispatch::{Answered, Outgoing, dispatch};
use crate::page::{self, Items, Paginated};
use crate::{Error, ErrorKind, Operation, Region, Result, RetryPolicy, Sent};

/// What a call does differently from its configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallOptions {
    pub(crate) region: Option<Region>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) language: Option<Language>,
    pub(crate) headers: HeaderMap,
    /// A mistake in an option, told when the call is made.
    pub(crate) mistake: Option<String>,
}

/// An operation ready to be called. Await it for the answer, or take [`pages`](Self::pages) or [`items`](Self::items)
/// of a list. The `with_…` methods change this call only.
///
/// Dropping the future abandons the call; what was sent may still be executed.
#[must_use = "a call does nothing until it is awaited"]
pub struct Call<'c, Op> {
    client: &'c Client,
    operation: Op,
    options: Box<CallOptions>,
}

impl<'c, Op: Operation> Call<'c, Op> {
    pub(crate) fn new(client: &'c Client, operation: Op) -> Self {
        Self { client, operation, options: Box::default() }
    }

    /// Calls in this region in place of the configured one.
    pub fn with_region(mut self, region: impl Into<Region>) -> Self {
        self.options.region = Some(region.into());
        self
    }

    /// How long the whole call may take, with all its tries and waits.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// How this call is retried.
    pub fn with_retry(mut self, policy: RetryPolicy) -> Self {
        self.options.retry = Some(policy);
        self
    }

    /// The language of the API's messages.
    pub fn with_language(mut self, language: Language) -> Self {
        self.options.language = Some(language);
        self
    }

    /// Adds a header. The headers that the SDK sets itself (`Host`, `Content-Type`, `Authorization`, `X-TC-Action` and its
    /// like) stay as they are. A name or value that can't be a header, and one that frames the message, makes the call
    /// fail with [`ErrorKind::Config`].
    pub fn with_header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        const FRAMING: [HeaderName; 3] = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION];
        match (name.as_ref().parse::<HeaderName>(), value.as_ref().parse::<HeaderValue>()) {
            (Ok(name), _) if FRAMING.contains(&name) => {
                self.options.mistake = Some(format!("`{name}` is for the transport to set"));
            }
            (Ok(name), Ok(value)) => {
                self.options.headers.insert(name, value);
            }
            _ => self.options.mistake = Some(format!("`{}` can't be a header with that value", name.as_ref())),
        }
        self
    }

    /// The operation, to look at or change before the call.
    pub fn operation_mut(&mut self) -> &mut Op {
        &mut self.operation
    }
}

impl<'c, Op: Paginated + 'c> Call<'c, Op> {
    /// The list page by page, from where the request starts, each read when it is taken.
    ///
    /// Pages are as large as the API allows unless the request has a limit. The stream ends after the last page, or
    /// with the first error.
    pub fn pages(self) -> BoxStream<'c, Result<Op::Output>> {
        page::pages(self, 1)
    }

    /// The list item by item: a stream of `Result<Item>`.
    #[must_use]
    pub fn items(self) -> Items<'c, Op> {
        Items::new(self)
    }
}

impl<Op: Clone> Clone for Call<'_, Op> {
    fn clone(&self) -> Self {
        Self { client: self.client, operation: self.operation.clone(), options: self.options.clone() }
    }
}

impl<Op: Operation> fmt::Debug for Call<'_, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Parameters stay out: they may hold what no log should.
        f.debug_struct("Call")
            .field("action", &self.operation.action())
            .field("region", &self.options.region)
            .finish_non_exhaustive()
    }
}

impl<'c, Op> IntoFuture for Call<'c, Op>
where
    Op: Operation + 'c,
{
    type Output = Result<Op::Output>;
    type IntoFuture = BoxFuture<'c, Self::Output>;

    /// The one place that is compiled once per operation: serialise, hand over, decode.
    fn into_future(self) -> Self::IntoFuture {
        let Self { client, mut operation, options } = self;
        Box::pin(async move {
            let action = operation.action();
            if let Some(place) = operation.client_token() {
                crate::token::fill(place);
            }
            let body = serde_json::to_vec(&operation);
            drop(operation);
            let service = action.service.unwrap_or_else(|| client.service());
            let body = match body {
                Ok(body) => body.into(),
                Err(error) => {
                    let message = format!("the request can't be written as JSON: {error}");
                    return Err(Error::new(ErrorKind::Config, message).with_action(service.name, &action.name));
                }
            };
            let outgoing = Outgoing { service, action: action.name, effect: action.effect, body };
            let answer = dispatch(client.config(), outgoing, *options).await?;
            #[cfg(feature = "testing")]
            if client.config().0.strict_decoding {
                return decode_strictly(answer);
            }
            decode::decode(&answer.body).map_err(|error| undecodable(answer, error))
        })
    }
}

#[cfg(feature = "testing")]
fn decode_strictly<T: serde::de::DeserializeOwned>(answer: Answered) -> Result<T> {
    match decode::decode_strictly(&answer.body) {
        Ok((output, leniencies)) if leniencies.is_empty() => Ok(output),
        Ok((_, leniencies)) => {
            let list = leniencies.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            Err(answer.failure(format!("the answer differs from its definition: {list}")))
        }
        Err(error) => Err(undecodable(answer, error)),
    }
}

fn undecodable(answer: Answered, error: DecodeError) -> Error {
    let place = if error.path.is_empty() { "the answer".to_owned() } else { format!("`{}` in the answer", error.path) };
    answer.failure(format!("{place} can't be read: {}", error.source)).with_source(error.source)
}

impl Answered {
    fn failure(&self, message: String) -> Error {
        Error::new(ErrorKind::Decode, message)
            .with_action(self.service, &self.action)
            .with_request_id(decode::request_id(&self.body).unwrap_or_default())
            .with_attempts(self.attempts)
            .with_sent(Sent::Yes)
    }
}

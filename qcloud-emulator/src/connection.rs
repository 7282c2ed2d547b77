//! Connections: HTTP/1.1 on loopback, with the power to say nothing.
//!
//! A service that fails makes hyper close the connection without a word; that is how a fault cuts it.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::emulator::Emulator;
use crate::error::StartError;
use crate::exchange::{Outcome, half};

/// Bodies are read up to here, far beyond what the API takes, so that a client that sends too much can finish sending
/// and read what was wrong.
const READ_AT_MOST: usize = 64 * 1024 * 1024;
/// How long a listener waits that could not take a connection.
const BREATH: Duration = Duration::from_millis(50);

/// The body of an answer.
pub(crate) type Answer = UnsyncBoxBody<Bytes, Infallible>;

/// The reason for which hyper is to close a connection without an answer.
#[derive(Debug)]
pub(crate) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the fault plan cuts the connection")
    }
}

impl std::error::Error for Cut {}

/// Binds an address, which must be one of loopback.
pub(crate) async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    if !address.ip().is_loopback() {
        return Err(StartError::NotLoopback(address));
    }
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let local = listener.local_addr()?;
        Ok((listener, local))
    };
    bound.await.map_err(|source| StartError::Bind { address, source })
}

/// Accepts connections until told to stop, or until whoever could tell is gone; then waits for the answers under way.
pub(crate) async fn serve<F, A>(listener: TcpListener, stop: watch::Receiver<bool>, answer: F)
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = Result<Response<Answer>, Cut>> + Send + 'static,
{
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    let mut stopped = pin!(stopped(stop.clone()));
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                match accepted {
                    Ok((stream, _)) => drop(connections.spawn(connection(stream, stop.clone(), answer.clone()))),
                    // Out of descriptors, most likely: some may be free in a moment.
                    Err(_) => tokio::time::sleep(BREATH).await,
                }
            }
            Some(_) = connections.join_next() => {}
            () = &mut stopped => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Resolves when a server is told to stop, or gone.
async fn stopped(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn connection<F, A>(stream: TcpStream, stop: watch::Receiver<bool>, answer: F)
where
    F: Fn(Request<Incoming>) -> A,
    A: Future<Output = Result<Response<Answer>, Cut>>,
{
    // Without it, small answers wait for the acknowledgement of the answer before.
    let _ = stream.set_nodelay(true);
    let service = service_fn(answer);
    let mut serving =
        pin!(http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = stopped(stop) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

/// Answers a request of the API.
pub(crate) async fn api(
    emulator: &Emulator,
    request: Request<Incoming>,
    stop: watch::Receiver<bool>,
) -> Result<Response<Answer>, Cut> {
    let (parts, body) = request.into_parts();
    let outcome = match read(body).await {
        Ok(body) => emulator.outcome(&Request::from_parts(parts, body)).outcome,
        Err(problem) => {
            let message = format!("The body could not be read: {problem}. It may have at most 10 MiB.");
            Outcome::Answer(emulator.refuse("RequestSizeLimitExceeded", &message))
        }
    };
    match outcome {
        Outcome::Answer(response) => Ok(response.map(whole)),
        Outcome::BrokenOff(response) => Ok(broken_off(response)),
        Outcome::Cut => Err(Cut),
        // Hyper drops this when the client goes away.
        Outcome::Silence(until) => {
            let end = async {
                match until {
                    Some(until) => emulator.clock().reached(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = end => {}
                () = stopped(stop) => {}
            }
            Err(Cut)
        }
    }
}

/// Reads the body of a request.
pub(crate) async fn read(body: Incoming) -> Result<Bytes, String> {
    let body = Limited::new(body, READ_AT_MOST).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { "it is too large".to_owned() } else { error.to_string() }
    })?;
    Ok(body.to_bytes())
}

/// A body that is sent as it is.
pub(crate) fn whole(body: Bytes) -> Answer {
    Full::new(body).boxed_unsync()
}

fn broken_off(response: Response<Bytes>) -> Response<Answer> {
    let (mut parts, body) = response.into_parts();
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    Response::from_parts(parts, Unmeasured { bytes: Some(half(&body)), flushed: false }.boxed_unsync())
}

/// A body whose length hyper does not compare with the header.
struct Unmeasured {
    bytes: Option<Bytes>,
    flushed: bool,
}

impl Body for Unmeasured {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(bytes) = self.bytes.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if !self.flushed {
            // What was written goes out while the body is not ready; a body that ends at once takes it along.
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(None)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::new()
    }
}

//! A line in the log for each RPC: method, outcome and time. What was asked and answered is not in it, so no secret is.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tonic::codegen::http::{Request, Response};
use tonic::{Code, Status};
use tracing::{Instrument, debug, debug_span, info, warn};

/// Adds the log to the services of a server.
#[derive(Clone, Copy, Debug, Default)]
pub struct RpcLog;

/// Services with the log.
#[derive(Clone, Debug)]
pub struct Logged<S>(S);

impl<S> tower::Layer<S> for RpcLog {
    type Service = Logged<S>;

    fn layer(&self, services: S) -> Self::Service {
        Logged(services)
    }
}

impl<S, B, R> tower::Service<Request<B>> for Logged<S>
where
    S: tower::Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let path = request.uri().path();
        let method = path.rsplit('/').next().unwrap_or(path).to_owned();
        let span = debug_span!("rpc", method);
        let answer = self.0.call(request);
        let logged = async move {
            let started = Instant::now();
            let response = answer.await?;
            // A failed call has its status before all else; one that succeeds has it after the answer.
            note(&method, started, Status::from_header_map(response.headers()).as_ref());
            Ok(response)
        };
        Box::pin(logged.instrument(span))
    }
}

fn note(method: &str, started: Instant, status: Option<&Status>) {
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match status {
        None if only_looks(method) => debug!(method, ms, "done"),
        None => info!(method, ms, "done"),
        Some(status) if status.code() == Code::Ok => debug!(method, ms, "done"),
        Some(status) if status.code() == Code::Aborted => info!(method, ms, message = status.message(), "not done yet"),
        Some(status) => warn!(method, ms, code = ?status.code(), message = status.message(), "failed"),
    }
}

/// Whether a method is called all the time and changes nothing.
fn only_looks(method: &str) -> bool {
    method == "Probe" || ["Get", "List", "Validate"].iter().any(|verb| method.contains(verb))
}

//! How long the API server may keep silent. Without a limit, a request that is lost on the way, or an answer that stops in
//! the middle, holds up its controller for as long as the connection lasts.

use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::HttpBody;
use futures_util::future::{BoxFuture, FutureExt};
use http::{Request, Response, Uri};
use kube::client::Body;
use tower::{BoxError, Layer, Service};
use tower_http::timeout::TimeoutBody;

/// How long an answer may take to begin, and to go on. A watch begins at once, too.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a watch may be silent. The API server gives a sign of life every minute, and ends each watch after less.
const QUIET: Duration = Duration::from_secs(300);

/// Puts the limits on a way to the API server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience;

impl<S> Layer<S> for Patience {
    type Service = Patient<S>;

    fn layer(&self, inner: S) -> Patient<S> {
        Patient(inner)
    }
}

/// A way to the API server with the limits.
#[derive(Clone, Debug)]
pub struct Patient<S>(S);

impl<S, B> Service<Request<Body>> for Patient<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: HttpBody,
    B::Error: Into<BoxError>,
{
    type Response = Response<TimeoutBody<B>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let silence = if is_watch(request.uri()) { QUIET } else { PATIENCE };
        let answer = tokio::time::timeout(PATIENCE, self.0.call(request));
        let limited = async move {
            let answer = answer.await.map_err(|_| format!("no answer within {PATIENCE:?}"))?;
            Ok(answer.map_err(Into::into)?.map(|body| TimeoutBody::new(silence, body)))
        };
        limited.boxed()
    }
}

fn is_watch(uri: &Uri) -> bool {
    uri.query().is_some_and(|query| query.split('&').any(|part| part == "watch=true" || part == "watch=1"))
}

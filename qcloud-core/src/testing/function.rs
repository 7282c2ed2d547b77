//! A function as a transport.

use std::fmt;

use futures_util::future::BoxFuture;

use crate::transport::{HttpRequest, HttpResponse, Transport, TransportError};

/// A transport that asks a function for each answer: a stand-in for the API within the process, such as an emulator.
///
/// ```
/// use qcloud_core::testing::{ManualClock, config, from_fn};
/// use qcloud_core::transport::{HttpRequest, HttpResponse};
/// use qcloud_core::{Client, Raw, Service};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> qcloud_core::Result<()> {
/// let transport = from_fn(|request: HttpRequest| async move {
///     let action = request.headers()["x-tc-action"].to_str().unwrap_or_default();
///     Ok(HttpResponse::new(json!({ "Response": { "Action": action, "RequestId": "r-1" } }).to_string().into()))
/// });
/// let client = Client::new(&config(&transport, &ManualClock::auto()), Service::new("cvm", "2017-03-12"));
/// assert_eq!(client.call(Raw::new("DescribeZones", json!({}))).await?["Action"], "DescribeZones");
/// # Ok(()) }
/// ```
pub fn from_fn<F, A>(answer: F) -> FromFn<F>
where
    F: Fn(HttpRequest) -> A + Send + Sync,
    A: Future<Output = Result<HttpResponse, TransportError>> + Send + 'static,
{
    FromFn(answer)
}

/// The transport that [`from_fn`] makes.
#[derive(Clone)]
pub struct FromFn<F>(F);

impl<F, A> Transport for FromFn<F>
where
    F: Fn(HttpRequest) -> A + Send + Sync,
    A: Future<Output = Result<HttpResponse, TransportError>> + Send + 'static,
{
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        Box::pin((self.0)(request))
    }
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FromFn")
    }
}

//! The built-in transport: reqwest over rustls with ring.

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use rustls_platform_verifier::BuilderVerifierExt;

use super::{HttpRequest, HttpResponse, Transport, TransportError, TransportErrorKind};
use crate::endpoint::is_loopback;
use crate::{Error, ErrorKind, Result};

/// The API closes idle connections after some 30 s; ours go first, so that a request does not meet a closing one.
const IDLE: Duration = Duration::from_secs(20);
const MAX_RESPONSE_SIZE: usize = 64 * 1024 * 1024;
/// The server inside each CVM instance's own network: plain http, and never to be asked through a proxy, which would see
/// the credentials of the instance, or give those of its own.
const METADATA_SERVER: &str = "metadata.tencentyun.com";

/// Which proxy the built-in transport goes through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proxy {
    /// `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` of the process, in capitals or small letters. What is on
    /// this very machine, such as an emulator, is reached without: those variables mean the way out of it.
    #[default]
    Environment,
    /// None, whatever the environment says.
    Direct,
    /// This one for everything: `http://user:password@proxy.example.com:3128`.
    Url(crate::Secret),
}

/// Carries requests over pooled connections with HTTP/1.1 and TLS. Certificates are checked against those that the
/// operating system trusts. Redirects are not followed. The metadata server of CVM instances is asked without a proxy,
/// whatever is set. Cheap to clone.
#[derive(Clone)]
pub struct ReqwestTransport(Arc<Inner>);

struct Inner {
    client: reqwest::Client,
    /// For what no proxy is to see, made when it is first needed.
    direct: OnceLock<reqwest::Client>,
    settings: ReqwestTransportBuilder,
    tls: rustls::ClientConfig,
}

/// Builds a [`ReqwestTransport`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ReqwestTransportBuilder {
    connect_timeout: Duration,
    max_response_size: usize,
    proxy: Proxy,
}

impl ReqwestTransport {
    /// A transport with other settings than the usual ones.
    pub fn builder() -> ReqwestTransportBuilder {
        ReqwestTransportBuilder {
            connect_timeout: Duration::from_secs(3),
            max_response_size: MAX_RESPONSE_SIZE,
            proxy: Proxy::default(),
        }
    }
}

impl ReqwestTransportBuilder {
    /// How long making a connection may take, TLS included. 3 s by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The largest body that is read, in bytes. 64 MiB by default.
    pub fn max_response_size(mut self, bytes: usize) -> Self {
        self.max_response_size = bytes;
        self
    }

    /// Which proxy to go through.
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = proxy;
        self
    }

    /// Builds the transport.
    ///
    /// # Errors
    /// When the proxy is not a URL, or TLS can't be set up.
    pub fn build(self) -> Result<ReqwestTransport> {
        let tls = tls()?;
        let client = self.client(&self.proxy, tls.clone())?;
        Ok(ReqwestTransport(Arc::new(Inner { client, direct: OnceLock::new(), settings: self, tls })))
    }

    fn client(&self, proxy: &Proxy, tls: rustls::ClientConfig) -> Result<reqwest::Client> {
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(self.connect_timeout)
            .pool_idle_timeout(IDLE)
            .tcp_nodelay(true)
            .http1_only();
        builder = match proxy {
            Proxy::Environment => builder,
            Proxy::Direct => builder.no_proxy(),
            Proxy::Url(url) => {
                // The cause is not kept: it may quote the URL, and with it the proxy's password.
                let proxy = reqwest::Proxy::all(url.expose()).map_err(|_| {
                    Error::new(
                        ErrorKind::Config,
                        "the proxy is not a URL; give one like `http://proxy.example.com:3128`",
                    )
                })?;
                builder.proxy(proxy)
            }
        };
        builder.build().map_err(|error| {
            Error::new(ErrorKind::Config, format!("the HTTP client can't be set up: {}", causes(&error)))
                .with_source(error)
        })
    }
}

/// TLS with an explicit crypto provider: the process-wide default, which panics when there are two, is left alone.
fn tls() -> Result<rustls::ClientConfig> {
    let failed = |error: rustls::Error| {
        Error::new(ErrorKind::Config, format!("TLS can't be set up: {error}")).with_source(error)
    };
    let versions = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    match versions.clone().with_platform_verifier() {
        Ok(verified) => Ok(verified.with_no_client_auth()),
        Err(error) => {
            // A bare container has no certificates, and may only ever talk to loopback. Whoever does use https then
            // gets a certificate error.
            tracing::warn!(%error, "no trusted certificates found on this machine; https will fail until some are installed");
            Ok(versions.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
        }
    }
}

impl Transport for ReqwestTransport {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            let client = self.client_for(request.uri())?;
            let request = reqwest::Request::try_from(request)
                .map_err(|error| TransportError::new(TransportErrorKind::Request, error.without_url()))?;
            let response = client.execute(request).await.map_err(failure)?;
            self.read(response).await
        })
    }
}

impl ReqwestTransport {
    fn client_for(&self, uri: &http::Uri) -> Result<&reqwest::Client, TransportError> {
        let inner = &*self.0;
        let is_near = |host: &str| {
            host.eq_ignore_ascii_case(METADATA_SERVER)
                || (inner.settings.proxy == Proxy::Environment && is_loopback(host))
        };
        if !uri.host().is_some_and(is_near) {
            return Ok(&inner.client);
        }
        if let Some(direct) = inner.direct.get() {
            return Ok(direct);
        }
        let client = inner
            .settings
            .client(&Proxy::Direct, inner.tls.clone())
            .map_err(|error| TransportError::new(TransportErrorKind::Request, error))?;
        Ok(inner.direct.get_or_init(|| client))
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<HttpResponse, TransportError> {
        let max = self.0.settings.max_response_size;
        let too_large = || TransportError::new(TransportErrorKind::TooLarge, format!("more than {max} bytes"));
        let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
        if announced.is_some_and(|length| length > max) {
            return Err(too_large());
        }
        // The whole of a small answer mostly comes in one piece, which then needs no copy.
        let mut body = Bytes::new();
        let mut more: Option<BytesMut> = None;
        while let Some(chunk) = response.chunk().await.map_err(failure)? {
            let length = more.as_ref().map_or(body.len(), BytesMut::len) + chunk.len();
            if length > max {
                return Err(too_large());
            }
            match &mut more {
                Some(buffer) => buffer.extend_from_slice(&chunk),
                None if body.is_empty() => body = chunk,
                None => {
                    let mut buffer = BytesMut::with_capacity(announced.unwrap_or(length * 2).max(length));
                    buffer.extend_from_slice(&body);
                    buffer.extend_from_slice(&chunk);
                    more = Some(buffer);
                }
            }
        }
        let mut answer = HttpResponse::new(more.map_or(body, BytesMut::freeze));
        *answer.status_mut() = response.status();
        std::mem::swap(answer.headers_mut(), response.headers_mut());
        Ok(answer)
    }
}

/// What the client itself would show includes the proxy's URL, and with it a password.
impl fmt::Debug for ReqwestTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.settings.fmt(f)
    }
}

fn causes(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

/// What a failed exchange means for a retry: only a failure to connect certainly sent nothing.
fn failure(error: reqwest::Error) -> TransportError {
    let kind = if error.is_connect() {
        TransportErrorKind::Connect
    } else if error.is_timeout() {
        TransportErrorKind::Timeout
    } else if error.is_builder() {
        TransportErrorKind::Request
    } else {
        TransportErrorKind::Interrupted
    };
    TransportError::new(kind, error)
}

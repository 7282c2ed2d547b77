//! Configuration: what all clients of a program share.

use std::fmt;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::credential::{
    CredentialCache, CredentialChain, CredentialProvider, Credentials, ProviderContext, StaticCredentials,
};
use crate::environment::{Environment, ProcessEnvironment};
use crate::interceptor::Interceptor;
use crate::limit::RateLimits;
use crate::retry::RetryBucket;
use crate::signing::Signer;
use crate::transport::Transport;
use crate::{Endpoint, Error, ErrorKind, Region, Result, RetryPolicy};

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// Making a connection. 3 s by default. Only the built-in transport heeds it.
    pub connect: Duration,
    /// One try, from connecting to the last byte of the answer. 30 s by default.
    pub attempt: Duration,
    /// A whole call with all its tries and waits. 60 s by default.
    pub operation: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(3), attempt: Duration::from_secs(30), operation: Duration::from_secs(60) }
    }
}

/// The language of the API's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Language {
    /// English. The default of this SDK.
    #[default]
    English,
    /// Chinese, the API's own default.
    Chinese,
}

impl Language {
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::English => "en-US",
            Self::Chinese => "zh-CN",
        }
    }
}

/// What all clients share: region, credentials, connections, retries and limits. Cheap to clone.
///
/// ```no_run
/// # async fn example() -> qcloud_core::Result<()> {
/// use qcloud_core::Config;
///
/// // From the environment: variables, profile files, TKE identity, CVM role.
/// let config = Config::load().await?;
///
/// // Or piece by piece.
/// let config = Config::builder().region("ap-guangzhou").static_credentials("AKID…", "…").build()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Config(pub(crate) Arc<Shared>, Option<Region>);

pub(crate) struct Shared {
    pub(crate) region: Option<Region>,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) credentials: CredentialCache,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timeouts: Timeouts,
    pub(crate) retry: RetryPolicy,
    pub(crate) retry_bucket: RetryBucket,
    pub(crate) limits: Option<RateLimits>,
    pub(crate) interceptors: Vec<Arc<dyn Interceptor>>,
    pub(crate) language: Language,
    pub(crate) user_agent: String,
    pub(crate) signer: Signer,
    /// How far the API's clock is ahead of ours, in seconds.
    pub(crate) clock_skew: AtomicI64,
    pub(crate) random: Mutex<fastrand::Rng>,
    #[cfg(feature = "testing")]
    pub(crate) strict_decoding: bool,
}

impl Config {
    /// Reads the configuration from the environment of the process.
    ///
    /// | what | where, the first that is set |
    /// |---|---|
    /// | region | `TENCENTCLOUD_REGION`, the profile's region, `TKE_REGION` |
    /// | credentials | `TENCENTCLOUD_SECRET_ID` and `TENCENTCLOUD_SECRET_KEY` (and `TENCENTCLOUD_TOKEN`), the profile files, the identity of a TKE pod, the role of a CVM instance |
    /// | endpoint | `TENCENTCLOUD_ENDPOINT` (a URL, a domain, or a word such as `internal`), the public hosts |
    /// | proxies, but not to loopback | `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY` |
    ///
    /// Credentials are looked up at the first call that needs them, and again before they end.
    ///
    /// # Errors
    /// When a variable or file that is there makes no sense.
    #[cfg(feature = "reqwest")]
    pub async fn load() -> Result<Self> {
        Self::builder().load().await
    }

    /// Starts a configuration from nothing.
    pub fn builder() -> ConfigBuilder {
        ConfigBuilder::default()
    }

    /// The region of calls that do not name their own.
    #[must_use]
    pub fn region(&self) -> Option<&Region> {
        self.1.as_ref().or(self.0.region.as_ref())
    }

    /// The same configuration, with the same credentials and limits, for calls in another region.
    #[must_use]
    pub fn in_region(&self, region: impl Into<Region>) -> Self {
        Self(Arc::clone(&self.0), Some(region.into()))
    }

    /// The clock that all waiting goes by.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// The credentials in use, looked up and refreshed as for a call.
    ///
    /// # Errors
    /// When no credentials can be had.
    pub async fn credentials(&self) -> Result<Credentials> {
        Ok(self.0.credentials.get().await?.credentials().clone())
    }

    /// A random number below `ceiling`, for jitter.
    pub(crate) fn jitter(&self, ceiling: Duration) -> Duration {
        let mut random = self.0.random.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        ceiling.mul_f64(random.f64())
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("region", &self.region())
            .field("endpoints", &self.0.endpoints)
            .field("timeouts", &self.0.timeouts)
            .field("retry", &self.0.retry)
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}

/// Builds a [`Config`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ConfigBuilder {
    region: Option<Region>,
    endpoints: Vec<Endpoint>,
    provider: Option<Arc<dyn CredentialProvider>>,
    profile: Option<String>,
    transport: Option<Arc<dyn Transport>>,
    clock: Option<Arc<dyn Clock>>,
    environment: Option<Arc<dyn Environment>>,
    timeouts: Timeouts,
    retry: RetryPolicy,
    limits: Option<RateLimits>,
    interceptors: Vec<Arc<dyn Interceptor>>,
    language: Language,
    application: Option<String>,
    jitter_seed: Option<u64>,
    #[cfg(feature = "reqwest")]
    proxy: crate::transport::Proxy,
    #[cfg(feature = "reqwest")]
    max_response_size: Option<usize>,
    #[cfg(feature = "testing")]
    strict_decoding: bool,
}

impl ConfigBuilder {
    /// The region of calls that do not name their own.
    pub fn region(mut self, region: impl Into<Region>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Where requests go; [`Endpoint::public`] by default.
    pub fn endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoints = vec![endpoint];
        self
    }

    /// Where a retry goes when the endpoint before gave no answer, in this order. Failing over is bound by the same
    /// rules as any retry: what may have been executed is repeated only if that is safe.
    pub fn fallback_endpoints(mut self, endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        if self.endpoints.is_empty() {
            self.endpoints.push(Endpoint::default());
        }
        self.endpoints.truncate(1);
        self.endpoints.extend(endpoints);
        self
    }

    /// A key pair that does not change.
    pub fn static_credentials(self, secret_id: impl Into<String>, secret_key: impl Into<crate::Secret>) -> Self {
        self.credentials(StaticCredentials::from(Credentials::new(secret_id, secret_key)))
    }

    /// Where credentials come from; the [default chain](CredentialChain::default_chain) when not set.
    pub fn credentials(mut self, provider: impl CredentialProvider + 'static) -> Self {
        self.provider = Some(Arc::new(provider));
        self
    }

    /// The profile that the default chain and [`load`](Self::load) read, in place of `TENCENTCLOUD_PROFILE` or `default`.
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        self.profile = Some(name.into());
        self
    }

    /// What carries the requests, in place of the built-in transport. The proxy, connect timeout and size limit of this
    /// builder do not apply to it.
    pub fn transport(mut self, transport: impl Transport + 'static) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Where the time comes from.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Where variables and files are read from.
    pub fn environment(mut self, environment: impl Environment + 'static) -> Self {
        self.environment = Some(Arc::new(environment));
        self
    }

    /// How long making a connection may take.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.connect = timeout;
        self
    }

    /// How long one try may take.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.attempt = timeout;
        self
    }

    /// How long a whole call may take, with all its tries and waits.
    pub fn operation_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.operation = timeout;
        self
    }

    /// How calls are retried.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Waits before calls so as not to exceed these rates. Off by default.
    pub fn rate_limits(mut self, limits: RateLimits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Adds code that runs around each attempt.
    pub fn interceptor(mut self, interceptor: impl Interceptor + 'static) -> Self {
        self.interceptors.push(Arc::new(interceptor));
        self
    }

    /// The language of the API's messages; English by default.
    pub fn language(mut self, language: Language) -> Self {
        self.language = language;
        self
    }

    /// Name and version of the program, for the `User-Agent` header: `inventory/1.2`.
    pub fn application(mut self, name: impl Into<String>) -> Self {
        self.application = Some(name.into());
        self
    }

    /// Makes the waits between attempts repeatable.
    pub fn jitter_seed(mut self, seed: u64) -> Self {
        self.jitter_seed = Some(seed);
        self
    }

    /// The proxy of the built-in transport; from the environment by default.
    #[cfg(feature = "reqwest")]
    pub fn proxy(mut self, proxy: crate::transport::Proxy) -> Self {
        self.proxy = proxy;
        self
    }

    /// The largest answer that the built-in transport reads, in bytes; 64 MiB by default.
    #[cfg(feature = "reqwest")]
    pub fn max_response_size(mut self, bytes: usize) -> Self {
        self.max_response_size = Some(bytes);
        self
    }

    /// Makes a call fail with [`ErrorKind::Decode`] when its answer could be decoded only leniently, to find out where
    /// a stand-in for the API differs from its definition.
    #[cfg(feature = "testing")]
    pub fn strict_decoding(mut self, strict: bool) -> Self {
        self.strict_decoding = strict;
        self
    }

    /// Fills in what is not set from the environment, as [`Config::load`] does, and builds.
    ///
    /// # Errors
    /// When a variable or file that is there makes no sense, or the transport can't be made.
    pub async fn load(mut self) -> Result<Config> {
        let environment = self.environment.clone().unwrap_or_else(|| Arc::new(ProcessEnvironment));
        let set =
            |name: &str| environment.var(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        if self.region.is_none() {
            let region = match set("TENCENTCLOUD_REGION") {
                Some(region) => Some(region),
                None => crate::credential::profile_region(&*environment, self.profile.as_deref())?
                    .or_else(|| set("TKE_REGION")),
            };
            self.region = region.map(Region::from);
        }
        if let Some(text) = set("TENCENTCLOUD_ENDPOINT").filter(|_| self.endpoints.is_empty()) {
            let endpoint = text.parse::<Endpoint>().map_err(|error| {
                Error::new(ErrorKind::Config, format!("TENCENTCLOUD_ENDPOINT: {}", error.message())).with_source(error)
            })?;
            self.endpoints.push(endpoint);
        }
        self.build()
    }

    /// Builds the configuration. Nothing is looked up or sent yet.
    ///
    /// # Errors
    /// When a part makes no sense, or the transport can't be made.
    pub fn build(mut self) -> Result<Config> {
        if let Some(region) = &self.region {
            if !region.is_well_formed() {
                return Err(Error::new(
                    ErrorKind::Config,
                    format!("`{region}` can't be a region; regions look like `ap-guangzhou`"),
                ));
            }
            if !region.is_known() {
                tracing::warn!(%region, "unknown region; if calls fail to connect or say UnsupportedRegion, check its name");
            }
        }
        for (name, timeout) in [
            ("connect", self.timeouts.connect),
            ("attempt", self.timeouts.attempt),
            ("operation", self.timeouts.operation),
        ] {
            if timeout.is_zero() {
                return Err(Error::new(
                    ErrorKind::Config,
                    format!("the {name} timeout is zero, so every call would fail"),
                ));
            }
        }
        let application = self.application.take().unwrap_or_default();
        if !application.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            return Err(Error::new(
                ErrorKind::Config,
                "the application's name must be printable ASCII, like `inventory/1.2`",
            ));
        }
        if self.endpoints.is_empty() {
            self.endpoints.push(Endpoint::default());
        }
        let transport = match self.transport.take() {
            Some(transport) => transport,
            None => self.default_transport()?,
        };
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let provider = self.provider.unwrap_or_else(|| {
            let context = ProviderContext {
                clock: Arc::clone(&clock),
                environment: self.environment.unwrap_or_else(|| Arc::new(ProcessEnvironment)),
                transport: Arc::clone(&transport),
                sts: self.endpoints.first().map(Endpoint::for_sts).unwrap_or_default(),
            };
            Arc::new(CredentialChain::default_chain_with_profile(&context, self.profile.as_deref()))
        });
        let sdk = concat!("qcloud-rust/", env!("CARGO_PKG_VERSION"));
        Ok(Config(
            Arc::new(Shared {
                region: self.region,
                endpoints: self.endpoints,
                credentials: CredentialCache::new(provider, Arc::clone(&clock)),
                transport,
                clock,
                timeouts: self.timeouts,
                retry: self.retry,
                retry_bucket: RetryBucket::default(),
                limits: self.limits,
                interceptors: self.interceptors,
                language: self.language,
                user_agent: if application.is_empty() { sdk.to_owned() } else { format!("{sdk} {application}") },
                signer: Signer::new(),
                clock_skew: AtomicI64::new(0),
                random: Mutex::new(self.jitter_seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed)),
                #[cfg(feature = "testing")]
                strict_decoding: self.strict_decoding,
            }),
            None,
        ))
    }

    #[cfg(feature = "reqwest")]
    fn default_transport(&self) -> Result<Arc<dyn Transport>> {
        let mut builder = crate::transport::ReqwestTransport::builder()
            .connect_timeout(self.timeouts.connect)
            .proxy(self.proxy.clone());
        if let Some(bytes) = self.max_response_size {
            builder = builder.max_response_size(bytes);
        }
        Ok(Arc::new(builder.build()?))
    }

    #[cfg(not(feature = "reqwest"))]
    fn default_transport(&self) -> Result<Arc<dyn Transport>> {
        Err(Error::new(
            ErrorKind::Config,
            "no transport: turn on the feature `reqwest` of qcloud-core, or give one with ConfigBuilder::transport",
        ))
    }
}

//! Credentials: what they are, and where they come from.
//!
//! | source | type | set up by |
//! |---|---|---|
//! | the program | [`StaticCredentials`] | a key pair in hand |
//! | environment | [`EnvironmentCredentials`] | `TENCENTCLOUD_SECRET_ID`, `TENCENTCLOUD_SECRET_KEY`, `TENCENTCLOUD_TOKEN` |
//! | profile file | [`ProfileCredentials`] | `~/.tencentcloud/credentials`, or `tccli configure` |
//! | TKE OIDC | [`TkeOidcCredentials`] | a service account of a TKE cluster that is tied to a CAM role |
//! | CVM role | [`CvmRoleCredentials`] | a CAM role bound to the instance |
//! | assumed role | [`AssumeRoleCredentials`] | other credentials and the role's ARN |
//!
//! [`CredentialChain`] asks several in turn, and [`CredentialCache`] keeps what they give until shortly before its end.

mod assume_role;
mod cache;
mod chain;
mod cvm_role;
mod env;
mod ini;
mod profile;
mod static_keys;
mod sts;
mod tccli;
#[cfg(test)]
mod tests;
mod tke_oidc;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;

use crate::clock::{Clock, SystemClock};
use crate::environment::{Environment, ProcessEnvironment};
use crate::transport::Transport;
use crate::{Endpoint, Error, ErrorKind, Secret};

pub use self::assume_role::AssumeRoleCredentials;
pub use self::cache::{CachedCredentials, CredentialCache};
pub use self::chain::CredentialChain;
pub use self::cvm_role::CvmRoleCredentials;
pub use self::env::EnvironmentCredentials;
pub use self::profile::{ProfileCredentials, profile_region};
pub use self::static_keys::StaticCredentials;
pub use self::tke_oidc::TkeOidcCredentials;

/// A key pair that signs requests, with a session token and an end if they are temporary.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    secret_id: String,
    secret_key: Secret,
    token: Option<Secret>,
    expires_at: Option<SystemTime>,
}

impl Credentials {
    /// A permanent key pair.
    pub fn new(secret_id: impl Into<String>, secret_key: impl Into<Secret>) -> Self {
        Self { secret_id: secret_id.into(), secret_key: secret_key.into(), token: None, expires_at: None }
    }

    /// Adds the session token of a temporary key pair.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<Secret>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Says until when the key pair is valid.
    #[must_use]
    pub fn with_expiry(mut self, at: SystemTime) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// The public half of the pair.
    #[must_use]
    pub fn secret_id(&self) -> &str {
        &self.secret_id
    }

    /// The secret half of the pair.
    #[must_use]
    pub fn secret_key(&self) -> &Secret {
        &self.secret_key
    }

    /// The session token, when the pair is temporary.
    #[must_use]
    pub fn token(&self) -> Option<&Secret> {
        self.token.as_ref()
    }

    /// The moment after which the pair is refused; `None` for a permanent pair.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("secret_id", &self.secret_id)
            .field("secret_key", &self.secret_key)
            .field("token", &self.token)
            .field("expires_at", &self.expires_at)
            .finish()
    }
}

/// A source of credentials.
pub trait CredentialProvider: fmt::Debug + Send + Sync {
    /// What the source is, for messages: "environment", "profile file", "CVM role".
    fn name(&self) -> &'static str;

    /// Looks up credentials afresh. `Ok(None)` means that this source is not set up here, so that a chain goes on to
    /// the next one; an error means that it is set up and does not work, which ends a chain.
    fn load(&self) -> BoxFuture<'_, Result<Option<Credentials>, Error>>;

    /// What to do to set this source up, for the message of a chain that found nothing. Completes "To set it up: …".
    fn hint(&self) -> Option<&'static str> {
        None
    }
}

/// The side effects that providers need: time, variables and files, HTTP.
///
/// ```
/// # fn example() -> qcloud_core::Result<()> {
/// # #[cfg(feature = "reqwest")] {
/// use qcloud_core::Config;
/// use qcloud_core::credential::{AssumeRoleCredentials, CredentialChain, ProviderContext};
/// use qcloud_core::transport::ReqwestTransport;
///
/// let context = ProviderContext::new(ReqwestTransport::builder().build()?);
/// let base = CredentialChain::default_chain(&context);
/// let role = AssumeRoleCredentials::new(context, base, "qcs::cam::uin/100000000001:roleName/deploy");
/// let config = Config::builder().region("ap-guangzhou").credentials(role).build()?;
/// # }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ProviderContext {
    /// The time of day, and waiting.
    pub clock: Arc<dyn Clock>,
    /// Variables and files.
    pub environment: Arc<dyn Environment>,
    /// HTTP to the metadata server and STS.
    pub transport: Arc<dyn Transport>,
    /// Where STS is asked, unless a provider is told otherwise.
    pub sts: Endpoint,
}

impl ProviderContext {
    /// The machine's clock, the environment of this process, the public STS, and HTTP through `transport`.
    #[must_use]
    pub fn new(transport: impl Transport + 'static) -> Self {
        Self {
            clock: Arc::new(SystemClock),
            environment: Arc::new(ProcessEnvironment),
            transport: Arc::new(transport),
            sts: Endpoint::public(),
        }
    }
}

/// An error in getting credentials. The message says what to do, and holds no value that could be a secret.
fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Credentials, message.into())
}

/// Refuses a key or token that can't be right: empty, or with blanks, line ends or other characters that no key has.
/// `what` says where it came from.
fn check(what: &str, value: &str) -> Result<(), Error> {
    if value.is_empty() {
        return Err(refused(format!("{what} is empty")));
    }
    if value.trim() != value {
        return Err(refused(format!("{what} has blanks or line ends around it: remove them")));
    }
    if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(refused(format!("{what} has blanks or other characters inside that no key has")));
    }
    Ok(())
}

/// A date in seconds since 1970, as the API writes them.
fn epoch(seconds: i64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

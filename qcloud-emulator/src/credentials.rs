//! The keys that the emulator accepts.

use std::fmt;
use std::time::SystemTime;

use crate::clock::Time;

/// A key pair that the emulator accepts, with a token when it is a temporary one.
#[derive(Clone)]
pub struct Credential {
    pub(crate) secret_id: String,
    pub(crate) secret_key: String,
    pub(crate) token: Option<String>,
    pub(crate) expires: Option<Time>,
}

impl Credential {
    /// A lasting key pair. Requests that it signs carry no token.
    pub fn new(secret_id: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self { secret_id: secret_id.into(), secret_key: secret_key.into(), token: None, expires: None }
    }

    /// Makes it a temporary one: requests must carry this token in `X-TC-Token`.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Accepted until this moment of the emulator's clock; `AuthFailure.TokenFailure` afterwards.
    #[must_use]
    pub fn expiring_at(mut self, at: SystemTime) -> Self {
        self.expires = Some(Time::from_system(at));
        self
    }

    /// The pair that the emulator makes up when it is given none: of the usual form, and the same under the same seed.
    pub(crate) fn generated(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed ^ 0x7163_6c6f_7564);
        let mut word = |length: usize| -> String { (0..length).map(|_| random.alphanumeric()).collect() };
        Self::new(format!("AKID{}", word(32)), word(32))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("secret_id", &self.secret_id).finish_non_exhaustive()
    }
}

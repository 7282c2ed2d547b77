//! Client tokens: a request that is sent again does nothing again.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call::Call;
use crate::clock::Time;
use crate::error::ApiError;

/// How long a token is good for.
const LIFE: Duration = Duration::from_secs(24 * 3600);
/// How long a token is known to have been used.
const MEMORY: Duration = Duration::from_secs(7 * 24 * 3600);

/// How one service refuses tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    /// A token that is too long, or not ASCII.
    pub(crate) malformed: &'static str,
    /// A token that was used for a request with other parameters.
    pub(crate) mismatch: &'static str,
}

/// What requests with client tokens were answered with, by action and token.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ClientTokens {
    used: BTreeMap<String, Used>,
}

/// What a request with a token led to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Used {
    parameters: Value,
    pub(crate) answer: Value,
    pub(crate) request_id: String,
    at: Time,
}

impl Used {
    pub(crate) fn has_expired(&self, now: Time) -> bool {
        self.at.after(LIFE) <= now
    }

    fn check(&self, call: &Call, token: &str, dialect: Dialect) -> Result<(), ApiError> {
        if self.parameters == call.parameters {
            return Ok(());
        }
        let message = format!("`ClientToken`: `{token}` was used for a request with other parameters.");
        Err(ApiError::new(dialect.mismatch, message))
    }
}

impl ClientTokens {
    /// The request that this one repeats, if it does.
    pub(crate) fn repeated(
        &self,
        call: &Call,
        token: Option<&str>,
        now: Time,
        dialect: Dialect,
    ) -> Result<Option<&Used>, ApiError> {
        let used = self.used(call, token, dialect)?.filter(|used| !used.has_expired(now));
        if let (Some(used), Some(token)) = (used, token) {
            used.check(call, token, dialect)?;
        }
        Ok(used)
    }

    /// The same, of an API that refuses tokens that have expired, or whose task failed, instead of beginning anew.
    pub(crate) fn repeated_unless(
        &self,
        call: &Call,
        token: Option<&str>,
        dialect: Dialect,
        spent: impl FnOnce(&Used) -> Option<ApiError>,
    ) -> Result<Option<&Used>, ApiError> {
        let used = self.used(call, token, dialect)?;
        if let (Some(used), Some(token)) = (used, token) {
            if let Some(error) = spent(used) {
                return Err(error);
            }
            used.check(call, token, dialect)?;
        }
        Ok(used)
    }

    fn used(&self, call: &Call, token: Option<&str>, dialect: Dialect) -> Result<Option<&Used>, ApiError> {
        let Some(token) = given(token) else { return Ok(None) };
        if token.len() > 64 || !token.is_ascii() {
            return Err(ApiError::new(dialect.malformed, "`ClientToken` has at most 64 ASCII characters."));
        }
        Ok(self.used.get(&key(call, token)))
    }

    /// Keeps what a request was answered with, when it has a token.
    pub(crate) fn keep(&mut self, call: &Call, token: Option<&str>, answer: &Value, now: Time) {
        let Some(token) = given(token) else { return };
        self.used.retain(|_, used| used.at.after(MEMORY) > now);
        let (parameters, request_id) = (call.parameters.clone(), call.request_id.clone());
        self.used.insert(key(call, token), Used { parameters, answer: answer.clone(), request_id, at: now });
    }
}

/// An empty token is none.
fn given(token: Option<&str>) -> Option<&str> {
    token.filter(|token| !token.is_empty())
}

fn key(call: &Call, token: &str) -> String {
    format!("{} {token}", call.action)
}

//! Retries: what is tried again, when, and how often.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use crate::{Effect, Error, ErrorKind, Sent};

/// How calls are retried.
///
/// | failure | retried |
/// |---|---|
/// | not sent: no connection | any action |
/// | maybe sent: timeout, connection broken, answer cut short | reads and token-bearing actions |
/// | `RequestLimitExceeded`, with details of a rate: refused before execution | any action |
/// | `InternalError*`, a gateway's 5xx | reads and token-bearing actions |
/// | the clock is off, or a temporary key has ended | any action, once, after putting it right |
/// | busy resource (`MutexOperation*`, `ResourceInOperating`, …) | only with [`retry_busy`](Self::retry_busy) |
/// | quota, sold out, not found, bad parameters, permissions | never |
///
/// Between attempts a random time passes, at most `base_delay` doubled for every attempt so far and at most
/// `max_delay`. No attempt starts that the call's timeout would cut off. All retries of a configuration share a bucket
/// of tokens, so that a failing API is not flooded: each retry takes some, each success gives some back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How often a request is tried in all; 1 means no retries. 3 by default.
    pub max_attempts: u32,
    /// The longest wait before the first retry. 200 ms by default.
    pub base_delay: Duration,
    /// The longest wait before any retry. 10 s by default.
    pub max_delay: Duration,
    /// Whether to retry while another operation on the same resource runs. Off by default.
    pub retry_busy: bool,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            base_delay: Duration::from_millis(200),
            max_delay: Duration::from_secs(10),
            retry_busy: false,
        }
    }
}

impl RetryPolicy {
    /// No retries at all.
    #[must_use]
    pub fn none() -> Self {
        Self { max_attempts: 1, ..Self::default() }
    }

    /// How often a request is tried in all.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// The longest wait before the first retry, and before any.
    #[must_use]
    pub fn delays(mut self, base: Duration, max: Duration) -> Self {
        self.base_delay = base;
        self.max_delay = max;
        self
    }

    /// Also retries while another operation on the same resource runs.
    #[must_use]
    pub fn retry_busy(mut self, retry: bool) -> Self {
        self.retry_busy = retry;
        self
    }

    /// Whether an action of this effect may be tried again after this failure.
    #[must_use]
    pub fn allows(&self, effect: Effect, error: &Error) -> bool {
        let repeatable = matches!(effect, Effect::Read | Effect::Token);
        match error.kind() {
            ErrorKind::Connect => true,
            ErrorKind::Timeout | ErrorKind::Transport => match error.was_sent() {
                Sent::No => true,
                Sent::Maybe => repeatable,
                Sent::Yes => false,
            },
            ErrorKind::Http => repeatable && error.is_retryable(),
            ErrorKind::Service if error.is_throttled() => true,
            ErrorKind::Service if error.is_busy() => self.retry_busy,
            ErrorKind::Service => repeatable && error.is_retryable() && error.is_ambiguous(),
            _ => false,
        }
    }

    /// The longest wait before retry number `retry` (from 0).
    pub(crate) fn ceiling(&self, retry: u32) -> Duration {
        self.base_delay.saturating_mul(1_u32.checked_shl(retry.min(20)).unwrap_or(u32::MAX)).min(self.max_delay)
    }
}

const BUCKET_SIZE: u32 = 500;
const THROTTLE_COST: u32 = 5;
const OTHER_COST: u32 = 14;

/// The tokens that all retries of a configuration share.
#[derive(Debug)]
pub(crate) struct RetryBucket {
    tokens: Mutex<u32>,
}

impl Default for RetryBucket {
    fn default() -> Self {
        Self { tokens: Mutex::new(BUCKET_SIZE) }
    }
}

impl RetryBucket {
    /// Takes the tokens of one retry and says how many; `None` when there are not enough.
    pub(crate) fn take(&self, error: &Error) -> Option<u32> {
        let cost = if error.is_throttled() { THROTTLE_COST } else { OTHER_COST };
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        *tokens = tokens.checked_sub(cost)?;
        Some(cost)
    }

    /// Gives back after a success: what its last retry took, or one token when it needed none.
    pub(crate) fn give(&self, taken: Option<u32>) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        *tokens = tokens.saturating_add(taken.unwrap_or(1)).min(BUCKET_SIZE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(code: &str) -> Error {
        Error::service("cvm:X", code, "", "r")
    }

    fn kind(kind: ErrorKind, sent: Sent) -> Error {
        Error::new(kind, "x").with_sent(sent)
    }

    #[test]
    fn the_table_holds() {
        let policy = RetryPolicy::default();
        let all = [Effect::Read, Effect::Token, Effect::Write];
        let allowed = |error: &Error| all.map(|effect| policy.allows(effect, error));
        assert_eq!(allowed(&kind(ErrorKind::Connect, Sent::No)), [true; 3]);
        assert_eq!(allowed(&kind(ErrorKind::Timeout, Sent::Maybe)), [true, true, false]);
        assert_eq!(allowed(&kind(ErrorKind::Transport, Sent::Maybe)), [true, true, false]);
        assert_eq!(allowed(&kind(ErrorKind::Transport, Sent::Yes)), [false; 3]);
        assert_eq!(allowed(&kind(ErrorKind::Decode, Sent::Yes)), [false; 3]);
        assert_eq!(allowed(&kind(ErrorKind::Http, Sent::Yes).with_http_status(502)), [true, true, false]);
        assert_eq!(allowed(&kind(ErrorKind::Http, Sent::Yes).with_http_status(403)), [false; 3]);
        assert_eq!(allowed(&code("RequestLimitExceeded")), [true; 3]);
        assert_eq!(allowed(&code("RequestLimitExceeded.UinLimitExceeded")), [true; 3]);
        assert_eq!(allowed(&code("RequestLimitExceeded.JobNumExceed")), [false; 3]);
        assert_eq!(allowed(&code("InternalError")), [true, true, false]);
        assert_eq!(allowed(&code("InternalServerError")), [true, true, false]);
        assert_eq!(allowed(&code("InternalError.RouteTableNotFound")), [false; 3]);
        for never in [
            "LimitExceeded.CvmInstanceQuota",
            "ResourcesSoldOut.SpecifiedInstanceType",
            "ResourceInsufficient.CloudDiskSoldOut",
            "InvalidInstanceId.NotFound",
            "UnauthorizedOperation.CamNoAuth",
            "MutexOperation.TaskRunning",
            "FailedOperation.ResourceInOperating",
        ] {
            assert_eq!(allowed(&code(never)), [false; 3], "{never}");
        }
        let busy = policy.clone().retry_busy(true);
        assert!(busy.allows(Effect::Write, &code("MutexOperation.TaskRunning")));
    }

    #[test]
    fn waits_double_up_to_the_ceiling() {
        let policy = RetryPolicy::default();
        let ceilings: Vec<_> = (0..8).map(|retry| policy.ceiling(retry).as_millis()).collect();
        assert_eq!(ceilings, [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(policy.ceiling(u32::MAX), policy.max_delay);
    }

    #[test]
    fn an_empty_bucket_stops_retries_and_successes_fill_it() {
        let bucket = RetryBucket::default();
        let failure = kind(ErrorKind::Timeout, Sent::Maybe);
        let retries = std::iter::from_fn(|| bucket.take(&failure)).count();
        assert_eq!(retries, (BUCKET_SIZE / OTHER_COST) as usize);
        for _ in 0..OTHER_COST {
            bucket.give(None);
        }
        assert_eq!(bucket.take(&failure), Some(OTHER_COST));
        bucket.give(Some(OTHER_COST));
        assert!(bucket.take(&failure).is_some());
    }
}

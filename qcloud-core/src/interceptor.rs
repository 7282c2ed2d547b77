//! Looking at, and adding to, what goes out and comes in.

use std::fmt;
use std::time::Duration;

use crate::transport::HttpRequest;
use crate::{Effect, Error};

/// One try of a call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt<'a> {
    /// Short name of the service.
    pub service: &'a str,
    /// Wire name of the action.
    pub action: &'a str,
    /// What calling it twice may do.
    pub effect: Effect,
    /// The region, if one is sent.
    pub region: Option<&'a str>,
    /// Number of the try, from 1.
    pub number: u32,
}

/// Code that runs around each attempt, in the order of configuration: to add headers, to count, to audit.
///
/// All methods run on the calling task and must not block.
pub trait Interceptor: fmt::Debug + Send + Sync {
    /// After a try had its turn under the rate limits, if there are any, for which it waited this long.
    fn after_turn(&self, service: &str, action: &str, waited: Duration) {
        let _ = (service, action, waited);
    }

    /// Before signing. Headers can be added; `Host`, `Content-Type`, the `X-TC-*` headers and the body are the SDK's.
    fn before_attempt(&self, attempt: &Attempt<'_>, request: &mut HttpRequest) {
        let _ = (attempt, request);
    }

    /// After the answer has been sorted, or there was none. `error` is `None` for a success.
    fn after_attempt(&self, attempt: &Attempt<'_>, took: Duration, error: Option<&Error>) {
        let _ = (attempt, took, error);
    }
}

//! Counters and histograms, when the feature `metrics` is on.
//!
//! | name | kind | labels |
//! |---|---|---|
//! | `qcloud_calls_total` | counter | service, action, outcome |
//! | `qcloud_call_seconds` | histogram | service, action |
//! | `qcloud_attempts_total` | counter | service, action, outcome |
//! | `qcloud_attempt_seconds` | histogram | service, action |
//! | `qcloud_retries_total` | counter | service, action |
//! | `qcloud_limiter_wait_seconds` | histogram | service, action |
//!
//! The outcome is `ok`, the API's error code, or the kind of the error.

use std::time::Duration;

use crate::Error;

#[cfg(feature = "metrics")]
fn outcome(error: Option<&Error>) -> String {
    match error {
        None => "ok".to_owned(),
        Some(error) => error.code().map_or_else(|| format!("{:?}", error.kind()), str::to_owned),
    }
}

#[cfg(feature = "metrics")]
fn labels(service: &'static str, action: &str) -> Vec<metrics::Label> {
    vec![metrics::Label::new("service", service), metrics::Label::new("action", action.to_owned())]
}

#[cfg(feature = "metrics")]
fn labels_with_outcome(service: &'static str, action: &str, error: Option<&Error>) -> Vec<metrics::Label> {
    let mut labels = labels(service, action);
    labels.push(metrics::Label::new("outcome", outcome(error)));
    labels
}

#[cfg(feature = "metrics")]
pub(crate) fn call(service: &'static str, action: &str, error: Option<&Error>, took: Duration, attempts: u32) {
    metrics::counter!("qcloud_calls_total", labels_with_outcome(service, action, error)).increment(1);
    metrics::histogram!("qcloud_call_seconds", labels(service, action)).record(took.as_secs_f64());
    if attempts > 1 {
        metrics::counter!("qcloud_retries_total", labels(service, action)).increment(u64::from(attempts - 1));
    }
}

#[cfg(feature = "metrics")]
pub(crate) fn attempt(service: &'static str, action: &str, error: Option<&Error>, took: Duration) {
    metrics::counter!("qcloud_attempts_total", labels_with_outcome(service, action, error)).increment(1);
    metrics::histogram!("qcloud_attempt_seconds", labels(service, action)).record(took.as_secs_f64());
}

#[cfg(feature = "metrics")]
pub(crate) fn limiter_wait(service: &'static str, action: &str, waited: Duration) {
    metrics::histogram!("qcloud_limiter_wait_seconds", labels(service, action)).record(waited.as_secs_f64());
}

#[cfg(not(feature = "metrics"))]
pub(crate) fn call(_: &'static str, _: &str, _: Option<&Error>, _: Duration, _: u32) {}

#[cfg(not(feature = "metrics"))]
pub(crate) fn attempt(_: &'static str, _: &str, _: Option<&Error>, _: Duration) {}

#[cfg(not(feature = "metrics"))]
pub(crate) fn limiter_wait(_: &'static str, _: &str, _: Duration) {}

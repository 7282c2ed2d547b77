//! Tests of the crate through its public face, one module for each thing that they prove. They need the feature
//! `testing`, and `metrics` for one of them.
#![cfg(all(feature = "testing", feature = "metrics"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

mod calls_correct_clock_and_credentials;
mod calls_keep_time;
mod calls_retry_only_what_is_safe;
mod calls_take_options;
mod configuration_is_read_and_checked;
mod errors_tell_the_story;
mod events_and_metrics_are_emitted;
#[cfg(feature = "reqwest")]
mod http_failures_become_typed_errors;
mod lists_are_read_to_their_end;
#[cfg(feature = "reqwest")]
mod proxies_are_used_and_bypassed;
mod rate_limits_hold;
mod secrets_stay_hidden;
mod signatures_match_the_vectors;
mod test_tools_work;
mod waits_end_when_they_should;

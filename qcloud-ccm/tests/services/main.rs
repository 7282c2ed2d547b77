//! The service controller, on a double of the API server and a cloud in memory.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests fail like tests")]

mod clb;
mod cloud;
mod failures;
mod faults;
mod lab;
mod lifecycle;
mod orphans;
mod restarts;
mod sharing;
mod targets;

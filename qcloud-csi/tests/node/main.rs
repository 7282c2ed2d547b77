//! The node service on a machine in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail like tests"
)]

mod any_order;
mod cut_short;
mod expand;
mod lab;
mod publish;
mod stage;
mod stats;

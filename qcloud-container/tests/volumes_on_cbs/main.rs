//! Volumes on Cloud Block Storage, against the emulator inside the process, in virtual time.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests fail like tests")]

mod any_order;
mod batches;
mod conformance;
mod crashes;
mod faults;
mod lab;
mod operations;

//! The contract of volumes: planners, and the conformance suite on the reference implementation.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests fail like tests")]

mod in_memory;
mod planners;
mod sizes;

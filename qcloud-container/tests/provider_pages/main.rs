//! The pages of the adapters say what the adapters do.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests fail like tests")]

mod pages;
mod permissions;
mod tables;

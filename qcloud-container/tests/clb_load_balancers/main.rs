//! Load balancers by CLB, on the emulator.
#![cfg(feature = "provider")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests fail like tests")]

mod budgets;
mod cloud;
mod conforms;
mod crashes;
mod failures;
mod features;
mod random_faults;
mod refusals;
mod restarts;
mod retained;
mod unseen;

//! The controller service over volumes that do as a test says, in virtual time, and the socket.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail like tests"
)]

mod capabilities;
mod deadlines;
mod operations;
mod probe;
mod secrets;
mod socket;
mod volumes;

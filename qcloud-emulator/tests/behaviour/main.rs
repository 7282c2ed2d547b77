//! What users of the emulator rely on, asked of it over its own entrance with signed requests.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests fail like tests")]

mod any_input;
mod clb;
mod client;
mod entrance;
mod examples;
mod instance_lists;
mod instance_states;
mod launching;
mod networks;
mod over_http;
mod routes;
mod security_groups;
mod signing;

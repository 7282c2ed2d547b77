//! What users of the emulator rely on, asked of it over its own entrance with signed requests.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests fail like tests")]

mod any_input;
mod clb;
mod client;
mod cluster_examples;
mod cluster_nodes;
mod cluster_routes;
mod clusters;
mod entrance;
mod examples;
mod instance_lists;
mod instance_states;
mod kubernetes;
mod launching;
mod metadata_server;
mod native_pools;
mod networks;
mod node_pools;
mod over_http;
mod routes;
mod security_groups;
mod signing;
mod temporary_credentials;

//! What users of the emulator rely on, asked of it over its own entrance with signed requests.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests fail like tests")]

mod across_services;
mod any_input;
mod ccns;
mod clb;
mod client;
mod cluster_examples;
mod cluster_nodes;
mod cluster_routes;
mod clusters;
mod elastic_ips;
mod entrance;
mod examples;
mod images_and_groups;
mod instance_changes;
mod instance_lists;
mod instance_states;
mod interface_addresses;
mod interfaces;
mod key_pairs;
mod kubernetes;
mod launching;
mod metadata_server;
mod nat_gateways;
mod native_pools;
mod networks;
mod node_pools;
mod over_http;
mod own_examples;
mod routes;
mod security_groups;
mod signing;
mod temporary_credentials;
mod vpc_extras;

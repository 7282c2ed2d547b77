//! Disks, snapshots and snapshot policies, asked for over the emulator's own entrance with signed requests.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests fail like tests")]

#[allow(dead_code, reason = "shared with other tests")]
#[path = "../behaviour/client.rs"]
mod client;

mod any_order;
mod attaching;
mod billing;
mod changes;
mod creating;
mod devices;
mod examples;
mod instances;
mod lists;
mod policies;
mod prices;
mod rollback;
mod snapshots;
mod support;

//! The controllers against an API server in memory, in virtual time.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod api_faults;
mod cache;
mod events;
mod leader;
mod nodes;
mod process;
mod routes;
mod world;

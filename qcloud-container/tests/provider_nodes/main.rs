//! Machines and routes of the Kubernetes provider, on the emulator.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod cloud;
mod instances;
mod instances_matrix;
mod native;
mod routes;
mod routes_matrix;
mod routes_random;

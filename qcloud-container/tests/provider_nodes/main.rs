//! Machines and routes of the Kubernetes provider, on the emulator.

mod cloud;
mod instances;
mod instances_matrix;

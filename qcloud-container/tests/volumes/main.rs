//! The contract of volumes: planners, and the conformance suite on the reference implementation.

#![cfg(feature = "kubernetes")]

mod in_memory;
mod planners;
mod sizes;

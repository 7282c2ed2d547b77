//! Volumes on Cloud Block Storage, against the emulator inside the process, in virtual time.

#![cfg(feature = "provider")]

mod any_order;
mod batches;
mod conformance;
mod crashes;
mod faults;
mod lab;
mod operations;

//! The node service on a machine in memory.

mod any_order;
mod cut_short;
mod expand;
mod lab;
mod publish;
mod stage;
mod stats;

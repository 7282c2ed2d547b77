#![doc = include_str!("../README.md")]

pub mod cache;
pub mod cli;
pub mod cloud_config;
pub mod cluster;
pub mod controllers;
#[cfg(feature = "emulator")]
mod embedded;
pub mod error;
pub mod events;
pub mod health;
pub mod leader;
pub mod logging;
pub mod manager;
pub mod metrics;
pub mod nodes;
pub mod patience;
pub mod program;
pub mod queue;
pub mod routes;
pub mod services;

pub use cluster::Cluster;
pub use error::{Error, Result};

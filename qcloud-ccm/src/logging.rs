//! Logs, for people or for machines.

use std::io::{IsTerminal, stderr};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// The form of the logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object on each line.
    Json,
}

/// Writes logs to standard error from now on: as `RUST_LOG` says, or as much as `verbosity` asks for (0 warnings, 2 what is
/// done, 4 why, 6 every call).
pub fn start(format: Format, verbosity: u8) {
    // What the client of the API server finds wrong, the controllers tell with what they do about it.
    let level = match verbosity {
        0 => "warn,kube_client::client::builder=off",
        1..=3 => "info,kube_client::client::builder=off",
        4..=5 => "info,kube_client::client::builder=off,qcloud_ccm=debug,qcloud_container=debug",
        6..=7 => "info,qcloud_ccm=debug,qcloud_container=debug,qcloud_core=debug,kube=debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(stderr().is_terminal());
    // Whoever uses this as a library may have a subscriber already; that one stays.
    let _ = match format {
        Format::Text => logs.try_init(),
        Format::Json => logs.json().flatten_event(true).try_init(),
    };
}

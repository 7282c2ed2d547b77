//! Runnable examples: `cargo run --example tour`.

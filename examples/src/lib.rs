//! Runnable examples of the QCloud SDK: `cargo run --example tour`, `cargo run --example provider`.

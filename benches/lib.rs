//! Benches of the SDK: `cargo bench -p benches`.

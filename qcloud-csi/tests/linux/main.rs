//! The real machine: loop devices, filesystems, mounts. Needs Linux, root and `losetup`; where one is missing, each test
//! says so and passes.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail like tests"
)]

mod content;
mod devices;
mod life;
mod machine;

//! The real machine: loop devices, filesystems, mounts. Needs Linux, root and `losetup`; where one is missing, each test
//! says so and passes.
#![cfg(target_os = "linux")]

mod content;
mod devices;
mod life;
mod machine;

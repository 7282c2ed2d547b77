//! The node service: what is done on the machine that uses a volume.
//!
//! [`NodeService`] decides what is to be done, [`Host`] does it: [`LinuxHost`](linux::LinuxHost) on a real machine,
//! [`FakeHost`](fake::FakeHost) in memory. Nothing is kept beside what the kernel knows: every call looks at what is
//! mounted, and does what is missing. So each can be repeated after any failure, and a restart of the driver loses nothing.
//!
//! | call | does, unless it is so already |
//! |---|---|
//! | stage | waits for the device with the volume's serial number, formats it when it is blank, repairs, mounts and grows its filesystem |
//! | publish | shows the staged filesystem, or the device itself, at the target |
//! | unpublish | takes that away, and removes the target |
//! | unstage | unmounts the filesystem, or takes away the raw device that Tencent's driver has staged |
//! | expand | grows the filesystem to the size of the device |
//!
//! # What it never does
//! - Format a device on which it sees anything. A filesystem is made only where `blkid` knows no signature and the first
//!   4 KiB are zero, and never another than is there. Data without a signature that begins further on is not seen.
//! - Mount, grow or show a device whose serial number is not the volume's.
//! - Take away what is mounted from another volume, or delete a file.
//! - Mount a volume writable that is to be read only, at any moment. A filesystem that several nodes may read at a time is
//!   mounted without replaying its journal, which would write to it; an ext4 that needs its journal is not mounted so.

mod expand;
pub mod fake;
pub mod host;
#[cfg(target_os = "linux")]
pub mod linux;
pub mod metadata;
mod publish;
mod request;
mod service;
mod stage;
mod stats;

use std::path::Path;
use std::sync::Arc;

pub use host::Host;
pub use metadata::NodeIdentity;
pub use service::NodeService;

/// The machine that this process runs on.
///
/// `scratch` is a directory for nothing else; what a crash left there is taken away.
///
/// # Errors
/// When the scratch directory can't be used, or this is not Linux.
pub async fn this_machine(scratch: &Path) -> host::Result<Arc<dyn Host>> {
    #[cfg(target_os = "linux")]
    {
        Ok(Arc::new(linux::LinuxHost::new(scratch).await?))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = scratch;
        Err(host::HostError::Unsupported("volumes can be mounted on Linux only; try the driver with --emulator"))
    }
}

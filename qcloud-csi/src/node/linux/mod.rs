//! The node service's [`Host`] on Linux.
//!
//! Mounts are made by system calls; `blkid`, `mkfs.…`, `e2fsck`, `resize2fs`, `xfs_growfs` and `blockdev` are run as
//! programs. It needs root, the host's `/dev` and `/sys`, and mounts that reach the host (in Kubernetes:
//! `mountPropagation: Bidirectional`).

mod content;
mod devices;
mod mountinfo;
mod mounts;
mod programs;
mod xfs;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use rustix::fs::statvfs;
use tokio::sync::Mutex;

use self::devices::{Devices, io_error};
use self::programs::{BLOCKDEV, E2FSCK, RESIZE2FS, XFS_GROWFS};
use super::host::{Amount, Content, Device, Filesystem, Host, HostError, Mount, MountOptions, Result, Usage};

/// This machine.
#[derive(Clone, Debug)]
pub struct LinuxHost {
    devices: Devices,
    scratch: PathBuf,
    /// The scratch place serves one bind mount at a time.
    binding: Arc<Mutex<()>>,
}

impl LinuxHost {
    /// This machine, with a directory of our own in which nothing else is ever mounted (`/run/qcloud-csi` if in doubt).
    ///
    /// # Errors
    /// When what a crash left in that directory can't be taken away.
    pub async fn new(scratch: impl Into<PathBuf>) -> Result<Self> {
        let scratch = scratch.into();
        let place = scratch.clone();
        blocking("clear the scratch place", move || mounts::clear(&place)).await?;
        let devices = Devices { sys: PathBuf::from("/sys"), dev: PathBuf::from("/dev") };
        Ok(Self { devices, scratch, binding: Arc::default() })
    }

    /// Looks for devices below other directories than `/sys` and `/dev`.
    #[must_use]
    pub fn with_devices(mut self, sys: impl Into<PathBuf>, dev: impl Into<PathBuf>) -> Self {
        self.devices = Devices { sys: sys.into(), dev: dev.into() };
        self
    }
}

/// Runs what may take long in the kernel, so that it holds up nobody else.
async fn blocking<T: Send + 'static>(doing: &str, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(HostError::io(doing, std::io::Error::other(error))),
    }
}

#[async_trait]
impl Host for LinuxHost {
    async fn find(&self, serial: &str) -> Result<Option<Device>> {
        let (devices, serial) = (self.devices.clone(), serial.to_owned());
        blocking("look for a device", move || devices.find(&serial)).await
    }

    async fn rescan(&self) -> Result<()> {
        let devices = self.devices.clone();
        blocking("rescan", move || devices.rescan()).await
    }

    async fn size(&self, device: &Device) -> Result<u64> {
        let path = device.path.clone();
        blocking("measure a device", move || devices::size(&path)).await
    }

    async fn is_read_only(&self, device: &Device) -> Result<bool> {
        let answer = BLOCKDEV.succeed(&["--getro".as_ref(), device.path.as_os_str()]).await?;
        Ok(answer.trim() != "0")
    }

    async fn set_read_only(&self, device: &Device, read_only: bool) -> Result<()> {
        let switch = if read_only { "--setro" } else { "--setrw" };
        BLOCKDEV.succeed(&[switch.as_ref(), device.path.as_os_str()]).await.map(drop)
    }

    async fn content(&self, device: &Device) -> Result<Content> {
        content::content(device).await
    }

    async fn format(&self, device: &Device, filesystem: Filesystem, options: &[String]) -> Result<()> {
        content::format(device, filesystem, options).await
    }

    async fn needs_recovery(&self, device: &Device, filesystem: Filesystem) -> Result<bool> {
        match filesystem {
            Filesystem::Ext4 => content::ext4_needs_recovery(device).await,
            Filesystem::Xfs => Ok(false),
        }
    }

    async fn check(&self, device: &Device, filesystem: Filesystem) -> Result<()> {
        match filesystem {
            Filesystem::Ext4 => {
                let outcome = E2FSCK.run(&["-p".as_ref(), device.path.as_os_str()]).await?;
                // Bits: 1 errors were corrected, 2 and the system should restart if this were its root. Others are bad.
                match outcome.code() {
                    Some(0..=3) => Ok(()),
                    _ => Err(outcome.error()),
                }
            }
            // The kernel replays the journal when it mounts, and there is nothing to do that needs no human.
            Filesystem::Xfs => Ok(()),
        }
    }

    async fn grow(&self, device: &Device, filesystem: Filesystem, mounted_at: &Path) -> Result<()> {
        match filesystem {
            Filesystem::Ext4 => RESIZE2FS.succeed(&[&device.path]).await.map(drop),
            Filesystem::Xfs => XFS_GROWFS.succeed(&[mounted_at]).await.map(drop),
        }
    }

    async fn mounts(&self) -> Result<Vec<Mount>> {
        let devices = self.devices.clone();
        blocking("list the mounts", move || mounts::all(&devices)).await
    }

    async fn mount_at(&self, path: &Path) -> Result<Option<Mount>> {
        let (devices, path) = (self.devices.clone(), path.to_owned());
        blocking("look at a mount", move || mounts::at(&devices, &path)).await
    }

    async fn mount(
        &self,
        device: &Device,
        filesystem: Filesystem,
        target: &Path,
        options: &MountOptions,
    ) -> Result<()> {
        let (device, target, options) = (device.clone(), target.to_owned(), options.clone());
        blocking("mount", move || mounts::mount(&device, filesystem, &target, &options)).await
    }

    async fn bind(&self, source: &Path, target: &Path, read_only: bool) -> Result<()> {
        let one_at_a_time = Arc::clone(&self.binding).lock_owned().await;
        let (scratch, source, target) = (self.scratch.clone(), source.to_owned(), target.to_owned());
        blocking("bind", move || {
            let _one_at_a_time = one_at_a_time;
            mounts::bind(&scratch, &source, &target, read_only)
        })
        .await
    }

    async fn unmount(&self, target: &Path) -> Result<()> {
        let target = target.to_owned();
        blocking("unmount", move || mounts::take_away(&target)).await
    }

    async fn usage(&self, path: &Path) -> Result<Usage> {
        let path = path.to_owned();
        blocking("measure a filesystem", move || {
            let status = statvfs(&path).map_err(|error| io_error("measure", &path)(error.into()))?;
            let bytes = |blocks: u64| blocks.saturating_mul(status.f_frsize);
            Ok(Usage {
                bytes: Amount {
                    total: bytes(status.f_blocks),
                    used: bytes(status.f_blocks.saturating_sub(status.f_bfree)),
                    available: bytes(status.f_bavail),
                },
                inodes: Amount {
                    total: status.f_files,
                    used: status.f_files.saturating_sub(status.f_ffree),
                    available: status.f_favail,
                },
            })
        })
        .await
    }

    async fn create_directory(&self, path: &Path) -> Result<()> {
        let path = path.to_owned();
        blocking("make a directory", move || mounts::create_directory(&path)).await
    }

    async fn create_file(&self, path: &Path) -> Result<()> {
        let path = path.to_owned();
        blocking("make a file", move || mounts::create_file(&path)).await
    }

    async fn remove(&self, path: &Path) -> Result<()> {
        let path = path.to_owned();
        blocking("remove a path", move || mounts::remove(&path)).await
    }
}

//! The machine under the node service: its devices, filesystems and mounts.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;

/// `Result` with a [`HostError`].
pub type Result<T, E = HostError> = std::result::Result<T, E>;

/// What the node service needs of a machine.
///
/// Each method does one thing and can be called again after it failed halfway. None decides anything about volumes: that
/// is the service's part. What would destroy data is refused here all the same, whoever asks.
#[async_trait]
pub trait Host: fmt::Debug + Send + Sync {
    /// The device with this serial number, if it is here at this moment.
    ///
    /// # Errors
    /// Whenever the answer is in doubt: devices that can't be read, or two with the same serial number.
    async fn find(&self, serial: &str) -> Result<Option<Device>>;

    /// Has the kernel look for new devices, and for new sizes of those it has.
    async fn rescan(&self) -> Result<()>;

    /// How many bytes a device has.
    async fn size(&self, device: &Device) -> Result<u64>;

    /// Whether the kernel lets nobody write to a device.
    async fn is_read_only(&self, device: &Device) -> Result<bool>;

    /// Lets nobody write to a device any more, or everybody again.
    async fn set_read_only(&self, device: &Device, read_only: bool) -> Result<()>;

    /// What is on a device.
    async fn content(&self, device: &Device) -> Result<Content>;

    /// Makes a filesystem on a blank device. `options` go to the program that makes it.
    ///
    /// # Errors
    /// [`HostError::Refused`] when the device is not blank.
    async fn format(&self, device: &Device, filesystem: Filesystem, options: &[String]) -> Result<()>;

    /// Whether the journal of a filesystem that is not mounted holds what is still to be written to its place. Of XFS nobody
    /// knows before it is mounted: no.
    async fn needs_recovery(&self, device: &Device, filesystem: Filesystem) -> Result<bool>;

    /// Repairs what can be repaired without a human on a filesystem that is not mounted.
    async fn check(&self, device: &Device, filesystem: Filesystem) -> Result<()>;

    /// Grows the filesystem that is mounted at a path, writable, to the size of its device. One that fits stays as it is.
    async fn grow(&self, device: &Device, filesystem: Filesystem, mounted_at: &Path) -> Result<()>;

    /// Everything that is mounted, in no order. Of mounts over one another all are given.
    async fn mounts(&self) -> Result<Vec<Mount>>;

    /// What is mounted at exactly this path, the topmost where there are several.
    async fn mount_at(&self, path: &Path) -> Result<Option<Mount>>;

    /// Mounts the filesystem of a device at a directory.
    async fn mount(&self, device: &Device, filesystem: Filesystem, target: &Path, options: &MountOptions)
    -> Result<()>;

    /// Makes a mounted directory, or a device, appear at a second place. Read-only means that nobody sees the target
    /// writable at any moment, also when this is cut short. It has no effect on devices: [`set_read_only`] has.
    ///
    /// [`set_read_only`]: Host::set_read_only
    async fn bind(&self, source: &Path, target: &Path, read_only: bool) -> Result<()>;

    /// Takes away the topmost mount at a path. None is no error.
    async fn unmount(&self, target: &Path) -> Result<()>;

    /// How full the filesystem is that is mounted at a path.
    async fn usage(&self, path: &Path) -> Result<Usage>;

    /// Makes a directory, and those above it. It may be there already.
    async fn create_directory(&self, path: &Path) -> Result<()>;

    /// Makes an empty file, and the directories above it. It may be there already.
    async fn create_file(&self, path: &Path) -> Result<()>;

    /// Removes an empty directory or an empty file. It may be gone already.
    ///
    /// # Errors
    /// [`HostError::Refused`] when something is in it.
    async fn remove(&self, path: &Path) -> Result<()>;
}

/// A number by which the kernel knows a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceNumber {
    /// The driver's part.
    pub major: u32,
    /// Which of the driver's devices.
    pub minor: u32,
}

impl fmt::Display for DeviceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

/// A block device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The serial number: of a cloud disk, its id.
    pub serial: String,
    /// The kernel's number of it, which is another one after it was detached and attached again.
    pub number: DeviceNumber,
    /// Its file, `/dev/vdb` for instance.
    pub path: PathBuf,
}

/// The filesystems that volumes are formatted with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Filesystem {
    /// The one that is made when nobody asks for another.
    #[default]
    Ext4,
    /// XFS.
    Xfs,
}

impl Filesystem {
    /// The filesystem of this name, if it is one of those.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "ext4" => Some(Self::Ext4),
            "xfs" => Some(Self::Xfs),
            _ => None,
        }
    }

    /// The kernel's name of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
        }
    }
}

impl fmt::Display for Filesystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// Nothing, or a filesystem whose making was cut short. Only this may be formatted.
    Blank,
    /// A filesystem that can be mounted.
    Filesystem(Filesystem),
    /// Something else, in words: another filesystem, a partition table, data without a signature.
    Other(String),
}

/// What is mounted somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where.
    pub target: PathBuf,
    /// What.
    pub source: Source,
    /// Whether it was mounted to be read only.
    pub read_only: bool,
    /// Whether it can be used.
    pub health: Health,
}

/// What a mount shows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The filesystem on a device.
    Filesystem {
        /// The device.
        device: DeviceNumber,
        /// The kernel's name of the filesystem.
        kind: String,
    },
    /// A device itself, in place of a file.
    Device(DeviceNumber),
    /// Anything else, such as `tmpfs`.
    Other(String),
}

impl Source {
    /// The device that the mount shows or lies on.
    #[must_use]
    pub fn device(&self) -> Option<DeviceNumber> {
        match self {
            Self::Filesystem { device, .. } | Self::Device(device) => Some(*device),
            Self::Other(_) => None,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filesystem { device, kind } => write!(f, "the {kind} filesystem of device {device}"),
            Self::Device(device) => write!(f, "the device {device}"),
            Self::Other(kind) => f.write_str(kind),
        }
    }
}

/// Whether a mount can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Health {
    /// Nothing is known against it.
    Sound,
    /// It answers, but not as it should; why.
    Degraded(String),
    /// It is good for nothing but being taken away; why.
    Broken(String),
}

impl Mount {
    /// Whether it is good for nothing but being taken away.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        matches!(self.health, Health::Broken(_))
    }
}

/// How to mount a filesystem.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountOptions {
    /// To be read only.
    pub read_only: bool,
    /// More options, as `mount -o` takes them, one each.
    pub options: Vec<String>,
}

/// How full a filesystem is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// In bytes.
    pub bytes: Amount,
    /// In inodes: how many files there can be.
    pub inodes: Amount,
}

/// How much of something there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// In all.
    pub total: u64,
    /// In use.
    pub used: u64,
    /// To be had by ordinary users.
    pub available: u64,
}

/// What a machine could not do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// It would do harm.
    #[error("{0}")]
    Refused(String),
    /// A program is not installed.
    #[error("`{program}` is not on this machine: install {package}")]
    MissingProgram {
        /// Its name.
        program: &'static str,
        /// What it comes with.
        package: &'static str,
    },
    /// A program did not succeed.
    #[error("`{command}` did not succeed ({status}): {output}")]
    Program {
        /// With its arguments.
        command: String,
        /// How it ended.
        status: String,
        /// The end of what it wrote.
        output: String,
    },
    /// The operating system did not do something.
    #[error("could not {doing}: {source}")]
    Io {
        /// What it was to do.
        doing: String,
        /// What it said.
        source: io::Error,
    },
    /// This can't be done on this kind of machine.
    #[error("{0}")]
    Unsupported(&'static str),
}

impl HostError {
    /// An error of the operating system while `doing` something.
    pub fn io(doing: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Io { doing: doing.into(), source: source.into() }
    }
}

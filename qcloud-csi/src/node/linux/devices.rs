//! Finding a device by its serial number.
//!
//! `/sys/block/*/serial` decides: it is the kernel's word on what is there now. The link `/dev/disk/by-id/virtio-…` is
//! made by udev, which may be late, absent or out of date. It says which device to ask first, since to ask one that no
//! longer answers takes for ever; and it is believed only where the kernel gives no serial number at all.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{major, minor};

use super::mountinfo;
use crate::node::host::{Device, DeviceNumber, HostError, Result};

/// Where the kernel and udev show devices.
#[derive(Clone, Debug)]
pub(super) struct Devices {
    /// `/sys`.
    pub(super) sys: PathBuf,
    /// `/dev`.
    pub(super) dev: PathBuf,
}

impl Devices {
    /// The device with this serial number.
    pub(super) fn find(&self, serial: &str) -> Result<Option<Device>> {
        // It becomes part of a path, and is an id that the cloud gave: such a thing names no device.
        if serial.is_empty() || serial.contains(['/', '\0']) {
            return Ok(None);
        }
        if let Ok(Some(entry)) = self.linked(serial)
            && self.serial(&entry).is_ok_and(|here| here.as_deref() == Some(serial))
        {
            return self.device(serial, &entry).map(Some);
        }
        let mut found = None;
        let mut unreadable = None;
        let directory = self.sys.join("block");
        for entry in fs::read_dir(&directory).map_err(io_error("list", &directory))? {
            let entry = entry.map_err(io_error("list", &directory))?.path();
            match self.serial(&entry) {
                Ok(Some(here)) if here == serial => {
                    if let Some(other) = found.replace(entry.clone()) {
                        return Err(HostError::Refused(format!(
                            "two devices have the serial number {serial}: {} and {}",
                            other.display(),
                            entry.display()
                        )));
                    }
                }
                Ok(_) => {}
                Err(error) => unreadable = Some(error),
            }
        }
        match (found, unreadable) {
            (Some(entry), _) => self.device(serial, &entry).map(Some),
            // The one that can't be read may be the one that is looked for.
            (None, Some(error)) => Err(error),
            // With a serial number it would have been found by it: the link leads to another disk.
            (None, None) => match self.linked(serial)? {
                Some(entry) if self.serial(&entry)?.is_none() => self.device(serial, &entry).map(Some),
                _ => Ok(None),
            },
        }
    }

    /// Whether the kernel has lost a device. A doubt is a no: what is mounted from it would be taken away.
    pub(super) fn lost(&self, number: DeviceNumber) -> bool {
        let numbers = self.sys.join("dev/block");
        let missing =
            |path: &Path| matches!(path.symlink_metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound);
        !missing(&numbers) && missing(&numbers.join(number.to_string()))
    }

    /// Has the kernel look for new devices and sizes, where it has to be asked.
    pub(super) fn rescan(&self) -> Result<()> {
        let bus = self.sys.join("bus/pci/rescan");
        if bus.exists() {
            fs::write(&bus, "1").map_err(io_error("write", &bus))?;
        }
        let directory = self.sys.join("block");
        for entry in fs::read_dir(&directory).map_err(io_error("list", &directory))? {
            let switch = entry.map_err(io_error("list", &directory))?.path().join("device/rescan");
            if switch.exists() {
                fs::write(&switch, "1").map_err(io_error("write", &switch))?;
            }
        }
        Ok(())
    }

    /// The serial number of a device, by its directory below `/sys/block`.
    fn serial(&self, entry: &Path) -> Result<Option<String>> {
        // virtio has it beside the device, NVMe with the controller.
        for name in ["serial", "device/serial"] {
            let path = entry.join(name);
            match fs::read_to_string(&path) {
                Ok(serial) => {
                    let serial = serial.trim_matches(|character: char| character.is_whitespace() || character == '\0');
                    return Ok((!serial.is_empty()).then(|| serial.to_owned()));
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
                Err(error) => return Err(HostError::io(format!("read {}", path.display()), error)),
            }
        }
        Ok(None)
    }

    /// The directory below `/sys/block` of the device that udev's link leads to.
    fn linked(&self, serial: &str) -> Result<Option<PathBuf>> {
        let link = self.dev.join("disk/by-id").join(format!("virtio-{serial}"));
        let path = match fs::canonicalize(&link) {
            Ok(path) => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(HostError::io(format!("follow {}", link.display()), error)),
        };
        let Some(name) = path.file_name() else { return Ok(None) };
        let entry = self.sys.join("block").join(name);
        Ok(entry.exists().then_some(entry))
    }

    /// The device of a directory below `/sys/block`, once its file has been seen to be the same one.
    fn device(&self, serial: &str, entry: &Path) -> Result<Device> {
        let number_file = entry.join("dev");
        let text = fs::read(&number_file).map_err(io_error("read", &number_file))?;
        let number = mountinfo::device(text.trim_ascii())
            .ok_or_else(|| HostError::io(format!("read {}", number_file.display()), io::ErrorKind::InvalidData))?;
        let name = entry.file_name().unwrap_or_default().to_string_lossy().replace('!', "/");
        let path = self.dev.join(name);
        match number_of(&path)? {
            Some(there) if there == number => Ok(Device { serial: serial.to_owned(), number, path }),
            _ => Err(HostError::Refused(format!("{} is not the device {number} of {serial}", path.display()))),
        }
    }
}

/// The device that a file stands for; `None` when it is a file of another kind.
pub(super) fn number_of(path: &Path) -> Result<Option<DeviceNumber>> {
    let file = fs::metadata(path).map_err(io_error("look at", path))?;
    Ok(file
        .file_type()
        .is_block_device()
        .then(|| DeviceNumber { major: major(file.rdev()), minor: minor(file.rdev()) }))
}

/// How many bytes a device has.
pub(super) fn size(path: &Path) -> Result<u64> {
    let mut file = fs::File::open(path).map_err(io_error("open", path))?;
    file.seek(SeekFrom::End(0)).map_err(io_error("measure", path))
}

/// The first bytes of a device.
pub(super) fn beginning(path: &Path, length: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(io_error("open", path))?;
    file.take(length).read_to_end(&mut bytes).map_err(io_error("read", path))?;
    Ok(bytes)
}

/// Makes the error of an operation on a path.
pub(super) fn io_error(verb: &str, path: &Path) -> impl FnOnce(io::Error) -> HostError {
    let doing = format!("{verb} {}", path.display());
    move |source| HostError::Io { doing, source }
}

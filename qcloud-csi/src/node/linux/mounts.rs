//! Mounting and unmounting, and what the kernel says is mounted.

use std::ffi::CString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount_bind, mount_remount, unmount};

use super::devices::{Devices, io_error, number_of};
use super::mountinfo::{self, Entry};
use crate::node::host::{Device, Filesystem, Health, HostError, Mount, MountOptions, Result, Source};

/// The kernel's list of what is mounted, as this process sees it.
const MOUNTINFO: &str = "/proc/self/mountinfo";

fn entries() -> Result<Vec<Entry>> {
    let path = Path::new(MOUNTINFO);
    fs::read(path).and_then(|content| mountinfo::parse(&content)).map_err(io_error("read", path))
}

/// Everything that is mounted.
pub(super) fn all(devices: &Devices) -> Result<Vec<Mount>> {
    Ok(entries()?.iter().map(|entry| observe(devices, entry)).collect())
}

/// What is mounted at a path.
pub(super) fn at(devices: &Devices, path: &Path) -> Result<Option<Mount>> {
    let Some(path) = canonical(path)? else { return Ok(None) };
    Ok(mountinfo::topmost(&entries()?, &path).map(|entry| observe(devices, entry)))
}

/// The path as the kernel writes it. The last part may be a mount that no longer answers, so it is not looked at.
fn canonical(path: &Path) -> Result<Option<PathBuf>> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(Some(path.to_owned())) };
    match fs::canonicalize(parent) {
        Ok(parent) => Ok(Some(parent.join(name))),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(HostError::io(format!("follow {}", parent.display()), error)),
    }
}

fn observe(devices: &Devices, entry: &Entry) -> Mount {
    let (source, stat) = source(entry);
    let health = match (stat, source.device()) {
        (Err(error), _) if is_broken(&error) => {
            Health::Broken(format!("{} does not answer: {error}", entry.target.display()))
        }
        (_, Some(device)) if devices.lost(device) => Health::Broken(format!("the device {device} is gone")),
        _ if !entry.has("ro") && gave_up(entry) => {
            Health::Degraded(format!("the {} filesystem takes no writes any more, after errors", entry.kind))
        }
        _ => Health::Sound,
    };
    Mount { target: entry.target.clone(), source, read_only: entry.has("ro"), health }
}

/// What an entry shows, and whether it could be looked at. Only what can be a volume is looked at.
fn source(entry: &Entry) -> (Source, io::Result<()>) {
    let of_disk = entry.device.major != 0;
    // The file of a device shows as a part of the filesystem that `/dev` is.
    let of_dev = matches!(entry.kind.as_str(), "devtmpfs" | "tmpfs") && entry.root != Path::new("/");
    if of_disk {
        let stat = fs::metadata(&entry.target).map(drop);
        return (Source::Filesystem { device: entry.device, kind: entry.kind.clone() }, stat);
    }
    match of_dev.then(|| number_of(&entry.target)) {
        Some(Ok(Some(device))) => (Source::Device(device), Ok(())),
        Some(Err(HostError::Io { source, .. })) => (Source::Other(entry.kind.clone()), Err(source)),
        _ => (Source::Other(entry.kind.clone()), Ok(())),
    }
}

/// Errors of a mount that will not come back.
fn is_broken(error: &io::Error) -> bool {
    let Some(code) = Errno::from_io_error(error) else { return false };
    [Errno::NOTCONN, Errno::STALE, Errno::IO, Errno::NXIO, Errno::NODEV, Errno::HOSTDOWN, Errno::UCLEAN].contains(&code)
}

/// Whether a filesystem has stopped taking writes by itself.
fn gave_up(entry: &Entry) -> bool {
    entry.device.major != 0 && ["ro", "emergency_ro", "shutdown"].iter().any(|option| entry.super_has(option))
}

/// Mounts the filesystem of a device.
pub(super) fn mount(device: &Device, filesystem: Filesystem, target: &Path, options: &MountOptions) -> Result<()> {
    let (flags, data) = flags(options);
    let data = CString::new(data).map_err(|_| HostError::Refused("a mount option has a zero byte in it".to_owned()))?;
    rustix::mount::mount(&device.path, target, filesystem.name(), flags, data.as_c_str()).map_err(|error| {
        HostError::io(
            format!("mount {} ({}, {filesystem}) at {}", device.path.display(), device.serial, target.display()),
            error,
        )
    })
}

/// The options that the kernel takes as flags, and the rest, which it gives to the filesystem.
fn flags(options: &MountOptions) -> (MountFlags, String) {
    let mut flags = MountFlags::empty();
    let mut data = Vec::new();
    for option in &options.options {
        let (flag, on) = match option.as_str() {
            "ro" => (MountFlags::RDONLY, true),
            "rw" => (MountFlags::RDONLY, false),
            "nosuid" => (MountFlags::NOSUID, true),
            "suid" => (MountFlags::NOSUID, false),
            "nodev" => (MountFlags::NODEV, true),
            "dev" => (MountFlags::NODEV, false),
            "noexec" => (MountFlags::NOEXEC, true),
            "exec" => (MountFlags::NOEXEC, false),
            "sync" => (MountFlags::SYNCHRONOUS, true),
            "async" => (MountFlags::SYNCHRONOUS, false),
            "dirsync" => (MountFlags::DIRSYNC, true),
            "noatime" => (MountFlags::NOATIME, true),
            "atime" => (MountFlags::NOATIME, false),
            "nodiratime" => (MountFlags::NODIRATIME, true),
            "diratime" => (MountFlags::NODIRATIME, false),
            "relatime" => (MountFlags::RELATIME, true),
            "norelatime" => (MountFlags::RELATIME, false),
            "strictatime" => (MountFlags::STRICTATIME, true),
            "nostrictatime" => (MountFlags::STRICTATIME, false),
            "lazytime" => (MountFlags::LAZYTIME, true),
            "nolazytime" => (MountFlags::LAZYTIME, false),
            "silent" => (MountFlags::SILENT, true),
            "loud" => (MountFlags::SILENT, false),
            // What `mount` and systemd read, and the kernel does not know.
            "defaults" | "_netdev" | "nofail" | "auto" | "noauto" => continue,
            other if other.starts_with("x-") => continue,
            other => {
                data.push(other);
                continue;
            }
        };
        flags.set(flag, on);
    }
    if options.read_only {
        flags.insert(MountFlags::RDONLY);
    }
    (flags, data.join(","))
}

/// Makes a directory or a file appear at a second place.
///
/// The kernel makes a bind mount read-only in a second step, between which and the first it could be written to, or be
/// left writable by a crash. So a read-only one is made in a place of our own first, and shown at the target from there:
/// the copy of a mount has its flags from the beginning.
pub(super) fn bind(scratch: &Path, source: &Path, target: &Path, read_only: bool) -> Result<()> {
    let binding = |from: &Path, to: &Path| {
        mount_bind(from, to)
            .map_err(|error| HostError::io(format!("bind {} to {}", from.display(), to.display()), error))
    };
    if !read_only {
        return binding(source, target);
    }
    clear(scratch)?;
    let place = scratch.join("bind");
    if fs::metadata(source).map_err(io_error("look at", source))?.is_dir() {
        create_directory(&place)?;
    } else {
        create_file(&place)?;
    }
    binding(source, &place)?;
    let made = make_read_only(&place).and_then(|()| binding(&place, target));
    let cleared = clear(scratch);
    made.and(cleared)
}

fn make_read_only(target: &Path) -> Result<()> {
    // Flags that are not repeated would be dropped. Those of access times stay when none of them is given.
    let path = canonical(target)?.unwrap_or_else(|| target.to_owned());
    let entries = entries()?;
    let kept = mountinfo::topmost(&entries, &path);
    let mut flags = MountFlags::BIND | MountFlags::RDONLY;
    for (option, flag) in [("nosuid", MountFlags::NOSUID), ("nodev", MountFlags::NODEV), ("noexec", MountFlags::NOEXEC)]
    {
        flags.set(flag, kept.is_some_and(|entry| entry.has(option)));
    }
    mount_remount(target, flags, "")
        .map_err(|error| HostError::io(format!("make {} read-only", target.display()), error))
}

/// Takes away what a crash left in the place of our own: it would keep a device busy.
pub(super) fn clear(scratch: &Path) -> Result<()> {
    create_directory(scratch)?;
    let place = scratch.join("bind");
    while place_is_mounted(&place)? {
        take_away(&place)?;
    }
    remove(&place)
}

fn place_is_mounted(place: &Path) -> Result<bool> {
    let Some(path) = canonical(place)? else { return Ok(false) };
    Ok(entries()?.iter().any(|entry| entry.target == path))
}

/// Takes away the topmost mount at a path.
pub(super) fn take_away(target: &Path) -> Result<()> {
    match unmount(target, UnmountFlags::NOFOLLOW) {
        // Not mounted, or not even there.
        Ok(()) | Err(Errno::INVAL | Errno::NOENT) => Ok(()),
        Err(error) => Err(HostError::io(format!("unmount {}", target.display()), error)),
    }
}

/// Makes a directory.
pub(super) fn create_directory(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(io_error("make the directory", path))
}

/// Makes an empty file.
pub(super) fn create_file(path: &Path) -> Result<()> {
    if let Some(parent) = path.parent() {
        create_directory(parent)?;
    }
    match fs::OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match fs::symlink_metadata(path) {
            Ok(there) if there.is_file() => Ok(()),
            Ok(_) => Err(HostError::Refused(format!("{} is there, and not a file", path.display()))),
            Err(error) => Err(io_error("look at", path)(error)),
        },
        Err(error) => Err(io_error("make the file", path)(error)),
    }
}

/// Removes an empty directory or file.
pub(super) fn remove(path: &Path) -> Result<()> {
    let there = match fs::symlink_metadata(path) {
        Ok(there) => there,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
        Err(error) => return Err(io_error("look at", path)(error)),
    };
    let removed = if there.is_dir() {
        fs::remove_dir(path)
    } else if there.is_file() && there.len() == 0 {
        fs::remove_file(path)
    } else {
        return Err(HostError::Refused(format!("{} is kept: it is not an empty file or directory", path.display())));
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            Err(HostError::Refused(format!("{} is kept: there are files in it", path.display())))
        }
        other => other.map_err(io_error("remove", path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags_of(options: &[&str], read_only: bool) -> (MountFlags, String) {
        flags(&MountOptions { read_only, options: options.iter().map(|option| (*option).to_owned()).collect() })
    }

    #[test]
    fn options_of_the_kernel_become_flags_and_the_rest_goes_to_the_filesystem() {
        let (flags, data) =
            flags_of(&["noatime", "nodev", "discard", "data=ordered", "_netdev", "x-systemd.automount"], false);
        assert_eq!(flags, MountFlags::NOATIME | MountFlags::NODEV);
        assert_eq!(data, "discard,data=ordered");
    }

    #[test]
    fn the_last_of_contradicting_options_counts_but_read_only_always_wins() {
        assert_eq!(flags_of(&["noexec", "exec"], false).0, MountFlags::empty());
        assert_eq!(flags_of(&["ro", "rw"], false).0, MountFlags::empty());
        assert_eq!(flags_of(&["rw"], true).0, MountFlags::RDONLY);
    }
}

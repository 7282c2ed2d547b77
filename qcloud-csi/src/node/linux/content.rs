//! What is on a device, and making a filesystem where there is nothing.
//!
//! Nothing known is ever formatted: a device is blank only when two witnesses agree. `blkid` knows no signature, and
//! the first 4 KiB are zero. The second one finds data of applications that use the device without a filesystem. It looks
//! no further because making ext4 may be cut short (by the loss of the node, say) after it has written its tables behind
//! those 4 KiB and before its superblock within them; the next node has to be able to begin again.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use super::devices::{beginning, io_error};
use super::programs::{BLKID, MKFS_EXT4, MKFS_XFS};
use super::xfs;
use crate::node::host::{Content, Device, Filesystem, HostError, Result};

/// How much is looked at.
const LOOK: u64 = 4096;
/// Where the features of an ext4 begin that it can't be mounted without knowing.
const EXT4_FEATURES: usize = 1024 + 0x60;
/// The one among them that stands for a journal to be replayed.
const EXT4_RECOVER: u8 = 4;
/// Where XFS notes that its making has not come to an end.
const XFS_IN_PROGRESS: usize = 126;

/// What is on a device.
pub(super) async fn content(device: &Device) -> Result<Content> {
    let path = device.path.clone();
    let start = super::blocking("read a device", move || beginning(&path, LOOK)).await?;
    let outcome = BLKID.run(&["-p".as_ref(), "-o".as_ref(), "export".as_ref(), device.path.as_os_str()]).await?;
    match outcome.code() {
        Some(0) => Ok(known(&outcome.output, &start)),
        // Nothing found. It says the same of a device that it can't read; but that was read just now.
        Some(2) => Ok(unknown(&start)),
        Some(8) => Ok(Content::Other("signatures that contradict one another".to_owned())),
        _ => Err(outcome.error()),
    }
}

fn known(report: &str, start: &[u8]) -> Content {
    let value = |key: &str| report.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    match (value("TYPE"), value("PTTYPE")) {
        (Some("xfs"), _) if start.starts_with(b"XFSB") && start.get(XFS_IN_PROGRESS) == Some(&1) => Content::Blank,
        (Some(kind), _) => match Filesystem::named(kind) {
            Some(filesystem) => Content::Filesystem(filesystem),
            None => Content::Other(kind.to_owned()),
        },
        (None, Some(table)) => Content::Other(format!("a partition table ({table})")),
        (None, None) => unknown(start),
    }
}

fn unknown(start: &[u8]) -> Content {
    // A device of no bytes proves nothing.
    if !start.is_empty() && start.iter().all(|byte| *byte == 0) {
        Content::Blank
    } else {
        Content::Other("data without a known signature".to_owned())
    }
}

/// Whether an ext4 has a journal to be replayed.
pub(super) async fn ext4_needs_recovery(device: &Device) -> Result<bool> {
    let path = device.path.clone();
    let start = super::blocking("read a device", move || beginning(&path, LOOK)).await?;
    let features = start.get(EXT4_FEATURES);
    let too_short = || HostError::Refused(format!("{} is too short to hold an ext4", device.path.display()));
    Ok(features.ok_or_else(too_short)? & EXT4_RECOVER != 0)
}

/// Makes a filesystem on a blank device.
pub(super) async fn format(device: &Device, filesystem: Filesystem, options: &[String]) -> Result<()> {
    // Looked at here once more, whatever the caller saw: there is no way back from this.
    let content = content(device).await?;
    if content != Content::Blank {
        return Err(HostError::Refused(format!(
            "{} ({}) is not formatted, for it is not blank: {content:?}",
            device.path.display(),
            device.serial
        )));
    }
    let path = device.path.clone();
    super::blocking("clear a device", move || clear(&path)).await?;
    let features = match filesystem {
        Filesystem::Ext4 => Vec::new(),
        Filesystem::Xfs => xfs::options(options).await?,
    };
    let mut arguments: Vec<&str> = match filesystem {
        // -F: a whole disk is not a mistake. Nothing is kept for root, and a new disk has nothing to discard.
        Filesystem::Ext4 => vec!["-F", "-m", "0", "-E", "nodiscard"],
        Filesystem::Xfs => vec!["-K"],
    };
    arguments.extend(features.iter().map(String::as_str));
    arguments.extend(options.iter().map(String::as_str));
    let path = device.path.to_string_lossy();
    arguments.push(&path);
    let program = match filesystem {
        Filesystem::Ext4 => MKFS_EXT4,
        Filesystem::Xfs => MKFS_XFS,
    };
    program.succeed(&arguments).await.map(drop)
}

/// Removes the mark of an XFS whose making was cut short: its program refuses to write over that.
fn clear(path: &Path) -> Result<()> {
    if beginning(path, LOOK)?.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    let mut file = OpenOptions::new().write(true).open(path).map_err(io_error("open", path))?;
    file.write_all(&[0; LOOK as usize]).and_then(|()| file.sync_all()).map_err(io_error("clear", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zeros() -> Vec<u8> {
        vec![0; LOOK as usize]
    }

    #[test]
    fn a_filesystem_that_can_be_mounted_is_told_from_everything_else() {
        let of = |report: &str| known(report, &zeros());
        assert_eq!(
            of("DEVNAME=/dev/vdb\nUUID=1\nTYPE=ext4\nUSAGE=filesystem\n"),
            Content::Filesystem(Filesystem::Ext4)
        );
        assert_eq!(of("TYPE=xfs\n"), Content::Filesystem(Filesystem::Xfs));
        for (report, word) in [("TYPE=LVM2_member\n", "LVM2_member"), ("TYPE=ext3\n", "ext3"), ("PTTYPE=gpt\n", "gpt")]
        {
            let Content::Other(what) = of(report) else { panic!("{report}") };
            assert!(what.contains(word), "{what}");
        }
    }

    #[test]
    fn only_zeros_without_a_signature_are_blank() {
        assert_eq!(unknown(&zeros()), Content::Blank);
        assert_eq!(known("DEVNAME=/dev/vdb\n", &zeros()), Content::Blank);
        let mut data = zeros();
        data[4095] = 1;
        assert!(matches!(unknown(&data), Content::Other(_)));
        assert!(matches!(unknown(&[]), Content::Other(_)));
    }

    #[test]
    fn an_xfs_that_was_not_finished_is_blank() {
        let mut start = zeros();
        start[..4].copy_from_slice(b"XFSB");
        assert_eq!(known("TYPE=xfs\n", &start), Content::Filesystem(Filesystem::Xfs));
        start[XFS_IN_PROGRESS] = 1;
        assert_eq!(known("TYPE=xfs\n", &start), Content::Blank);
        assert_eq!(known("TYPE=ext4\n", &start), Content::Filesystem(Filesystem::Ext4));
    }
}

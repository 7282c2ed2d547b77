//! What a new XFS is made without, so that the node's kernel can mount it.
//!
//! `mkfs.xfs` comes with the driver and turns on what the kernels of its own time know. An older kernel refuses to mount
//! that, or mounts it read-only.

use std::fs;
use std::path::Path;

use super::devices::io_error;
use super::programs::MKFS_XFS;
use crate::node::host::{HostError, Result};

type Version = (u32, u32);

/// A feature that is made without being asked for.
struct Feature {
    flag: &'static str,
    name: &'static str,
    /// The first kernel that mounts it.
    kernel: Version,
    /// The first `mkfs.xfs` that makes it by itself. Older ones may not know its name.
    program: Version,
}

const FEATURES: [Feature; 4] = [
    Feature { flag: "-m", name: "reflink", kernel: (4, 16), program: (5, 1) },
    Feature { flag: "-m", name: "bigtime", kernel: (5, 10), program: (5, 15) },
    Feature { flag: "-m", name: "inobtcount", kernel: (5, 10), program: (5, 15) },
    Feature { flag: "-i", name: "nrext64", kernel: (5, 19), program: (6, 5) },
];

/// The options that leave out what this machine's kernel can't mount. Features that are named in `given` are left to it.
pub(super) async fn options(given: &[String]) -> Result<Vec<String>> {
    let path = Path::new("/proc/sys/kernel/osrelease");
    let kernel = version(&fs::read_to_string(path).map_err(io_error("read", path))?)?;
    if FEATURES.iter().all(|feature| kernel >= feature.kernel) {
        return Ok(Vec::new());
    }
    let program = version(&MKFS_XFS.succeed(&["-V"]).await?)?;
    Ok(leave_out(kernel, program, given))
}

fn leave_out(kernel: Version, program: Version, given: &[String]) -> Vec<String> {
    FEATURES
        .iter()
        .filter(|feature| kernel < feature.kernel && program >= feature.program)
        .filter(|feature| !given.iter().any(|option| option.contains(feature.name)))
        .flat_map(|feature| [feature.flag.to_owned(), format!("{}=0", feature.name)])
        .collect()
}

/// The first version in a text such as `5.4.119-19-0009` or `mkfs.xfs version 6.1.0`.
fn version(text: &str) -> Result<Version> {
    let read = |word: &str| {
        let mut parts = word.split(|letter: char| !letter.is_ascii_digit());
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    let unreadable = || HostError::Refused(format!("no version can be read from `{}`", text.trim()));
    text.split_whitespace().find_map(read).ok_or_else(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(kernel: Version, program: Version, given: &[&str]) -> String {
        let given: Vec<String> = given.iter().map(|option| (*option).to_owned()).collect();
        leave_out(kernel, program, &given).join(" ")
    }

    #[test]
    fn an_older_kernel_gets_what_it_can_mount() {
        assert_eq!(without((6, 1), (6, 12), &[]), "");
        assert_eq!(without((5, 10), (6, 1), &[]), "");
        assert_eq!(without((5, 10), (6, 12), &[]), "-i nrext64=0");
        assert_eq!(without((5, 4), (6, 1), &[]), "-m bigtime=0 -m inobtcount=0");
        assert_eq!(without((3, 10), (6, 1), &[]), "-m reflink=0 -m bigtime=0 -m inobtcount=0");
    }

    #[test]
    fn an_older_program_is_told_nothing_that_it_does_not_know() {
        assert_eq!(without((3, 10), (5, 10), &[]), "-m reflink=0");
        assert_eq!(without((3, 10), (4, 5), &[]), "");
    }

    #[test]
    fn what_the_class_says_is_not_said_twice() {
        assert_eq!(without((5, 4), (6, 1), &["-m", "crc=1,bigtime=1"]), "-m inobtcount=0");
    }

    #[test]
    fn versions_are_read_as_they_are_written() {
        assert_eq!(version("5.4.119-19-0009.11\n").unwrap(), (5, 4));
        assert_eq!(version("mkfs.xfs version 6.1.0\n").unwrap(), (6, 1));
        assert_eq!(version("3.10.0-1160.el7.x86_64").unwrap(), (3, 10));
        assert!(version("none").is_err());
    }
}

//! Reading `/proc/self/mountinfo`: what is mounted where in this process's view.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::node::host::DeviceNumber;

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The mount's number.
    pub(super) id: u64,
    /// The number of the mount that it is on.
    pub(super) parent: u64,
    /// The device of the filesystem.
    pub(super) device: DeviceNumber,
    /// Which directory or file of the filesystem is shown.
    pub(super) root: PathBuf,
    /// Where it is shown.
    pub(super) target: PathBuf,
    /// Options of this mount.
    pub(super) options: String,
    /// The kind of the filesystem.
    pub(super) kind: String,
    /// Options of the filesystem, the same for all its mounts.
    pub(super) super_options: String,
}

impl Entry {
    /// Whether this mount has an option.
    pub(super) fn has(&self, option: &str) -> bool {
        self.options.split(',').any(|each| each == option)
    }

    /// Whether the filesystem has an option.
    pub(super) fn super_has(&self, option: &str) -> bool {
        self.super_options.split(',').any(|each| each == option)
    }
}

/// All entries of the file. A line that makes no sense is an error: without it, something mounted would pass for free.
pub(super) fn parse(content: &[u8]) -> io::Result<Vec<Entry>> {
    content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(entry).collect()
}

/// What is on top at a path: of several mounts the one that no other of them is on.
pub(super) fn topmost<'a>(entries: &'a [Entry], path: &Path) -> Option<&'a Entry> {
    let here = || entries.iter().filter(|entry| entry.target == path);
    here().rfind(|entry| !here().any(|other| other.parent == entry.id && other.id != entry.id))
}

fn entry(line: &[u8]) -> io::Result<Entry> {
    read(line).ok_or_else(|| {
        let message = format!("mountinfo has a line that makes no sense: {}", String::from_utf8_lossy(line));
        io::Error::new(io::ErrorKind::InvalidData, message)
    })
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw`, with any number of fields before the dash.
fn read(line: &[u8]) -> Option<Entry> {
    let mut fields = line.split(|byte| *byte == b' ');
    let id = number(fields.next()?)?;
    let parent = number(fields.next()?)?;
    let device = device(fields.next()?)?;
    let root = path(fields.next()?)?;
    let target = path(fields.next()?)?;
    let options = text(fields.next()?);
    fields.find(|field| *field == b"-")?;
    let kind = text(fields.next()?);
    let _source = fields.next()?;
    let super_options = text(fields.next()?);
    Some(Entry { id, parent, device, root, target, options, kind, super_options })
}

fn number(field: &[u8]) -> Option<u64> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

/// `major:minor`, also as sysfs writes it.
pub(super) fn device(field: &[u8]) -> Option<DeviceNumber> {
    let (major, minor) = std::str::from_utf8(field).ok()?.split_once(':')?;
    Some(DeviceNumber { major: major.parse().ok()?, minor: minor.parse().ok()? })
}

fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(&unescape(field)).into_owned()
}

fn path(field: &[u8]) -> Option<PathBuf> {
    let path = PathBuf::from(OsString::from_vec(unescape(field)));
    (!path.as_os_str().is_empty()).then_some(path)
}

/// Blanks, line ends and backslashes stand there as a backslash and three octal digits.
fn unescape(mut field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    while let Some((first, rest)) = field.split_first() {
        match (*first == b'\\').then(|| octal(rest)).flatten() {
            Some((byte, rest)) => {
                plain.push(byte);
                field = rest;
            }
            None => {
                plain.push(*first);
                field = rest;
            }
        }
    }
    plain
}

fn octal(field: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, rest) = field.split_at_checked(3)?;
    let value = digits
        .iter()
        .try_fold(0_u16, |value, digit| matches!(digit, b'0'..=b'7').then(|| value * 8 + u16::from(digit - b'0')))?;
    Some((u8::try_from(value).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Vec<Entry> {
        parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_staged_and_a_published_volume_are_read() {
        let entries = parsed(
            "2481 29 252:16 / /var/lib/kubelet/plugins/kubernetes.io/csi/pv/globalmount rw,noatime shared:971 - ext4 /dev/vdb rw,discard\n\
             2482 29 252:16 / /var/lib/kubelet/pods/1/volumes/a\\040b/mount ro,noatime shared:971 master:2 - ext4 /dev/vdb rw\n\
             2483 29 0:6 /vdc /var/lib/kubelet/dev rw - devtmpfs udev rw,size=1k\n",
        );
        assert_eq!(entries.len(), 3);
        assert_eq!(entries[0].device, DeviceNumber { major: 252, minor: 16 });
        assert!(entries[0].has("rw") && entries[0].has("noatime") && !entries[0].has("ro"));
        assert!(entries[0].super_has("discard"));
        assert_eq!(entries[1].target, Path::new("/var/lib/kubelet/pods/1/volumes/a b/mount"));
        assert!(entries[1].has("ro") && entries[1].super_has("rw"));
        assert_eq!((entries[2].kind.as_str(), entries[2].root.as_path()), ("devtmpfs", Path::new("/vdc")));
    }

    #[test]
    fn of_mounts_over_one_another_the_upper_one_is_seen() {
        // Newer kernels list mounts in no order that says which was first.
        let entries = parsed("7 6 8:2 / /t rw - ext4 x rw\n6 1 8:1 / /t rw - ext4 x rw\n1 0 8:0 / / rw - ext4 x rw\n");
        assert_eq!(topmost(&entries, Path::new("/t")).unwrap().id, 7);
        assert_eq!(topmost(&entries, Path::new("/")).unwrap().id, 1);
        assert_eq!(topmost(&entries, Path::new("/u")), None);
    }

    #[test]
    fn the_file_of_this_machine_is_read() {
        let entries = parse(&std::fs::read("/proc/self/mountinfo").unwrap()).unwrap();
        assert_eq!(topmost(&entries, Path::new("/proc")).map(|entry| entry.kind.as_str()), Some("proc"));
    }

    #[test]
    fn a_line_that_makes_no_sense_is_an_error_that_shows_it() {
        for line in ["x", "1 2 3 / / rw - ext4 a rw", "1 2 8:1 / /t rw ext4 a rw", "1 2 8:1 / /t rw - ext4 a"] {
            let error = parse(format!("1 0 8:0 / / rw - ext4 x rw\n{line}\n").as_bytes()).unwrap_err();
            assert!(error.to_string().contains(line), "{error}");
        }
    }

    fn escape(bytes: &[u8]) -> Vec<u8> {
        let mut escaped = Vec::new();
        for byte in bytes {
            if b" \t\n\\#".contains(byte) {
                escaped.extend(format!("\\{byte:03o}").bytes());
            } else {
                escaped.push(*byte);
            }
        }
        escaped
    }

    proptest! {
        #[test]
        fn whatever_paths_are_mounted_they_are_read_back(
            root in proptest::collection::vec(1_u8.., 0..20),
            target in proptest::collection::vec(1_u8.., 0..20),
            optional in 0_usize..3,
            (major, minor) in (any::<u32>(), any::<u32>()),
        ) {
            let path = |bytes: &[u8]| [b"/", bytes].concat();
            let (root, target) = (path(&root), path(&target));
            let mut line = format!("5 4 {major}:{minor} ").into_bytes();
            line.extend(escape(&root));
            line.push(b' ');
            line.extend(escape(&target));
            line.extend(format!(" rw,nosuid {}- xfs /dev/x rw,inode64\n", "shared:1 ".repeat(optional)).bytes());
            let entries = parse(&line).unwrap();
            prop_assert_eq!(entries.len(), 1);
            prop_assert_eq!(entries[0].root.as_os_str().as_bytes(), &root[..]);
            prop_assert_eq!(entries[0].target.as_os_str().as_bytes(), &target[..]);
            prop_assert_eq!(entries[0].device, DeviceNumber { major, minor });
            prop_assert_eq!(&entries[0].kind, "xfs");
        }

        #[test]
        fn no_content_makes_it_panic(content in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&content);
        }
    }
}

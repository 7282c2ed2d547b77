//! What requests ask for, once it is checked.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use tonic::Status;

use super::host::Filesystem;
use crate::capability;
use crate::driver::{DEVICE_SERIAL, FS_TYPE, MKFS_OPTIONS};
use crate::fields;
use crate::proto::VolumeCapability;
use crate::proto::volume_capability::AccessType;

/// Options of `mount` that would do something else than mount this volume.
const NOT_OURS: [&str; 14] = [
    "bind",
    "rbind",
    "move",
    "remount",
    "loop",
    "private",
    "rprivate",
    "shared",
    "rshared",
    "slave",
    "rslave",
    "unbindable",
    "user",
    "users",
];

/// How a volume is to be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// As what.
    pub(super) kind: Kind,
    /// To be read only.
    pub(super) read_only: bool,
    /// Other nodes may have it at the same time.
    pub(super) shared: bool,
    /// It may be published at several targets of this node.
    pub(super) several_targets: bool,
}

/// As what a volume is to be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A raw device.
    Device,
    /// A filesystem.
    Filesystem(Mounting),
}

/// How a filesystem is to be made and mounted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mounting {
    /// Which, if that matters to anybody.
    pub(super) filesystem: Option<Filesystem>,
    /// Options to mount it with, without those that say whether it is read-only.
    pub(super) options: Vec<String>,
    /// Options for the program that makes it.
    pub(super) format_options: Vec<String>,
}

impl Wish {
    /// Reads what a request says.
    pub(super) fn read(
        capability: Option<&VolumeCapability>,
        volume_context: &BTreeMap<String, String>,
        read_only: bool,
    ) -> Result<Self, Status> {
        fields::map("volume_context", volume_context)?;
        let wanted = capability::read_one(capability)?;
        let mut wish = Self {
            kind: Kind::Device,
            read_only: read_only || wanted.access(false).read_only,
            shared: wanted.is_shared(),
            several_targets: wanted.allows_several_targets(),
        };
        if let Some(AccessType::Mount(mount)) = capability.and_then(|capability| capability.access_type.as_ref()) {
            let name = Some(mount.fs_type.as_str()).filter(|name| !name.is_empty());
            let name = name.or_else(|| volume_context.get(FS_TYPE).map(String::as_str)).filter(|name| !name.is_empty());
            let (options, says_read_only) = options(&mount.mount_flags)?;
            wish.read_only |= says_read_only;
            wish.kind = Kind::Filesystem(Mounting {
                filesystem: name.map(filesystem).transpose()?,
                options,
                format_options: volume_context.get(MKFS_OPTIONS).map(|text| words(text)).unwrap_or_default(),
            });
        }
        Ok(wish)
    }
}

fn filesystem(name: &str) -> Result<Filesystem, Status> {
    Filesystem::named(name)
        .ok_or_else(|| Status::invalid_argument(format!("the filesystem `{name}` is not one of ext4 and xfs")))
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Mount options one by one, and whether the last of those that say so says read-only.
fn options(flags: &[String]) -> Result<(Vec<String>, bool), Status> {
    let mut options: Vec<String> = Vec::new();
    let mut read_only = false;
    for option in flags.iter().flat_map(|flag| flag.split(',')).map(str::trim).filter(|option| !option.is_empty()) {
        match option {
            "ro" => read_only = true,
            "rw" => read_only = false,
            _ if option.split('=').next().is_some_and(|name| NOT_OURS.contains(&name)) => {
                return Err(Status::invalid_argument(format!(
                    "the mount option `{option}` can't be used for a volume"
                )));
            }
            _ if option.chars().any(char::is_control) => {
                return Err(Status::invalid_argument("a mount option has a control character in it"));
            }
            _ if options.iter().any(|known| known == option) => {}
            _ => options.push(option.to_owned()),
        }
    }
    Ok((options, read_only))
}

/// A path that something is to be done to. It has to be one that the kernel and we read the same way.
pub(super) fn path(name: &str, value: &str) -> Result<PathBuf, Status> {
    fields::path(name, value)?;
    let path = Path::new(value);
    if !path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
        return Err(Status::invalid_argument(format!("{name} has to be an absolute path without `..`: {value}")));
    }
    // Without slashes at the end or twice.
    Ok(path.components().collect())
}

/// Checks that the controller attached what the node will look for.
pub(super) fn same_serial(volume: &str, publish_context: &BTreeMap<String, String>) -> Result<(), Status> {
    fields::map("publish_context", publish_context)?;
    match publish_context.get(DEVICE_SERIAL) {
        Some(serial) if serial != volume => Err(Status::failed_precondition(format!(
            "the controller attached the device {serial}, and the serial number of {volume} should be its id"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;
    use crate::proto::volume_capability::access_mode::Mode;
    use crate::proto::volume_capability::{AccessMode, BlockVolume, MountVolume};

    fn read(mode: Mode, fs_type: &str, flags: &[&str], context: &[(&str, &str)]) -> Result<Wish, Status> {
        let mount = MountVolume {
            fs_type: fs_type.to_owned(),
            mount_flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            ..MountVolume::default()
        };
        let capability = VolumeCapability {
            access_mode: Some(AccessMode { mode: mode.into() }),
            access_type: Some(AccessType::Mount(mount)),
        };
        let context = context.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Wish::read(Some(&capability), &context, false)
    }

    fn mounting(wish: Wish) -> Mounting {
        let Kind::Filesystem(mounting) = wish.kind else { panic!("{wish:?}") };
        mounting
    }

    #[test]
    fn the_capability_wins_over_the_storage_class() {
        let class = [(FS_TYPE, "xfs"), (MKFS_OPTIONS, " -N  4096 ")];
        let wish = mounting(read(Mode::SingleNodeWriter, "ext4", &[], &class).unwrap());
        assert_eq!(wish.filesystem, Some(Filesystem::Ext4));
        assert_eq!(wish.format_options, ["-N", "4096"]);
        let wish = mounting(read(Mode::SingleNodeWriter, "", &[], &class).unwrap());
        assert_eq!(wish.filesystem, Some(Filesystem::Xfs));
        assert_eq!(mounting(read(Mode::SingleNodeWriter, "", &[], &[]).unwrap()).filesystem, None);
        let unknown = read(Mode::SingleNodeWriter, "", &[], &[(FS_TYPE, "ntfs")]).unwrap_err();
        assert_eq!(unknown.code(), Code::InvalidArgument);
    }

    #[test]
    fn read_only_is_what_the_mode_or_the_options_say() {
        let of = |mode, flags: &[&str]| read(mode, "", flags, &[]).unwrap().read_only;
        assert!(!of(Mode::SingleNodeWriter, &[]));
        assert!(of(Mode::SingleNodeReaderOnly, &[]));
        assert!(of(Mode::MultiNodeReaderOnly, &["rw"]));
        assert!(of(Mode::SingleNodeWriter, &["noatime,ro"]));
        assert!(!of(Mode::SingleNodeWriter, &["ro", "rw"]));
    }

    #[test]
    fn options_come_one_by_one_and_each_once() {
        let wish =
            mounting(read(Mode::SingleNodeWriter, "", &["noatime,discard", " nodev ", "discard", "rw"], &[]).unwrap());
        assert_eq!(wish.options, ["noatime", "discard", "nodev"]);
        for bad in ["bind", "noatime,remount", "loop=/dev/loop1", "a\nb"] {
            let status = read(Mode::SingleNodeWriter, "", &[bad], &[]).unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{bad}");
        }
    }

    #[test]
    fn who_may_have_it_beside_follows_the_mode() {
        let of = |mode| {
            let capability = VolumeCapability {
                access_mode: Some(AccessMode { mode: i32::from(mode) }),
                access_type: Some(AccessType::Block(BlockVolume {})),
            };
            let wish = Wish::read(Some(&capability), &BTreeMap::new(), false).unwrap();
            (wish.shared, wish.several_targets)
        };
        assert_eq!(of(Mode::SingleNodeWriter), (false, false));
        assert_eq!(of(Mode::SingleNodeSingleWriter), (false, false));
        assert_eq!(of(Mode::SingleNodeMultiWriter), (false, true));
        assert_eq!(of(Mode::MultiNodeReaderOnly), (true, true));
        assert_eq!(of(Mode::MultiNodeMultiWriter), (true, true));
    }

    #[test]
    fn paths_are_absolute_and_plain() {
        assert_eq!(path("target_path", "/a//b/./c/").unwrap(), Path::new("/a/b/c"));
        for bad in ["", "a/b", "/a/../b"] {
            assert_eq!(path("target_path", bad).unwrap_err().code(), Code::InvalidArgument, "{bad}");
        }
    }
}

//! Volume capabilities: which ones there are, and what they ask of the cloud.

use qcloud_container::kubernetes::volumes::{Access, Others, Volume};
use tonic::Status;

use crate::fields;
use crate::node::host::Filesystem;
use crate::proto::VolumeCapability;
use crate::proto::volume_capability::AccessType;
use crate::proto::volume_capability::access_mode::Mode;

/// The most bytes of all mount flags.
const FLAGS: usize = 4096;

/// What a capability asks for, as far as it matters to the cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// Whether the volume is used as a raw device.
    pub block: bool,
    mode: Mode,
}

impl Use {
    /// Reads a capability.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when it is incomplete, or nothing that a disk can do.
    pub fn read(capability: &VolumeCapability) -> Result<Self, Status> {
        let mode = capability.access_mode.as_ref().map_or(Mode::Unknown, |access| access.mode());
        if mode == Mode::Unknown {
            return Err(Status::invalid_argument("a volume capability has no access mode that is known"));
        }
        let block = match &capability.access_type {
            None => return Err(Status::invalid_argument("a volume capability has neither `block` nor `mount`")),
            Some(AccessType::Block(_)) => true,
            Some(AccessType::Mount(mount)) => {
                fields::optional("fs_type", &mount.fs_type)?;
                fields::optional("volume_mount_group", &mount.volume_mount_group)?;
                if mount.mount_flags.iter().map(String::len).sum::<usize>() > FLAGS {
                    return Err(Status::invalid_argument(format!("mount_flags have more than {FLAGS} bytes")));
                }
                if !mount.fs_type.is_empty() && Filesystem::named(&mount.fs_type).is_none() {
                    let message = format!("the file system `{}` is not ext4 or xfs", mount.fs_type);
                    return Err(Status::invalid_argument(message));
                }
                false
            }
        };
        let read = Self { block, mode };
        if !block && matches!(mode, Mode::MultiNodeSingleWriter | Mode::MultiNodeMultiWriter) {
            return Err(Status::invalid_argument(
                "ext4 and xfs break when one node writes what another has mounted: use the volume as a block device",
            ));
        }
        Ok(read)
    }

    /// Whether several nodes are to have the volume at a time.
    #[must_use]
    pub fn is_shared(self) -> bool {
        self.access(false).is_shared()
    }

    /// Whether a node may have the volume at several places at a time.
    #[must_use]
    pub fn allows_several_targets(self) -> bool {
        self.is_shared() || self.mode == Mode::SingleNodeMultiWriter
    }

    /// How a node uses the volume.
    #[must_use]
    pub fn access(self, read_only: bool) -> Access {
        match self.mode {
            Mode::SingleNodeReaderOnly => Access::SINGLE_READER,
            Mode::MultiNodeReaderOnly => Access::READER,
            Mode::MultiNodeSingleWriter if read_only => Access::READER_BESIDE_WRITER,
            Mode::MultiNodeSingleWriter => Access::WRITER_AMONG_READERS,
            Mode::MultiNodeMultiWriter => {
                let mut access = Access::SHARED_WRITER;
                access.read_only = read_only;
                access
            }
            _ if read_only => Access::SINGLE_READER,
            _ => Access::SINGLE_WRITER,
        }
    }

    /// Why a volume can't be used so, if it can't.
    #[must_use]
    pub fn refusal(self, volume: &Volume) -> Option<String> {
        (self.access(false).others != Others::None && !volume.shareable)
            .then(|| format!("the volume {} can't be shared by several nodes", volume.id))
    }
}

/// Reads the capabilities of a request, of which there has to be one at least.
///
/// # Errors
/// `INVALID_ARGUMENT`, as for one.
pub fn read_all(capabilities: &[VolumeCapability]) -> Result<Vec<Use>, Status> {
    if capabilities.is_empty() {
        return Err(Status::invalid_argument("volume_capabilities are missing"));
    }
    capabilities.iter().map(Use::read).collect()
}

/// Reads the capability of a request, which has to be there.
///
/// # Errors
/// `INVALID_ARGUMENT`, as for one.
pub fn read_one(capability: Option<&VolumeCapability>) -> Result<Use, Status> {
    Use::read(capability.ok_or_else(|| Status::invalid_argument("volume_capability is missing"))?)
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;
    use crate::proto::volume_capability::{AccessMode, BlockVolume, MountVolume};

    fn capability(mode: Mode, access: Option<AccessType>) -> VolumeCapability {
        VolumeCapability { access_mode: Some(AccessMode { mode: mode.into() }), access_type: access }
    }

    fn block(mode: Mode) -> VolumeCapability {
        capability(mode, Some(AccessType::Block(BlockVolume {})))
    }

    fn mount(mode: Mode, fs_type: &str) -> VolumeCapability {
        let mount = MountVolume { fs_type: fs_type.to_owned(), ..MountVolume::default() };
        capability(mode, Some(AccessType::Mount(mount)))
    }

    #[test]
    fn each_mode_says_who_else_may_have_the_volume() {
        let access = |mode, read_only| Use::read(&block(mode)).unwrap().access(read_only);
        for mode in [Mode::SingleNodeWriter, Mode::SingleNodeSingleWriter, Mode::SingleNodeMultiWriter] {
            assert_eq!(access(mode, false), Access::SINGLE_WRITER);
            assert_eq!(access(mode, true), Access::SINGLE_READER);
        }
        assert_eq!(access(Mode::SingleNodeReaderOnly, false), Access::SINGLE_READER);
        assert_eq!(access(Mode::MultiNodeReaderOnly, false), Access::READER);
        assert_eq!(access(Mode::MultiNodeSingleWriter, false), Access::WRITER_AMONG_READERS);
        assert_eq!(access(Mode::MultiNodeSingleWriter, true), Access::READER_BESIDE_WRITER);
        assert_eq!(access(Mode::MultiNodeMultiWriter, false), Access::SHARED_WRITER);
        assert!(access(Mode::MultiNodeMultiWriter, true).read_only);
    }

    #[test]
    fn what_is_incomplete_or_would_break_data_is_refused() {
        let mut without_mode = block(Mode::SingleNodeWriter);
        without_mode.access_mode = None;
        for bad in [
            without_mode,
            block(Mode::Unknown),
            capability(Mode::SingleNodeWriter, None),
            mount(Mode::SingleNodeWriter, "ntfs"),
            mount(Mode::SingleNodeWriter, &"x".repeat(129)),
            mount(Mode::MultiNodeMultiWriter, "ext4"),
            mount(Mode::MultiNodeSingleWriter, ""),
        ] {
            assert_eq!(Use::read(&bad).unwrap_err().code(), Code::InvalidArgument, "{bad:?}");
        }
        assert!(Use::read(&mount(Mode::MultiNodeReaderOnly, "xfs")).is_ok());
        assert!(read_all(&[]).is_err());
        assert!(read_one(None).is_err());
    }

    #[test]
    fn a_disk_of_one_node_is_not_confirmed_for_several() {
        let mut volume = Volume::new("disk-1", 0);
        let shared = Use::read(&block(Mode::MultiNodeMultiWriter)).unwrap();
        assert!(shared.refusal(&volume).unwrap().contains("disk-1"));
        volume.shareable = true;
        assert_eq!(shared.refusal(&volume), None);
    }
}

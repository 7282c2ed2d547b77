//! What a cloud can do with volumes beside making, listing and attaching them.

/// What an implementation of [`Volumes`](super::Volumes) can do. What it can't is
/// [`ErrorKind::Unsupported`](crate::kubernetes::ErrorKind::Unsupported); a controller does not offer it in the first
/// place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VolumeCapabilities {
    /// Volumes can grow: [`expand`](super::Volumes::expand).
    pub expand: bool,
    /// Properties of volumes can be changed: [`modify`](super::Volumes::modify).
    pub modify: bool,
    /// It is known what new volumes can have: [`capacity`](super::Volumes::capacity).
    pub capacity: bool,
    /// Snapshots can be taken, listed and deleted, and volumes made from them.
    pub snapshots: bool,
}

impl VolumeCapabilities {
    /// No more than every cloud can; set the fields of what this one can.
    pub const NONE: Self = Self { expand: false, modify: false, capacity: false, snapshots: false };
}

impl Default for VolumeCapabilities {
    /// Everything.
    fn default() -> Self {
        Self { expand: true, modify: true, capacity: true, snapshots: true }
    }
}

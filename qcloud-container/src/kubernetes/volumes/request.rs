//! What is asked for.

use std::collections::BTreeMap;

use super::{SizeRange, ZoneRequirement};

/// A volume that is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VolumeRequest {
    /// Its name: what makes the request repeatable.
    pub name: String,
    /// Its size.
    pub size: SizeRange,
    /// Where it may be.
    pub zones: ZoneRequirement,
    /// Whether several nodes are to have it at a time.
    pub shareable: bool,
    /// The snapshot that it is to be made from.
    pub source: Option<String>,
    /// The parameters of its storage class, in the provider's words.
    pub parameters: BTreeMap<String, String>,
}

impl VolumeRequest {
    /// A volume of this name and size, anywhere, with the provider's defaults.
    pub fn new(name: impl Into<String>, size: SizeRange) -> Self {
        Self { name: name.into(), size, ..Self::default() }
    }

    /// Restricts the zones.
    #[must_use]
    pub fn zones(mut self, zones: ZoneRequirement) -> Self {
        self.zones = zones;
        self
    }

    /// Makes it one that several nodes can have at a time.
    #[must_use]
    pub fn shareable(mut self) -> Self {
        self.shareable = true;
        self
    }

    /// Makes it from a snapshot.
    #[must_use]
    pub fn source(mut self, snapshot: impl Into<String>) -> Self {
        self.source = Some(snapshot.into());
        self
    }

    /// Adds a parameter.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.insert(name.into(), value.into());
        self
    }
}

/// A snapshot that is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotRequest {
    /// Its name: what makes the request repeatable.
    pub name: String,
    /// The volume that it is taken of.
    pub volume: String,
}

impl SnapshotRequest {
    /// A snapshot of this name of a volume.
    pub fn new(name: impl Into<String>, volume: impl Into<String>) -> Self {
        Self { name: name.into(), volume: volume.into() }
    }
}

/// Which snapshots to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotFilter {
    /// Only those of this volume.
    pub volume: Option<String>,
}

impl SnapshotFilter {
    /// Those of one volume.
    pub fn of_volume(volume: impl Into<String>) -> Self {
        Self { volume: Some(volume.into()) }
    }
}

/// A question for what new volumes can have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CapacityRequest {
    /// In this zone; in any when none is given.
    pub zone: Option<String>,
    /// The parameters of a storage class.
    pub parameters: BTreeMap<String, String>,
}

impl CapacityRequest {
    /// In one zone, with the provider's defaults.
    pub fn in_zone(zone: impl Into<String>) -> Self {
        Self { zone: Some(zone.into()), parameters: BTreeMap::new() }
    }
}

/// What new volumes can have, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capacity {
    /// How much there is: 0 when sold out. A cloud that does not tell says the size of the largest volume.
    pub available: u64,
    /// The smallest volume.
    pub smallest: u64,
    /// The largest volume.
    pub largest: u64,
}

impl Capacity {
    /// Capacity from its numbers, in bytes.
    #[must_use]
    pub fn new(available: u64, smallest: u64, largest: u64) -> Self {
        Self { available, smallest, largest }
    }
}

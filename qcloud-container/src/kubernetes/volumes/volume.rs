//! A volume as it is observed.

use std::collections::BTreeMap;
use std::time::SystemTime;

/// What is being done to a volume.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VolumeState {
    /// Nothing: it can be used.
    Ready,
    /// It is being attached to the last of its attachments.
    Attaching,
    /// It is being detached.
    Detaching,
    /// It is busy with something else; the cloud's word for it.
    Busy(String),
    /// It has been deleted and only waits for its end. It can't be used.
    Recycled,
}

/// A node that has a volume.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Attachment {
    /// The node, by the id that the cloud gives it.
    pub node: String,
    /// Whether it was attached for reading only.
    pub read_only: bool,
    /// What the node knows the device by, a serial number for instance.
    pub device: Option<String>,
}

impl Attachment {
    /// An attachment for reading and writing.
    pub fn new(node: impl Into<String>) -> Self {
        Self { node: node.into(), read_only: false, device: None }
    }
}

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Volume {
    /// The id that the cloud gave it.
    pub id: String,
    /// The name that it was requested with. Empty when this cluster did not make it.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// The zone that it is in: nodes of other zones can't have it.
    pub zone: String,
    /// The cloud's kind of storage.
    pub kind: String,
    /// Whether several nodes can have it at a time.
    pub shareable: bool,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The snapshot that it was made from.
    pub source: Option<String>,
    /// What is being done to it.
    pub state: VolumeState,
    /// The nodes that have it, or are about to have it or to lose it.
    pub attachments: Vec<Attachment>,
    /// When it was made.
    pub created: Option<SystemTime>,
    /// More properties, in the words of the request's parameters.
    pub properties: BTreeMap<String, String>,
}

impl Volume {
    /// A volume that is ready and attached to nothing; set the other fields as they are.
    pub fn new(id: impl Into<String>, size: u64) -> Self {
        Self {
            id: id.into(),
            name: String::new(),
            size,
            zone: String::new(),
            kind: String::new(),
            shareable: false,
            encrypted: false,
            source: None,
            state: VolumeState::Ready,
            attachments: Vec::new(),
            created: None,
            properties: BTreeMap::new(),
        }
    }

    /// The node's attachment.
    #[must_use]
    pub fn on(&self, node: &str) -> Option<&Attachment> {
        self.attachments.iter().find(|attachment| attachment.node == node)
    }

    /// The attachments of all other nodes.
    pub fn on_others<'a>(&'a self, node: &'a str) -> impl Iterator<Item = &'a Attachment> {
        self.attachments.iter().filter(move |attachment| attachment.node != node)
    }

    /// Whether nothing is under way.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        matches!(self.state, VolumeState::Ready | VolumeState::Recycled)
    }
}

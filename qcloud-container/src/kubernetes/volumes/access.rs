//! How a node may use a volume, and beside whom.

use super::Attachment;

/// What the other nodes that have a volume may do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Others {
    /// There must be none.
    None,
    /// They only read.
    Read,
    /// They read, and one of them may write.
    OneWrites,
    /// Whatever they like.
    Anything,
}

/// How a node uses a volume: CSI's access modes, seen from one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Access {
    /// Whether the node only reads.
    pub read_only: bool,
    /// Who else may have the volume.
    pub others: Others,
}

impl Access {
    /// The only node, reading and writing (`SINGLE_NODE_WRITER`).
    pub const SINGLE_WRITER: Self = Self { read_only: false, others: Others::None };
    /// The only node, reading (`SINGLE_NODE_READER_ONLY`).
    pub const SINGLE_READER: Self = Self { read_only: true, others: Others::None };
    /// One of many readers (`MULTI_NODE_READER_ONLY`).
    pub const READER: Self = Self { read_only: true, others: Others::Read };
    /// The writer among readers (`MULTI_NODE_SINGLE_WRITER`, not read-only).
    pub const WRITER_AMONG_READERS: Self = Self { read_only: false, others: Others::Read };
    /// A reader beside at most one writer (`MULTI_NODE_SINGLE_WRITER`, read-only).
    pub const READER_BESIDE_WRITER: Self = Self { read_only: true, others: Others::OneWrites };
    /// One of many writers (`MULTI_NODE_MULTI_WRITER`).
    pub const SHARED_WRITER: Self = Self { read_only: false, others: Others::Anything };

    /// Whether the volume can be shared with other nodes at all.
    #[must_use]
    pub fn is_shared(self) -> bool {
        self.others != Others::None
    }

    /// Whether this access is possible beside what other nodes have.
    #[must_use]
    pub fn fits_beside<'a>(self, others: impl IntoIterator<Item = &'a Attachment>) -> bool {
        let (mut present, mut writers) = (0_usize, 0_usize);
        for other in others {
            present += 1;
            writers += usize::from(!other.read_only);
        }
        match self.others {
            Others::None => present == 0,
            Others::Read => writers == 0,
            Others::OneWrites => writers <= 1,
            Others::Anything => true,
        }
    }
}

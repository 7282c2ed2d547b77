//! How disks and snapshots are named and tagged: the record of whose they are and what for.

use qcloud_cbs::model::Tag;
use sha2::{Digest, Sha256};

use super::{absent, invalid};
use crate::kubernetes::volumes::Attachment;
use crate::kubernetes::{ClusterIdentity, ErrorKind, ProviderError, Result};

pub use crate::provider::CLUSTER_TAG;

/// The tag with the name that a disk was requested with.
pub const VOLUME_TAG: &str = "qcloud-rs-volume";
/// The tag with the snapshot that a disk was made from.
pub const SOURCE_TAG: &str = "qcloud-rs-volume-source";
/// The tag with the name that a snapshot was requested with.
pub const SNAPSHOT_TAG: &str = "qcloud-rs-snapshot";

/// The names of a cluster's objects.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) cluster: ClusterIdentity,
}

impl Names {
    /// The name of the disk or snapshot of this requested name: at most 48 bytes, so that a mark fits behind it.
    pub(super) fn object(&self, name: &str) -> String {
        let readable: String = name
            .chars()
            .filter(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.'))
            .take(31)
            .collect();
        format!("{readable}-{}", digest(&[&self.cluster.uid, name], 16))
    }

    /// The client token of an order. The epoch tells apart orders for the same, where an earlier one is done with.
    pub(super) fn token(&self, name: &str, zone: &str, kind: &str, epoch: u32) -> String {
        digest(&[&self.cluster.uid, name, zone, kind, &epoch.to_string()], 40)
    }

    pub(super) fn disk_tags(&self, name: &str, source: Option<&str>) -> Vec<Tag> {
        let mut tags = vec![Tag::new(CLUSTER_TAG, &self.cluster.uid), Tag::new(VOLUME_TAG, name)];
        tags.extend(source.map(|source| Tag::new(SOURCE_TAG, source)));
        tags
    }

    pub(super) fn snapshot_tags(&self, name: &str) -> Vec<Tag> {
        vec![Tag::new(CLUSTER_TAG, &self.cluster.uid), Tag::new(SNAPSHOT_TAG, name)]
    }

    /// Whether this cluster made it.
    pub(super) fn are_ours(&self, tags: &[Tag]) -> bool {
        value(tags, CLUSTER_TAG) == Some(&self.cluster.uid)
    }
}

/// The value of a tag.
pub(super) fn value<'t>(tags: &'t [Tag], key: &str) -> Option<&'t str> {
    tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.as_str())
}

/// The first so many hexadecimal digits of a hash of all parts.
fn digest(parts: &[&str], digits: usize) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let mut text = hex::encode(hash.finalize());
    text.truncate(digits);
    text
}

/// What the name of a disk says about one of its attachments.
///
/// CBS does not record whether a disk is attached for reading only, so its name does, for whatever is not the rule: on a
/// shareable disk the nodes read and the marked one writes; on any other the node writes, unless it is marked as a
/// reader. A mark of a node that does not have the disk means nothing, so it need not be taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark<'n> {
    pub(super) node: &'n str,
    pub(super) read_only: bool,
}

/// Splits the name of a disk into the name proper and its mark.
pub(super) fn split_mark(name: &str) -> (&str, Option<Mark<'_>>) {
    let Some((base, mark)) = name.rsplit_once('+') else { return (name, None) };
    for (letter, read_only) in [("r", true), ("w", false)] {
        if let Some(node) = mark.strip_prefix(letter)
            && is_id(&format!("ins-{node}"), "ins")
        {
            return (base, Some(Mark { node, read_only }));
        }
    }
    (name, None)
}

/// The name of a disk with this mark.
pub(super) fn with_mark(name: &str, node: &str, read_only: bool) -> String {
    let (base, _) = split_mark(name);
    let node = node.strip_prefix("ins-").unwrap_or(node);
    let mut base = base.to_owned();
    while base.len() + node.len() + 2 > 60 {
        base.pop();
    }
    format!("{base}+{}{node}", if read_only { 'r' } else { 'w' })
}

/// The name of a shareable disk that any node may write to: no longer the name proper, so nobody is taken for a reader.
pub(super) fn shared(name: &str) -> String {
    format!("{name}+shared")
}

/// The attachment of a disk to an instance, as the disk's name says.
pub(super) fn attachment(name: &str, shareable: bool, disk: &str, node: &str) -> Attachment {
    let (_, mark) = split_mark(name);
    let marked = mark.filter(|mark| node.strip_prefix("ins-") == Some(mark.node) && mark.read_only != shareable);
    Attachment {
        node: node.to_owned(),
        read_only: marked.map_or(shareable, |mark| mark.read_only),
        device: Some(disk.to_owned()),
    }
}

/// Whether a text has the form of an id: one that has not names nothing, and would spoil a whole batch.
pub(super) fn is_id(id: &str, prefix: &str) -> bool {
    id.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-')).is_some_and(|rest| {
        rest.len() == 8 && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}

/// Refuses what may be meant as an id of this kind and has not its form: one of another length, or several of them, as
/// Tencent's driver names volumes of several disks. Of anything else it is certain that nothing has it.
///
/// # Errors
/// `InvalidArgument`: whether the object exists is not known.
pub(super) fn check_id(id: &str, prefix: &str) -> Result<()> {
    let lower = id.to_ascii_lowercase();
    if !is_id(id, prefix) && lower.contains(&format!("{prefix}-")) {
        return Err(invalid(format!("`{id}` is not one id like `{prefix}-1a2b3c4d`, and nothing is known of it")));
    }
    Ok(())
}

/// Refuses a node that disks can't be attached to.
pub(super) fn check_node(node: &str) -> Result<()> {
    if is_id(node, "ins") {
        return Ok(());
    }
    if is_id(node, "kn") || is_id(node, "eks") {
        let message = format!(
            "{node} is a native node of TKE: disks are attached to CVM instances (`ins-…`) only; keep pods with these \
             volumes off it"
        );
        return Err(ProviderError::new(ErrorKind::Unsupported, message));
    }
    Err(absent("node", node))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::ErrorKind;

    fn names(uid: &str) -> Names {
        Names { cluster: ClusterIdentity::new(uid, "c") }
    }

    #[test]
    fn names_are_short_and_differ_by_cluster_and_request() {
        let long = "n".repeat(128);
        let name = names("u").object(&long);
        assert_eq!(name.len(), 48);
        assert_ne!(name, names("v").object(&long));
        assert_ne!(name, names("u").object(&format!("{long}n")));
        assert_eq!(names("u").token(&long, "z", "k", 0).len(), 40);
        assert_ne!(names("u").token("a", "z", "k", 0), names("u").token("a", "z", "k", 1));
    }

    #[test]
    fn a_mark_says_who_writes_or_reads() {
        let name = names("u").object(&"n".repeat(128));
        let marked = with_mark(&name, "ins-1a2b3c4d", false);
        assert!(marked.len() <= 60);
        assert_eq!(split_mark(&marked), (name.as_str(), Some(Mark { node: "1a2b3c4d", read_only: false })));
        assert_eq!(with_mark(&marked, "ins-99999999", true), format!("{name}+r99999999"));
        assert!(!attachment(&marked, true, "d", "ins-1a2b3c4d").read_only);
        assert!(attachment(&marked, true, "d", "ins-99999999").read_only);
        // The mark of a writer is no news on a disk that is not shared.
        assert!(!attachment(&marked, false, "d", "ins-1a2b3c4d").read_only);
        assert!(attachment("x+r1a2b3c4d", false, "d", "ins-1a2b3c4d").read_only);
        assert_eq!(split_mark("c++r"), ("c++r", None));
        assert_eq!(split_mark("a+b"), ("a+b", None));
    }

    #[test]
    fn ids_have_a_form() {
        assert!(is_id("disk-1a2b3c4d", "disk"));
        for id in ["disk-1A2b3c4d", "disk-1a2b3c4", "disk1a2b3c4d", "ins-1a2b3c4d", "", "disk-"] {
            assert!(!is_id(id, "disk"), "{id}");
        }
    }

    #[test]
    fn what_may_be_an_id_is_not_taken_for_one_of_nothing() {
        for id in ["disk-1a2b3c4d,disk-99999999", "disk-1a2b3c4d5e", "disk-1A2b3c4d", "DISK-1a2b3c4d", "disk-"] {
            assert_eq!(check_id(id, "disk").unwrap_err().kind(), ErrorKind::InvalidArgument, "{id}");
        }
        for id in ["disk-1a2b3c4d", "reallyfakevolumeid", "ins-1a2b3c4d", "7d1e"] {
            assert!(check_id(id, "disk").is_ok(), "{id}");
        }
    }
}

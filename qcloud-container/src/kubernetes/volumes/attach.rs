//! What has to be done so that a node has a volume, or has it no more: always from what is observed.

use super::{Access, Volume, VolumeState};
use crate::kubernetes::{ErrorKind, ProviderError, Result};

/// What to do next for an attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AttachStep {
    /// Nothing: the node has the volume as wanted.
    Done,
    /// Attach it.
    Attach,
    /// Look again later: it is being attached to the node, or being detached.
    Wait,
}

/// What to do next for a detachment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DetachStep {
    /// Nothing: the node does not have the volume.
    Done,
    /// Detach it from these nodes.
    Detach(Vec<String>),
    /// Look again later: something is under way that comes first.
    Wait,
}

/// Decides how a node gets a volume.
///
/// # Errors
/// `InUse` naming the nodes that stand in the way, `AlreadyExists` when the node has it with another access,
/// `InvalidArgument` for sharing a volume that can't be shared, `Busy` during other work, `Conflict` for a deleted
/// volume.
pub fn plan_attach(volume: &Volume, node: &str, access: Access) -> Result<AttachStep> {
    if volume.state == VolumeState::Recycled {
        let message = format!("the volume {} was deleted and waits for its end", volume.id);
        return Err(ProviderError::new(ErrorKind::Conflict, message));
    }
    // Reading alone is fine: the other readers have volumes of their own.
    if access.is_shared() && !access.read_only && !volume.shareable {
        let message = format!("the volume {} can't be shared by several nodes", volume.id);
        return Err(ProviderError::new(ErrorKind::InvalidArgument, message));
    }
    if let Some(mine) = volume.on(node) {
        return match volume.state {
            VolumeState::Detaching => Ok(AttachStep::Wait),
            _ if mine.read_only != access.read_only => {
                let how = if mine.read_only { "for reading only" } else { "for writing" };
                let message = format!("the volume {} is attached to {node} {how} already", volume.id);
                Err(ProviderError::new(ErrorKind::AlreadyExists, message))
            }
            VolumeState::Attaching => Ok(AttachStep::Wait),
            _ if !access.fits_beside(volume.on_others(node)) => Err(in_use(volume, node)),
            // Whatever else is done to it, the node has it.
            _ => Ok(AttachStep::Done),
        };
    }
    match &volume.state {
        VolumeState::Detaching => return Ok(AttachStep::Wait),
        VolumeState::Attaching if volume.shareable => return Ok(AttachStep::Wait),
        VolumeState::Busy(what) => {
            let message = format!("the volume {} is busy: {what}", volume.id);
            return Err(ProviderError::new(ErrorKind::Busy, message));
        }
        _ => {}
    }
    let alone = volume.on_others(node).next().is_none();
    if (volume.shareable || alone) && access.fits_beside(volume.on_others(node)) {
        Ok(AttachStep::Attach)
    } else {
        Err(in_use(volume, node))
    }
}

fn in_use(volume: &Volume, node: &str) -> ProviderError {
    let nodes: Vec<String> = volume
        .on_others(node)
        .map(|other| format!("{} ({})", other.node, if other.read_only { "reading" } else { "writing" }))
        .collect();
    let message = format!("the volume {} is in use: it is attached to {}", volume.id, nodes.join(", "));
    ProviderError::new(ErrorKind::InUse, message)
}

/// Decides how a node, or every node, loses a volume.
///
/// # Errors
/// `Busy` during other work.
pub fn plan_detach(volume: &Volume, node: Option<&str>) -> Result<DetachStep> {
    let nodes: Vec<String> = volume
        .attachments
        .iter()
        .filter(|attachment| node.is_none_or(|node| attachment.node == node))
        .map(|attachment| attachment.node.clone())
        .collect();
    if nodes.is_empty() || volume.state == VolumeState::Recycled {
        return Ok(DetachStep::Done);
    }
    match &volume.state {
        VolumeState::Attaching | VolumeState::Detaching => Ok(DetachStep::Wait),
        VolumeState::Busy(what) => {
            let message = format!("the volume {} is busy: {what}", volume.id);
            Err(ProviderError::new(ErrorKind::Busy, message))
        }
        _ => Ok(DetachStep::Detach(nodes)),
    }
}

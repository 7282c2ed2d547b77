//! Attaching and detaching, always from what is observed.

use qcloud_cbs::Client;
use qcloud_cbs::model::{AttachDetail, AttachDisks, DetachDisks, Disk, ModifyDiskAttributes};
use qcloud_cvm::model::{DescribeInstances, InstanceState};

use super::batch::{Answers, Batcher, bisect};
use super::names::{attachment, is_id, split_mark, with_mark};
use super::{CbsVolumes, absent, invalid, lock, pending};
use crate::kubernetes::volumes::{
    Access, AttachStep, Attachment, DetachStep, Others, Volume, VolumeState, plan_attach, plan_detach,
};
use crate::kubernetes::{ErrorKind, Exhausted, ProviderError, Result};

/// The most disks of one call.
const MOST: usize = 10;
/// How often an operation looks again after a write that did not go as expected.
const LOOKS: usize = 3;

/// A node that disks are attached to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) node: String,
    /// How many of the disks that it takes are not for this provider.
    pub(super) reserved: u32,
}

/// Attaches disks to a node, as many as it takes.
pub(super) async fn attach(
    cbs: Client,
    numbers: Batcher<(), String, AttachDetail>,
    place: Place,
    mut ids: Vec<String>,
) -> Answers<String, ()> {
    let Place { node, reserved } = place;
    // Without an answer nothing is kept back: the cloud itself refuses what is too much, and a node that does not exist.
    let full = match numbers.ask((), node.clone()).await {
        Ok(Some(numbers)) => ids.split_off(room(&numbers, reserved).min(ids.len())),
        Ok(None) | Err(_) => Vec::new(),
    };
    let mut answers = bisect(ids, MOST, |ids| {
        let call = cbs.attach_disks(AttachDisks::new(&node, ids));
        async move { call.await.map(drop).map_err(Into::into) }
    })
    .await;
    answers.extend(full.into_iter().map(|id| {
        let message = format!("{node} has no room for the volume {id}: {reserved} of its disks are kept for others");
        (id, Err(ProviderError::new(ErrorKind::Exhausted(Exhausted::AttachLimit), message)))
    }));
    answers
}

/// How many more disks a node takes, whoever attached those that it has.
fn room(numbers: &AttachDetail, reserved: u32) -> usize {
    let room = numbers.max_attach_count.saturating_sub(u64::from(reserved)).saturating_sub(numbers.attached_disk_count);
    usize::try_from(room).unwrap_or(usize::MAX)
}

/// Detaches disks from a node. The node is always named: the disk may be on another one by now.
pub(super) async fn detach(cbs: Client, node: String, ids: Vec<String>) -> Answers<String, ()> {
    bisect(ids, MOST, |ids| {
        let call = cbs.detach_disks(DetachDisks::new(ids).instance_id(&node));
        async move { call.await.map(drop).map_err(Into::into) }
    })
    .await
}

/// What an instance is good for.
enum Host {
    Alive,
    Dead,
}

impl CbsVolumes {
    pub(super) async fn attach_volume(&self, id: &str, node: &str, access: Access) -> Result<Attachment> {
        let _claim = self.claim("volume", id)?;
        let mut last = None;
        for _ in 0..LOOKS {
            let disk = self.disk(id).await?;
            if !is_id(node, "ins") {
                return Err(absent("node", node));
            }
            let volume = self.as_seen_by(&disk, node, access);
            if volume.state != VolumeState::Attaching {
                lock(&self.seen.attaching).remove(id);
            }
            match plan_attach(&volume, node, access)? {
                AttachStep::Done => {
                    return volume.on(node).cloned().ok_or_else(|| pending(format!("the volume {id} is on its way")));
                }
                AttachStep::Wait => return Err(self.under_way(&volume, node).await),
                AttachStep::Attach => {}
            }
            match self.begin(&disk, node, access).await {
                Ok(()) => return Err(pending(format!("the volume {id} is being attached to {node}"))),
                // What was observed is no longer so, or nobody knows whether the call took effect: look again.
                Err(error) if matches!(error.kind(), ErrorKind::InUse | ErrorKind::Ambiguous) => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| pending(format!("the volume {id} changes all the time"))))
    }

    /// A disk's volume, where what its name can't say is taken to be as the node wants it.
    fn as_seen_by(&self, disk: &Disk, node: &str, access: Access) -> Volume {
        let mut volume = self.volume(disk);
        if access.others == Others::Anything || !disk.shareable && !self.names.are_ours(&disk.tags) {
            for attachment in volume.attachments.iter_mut().filter(|attachment| attachment.node == node) {
                attachment.read_only = access.read_only;
            }
        }
        volume
    }

    /// Writes down how the disk is attached, where that is not the rule, and attaches it.
    async fn begin(&self, disk: &Disk, node: &str, access: Access) -> Result<()> {
        let says = attachment(&disk.disk_name, disk.shareable, &disk.disk_id, node);
        if access.others != Others::Anything && says.read_only != access.read_only {
            if self.names.are_ours(&disk.tags) {
                let (base, _) = split_mark(&disk.disk_name);
                let exception = access.read_only != disk.shareable;
                let name = if exception { with_mark(base, node, access.read_only) } else { base.to_owned() };
                self.cbs.modify_disk_attributes(ModifyDiskAttributes::new([&disk.disk_id]).disk_name(name)).await?;
            } else if disk.shareable {
                let message = format!("the shared volume {} is not this cluster's: it is only read", disk.disk_id);
                return Err(invalid(message));
            }
        }
        let place = Place { node: node.to_owned(), reserved: self.reserved };
        self.attaching.ask(place, disk.disk_id.clone()).await.map(drop)
    }

    /// What to say while a disk is being attached or detached; one that is attached to a dead node for too long is
    /// taken off again.
    async fn under_way(&self, volume: &Volume, node: &str) -> ProviderError {
        let id = &volume.id;
        if volume.state != VolumeState::Attaching || volume.on(node).is_none() {
            return pending(format!("the volume {id} is being attached or detached elsewhere"));
        }
        let since = self.since(&self.seen.attaching, id);
        if since < self.attach_timeout {
            return pending(format!("the volume {id} is being attached to {node}"));
        }
        match self.host(node).await {
            Err(error) => error,
            Ok(Host::Alive) => {
                let message = format!("the volume {id} has been on its way to {node} for {} s", since.as_secs());
                ProviderError::new(ErrorKind::Unavailable, message)
            }
            Ok(Host::Dead) => {
                lock(&self.seen.attaching).remove(id);
                let undone = match self.detaching.ask(node.to_owned(), id.clone()).await {
                    Ok(_) => "it is being detached again".to_owned(),
                    Err(error) => format!("detaching it failed: {error}"),
                };
                let message = format!("the volume {id} can't get to {node}, which is stopped or gone; {undone}");
                ProviderError::new(ErrorKind::Unavailable, message)
            }
        }
    }

    async fn host(&self, node: &str) -> Result<Host> {
        let answer = self.cvm.describe_instances(DescribeInstances::new().instance_ids([node]).limit(100_i64)).await?;
        Ok(match answer.instance_set.first().map(|instance| &instance.instance_state) {
            None
            | Some(
                InstanceState::Stopped
                | InstanceState::Stopping
                | InstanceState::Shutdown
                | InstanceState::Terminating
                | InstanceState::LaunchFailed,
            ) => Host::Dead,
            Some(_) => Host::Alive,
        })
    }

    pub(super) async fn detach_volume(&self, id: &str, node: Option<&str>) -> Result<()> {
        let _claim = self.claim("volume", id)?;
        let mut last = None;
        for _ in 0..LOOKS {
            let Some(disk) = self.disk_if_any(id).await? else { return Ok(()) };
            let nodes = match plan_detach(&self.volume(&disk), node)? {
                DetachStep::Done => return Ok(()),
                DetachStep::Wait => return Err(pending(format!("the volume {id} is being attached or detached"))),
                DetachStep::Detach(nodes) => nodes,
            };
            let Some(first) = nodes.first() else { return Ok(()) };
            match self.detaching.ask(first.clone(), id.to_owned()).await {
                Ok(_) => return Err(pending(format!("the volume {id} is being detached from {first}"))),
                // With the node or the disk gone there is nothing left to detach; the list may lag behind.
                Err(error) if error.kind() == ErrorKind::NotFound && node.is_some() => return Ok(()),
                // It may have been detached meanwhile, or attached elsewhere.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::NotFound | ErrorKind::Ambiguous | ErrorKind::InvalidArgument
                    ) =>
                {
                    last = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| pending(format!("the volume {id} changes all the time"))))
    }

    pub(super) async fn limit_of(&self, node: &str) -> Result<u32> {
        let numbers = self.node_numbers(node).await?;
        let most = u32::try_from(numbers.max_attach_count).unwrap_or(u32::MAX);
        Ok(most.saturating_sub(self.reserved))
    }
}

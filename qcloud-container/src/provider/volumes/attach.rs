//! Attaching and detaching, always from what is observed.

use qcloud_cbs::Client;
use qcloud_cbs::model::{AttachDetail, AttachDisks, DetachDisks, Disk, ModifyDiskAttributes};
use qcloud_cvm::model::{DescribeInstances, InstanceState};

use super::batch::{Answers, Batcher, bisect};
use super::names::{attachment, check_node, shared, split_mark, with_mark};
use super::observe::complete;
use super::{CbsVolumes, LOOKS, invalid, lock, pending};
use crate::kubernetes::volumes::{
    Access, AttachStep, Attachment, DetachStep, Others, Volume, VolumeState, plan_attach, plan_detach,
};
use crate::kubernetes::{ErrorKind, Exhausted, ProviderError, Result};

/// The most disks of one call.
const MOST: usize = 10;

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

impl CbsVolumes {
    pub(super) async fn attach_volume(&self, id: &str, node: &str, access: Access) -> Result<Attachment> {
        let _claim = self.claim("volume", id)?;
        let mut doubted = None;
        for _ in 0..LOOKS {
            let disk = self.disk(id).await?;
            check_node(node)?;
            let volume = self.as_seen_by(&disk, node, access);
            self.note_arrival(&volume);
            match plan_attach(&volume, node, access)? {
                AttachStep::Done => {
                    return volume.on(node).cloned().ok_or_else(|| pending(format!("the volume {id} is on its way")));
                }
                AttachStep::Wait => {
                    let mine: Vec<&str> = volume.on(node).map(|mine| mine.node.as_str()).into_iter().collect();
                    let node = self.call_back(&volume, &mine).await?;
                    let message =
                        format!("the volume {id} can't get to {node}, which is stopped or gone; it is being detached");
                    return Err(ProviderError::new(ErrorKind::Unavailable, message));
                }
                AttachStep::Attach => {}
            }
            match self.begin(&disk, node, access).await {
                Ok(()) => return Err(pending(format!("the volume {id} is being attached to {node}"))),
                // It may have been attached meanwhile, or is being attached.
                Err(error)
                    if matches!(error.kind(), ErrorKind::InUse | ErrorKind::Ambiguous | ErrorKind::InvalidArgument) =>
                {
                    self.doubt(error, &mut doubted).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Err(pending(format!("the volume {id} changes all the time")))
    }

    /// Forgets since when a disk was on its way, once it is no more.
    fn note_arrival(&self, volume: &Volume) {
        if volume.state != VolumeState::Attaching {
            lock(&self.seen.attaching).remove(&volume.id);
        }
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

    /// Writes down how the disk is attached, where its name does not say so, and attaches it.
    async fn begin(&self, disk: &Disk, node: &str, access: Access) -> Result<()> {
        let says = attachment(&disk.disk_name, disk.shareable, &disk.disk_id, node);
        let renamed = self.is_renamed(disk);
        let name = if access.others == Others::Anything {
            // Whoever else attaches it has to know that not only marked nodes write.
            let news = disk.shareable && !access.read_only && !renamed && self.names.are_ours(&disk.tags);
            news.then(|| shared(split_mark(&disk.disk_name).0))
        } else if !self.names.are_ours(&disk.tags) {
            if disk.shareable && !access.read_only {
                let message = format!("the shared volume {} is not this cluster's: it is only read", disk.disk_id);
                return Err(invalid(message));
            }
            None
        } else if renamed && !self.volume(disk).attachments.is_empty() {
            let message = format!(
                "the disk {} was renamed, so nobody knows which nodes write to it: detach it from all, or name it `{}`",
                disk.disk_id,
                self.name_of(disk)
            );
            return Err(ProviderError::new(ErrorKind::Conflict, message));
        } else if renamed || says.read_only != access.read_only {
            let base = if renamed { self.name_of(disk) } else { split_mark(&disk.disk_name).0.to_owned() };
            let exception = access.read_only != disk.shareable;
            Some(if exception { with_mark(&base, node, access.read_only) } else { base })
        } else {
            None
        };
        if let Some(name) = name {
            self.cbs.modify_disk_attributes(ModifyDiskAttributes::new([&disk.disk_id]).disk_name(name)).await?;
        }
        let place = Place { node: node.to_owned(), reserved: self.reserved };
        self.attaching.ask(place, disk.disk_id.clone()).await.map(drop)
    }

    /// Calls a disk back that has been on its way to one of these nodes for too long, if that node is dead. Gives the
    /// node; while there is nothing to be done, the error says why.
    async fn call_back(&self, volume: &Volume, nodes: &[&str]) -> Result<String> {
        let id = &volume.id;
        if volume.state != VolumeState::Attaching || nodes.is_empty() {
            return Err(pending(format!("the volume {id} is being attached or detached elsewhere")));
        }
        let since = self.since(&self.seen.attaching, id);
        let names = nodes.join(", ");
        if since < self.attach_timeout {
            return Err(pending(format!("the volume {id} is being attached to {names}")));
        }
        for node in nodes {
            if self.is_dead(node).await? {
                self.detaching.ask((*node).to_owned(), id.clone()).await?;
                return Ok((*node).to_owned());
            }
        }
        let message = format!("the volume {id} has been on its way to {names} for {} s", since.as_secs());
        Err(ProviderError::new(ErrorKind::Unavailable, message))
    }

    /// Whether an instance does not run, or is proven to be gone.
    async fn is_dead(&self, node: &str) -> Result<bool> {
        for look in 0..2 {
            if look > 0 {
                self.catch_up().await;
            }
            let call = DescribeInstances::new().instance_ids([node]).limit(100_i64);
            let answer = self.cvm.describe_instances(call).await?;
            if let Some(instance) = answer.instance_set.iter().find(|instance| instance.instance_id == node) {
                return Ok(matches!(
                    instance.instance_state,
                    InstanceState::Stopped
                        | InstanceState::Stopping
                        | InstanceState::Shutdown
                        | InstanceState::Terminating
                        | InstanceState::LaunchFailed
                ));
            }
            complete(u64::try_from(answer.total_count).unwrap_or(u64::MAX), answer.instance_set.len())?;
        }
        Ok(true)
    }

    pub(super) async fn detach_volume(&self, id: &str, node: Option<&str>) -> Result<()> {
        let _claim = self.claim("volume", id)?;
        let mut doubted = None;
        for _ in 0..LOOKS {
            let Some(disk) = self.disk_if_any(id).await? else { return Ok(()) };
            let volume = self.volume(&disk);
            self.note_arrival(&volume);
            let from = match plan_detach(&volume, node)? {
                DetachStep::Done => return Ok(()),
                DetachStep::Wait => {
                    let places = volume.attachments.iter().map(|attachment| attachment.node.as_str());
                    let mine: Vec<&str> = places.filter(|place| node.is_none_or(|node| node == *place)).collect();
                    self.call_back(&volume, &mine).await
                }
                DetachStep::Detach(nodes) => {
                    let Some(first) = nodes.into_iter().next() else { return Ok(()) };
                    self.detaching.ask(first.clone(), id.to_owned()).await.map(|_| first)
                }
            };
            match from {
                Ok(from) => return Err(pending(format!("the volume {id} is being detached from {from}"))),
                // With the node or the disk gone there is nothing left to detach; the list may lag behind.
                Err(error) if error.kind() == ErrorKind::NotFound && node.is_some() => return Ok(()),
                // It may have been detached meanwhile, or attached elsewhere.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::NotFound | ErrorKind::Ambiguous | ErrorKind::InvalidArgument
                    ) =>
                {
                    self.doubt(error, &mut doubted).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Err(pending(format!("the volume {id} changes all the time")))
    }

    pub(super) async fn limit_of(&self, node: &str) -> Result<u32> {
        let numbers = self.node_numbers(node).await?;
        let most = u32::try_from(numbers.max_attach_count).unwrap_or(u32::MAX);
        Ok(most.saturating_sub(self.reserved))
    }
}

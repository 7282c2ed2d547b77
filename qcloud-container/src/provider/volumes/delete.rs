//! Deleting disks.

use std::time::Duration;

use qcloud_cbs::Client;
use qcloud_cbs::model::TerminateDisks;

use super::batch::{Answers, bisect};
use super::{CbsVolumes, lock};
use crate::kubernetes::volumes::VolumeState;
use crate::kubernetes::{ErrorKind, ProviderError, Result};

/// The most disks of one call.
const MOST: usize = 100;
/// How long deleted disks and snapshots are remembered: as long as the tokens of their orders.
const REMEMBERED: Duration = Duration::from_secs(25 * 3600);

/// Gives disks back.
pub(super) async fn terminate(cbs: Client, ids: Vec<String>) -> Answers<String, ()> {
    bisect(ids, MOST, |ids| {
        let call = cbs.terminate_disks(TerminateDisks::new(ids));
        async move { call.await.map(drop).map_err(Into::into) }
    })
    .await
}

impl CbsVolumes {
    pub(super) async fn delete_volume(&self, id: &str) -> Result<()> {
        let _claim = self.claim("volume", id)?;
        let mut lost = None;
        for _ in 0..2 {
            let Some(disk) = self.disk_if_any(id).await? else { return Ok(()) };
            let volume = self.volume(&disk);
            if volume.state == VolumeState::Recycled {
                return Ok(());
            }
            if !self.names.are_ours(&disk.tags) {
                let message = format!("the volume {id} was not made by this cluster, which does not delete it");
                return Err(ProviderError::new(ErrorKind::Conflict, message));
            }
            if let Some(attachment) = volume.attachments.first() {
                let message = format!("the volume {id} is attached to {}", attachment.node);
                return Err(ProviderError::new(ErrorKind::InUse, message));
            }
            if !volume.is_settled() {
                return Err(ProviderError::new(ErrorKind::Busy, format!("the volume {id} is {}", disk.disk_state)));
            }
            match self.terminating.ask((), id.to_owned()).await {
                Err(error) if error.kind() == ErrorKind::Ambiguous => lost = Some(error),
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {
                    self.remember_gone(id);
                    return Ok(());
                }
            }
        }
        Err(lost.unwrap_or_else(|| ProviderError::new(ErrorKind::Ambiguous, "the deletion gave no answer")))
    }

    pub(super) fn remember_gone(&self, id: &str) {
        let now = self.clock.elapsed();
        let mut gone = lock(&self.seen.gone);
        gone.retain(|_, since| now.saturating_sub(*since) < REMEMBERED);
        gone.insert(id.to_owned(), now);
    }
}

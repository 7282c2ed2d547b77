//! How full a volume is, and whether it is well.

use std::path::Path;

use tonic::Status;

use super::host::{Amount, Device, Health, Mount, Source};
use super::service::{Work, status};
use crate::proto::volume_usage::Unit;
use crate::proto::{NodeGetVolumeStatsResponse, VolumeCondition, VolumeUsage};

impl Work {
    /// How full the volume at a path is.
    pub(super) async fn stats(&self, volume: &str, path: &Path) -> Result<NodeGetVolumeStatsResponse, Status> {
        let (device, mount) = match self.volume_at(volume, path).await {
            Ok(found) => found,
            Err(error) => return self.lost(path).await?.ok_or(error),
        };
        let usage = match (&mount.health, &mount.source) {
            (Health::Broken(_), _) => Vec::new(),
            (_, Source::Filesystem { .. }) => {
                let usage = self.host.usage(path).await.map_err(status)?;
                vec![amount(usage.bytes, Unit::Bytes)?, amount(usage.inodes, Unit::Inodes)?]
            }
            // Nobody knows how much of a raw device is in use.
            _ => {
                let size = self.host.size(&device).await.map_err(status)?;
                vec![VolumeUsage { total: count(size)?, unit: Unit::Bytes.into(), ..VolumeUsage::default() }]
            }
        };
        Ok(NodeGetVolumeStatsResponse { usage, volume_condition: Some(condition(&mount.health)) })
    }

    /// What to say when a volume is not here, but something broken is in its place: its disk was taken from the node.
    async fn lost(&self, path: &Path) -> Result<Option<NodeGetVolumeStatsResponse>, Status> {
        if !path.is_absolute() {
            return Ok(None);
        }
        let there = self.host.mount_at(path).await.map_err(status)?.filter(Mount::is_broken);
        Ok(there.map(|mount| NodeGetVolumeStatsResponse {
            usage: Vec::new(),
            volume_condition: Some(condition(&mount.health)),
        }))
    }

    /// A volume's device and its mount at a path.
    pub(super) async fn volume_at(&self, volume: &str, path: &Path) -> Result<(Device, Mount), Status> {
        let device = self.here(volume).await?;
        let missing = || Status::not_found(format!("{volume} is not at {}", path.display()));
        // Such a path is none that anything was published at.
        if !path.is_absolute() {
            return Err(missing());
        }
        let mount = self.host.mount_at(path).await.map_err(status)?.ok_or_else(missing)?;
        if mount.source.device() != Some(device.number) {
            return Err(missing());
        }
        Ok((device, mount))
    }
}

fn condition(health: &Health) -> VolumeCondition {
    match health {
        Health::Sound => VolumeCondition { abnormal: false, message: "it answers".to_owned() },
        Health::Degraded(why) | Health::Broken(why) => VolumeCondition { abnormal: true, message: why.clone() },
    }
}

fn amount(amount: Amount, unit: Unit) -> Result<VolumeUsage, Status> {
    Ok(VolumeUsage {
        available: count(amount.available)?,
        total: count(amount.total)?,
        used: count(amount.used)?,
        unit: unit.into(),
    })
}

fn count(value: u64) -> Result<i64, Status> {
    i64::try_from(value).map_err(|_| Status::internal(format!("an impossible amount: {value}")))
}

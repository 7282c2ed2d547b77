//! Publishing: showing a staged volume where a workload looks for it.
//!
//! What a second publication of a volume is answered with, on the same node:
//!
//! | access mode | same target, same arguments | same target, others | other target |
//! |---|---|---|---|
//! | `MULTI_NODE_…`, `SINGLE_NODE_MULTI_WRITER` | OK | `ALREADY_EXISTS` | OK |
//! | `SINGLE_NODE_SINGLE_WRITER`, `…_WRITER`, `…_READER_ONLY` | OK | `ALREADY_EXISTS` | `FAILED_PRECONDITION` |
//!
//! One exception: a raw device is writable for all or for nobody, so publishing it at another target with the other
//! `readonly` is refused as well. What is promised to be read-only has to be.

use std::path::Path;

use tonic::Status;

use super::host::{Device, Mount, Source};
use super::request::{Kind, Mounting, Wish};
use super::service::{Work, filesystem_of, of_another, status};
use super::stage::shown_by_tencents_driver;

impl Work {
    /// Shows a volume at a target.
    pub(super) async fn publish(&self, volume: &str, staging: &Path, target: &Path, wish: &Wish) -> Result<(), Status> {
        let device = self.here(volume).await?;
        match &wish.kind {
            Kind::Device => self.publish_device(&device, staging, target, wish).await,
            Kind::Filesystem(mounting) => self.publish_filesystem(&device, staging, target, mounting, wish).await,
        }
    }

    async fn publish_filesystem(
        &self,
        device: &Device,
        staging: &Path,
        target: &Path,
        mounting: &Mounting,
        wish: &Wish,
    ) -> Result<(), Status> {
        let staged = self.host.mount_at(staging).await.map_err(status)?.filter(|staged| !staged.is_broken());
        let Some(staged) = staged else {
            return Err(Status::failed_precondition(format!(
                "{} is not staged at {}: stage it first",
                device.serial,
                staging.display()
            )));
        };
        let kind = filesystem_of(&staged, device)?;
        if let Some(there) = self.usable_mount_at(target).await? {
            filesystem_of(&there, device)?;
            let other_kind = mounting.filesystem.is_some_and(|wanted| wanted.name() != kind);
            return if other_kind || there.read_only != wish.read_only {
                Err(published_otherwise(&there, device))
            } else {
                Ok(())
            };
        }
        if let Some(wanted) = mounting.filesystem.filter(|wanted| wanted.name() != kind) {
            return Err(Status::failed_precondition(format!("{} is staged with {kind}, not {wanted}", device.serial)));
        }
        if staged.read_only && !wish.read_only {
            return Err(Status::failed_precondition(format!("{} is staged to be read only", device.serial)));
        }
        let others = self.publications(device, &[staging, target]).await?;
        admit(device, wish, &others)?;
        self.host.create_directory(target).await.map_err(status)?;
        self.host.bind(staging, target, wish.read_only).await.map_err(status)
    }

    async fn publish_device(&self, device: &Device, staging: &Path, target: &Path, wish: &Wish) -> Result<(), Status> {
        let locked = self.host.is_read_only(device).await.map_err(status)?;
        if let Some(there) = self.usable_mount_at(target).await? {
            return match there.source {
                Source::Device(number) if number == device.number && locked == wish.read_only => Ok(()),
                Source::Device(number) | Source::Filesystem { device: number, .. } if number == device.number => {
                    Err(published_otherwise(&there, device))
                }
                _ => Err(of_another(&there, device)),
            };
        }
        let staged = shown_by_tencents_driver(&device.serial, staging);
        let others = self.publications(device, &[target, staged.as_deref().unwrap_or(target)]).await?;
        if let Some(mounted) = others.iter().find(|other| matches!(other.source, Source::Filesystem { .. })) {
            return Err(Status::failed_precondition(format!(
                "the filesystem of {} is mounted at {}",
                device.serial,
                mounted.target.display()
            )));
        }
        admit(device, wish, &others)?;
        if locked != wish.read_only {
            if let Some(other) = others.first() {
                return Err(Status::failed_precondition(format!(
                    "{} is {} at {}, and a raw device is so everywhere",
                    device.serial,
                    if locked { "read-only" } else { "writable" },
                    other.target.display()
                )));
            }
            self.host.set_read_only(device, wish.read_only).await.map_err(status)?;
        }
        self.host.create_file(target).await.map_err(status)?;
        self.host.bind(&device.path, target, false).await.map_err(status)
    }

    /// Takes a volume away from a target, and removes the target.
    pub(super) async fn unpublish(&self, volume: &str, target: &Path) -> Result<(), Status> {
        self.take_away(volume, target).await?;
        self.host.remove(target).await.map_err(status)
    }

    /// Where a device or its filesystem is mounted, but for some places.
    async fn publications(&self, device: &Device, except: &[&Path]) -> Result<Vec<Mount>, Status> {
        let mut mounts = self.host.mounts().await.map_err(status)?;
        mounts.retain(|mount| {
            mount.source.device() == Some(device.number) && !except.iter().any(|path| *path == mount.target)
        });
        Ok(mounts)
    }
}

/// Refuses a further target where there may be one only.
fn admit(device: &Device, wish: &Wish, others: &[Mount]) -> Result<(), Status> {
    match others.first() {
        Some(other) if !wish.several_targets => Err(Status::failed_precondition(format!(
            "{} is published at {} already, and its access mode permits one target",
            device.serial,
            other.target.display()
        ))),
        _ => Ok(()),
    }
}

fn published_otherwise(mount: &Mount, device: &Device) -> Status {
    Status::already_exists(format!(
        "{} is at {} in another way already: {}{}",
        device.serial,
        mount.target.display(),
        mount.source,
        if mount.read_only { ", read-only" } else { "" }
    ))
}

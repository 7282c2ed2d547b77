//! Staging: from a device that has just been attached to a filesystem that can be published.

use std::path::{Component, Path, PathBuf};

use tonic::Status;

use super::host::{Content, Device, Filesystem, Mount, MountOptions, Source};
use super::request::{Kind, Mounting, Wish};
use super::service::{Work, filesystem_of, of_another, status};

impl Work {
    /// Makes a volume ready to be published.
    pub(super) async fn stage(&self, volume: &str, staging: &Path, wish: &Wish) -> Result<(), Status> {
        let device = self.wait_for(volume).await?;
        let there = self.usable_mount_at(staging).await?;
        match &wish.kind {
            // A raw device is published as it is.
            Kind::Device => there.map_or(Ok(()), |mount| Err(staged_otherwise(&mount, &device))),
            Kind::Filesystem(mounting) => {
                let filesystem = match there {
                    Some(mount) => compatible(&mount, &device, mounting, wish.read_only)?,
                    None => self.mount(&device, staging, mounting, wish).await?,
                };
                if !wish.read_only {
                    // The volume may be larger than the snapshot that it was made from, or have grown unmounted. This is
                    // not left out when it is mounted already: the call before may have been cut short just here.
                    self.host.grow(&device, filesystem, staging).await.map_err(status)?;
                }
                Ok(())
            }
        }
    }

    /// Takes a volume away from where it is staged.
    pub(super) async fn unstage(&self, volume: &str, staging: &Path) -> Result<(), Status> {
        self.take_away(volume, staging).await?;
        // Only now is it certain that the path below is not one within the volume.
        let Some(shown) = shown_by_tencents_driver(volume, staging) else { return Ok(()) };
        self.take_away(volume, &shown).await?;
        self.host.remove(&shown).await.map_err(status)
    }

    async fn mount(
        &self,
        device: &Device,
        staging: &Path,
        mounting: &Mounting,
        wish: &Wish,
    ) -> Result<Filesystem, Status> {
        let mounts = self.host.mounts().await.map_err(status)?;
        let of_device = || mounts.iter().filter(|mount| mount.source.device() == Some(device.number));
        if let Some(raw) = of_device().find(|mount| matches!(mount.source, Source::Device(_))) {
            return Err(Status::failed_precondition(format!(
                "{} is in use as a raw device at {}",
                device.serial,
                raw.target.display()
            )));
        }
        // It may have been locked when it was last used, as a raw device.
        if !wish.read_only && self.host.is_read_only(device).await.map_err(status)? {
            self.host.set_read_only(device, false).await.map_err(status)?;
        }
        let filesystem = self.filesystem(device, mounting, wish.read_only).await?;
        if without_journal(wish) && self.host.needs_recovery(device, filesystem).await.map_err(status)? {
            return Err(Status::failed_precondition(format!(
                "{} was not unmounted in order, and its journal can't be replayed while several nodes may read it; use it \
                 for writing once",
                device.serial
            )));
        }
        self.host.create_directory(staging).await.map_err(status)?;
        if !wish.read_only && of_device().next().is_none() {
            self.host.check(device, filesystem).await.map_err(status)?;
        }
        let options = options(filesystem, mounting, wish);
        self.host.mount(device, filesystem, staging, &options).await.map_err(status)?;
        Ok(filesystem)
    }

    /// The filesystem on a device, which is made when there is nothing.
    async fn filesystem(&self, device: &Device, mounting: &Mounting, read_only: bool) -> Result<Filesystem, Status> {
        let refused = |what: String| Status::failed_precondition(format!("{} {what}", device.serial));
        match self.host.content(device).await.map_err(status)? {
            Content::Blank if read_only => {
                Err(refused("has no filesystem yet, and is to be read only; use it for writing once".to_owned()))
            }
            Content::Blank => {
                let filesystem = mounting.filesystem.unwrap_or_default();
                tracing::info!(volume = device.serial, %filesystem, "formatting a blank device");
                self.host.format(device, filesystem, &mounting.format_options).await.map_err(status)?;
                Ok(filesystem)
            }
            Content::Filesystem(there) => match mounting.filesystem {
                Some(wanted) if wanted != there => {
                    Err(refused(format!("holds {there} and is not formatted anew as {wanted}; ask for {there}")))
                }
                _ => Ok(there),
            },
            Content::Other(what) => Err(refused(format!("holds {what}, which is neither mounted nor overwritten"))),
        }
    }
}

/// Where Tencent's driver shows a raw device that it has staged. Pods that were started under it use it from there.
pub(super) fn shown_by_tencents_driver(volume: &str, staging: &Path) -> Option<PathBuf> {
    let mut parts = Path::new(volume).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)).then(|| staging.join(volume))
}

/// Replaying a journal writes, also when it is mounted read-only; nobody may while other nodes read.
fn without_journal(wish: &Wish) -> bool {
    wish.read_only && wish.shared
}

/// The filesystem that is staged, if it is as it should be.
fn compatible(mount: &Mount, device: &Device, mounting: &Mounting, read_only: bool) -> Result<Filesystem, Status> {
    let kind = filesystem_of(mount, device)?;
    let staged = |how: String| Status::already_exists(format!("{} is staged {how} already", device.serial));
    let filesystem = Filesystem::named(kind).ok_or_else(|| staged(format!("with {kind}")))?;
    if mounting.filesystem.is_some_and(|wanted| wanted != filesystem) {
        return Err(staged(format!("with {filesystem}")));
    }
    if mount.read_only != read_only {
        return Err(staged(if mount.read_only { "read-only" } else { "for writing" }.to_owned()));
    }
    Ok(filesystem)
}

fn staged_otherwise(mount: &Mount, device: &Device) -> Status {
    match filesystem_of(mount, device) {
        Ok(kind) => Status::already_exists(format!("{} is staged with {kind} already", device.serial)),
        Err(_) => of_another(mount, device),
    }
}

fn options(filesystem: Filesystem, mounting: &Mounting, wish: &Wish) -> MountOptions {
    let mut options = mounting.options.clone();
    let mut add = |option: &str| {
        if !options.iter().any(|there| there == option) {
            options.push(option.to_owned());
        }
    };
    // Copies of a volume have its identity, which XFS does not stand twice on a machine.
    if filesystem == Filesystem::Xfs {
        add("nouuid");
    }
    if without_journal(wish) {
        add(match filesystem {
            Filesystem::Ext4 => "noload",
            Filesystem::Xfs => "norecovery",
        });
    }
    MountOptions { read_only: wish.read_only, options }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options_of(filesystem: Filesystem, read_only: bool, shared: bool) -> Vec<String> {
        let mounting = Mounting { options: vec!["noatime".to_owned(), "nouuid".to_owned()], ..Mounting::default() };
        let wish = Wish { kind: Kind::Filesystem(mounting.clone()), read_only, shared, several_targets: shared };
        let options = options(filesystem, &mounting, &wish);
        assert_eq!(options.read_only, read_only);
        options.options
    }

    #[test]
    fn only_what_other_nodes_read_too_is_mounted_without_its_journal() {
        assert_eq!(options_of(Filesystem::Ext4, true, true), ["noatime", "nouuid", "noload"]);
        assert_eq!(options_of(Filesystem::Xfs, true, true), ["noatime", "nouuid", "norecovery"]);
        // The only reader may bring the filesystem in order first.
        assert_eq!(options_of(Filesystem::Xfs, true, false), ["noatime", "nouuid"]);
        assert_eq!(options_of(Filesystem::Ext4, false, false), ["noatime", "nouuid"]);
    }
}

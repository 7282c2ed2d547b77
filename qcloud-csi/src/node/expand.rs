//! Growing a filesystem to the size that its volume has been given.

use std::path::Path;

use tokio::time::{Instant, sleep};
use tonic::Status;

use std::time::Duration;

use super::host::{Device, Filesystem, Source};
use super::service::{Work, status};
use crate::proto::{CapacityRange, NodeExpandVolumeRequest};

/// How often the size of a device is looked at that is still too small.
const PAUSE: Duration = Duration::from_millis(500);
/// After how long nobody waits for it any more.
const PATIENCE: Duration = Duration::from_secs(10);

impl Work {
    /// Grows what is at the path, and gives the size of the volume.
    pub(super) async fn expand(&self, volume: &str, request: &NodeExpandVolumeRequest) -> Result<i64, Status> {
        let range = Range::read(request.capacity_range.as_ref())?;
        let path = Path::new(&request.volume_path);
        let (device, mount) = self.volume_at(volume, path).await?;
        if mount.is_broken() {
            return Err(Status::failed_precondition(format!("{volume} at {} no longer works", path.display())));
        }
        let size = self.grown(&device, range.required).await?;
        if range.limit.is_some_and(|limit| size > limit) {
            return Err(Status::out_of_range(format!("{volume} has {size} bytes, more than the limit")));
        }
        if let Source::Filesystem { kind, .. } = &mount.source {
            let filesystem = Filesystem::named(kind)
                .ok_or_else(|| Status::invalid_argument(format!("{volume} holds {kind}, which can't be grown")))?;
            // At the target it may be read-only, and writable where it is staged.
            let mounts = self.host.mounts().await.map_err(status)?;
            let writable = mounts
                .iter()
                .find(|mount| mount.source.device() == Some(device.number) && !mount.read_only && !mount.is_broken());
            let Some(writable) = writable else {
                return Err(Status::failed_precondition(format!(
                    "{volume} is only read here; its filesystem grows when it is staged for writing"
                )));
            };
            self.host.grow(&device, filesystem, &writable.target).await.map_err(status)?;
        }
        i64::try_from(size).map_err(|_| Status::internal(format!("{volume} has an impossible size: {size}")))
    }

    /// The size of a device, once it has as many bytes as are required.
    async fn grown(&self, device: &Device, required: u64) -> Result<u64, Status> {
        let started = Instant::now();
        let mut rescanned = false;
        loop {
            let size = self.host.size(device).await.map_err(status)?;
            if size >= required {
                return Ok(size);
            }
            if started.elapsed() >= PATIENCE {
                return Err(Status::unavailable(format!(
                    "{} has {size} bytes on this node; {required} are required, and may still come",
                    device.serial
                )));
            }
            if !rescanned {
                rescanned = true;
                self.rescan().await;
            }
            sleep(PAUSE).await;
        }
    }
}

/// The sizes that are asked for.
#[derive(Clone, Copy, Debug)]
struct Range {
    required: u64,
    limit: Option<u64>,
}

impl Range {
    fn read(range: Option<&CapacityRange>) -> Result<Self, Status> {
        let bytes = |name: &str, value: i64| {
            u64::try_from(value).map_err(|_| Status::invalid_argument(format!("{name} is negative: {value}")))
        };
        let Some(range) = range else { return Ok(Self { required: 0, limit: None }) };
        let required = bytes("required_bytes", range.required_bytes)?;
        let limit = Some(bytes("limit_bytes", range.limit_bytes)?).filter(|limit| *limit > 0);
        if limit.is_some_and(|limit| limit < required) {
            return Err(Status::out_of_range("limit_bytes is less than required_bytes"));
        }
        Ok(Self { required, limit })
    }
}

//! Growing disks, changing their type and throughput, and what can be had at all.

use std::collections::BTreeMap;

use qcloud_cbs::model::{
    DescribeDiskConfigQuota, Disk, DiskState, InquiryType, ModifyDiskAttributes, ModifyDiskExtraPerformance, ResizeDisk,
};

use super::parameters::{Changes, Parameters, size_rules};
use super::{CbsVolumes, pending};
use crate::kubernetes::volumes::{Capacity, CapacityRequest, GIB, SizeRange, Volume, plan_expand};
use crate::kubernetes::{ErrorKind, ProviderError, Result};

impl CbsVolumes {
    pub(super) async fn expand_volume(&self, id: &str, size: SizeRange) -> Result<Volume> {
        let _claim = self.claim("volume", id)?;
        let mut lost = None;
        for _ in 0..2 {
            let disk = self.disk(id).await?;
            let volume = self.volume(&disk);
            if disk.disk_state == DiskState::Expanding && volume.size < size.required {
                return Err(pending(format!("the volume {id} is growing")));
            }
            let Some(target) = plan_expand(&volume, size, &size_rules(&disk.disk_type))? else { return Ok(volume) };
            let call = self.cbs.resize_disk(ResizeDisk::new(target / GIB).disk_id(id));
            match call.await.map_err(ProviderError::from) {
                Ok(_) => return Err(pending(format!("the volume {id} is growing to {target} bytes"))),
                Err(error) if error.kind() == ErrorKind::Ambiguous => lost = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(lost.unwrap_or_else(|| pending(format!("the volume {id} is growing"))))
    }

    pub(super) async fn modify_volume(&self, id: &str, parameters: &BTreeMap<String, String>) -> Result<Volume> {
        let changes = Changes::read(parameters)?;
        let _claim = self.claim("volume", id)?;
        let disk = self.disk(id).await?;
        if differs(&disk, &changes) && disk.migrating {
            return Err(pending(format!("the type of the volume {id} is being changed")));
        }
        if let Some(kind) = changes.kind.filter(|kind| *kind != disk.disk_type) {
            self.cbs.modify_disk_attributes(ModifyDiskAttributes::new([id]).disk_type(kind)).await?;
            return Err(pending(format!("the type of the volume {id} is being changed")));
        }
        if let Some(throughput) = changes.throughput.filter(|throughput| *throughput != disk.throughput_performance) {
            self.cbs.modify_disk_extra_performance(ModifyDiskExtraPerformance::new(throughput, id)).await?;
            return Ok(self.volume(&self.disk(id).await?));
        }
        Ok(self.volume(&disk))
    }

    pub(super) async fn capacity_of(&self, request: &CapacityRequest) -> Result<Capacity> {
        let parameters = Parameters::read(&request.parameters)?;
        let mut inquiry = DescribeDiskConfigQuota::new(InquiryType::InquiryCbsConfig)
            .disk_charge_type(parameters.charge)
            .disk_types(parameters.kinds.iter().cloned());
        let zones = match &request.zone {
            Some(zone) => vec![zone.clone()],
            None if parameters.zones.is_empty() => self.zones.clone(),
            None => parameters.zones,
        };
        if !zones.is_empty() {
            inquiry = inquiry.zones(zones);
        }
        let configs = self.cbs.describe_disk_config_quota(inquiry).await?.disk_config_set;
        let mut sold = configs.iter().filter(|config| config.available).peekable();
        if sold.peek().is_none() {
            return Ok(Capacity::default());
        }
        let (mut smallest, mut largest) = (u64::MAX, 0);
        for config in sold {
            smallest = smallest.min(config.min_disk_size.saturating_mul(GIB));
            largest = largest.max(config.max_disk_size.saturating_mul(GIB));
        }
        Ok(Capacity::new(largest, smallest, largest))
    }
}

fn differs(disk: &Disk, changes: &Changes) -> bool {
    changes.kind.as_ref().is_some_and(|kind| *kind != disk.disk_type)
        || changes.throughput.is_some_and(|throughput| throughput != disk.throughput_performance)
}

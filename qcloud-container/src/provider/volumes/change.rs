//! Growing disks, changing their type and throughput, and what can be had at all.

use std::collections::BTreeMap;

use qcloud_cbs::model::{
    DescribeDiskConfigQuota, DiskState, InquiryType, ModifyDiskAttributes, ModifyDiskExtraPerformance, ResizeDisk,
};

use super::parameters::{Changes, Parameters, size_rules};
use super::{CbsVolumes, LOOKS, pending};
use crate::kubernetes::volumes::{Capacity, CapacityRequest, GIB, SizeRange, Volume, plan_expand};
use crate::kubernetes::{ErrorKind, Exhausted, ProviderError, Result};

impl CbsVolumes {
    pub(super) async fn expand_volume(&self, id: &str, size: SizeRange) -> Result<Volume> {
        let _claim = self.claim("volume", id)?;
        let mut doubted = None;
        for _ in 0..LOOKS {
            let disk = self.disk(id).await?;
            let volume = self.volume(&disk);
            if disk.disk_state == DiskState::Expanding && volume.size < size.required {
                return Err(pending(format!("the volume {id} is growing")));
            }
            let Some(target) = plan_expand(&volume, size, &size_rules(&disk.disk_type))? else { return Ok(volume) };
            let call = self.cbs.resize_disk(ResizeDisk::new(target / GIB).disk_id(id));
            match call.await.map_err(ProviderError::from) {
                Ok(_) => return Err(pending(format!("the volume {id} is growing to {target} bytes"))),
                // It may have grown meanwhile.
                Err(error) if matches!(error.kind(), ErrorKind::Ambiguous | ErrorKind::InvalidArgument) => {
                    self.doubt(error, &mut doubted).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Err(pending(format!("the volume {id} is growing")))
    }

    pub(super) async fn modify_volume(&self, id: &str, parameters: &BTreeMap<String, String>) -> Result<Volume> {
        let changes = Changes::read(parameters)?;
        let _claim = self.claim("volume", id)?;
        let changing = || pending(format!("the type of the volume {id} is being changed"));
        let mut doubted = None;
        let mut disk = self.disk(id).await?;
        while let Some(kind) = changes.kind.as_ref().filter(|kind| **kind != disk.disk_type) {
            if disk.migrating {
                return Err(changing());
            }
            let call = self.cbs.modify_disk_attributes(ModifyDiskAttributes::new([id]).disk_type(kind.clone()));
            match call.await.map_err(ProviderError::from) {
                Ok(_) => return Err(changing()),
                // It may have been changed meanwhile: a type that a disk has is refused as one that can't be had.
                Err(error) if error.kind() == ErrorKind::Exhausted(Exhausted::Stock) => {
                    self.doubt(error, &mut doubted).await?;
                }
                Err(error) => return Err(error),
            }
            disk = self.disk(id).await?;
        }
        if let Some(throughput) = changes.throughput.filter(|throughput| *throughput != disk.throughput_performance) {
            if disk.migrating {
                return Err(changing());
            }
            self.cbs.modify_disk_extra_performance(ModifyDiskExtraPerformance::new(throughput, id)).await?;
            return Ok(self.volume(&self.disk(id).await?));
        }
        Ok(self.volume(&disk))
    }

    pub(super) async fn capacity_of(&self, request: &CapacityRequest) -> Result<Capacity> {
        let mut parameters = Parameters::read(&request.parameters)?;
        let mut zone = request.zone.clone();
        for zone in zone.iter_mut().chain(&mut parameters.zones) {
            self.name_zone(zone).await?;
        }
        // With these parameters, volumes are made in other zones.
        if zone.as_ref().is_some_and(|zone| !parameters.zones.is_empty() && !parameters.zones.contains(zone)) {
            return Ok(Capacity::default());
        }
        let mut inquiry = DescribeDiskConfigQuota::new(InquiryType::InquiryCbsConfig)
            .disk_charge_type(parameters.charge)
            .disk_types(parameters.kinds.iter().cloned());
        let zones = match zone {
            Some(zone) => vec![zone],
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

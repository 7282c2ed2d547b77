//! Disk types: what can be bought where, in which sizes and for how much.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{one_of, prices};
use crate::call::Call;
use crate::error::ApiError;
use crate::world::{Local, World};
use crate::zones;

/// The size of every disk is a multiple of this, in GiB.
pub(super) const STEP: u64 = 10;
/// The most extra throughput that can be bought, in MiB/s.
pub(super) const MOST_THROUGHPUT: u64 = 650;
/// From this size in GiB a disk can have extra throughput and bursts.
pub(super) const LEAST_FOR_PERFORMANCE: u64 = 460;

/// A disk type. Sizes are in GiB, the price in thousandths of a yuan a GiB and month.
#[derive(Debug)]
pub(super) struct DiskType {
    pub(super) name: &'static str,
    pub(super) least: u64,
    pub(super) most: u64,
    pub(super) price: u64,
    sale: Sale,
}

/// How a disk type is sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sale {
    Everywhere,
    /// Only together with an instance.
    WithInstance,
}

const fn of(name: &'static str, least: u64, most: u64, price: u64, sale: Sale) -> DiskType {
    DiskType { name, least, most, price, sale }
}

static TYPES: &[DiskType] = &[
    of("CLOUD_PREMIUM", 10, 32_000, 350, Sale::Everywhere),
    of("CLOUD_BSSD", 20, 32_000, 500, Sale::Everywhere),
    of("CLOUD_SSD", 20, 32_000, 1_000, Sale::Everywhere),
    of("CLOUD_HSSD", 20, 32_000, 1_000, Sale::Everywhere),
    of("CLOUD_BASIC", 10, 16_000, 300, Sale::WithInstance),
    of("CLOUD_TSSD", 20, 32_000, 3_200, Sale::WithInstance),
];

/// The type of this name.
pub(super) fn find(name: &str) -> Result<&'static DiskType, ApiError> {
    TYPES.iter().find(|kind| kind.name == name).ok_or_else(|| {
        let known: Vec<&str> = TYPES.iter().map(|kind| kind.name).collect();
        ApiError::invalid_value(format!("`DiskType`: `{name}` is none of {}.", known.join(", ")))
    })
}

impl DiskType {
    /// Whether disks of the type can have extra throughput and bursts.
    pub(super) fn is_fast(&self) -> bool {
        matches!(self.name, "CLOUD_HSSD" | "CLOUD_TSSD")
    }

    /// Refuses types that are only sold together with an instance.
    pub(super) fn check_sold_alone(&self) -> Result<(), ApiError> {
        if self.sale == Sale::Everywhere {
            return Ok(());
        }
        let message = format!("{} is only sold together with an instance, not as a disk of its own.", self.name);
        Err(ApiError::new("InvalidParameter.DiskConfigNotSupported", message))
    }

    /// Checks a size: its range and its step.
    pub(super) fn check_size(&self, size: u64) -> Result<(), ApiError> {
        let fault = if !(self.least..=self.most).contains(&size) {
            format!("`DiskSize`: {} takes {} to {} GiB, not {size}.", self.name, self.least, self.most)
        } else if !size.is_multiple_of(STEP) {
            format!("`DiskSize` goes in steps of {STEP} GiB; {size} is none.")
        } else {
            return Ok(());
        };
        Err(ApiError::invalid_value(fault))
    }

    /// Refuses when the type is sold out in the zone.
    pub(super) fn check_stock(&self, here: &Local<'_>, zone: &str) -> Result<(), ApiError> {
        if !sold_out(here, zone, self.name) {
            return Ok(());
        }
        let message = format!("{} is sold out in the zone {zone}: try another type or zone.", self.name);
        Err(ApiError::new("ResourceInsufficient", message))
    }
}

/// Whether there is a disk type of this name for instances, local ones among them.
pub(crate) fn is_disk_type(name: &str) -> bool {
    TYPES.iter().any(|kind| kind.name == name)
        || matches!(name, "LOCAL_BASIC" | "LOCAL_SSD" | "LOCAL_NVME" | "LOCAL_PRO")
}

/// Whether a knob says that the type is sold out in the zone.
pub(crate) fn sold_out(here: &Local<'_>, zone: &str, name: &str) -> bool {
    here.settings.sold_out_zones.iter().any(|other| other == zone)
        || here.settings.sold_out_disks.iter().any(|(where_gone, kind)| where_gone == zone && kind == name)
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        inquiry_type: String,
        disk_charge_type: Option<String>,
        instance_families: Option<Vec<String>>,
        disk_types: Option<Vec<String>>,
        zones: Option<Vec<String>>,
        disk_usage: Option<String>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    one_of("InquiryType", Some(&input.inquiry_type), &["INQUIRY_CBS_CONFIG", "INQUIRY_CVM_CONFIG"])?;
    one_of("DiskChargeType", input.disk_charge_type.as_deref(), &["PREPAID", "POSTPAID_BY_HOUR", "CDCPAID"])?;
    one_of("DiskUsage", input.disk_usage.as_deref(), &["SYSTEM_DISK", "DATA_DISK"])?;
    let wanted_types = input.disk_types.unwrap_or_default();
    wanted_types.iter().try_for_each(|name| find(name).map(drop))?;
    let wanted_zones = input.zones.unwrap_or_default();
    if let Some(zone) = wanted_zones.iter().find(|zone| here.zone(zone).is_none()) {
        return Err(ApiError::invalid_value(format!("`Zones`: the region {} has no zone `{zone}`.", here.name)));
    }
    let with_instances = input.inquiry_type == "INQUIRY_CVM_CONFIG";
    let families: Vec<Option<String>> = match input.instance_families.filter(|families| !families.is_empty()) {
        Some(families) if with_instances => families.into_iter().map(Some).collect(),
        _ => vec![None],
    };
    let wanted = |given: &Option<String>, value: &str| given.as_deref().is_none_or(|given| given == value);
    let mut configs = Vec::new();
    for zone in zones::region(here.name).into_iter().flat_map(zones::Region::zones) {
        if !wanted_zones.is_empty() && !wanted_zones.contains(&zone.name) {
            continue;
        }
        for kind in TYPES {
            if !wanted_types.is_empty() && !wanted_types.iter().any(|name| name == kind.name)
                || !with_instances && kind.sale == Sale::WithInstance
            {
                continue;
            }
            let charges = ["PREPAID", "POSTPAID_BY_HOUR"];
            for charge in charges.into_iter().filter(|charge| wanted(&input.disk_charge_type, charge)) {
                let usages = ["SYSTEM_DISK", "DATA_DISK"].into_iter();
                // Only instances have system disks.
                let usages = usages.filter(|usage| with_instances || *usage == "DATA_DISK");
                for usage in usages.filter(|usage| wanted(&input.disk_usage, usage)) {
                    for family in &families {
                        configs.push(config(&here, &zone.name, kind, charge, (usage, family.as_deref())));
                    }
                }
            }
        }
    }
    Ok(json!({ "DiskConfigSet": configs }))
}

fn config(here: &Local<'_>, zone: &str, kind: &DiskType, charge: &str, (usage, family): (&str, Option<&str>)) -> Value {
    let (least, most) = if usage == "SYSTEM_DISK" { (20, 2_048) } else { (kind.least, kind.most) };
    json!({
        "Available": !sold_out(here, zone, kind.name),
        "DiskChargeType": charge,
        "Zone": zone,
        "InstanceFamily": family,
        "DiskType": kind.name,
        "StepSize": STEP,
        "ExtraPerformanceRange": kind.is_fast().then_some([0, MOST_THROUGHPUT]),
        "DeviceClass": null,
        "DiskUsage": usage,
        "MinDiskSize": least,
        "MaxDiskSize": most,
        "Price": prices::show(prices::of_space(kind, least), (charge == "PREPAID").then_some(1)),
    })
}

//! Instance types: what can be bought where.

use serde::Deserialize;
use serde_json::{Value, json};

use super::LISTS;
use crate::call::Call;
use crate::error::ApiError;
use crate::listing::{Dialect, Filter, Filters};
use crate::world::{Local, World};
use crate::zones;

/// An instance type. Memory is in GiB, the price in yuan an hour.
#[derive(Debug)]
pub(super) struct InstanceType {
    pub(super) name: &'static str,
    family: &'static str,
    title: &'static str,
    pub(super) cpu: u32,
    pub(super) memory: u32,
    pub(super) gpu: u32,
    pub(super) price: f64,
}

const fn of(
    name: &'static str,
    family: &'static str,
    title: &'static str,
    cpu: u32,
    memory: u32,
    price: f64,
) -> InstanceType {
    InstanceType { name, family, title, cpu, memory, gpu: 0, price }
}

/// Every type; the first is what an instance gets when the request names none.
static TYPES: &[InstanceType] = &[
    of("S5.SMALL1", "S5", "Standard S5", 1, 1, 0.11),
    of("S5.SMALL2", "S5", "Standard S5", 1, 2, 0.18),
    of("S5.MEDIUM2", "S5", "Standard S5", 2, 2, 0.25),
    of("S5.MEDIUM4", "S5", "Standard S5", 2, 4, 0.35),
    of("S5.MEDIUM8", "S5", "Standard S5", 2, 8, 0.52),
    of("S5.LARGE8", "S5", "Standard S5", 4, 8, 0.7),
    of("S5.LARGE16", "S5", "Standard S5", 4, 16, 1.04),
    of("S5.2XLARGE16", "S5", "Standard S5", 8, 16, 1.4),
    of("S5.2XLARGE32", "S5", "Standard S5", 8, 32, 2.08),
    of("S5.4XLARGE64", "S5", "Standard S5", 16, 64, 4.16),
    of("SA2.MEDIUM4", "SA2", "Standard SA2", 2, 4, 0.24),
    of("SA2.LARGE8", "SA2", "Standard SA2", 4, 8, 0.48),
    of("SA5.MEDIUM2", "SA5", "Standard SA5", 2, 2, 0.2),
    of("SA5.LARGE8", "SA5", "Standard SA5", 4, 8, 0.55),
    of("SA5.2XLARGE16", "SA5", "Standard SA5", 8, 16, 1.1),
    of("C4.LARGE8", "C4", "Compute C4", 4, 8, 0.9),
    of("M5.LARGE32", "M5", "Memory Optimized M5", 4, 32, 1.5),
    InstanceType { gpu: 1, ..of("GN7.2XLARGE32", "GN7", "GPU Compute GN7", 8, 32, 7.0) },
];

/// The type of this name.
pub(super) fn find(name: &str) -> Option<&'static InstanceType> {
    TYPES.iter().find(|kind| kind.name == name)
}

/// The families, each once, with their titles.
pub(super) fn families() -> Vec<(&'static str, &'static str)> {
    let mut families: Vec<(&str, &str)> = TYPES.iter().map(|kind| (kind.family, kind.title)).collect();
    families.dedup();
    families
}

/// What an instance gets when the request names no type: the first that is not sold out.
pub(super) fn any(here: &Local<'_>) -> Option<&'static InstanceType> {
    TYPES.iter().find(|kind| !sold_out(here, kind.name))
}

/// Whether a knob says that the type is sold out.
pub(super) fn sold_out(here: &Local<'_>, name: &str) -> bool {
    here.settings.sold_out_types.iter().any(|other| other == name)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    filters: Option<Vec<Filter>>,
}

pub(super) fn describe_configs(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    const ONE_VALUE: Dialect = Dialect { most_values: 1, ..LISTS };
    let input: Input = call.input()?;
    let filters = Filters::check(call, input.filters, &["zone", "instance-family", "instance-type"], &ONE_VALUE)?;
    let here = world.local(call);
    let configs: Vec<Value> = offers(&here)
        .filter(|(zone, kind)| filters.accept(&[], |name, value| fits(name, value, zone, kind, "")))
        .map(|(zone, kind)| {
            json!({
                "Zone": zone,
                "InstanceType": kind.name,
                "InstanceFamily": kind.family,
                "CPU": kind.cpu,
                "Memory": kind.memory,
                "GPU": kind.gpu,
                "GpuCount": f64::from(kind.gpu),
                "FPGA": 0,
            })
        })
        .collect();
    Ok(json!({ "InstanceTypeConfigSet": configs }))
}

pub(super) fn describe_zone_configs(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    const HUNDRED_VALUES: Dialect = Dialect { most_values: 100, ..LISTS };
    const FILTERS: &[&str] = &["zone", "instance-family", "instance-type", "instance-charge-type", "sort-keys"];
    let input: Input = call.input()?;
    let filters = Filters::check(call, input.filters, FILTERS, &HUNDRED_VALUES)?;
    let here = world.local(call);
    let charges = ["PREPAID", "POSTPAID_BY_HOUR", "SPOTPAID"];
    let mut items: Vec<(&InstanceType, Value)> = offers(&here)
        .flat_map(|(zone, kind)| charges.iter().map(move |charge| (zone.clone(), kind, *charge)))
        .filter(|(zone, kind, charge)| {
            filters.accept(&[], |name, value| name == "sort-keys" || fits(name, value, zone, kind, charge))
        })
        .map(|(zone, kind, charge)| (kind, quota_item(&here, &zone, kind, charge)))
        .collect();
    for key in filters.values("sort-keys").unwrap_or_default() {
        match key.as_str() {
            "cpu:asc" => items.sort_by_key(|(kind, _)| kind.cpu),
            "cpu:desc" => items.sort_by_key(|(kind, _)| std::cmp::Reverse(kind.cpu)),
            "mem:asc" => items.sort_by_key(|(kind, _)| kind.memory),
            "mem:desc" => items.sort_by_key(|(kind, _)| std::cmp::Reverse(kind.memory)),
            other => {
                let message = format!("`sort-keys`: `{other}` is none of cpu:asc, cpu:desc, mem:asc, mem:desc.");
                return Err(ApiError::invalid_value(message));
            }
        }
    }
    Ok(json!({ "InstanceTypeQuotaSet": items.into_iter().map(|(_, item)| item).collect::<Vec<_>>() }))
}

/// Every zone with every type: all types are offered everywhere, though they may be sold out.
fn offers(here: &Local<'_>) -> impl Iterator<Item = (String, &'static InstanceType)> + use<> {
    let zones = zones::region(here.name).into_iter().flat_map(zones::Region::zones);
    zones.flat_map(|zone| TYPES.iter().map(move |kind| (zone.name.clone(), kind)))
}

fn fits(name: &str, value: &str, zone: &str, kind: &InstanceType, charge: &str) -> bool {
    match name {
        "zone" => zone == value,
        "instance-family" => kind.family == value,
        "instance-type" => kind.name == value,
        "instance-charge-type" => charge == value,
        _ => false,
    }
}

fn quota_item(here: &Local<'_>, zone: &str, kind: &InstanceType, charge: &str) -> Value {
    let zone_gone = here.settings.sold_out_zones.iter().any(|other| other == zone);
    let gone = zone_gone || sold_out(here, kind.name);
    let price = match charge {
        "PREPAID" => {
            json!({ "OriginalPrice": kind.price * 400.0, "DiscountPrice": kind.price * 400.0, "Discount": 100.0 })
        }
        _ => json!({
            "UnitPrice": kind.price,
            "UnitPriceDiscount": kind.price,
            "ChargeUnit": "HOUR",
            "Discount": 100.0,
        }),
    };
    json!({
        "Zone": zone,
        "InstanceType": kind.name,
        "InstanceChargeType": charge,
        "InstanceFamily": kind.family,
        "TypeName": kind.title,
        "Cpu": kind.cpu,
        "Memory": kind.memory,
        "Gpu": kind.gpu,
        "GpuCount": f64::from(kind.gpu),
        "Fpga": 0,
        "NetworkCard": 0,
        "InstanceBandwidth": 1.5,
        "InstancePps": 30,
        "StorageBlockAmount": 0,
        "CpuType": "Emulated",
        "Frequency": "-",
        "Remark": "",
        "Externals": {},
        "LocalDiskTypeList": [],
        "Price": price,
        "Status": if gone { "SOLD_OUT" } else { "SELL" },
        "StatusCategory": if gone { "WithoutStock" } else { "EnoughStock" },
        "SoldOutReason": if gone { "sold out" } else { "" },
    })
}

//! What disks cost: made-up prices, but the same for the same question, and in the form the cloud gives them.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::billing::{GivenPrepaid, check_period};
use super::catalog::{self, DiskType};
use super::{create, disks, work_ids};
use crate::call::Call;
use crate::error::ApiError;
use crate::world::World;

/// Hours that a month is counted as.
const HOURS: u64 = 720;
/// A MiB/s of extra throughput, in thousandths of a yuan a month.
const THROUGHPUT: u64 = 150;

/// The price of so many GiB, in thousandths of a yuan a month.
pub(super) fn of_space(kind: &DiskType, size: u64) -> u64 {
    kind.price.saturating_mul(size)
}

fn of_throughput(throughput: u64) -> u64 {
    THROUGHPUT.saturating_mul(throughput)
}

/// A `Price`: for so many months, or by the hour.
pub(super) fn show(monthly: u64, months: Option<u64>) -> Value {
    let mut price = Map::new();
    let all = [
        "ChargeUnit",
        "DiscountPrice",
        "DiscountPriceHigh",
        "OriginalPrice",
        "OriginalPriceHigh",
        "UnitPrice",
        "UnitPriceDiscount",
        "UnitPriceDiscountHigh",
        "UnitPriceHigh",
    ];
    for name in all {
        price.insert(name.to_owned(), Value::Null);
    }
    let exact = match months {
        Some(months) => decimal(monthly.saturating_mul(months).saturating_mul(1_000)),
        // By the hour it costs half as much again.
        None => decimal(monthly.saturating_mul(1_500) / HOURS),
    };
    let rounded = exact.parse::<f64>().unwrap_or_default();
    let names = if months.is_some() {
        ["DiscountPrice", "OriginalPrice"]
    } else {
        price.insert("ChargeUnit".to_owned(), json!("HOUR"));
        ["UnitPriceDiscount", "UnitPrice"]
    };
    for name in names {
        price.insert(name.to_owned(), json!((rounded * 100.0).round() / 100.0));
        price.insert(format!("{name}High"), json!(exact));
    }
    Value::Object(price)
}

/// Millionths as a decimal number.
fn decimal(millionths: u64) -> String {
    let text = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A `PrepayPrice`: the sum and its parts.
fn show_in_parts(parts: &[(&str, &str, u64)], months: Option<u64>) -> Value {
    let mut price = show(parts.iter().fold(0, |sum, (.., monthly)| sum.saturating_add(*monthly)), months);
    let details: Vec<Value> = parts
        .iter()
        .map(|(name, title, monthly)| {
            let mut part = show(*monthly, months);
            if let Some(part) = part.as_object_mut() {
                part.insert("PriceName".to_owned(), json!(name));
                part.insert("PriceTitle".to_owned(), json!(title));
            }
            part
        })
        .collect();
    if let Some(price) = price.as_object_mut() {
        price.insert("DetailPrices".to_owned(), Value::Array(details));
    }
    price
}

pub(super) fn of_new(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        disk_charge_type: String,
        disk_type: String,
        disk_size: u64,
        disk_count: Option<u64>,
        throughput_performance: Option<u64>,
        disk_charge_prepaid: Option<GivenPrepaid>,
    }
    let _ = world.local(call);
    let input: Input = call.input()?;
    let kind = catalog::find(&input.disk_type)?;
    kind.check_size(input.disk_size)?;
    let count = create::check_count(input.disk_count)?;
    let months = create::check_charge(&input.disk_charge_type, input.disk_charge_prepaid.as_ref())?;
    let throughput = input.throughput_performance.unwrap_or_default();
    create::check_throughput(kind, input.disk_size, throughput)?;
    let monthly = of_space(kind, input.disk_size).saturating_add(of_throughput(throughput));
    let monthly = monthly.saturating_mul(u64::try_from(count).unwrap_or(1));
    Ok(json!({ "DiskPrice": show(monthly, months.map(u64::from)) }))
}

pub(super) fn of_growth(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        disk_size: u64,
        disk_id: Option<String>,
        disk_ids: Option<Vec<String>>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let ids = match (input.disk_id, input.disk_ids) {
        (Some(id), None) => vec![id],
        (None, Some(ids)) => ids,
        (Some(_), Some(_)) => return Err(ApiError::invalid_value("Give `DiskId` or `DiskIds`, not both.")),
        (None, None) => return Err(ApiError::missing("DiskId")),
    };
    let ids = work_ids(("DiskIds", ids), "disk", 100)?;
    let (mut space, mut throughput, mut prepaid) = (0_u64, 0_u64, false);
    for disk in disks::named(&here, &ids)? {
        disk.check_portable("InvalidDisk.NotPortable")?;
        let kind = catalog::find(&disk.kind)?;
        kind.check_size(input.disk_size)?;
        if input.disk_size < disk.size {
            let message = format!("`DiskSize`: the disk `{}` has {} GiB; disks only grow.", disk.id, disk.size);
            return Err(ApiError::invalid_value(message));
        }
        prepaid |= disk.prepaid.is_some();
        space =
            space.saturating_add(of_space(kind, if prepaid { input.disk_size - disk.size } else { input.disk_size }));
        throughput = throughput.saturating_add(of_throughput(if prepaid { 0 } else { disk.throughput }));
    }
    let parts = [
        ("DiskBackupQuota", "Backup points", 0),
        ("DiskSpace", "Disk space", space),
        ("DiskExtraPerformance", "Extra performance", throughput),
    ];
    Ok(json!({ "DiskPrice": show_in_parts(&parts, prepaid.then_some(1)) }))
}

pub(super) fn of_renewal(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        disk_ids: Vec<String>,
        disk_charge_prepaids: Option<Vec<GivenPrepaid>>,
        new_deadline: Option<String>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let ids = work_ids(("DiskIds", input.disk_ids), "disk", 100)?;
    let periods = match (input.disk_charge_prepaids, input.new_deadline) {
        (Some(periods), None) if periods.len() == ids.len() => periods,
        (Some(_), None) => {
            return Err(ApiError::invalid_value("`DiskChargePrepaids` needs one period for each of `DiskIds`."));
        }
        // Up to a date: counted as one month each.
        (None, Some(_)) => Vec::new(),
        _ => return Err(ApiError::missing("DiskChargePrepaids")),
    };
    let mut sum = 0_u64;
    for (place, disk) in disks::named(&here, &ids)?.into_iter().enumerate() {
        disk.check_portable("InvalidDisk.NotPortable")?;
        if disk.prepaid.is_none() {
            let message = format!("The disk `{}` is postpaid: there is nothing to renew.", disk.id);
            return Err(ApiError::new("ResourceUnavailable.NotSupported", message));
        }
        let months =
            periods.get(place).map_or(Ok(1), |prepaid| check_period("DiskChargePrepaids.Period", prepaid.period))?;
        let monthly = of_space(catalog::find(&disk.kind)?, disk.size).saturating_add(of_throughput(disk.throughput));
        sum = sum.saturating_add(monthly.saturating_mul(u64::from(months)));
    }
    let parts = [("DiskBackupQuota", "Backup points", 0), ("DiskSpace", "Disk space", sum)];
    Ok(json!({ "DiskPrice": show_in_parts(&parts, Some(1)) }))
}

pub(super) fn of_performance(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        throughput_performance: u64,
        disk_id: String,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let disk = disks::find(here.region, &input.disk_id, here.now)?;
    super::resize::check_performance(disk, input.throughput_performance)?;
    let monthly = of_throughput(input.throughput_performance);
    Ok(json!({ "DiskPrice": show(monthly, disk.prepaid.is_some().then_some(1)) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_fill_the_fields_of_their_kind() {
        let prepaid = show(100_000, Some(8));
        assert_eq!((&prepaid["DiscountPrice"], &prepaid["DiscountPriceHigh"]), (&json!(800.0), &json!("800")));
        assert_eq!((&prepaid["UnitPrice"], &prepaid["ChargeUnit"]), (&Value::Null, &Value::Null));
        let by_hour = show(35_000, None);
        assert_eq!((&by_hour["UnitPrice"], &by_hour["UnitPriceHigh"]), (&json!(0.07), &json!("0.072916")));
        assert_eq!((&by_hour["OriginalPrice"], &by_hour["ChargeUnit"]), (&Value::Null, &json!("HOUR")));
    }
}

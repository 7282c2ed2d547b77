//! How instances are paid for: renewal, charge types, and prices.

use serde::Deserialize;
use serde_json::{Value, json};

use super::instances::{Instance, State, named};
use super::lifecycle::check_state;
use super::run::Prepaid;
use super::{catalog, images};
use crate::call::Call;
use crate::cbs;
use crate::error::ApiError;
use crate::world::{Local, World};

/// The hours that a prepaid month is priced as.
const HOURS_A_MONTH: f64 = 400.0;

fn check_renew_flag(flag: &str) -> Result<(), ApiError> {
    match flag {
        "NOTIFY_AND_AUTO_RENEW" | "NOTIFY_AND_MANUAL_RENEW" | "DISABLE_NOTIFY_AND_MANUAL_RENEW" => Ok(()),
        _ => Err(ApiError::invalid_value(format!("`RenewFlag`: there is no `{flag}`."))),
    }
}

fn check_period(prepaid: &Prepaid) -> Result<u32, ApiError> {
    prepaid.renew_flag.as_deref().map_or(Ok(()), check_renew_flag)?;
    match prepaid.period {
        1..=12 | 24 | 36 | 48 | 60 => Ok(u32::try_from(prepaid.period).unwrap_or(1)),
        other => {
            let message = format!("`InstanceChargePrepaid.Period`: {other} is none of 1 to 12, 24, 36, 48, 60.");
            Err(ApiError::new("InvalidPeriod", message))
        }
    }
}

/// The prepaid instances of a request.
fn prepaid<'a>(here: &'a Local<'_>, ids: &[String]) -> Result<Vec<&'a Instance>, ApiError> {
    let instances = named(here.region, ids)?;
    if let Some(instance) = instances.iter().find(|instance| !instance.is_prepaid()) {
        let message = format!("The instance `{}` is {}, not PREPAID.", instance.id, instance.charge_type);
        return Err(ApiError::new("UnsupportedOperation.InstanceChargeType", message));
    }
    Ok(instances)
}

pub(super) fn set_renew_flag(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        instance_ids: Vec<String>,
        renew_flag: String,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    check_renew_flag(&input.renew_flag)?;
    prepaid(&here, &input.instance_ids)?;
    for id in &input.instance_ids {
        if let Some(instance) = here.region.cvm.instances.get_mut(id) {
            instance.renew_flag.clone_from(&input.renew_flag);
        }
    }
    Ok(json!({}))
}

pub(super) fn renew(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        instance_ids: Vec<String>,
        instance_charge_prepaid: Option<Prepaid>,
        renew_portable_data_disk: Option<bool>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let asked = input.instance_charge_prepaid.ok_or_else(|| ApiError::missing("InstanceChargePrepaid"))?;
    let months = check_period(&asked)?;
    for instance in prepaid(&here, &input.instance_ids)? {
        check_state(instance, &[State::Running, State::Stopped, State::Shutdown], here.settings)?;
    }
    for id in &input.instance_ids {
        let Some(instance) = here.region.cvm.instances.get_mut(id) else { continue };
        let from = instance.expires.unwrap_or(here.now).max(here.now);
        instance.expires = Some(from.months_later(months));
        instance.renew_flag = asked.renew_flag.clone().unwrap_or_else(|| instance.renew_flag.clone());
        let (deadline, flag) = (from.months_later(months), instance.renew_flag.clone());
        if instance.isolated {
            // It comes back from the recycle bin as it went there: stopped.
            instance.isolated = false;
            instance.state = State::Stopped;
        }
        let with_portable = input.renew_portable_data_disk != Some(false);
        cbs::prolong(here.region, id, (deadline, &flag), with_portable);
    }
    Ok(json!({}))
}

pub(super) fn set_charge_type(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        instance_ids: Vec<String>,
        instance_charge_type: String,
        instance_charge_prepaid: Option<Prepaid>,
        modify_portable_data_disk: Option<bool>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let instances = named(here.region, &input.instance_ids)?;
    let months = match (input.instance_charge_type.as_str(), &input.instance_charge_prepaid) {
        ("PREPAID", Some(prepaid)) => Some(check_period(prepaid)?),
        ("PREPAID", None) => return Err(ApiError::missing("InstanceChargePrepaid")),
        ("POSTPAID_BY_HOUR", _) => None,
        (other, _) => {
            let message = format!("`InstanceChargeType` becomes PREPAID or POSTPAID_BY_HOUR, not `{other}`.");
            return Err(ApiError::invalid_value(message));
        }
    };
    for instance in instances {
        check_state(instance, &[State::Running, State::Stopped], here.settings)?;
        if instance.charge_type == input.instance_charge_type || instance.charge_type == "SPOTPAID" {
            let message = format!("The instance `{}` is {} and stays so.", instance.id, instance.charge_type);
            return Err(ApiError::new("UnsupportedOperation.InstanceChargeType", message));
        }
    }
    for id in &input.instance_ids {
        let Some(instance) = here.region.cvm.instances.get_mut(id) else { continue };
        instance.charge_type.clone_from(&input.instance_charge_type);
        instance.expires = months.map(|months| here.now.months_later(months));
        if let Some(flag) = input.instance_charge_prepaid.as_ref().and_then(|prepaid| prepaid.renew_flag.as_ref()) {
            instance.renew_flag.clone_from(flag);
        }
        let paid = instance.expires.map(|deadline| (deadline, instance.renew_flag.clone()));
        let paid = paid.as_ref().map(|(deadline, flag)| (*deadline, flag.as_str()));
        cbs::charge_like_instance(here.region, id, paid, input.modify_portable_data_disk == Some(true));
    }
    Ok(json!({}))
}

/// The price of so many instances: an hourly one, or that of the whole prepaid period.
fn price(hourly: f64, months: Option<u32>, count: f64) -> Value {
    match months {
        Some(months) => {
            let total = hourly * HOURS_A_MONTH * f64::from(months) * count;
            json!({ "OriginalPrice": total, "DiscountPrice": total, "Discount": 100.0 })
        }
        None => json!({
            "UnitPrice": hourly * count,
            "UnitPriceDiscount": hourly * count,
            "ChargeUnit": "HOUR",
            "Discount": 100.0,
        }),
    }
}

pub(super) fn inquire_run(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        placement: Placement,
        image_id: String,
        instance_charge_type: Option<String>,
        instance_charge_prepaid: Option<Prepaid>,
        instance_type: Option<String>,
        instance_count: Option<i64>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Placement {
        zone: String,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    if here.zone(&input.placement.zone).is_none() {
        let message = format!("`Placement.Zone`: the region {} has no zone `{}`.", here.name, input.placement.zone);
        return Err(ApiError::new("InvalidZone.MismatchRegion", message));
    }
    images::find(&here, &input.image_id)?;
    let kind = match &input.instance_type {
        Some(name) => catalog::find(name),
        None => catalog::any(&here),
    };
    let Some(kind) = kind else {
        let message = format!("`InstanceType`: there is no `{}`.", input.instance_type.unwrap_or_default());
        return Err(ApiError::new("InvalidParameterValue.InstanceTypeNotFound", message));
    };
    let months = match input.instance_charge_type.as_deref() {
        Some("PREPAID") => {
            let prepaid = input.instance_charge_prepaid.ok_or_else(|| ApiError::missing("InstanceChargePrepaid"))?;
            Some(check_period(&prepaid)?)
        }
        None | Some("POSTPAID_BY_HOUR" | "SPOTPAID") => None,
        Some(other) => return Err(ApiError::invalid_value(format!("`InstanceChargeType`: there is no `{other}`."))),
    };
    let count = input.instance_count.unwrap_or(1);
    let count = u32::try_from(count).ok().filter(|count| (1..=500).contains(count)).ok_or_else(|| {
        let message = format!("`InstanceCount` must be between 1 and 500, not {count}.");
        ApiError::new("InvalidParameterValue.Range", message)
    })?;
    Ok(json!({ "Price": {
        "InstancePrice": price(kind.price, months, f64::from(count)),
        "BandwidthPrice": { "UnitPrice": 0.8, "UnitPriceDiscount": 0.8, "ChargeUnit": "GB", "Discount": 100.0 },
    }}))
}

pub(super) fn inquire_renewal(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        instance_ids: Vec<String>,
        instance_charge_prepaid: Prepaid,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let months = check_period(&input.instance_charge_prepaid)?;
    let instances = prepaid(&here, &input.instance_ids)?;
    let types = instances.iter().filter_map(|instance| catalog::find(&instance.instance_type));
    let hourly: f64 = types.map(|kind| kind.price).sum();
    Ok(json!({ "Price": { "InstancePrice": price(hourly, Some(months), 1.0), "BandwidthPrice": {} } }))
}

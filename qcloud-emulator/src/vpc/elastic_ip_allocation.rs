//! Allocating elastic IPs.

use serde::Deserialize;
use serde_json::{Value, json};

use super::elastic_ip_work::{Outcome, plan};
use super::elastic_ips::{ElasticIp, State};
use super::replays;
use super::tasks::Tasks;
use crate::call::Call;
use crate::error::ApiError;
use crate::settings::{Quota, Task};
use crate::tags::{self, Tag};
use crate::world::{Local, World};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Allocation {
    address_count: Option<i64>,
    internet_service_provider: Option<String>,
    internet_charge_type: Option<String>,
    internet_max_bandwidth_out: Option<i64>,
    address_charge_prepaid: Option<Prepaid>,
    address_type: Option<String>,
    vip_cluster: Option<Vec<String>>,
    tags: Option<Vec<Tag>>,
    bandwidth_package_id: Option<String>,
    address_name: Option<String>,
    client_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Prepaid {
    period: i64,
}

pub(super) fn allocate(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Allocation = call.input()?;
    let mut here = world.local(call);
    replays::once(&mut here, call, input.client_token.as_deref(), "InvalidParameterConflict", |here| {
        let count = input.address_count.unwrap_or(1);
        if !(1..=100).contains(&count) {
            let message = format!("`AddressCount` must be between 1 and 100, not {count}.");
            return Err(ApiError::new("InvalidParameterValue.Range", message));
        }
        let model = read(here, &input)?;
        let count = usize::try_from(count).unwrap_or(1);
        check_room(here, count, "AddressQuotaLimitExceeded", "AddressQuotaLimitExceeded.DailyAllocate")?;
        let (task, ends) = Tasks::begin_numbered(here, Task::ElasticIpAllocate);
        let ids = make(here, model, count);
        for id in &ids {
            plan(here, id, (&task, ends), Outcome::Ready);
        }
        Ok(json!({ "AddressSet": ids, "TaskId": task }))
    })
}

/// What the addresses of a request are to be like, their ids and addresses left open.
fn read(here: &Local<'_>, input: &Allocation) -> Result<ElasticIp, ApiError> {
    let known = |parameter: &str, given: &Option<String>, known: &[&str]| -> Result<String, ApiError> {
        let given = given.as_deref().or(known.first().copied()).unwrap_or_default();
        if known.contains(&given) {
            return Ok(given.to_owned());
        }
        Err(ApiError::invalid_value(format!("`{parameter}`: `{given}` is none of {}.", known.join(", "))))
    };
    let kinds = ["EIP", "AnycastEIP", "AntiDDoSEIP", "HighQualityEIP", "ResidentialEIP"];
    let kind = known("AddressType", &input.address_type, &kinds)?;
    let provider =
        known("InternetServiceProvider", &input.internet_service_provider, &["BGP", "CMCC", "CTCC", "CUCC"])?;
    let charges =
        ["TRAFFIC_POSTPAID_BY_HOUR", "BANDWIDTH_POSTPAID_BY_HOUR", "BANDWIDTH_PREPAID_BY_MONTH", "BANDWIDTH_PACKAGE"];
    let charge_type = known("InternetChargeType", &input.internet_charge_type, &charges)?;
    let prepaid = input.address_charge_prepaid.as_ref();
    if (charge_type == "BANDWIDTH_PREPAID_BY_MONTH") != prepaid.is_some() {
        let message = "`AddressChargePrepaid` belongs to BANDWIDTH_PREPAID_BY_MONTH and to no other charge type.";
        return Err(ApiError::new("InvalidParameterValue.Combination", message));
    }
    if let Some(period) = prepaid.map(|prepaid| prepaid.period).filter(|months| !matches!(months, 1..=12 | 24 | 36)) {
        let message = format!("`AddressChargePrepaid.Period`: {period} is none of 1 to 12, 24, 36.");
        return Err(ApiError::new("InvalidParameterValue.Range", message));
    }
    let bandwidth = check_bandwidth(input.internet_max_bandwidth_out.unwrap_or(1), &charge_type)?;
    if let Some(address) = input.vip_cluster.iter().flatten().next() {
        let message = format!("`VipCluster`: {address} is not available; the emulator picks the addresses.");
        return Err(ApiError::new("InvalidParameterValue.AddressIpNotAvailable", message));
    }
    let name = input.address_name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| "未命名".to_owned());
    check_name(&name)?;
    let months = prepaid.and_then(|prepaid| u32::try_from(prepaid.period).ok());
    Ok(ElasticIp {
        id: String::new(),
        name,
        ip: String::new(),
        state: State::Creating,
        bound: None,
        kind,
        provider,
        charge_type,
        bandwidth,
        package: input.bandwidth_package_id.clone(),
        direct: false,
        visible: false,
        tags: tags::check(input.tags.clone())?,
        created: here.now,
        expires: months.map(|months| here.now.months_later(months)),
        task: None,
    })
}

pub(super) fn check_name(name: &str) -> Result<(), ApiError> {
    if name.chars().count() > 60 {
        return Err(ApiError::invalid_value("`AddressName` has at most 60 characters."));
    }
    Ok(())
}

pub(super) fn check_bandwidth(given: i64, charge_type: &str) -> Result<u64, ApiError> {
    let most = match charge_type {
        "BANDWIDTH_PACKAGE" => 2000,
        "BANDWIDTH_PREPAID_BY_MONTH" => 200,
        _ => 100,
    };
    match u64::try_from(given) {
        Ok(bandwidth) if (1..=most).contains(&bandwidth) => Ok(bandwidth),
        _ => {
            let message = format!(
                "`InternetMaxBandwidthOut` must be between 1 and {most} Mbit/s for {charge_type}, not {given}."
            );
            Err(ApiError::new("InvalidParameterValue.BandwidthOutOfRange", message))
        }
    }
}

/// Checks the quotas before so many elastic IPs are allocated.
pub(super) fn check_room(
    here: &Local<'_>,
    count: usize,
    in_all: &'static str,
    daily: &'static str,
) -> Result<(), ApiError> {
    let limit = here.settings.limit(Quota::ElasticIpsPerRegion);
    let present = here.region.vpc.elastic_ips.len();
    if present.saturating_add(count) > limit {
        let message = format!(
            "The region {} has {present} elastic IPs; {count} more would exceed the quota of {limit}.",
            here.name
        );
        return Err(ApiError::new(in_all, message));
    }
    let (day, today) = &here.region.vpc.allocated_on;
    if *day == here.now.date() && today.saturating_add(count) > limit.saturating_mul(2) {
        let message =
            format!("{today} elastic IPs were allocated today; {count} more would exceed twice the quota of {limit}.");
        return Err(ApiError::new(daily, message));
    }
    Ok(())
}

/// Makes elastic IPs like the given one, after all checks.
fn make(here: &mut Local<'_>, model: ElasticIp, count: usize) -> Vec<String> {
    let today = here.now.date();
    let (day, before) = &here.region.vpc.allocated_on;
    let before = if *day == today { *before } else { 0 };
    here.region.vpc.allocated_on = (today, before + count);
    let ids: Vec<String> = (0..count).map(|_| here.ids.new_id("eip")).collect();
    for id in &ids {
        let elastic = ElasticIp { id: id.clone(), ip: here.ids.new_public_ip(), ..model.clone() };
        here.region.vpc.elastic_ips.insert(id.clone(), elastic);
    }
    ids
}

/// Makes elastic IPs for a NAT gateway, after all checks: they are there at once.
pub(super) fn make_for(here: &mut Local<'_>, count: usize, bandwidth: u64) -> Vec<String> {
    let model = ElasticIp {
        id: String::new(),
        name: "未命名".to_owned(),
        ip: String::new(),
        state: State::Unbind,
        bound: None,
        kind: "EIP".to_owned(),
        provider: "BGP".to_owned(),
        charge_type: "TRAFFIC_POSTPAID_BY_HOUR".to_owned(),
        bandwidth,
        package: None,
        direct: false,
        visible: false,
        tags: Vec::new(),
        created: here.now,
        expires: None,
        task: None,
    };
    make(here, model, count)
}

//! What the account may have, and what it can choose from.

use serde::Deserialize;
use serde_json::{Value, json};

use super::instances::{State, named};
use super::{LISTS, catalog, placement_groups};
use crate::call::Call;
use crate::error::ApiError;
use crate::listing::{Dialect, Filter, Filters};
use crate::settings::Quota;
use crate::world::{Local, World};
use crate::zones;

pub(super) fn describe_account(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        filters: Option<Vec<Filter>>,
    }
    const HUNDRED_VALUES: Dialect = Dialect { most_values: 100, ..LISTS };
    const TYPES: &[&str] =
        &["PostPaidQuotaSet", "PrePaidQuotaSet", "SpotPaidQuotaSet", "ImageQuotaSet", "DisasterRecoverGroupQuotaSet"];
    let input: Input = call.input()?;
    let filters = Filters::check(call, input.filters, &["zone", "quota-type"], &HUNDRED_VALUES)?;
    let here = world.local(call);
    let types = filters.values("quota-type");
    if let Some(unknown) = types.unwrap_or_default().iter().find(|kind| !TYPES.contains(&kind.as_str())) {
        let message = format!("`quota-type`: `{unknown}` is none of {}.", TYPES.join(", "));
        return Err(ApiError::invalid_value(message));
    }
    let wanted = |kind: &str| types.is_none_or(|types| types.iter().any(|other| other == kind));
    let zones = zones::region(here.name).into_iter().flat_map(zones::Region::zones);
    let zones = zones.map(|zone| zone.name);
    let zones: Vec<String> =
        zones.filter(|zone| filters.values("zone").is_none_or(|values| values.contains(zone))).collect();
    let by_zone = |kind: &str, charge: &str| -> Vec<Value> {
        let zones = zones.iter().filter(|_| wanted(kind));
        zones.map(|zone| zone_quota(&here, zone, charge)).collect()
    };
    let one = |kind: &str, quota: Value| -> Vec<Value> { std::iter::once(quota).filter(|_| wanted(kind)).collect() };
    let images = json!({
        "UsedQuota": here.region.cvm.images.len(),
        "TotalQuota": here.settings.limit(Quota::ImagesPerRegion),
    });
    let groups = json!({
        "GroupQuota": here.settings.limit(Quota::PlacementGroupsPerRegion),
        "CurrentNum": here.region.cvm.placement_groups.len(),
        "CvmInHostGroupQuota": placement_groups::HOST_QUOTA,
        "CvmInSwitchGroupQuota": placement_groups::SWITCH_QUOTA,
        "CvmInRackGroupQuota": placement_groups::RACK_QUOTA,
    });
    Ok(json!({
        "AppId": 1_250_000_000_u64,
        "AccountQuotaOverview": { "Region": here.name, "AccountQuota": {
            "PostPaidQuotaSet": by_zone("PostPaidQuotaSet", "POSTPAID_BY_HOUR"),
            "PrePaidQuotaSet": by_zone("PrePaidQuotaSet", "PREPAID"),
            "SpotPaidQuotaSet": by_zone("SpotPaidQuotaSet", "SPOTPAID"),
            "ImageQuotaSet": one("ImageQuotaSet", images),
            "DisasterRecoverGroupQuotaSet": one("DisasterRecoverGroupQuotaSet", groups),
        }},
    }))
}

fn zone_quota(here: &Local<'_>, zone: &str, charge: &str) -> Value {
    let present = here.region.cvm.instances.values().filter(|instance| instance.zone == zone);
    let (mut used, mut all) = (0, 0);
    for instance in present {
        all += 1;
        used += usize::from(instance.charge_type == charge);
    }
    // One quota for all charge types stands behind the three.
    let total = here.settings.limit(Quota::InstancesPerZone);
    let left = total.saturating_sub(all);
    let mut quota = json!({ "Zone": zone, "UsedQuota": used, "RemainingQuota": left, "TotalQuota": used + left });
    if let (true, Some(members)) = (charge == "PREPAID", quota.as_object_mut()) {
        members.insert("OnceQuota".to_owned(), Value::from(left.min(500)));
    }
    quota
}

pub(super) fn describe_families(_: &mut World, _: &Call) -> Result<Value, ApiError> {
    let families: Vec<Value> = catalog::families()
        .into_iter()
        .map(|(family, title)| json!({ "InstanceFamily": family, "InstanceFamilyName": title }))
        .collect();
    Ok(json!({ "InstanceFamilyConfigSet": families }))
}

pub(super) fn describe_internet_charges(_: &mut World, _: &Call) -> Result<Value, ApiError> {
    let types = [
        ("BANDWIDTH_PREPAID", "Bandwidth, prepaid for whole months"),
        ("TRAFFIC_POSTPAID_BY_HOUR", "Traffic, charged by the hour"),
        ("BANDWIDTH_POSTPAID_BY_HOUR", "Bandwidth, charged by the hour"),
        ("BANDWIDTH_PACKAGE", "Shared bandwidth package"),
    ];
    let types: Vec<Value> =
        types.iter().map(|(kind, text)| json!({ "InternetChargeType": kind, "Description": text })).collect();
    Ok(json!({ "InternetChargeTypeConfigSet": types }))
}

pub(super) fn describe_vnc(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        instance_id: String,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    for instance in named(here.region, std::slice::from_ref(&input.instance_id))? {
        if instance.state != State::Running {
            let message = format!("The instance `{}` is {}, not RUNNING.", instance.id, instance.state.name());
            return Err(ApiError::new("InvalidInstanceState", message));
        }
    }
    let url = format!("wss://{}.vnc.emulated.invalid/vnc?s={}", here.name, input.instance_id);
    Ok(json!({ "InstanceVncUrl": url }))
}

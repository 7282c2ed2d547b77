//! Regions and zones, as CVM lists them.

use serde_json::{Value, json};

use crate::call::Call;
use crate::error::ApiError;
use crate::world::World;
use crate::zones;

pub(super) fn describe_regions(_: &mut World, _: &Call) -> Result<Value, ApiError> {
    let regions: Vec<Value> = zones::REGIONS
        .iter()
        .map(|region| json!({ "Region": region.name, "RegionName": region.title, "RegionState": "AVAILABLE" }))
        .collect();
    Ok(json!({ "TotalCount": regions.len(), "RegionSet": regions }))
}

pub(super) fn describe_zones(_: &mut World, call: &Call) -> Result<Value, ApiError> {
    let zones = zones::region(call.region).into_iter().flat_map(zones::Region::zones);
    let zones: Vec<Value> = zones
        .map(|zone| json!({ "Zone": zone.name, "ZoneName": zone.title, "ZoneId": zone.id, "ZoneState": "AVAILABLE" }))
        .collect();
    Ok(json!({ "TotalCount": zones.len(), "ZoneSet": zones }))
}

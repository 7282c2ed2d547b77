//! Cloud Connect Networks, which join VPCs of all regions. They belong to no region themselves.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::ccn_attachments::Attached;
use super::ccn_routes::CcnRoute;
use super::{LISTS, MALFORMED, TOO_LONG, check_id, check_name};
use crate::call::Call;
use crate::clock::Time;
use crate::error::ApiError;
use crate::listing::{self, Filter, Filters, Page};
use crate::settings::{Quota, UnknownIds};
use crate::table::Table;
use crate::tags::{self, Tag};
use crate::world::World;

/// The CCNs of the account.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ccns {
    pub(super) table: Table<Ccn>,
}

/// A CCN.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ccn {
    pub(super) id: String,
    name: String,
    description: String,
    quality: String,
    charge_type: String,
    metering: String,
    limit_type: String,
    ecmp: bool,
    pub(super) overlap: bool,
    created: Time,
    tags: Vec<Tag>,
    pub(super) attached: Vec<Attached>,
    pub(super) routes: Vec<CcnRoute>,
}

impl Ccn {
    fn show(&self) -> Value {
        json!({
            "CcnId": self.id,
            "CcnName": self.name,
            "CcnDescription": self.description,
            "InstanceCount": self.attached.len(),
            "CreateTime": self.created.beijing(),
            "State": "AVAILABLE",
            "QosLevel": self.quality,
            "InstanceChargeType": self.charge_type,
            "InstanceMeteringType": self.metering,
            "BandwidthLimitType": self.limit_type,
            "TagSet": self.tags,
            "RoutePriorityFlag": true,
            "RouteTableCount": 1,
            "RouteTableFlag": false,
            "IsSecurityLock": false,
            "RouteBroadcastPolicyFlag": false,
            "RouteECMPFlag": self.ecmp,
            "RouteOverlapFlag": self.overlap,
        })
    }
}

impl Ccns {
    /// The CCN of this id, or the error that says it does not exist.
    pub(super) fn find(&self, id: &str) -> Result<&Ccn, ApiError> {
        check_id("CcnId", id, "ccn")?;
        self.table.get(id).ok_or_else(|| ApiError::new("ResourceNotFound", format!("The CCN `{id}` does not exist.")))
    }

    /// As [`find`](Self::find), to change it.
    pub(super) fn find_mut(&mut self, id: &str) -> Result<&mut Ccn, ApiError> {
        check_id("CcnId", id, "ccn")?;
        let missing = || ApiError::new("ResourceNotFound", format!("The CCN `{id}` does not exist."));
        self.table.get_mut(id).ok_or_else(missing)
    }

    /// Lets attachments end that are due.
    pub(super) fn settle(&mut self, now: Time) {
        for ccn in self.table.values_mut() {
            ccn.attached.retain(|attached| !attached.is_gone(now));
        }
    }

    /// Whether a VPC is attached to a CCN, ready to be used.
    pub(super) fn is_attached(&self, region: &str, vpc_id: &str, now: Time) -> bool {
        let mut attached = self.table.values().flat_map(|ccn| &ccn.attached);
        attached.any(|attached| attached.is(region, vpc_id) && attached.is_active(now))
    }

    /// The CCN that a network instance is attached to, whatever the state of that.
    pub(super) fn of(&self, region: &str, instance: &str, now: Time) -> Option<&str> {
        let mut ccns = self.table.values();
        let ccn = ccns.find(|ccn| ccn.attached.iter().any(|other| other.is(region, instance) && !other.is_gone(now)));
        ccn.map(|ccn| ccn.id.as_str())
    }
}

fn check_description(description: &str) -> Result<(), ApiError> {
    if description.len() > 100 {
        return Err(ApiError::new(TOO_LONG, "`CcnDescription` has at most 100 bytes."));
    }
    Ok(())
}

fn one_of(parameter: &str, given: Option<String>, known: [&str; 2]) -> Result<String, ApiError> {
    let [first, second] = known;
    match given {
        None => Ok(first.to_owned()),
        Some(given) if given == first || given == second => Ok(given),
        Some(given) => Err(ApiError::invalid_value(format!("`{parameter}` is {first} or {second}, not `{given}`."))),
    }
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        ccn_name: String,
        ccn_description: Option<String>,
        qos_level: Option<String>,
        instance_charge_type: Option<String>,
        instance_metering_type: Option<String>,
        bandwidth_limit_type: Option<String>,
        tags: Option<Vec<Tag>>,
    }
    let input: Input = call.input()?;
    check_name("CcnName", &input.ccn_name)?;
    let description = input.ccn_description.unwrap_or_default();
    check_description(&description)?;
    let quality = input.qos_level.unwrap_or_else(|| "AU".to_owned());
    if !["PT", "AU", "AG"].contains(&quality.as_str()) {
        return Err(ApiError::invalid_value(format!("`QosLevel`: `{quality}` is none of PT, AU, AG.")));
    }
    let charge_type = one_of("InstanceChargeType", input.instance_charge_type, ["POSTPAID", "PREPAID"])?;
    let metering = one_of("InstanceMeteringType", input.instance_metering_type, ["BANDWIDTH", "TRAFFIC"])?;
    let limits = ["OUTER_REGION_LIMIT", "INTER_REGION_LIMIT"];
    let default = (charge_type == "PREPAID").then(|| "INTER_REGION_LIMIT".to_owned());
    let limit_type = one_of("BandwidthLimitType", input.bandwidth_limit_type.or(default), limits)?;
    if charge_type == "PREPAID" && limit_type != "INTER_REGION_LIMIT" {
        let message = "A prepaid CCN limits the bandwidth between regions: INTER_REGION_LIMIT.";
        return Err(ApiError::new("InvalidParameterValue.ParameterMismatch", message));
    }
    let tags = tags::check(input.tags)?;
    let limit = world.settings.limit(Quota::Ccns);
    if world.state.ccns.table.len() >= limit {
        return Err(ApiError::new("LimitExceeded", format!("The account has its {limit} CCNs already.")));
    }
    let id = world.state.ids.new_id("ccn");
    let ccn = Ccn {
        id: id.clone(),
        name: input.ccn_name,
        description,
        quality,
        charge_type,
        metering,
        limit_type,
        ecmp: false,
        overlap: true,
        created: call.now,
        tags,
        attached: Vec::new(),
        routes: Vec::new(),
    };
    let shown = ccn.show();
    world.state.ccns.table.insert(id, ccn);
    Ok(json!({ "Ccn": shown }))
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        ccn_ids: Option<Vec<String>>,
        filters: Option<Vec<Filter>>,
        offset: Option<i64>,
        limit: Option<i64>,
        order_field: Option<String>,
        order_direction: Option<String>,
    }
    const FILTERS: &[&str] = &["ccn-id", "ccn-name", "ccn-description", "state", "tag-key", "tag:"];
    let input: Input = call.input()?;
    world.state.ccns.settle(call.now);
    listing::ids_or_filters(("CcnIds", input.ccn_ids.as_ref()), input.filters.as_ref(), &LISTS)?;
    let ids = input.ccn_ids.unwrap_or_default();
    listing::check_ids(("CcnIds", &ids), "ccn", MALFORMED, &LISTS)?;
    if world.settings.unknown_ids == UnknownIds::Refuse {
        ids.iter().try_for_each(|id| world.state.ccns.find(id).map(|_| ()))?;
    }
    let filters = Filters::check(call, input.filters, FILTERS, &LISTS)?;
    let page = Page::new(input.offset, input.limit, &LISTS)?;
    let mut ccns: Vec<&Ccn> = world.state.ccns.table.values().collect();
    match input.order_field.as_deref() {
        None | Some("CreateTime" | "State") => {}
        Some("CcnId") => ccns.sort_by(|one, other| one.id.cmp(&other.id)),
        Some("CcnName") => ccns.sort_by(|one, other| one.name.cmp(&other.name)),
        Some("QosLevel") => ccns.sort_by(|one, other| one.quality.cmp(&other.quality)),
        Some(other) => {
            let message = format!("`OrderField`: `{other}` is none of CcnId, CcnName, CreateTime, State, QosLevel.");
            return Err(ApiError::invalid_value(message));
        }
    }
    if input.order_direction.as_deref() == Some("DESC") {
        ccns.reverse();
    }
    let (total, ccns) = page.cut(ccns.into_iter().filter(|ccn| {
        (ids.is_empty() || ids.contains(&ccn.id))
            && filters.accept(&ccn.tags, |name, value| match name {
                "ccn-id" => ccn.id == value,
                "ccn-name" => ccn.name == value,
                "ccn-description" => ccn.description == value,
                "state" => value == "AVAILABLE",
                _ => false,
            })
    }));
    Ok(json!({ "TotalCount": total, "CcnSet": ccns.into_iter().map(Ccn::show).collect::<Vec<_>>() }))
}

pub(super) fn modify(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        ccn_id: String,
        ccn_name: Option<String>,
        ccn_description: Option<String>,
        #[serde(rename = "RouteECMPFlag")]
        ecmp: Option<bool>,
        route_overlap_flag: Option<bool>,
    }
    let input: Input = call.input()?;
    world.state.ccns.find(&input.ccn_id)?;
    input.ccn_name.as_deref().map_or(Ok(()), |name| check_name("CcnName", name))?;
    input.ccn_description.as_deref().map_or(Ok(()), check_description)?;
    let ccn = world.state.ccns.find_mut(&input.ccn_id)?;
    ccn.name = input.ccn_name.unwrap_or_else(|| ccn.name.clone());
    ccn.description = input.ccn_description.unwrap_or_else(|| ccn.description.clone());
    ccn.ecmp = input.ecmp.unwrap_or(ccn.ecmp);
    ccn.overlap = input.route_overlap_flag.unwrap_or(ccn.overlap);
    Ok(json!({}))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        ccn_id: String,
    }
    let input: Input = call.input()?;
    world.state.ccns.settle(call.now);
    let ccn = world.state.ccns.find(&input.ccn_id)?;
    if let Some(attached) = ccn.attached.first() {
        let message = format!("The CCN `{}` still has `{}` attached: detach it first.", ccn.id, attached.instance_id);
        return Err(ApiError::new("UnsupportedOperation.ExistCcnInstancesNotSupportDeleteCcn", message));
    }
    world.state.ccns.table.remove(&input.ccn_id);
    Ok(json!({}))
}

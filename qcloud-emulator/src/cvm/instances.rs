//! Instances: what they are, and how they are listed.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::LISTS;
use super::instance_view::Shown;
use crate::api::written;
use crate::call::Call;
use crate::clock::Time;
use crate::error::ApiError;
use crate::ids::well_formed;
use crate::listing::{self, Filter, Filters, Page};
use crate::tags::Tag;
use crate::world::{Local, Region, World};

/// An instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(super) uuid: String,
    pub(crate) name: String,
    pub(super) host_name: String,
    pub(crate) zone: String,
    pub(super) project_id: i64,
    pub(crate) state: State,
    pub(super) operation: Operation,
    pub(super) instance_type: String,
    pub(crate) cpu: u32,
    pub(crate) memory: u32,
    pub(super) image_id: String,
    pub(super) os_name: String,
    pub(super) login_user: String,
    pub(super) login_port: u32,
    pub(super) key_ids: Vec<String>,
    pub(crate) charge_type: String,
    pub(crate) renew_flag: String,
    pub(super) stopped_mode: String,
    /// Whether it is a prepaid instance that was given back and waits in the recycle bin.
    pub(super) isolated: bool,
    pub(super) protected: bool,
    pub(crate) vpc_id: String,
    pub(crate) subnet_id: String,
    pub(crate) private_ips: Vec<String>,
    pub(crate) public_ips: Vec<String>,
    pub(crate) internet: Internet,
    pub(crate) security_groups: Vec<String>,
    /// The ids of its placement groups: one at most.
    pub(super) placement_groups: Vec<String>,
    pub(super) tags: Vec<Tag>,
    pub(super) role: String,
    pub(super) jumbo_frames: bool,
    pub(super) created: Time,
    pub(crate) expires: Option<Time>,
}

/// The latest operation on an instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Operation {
    pub(super) action: String,
    pub(super) state: String,
    pub(super) request_id: String,
}

/// How an instance reaches the internet. Bandwidth is in Mbit/s.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Internet {
    pub(crate) charge_type: String,
    pub(crate) bandwidth: i64,
    pub(super) public_ip: bool,
}

/// The state of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum State {
    Pending,
    LaunchFailed,
    Running,
    Stopping,
    Stopped,
    Starting,
    Rebooting,
    Shutdown,
    Terminating,
}

impl State {
    /// As `InstanceState` says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::LaunchFailed => "LAUNCH_FAILED",
            Self::Running => "RUNNING",
            Self::Stopping => "STOPPING",
            Self::Stopped => "STOPPED",
            Self::Starting => "STARTING",
            Self::Rebooting => "REBOOTING",
            Self::Shutdown => "SHUTDOWN",
            Self::Terminating => "TERMINATING",
        }
    }

    /// As the error codes `UnsupportedOperation.InstanceState…` end.
    pub(super) fn in_codes(self) -> String {
        format!("{self:?}")
    }
}

impl Instance {
    pub(super) fn is_prepaid(&self) -> bool {
        self.charge_type == "PREPAID"
    }

    pub(super) fn is_windows(&self) -> bool {
        self.os_name.starts_with("Windows")
    }
}

/// The instances that a request names: the form of each id is checked, then that each exists. Ids named twice count
/// once.
pub(super) fn named<'a>(region: &'a Region, ids: &[String]) -> Result<Vec<&'a Instance>, ApiError> {
    if ids.is_empty() {
        return Err(ApiError::missing("InstanceIds"));
    }
    listing::check_ids(("InstanceIds", ids), "ins", "InvalidInstanceId.Malformed", &LISTS)?;
    let mut found: Vec<&Instance> = Vec::new();
    for id in ids {
        let instance = region.cvm.instances.get(id).ok_or_else(|| {
            ApiError::new("InvalidInstanceId.NotFound", format!("The instance `{id}` does not exist in this region."))
        })?;
        if !found.iter().any(|other| other.id == instance.id) {
            found.push(instance);
        }
    }
    Ok(found)
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<String, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer<'a> {
        total_count: usize,
        instance_set: Vec<Shown<'a>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        instance_ids: Option<Vec<String>>,
        filters: Option<Vec<Filter>>,
        offset: Option<i64>,
        limit: Option<i64>,
    }
    const FILTERS: &[&str] = &[
        "zone",
        "project-id",
        "host-id",
        "dedicated-cluster-id",
        "vpc-id",
        "subnet-id",
        "instance-id",
        "uuid",
        "security-group-id",
        "instance-name",
        "instance-charge-type",
        "instance-state",
        "private-ip-address",
        "public-ip-address",
        "ipv6-address",
        "tag-key",
        "tag-value",
        "tag:",
        "creation-start-time",
        "creation-end-time",
    ];
    let input: Input = call.input()?;
    let here = world.local(call);
    listing::ids_or_filters(("InstanceIds", input.instance_ids.as_ref()), input.filters.as_ref(), &LISTS)?;
    let ids = input.instance_ids.unwrap_or_default();
    listing::check_ids(("InstanceIds", &ids), "ins", "InvalidInstanceId.Malformed", &LISTS)?;
    let filters = Filters::check(call, input.filters, FILTERS, &LISTS)?;
    check_values(&here, &filters)?;
    let page = Page::new(input.offset, input.limit, &LISTS)?;
    let table = &here.region.cvm.instances;
    let named = if ids.is_empty() { filters.values("instance-id").unwrap_or_default() } else { &ids };
    let (total, instances) = if named.is_empty() && filters.are_none() {
        (table.len(), page.of_all(table.values()))
    } else {
        let fits = |instance: &&Instance| filters.accept(&instance.tags, |name, value| fits(instance, name, value));
        page.cut(table.among(named).filter(fits))
    };
    let shown: Vec<Shown<'_>> = instances.into_iter().map(|instance| Shown::of(here.region, instance)).collect();
    written(&Answer { total_count: total, instance_set: shown })
}

/// Filters whose values have a form that is checked.
fn check_values(here: &Local<'_>, filters: &Filters) -> Result<(), ApiError> {
    let forms = [
        ("instance-id", "ins", "InvalidInstanceId.Malformed"),
        ("vpc-id", "vpc", "InvalidParameterValue.VpcIdMalformed"),
        ("subnet-id", "subnet", "InvalidParameterValue.SubnetIdMalformed"),
        ("security-group-id", "sg", "InvalidSgId.Malformed"),
        ("host-id", "host", "InvalidHostId.Malformed"),
    ];
    for (name, prefix, code) in forms {
        for value in filters.values(name).unwrap_or_default() {
            if !well_formed(value, prefix) {
                let message = format!("The filter `{name}` takes ids such as `{prefix}-1a2b3c4d`, not `{value}`.");
                return Err(ApiError::new(code, message));
            }
        }
    }
    for name in ["private-ip-address", "public-ip-address"] {
        if let Some(value) =
            filters.values(name).unwrap_or_default().iter().find(|value| value.parse::<std::net::Ipv4Addr>().is_err())
        {
            let message = format!("The filter `{name}` takes IPv4 addresses, not `{value}`.");
            return Err(ApiError::new("InvalidParameterValue.IPAddressMalformed", message));
        }
    }
    if let Some(zone) = filters.values("zone").unwrap_or_default().iter().find(|zone| here.zone(zone).is_none()) {
        let message = format!("The region {} has no zone `{zone}`; DescribeZones lists them.", here.name);
        return Err(ApiError::new("InvalidZone.MismatchRegion", message));
    }
    Ok(())
}

fn fits(instance: &Instance, name: &str, value: &str) -> bool {
    let among = |list: &[String]| list.iter().any(|item| item == value);
    match name {
        "zone" => instance.zone == value,
        "project-id" => instance.project_id.to_string() == value,
        "vpc-id" => instance.vpc_id == value,
        "subnet-id" => instance.subnet_id == value,
        "instance-id" => instance.id == value,
        "uuid" => instance.uuid == value,
        "security-group-id" => among(&instance.security_groups),
        "instance-name" => instance.name == value,
        "instance-charge-type" => instance.charge_type == value,
        "instance-state" => instance.state.name() == value,
        "private-ip-address" => among(&instance.private_ips),
        "public-ip-address" => among(&instance.public_ips),
        "creation-start-time" => instance.created.beijing().as_str() >= value,
        "creation-end-time" => instance.created.beijing().as_str() <= value,
        // Instances here have neither IPv6 addresses nor dedicated hosts or clusters.
        _ => false,
    }
}

pub(super) fn describe_status(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        instance_ids: Option<Vec<String>>,
        offset: Option<i64>,
        limit: Option<i64>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let ids = input.instance_ids.unwrap_or_default();
    listing::check_ids(("InstanceIds", &ids), "ins", "InvalidInstanceId.Malformed", &LISTS)?;
    let page = Page::new(input.offset, input.limit, &LISTS)?;
    let (total, instances) = page.cut(here.region.cvm.instances.among(&ids));
    let statuses: Vec<Value> = instances
        .into_iter()
        .map(|instance| json!({ "InstanceId": instance.id, "InstanceState": instance.state.name() }))
        .collect();
    Ok(json!({ "TotalCount": total, "InstanceStatusSet": statuses }))
}

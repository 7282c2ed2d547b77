//! `RunInstances`: reading and checking the request, and replaying it.

use std::net::Ipv4Addr;

use serde::Deserialize;
use serde_json::{Value, json};

use super::catalog::{self, InstanceType};
use super::images::{self, Image};
use super::{TagSpecification, key_pairs, launch, placement_groups, tag_specifications};
use crate::call::Call;
use crate::cbs;
use crate::client_tokens::Dialect;
use crate::error::ApiError;
use crate::ids::well_formed;
use crate::listing;
use crate::settings::Quota;
use crate::tags::Tag;
use crate::vpc;
use crate::world::{Local, World};

/// How client tokens are refused.
const TOKENS: Dialect =
    Dialect { malformed: "InvalidClientToken.TooLong", mismatch: "InvalidParameter.ParameterConflict" };
/// The most instances of one request.
const MOST: i64 = 500;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    instance_charge_type: Option<String>,
    pub(super) instance_charge_prepaid: Option<Prepaid>,
    placement: Option<Placement>,
    instance_type: Option<String>,
    image_id: Option<String>,
    pub(super) system_disk: Option<GivenDisk>,
    #[serde(default)]
    pub(super) data_disks: Vec<GivenDisk>,
    virtual_private_cloud: Option<Network>,
    pub(super) internet_accessible: Option<GivenInternet>,
    instance_count: Option<i64>,
    min_count: Option<i64>,
    pub(super) instance_name: Option<String>,
    pub(super) host_name: Option<String>,
    pub(super) login_settings: Option<Login>,
    security_group_ids: Option<Vec<String>>,
    client_token: Option<String>,
    tag_specification: Option<Vec<TagSpecification>>,
    dry_run: Option<bool>,
    pub(super) cam_role_name: Option<String>,
    pub(super) disable_api_termination: Option<bool>,
    pub(super) enable_jumbo_frame: Option<bool>,
    pub(super) disaster_recover_group_ids: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Prepaid {
    pub(super) period: i64,
    pub(super) renew_flag: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Placement {
    zone: String,
    project_id: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GivenDisk {
    pub(super) disk_type: Option<String>,
    pub(super) disk_size: Option<i64>,
    pub(super) disk_name: Option<String>,
    pub(super) delete_with_instance: Option<bool>,
    pub(super) snapshot_id: Option<String>,
    pub(super) encrypt: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Network {
    vpc_id: String,
    subnet_id: String,
    private_ip_addresses: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GivenInternet {
    pub(super) internet_charge_type: Option<String>,
    pub(super) internet_max_bandwidth_out: Option<i64>,
    pub(super) public_ip_assigned: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Login {
    pub(super) key_ids: Option<Vec<String>>,
    password: Option<String>,
}

/// A request that passed every check.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) zone: String,
    pub(super) project_id: i64,
    pub(super) charge_type: String,
    pub(super) kind: &'static InstanceType,
    pub(super) image: Image,
    /// `None` stands for the default subnet of the zone, which is made when it is needed.
    pub(super) subnet: Option<String>,
    pub(super) addresses: Vec<Ipv4Addr>,
    pub(super) security_groups: Vec<String>,
    pub(super) tags: Vec<Tag>,
    pub(super) count: usize,
}

pub(super) fn run(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let token = input.client_token.as_deref();
    if let Some(used) = here.region.cvm.client_tokens.repeated(call, token, here.now, TOKENS)? {
        return Ok(used.answer.clone());
    }
    let order = check(&here, &input)?;
    if input.dry_run == Some(true) {
        return Ok(json!({ "InstanceIdSet": [] }));
    }
    let instances = launch::launch(&mut here, call, &input, order)?;
    let answer = json!({ "InstanceIdSet": instances });
    here.region.cvm.client_tokens.keep(call, token, &answer, here.now);
    Ok(answer)
}

pub(super) fn check(here: &Local<'_>, input: &Input) -> Result<Order, ApiError> {
    let placement = input.placement.as_ref().ok_or_else(|| ApiError::missing("Placement"))?;
    if here.zone(&placement.zone).is_none() {
        let message = format!("`Placement.Zone`: the region {} has no zone `{}`.", here.name, placement.zone);
        return Err(ApiError::new("InvalidZone.MismatchRegion", message));
    }
    let image = images::find(here, input.image_id.as_deref().ok_or_else(|| ApiError::missing("ImageId"))?)?;
    let charge_type = check_charge(input)?;
    check_names(input)?;
    let (wanted, least) = check_counts(input)?;
    let kind = check_stock(here, input, &placement.zone)?;
    let (subnet, addresses) = check_network(here, input, &placement.zone, wanted)?;
    let security_groups = check_groups(here, input)?;
    let tags = tag_specifications(input.tag_specification.as_deref(), "instance")?;
    check_disks(here, input, &placement.zone)?;
    check_login(here, input, &image)?;
    let groups = input.disaster_recover_group_ids.as_deref().unwrap_or_default();
    placement_groups::check_room(here, groups, wanted)?;
    let count = check_room(here, subnet.as_deref(), &placement.zone, wanted, least)?;
    Ok(Order {
        zone: placement.zone.clone(),
        project_id: placement.project_id.unwrap_or_default(),
        charge_type,
        kind,
        image,
        subnet,
        addresses,
        security_groups,
        tags,
        count,
    })
}

fn check_charge(input: &Input) -> Result<String, ApiError> {
    let charge_type = input.instance_charge_type.as_deref().unwrap_or("POSTPAID_BY_HOUR");
    match (charge_type, &input.instance_charge_prepaid) {
        ("PREPAID", None) => Err(ApiError::missing("InstanceChargePrepaid")),
        ("PREPAID", Some(prepaid)) if !matches!(prepaid.period, 1..=12 | 24 | 36 | 48 | 60) => {
            let message =
                format!("`InstanceChargePrepaid.Period`: {} is none of 1 to 12, 24, 36, 48, 60.", prepaid.period);
            Err(ApiError::new("InvalidPeriod", message))
        }
        ("PREPAID" | "POSTPAID_BY_HOUR" | "SPOTPAID", _) => Ok(charge_type.to_owned()),
        ("CDHPAID" | "CDCPAID", _) => {
            let message = format!("The emulator has no dedicated hosts or clusters for {charge_type}.");
            Err(ApiError::new("UnsupportedOperation", message))
        }
        (other, _) => Err(ApiError::invalid_value(format!("`InstanceChargeType`: there is no `{other}`."))),
    }
}

fn check_names(input: &Input) -> Result<(), ApiError> {
    if input.instance_name.as_ref().is_some_and(|name| name.chars().count() > 128) {
        return Err(ApiError::new("InvalidInstanceName.TooLong", "`InstanceName` has at most 128 characters."));
    }
    Ok(())
}

/// Keys have to exist, and a password excludes them.
fn check_login(here: &Local<'_>, input: &Input, image: &Image) -> Result<(), ApiError> {
    let Some(login) = &input.login_settings else { return Ok(()) };
    let keys = login.key_ids.as_deref().unwrap_or_default();
    key_pairs::existing(here, keys, "ResourceNotFound.KeyPairNotFound")?;
    if !keys.is_empty() && login.password.is_some() {
        let message = "`LoginSettings.KeyIds` and `LoginSettings.Password` cannot be given together.";
        return Err(ApiError::new("InvalidParameterCombination", message));
    }
    if !keys.is_empty() && image.is_windows() {
        let message = "An instance with Windows takes no keys: give a password.";
        return Err(ApiError::new("UnsupportedOperation.KeyPairUnsupportedWindows", message));
    }
    Ok(())
}

fn check_counts(input: &Input) -> Result<(usize, usize), ApiError> {
    let wanted = input.instance_count.unwrap_or(1);
    if !(1..=MOST).contains(&wanted) {
        let message = format!("`InstanceCount` must be between 1 and {MOST}, not {wanted}.");
        return Err(ApiError::new("InvalidParameterValue.Range", message));
    }
    let least = input.min_count.unwrap_or(wanted);
    if !(1..=wanted).contains(&least) {
        let message = format!("`MinCount` must be between 1 and `InstanceCount`, not {least}.");
        return Err(ApiError::new("InvalidParameterValue.Range", message));
    }
    Ok((usize::try_from(wanted).unwrap_or(1), usize::try_from(least).unwrap_or(1)))
}

fn check_stock(here: &Local<'_>, input: &Input, zone: &str) -> Result<&'static InstanceType, ApiError> {
    let kind = match &input.instance_type {
        Some(name) => catalog::find(name).ok_or_else(|| {
            let message = format!("`InstanceType`: there is no `{name}`; DescribeInstanceTypeConfigs lists them.");
            ApiError::new("InvalidParameterValue.InstanceTypeNotFound", message)
        })?,
        None => catalog::any(here).ok_or_else(|| {
            ApiError::new("ResourceInsufficient.SpecifiedInstanceType", "Every instance type is sold out.")
        })?,
    };
    if here.settings.sold_out_zones.iter().any(|other| other == zone) {
        let message = format!("The zone {zone} is sold out: try another one.");
        return Err(ApiError::new("ResourceInsufficient.AvailabilityZoneSoldOut", message));
    }
    if catalog::sold_out(here, kind.name) {
        let message = format!("The instance type {} is sold out: try another one.", kind.name);
        return Err(ApiError::new("ResourcesSoldOut.SpecifiedInstanceType", message));
    }
    Ok(kind)
}

fn check_network(
    here: &Local<'_>,
    input: &Input,
    zone: &str,
    count: usize,
) -> Result<(Option<String>, Vec<Ipv4Addr>), ApiError> {
    let fault = |code: &'static str, message: String| Err(ApiError::new(code, message));
    let Some(network) = &input.virtual_private_cloud else { return Ok((None, Vec::new())) };
    let (vpc_id, subnet_id) = (&network.vpc_id, &network.subnet_id);
    let default = vpc_id == "DEFAULT" && subnet_id == "DEFAULT";
    if !default {
        if !well_formed(vpc_id, "vpc") {
            return fault("InvalidParameterValue.VpcIdMalformed", format!("`VpcId`: `{vpc_id}` is malformed."));
        }
        if !well_formed(subnet_id, "subnet") {
            return fault(
                "InvalidParameterValue.SubnetIdMalformed",
                format!("`SubnetId`: `{subnet_id}` is malformed."),
            );
        }
        if !here.region.vpc.vpcs.contains(vpc_id) {
            return fault(
                "InvalidParameterValue.VpcIdNotExist",
                format!("The VPC `{vpc_id}` does not exist in this region."),
            );
        }
        let Some(subnet) = here.region.vpc.subnets.get(subnet_id) else {
            let message = format!("The subnet `{subnet_id}` does not exist in this region.");
            return fault("InvalidParameterValue.SubnetNotExist", message);
        };
        if subnet.vpc_id != *vpc_id {
            let message = format!("The subnet `{subnet_id}` belongs to `{}`, not to `{vpc_id}`.", subnet.vpc_id);
            return fault("InvalidParameterValue.VpcIdSubnetIdNotMatch", message);
        }
        if subnet.zone != zone {
            let message = format!("The subnet `{subnet_id}` is in {}, the instance is to be in {zone}.", subnet.zone);
            return fault("InvalidParameterValue.SubnetIdZoneIdNotMatch", message);
        }
    }
    let mut addresses = Vec::new();
    for text in network.private_ip_addresses.iter().flatten() {
        let Ok(address) = text.parse::<Ipv4Addr>() else {
            return fault("InvalidParameterValue.IPAddressMalformed", format!("`{text}` is not an IPv4 address."));
        };
        if addresses.contains(&address) {
            return fault("InvalidParameterValue", format!("The address {address} is given twice."));
        }
        addresses.push(address);
    }
    if !addresses.is_empty() && addresses.len() != count {
        let message =
            format!("{count} instances need {count} addresses; `PrivateIpAddresses` gives {}.", addresses.len());
        return fault("InvalidParameterValue", message);
    }
    Ok(((!default).then(|| subnet_id.clone()), addresses))
}

fn check_groups(here: &Local<'_>, input: &Input) -> Result<Vec<String>, ApiError> {
    let ids = input.security_group_ids.clone().unwrap_or_default();
    existing_groups(here, &ids)?;
    Ok(ids)
}

/// Checks that all these security groups exist.
pub(super) fn existing_groups(here: &Local<'_>, ids: &[String]) -> Result<(), ApiError> {
    for id in ids {
        listing::check_id(("SecurityGroupIds", id), "sg", "InvalidSgId.Malformed")?;
        if !here.region.vpc.security_groups.contains(id) {
            let message = format!("The security group `{id}` does not exist in this region.");
            return Err(ApiError::new("InvalidSecurityGroupId.NotFound", message));
        }
    }
    Ok(())
}

fn check_disks(here: &Local<'_>, input: &Input, zone: &str) -> Result<(), ApiError> {
    for kind in input.system_disk.iter().chain(&input.data_disks).filter_map(|disk| disk.disk_type.as_deref()) {
        if !cbs::is_disk_type(kind) {
            return Err(ApiError::invalid_value(format!("`DiskType`: there is no `{kind}`.")));
        }
        if cbs::disk_sold_out(here, zone, kind) {
            let message = format!("Disks of type {kind} are sold out in the zone {zone}: try another type or zone.");
            return Err(ApiError::new("ResourceInsufficient.CloudDiskSoldOut", message));
        }
    }
    let system = input.system_disk.as_ref().and_then(|disk| disk.disk_size).map(|size| (size, 20, 2048, "SystemDisk"));
    let data = input.data_disks.iter().map(|disk| (disk.disk_size.unwrap_or_default(), 10, 32_000, "DataDisks"));
    for (size, least, most, name) in system.into_iter().chain(data) {
        if !(least..=most).contains(&size) {
            let message = format!("`{name}.DiskSize` must be between {least} and {most} GiB, not {size}.");
            return Err(ApiError::new("InvalidParameterValue.Range", message));
        }
    }
    if input.data_disks.len() > 20 {
        return Err(ApiError::new("InvalidParameterValue.LimitExceeded", "`DataDisks` takes at most 20 disks."));
    }
    Ok(())
}

/// How many instances there is room for, between the least and the wanted number.
fn check_room(
    here: &Local<'_>,
    subnet: Option<&str>,
    zone: &str,
    wanted: usize,
    least: usize,
) -> Result<usize, ApiError> {
    let limit = here.settings.limit(Quota::InstancesPerZone);
    let present = here.region.cvm.instances.values().filter(|instance| instance.zone == zone).count();
    let by_quota = limit.saturating_sub(present);
    if by_quota < least {
        let message =
            format!("The zone {zone} has {present} instances; {least} more would exceed the quota of {limit}.");
        return Err(ApiError::new("LimitExceeded.CvmInstanceQuota", message));
    }
    let subnet = match subnet {
        Some(id) => here.region.vpc.subnets.get(id),
        None => here.region.vpc.subnets.values().find(|subnet| subnet.is_default && subnet.zone == zone),
    };
    let free =
        subnet.map_or(usize::MAX, |subnet| usize::try_from(vpc::subnets::Subnet::free(subnet)).unwrap_or(usize::MAX));
    if free < least {
        let id = subnet.map(|subnet| subnet.id.as_str()).unwrap_or_default();
        let message = format!("The subnet `{id}` has {free} addresses left, too few for {least} instances.");
        return Err(ApiError::new("FailedOperation.NoAvailableIpAddressCountInSubnet", message));
    }
    Ok(wanted.min(by_quota).min(free))
}

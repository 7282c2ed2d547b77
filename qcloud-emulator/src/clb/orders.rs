//! The order of `CreateLoadBalancer`: reading and checking it.

use std::net::{IpAddr, Ipv4Addr};

use serde::Deserialize;

use super::errors;
use super::load_balancers::{Internet, LoadBalancer, Prepaid};
use crate::error::ApiError;
use crate::settings::{PublicAddress, Quota};
use crate::tags::Tag;
use crate::vpc::elastic_ips;
use crate::world::Local;

/// The most load balancers of one request.
const MOST: u64 = 20;
const MOST_TAGS: usize = 20;
pub(super) const CHARGE_TYPES: &[&str] =
    &["TRAFFIC_POSTPAID_BY_HOUR", "BANDWIDTH_POSTPAID_BY_HOUR", "BANDWIDTH_PACKAGE", "BANDWIDTH_PREPAID"];
const CARRIERS: &[&str] = &["BGP", "BGP_PRO", "CMCC", "CTCC", "CUCC", "INTERNAL"];
const SPECIFICATIONS: &[&str] = &[
    "clb.c1.small",
    "clb.c2.medium",
    "clb.c3.small",
    "clb.c3.medium",
    "clb.c4.small",
    "clb.c4.medium",
    "clb.c4.large",
    "clb.c4.xlarge",
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    load_balancer_type: String,
    forward: Option<i64>,
    load_balancer_name: Option<String>,
    vpc_id: Option<String>,
    subnet_id: Option<String>,
    project_id: Option<i64>,
    #[serde(rename = "AddressIPVersion")]
    address_ip_version: Option<String>,
    number: Option<u64>,
    master_zone_id: Option<String>,
    zone_id: Option<String>,
    internet_accessible: Option<GivenInternet>,
    vip_isp: Option<String>,
    tags: Option<Vec<GivenTag>>,
    vip: Option<String>,
    bandwidth_package_id: Option<String>,
    sla_type: Option<String>,
    cluster_ids: Option<Vec<String>>,
    pub(super) client_token: Option<String>,
    snat_pro: Option<bool>,
    snat_ips: Option<Vec<GivenSnatIp>>,
    cluster_tag: Option<String>,
    slave_zone_id: Option<String>,
    eip_address_id: Option<String>,
    load_balancer_pass_to_target: Option<bool>,
    dynamic_vip: Option<bool>,
    egress: Option<String>,
    #[serde(rename = "LBChargePrepaid")]
    lb_charge_prepaid: Option<GivenPrepaid>,
    #[serde(rename = "LBChargeType")]
    lb_charge_type: Option<String>,
    access_log_topic_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GivenInternet {
    pub(super) internet_charge_type: Option<String>,
    pub(super) internet_max_bandwidth_out: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GivenTag {
    tag_key: String,
    tag_value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GivenSnatIp {
    subnet_id: String,
    ip: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GivenPrepaid {
    renew_flag: Option<String>,
    period: Option<i64>,
}

/// An order that passed every check: what each of its load balancers is like, but for id and addresses.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) pattern: LoadBalancer,
    pub(super) count: usize,
    pub(super) name: Option<String>,
    pub(super) vip: Option<IpAddr>,
    pub(super) snat: Vec<(String, Option<Ipv4Addr>)>,
    pub(super) by_domain: bool,
    pub(super) default_vpc: bool,
}

/// Checks everything about an order.
pub(super) fn check(here: &Local<'_>, input: &Input) -> Result<Order, ApiError> {
    errors::check_among("LoadBalancerType", &input.load_balancer_type, &["OPEN", "INTERNAL"])?;
    let public = input.load_balancer_type == "OPEN";
    if input.forward.is_some_and(|forward| forward != 1) {
        return Err(errors::value("`Forward` must be 1: classic load balancers can no longer be created."));
    }
    let number = input.number.unwrap_or(1);
    if !(1..=MOST).contains(&number) {
        let message = format!("`Number` must be between 1 and {MOST}, not {number}.");
        return Err(ApiError::new(errors::RANGE, message));
    }
    let count = usize::try_from(number).unwrap_or(1);
    if let Some(name) = &input.load_balancer_name {
        errors::check_name("LoadBalancerName", name)?;
    }
    let ipv6_mode = check_version(input, public)?;
    let by_domain = input.dynamic_vip.unwrap_or(here.settings.public_address == PublicAddress::Domain);
    if input.dynamic_vip == Some(true) && !public {
        return Err(errors::value("`DynamicVip` is for load balancers of the type OPEN."));
    }
    let (vpc_id, subnet_id) = check_network(here, input, public, ipv6_mode)?;
    let (master_zone, backup_zone) = check_zones(here, input, public)?;
    let pattern = LoadBalancer {
        id: String::new(),
        name: String::new(),
        public,
        ready: false,
        created: here.now,
        changed: here.now,
        project_id: input.project_id.unwrap_or_default(),
        target_region: (here.name.to_owned(), vpc_id.clone().unwrap_or_default()),
        vpc_id: vpc_id.clone().unwrap_or_default(),
        subnet_id,
        vip: None,
        ipv6: None,
        ipv6_mode: ipv6_mode.map(str::to_owned),
        domain: String::new(),
        isp: check_carrier(input, public)?,
        master_zone,
        backup_zone,
        prepaid: check_charge(here, input)?,
        internet: check_internet(input, public)?,
        tags: check_tags(input.tags.as_deref())?,
        security_groups: Vec::new(),
        pass_to_target: input.load_balancer_pass_to_target.unwrap_or_default(),
        snat_pro: input.snat_pro.unwrap_or_default(),
        snat_ips: Vec::new(),
        sla_type: check_sla(input)?,
        protected: false,
        stopped: false,
        egress: input.egress.clone().unwrap_or_default(),
        eip_id: check_eip(here, input, public)?,
        log_topic: input.access_log_topic_id.clone().unwrap_or_default(),
        cluster_tag: input.cluster_tag.clone().unwrap_or_default(),
        cluster_ids: input.cluster_ids.clone().unwrap_or_default(),
        endpoint: String::new(),
        listeners: Vec::new(),
        task: None,
    };
    let order = Order {
        default_vpc: vpc_id.is_none(),
        count,
        name: input.load_balancer_name.clone().filter(|_| count == 1),
        vip: check_vip(here, input, &pattern, count)?,
        snat: check_snat(here, input)?,
        by_domain: by_domain && public,
        pattern,
    };
    check_quota(here, public, count)?;
    Ok(order)
}

/// How IPv6 is handled; `None` for IPv4.
fn check_version(input: &Input, public: bool) -> Result<Option<&'static str>, ApiError> {
    match input.address_ip_version.as_deref().unwrap_or("IPV4").to_ascii_lowercase().as_str() {
        "ipv4" => Ok(None),
        "ipv6" if public => Ok(Some("IPv6Nat64")),
        "ipv6" => Err(errors::value("`AddressIPVersion`: IPV6 is for load balancers of the type OPEN.")),
        "ipv6fullchain" => Ok(Some("IPv6FullChain")),
        other => Err(errors::value(format!("`AddressIPVersion` must be IPV4, IPV6 or IPv6FullChain, not `{other}`."))),
    }
}

fn check_network(
    here: &Local<'_>,
    input: &Input,
    public: bool,
    ipv6_mode: Option<&str>,
) -> Result<(Option<String>, String), ApiError> {
    let needs_subnet = !public || ipv6_mode == Some("IPv6FullChain");
    if let Some(vpc_id) = &input.vpc_id {
        crate::listing::check_id(("VpcId", vpc_id), "vpc", errors::FORMAT)?;
        if !here.region.vpc.vpcs.contains(vpc_id) {
            return Err(errors::value(format!("`VpcId`: the VPC `{vpc_id}` does not exist in this region.")));
        }
    }
    match &input.subnet_id {
        Some(_) if !needs_subnet => {
            Err(errors::value("`SubnetId` is for load balancers of the type INTERNAL or with IPv6FullChain."))
        }
        None if needs_subnet => Err(ApiError::missing("SubnetId")),
        None => Ok((input.vpc_id.clone(), String::new())),
        Some(subnet_id) => {
            let vpc_id = input.vpc_id.as_ref().ok_or_else(|| ApiError::missing("VpcId"))?;
            crate::listing::check_id(("SubnetId", subnet_id), "subnet", errors::FORMAT)?;
            let subnet = here.region.vpc.subnets.get(subnet_id).filter(|subnet| subnet.vpc_id == *vpc_id);
            if subnet.is_none() {
                return Err(errors::value(format!("`SubnetId`: the VPC `{vpc_id}` has no subnet `{subnet_id}`.")));
            }
            Ok((Some(vpc_id.clone()), subnet_id.clone()))
        }
    }
}

/// The zones by name: the primary one and the backup.
fn check_zones(here: &Local<'_>, input: &Input, public: bool) -> Result<(Option<String>, Option<String>), ApiError> {
    let find = |parameter: &str, given: &Option<String>| match given {
        None => Ok(None),
        Some(_) if !public => Err(errors::value(format!("`{parameter}` is for load balancers of the type OPEN."))),
        Some(wanted) => {
            let zones = crate::zones::region(here.name).into_iter().flat_map(crate::zones::Region::zones);
            let zone = zones.into_iter().find(|zone| zone.name == *wanted || zone.id == *wanted);
            let unknown = || errors::value(format!("`{parameter}`: the region {} has no zone `{wanted}`.", here.name));
            zone.map(|zone| Some(zone.name)).ok_or_else(unknown)
        }
    };
    let (master, only) = (find("MasterZoneId", &input.master_zone_id)?, find("ZoneId", &input.zone_id)?);
    let backup = find("SlaveZoneId", &input.slave_zone_id)?;
    if backup.is_some() && master.is_none() {
        return Err(ApiError::missing("MasterZoneId"));
    }
    let any = || crate::zones::region(here.name).and_then(|region| region.zones().next()).map(|zone| zone.name);
    Ok((master.or(only).or_else(|| any().filter(|_| public)), backup))
}

fn check_carrier(input: &Input, public: bool) -> Result<String, ApiError> {
    let Some(carrier) = &input.vip_isp else { return Ok(if public { "BGP" } else { "INTERNAL" }.to_owned()) };
    errors::check_among("VipIsp", carrier, CARRIERS)?;
    if !public && carrier != "INTERNAL" {
        return Err(errors::value("`VipIsp` is for load balancers of the type OPEN."));
    }
    let single = matches!(carrier.as_str(), "CMCC" | "CTCC" | "CUCC");
    let package = input.internet_accessible.as_ref().and_then(|internet| internet.internet_charge_type.as_deref());
    if single && package != Some("BANDWIDTH_PACKAGE") {
        return Err(errors::value(format!("`VipIsp`: {carrier} is billed by BANDWIDTH_PACKAGE only.")));
    }
    Ok(carrier.clone())
}

fn check_charge(here: &Local<'_>, input: &Input) -> Result<Option<Prepaid>, ApiError> {
    let charge_type = input.lb_charge_type.as_deref().unwrap_or("POSTPAID_BY_HOUR");
    errors::check_among("LBChargeType", charge_type, &["POSTPAID_BY_HOUR", "PREPAID"])?;
    if charge_type != "PREPAID" {
        return Ok(None);
    }
    let given = input.lb_charge_prepaid.as_ref().ok_or_else(|| ApiError::missing("LBChargePrepaid"))?;
    let months = given.period.ok_or_else(|| ApiError::missing("LBChargePrepaid.Period"))?;
    if !matches!(months, 1..=12 | 24 | 36 | 48 | 60) {
        return Err(errors::value(format!("`LBChargePrepaid.Period`: {months} is none of 1 to 12, 24, 36, 48, 60.")));
    }
    let renew_flag = given.renew_flag.clone().unwrap_or_else(|| "MANUAL_RENEW".to_owned());
    errors::check_among("LBChargePrepaid.RenewFlag", &renew_flag, &["AUTO_RENEW", "MANUAL_RENEW"])?;
    let expires = here.now.months_later(u32::try_from(months).unwrap_or(1));
    Ok(Some(Prepaid { renew_flag, months, expires }))
}

fn check_internet(input: &Input, public: bool) -> Result<Option<Internet>, ApiError> {
    let Some(given) = &input.internet_accessible else {
        let usual = Internet { charge_type: "TRAFFIC_POSTPAID_BY_HOUR".to_owned(), bandwidth: 10 };
        return Ok(public.then_some(usual));
    };
    let internet = check_bandwidth("InternetAccessible", given, None, input.sla_type.is_some())?;
    if internet.charge_type == "BANDWIDTH_PACKAGE" && input.bandwidth_package_id.is_none() {
        return Err(ApiError::missing("BandwidthPackageId"));
    }
    Ok(Some(internet))
}

/// Checks billing mode and bandwidth; what is not given stays as it was.
pub(super) fn check_bandwidth(
    parameter: &str,
    given: &GivenInternet,
    before: Option<&Internet>,
    with_sla: bool,
) -> Result<Internet, ApiError> {
    let old_type = before.map_or("TRAFFIC_POSTPAID_BY_HOUR", |internet| &internet.charge_type);
    let charge_type = given.internet_charge_type.as_deref().unwrap_or(old_type);
    errors::check_among(&format!("{parameter}.InternetChargeType"), charge_type, CHARGE_TYPES)?;
    let bandwidth = given.internet_max_bandwidth_out.unwrap_or(before.map_or(10, |internet| internet.bandwidth));
    let most = if with_sla { 61_440 } else { 2048 };
    if !(0..=most).contains(&bandwidth) {
        let message = format!("`{parameter}.InternetMaxBandwidthOut` must be between 0 and {most}, not {bandwidth}.");
        return Err(ApiError::new(errors::RANGE, message));
    }
    Ok(Internet { charge_type: charge_type.to_owned(), bandwidth })
}

/// Checks tags: not too many, no key twice, keys and values of a sensible length.
pub(super) fn check_tags(given: Option<&[GivenTag]>) -> Result<Vec<Tag>, ApiError> {
    let given = given.unwrap_or_default();
    errors::check_count("Tags", given.len(), 0, MOST_TAGS)?;
    for (place, tag) in given.iter().enumerate() {
        if tag.tag_key.is_empty() || tag.tag_key.chars().count() > 127 || tag.tag_value.chars().count() > 255 {
            let message =
                format!("`Tags`: `{}` must have a key of 1 to 127 and a value of at most 255 characters.", tag.tag_key);
            return Err(errors::length(message));
        }
        if given.iter().take(place).any(|other| other.tag_key == tag.tag_key) {
            return Err(errors::value(format!("`Tags`: the key `{}` is given twice.", tag.tag_key)));
        }
    }
    Ok(given.iter().map(|tag| Tag { key: tag.tag_key.clone(), value: tag.tag_value.clone() }).collect())
}

fn check_sla(input: &Input) -> Result<String, ApiError> {
    let sla_type = input.sla_type.clone().unwrap_or_default();
    if !sla_type.is_empty() {
        errors::check_among("SlaType", &sla_type, SPECIFICATIONS)?;
    }
    Ok(sla_type)
}

fn check_eip(here: &Local<'_>, input: &Input, public: bool) -> Result<String, ApiError> {
    let Some(eip) = &input.eip_address_id else { return Ok(String::new()) };
    crate::listing::check_id(("EipAddressId", eip), "eip", errors::FORMAT)?;
    if public {
        return Err(errors::value("`EipAddressId` is for load balancers of the type INTERNAL."));
    }
    if !elastic_ips::is_free(here.region, eip) {
        return Err(errors::value(format!("`EipAddressId`: there is no elastic IP `{eip}` that is UNBIND.")));
    }
    if input.number.is_some_and(|number| number > 1) {
        return Err(errors::value("`EipAddressId` is one elastic IP: order one load balancer with it."));
    }
    Ok(eip.clone())
}

fn check_vip(
    here: &Local<'_>,
    input: &Input,
    pattern: &LoadBalancer,
    count: usize,
) -> Result<Option<IpAddr>, ApiError> {
    let Some(text) = &input.vip else { return Ok(None) };
    let address: IpAddr =
        text.parse().map_err(|_| ApiError::new(errors::FORMAT, format!("`Vip`: `{text}` is no IP address.")))?;
    if count != 1 {
        return Err(errors::value("`Vip` is for a single load balancer: `Number` must be 1."));
    }
    let fits = match pattern.ipv6_mode.as_deref() {
        None => address.is_ipv4(),
        Some("IPv6FullChain") => address.is_ipv6(),
        Some(_) => false,
    };
    if !fits {
        return Err(errors::value(format!("`Vip`: {address} does not fit `AddressIPVersion`.")));
    }
    let text = address.to_string();
    let owns = |other: &LoadBalancer| {
        (pattern.public || other.subnet_id == pattern.subnet_id)
            && (other.vip.as_deref() == Some(&text) || other.ipv6.as_deref() == Some(&text))
    };
    if let Some(owner) = here.region.clb.balancers.values().find(|other| owns(other)) {
        return Err(errors::value(format!("`Vip`: {address} is the address of `{}`.", owner.id)));
    }
    Ok(Some(address))
}

fn check_snat(here: &Local<'_>, input: &Input) -> Result<Vec<(String, Option<Ipv4Addr>)>, ApiError> {
    let given = input.snat_ips.as_deref().unwrap_or_default();
    errors::check_count("SnatIps", given.len(), 0, here.settings.limit(Quota::SnatIpsPerLoadBalancer))?;
    let parse = |snat: &GivenSnatIp| {
        crate::listing::check_id(("SnatIps.SubnetId", &snat.subnet_id), "subnet", errors::FORMAT)?;
        if !here.region.vpc.subnets.contains(&snat.subnet_id) {
            return Err(errors::value(format!("`SnatIps`: the subnet `{}` does not exist.", snat.subnet_id)));
        }
        let address = snat.ip.as_ref().filter(|ip| !ip.is_empty()).map(|ip| ip.parse()).transpose();
        let malformed = |_| ApiError::new(errors::FORMAT, "`SnatIps.Ip` must be an IPv4 address.");
        Ok((snat.subnet_id.clone(), address.map_err(malformed)?))
    };
    given.iter().map(parse).collect()
}

fn check_quota(here: &Local<'_>, public: bool, count: usize) -> Result<(), ApiError> {
    let quota = if public { Quota::PublicLoadBalancers } else { Quota::InternalLoadBalancers };
    let limit = here.settings.limit(quota);
    let present = here.region.clb.balancers.values().filter(|balancer| balancer.public == public).count();
    if present + count > limit {
        let kind = if public { "public" } else { "internal" };
        let message =
            format!("The region has {present} {kind} load balancers; {count} more would exceed the quota of {limit}.");
        return Err(errors::over_quota(message));
    }
    Ok(())
}

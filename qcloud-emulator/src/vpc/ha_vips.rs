//! HAVIPs: private addresses that instances may take over from each other.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::elastic_ips::{self, Bound, State as ElasticState};
use super::interface_creation::{MISMATCH, take};
use super::route_tables::RouteTable;
use super::tasks::Tasks;
use super::vpcs::refuse_unknown;
use super::{LISTS, MALFORMED, check_id, check_name, interfaces, replays, subnets, vpcs};
use crate::call::Call;
use crate::clock::Time;
use crate::error::ApiError;
use crate::listing::{self, Dialect, Filter, Filters, Page};
use crate::settings::Quota;
use crate::tags::{self, Tag};
use crate::world::{Local, Region, World};

/// A HAVIP.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct HaVip {
    id: String,
    name: String,
    pub(super) address: Ipv4Addr,
    vpc_id: String,
    subnet_id: String,
    interface: String,
    /// The id of the elastic IP that is bound to it.
    elastic_ip: Option<String>,
    check_associate: bool,
    associations: Vec<Association>,
    created: Time,
    tags: Vec<Tag>,
}

/// An instance or interface that the HAVIP may move to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Association {
    instance_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_type: Option<String>,
}

impl HaVip {
    fn show(&self, region: &Region) -> Value {
        let elastic = self.elastic_ip.as_ref().and_then(|id| region.vpc.elastic_ips.get(id));
        json!({
            "HaVipId": self.id,
            "HaVipName": self.name,
            "Vip": self.address.to_string(),
            "VpcId": self.vpc_id,
            "SubnetId": self.subnet_id,
            "NetworkInterfaceId": self.interface,
            "InstanceId": "",
            "AddressIp": elastic.map(|elastic| elastic.ip.as_str()).unwrap_or_default(),
            "State": if self.interface.is_empty() { "UNBIND" } else { "AVAILABLE" },
            "CreatedTime": self.created.beijing(),
            "Business": "",
            "HaVipAssociationSet": self.associations,
            "CheckAssociate": self.check_associate,
            "TagSet": self.tags,
        })
    }
}

fn find<'a>(region: &'a Region, id: &str) -> Result<&'a HaVip, ApiError> {
    check_id("HaVipId", id, "havip")?;
    region.vpc.ha_vips.get(id).ok_or_else(|| ApiError::not_found("HAVIP", id))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    vpc_id: String,
    ha_vip_name: String,
    subnet_id: Option<String>,
    vip: Option<String>,
    network_interface_id: Option<String>,
    check_associate: Option<bool>,
    tags: Option<Vec<Tag>>,
    ha_vip_association_set: Option<Vec<Association>>,
    client_token: Option<String>,
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let mut here = world.local(call);
    replays::once(&mut here, call, input.client_token.as_deref(), MISMATCH, |here| {
        vpcs::find(here.region, &input.vpc_id)?;
        check_name("HaVipName", &input.ha_vip_name)?;
        let vip = input.vip.as_deref().filter(|vip| !vip.is_empty());
        let vip: Option<Ipv4Addr> = vip.map(str::parse).transpose().map_err(|_| {
            ApiError::new(MALFORMED, format!("`Vip`: `{}` is not an IPv4 address.", vip.unwrap_or_default()))
        })?;
        let interface = input.network_interface_id.clone().filter(|id| !id.is_empty());
        let subnet_id = subnet_of(here, &input, vip, interface.as_deref())?;
        let tags = tags::check(input.tags.clone())?;
        let limit = here.settings.limit(Quota::HaVipsPerVpc);
        if here.region.vpc.ha_vips.values().filter(|other| other.vpc_id == input.vpc_id).count() >= limit {
            let message = format!("The VPC `{}` has its {limit} HAVIPs already.", input.vpc_id);
            return Err(ApiError::new("LimitExceeded", message));
        }
        let id = here.ids.new_id("havip");
        let address = take(here, &subnet_id, &[vip], &id)?.into_iter().next();
        let ha_vip = HaVip {
            id: id.clone(),
            name: input.ha_vip_name.clone(),
            address: address.unwrap_or(Ipv4Addr::UNSPECIFIED),
            vpc_id: input.vpc_id.clone(),
            subnet_id,
            interface: interface.unwrap_or_default(),
            elastic_ip: None,
            check_associate: input.check_associate.unwrap_or_default(),
            associations: input.ha_vip_association_set.clone().unwrap_or_default(),
            created: here.now,
            tags,
        };
        here.region.vpc.ha_vips.insert(id.clone(), ha_vip);
        Ok(json!({ "HaVip": find(here.region, &id)?.show(here.region) }))
    })
}

/// The subnet that a new HAVIP is in: the one named, its interface's, or the one of its address.
fn subnet_of(
    here: &Local<'_>,
    input: &Input,
    vip: Option<Ipv4Addr>,
    interface: Option<&str>,
) -> Result<String, ApiError> {
    let of_interface = interface.map(|id| interfaces::find(here.region, id)).transpose()?;
    let subnet = match (input.subnet_id.as_deref().filter(|id| !id.is_empty()), of_interface, vip) {
        (Some(id), _, _) => subnets::find(here.region, id)?,
        (None, Some(interface), _) => subnets::find(here.region, &interface.subnet_id)?,
        (None, None, Some(vip)) => {
            let mut subnets = here.region.vpc.subnets.values().filter(|subnet| subnet.vpc_id == input.vpc_id);
            subnets.find(|subnet| subnet.cidr.contains_address(vip)).ok_or_else(|| {
                let message = format!("`Vip`: {vip} is in no subnet of `{}`.", input.vpc_id);
                ApiError::new("InvalidParameterValue.Range", message)
            })?
        }
        (None, None, None) => return Err(ApiError::missing("SubnetId")),
    };
    if subnet.vpc_id != input.vpc_id {
        let message = format!("The subnet `{}` belongs to `{}`, not to `{}`.", subnet.id, subnet.vpc_id, input.vpc_id);
        return Err(ApiError::new("UnsupportedOperation.VpcMismatch", message));
    }
    Ok(subnet.id.clone())
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        ha_vip_ids: Option<Vec<String>>,
        filters: Option<Vec<Filter>>,
        offset: Option<i64>,
        limit: Option<i64>,
    }
    const FILTERS: &[&str] = &[
        "havip-id",
        "havip-name",
        "vpc-id",
        "subnet-id",
        "vip",
        "address-ip",
        "havip-association.instance-id",
        "havip-association.instance-type",
    ];
    const FIVE_VALUES: Dialect = Dialect { most_values: 5, ..LISTS };
    let input: Input = call.input()?;
    let here = world.local(call);
    listing::ids_or_filters(("HaVipIds", input.ha_vip_ids.as_ref()), input.filters.as_ref(), &LISTS)?;
    let ids = input.ha_vip_ids.unwrap_or_default();
    listing::check_ids(("HaVipIds", &ids), "havip", MALFORMED, &LISTS)?;
    refuse_unknown(&here, &ids, "HAVIP", |id| here.region.vpc.ha_vips.contains(id))?;
    let filters = Filters::check(call, input.filters, FILTERS, &FIVE_VALUES)?;
    let page = Page::new(input.offset, input.limit, &LISTS)?;
    let region = &*here.region;
    let (total, ha_vips) = page.cut(region.vpc.ha_vips.among(&ids).filter(|vip| {
        filters.accept(&[], |name, value| match name {
            "havip-id" => vip.id == value,
            "havip-name" => vip.name == value,
            "vpc-id" => vip.vpc_id == value,
            "subnet-id" => vip.subnet_id == value,
            "vip" => vip.address.to_string() == value,
            "address-ip" => {
                let elastic = vip.elastic_ip.as_ref().and_then(|id| region.vpc.elastic_ips.get(id));
                elastic.is_some_and(|elastic| elastic.ip == value)
            }
            "havip-association.instance-id" => vip.associations.iter().any(|other| other.instance_id == value),
            "havip-association.instance-type" => {
                vip.associations.iter().any(|other| other.instance_type.as_deref() == Some(value))
            }
            _ => false,
        })
    }));
    let ha_vips: Vec<Value> = ha_vips.into_iter().map(|vip| vip.show(region)).collect();
    Ok(json!({ "TotalCount": total, "HaVipSet": ha_vips }))
}

pub(super) fn modify(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        ha_vip_id: String,
        ha_vip_name: Option<String>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    find(here.region, &input.ha_vip_id)?;
    input.ha_vip_name.as_deref().map_or(Ok(()), |name| check_name("HaVipName", name))?;
    if let (Some(vip), Some(name)) = (here.region.vpc.ha_vips.get_mut(&input.ha_vip_id), input.ha_vip_name) {
        vip.name = name;
    }
    Ok(json!({}))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        ha_vip_id: String,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let vip = find(here.region, &input.ha_vip_id)?;
    let leads_here = |table: &&RouteTable| table.routes.iter().any(|route| route.gateway_id == vip.id);
    if let Some(table) = here.region.vpc.route_tables.values().find(leads_here) {
        return Err(ApiError::in_use(format!("Routes of `{}` lead to the HAVIP `{}`.", table.id, vip.id)));
    }
    if let Some(vip) = here.region.vpc.ha_vips.remove(&input.ha_vip_id) {
        subnets::release(here.region, &vip.subnet_id, &vip.address.to_string());
        if let Some(elastic) = vip.elastic_ip {
            elastic_ips::set_free(here.region, &elastic);
        }
    }
    done(&mut here, call, &input.ha_vip_id);
    Ok(json!({}))
}

/// The task of the request ends as it begins.
fn done(here: &mut Local<'_>, call: &Call, id: &str) {
    let now = here.now;
    Tasks::begin(here, call, id, now);
}

pub(super) fn bind(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        ha_vip_id: String,
        address_ip: String,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let vip = find(here.region, &input.ha_vip_id)?;
    if vip.elastic_ip.is_some() {
        let message = format!("The HAVIP `{}` has an elastic IP: unbind that first.", vip.id);
        return Err(ApiError::new("UnsupportedOperation.InvalidState", message));
    }
    let Some(elastic) = here.region.vpc.elastic_ips.values().find(|elastic| elastic.ip == input.address_ip) else {
        return Err(ApiError::not_found("elastic IP", &input.address_ip));
    };
    if elastic.state != ElasticState::Unbind || elastic.task.is_some() {
        let message = format!("The elastic IP {} (`{}`) is in use: it must be UNBIND.", elastic.ip, elastic.id);
        return Err(ApiError::in_use(message));
    }
    let elastic_id = elastic.id.clone();
    if let Some(elastic) = here.region.vpc.elastic_ips.get_mut(&elastic_id) {
        elastic.state = ElasticState::Bind;
        elastic.bound = Some(Bound::HaVip(input.ha_vip_id.clone()));
    }
    if let Some(vip) = here.region.vpc.ha_vips.get_mut(&input.ha_vip_id) {
        vip.elastic_ip = Some(elastic_id);
    }
    done(&mut here, call, &input.ha_vip_id);
    Ok(json!({}))
}

pub(super) fn unbind(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        ha_vip_id: String,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let Some(elastic) = find(here.region, &input.ha_vip_id)?.elastic_ip.clone() else {
        let message = format!("The HAVIP `{}` has no elastic IP.", input.ha_vip_id);
        return Err(ApiError::new("UnsupportedOperation.InvalidState", message));
    };
    elastic_ips::set_free(here.region, &elastic);
    if let Some(vip) = here.region.vpc.ha_vips.get_mut(&input.ha_vip_id) {
        vip.elastic_ip = None;
    }
    done(&mut here, call, &input.ha_vip_id);
    Ok(json!({}))
}

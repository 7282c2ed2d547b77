//! Elastic IPs: what they are, and how they are listed.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::interfaces::PrivateAddress;
use crate::call::Call;
use crate::clock::Time;
use crate::error::ApiError;
use crate::listing::{self, Dialect, Filter, Filters, Page};
use crate::settings::Quota;
use crate::tags::Tag;
use crate::world::{Local, Region, World};

/// An elastic IP.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ElasticIp {
    pub(crate) id: String,
    pub(super) name: String,
    pub(crate) ip: String,
    pub(super) state: State,
    pub(super) bound: Option<Bound>,
    /// `EIP` and its like; `WanIP` for the address that an instance came with.
    pub(super) kind: String,
    pub(super) provider: String,
    pub(super) charge_type: String,
    /// In Mbit/s.
    pub(super) bandwidth: u64,
    pub(super) package: Option<String>,
    pub(super) direct: bool,
    pub(super) visible: bool,
    pub(super) tags: Vec<Tag>,
    pub(super) created: Time,
    pub(super) expires: Option<Time>,
    /// The number of the task that is not done yet.
    pub(super) task: Option<String>,
}

/// What an elastic IP is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Bound {
    /// A private address of a network interface.
    Interface(String, Ipv4Addr),
    NatGateway(String),
    HaVip(String),
    LoadBalancer(String),
}

/// The state of an elastic IP. `BIND_ENI` is `Bind` to an interface that is not attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    Creating,
    Binding,
    Bind,
    Unbinding,
    Unbind,
    Offlining,
}

/// The error codes of lists of elastic IPs.
const LISTS: Dialect = Dialect {
    coexist: "InvalidParameter",
    unknown_filter: "InvalidParameter.InvalidFilter",
    bad_page: "InvalidParameterValue.LimitExceeded",
    ..super::LISTS
};

const MALFORMED: &str = "InvalidParameterValue.AddressIdMalformed";

impl ElasticIp {
    fn status(&self, region: &Region) -> &'static str {
        match self.state {
            State::Creating => "CREATING",
            State::Binding => "BINDING",
            State::Bind => match &self.bound {
                Some(Bound::Interface(id, _))
                    if region.vpc.interfaces.get(id).is_some_and(|eni| eni.attachment.is_none()) =>
                {
                    "BIND_ENI"
                }
                _ => "BIND",
            },
            State::Unbinding => "UNBINDING",
            State::Unbind => "UNBIND",
            State::Offlining => "OFFLINING",
        }
    }

    /// The private address it is bound to moved to another interface.
    pub(super) fn follow(&mut self, interface: &str) {
        if let Some(Bound::Interface(id, _)) = &mut self.bound {
            interface.clone_into(id);
        }
    }

    /// The private address it is bound to became another one of the same interface.
    pub(super) fn follow_address(&mut self, address: Ipv4Addr) {
        if let Some(Bound::Interface(_, ip)) = &mut self.bound {
            *ip = address;
        }
    }

    /// The resource that it is bound to, as answers name it: its id and its kind.
    fn resource<'a>(&'a self, region: &'a Region) -> (&'a str, Option<&'static str>) {
        match &self.bound {
            Some(Bound::Interface(id, _)) => {
                let attachment = region.vpc.interfaces.get(id).and_then(|interface| interface.attachment.as_ref());
                attachment.map_or(("", Some("ENI")), |attachment| (attachment.instance_id.as_str(), Some("CVM")))
            }
            Some(Bound::NatGateway(id)) => (id, Some("NAT")),
            Some(Bound::HaVip(id)) => (id, Some("HAVIP")),
            Some(Bound::LoadBalancer(id)) => (id, Some("CLB")),
            None => ("", None),
        }
    }

    fn interface(&self) -> Option<&str> {
        match &self.bound {
            Some(Bound::Interface(id, _)) => Some(id),
            _ => None,
        }
    }

    fn private_ip(&self, region: &Region) -> Option<String> {
        match &self.bound {
            Some(Bound::Interface(_, ip)) => Some(ip.to_string()),
            Some(Bound::HaVip(id)) => region.vpc.ha_vips.get(id).map(|vip| vip.address.to_string()),
            Some(Bound::NatGateway(_) | Bound::LoadBalancer(_)) | None => None,
        }
    }

    fn show(&self, region: &Region) -> Value {
        let (instance, kind) = self.resource(region);
        json!({
            "AddressId": self.id,
            "AddressName": self.name,
            "AddressStatus": self.status(region),
            "AddressIp": self.ip,
            "InstanceId": instance,
            "InstanceType": kind,
            "CreatedTime": self.created.iso(),
            "NetworkInterfaceId": self.interface(),
            "PrivateAddressIp": self.private_ip(region),
            "IsArrears": false,
            "IsBlocked": false,
            "IsEipDirectConnection": self.direct,
            "AddressType": self.kind,
            "CascadeRelease": false,
            "EipAlgType": { "Ftp": true, "Sip": true },
            "InternetServiceProvider": self.provider,
            "LocalBgp": false,
            "Bandwidth": self.bandwidth,
            "InternetChargeType": self.charge_type,
            "TagSet": self.tags,
            "DeadlineDate": self.expires.map(Time::date),
            "Egress": "center_egress1",
            "BandwidthPackageId": self.package,
            "EipVisibleOnEni": self.visible,
        })
    }
}

/// The elastic IP of this id, or the error that says it does not exist.
pub(super) fn find<'a>(region: &'a Region, id: &str) -> Result<&'a ElasticIp, ApiError> {
    listing::check_id(("AddressId", id), "eip", MALFORMED)?;
    region.vpc.elastic_ips.get(id).ok_or_else(|| {
        ApiError::new("InvalidAddressId.NotFound", format!("The elastic IP `{id}` does not exist in this region."))
    })
}

/// A private address ceases to be: the elastic IP that is bound to it is bound to nothing.
pub(super) fn lose(region: &mut Region, address: &PrivateAddress) {
    let Some(public) = address.public.as_ref().filter(|public| public.elastic) else { return };
    set_free(region, &public.id);
}

/// Whether an elastic IP is there and bound to nothing.
pub(crate) fn is_free(region: &Region, id: &str) -> bool {
    region.vpc.elastic_ips.get(id).is_some_and(|elastic| elastic.state == State::Unbind)
}

/// Binds an elastic IP to a load balancer, at once.
pub(crate) fn give_to_balancer(region: &mut Region, id: &str, balancer: &str) {
    if let Some(elastic) = region.vpc.elastic_ips.get_mut(id) {
        elastic.state = State::Bind;
        elastic.bound = Some(Bound::LoadBalancer(balancer.to_owned()));
    }
}

/// Binds an elastic IP to nothing, at once.
pub(crate) fn set_free(region: &mut Region, id: &str) {
    if let Some(elastic) = region.vpc.elastic_ips.get_mut(id) {
        elastic.state = State::Unbind;
        elastic.bound = None;
        elastic.task = None;
    }
}

/// The public addresses that instances came with, as elastic IPs are shown.
fn own_addresses(here: &Local<'_>) -> Vec<ElasticIp> {
    let region = &*here.region;
    let primaries = region.vpc.interfaces.values().filter(|interface| interface.primary);
    let addresses = primaries.flat_map(|interface| interface.addresses.iter().map(move |address| (interface, address)));
    addresses
        .filter_map(|(interface, address)| {
            let public = address.public.as_ref().filter(|public| !public.elastic)?;
            let instance = interface.instance(region)?;
            Some(ElasticIp {
                id: public.id.clone(),
                name: "未命名".to_owned(),
                ip: public.ip.clone(),
                state: State::Bind,
                bound: Some(Bound::Interface(interface.id.clone(), address.ip)),
                kind: "WanIP".to_owned(),
                provider: "BGP".to_owned(),
                charge_type: instance.internet.charge_type.clone(),
                bandwidth: u64::try_from(instance.internet.bandwidth).unwrap_or_default(),
                package: None,
                direct: false,
                visible: false,
                tags: Vec::new(),
                created: interface.created,
                expires: None,
                task: None,
            })
        })
        .collect()
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        address_ids: Option<Vec<String>>,
        filters: Option<Vec<Filter>>,
        offset: Option<i64>,
        limit: Option<i64>,
    }
    const FILTERS: &[&str] = &[
        "address-id",
        "address-name",
        "address-ip",
        "address-status",
        "instance-id",
        "private-ip-address",
        "network-interface-id",
        "is-arrears",
        "address-type",
        "address-isp",
        "dedicated-cluster-id",
        "tag-key",
        "tag-value",
        "tag:",
    ];
    let input: Input = call.input()?;
    let here = world.local(call);
    let ids = input.address_ids.unwrap_or_default();
    listing::check_ids(("AddressIds", &ids), "eip", MALFORMED, &LISTS)?;
    let filters = Filters::check(call, input.filters, FILTERS, &LISTS)?;
    if !ids.is_empty() && filters.values("address-id").is_some() {
        let message = "`AddressIds` and the filter `address-id` cannot be given together: give one of them.";
        return Err(ApiError::new(LISTS.coexist, message));
    }
    for id in filters.values("address-id").unwrap_or_default() {
        listing::check_id(("Filters", id), "eip", MALFORMED)?;
    }
    for id in filters.values("network-interface-id").unwrap_or_default() {
        listing::check_id(("Filters", id), "eni", "InvalidParameterValue.NetworkInterfaceIdMalformed")?;
    }
    let page = Page::new(input.offset, input.limit, &LISTS)?;
    // The addresses that instances came with are listed only for those who ask for them.
    let own = filters.values("address-type").unwrap_or_default().iter().any(|kind| kind.eq_ignore_ascii_case("WanIP"));
    let own = if own { own_addresses(&here) } else { Vec::new() };
    let region = &*here.region;
    let (total, addresses) = page.cut(region.vpc.elastic_ips.values().chain(&own).filter(|address| {
        (ids.is_empty() || ids.contains(&address.id))
            && filters.accept(&address.tags, |name, value| match name {
                "address-id" => address.id == value,
                "address-name" => address.name == value,
                "address-ip" => address.ip == value,
                "address-status" => address.status(region) == value,
                "instance-id" => address.resource(region).0 == value,
                "private-ip-address" => address.private_ip(region).as_deref() == Some(value),
                "network-interface-id" => address.interface() == Some(value),
                "is-arrears" => value.eq_ignore_ascii_case("false"),
                "address-type" => address.kind.eq_ignore_ascii_case(value),
                "address-isp" => address.provider == value,
                _ => false,
            })
    }));
    let addresses: Vec<Value> = addresses.into_iter().map(|address| address.show(region)).collect();
    Ok(json!({ "TotalCount": total, "AddressSet": addresses }))
}

pub(super) fn describe_quota(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let here = world.local(call);
    let limit = here.settings.limit(Quota::ElasticIpsPerRegion);
    let (day, today) = &here.region.vpc.allocated_on;
    let today = if *day == here.now.date() { *today } else { 0 };
    let quota = |id: &str, current: usize, limit: usize| json!({ "QuotaId": id, "QuotaCurrent": current, "QuotaLimit": limit, "QuotaGroup": here.name });
    Ok(json!({ "QuotaSet": [
        quota("TOTAL_EIP_QUOTA", here.region.vpc.elastic_ips.len(), limit),
        quota("DAILY_EIP_APPLY", today, limit.saturating_mul(2)),
        quota("DAILY_PUBLIC_IP_ASSIGN", 0, 10),
    ]}))
}

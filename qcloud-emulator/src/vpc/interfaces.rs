//! Network interfaces: what they are, and how they are listed.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::vpcs::refuse_unknown;
use super::{LISTS, MALFORMED, check_id};
use crate::call::Call;
use crate::clock::Time;
use crate::cvm::instances::Instance;
use crate::error::ApiError;
use crate::listing::{self, Filter, Filters, Page};
use crate::settings::Quota;
use crate::tags::Tag;
use crate::world::{Local, Region, World};

/// The account that everything belongs to, as answers name it.
pub(super) const ACCOUNT: &str = "100000000001";
/// The most private addresses of an interface that no instance has.
const MOST_ADDRESSES_UNATTACHED: usize = 10;

/// A network interface.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Interface {
    pub(crate) id: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(crate) vpc_id: String,
    pub(crate) subnet_id: String,
    pub(super) zone: String,
    /// The security groups; those of a primary interface are its instance's.
    pub(super) groups: Vec<String>,
    /// Whether it is the interface that its instance was made with.
    pub(crate) primary: bool,
    pub(crate) mac: String,
    pub(super) state: State,
    pub(crate) addresses: Vec<PrivateAddress>,
    pub(crate) attachment: Option<Attachment>,
    pub(super) created: Time,
    pub(super) tags: Vec<Tag>,
    pub(super) trunk: bool,
    pub(super) protected: bool,
    pub(super) quality: String,
    /// The request whose work on the interface is not done yet.
    pub(super) task: Option<String>,
}

/// A private address of an interface.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PrivateAddress {
    pub(crate) ip: Ipv4Addr,
    pub(crate) primary: bool,
    pub(super) description: String,
    pub(super) state: AddressState,
    pub(crate) public: Option<PublicAddress>,
}

/// The public address behind a private one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PublicAddress {
    pub(crate) id: String,
    pub(crate) ip: String,
    /// Whether it is an elastic IP, not the instance's own.
    pub(crate) elastic: bool,
}

/// Where an interface is attached.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Attachment {
    pub(crate) instance_id: String,
    pub(super) index: u64,
    pub(super) at: Time,
    pub(super) kind: u64,
}

/// The state of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    Pending,
    Available,
    Attaching,
    Detaching,
    Deleting,
}

impl State {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Available => "AVAILABLE",
            Self::Attaching => "ATTACHING",
            Self::Detaching => "DETACHING",
            Self::Deleting => "DELETING",
        }
    }
}

/// The state of a private address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum AddressState {
    Pending,
    Available,
    Migrating,
    Deleting,
}

impl AddressState {
    fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Available => "AVAILABLE",
            Self::Migrating => "MIGRATING",
            Self::Deleting => "DELETING",
        }
    }
}

impl PrivateAddress {
    pub(super) fn new(ip: Ipv4Addr, primary: bool, description: String, state: AddressState) -> Self {
        Self { ip, primary, description, state, public: None }
    }

    pub(super) fn show(&self, quality: &str) -> Value {
        let public = self.public.as_ref();
        json!({
            "PrivateIpAddress": self.ip.to_string(),
            "Primary": self.primary,
            "PublicIpAddress": public.map(|public| public.ip.as_str()).unwrap_or_default(),
            "AddressId": public.map(|public| public.id.as_str()).unwrap_or_default(),
            "Description": self.description,
            "IsWanIpBlocked": false,
            "State": self.state.name(),
            "QosLevel": quality,
        })
    }
}

impl Interface {
    pub(super) fn show(&self, region: &Region) -> Value {
        let attached = self.attachment.is_some() && self.state == State::Available;
        let attachment = self.attachment.as_ref().map(|attachment| {
            json!({
                "InstanceId": attachment.instance_id,
                "DeviceIndex": attachment.index,
                "InstanceAccountId": ACCOUNT,
                "AttachTime": attachment.at.beijing(),
            })
        });
        json!({
            "NetworkInterfaceId": self.id,
            "NetworkInterfaceName": self.name,
            "NetworkInterfaceDescription": self.description,
            "SubnetId": self.subnet_id,
            "VpcId": self.vpc_id,
            "GroupSet": self.groups(region),
            "Primary": self.primary,
            "MacAddress": self.mac,
            "State": self.state.name(),
            "NetworkInterfaceState": if attached { "INUSE" } else { self.state.name() },
            "PrivateIpAddressSet": self.addresses.iter().map(|address| address.show(&self.quality)).collect::<Vec<_>>(),
            "Attachment": attachment,
            "Zone": self.zone,
            "CreatedTime": self.created.beijing(),
            "Ipv6AddressSet": [],
            "TagSet": self.tags,
            "EniType": self.kind(),
            "Business": if self.attachment.is_some() { "cvm" } else { "" },
            "CdcId": "",
            "AttachType": self.attachment.as_ref().map(|attachment| attachment.kind).unwrap_or_default(),
            "ResourceId": "",
            "QosLevel": self.quality,
        })
    }

    /// The security groups that guard it.
    pub(super) fn groups<'a>(&'a self, region: &'a Region) -> &'a [String] {
        match self.instance(region).filter(|_| self.primary) {
            Some(instance) => &instance.security_groups,
            None => &self.groups,
        }
    }

    /// The instance that it is attached to.
    pub(super) fn instance<'a>(&self, region: &'a Region) -> Option<&'a Instance> {
        self.attachment.as_ref().and_then(|attachment| region.cvm.instances.get(&attachment.instance_id))
    }

    pub(super) fn is_at(&self, instance_id: &str) -> bool {
        self.attachment.as_ref().is_some_and(|attachment| attachment.instance_id == instance_id)
    }

    /// A number: 0 for secondary, 1 for primary, 2 for trunk interfaces.
    fn kind(&self) -> u64 {
        match (self.primary, self.trunk) {
            (true, _) => 1,
            (false, true) => 2,
            (false, false) => 0,
        }
    }

    /// How many private addresses it may have.
    pub(super) fn address_limit(&self, here: &Local<'_>) -> usize {
        let by_type = match self.instance(here.region) {
            Some(instance) => limits(instance).1,
            None => MOST_ADDRESSES_UNATTACHED,
        };
        by_type.min(here.settings.limit(Quota::AddressesPerInterface))
    }
}

/// How many interfaces an instance may have, its primary one among them, and how many private addresses each. The
/// cloud has a table by CPUs and memory.
pub(super) fn limits(instance: &Instance) -> (usize, usize) {
    match (instance.cpu, instance.memory) {
        (0..=1, 0..=1) => (2, 2),
        (0..=1, _) => (2, 6),
        (2..=3, _) => (2, 10),
        (4..=7, 0..=15) => (4, 10),
        (4..=7, _) => (4, 20),
        (8..=11, _) => (6, 20),
        _ => (8, 30),
    }
}

/// The interface of this id, or the error that says it does not exist.
pub(super) fn find<'a>(region: &'a Region, id: &str) -> Result<&'a Interface, ApiError> {
    check_id("NetworkInterfaceId", id, "eni")?;
    region.vpc.interfaces.get(id).ok_or_else(|| ApiError::not_found("network interface", id))
}

/// The instance behind the owner of a private address: the owner itself, or the instance that the interface is at.
pub(crate) fn holder<'a>(region: &'a Region, owner: &str) -> Option<&'a Instance> {
    let interface = || region.vpc.interfaces.get(owner).and_then(|interface| interface.instance(region));
    region.cvm.instances.get(owner).or_else(interface)
}

/// The instance that has this private address in a VPC, on whichever of its interfaces.
pub(crate) fn instance_at<'a>(region: &'a Region, vpc_id: &str, address: Ipv4Addr) -> Option<&'a Instance> {
    let mut subnets = region.vpc.subnets.values().filter(|subnet| subnet.vpc_id == vpc_id);
    subnets.find_map(|subnet| subnet.addresses.owner(address)).and_then(|owner| holder(region, owner))
}

/// The interfaces of an instance, the primary one first.
pub(crate) fn interfaces_of<'a>(region: &'a Region, instance_id: &str) -> Vec<&'a Interface> {
    let mut found: Vec<&Interface> =
        region.vpc.interfaces.values().filter(|interface| interface.is_at(instance_id)).collect();
    found.sort_by_key(|interface| interface.attachment.as_ref().map(|attachment| attachment.index));
    found
}

/// A MAC address that no other interface of the region has.
pub(super) fn new_mac(region: &mut Region) -> String {
    region.vpc.macs_given += 1;
    // Multiplying by an odd number visits every number of 24 bits before any comes again.
    let [_, high, middle, low] = region.vpc.macs_given.wrapping_mul(10_368_889).to_be_bytes();
    format!("20:90:6F:{high:02X}:{middle:02X}:{low:02X}")
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        network_interface_ids: Option<Vec<String>>,
        filters: Option<Vec<Filter>>,
        offset: Option<i64>,
        limit: Option<i64>,
    }
    const FILTERS: &[&str] = &[
        "vpc-id",
        "subnet-id",
        "network-interface-id",
        "attachment.instance-id",
        "groups.security-group-id",
        "network-interface-name",
        "network-interface-description",
        "address-ip",
        "ip-exact-match",
        "tag-key",
        "tag:",
        "is-primary",
        "eni-type",
        "eni-qos",
        "address-ipv6",
        "public-address-ip",
    ];
    let input: Input = call.input()?;
    let here = world.local(call);
    let given = ("NetworkInterfaceIds", input.network_interface_ids.as_ref());
    listing::ids_or_filters(given, input.filters.as_ref(), &LISTS)?;
    let ids = input.network_interface_ids.unwrap_or_default();
    listing::check_ids(("NetworkInterfaceIds", &ids), "eni", MALFORMED, &LISTS)?;
    refuse_unknown(&here, &ids, "network interface", |id| here.region.vpc.interfaces.contains(id))?;
    let filters = Filters::check(call, input.filters, FILTERS, &LISTS)?;
    let page = Page::new(input.offset, input.limit, &LISTS)?;
    let region = &*here.region;
    // A single address is looked for by its end, unless the request says otherwise.
    let exact = filters.values("address-ip").is_some_and(|values| values.len() > 1)
        || filters.values("ip-exact-match").and_then(<[String]>::first).is_some_and(|first| first == "true");
    let (total, interfaces) = page.cut(region.vpc.interfaces.among(&ids).filter(|interface| {
        filters.accept(&interface.tags, |name, value| match name {
            "vpc-id" => interface.vpc_id == value,
            "subnet-id" => interface.subnet_id == value,
            "network-interface-id" => interface.id == value,
            "attachment.instance-id" => interface.is_at(value),
            "groups.security-group-id" => interface.groups(region).iter().any(|group| group == value),
            "network-interface-name" => interface.name.contains(value),
            "network-interface-description" => interface.description.contains(value),
            "address-ip" => interface.addresses.iter().any(|address| {
                let address = address.ip.to_string();
                if exact { address == value } else { address.ends_with(value) }
            }),
            "ip-exact-match" => true,
            "public-address-ip" => {
                let mut public = interface.addresses.iter().filter_map(|address| address.public.as_ref());
                public.any(|public| public.ip == value)
            }
            "is-primary" => interface.primary.to_string() == value,
            "eni-type" => interface.kind().to_string() == value,
            "eni-qos" => interface.quality == value,
            _ => false,
        })
    }));
    let interfaces: Vec<Value> = interfaces.into_iter().map(|interface| interface.show(region)).collect();
    Ok(json!({ "NetworkInterfaceSet": interfaces, "TotalCount": total }))
}

pub(super) fn describe_limit(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        instance_id: String,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    check_id("InstanceId", &input.instance_id, "ins")?;
    let instance = here.region.cvm.instances.get(&input.instance_id);
    let instance = instance.ok_or_else(|| ApiError::not_found("instance", &input.instance_id))?;
    let (interfaces, addresses) = limits(instance);
    Ok(json!({
        "EniQuantity": interfaces.min(here.settings.limit(Quota::InterfacesPerInstance)),
        "EniPrivateIpAddressQuantity": addresses.min(here.settings.limit(Quota::AddressesPerInterface)),
        "ExtendEniQuantity": 0,
        "ExtendEniPrivateIpAddressQuantity": 0,
        "SubEniQuantity": 0,
        "SubEniPrivateIpAddressQuantity": 0,
    }))
}

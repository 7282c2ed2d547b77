//! The private addresses of a subnet: who has which.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{LISTS, subnets, vpcs};
use crate::call::Call;
use crate::cidr::Cidr;
use crate::error::ApiError;
use crate::listing::{self, Filter, Filters, Page};
use crate::world::World;

/// The network, the gateway and the broadcast address belong to nobody.
const RESERVED: u64 = 3;

/// The addresses of a subnet that are taken, each with the id of the resource that has it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Addresses {
    taken: BTreeMap<Ipv4Addr, String>,
    /// Where the search for a free address begins, so that freed ones are not given out again at once.
    next: u32,
}

/// Why an address cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is not in the subnet, or reserved there.
    Outside,
    /// Somebody has it.
    Taken,
    /// There is none left.
    Exhausted,
}

impl Addresses {
    pub(super) fn total(cidr: Cidr) -> u64 {
        cidr.size().saturating_sub(RESERVED)
    }

    pub(super) fn free(&self, cidr: Cidr) -> u64 {
        Self::total(cidr).saturating_sub(u64::try_from(self.taken.len()).unwrap_or(u64::MAX))
    }

    /// Gives an address to a resource: the one asked for, or any.
    pub(super) fn take(&mut self, cidr: Cidr, wanted: Option<Ipv4Addr>, owner: &str) -> Result<Ipv4Addr, Refused> {
        let (first, last) = (cidr.first().saturating_add(2), cidr.last().saturating_sub(1));
        let address = match wanted {
            Some(address) if !(first..=last).contains(&u32::from(address)) => return Err(Refused::Outside),
            Some(address) if self.taken.contains_key(&address) => return Err(Refused::Taken),
            Some(address) => address,
            None => {
                let start = self.next.clamp(first, last);
                let mut candidates = (start..=last).chain(first..start).map(Ipv4Addr::from);
                candidates.find(|address| !self.taken.contains_key(address)).ok_or(Refused::Exhausted)?
            }
        };
        if wanted.is_none() {
            self.next = u32::from(address).saturating_add(1);
            if self.next > last {
                self.next = first;
            }
        }
        self.taken.insert(address, owner.to_owned());
        Ok(address)
    }

    pub(super) fn release(&mut self, address: Ipv4Addr) {
        self.taken.remove(&address);
    }

    /// The resource that has the address.
    pub(crate) fn owner(&self, address: Ipv4Addr) -> Option<&str> {
        self.taken.get(&address).map(String::as_str)
    }

    /// Everybody who has an address here.
    pub(super) fn owners(&self) -> impl Iterator<Item = (Ipv4Addr, &str)> {
        self.taken.iter().map(|(address, owner)| (*address, owner.as_str()))
    }
}

pub(super) fn describe_used(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        vpc_id: String,
        subnet_id: Option<String>,
        ip_addresses: Option<Vec<String>>,
        filters: Option<Vec<Filter>>,
        offset: Option<i64>,
        limit: Option<i64>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    vpcs::find(here.region, &input.vpc_id)?;
    if let Some(id) = &input.subnet_id {
        subnets::find(here.region, id)?;
    }
    listing::ids_or_filters(("IpAddresses", input.ip_addresses.as_ref()), input.filters.as_ref(), &LISTS)?;
    let filters = Filters::check(call, input.filters, &["ip-addresses", "resource-id"], &LISTS)?;
    let wanted = input.ip_addresses.unwrap_or_default();
    let page = Page::new(input.offset, input.limit, &LISTS)?;
    let subnets =
        here.region.vpc.subnets.values().filter(|subnet| {
            subnet.vpc_id == input.vpc_id && input.subnet_id.as_ref().is_none_or(|id| *id == subnet.id)
        });
    let taken =
        subnets.flat_map(|subnet| subnet.addresses.owners().map(move |(address, owner)| (subnet, address, owner)));
    let (total, states) = page.cut(taken.filter(|(_, address, owner)| {
        let address = address.to_string();
        (wanted.is_empty() || wanted.contains(&address))
            && filters.accept(&[], |name, value| match name {
                "ip-addresses" => address == value,
                "resource-id" => *owner == value,
                _ => false,
            })
    }));
    let states: Vec<Value> = states
        .into_iter()
        .map(|(subnet, address, owner)| {
            json!({
                "VpcId": subnet.vpc_id,
                "SubnetId": subnet.id,
                "IpAddress": address.to_string(),
                "ResourceType": resource_type(owner),
                "ResourceId": owner,
            })
        })
        .collect();
    Ok(json!({ "IpAddressStates": states, "TotalCount": total }))
}

fn resource_type(owner: &str) -> &'static str {
    match owner.split('-').next() {
        Some("ins") => "CVM",
        Some("eni") => "ENI",
        Some("lb") => "CLB",
        Some("havip") => "HAVIP",
        _ => "OTHER",
    }
}

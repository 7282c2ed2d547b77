//! Route tables of a VPC, as they are.

use std::net::IpAddr;

use ipnet::IpNet;
use qcloud_vpc::route::{Route, RouteTable, RouteType};
use qcloud_vpc::vpc::Filter;

use crate::kubernetes::{ErrorKind, ProviderError, Result};

/// Which route tables of the VPC get the routes: all that subnets of nodes, and of clients of pods, use.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteTables {
    /// Those with these ids.
    Ids(Vec<String>),
    /// Those with this tag.
    Tag {
        /// Its key.
        key: String,
        /// Its value.
        value: String,
    },
    /// Those that these subnets use.
    Subnets(Vec<String>),
}

impl RouteTables {
    /// The filters that find at least these tables; tables are never asked for by id, so that one that is gone can be
    /// told from an answer that was cut short.
    pub(super) fn filters(&self, vpc_id: &str) -> Vec<Filter> {
        let mut filters = vec![Filter::new("vpc-id", [vpc_id])];
        if let Self::Tag { key, value } = self {
            filters.push(Filter::new(format!("tag:{key}"), [value]));
        }
        filters
    }

    /// Chooses the tables; one too few would leave subnets without routes, so a doubt is an error.
    pub(super) fn choose(&self, listed: Vec<RouteTable>) -> Result<Vec<RouteTable>> {
        let absent = |what: String| Err(ProviderError::new(ErrorKind::NotFound, what));
        match self {
            Self::Ids(ids) => {
                let is_listed = |id: &&String| listed.iter().any(|table| table.route_table_id == **id);
                if let Some(id) = ids.iter().find(|id| !is_listed(id)) {
                    return absent(format!("the VPC has no route table {id}"));
                }
                Ok(listed.into_iter().filter(|table| ids.contains(&table.route_table_id)).collect())
            }
            Self::Tag { key, value } if listed.is_empty() => {
                absent(format!("no route table of the VPC has the tag {key}={value}"))
            }
            Self::Tag { .. } => Ok(listed),
            Self::Subnets(subnets) => {
                let uses = |table: &RouteTable, subnet: &String| {
                    table.association_set.iter().any(|association| association.subnet_id == *subnet)
                };
                let is_used = |subnet: &&String| listed.iter().any(|table| uses(table, subnet));
                if let Some(subnet) = subnets.iter().find(|subnet| !is_used(subnet)) {
                    return absent(format!("no route table of the VPC is used by the subnet {subnet}"));
                }
                let chosen = |table: &RouteTable| subnets.iter().any(|subnet| uses(table, subnet));
                Ok(listed.into_iter().filter(chosen).collect())
            }
        }
    }
}

/// A route of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) destination: IpNet,
    /// `None` when it leads over something other than a machine.
    pub(super) next_hop: Option<IpAddr>,
    /// The node that it was made for, when it is ours.
    pub(super) node: Option<String>,
    pub(super) enabled: bool,
    /// Whether it is published to the CCN; then it can't be deleted.
    pub(super) published: bool,
}

impl Item {
    pub(super) fn is_ours(&self) -> bool {
        self.node.is_some()
    }

    /// Whether a new route to the same destination would share its traffic with this one.
    pub(super) fn is_in_the_way(&self) -> bool {
        self.is_ours() || self.enabled
    }

    pub(super) fn is(&self, destination: IpNet, next_hop: IpAddr) -> bool {
        self.destination == destination && self.next_hop == Some(next_hop)
    }
}

/// A route table of which the routes are read.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) id: String,
    /// How many routes count against the quota: those of users, the unreadable among them, but none that it has learned.
    pub(super) size: usize,
    pub(super) items: Vec<Item>,
}

impl Table {
    /// `mark` is what the descriptions of our routes begin with.
    pub(super) fn read(table: &RouteTable, mark: &str) -> Self {
        let items = table.route_set.iter().filter_map(|route| item(route, mark)).collect();
        let size = table.route_set.iter().filter(|route| is_of_user(route)).count();
        Self { id: table.route_table_id.clone(), size, items }
    }
}

/// Whether a user made it, and not the network by itself or over a CCN.
fn is_of_user(route: &Route) -> bool {
    route.route_type.as_ref().is_none_or(|kind| *kind == RouteType::User)
}

fn item(route: &Route, mark: &str) -> Option<Item> {
    let v6 = route.destination_ipv6_cidr_block.as_ref().filter(|text| !text.is_empty());
    let destination = v6.unwrap_or(&route.destination_cidr_block).parse().ok()?;
    let over_machine = route.gateway_type == *"NORMAL_CVM";
    let next_hop = route.gateway_id.parse().ok().filter(|_| over_machine);
    let id = route.route_item_id.clone().unwrap_or_default();
    let node = route.route_description.as_ref().and_then(|text| text.strip_prefix(mark)).map(str::to_owned);
    Some(Item {
        destination,
        next_hop,
        node: node.filter(|_| is_of_user(route) && next_hop.is_some() && !id.is_empty()),
        enabled: route.enabled.unwrap_or(true),
        published: route.published_to_vbc.unwrap_or(false),
        id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learned_routes_are_listed_and_take_no_place() {
        let of = |kind: RouteType, destination: &str| Route {
            route_type: Some(kind),
            ..Route::new()
                .destination_cidr_block(destination)
                .gateway_type("NORMAL_CVM")
                .gateway_id("10.0.0.1")
                .route_item_id("rti-1a2b3c4d")
                .route_description("k8s:uid:n-1")
        };
        let mut read = RouteTable::default();
        read.route_set = vec![
            of(RouteType::User, "172.16.1.0/24"),
            of(RouteType::Netd, "172.16.2.0/24"),
            of(RouteType::Ccn, "172.16.3.0/24"),
            of(RouteType::User, "unreadable"),
        ];
        let table = Table::read(&read, "k8s:uid:");
        assert_eq!((table.items.len(), table.size), (3, 2));
        // Whatever it says of itself, what was learned is not ours.
        assert_eq!(table.items.iter().filter(|item| item.is_ours()).count(), 1);
    }
}

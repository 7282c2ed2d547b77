//! What has to be written to one route table: pure.

use std::net::IpAddr;

use ipnet::IpNet;
use qcloud_vpc::route::Route;

use super::vpc_items::{Item, Table};
use crate::kubernetes::routes::{ClusterRoute, RouteLimits, RouteSpec};
use crate::kubernetes::{ErrorKind, Exhausted, ProviderError, Result};
use crate::provider::error::copy;

/// A route of the request that a write is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Add(usize),
    Delete(usize),
}

/// What became of each route in each table.
pub(super) type Outcomes = Vec<(Slot, Result<()>)>;

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Delete,
    Replace,
    Enable,
    Create,
}

/// One route to write. Those of a kind go into one call.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) kind: Kind,
    pub(super) destination: IpNet,
    pub(super) next_hop: IpAddr,
    /// The node that the route is made for.
    node: String,
    /// The item that is deleted, replaced or enabled.
    pub(super) item: Option<Item>,
    pub(super) slots: Vec<Slot>,
}

impl Write {
    /// Whether a table is as it is to be after this write.
    pub(super) fn is_done(&self, table: &Table) -> bool {
        let mut same = table.items.iter().filter(|item| item.is_ours() && item.is(self.destination, self.next_hop));
        match self.kind {
            Kind::Delete => same.next().is_none(),
            Kind::Replace | Kind::Enable | Kind::Create => same.any(|item| item.enabled),
        }
    }

    /// Whether it changes a route that is published to the CCN.
    pub(super) fn is_published(&self) -> bool {
        self.item.as_ref().is_some_and(|item| item.published)
    }

    /// The route as the API takes it.
    pub(super) fn route(&self, mark: &str) -> Route {
        let mut route = Route::new().gateway_type("NORMAL_CVM").gateway_id(self.next_hop.to_string());
        route = match self.destination {
            IpNet::V4(network) => route.destination_cidr_block(network.to_string()),
            IpNet::V6(network) => route.destination_ipv6_cidr_block(network.to_string()),
        };
        if let Some(item) = &self.item {
            route = route.route_item_id(&item.id);
        }
        if self.kind == Kind::Delete { route } else { route.route_description(format!("{mark}{}", self.node)) }
    }
}

/// The writes to one table, in the order in which they are to be made, and what is decided without any.
#[derive(Debug, Default)]
pub(super) struct TableWrites {
    pub(super) writes: Vec<Write>,
    pub(super) decided: Outcomes,
}

impl TableWrites {
    /// Gives up what is still to be written to this destination.
    pub(super) fn fail_to(&mut self, to: &IpNet, error: &ProviderError, outcomes: &mut Outcomes) {
        let (failed, rest) = std::mem::take(&mut self.writes).into_iter().partition(|write| write.destination == *to);
        let failed: Vec<Write> = failed;
        self.writes = rest;
        let slots = failed.into_iter().flat_map(|write| write.slots);
        outcomes.extend(slots.map(|slot| (slot, Err(copy(error)))));
    }
}

/// Compares a table with what is asked for.
pub(super) fn table_writes(
    table: &Table,
    add: &[(usize, &RouteSpec)],
    delete: &[ClusterRoute],
    limits: &RouteLimits,
) -> TableWrites {
    let mut out = TableWrites::default();
    let mut removals: Vec<Write> = Vec::new();
    for (place, route) in delete.iter().enumerate() {
        let slot = Slot::Delete(place);
        let next_hop = match super::deletable(route, limits) {
            Ok(next_hop) => next_hop,
            Err(error) => {
                out.decided.push((slot, Err(error)));
                continue;
            }
        };
        let mut same = table.items.iter().filter(|item| item.is(route.destination, next_hop)).peekable();
        if same.peek().is_none() {
            out.decided.push((slot, Ok(())));
        }
        for item in same {
            if item.is_ours() {
                removals.push(Write {
                    kind: Kind::Delete,
                    destination: route.destination,
                    next_hop,
                    node: String::new(),
                    item: Some(item.clone()),
                    slots: vec![slot],
                });
            } else {
                out.decided.push((slot, Err(super::not_ours(route))));
            }
        }
    }
    let (mut replaces, mut enables, mut creates) = (Vec::new(), Vec::new(), Vec::new());
    for (place, spec) in add {
        let slot = Slot::Add(*place);
        let mut write = Write {
            kind: Kind::Create,
            destination: spec.destination,
            next_hop: spec.next_hop,
            node: spec.node.clone(),
            item: None,
            slots: vec![slot],
        };
        let to_same = || table.items.iter().filter(|item| item.destination == spec.destination);
        if let Some(item) = to_same().find(|item| item.is_ours() && item.is(spec.destination, spec.next_hop)) {
            // Asked to be deleted and added, it stays.
            removals.retain(|removal| removal.item.as_ref() != Some(item));
            if item.enabled {
                out.decided.push((slot, Ok(())));
            } else {
                write.kind = Kind::Enable;
                write.item = Some(item.clone());
                enables.push(write);
            }
            continue;
        }
        let goes = |item: &Item| removals.iter().any(|removal| removal.item.as_ref() == Some(item));
        if let Some(other) = to_same().find(|item| item.is_in_the_way() && !goes(item)) {
            let whose = if other.is_ours() { "this cluster's" } else { "someone else's" };
            let message = format!("there is a route of {whose} to {} already", spec.destination);
            out.decided.push((slot, Err(ProviderError::new(ErrorKind::Conflict, message))));
            continue;
        }
        // One that is published is not replaced: it is withdrawn and deleted, and the new one published.
        let replaced =
            removals.iter().position(|removal| removal.destination == spec.destination && !removal.is_published());
        match replaced {
            Some(removal) => {
                let removal = removals.remove(removal);
                write.kind = Kind::Replace;
                write.slots.extend(removal.slots);
                write.item = removal.item;
                replaces.push(write);
            }
            None => creates.push(write),
        }
    }
    if let Some(limit) = limits.most_routes {
        let room = limit.saturating_sub(table.size.saturating_sub(removals.len()));
        for write in creates.drain(room.min(creates.len())..) {
            let message = format!("the route table {} may have {limit} routes only: have the quota raised", table.id);
            let exhausted = || ProviderError::new(ErrorKind::Exhausted(Exhausted::Quota), message.clone());
            out.decided.extend(
                write
                    .slots
                    .into_iter()
                    .map(|slot| (slot, Err(exhausted().with_retry_after(std::time::Duration::from_secs(300))))),
            );
        }
    }
    out.writes.extend(removals.into_iter().chain(replaces).chain(enables).chain(creates));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn item(number: u8, destination: &str, ours: bool) -> Item {
        Item {
            id: format!("rti-{number}-{destination}"),
            destination: destination.parse().unwrap(),
            next_hop: Some(IpAddr::from([10, 0, 0, number])),
            node: ours.then(|| format!("n-{number}")),
            enabled: true,
            published: false,
        }
    }

    fn table(items: Vec<Item>) -> Table {
        Table { id: "rtb-1".to_owned(), size: items.len(), items }
    }

    fn spec(number: u8, destination: &str) -> RouteSpec {
        RouteSpec::new("n", IpAddr::from([10, 0, 0, number]), destination.parse().unwrap())
    }

    fn route(number: u8, destination: &str) -> ClusterRoute {
        ClusterRoute::new(destination.parse().unwrap(), IpAddr::from([10, 0, 0, number]))
    }

    fn limits() -> RouteLimits {
        RouteLimits::new(["172.16.0.0/16".parse().unwrap()])
    }

    fn kinds(writes: &TableWrites) -> Vec<Kind> {
        writes.writes.iter().map(|write| write.kind).collect()
    }

    #[test]
    fn a_next_hop_that_changed_is_replaced_in_one_write_for_both() {
        let table = table(vec![item(1, "172.16.1.0/24", true)]);
        let (new, old) = (spec(2, "172.16.1.0/24"), [route(1, "172.16.1.0/24")]);
        let writes = table_writes(&table, &[(0, &new)], &old, &limits());
        assert_eq!(kinds(&writes), [Kind::Replace]);
        assert_eq!(writes.writes[0].slots, [Slot::Add(0), Slot::Delete(0)]);
    }

    #[test]
    fn what_is_there_and_what_is_gone_take_no_write() {
        let table = table(vec![item(1, "172.16.1.0/24", true)]);
        let (new, old) = (spec(1, "172.16.1.0/24"), [route(9, "172.16.9.0/24")]);
        let writes = table_writes(&table, &[(0, &new)], &old, &limits());
        assert!(writes.writes.is_empty() && writes.decided.iter().all(|(_, result)| result.is_ok()));
    }

    #[test]
    fn a_route_that_is_switched_off_is_switched_on() {
        let off = Item { enabled: false, ..item(1, "172.16.1.0/24", true) };
        let writes = table_writes(&table(vec![off]), &[(0, &spec(1, "172.16.1.0/24"))], &[], &limits());
        assert_eq!(kinds(&writes), [Kind::Enable]);
    }

    #[test]
    fn foreign_routes_are_neither_deleted_nor_joined() {
        let table = table(vec![item(1, "172.16.1.0/24", false)]);
        let (new, old) = (spec(2, "172.16.1.0/24"), [route(1, "172.16.1.0/24")]);
        let writes = table_writes(&table, &[(0, &new)], &old, &limits());
        assert!(writes.writes.is_empty());
        assert!(writes.decided.len() == 2 && writes.decided.iter().all(|(_, result)| result.is_err()));
    }

    #[test]
    fn what_someone_else_has_switched_off_is_in_nobodys_way() {
        let off = Item { enabled: false, ..item(1, "172.16.1.0/24", false) };
        let writes = table_writes(&table(vec![off]), &[(0, &spec(2, "172.16.1.0/24"))], &[], &limits());
        assert_eq!(kinds(&writes), [Kind::Create]);
    }

    #[test]
    fn what_lies_outside_the_networks_is_not_deleted() {
        let table = table(vec![item(1, "172.16.1.0/24", true)]);
        let mistyped = RouteLimits::new(["172.61.0.0/16".parse().unwrap()]);
        let writes = table_writes(&table, &[], &[route(1, "172.16.1.0/24")], &mistyped);
        assert!(writes.writes.is_empty());
        assert!(matches!(writes.decided.as_slice(), [(Slot::Delete(0), Err(_))]));
    }

    #[test]
    fn what_does_not_fit_is_refused_before_it_is_tried() {
        let table = table(vec![item(1, "172.16.1.0/24", true), item(2, "172.16.2.0/24", true)]);
        let adds = [spec(3, "172.16.3.0/24"), spec(4, "172.16.4.0/24"), spec(5, "172.16.5.0/24")];
        let adds: Vec<(usize, &RouteSpec)> = adds.iter().enumerate().collect();
        let writes = table_writes(&table, &adds, &[route(2, "172.16.2.0/24")], &limits().with_most_routes(3));
        assert_eq!(kinds(&writes), [Kind::Delete, Kind::Create, Kind::Create]);
        assert!(matches!(writes.decided.as_slice(), [(Slot::Add(2), Err(_))]));
    }

    /// What the cloud does with the writes.
    fn apply(table: &mut Table, writes: &[Write]) {
        for write in writes {
            let old = write.item.as_ref().map(|item| item.id.clone());
            match write.kind {
                Kind::Enable => table
                    .items
                    .iter_mut()
                    .filter(|item| Some(&item.id) == old.as_ref())
                    .for_each(|item| item.enabled = true),
                Kind::Delete | Kind::Replace | Kind::Create => {
                    table.items.retain(|item| Some(&item.id) != old.as_ref());
                    if write.kind != Kind::Delete {
                        table.items.push(Item {
                            id: format!("new-{}-{}", write.next_hop, write.destination),
                            destination: write.destination,
                            next_hop: Some(write.next_hop),
                            node: Some(write.node.clone()),
                            enabled: true,
                            published: false,
                        });
                    }
                }
            }
        }
        table.size = table.items.len();
    }

    fn any_item() -> impl Strategy<Value = Item> {
        (0_u8..4, 0_u8..6, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
            |(number, net, ours, enabled, published)| Item {
                enabled,
                published,
                ..item(number, &format!("172.16.{net}.0/24"), ours)
            },
        )
    }

    proptest! {
        #[test]
        fn writing_again_writes_nothing_and_foreign_items_stay(
            items in prop::collection::vec(any_item(), 0..10),
            adds in prop::collection::btree_map(0_u8..6, 0_u8..4, 0..6),
            deletes in prop::collection::vec((0_u8..4, 0_u8..6), 0..6),
            limit in prop::option::of(0_usize..12),
        ) {
            let limits = limit.map_or_else(limits, |most| limits().with_most_routes(most));
            let mut unique: Vec<Item> = Vec::new();
            for item in items {
                if !unique.iter().any(|known| known.id == item.id) { unique.push(item); }
            }
            let mut table = table(unique);
            let before = table.items.clone();
            let adds: Vec<RouteSpec> =
                adds.iter().map(|(net, number)| spec(*number, &format!("172.16.{net}.0/24"))).collect();
            let adds: Vec<(usize, &RouteSpec)> = adds.iter().enumerate().collect();
            let deletes: Vec<ClusterRoute> =
                deletes.iter().map(|(number, net)| route(*number, &format!("172.16.{net}.0/24"))).collect();

            let first = table_writes(&table, &adds, &deletes, &limits);
            apply(&mut table, &first.writes);
            prop_assert!(first.writes.iter().all(|write| write.is_done(&table)));
            if let Some(limit) = limit {
                prop_assert!(table.size <= limit.max(before.len()));
            }
            for foreign in before.iter().filter(|item| !item.is_ours()) {
                prop_assert!(table.items.contains(foreign));
            }
            let again = table_writes(&table, &adds, &deletes, &limits);
            prop_assert!(again.writes.is_empty(), "{:?}", again.writes);
            // Every route of the request got an answer.
            for (place, _) in &adds {
                let slot = Slot::Add(*place);
                let decided = first.decided.iter().any(|(known, _)| *known == slot);
                prop_assert!(decided || first.writes.iter().any(|write| write.slots.contains(&slot)));
            }
        }
    }
}

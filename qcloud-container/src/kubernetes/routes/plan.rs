//! From the routes that ought to be and those that are to what has to be done.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::{ClusterRoute, HopOwner, NextHops, RouteLimits, RouteSpec};
use crate::kubernetes::{ErrorKind, ProviderError};

/// In how many passes a route must have led nowhere before the one that deletes it.
const GRACE: u32 = 2;

/// How often each route has been seen to lead nowhere. Hand to each pass what the one before gave.
///
/// It may be lost: then the grace begins anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blackholes(BTreeMap<(IpNet, Option<IpAddr>), u32>);

/// What has to be done.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct RoutePlan {
    /// Routes to add, the most urgent first.
    pub add: Vec<RouteSpec>,
    /// Routes to delete.
    pub delete: Vec<ClusterRoute>,
    /// Routes that are as they ought to be.
    pub kept: Vec<RouteSpec>,
    /// Routes that can't be, with the reason. It is of no use to try them again before something changes.
    pub refused: Vec<(RouteSpec, ProviderError)>,
    /// Routes of ours that nobody wants and that are left alone, for now or for good.
    pub spared: Vec<ClusterRoute>,
    /// What the next pass needs to know.
    pub blackholes: Blackholes,
}

/// Compares what ought to be with what is. Planning again after applying gives nothing.
///
/// - A route of others is never touched. One to a wanted destination makes that one refused, unless ours is there already.
/// - A route of ours outside the cluster's networks stays: it is likelier that the networks are set wrongly than that all
///   those routes are left over.
/// - A route of ours that is in the way of a wanted one goes at once: to the same or an overlapping destination, or over
///   the same next hop where that can have one only. A route that is there and asked for keeps its place, also when it is
///   refused; of two to the same destination, one goes.
/// - A route of ours that nobody wants goes at once when a node stands behind its next hop; it stays when a machine does
///   that is no node yet, or when nobody can say; it goes after a grace of two passes when nobody stands behind it.
#[must_use]
pub fn plan(
    desired: &[RouteSpec],
    observed: &[ClusterRoute],
    limits: &RouteLimits,
    next_hops: &NextHops<'_>,
    blackholes: &Blackholes,
) -> RoutePlan {
    let mut plan = RoutePlan::default();
    let present: HashMap<(IpNet, IpAddr), bool> = observed
        .iter()
        .filter(|route| route.owned)
        .filter_map(|route| Some(((route.destination, route.next_hop?), route.complete)))
        .collect();
    let wanted = accept(desired, observed, limits, &present, &mut plan.refused);

    for spec in &wanted.accepted {
        match present.get(&(spec.destination, spec.next_hop)) {
            Some(true) => plan.kept.push((*spec).clone()),
            Some(false) | None => plan.add.push((*spec).clone()),
        }
    }
    plan.add.sort_by_key(|spec| spec.urgency);

    for route in observed.iter().filter(|route| route.owned) {
        let asked_for = wanted.spec_to(&route.destination).is_some_and(|spec| route.is(spec));
        if asked_for {
            continue;
        }
        if !limits.covers(&route.destination) {
            plan.spared.push(route.clone());
            continue;
        }
        let key = (route.destination, route.next_hop);
        let in_the_way = wanted.overlaps(&route.destination)
            || (limits.one_per_next_hop && route.next_hop.is_some_and(|hop| wanted.hops.contains(&hop)));
        let gone = match route.next_hop.map(|hop| next_hops.owner(hop)) {
            _ if in_the_way => true,
            Some(HopOwner::Node(_)) => true,
            Some(HopOwner::Nobody) => {
                let seen = blackholes.0.get(&key).copied().unwrap_or_default();
                if seen < GRACE {
                    plan.blackholes.0.insert(key, seen.saturating_add(1));
                }
                seen >= GRACE
            }
            Some(HopOwner::Machine | HopOwner::Unknown) | None => false,
        };
        if gone { plan.delete.push(route.clone()) } else { plan.spared.push(route.clone()) }
    }
    plan
}

/// What is wanted, and the places that it takes.
#[derive(Default)]
struct Wanted<'s> {
    /// The routes that can be.
    accepted: Vec<&'s RouteSpec>,
    by_destination: HashMap<IpNet, &'s RouteSpec>,
    /// Every network that holds a wanted destination, the destinations themselves among them.
    holders: HashSet<IpNet>,
    hops: HashSet<IpAddr>,
}

impl<'s> Wanted<'s> {
    fn spec_to(&self, destination: &IpNet) -> Option<&'s RouteSpec> {
        self.by_destination.get(destination).copied()
    }

    fn overlaps(&self, destination: &IpNet) -> bool {
        self.holders.contains(destination)
            || supernets(*destination).any(|holder| self.by_destination.contains_key(&holder))
    }

    /// Nothing else can have the place of this one.
    fn reserve(&mut self, spec: &'s RouteSpec) {
        self.by_destination.insert(spec.destination, spec);
        self.holders.extend(supernets(spec.destination));
        self.hops.insert(spec.next_hop);
    }
}

/// A network and all that hold it, from the smallest.
pub(super) fn supernets(network: IpNet) -> impl Iterator<Item = IpNet> {
    std::iter::successors(Some(network), IpNet::supernet)
}

fn accept<'s>(
    desired: &'s [RouteSpec],
    observed: &[ClusterRoute],
    limits: &RouteLimits,
    present: &HashMap<(IpNet, IpAddr), bool>,
    refused: &mut Vec<(RouteSpec, ProviderError)>,
) -> Wanted<'s> {
    let foreign: HashSet<IpNet> = observed.iter().filter(|route| !route.owned).map(|route| route.destination).collect();
    let mut wanted = Wanted::default();
    // Where two claim the same, the one that has its route keeps it, whatever the order of the list.
    let mut specs: Vec<&RouteSpec> = desired.iter().collect();
    specs.sort_by_key(|spec| !present.contains_key(&(spec.destination, spec.next_hop)));
    for spec in specs {
        let destination = &spec.destination;
        let is_there = present.contains_key(&(spec.destination, spec.next_hop));
        let error = if *destination != destination.trunc() {
            Some((ErrorKind::InvalidArgument, format!("{destination} has bits beyond its prefix")))
        } else if matches!(destination, IpNet::V6(_)) && !limits.ipv6 {
            Some((ErrorKind::Unsupported, format!("{destination}: these routes can't lead to IPv6 networks")))
        } else if !limits.covers(destination) {
            let networks: Vec<String> = limits.networks.iter().map(ToString::to_string).collect();
            let message =
                format!("{destination} of node {} lies outside the cluster's {}", spec.node, networks.join(", "));
            Some((ErrorKind::InvalidArgument, message))
        } else if wanted.spec_to(destination).is_some_and(|same| same.next_hop == spec.next_hop) {
            continue;
        } else if wanted.overlaps(destination) {
            Some((ErrorKind::Conflict, format!("{destination} of node {} overlaps another node's", spec.node)))
        } else if limits.one_per_next_hop && wanted.hops.contains(&spec.next_hop) {
            let message = format!("{} of node {} can have one route only", spec.next_hop, spec.node);
            Some((ErrorKind::Unsupported, message))
        } else if foreign.contains(destination) && !is_there {
            Some((ErrorKind::Conflict, format!("there is a route of someone else to {destination}")))
        } else {
            None
        };
        match error {
            None => {
                wanted.accepted.push(spec);
                wanted.reserve(spec);
            }
            Some((kind, message)) => {
                refused.push((spec.clone(), ProviderError::new(kind, message)));
                // What is there carries a node's traffic, and stays.
                if is_there && wanted.spec_to(destination).is_none() {
                    wanted.reserve(spec);
                }
            }
        }
    }
    wanted
}

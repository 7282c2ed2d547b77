//! Which writes have to wait for which.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::plan::supernets;
use super::{ClusterRoute, RouteSpec};

/// Writes that depend on each other: all deletions first, then the additions. Steps are independent of each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// Places in the list of routes to delete.
    pub deletes: Vec<usize>,
    /// Places in the list of routes to add, the most urgent first.
    pub adds: Vec<usize>,
}

/// Orders writes by use: first the step with the most urgent route, last the deletions that make way for none.
///
/// An addition belongs together with the deletions over the same next hop and those to overlapping destinations.
#[must_use]
pub fn steps(add: &[RouteSpec], delete: &[ClusterRoute]) -> Vec<Step> {
    let mut groups = Groups::of(add.len() + delete.len());
    let mut hops: HashMap<IpAddr, usize> = HashMap::new();
    let mut adds_to: HashMap<IpNet, usize> = HashMap::new();
    for (place, spec) in add.iter().enumerate() {
        groups.join(*hops.entry(spec.next_hop).or_insert(place), place);
        groups.join(*adds_to.entry(spec.destination).or_insert(place), place);
    }
    let mut deletes_of: HashMap<IpNet, usize> = HashMap::new();
    for (place, route) in delete.iter().enumerate() {
        let place = add.len() + place;
        if let Some(other) = route.next_hop.and_then(|hop| hops.get(&hop)) {
            groups.join(*other, place);
        }
        groups.join(*deletes_of.entry(route.destination).or_insert(place), place);
        for holder in supernets(route.destination) {
            if let Some(other) = adds_to.get(&holder) {
                groups.join(*other, place);
            }
        }
    }
    for (place, spec) in add.iter().enumerate() {
        for holder in supernets(spec.destination) {
            if let Some(other) = deletes_of.get(&holder) {
                groups.join(*other, place);
            }
        }
    }
    let mut by_root: HashMap<usize, Step> = HashMap::new();
    for place in 0..add.len() + delete.len() {
        let step = by_root.entry(groups.root(place)).or_default();
        match place.checked_sub(add.len()) {
            None => step.adds.push(place),
            Some(deletion) => step.deletes.push(deletion),
        }
    }
    let urgency = |place: &usize| add.get(*place).map(|spec| spec.urgency);
    let mut steps: Vec<Step> = by_root.into_values().collect();
    for step in &mut steps {
        step.adds.sort_by_key(urgency);
    }
    steps.sort_by_key(|step| {
        let first = step.adds.first();
        (first.is_none(), first.and_then(urgency), first.copied(), step.deletes.first().copied())
    });
    steps
}

/// Sets of places, joined as they turn out to belong together.
struct Groups(Vec<usize>);

impl Groups {
    fn of(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn root(&mut self, mut place: usize) -> usize {
        while let Some(&above) = self.0.get(place) {
            if above == place {
                break;
            }
            let next = self.0.get(above).copied().unwrap_or(above);
            if let Some(slot) = self.0.get_mut(place) {
                *slot = next;
            }
            place = next;
        }
        place
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        if let Some(slot) = self.0.get_mut(one.max(other)) {
            *slot = one.min(other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::routes::Urgency;

    fn spec(destination: &str, hop: &str, urgency: Urgency) -> RouteSpec {
        RouteSpec::new("n", hop.parse().unwrap(), destination.parse().unwrap()).with_urgency(urgency)
    }

    fn route(destination: &str, hop: &str) -> ClusterRoute {
        ClusterRoute::new(destination.parse().unwrap(), hop.parse().unwrap())
    }

    #[test]
    fn what_is_waited_for_comes_first_with_what_stands_in_its_way() {
        let add = [
            spec("172.16.0.0/24", "10.0.0.1", Urgency::NotReady),
            spec("172.16.1.0/24", "10.0.0.2", Urgency::Ready),
            spec("172.16.2.0/24", "10.0.0.3", Urgency::Waiting),
        ];
        let delete = [
            route("172.16.9.0/24", "10.0.0.9"),
            route("172.16.1.128/25", "10.0.0.8"),
            route("172.16.0.0/23", "10.0.0.7"),
            route("172.16.8.0/24", "10.0.0.3"),
        ];
        assert_eq!(
            steps(&add, &delete),
            [
                Step { deletes: vec![3], adds: vec![2] },
                Step { deletes: vec![1, 2], adds: vec![1, 0] },
                Step { deletes: vec![0], adds: vec![] },
            ]
        );
    }
}

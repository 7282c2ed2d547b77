//! The reference implementation: routes that exist in memory only.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ipnet::IpNet;

use super::conformance::RoutesHarness;
use super::{ClusterRoute, OnRouteDone, RouteDone, RouteLimits, RouteResults, RouteSpec, Routes, overlap, steps};
use crate::kubernetes::{ErrorKind, Exhausted, ProviderError, Result};

/// Routes in memory, as strict as a cloud. Clones share them.
#[derive(Clone, Debug)]
pub struct InMemoryRoutes {
    limits: RouteLimits,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    routes: Vec<ClusterRoute>,
    machines: HashSet<IpAddr>,
    made: u8,
}

impl InMemoryRoutes {
    /// No routes yet, and no machines for them to lead over.
    #[must_use]
    pub fn new(limits: RouteLimits) -> Self {
        Self { limits, state: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a machine with this address.
    pub fn insert_machine(&self, address: IpAddr) {
        self.state().machines.insert(address);
    }

    /// Adds a route without any check; a foreign one, say.
    pub fn insert(&self, route: ClusterRoute) {
        self.state().routes.push(route);
    }

    fn delete(&self, route: &ClusterRoute) -> Result<()> {
        if !route.owned {
            let message = format!("the route to {} is someone else's", route.destination);
            return Err(ProviderError::new(ErrorKind::InvalidArgument, message));
        }
        self.state().routes.retain(|known| {
            !(known.owned && known.destination == route.destination && known.next_hop == route.next_hop)
        });
        Ok(())
    }

    fn add(&self, spec: &RouteSpec) -> Result<()> {
        let refuse = |kind, what: &str| Err(ProviderError::new(kind, format!("{}: {what}", spec.destination)));
        let mut state = self.state();
        if state.routes.iter().any(|route| route.owned && route.is(spec)) {
            return Ok(());
        }
        if !self.limits.covers(&spec.destination) {
            return refuse(ErrorKind::InvalidArgument, "outside the cluster's networks");
        }
        if matches!(spec.destination, IpNet::V6(_)) && !self.limits.ipv6 {
            return refuse(ErrorKind::Unsupported, "no routes to IPv6 networks");
        }
        if !state.machines.contains(&spec.next_hop) {
            return refuse(ErrorKind::NotFound, "no machine has the address of the next hop");
        }
        if state.routes.iter().any(|route| overlap(&route.destination, &spec.destination)) {
            return refuse(ErrorKind::Conflict, "overlaps another route");
        }
        let taken = state.routes.iter().any(|route| route.next_hop == Some(spec.next_hop));
        if self.limits.one_per_next_hop && taken {
            return refuse(ErrorKind::Conflict, "the next hop has a route already");
        }
        if self.limits.most_routes.is_some_and(|most| state.routes.len() >= most) {
            return refuse(ErrorKind::Exhausted(Exhausted::Quota), "no more routes can be made");
        }
        state.routes.push(ClusterRoute::new(spec.destination, spec.next_hop).with_node(&spec.node));
        Ok(())
    }
}

#[async_trait]
impl Routes for InMemoryRoutes {
    fn limits(&self) -> RouteLimits {
        self.limits.clone()
    }

    async fn list(&self) -> Result<Vec<ClusterRoute>> {
        let state = self.state();
        Ok(state.routes.iter().filter(|route| self.limits.touches(&route.destination)).cloned().collect())
    }

    async fn apply(&self, add: &[RouteSpec], delete: &[ClusterRoute], done: &OnRouteDone<'_>) -> RouteResults {
        let (mut added, mut deleted) = (Vec::new(), Vec::new());
        for step in steps(add, delete) {
            for (place, route) in step.deletes.iter().filter_map(|place| Some((*place, delete.get(*place)?))) {
                let result = self.delete(route);
                done(RouteDone::Deleted(place, &result));
                deleted.push((place, result));
            }
            for (place, spec) in step.adds.iter().filter_map(|place| Some((*place, add.get(*place)?))) {
                let result = self.add(spec);
                done(RouteDone::Added(place, &result));
                added.push((place, result));
            }
        }
        added.sort_by_key(|(place, _)| *place);
        deleted.sort_by_key(|(place, _)| *place);
        let results = |list: Vec<(usize, Result<()>)>| list.into_iter().map(|(_, result)| result).collect();
        RouteResults { added: results(added), deleted: results(deleted) }
    }
}

#[async_trait]
impl RoutesHarness for InMemoryRoutes {
    async fn provider(&self) -> Arc<dyn Routes> {
        Arc::new(self.clone())
    }

    async fn machine(&self) -> IpAddr {
        let mut state = self.state();
        state.made = state.made.saturating_add(1);
        let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, state.made));
        state.machines.insert(address);
        address
    }

    async fn foreign_route(&self, destination: IpNet, next_hop: IpAddr) -> bool {
        self.insert(ClusterRoute::foreign(destination, Some(next_hop)));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::routes::conformance;

    #[tokio::test]
    async fn the_reference_implementation_conforms() {
        for one in [true, false] {
            let limits = RouteLimits::new(["172.16.0.0/12".parse().unwrap()]).with_one_per_next_hop(one);
            let report = conformance::run(&InMemoryRoutes::new(limits)).await;
            report.into_result().unwrap_or_else(|report| panic!("{report}"));
        }
    }
}

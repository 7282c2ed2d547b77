//! What a test asks and tells the load balancers of an emulator beside the API.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::data_path::{self, Asked};
use super::health::{Seen, condition_key};
use crate::emulator::Emulator;
use crate::vpc;
use crate::world::Region;

/// What health checks find of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TargetCondition {
    /// It answers.
    Alive,
    /// It does not answer.
    Dead,
    /// It has not been probed often enough to tell.
    Unknown,
    /// It is not probed: health checks are off, or the listener is stopped.
    Close,
}

impl TargetCondition {
    /// As `HealthStatusDetail` says it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Alive => "Alive",
            Self::Dead => "Dead",
            Self::Unknown => "Unknown",
            Self::Close => "Close",
        }
    }
}

/// A target that traffic reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReachedTarget {
    /// The instance that has the address on one of its network interfaces, if one has.
    pub instance_id: Option<String>,
    /// The address: an instance's, a network interface's or a pod's.
    pub address: String,
    /// The port.
    pub port: u16,
    /// Its share of the traffic, from 1 to 100.
    pub weight: u32,
    /// Its health; not `Alive` when no target is and the traffic goes to all.
    pub condition: TargetCondition,
}

/// The load balancers of one region, seen from beside the API: their data path, and what tests do to them.
///
/// [`Emulator::load_balancing`] gives it.
#[derive(Clone, Debug)]
pub struct LoadBalancing {
    emulator: Emulator,
    region: String,
}

impl LoadBalancing {
    pub(crate) fn new(emulator: Emulator, region: String) -> Self {
        Self { emulator, region }
    }

    /// The targets that connections to an address reach: a load balancer's VIP, IPv6 address or domain name. The
    /// protocol is a listener's, such as `TCP_SSL`, or `TCP` or `UDP` for whatever listens there. HTTP and HTTPS
    /// listeners forward by host and path: ask [`reached_by_request`](Self::reached_by_request).
    pub fn reached_by_connection(&self, address: &str, port: u16, protocol: &str) -> Vec<ReachedTarget> {
        self.reached(address, port, protocol, None, None)
    }

    /// The same for connections from this address: none are reached when the load balancer has security groups and none of
    /// them admits it. Policies count that name an IPv4 network.
    pub fn reached_from(&self, client: Ipv4Addr, address: &str, port: u16, protocol: &str) -> Vec<ReachedTarget> {
        self.reached(address, port, protocol, None, Some(client))
    }

    /// The targets that requests for this host and path reach over an HTTP or HTTPS listener.
    pub fn reached_by_request(&self, address: &str, port: u16, host: &str, path: &str) -> Vec<ReachedTarget> {
        self.reached(address, port, "TCP", Some(Asked { host, path }), None)
    }

    fn reached(
        &self,
        address: &str,
        port: u16,
        protocol: &str,
        asked: Option<Asked<'_>>,
        client: Option<Ipv4Addr>,
    ) -> Vec<ReachedTarget> {
        let found = self.emulator.in_region(&self.region, |here| {
            let reached = data_path::reached(here, address, port, protocol, asked, client).into_iter();
            reached.map(|seen| reached_target(here.region, seen)).collect()
        });
        found.unwrap_or_default()
    }

    /// Sets what health checks find at an address: at one port of it or, with `None`, at every other one. It holds
    /// until it is [reset](Self::reset_target_condition).
    pub fn set_target_condition(&self, address: &str, port: Option<u16>, condition: TargetCondition) {
        self.emulator.in_region(&self.region, |here| {
            here.region.clb.conditions.insert(condition_key(address, port), condition);
        });
    }

    /// Lets health follow from the state of the instance again.
    pub fn reset_target_condition(&self, address: &str, port: Option<u16>) {
        self.emulator.in_region(&self.region, |here| {
            here.region.clb.conditions.remove(&condition_key(address, port));
        });
    }

    /// Sets the traffic that a load balancer carries, in Mbit/s: with more than 10 it is not deleted without force.
    pub fn set_traffic(&self, load_balancer_id: &str, megabits: u64) {
        self.emulator.in_region(&self.region, |here| {
            here.region.clb.traffic.insert(load_balancer_id.to_owned(), megabits);
        });
    }

    /// Lets the next tasks of an action fail, such as those of `RegisterTargets`.
    pub fn fail_tasks(&self, action: &str, count: usize) {
        self.emulator.in_region(&self.region, |here| {
            here.region.clb.failing.insert(action.to_owned(), count);
        });
    }
}

fn reached_target(region: &Region, seen: Seen<'_>) -> ReachedTarget {
    let place = &seen.target.place;
    ReachedTarget {
        instance_id: vpc::holder(region, seen.target.id()).map(|instance| instance.id.clone()),
        address: place.address.clone(),
        port: seen.target.port,
        weight: seen.target.weight,
        condition: seen.condition,
    }
}

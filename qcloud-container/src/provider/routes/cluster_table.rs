//! Routes in a cluster route table of the container service.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use ipnet::IpNet;
use qcloud_core::Config;
use qcloud_core::clock::Clock;
use tokio::sync::Mutex as Turn;

use super::Results;
use crate::kubernetes::routes::{ClusterRoute, OnRouteDone, RouteLimits, RouteResults, RouteSpec, Routes, Step, steps};
use crate::kubernetes::{ErrorKind, ProviderError, Result};
use crate::provider::error::copy;
use crate::v20180525::Client;
use crate::v20180525::route::{
    CreateClusterRoute, CreateClusterRouteTable, DeleteClusterRoute, DescribeClusterRouteTables, DescribeClusterRoutes,
    Filter,
};

/// How many writes are under way at once; how many a second is the limiter's.
const AT_ONCE: usize = 8;
/// How often a machine may be missing before its route is left to the machine's node.
const PATIENCE: u32 = 3;
/// For how long that is remembered of a route that nobody asks for any more.
const FORGOTTEN: Duration = Duration::from_secs(300);
/// When to try again to lead a route over a machine that is not known yet.
const LATER: Duration = Duration::from_secs(10);

/// What can be set about a cluster route table.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClusterTableSettings {
    /// The table's name: the cluster's id for a cluster of the container service, any name for others.
    pub table: String,
    /// The VPC of the cluster.
    pub vpc_id: String,
    /// The networks of the cluster's pods. Routes to IPv6 networks are refused; those to the others are kept all the same.
    pub networks: Vec<IpNet>,
    /// Whether to make the table, for the first IPv4 network, when there is none. Off by default.
    pub create: bool,
}

impl ClusterTableSettings {
    /// The table of this name, which must exist.
    pub fn new(table: impl Into<String>, vpc_id: impl Into<String>, networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self { table: table.into(), vpc_id: vpc_id.into(), networks: networks.into_iter().collect(), create: false }
    }
}

/// How often the machine of each route was missing, and when it was last.
type Missing = HashMap<(IpNet, IpAddr), (u32, Duration)>;

/// Routes in a cluster route table: thousands of them, IPv4 only, one for each machine.
#[derive(Debug)]
pub struct ClusterTableRoutes {
    client: Client,
    clock: Arc<dyn Clock>,
    settings: ClusterTableSettings,
    /// The table's networks, once it was looked at.
    table: Turn<Option<Vec<IpNet>>>,
    missing: Mutex<Missing>,
}

impl ClusterTableRoutes {
    /// With the clock and the limits of this configuration. Nothing is looked up yet.
    #[must_use]
    pub fn new(config: &Config, settings: ClusterTableSettings) -> Self {
        let clock = Arc::clone(config.clock());
        Self { client: Client::new(config), clock, settings, table: Turn::default(), missing: Mutex::default() }
    }

    /// The networks that such a table can route to.
    fn ipv4_networks(&self) -> impl Iterator<Item = &IpNet> {
        self.settings.networks.iter().filter(|network| network.addr().is_ipv4())
    }

    /// The networks of the table, which is looked at once, and made if it may be.
    async fn table(&self) -> Result<Vec<IpNet>> {
        let mut known = self.table.lock().await;
        if let Some(networks) = &*known {
            return Ok(networks.clone());
        }
        let networks = match self.find_table().await? {
            Some(networks) => networks,
            None => self.create_table().await?,
        };
        let is_outside = |own: &&IpNet| !networks.iter().any(|network| network.contains(*own));
        if let Some(outside) = self.ipv4_networks().find(is_outside) {
            let message =
                format!("the cluster's network {outside} lies outside the route table `{}`", self.settings.table);
            return Err(ProviderError::new(ErrorKind::InvalidArgument, message));
        }
        Ok(known.insert(networks).clone())
    }

    async fn find_table(&self) -> Result<Option<Vec<IpNet>>> {
        let answer = self.client.describe_cluster_route_tables(DescribeClusterRouteTables::new()).await?;
        let mut networks = Vec::new();
        for row in answer.route_table_set.into_iter().filter(|row| row.route_table_name == self.settings.table) {
            if row.vpc_id != self.settings.vpc_id {
                let (table, own) = (&self.settings.table, &self.settings.vpc_id);
                let message = format!("the cluster route table `{table}` is of {}, not of {own}", row.vpc_id);
                return Err(ProviderError::new(ErrorKind::InvalidArgument, message));
            }
            networks.extend(row.route_table_cidr_block.parse::<IpNet>());
        }
        Ok(Some(networks).filter(|networks| !networks.is_empty()))
    }

    async fn create_table(&self) -> Result<Vec<IpNet>> {
        let (name, vpc_id) = (&self.settings.table, &self.settings.vpc_id);
        let Some(network) = self.ipv4_networks().next().filter(|_| self.settings.create) else {
            let message = format!("there is no cluster route table `{name}`");
            return Err(ProviderError::new(ErrorKind::NotFound, message));
        };
        let request = CreateClusterRouteTable::new(name, network.to_string(), vpc_id);
        let Err(error) = self.client.create_cluster_route_table(request).await else {
            return Ok(vec![*network]);
        };
        let error = ProviderError::from(error);
        // It may be there for all that: by a call whose answer was lost, or by another replica.
        match error.kind() {
            ErrorKind::Ambiguous | ErrorKind::AlreadyExists => self.find_table().await?.ok_or(error),
            _ => Err(error),
        }
    }

    async fn routes(&self, over: Option<IpAddr>) -> Result<Vec<(IpNet, IpAddr)>> {
        let mut request = DescribeClusterRoutes::new(&self.settings.table);
        if let Some(next_hop) = over {
            request = request.filters([Filter::new("GatewayIP", [next_hop.to_string()])]);
        }
        let answer = self.client.describe_cluster_routes(request).await?;
        let listed = answer.route_set.len();
        if usize::try_from(answer.total_count).is_ok_and(|total| total > listed) {
            let message = format!("{listed} of {} routes were answered", answer.total_count);
            return Err(ProviderError::new(ErrorKind::Unavailable, message));
        }
        let read = |route: crate::v20180525::route::RouteInfo| {
            Some((route.destination_cidr_block.parse().ok()?, route.gateway_ip.parse().ok()?))
        };
        Ok(answer.route_set.into_iter().filter_map(read).collect())
    }

    async fn is_there(&self, destination: IpNet, next_hop: IpAddr) -> Result<bool> {
        Ok(self.routes(Some(next_hop)).await?.contains(&(destination, next_hop)))
    }

    async fn create(&self, spec: &RouteSpec, table: &[IpNet]) -> Result<()> {
        super::check(spec, &self.limits())?;
        if !table.iter().any(|network| network.contains(&spec.destination)) {
            let message = format!("{} lies outside the route table `{}`", spec.destination, self.settings.table);
            return Err(ProviderError::new(ErrorKind::InvalidArgument, message));
        }
        let mut again = true;
        loop {
            let request =
                CreateClusterRoute::new(&self.settings.table, spec.destination.to_string(), spec.next_hop.to_string());
            let Err(error) = self.client.create_cluster_route(request).await else {
                self.missing().remove(&(spec.destination, spec.next_hop));
                return Ok(());
            };
            let error = ProviderError::from(error);
            if error.code().is_some_and(|code| code.ends_with("CvmNotFound")) {
                return Err(self.machine_missing(spec, error));
            }
            match error.kind() {
                ErrorKind::Conflict | ErrorKind::AlreadyExists | ErrorKind::Ambiguous => {
                    match self.is_there(spec.destination, spec.next_hop).await {
                        Ok(true) => return Ok(()),
                        Ok(false) if error.kind() == ErrorKind::Ambiguous && again => again = false,
                        Ok(false) | Err(_) => return Err(error),
                    }
                }
                ErrorKind::NotFound => {
                    self.table.lock().await.take();
                    return Err(error);
                }
                _ => return Err(error),
            }
        }
    }

    async fn delete(&self, route: &ClusterRoute) -> Result<()> {
        let next_hop = super::deletable(route, &self.limits())?;
        let mut again = true;
        loop {
            let request =
                DeleteClusterRoute::new(&self.settings.table, next_hop.to_string(), route.destination.to_string());
            let Err(error) = self.client.delete_cluster_route(request).await else { return Ok(()) };
            let error = ProviderError::from(error);
            if matches!(error.kind(), ErrorKind::Throttled | ErrorKind::Unauthorized | ErrorKind::Unavailable) {
                return Err(error);
            }
            // A route that is gone is refused with a code that says nothing of the kind.
            match self.is_there(route.destination, next_hop).await {
                Ok(false) => return Ok(()),
                Ok(true) if error.kind() == ErrorKind::Ambiguous && again => again = false,
                Ok(true) | Err(_) => return Err(error),
            }
        }
    }

    fn missing(&self) -> MutexGuard<'_, Missing> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new machine may not be known to the network yet; one that stays unknown is gone.
    fn machine_missing(&self, spec: &RouteSpec, error: ProviderError) -> ProviderError {
        let now = self.clock.elapsed();
        let mut missing = self.missing();
        missing.retain(|_, (_, last)| now.saturating_sub(*last) < FORGOTTEN);
        let (times, last) = missing.entry((spec.destination, spec.next_hop)).or_default();
        *times = times.saturating_add(1);
        *last = now;
        if *times < PATIENCE { error.with_retry_after(LATER) } else { error }
    }

    /// Deletes and adds what depends on each other, in this order. The places of the results are those of the lists.
    async fn step(
        &self,
        step: Step,
        add: &[RouteSpec],
        delete: &[ClusterRoute],
        table: &[IpNet],
        results: &Results<'_>,
    ) {
        let mut in_the_way = None;
        for place in step.deletes {
            if let Some(route) = delete.get(place) {
                let result = self.delete(route).await;
                in_the_way = in_the_way.or(result.as_ref().err().map(copy));
                results.deleted(place, result);
            }
        }
        for place in step.adds {
            if let Some(spec) = add.get(place) {
                let result = match &in_the_way {
                    Some(error) => Err(copy(error)),
                    None => self.create(spec, table).await,
                };
                results.added(place, result);
            }
        }
    }
}

#[async_trait]
impl Routes for ClusterTableRoutes {
    fn limits(&self) -> RouteLimits {
        RouteLimits::new(self.settings.networks.iter().copied()).with_ipv6(false).with_one_per_next_hop(true)
    }

    async fn list(&self) -> Result<Vec<ClusterRoute>> {
        self.table().await?;
        let routes = match self.routes(None).await {
            Ok(routes) => routes,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidArgument) => {
                // A table that is gone is refused with a code that does not say so: look, and make it if it may be.
                self.table.lock().await.take();
                self.table().await?;
                self.routes(None).await?
            }
            Err(error) => return Err(error),
        };
        let limits = self.limits();
        let show = |(destination, next_hop): (IpNet, IpAddr)| {
            let covered = limits.covers(&destination);
            let foreign = || limits.touches(&destination).then(|| ClusterRoute::foreign(destination, Some(next_hop)));
            if covered { Some(ClusterRoute::new(destination, next_hop)) } else { foreign() }
        };
        Ok(routes.into_iter().filter_map(show).collect())
    }

    async fn apply(&self, add: &[RouteSpec], delete: &[ClusterRoute], done: &OnRouteDone<'_>) -> RouteResults {
        let results = Results::new(add.len(), delete.len(), done);
        if add.is_empty() && delete.is_empty() {
            return results.finish();
        }
        match self.table().await {
            Ok(table) => {
                let mut under_way = FuturesUnordered::new();
                for step in steps(add, delete) {
                    if under_way.len() >= AT_ONCE {
                        under_way.next().await;
                    }
                    under_way.push(self.step(step, add, delete, &table, &results));
                }
                while under_way.next().await.is_some() {}
                drop(under_way);
            }
            Err(error) => results.fail_rest(|| copy(&error)),
        }
        results.finish()
    }
}

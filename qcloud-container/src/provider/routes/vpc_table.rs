//! Routes in plain route tables of a VPC.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use ipnet::IpNet;
use qcloud_core::Config;
use qcloud_core::clock::Clock;
use qcloud_vpc::Client;
use qcloud_vpc::route::{
    CreateRoutes, DeleteRoutes, DescribeRouteTables, EnableRoutes, ReplaceRoutes, WithdrawNotifyRoutes,
};
use qcloud_vpc::vpc::{DescribeVpcLimits, VpcLimitType};
use tokio::sync::Mutex;

use super::Results;
use super::publication::Publications;
use super::vpc_items::{Item, RouteTables, Table};
use super::vpc_writes::{Kind, Outcomes, Slot, Write, table_writes};
use crate::kubernetes::routes::{ClusterRoute, OnRouteDone, RouteLimits, RouteResults, RouteSpec, Routes};
use crate::kubernetes::{ClusterIdentity, ErrorKind, ProviderError, Result};
use crate::provider::error::copy;

/// How long the quota is believed.
const QUOTA_FRESH: Duration = Duration::from_secs(600);
/// When to look again for a route that was written and does not show.
const LATER: Duration = Duration::from_secs(5);

/// What can be set about plain route tables.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VpcTableSettings {
    /// The cluster, whose uid marks its routes.
    pub cluster: ClusterIdentity,
    /// The VPC of the cluster.
    pub vpc_id: String,
    /// The route tables to keep the routes in.
    pub tables: RouteTables,
    /// The networks of the cluster's pods.
    pub networks: Vec<IpNet>,
    /// How many routes one call writes. 50 by default.
    pub batch: usize,
}

impl VpcTableSettings {
    /// Routes of a cluster, in these tables.
    pub fn new(
        cluster: ClusterIdentity,
        vpc_id: impl Into<String>,
        tables: RouteTables,
        networks: impl IntoIterator<Item = IpNet>,
    ) -> Self {
        Self { cluster, vpc_id: vpc_id.into(), tables, networks: networks.into_iter().collect(), batch: 50 }
    }
}

/// Routes in plain route tables: few of them, IPv4 and IPv6, the same in every table.
#[derive(Debug)]
pub struct VpcTableRoutes {
    client: Client,
    clock: Arc<dyn Clock>,
    settings: VpcTableSettings,
    /// When the quota was read, and how many routes a table may have.
    quota: Mutex<Option<(Duration, usize)>>,
    publications: Publications,
}

impl VpcTableRoutes {
    /// With the clock and the limits of this configuration. Nothing is looked up yet.
    #[must_use]
    pub fn new(config: &Config, settings: VpcTableSettings) -> Self {
        let clock = Arc::clone(config.clock());
        Self {
            client: Client::new(config),
            clock,
            settings,
            quota: Mutex::default(),
            publications: Publications::default(),
        }
    }

    /// What the descriptions of our routes begin with.
    fn mark(&self) -> String {
        format!("k8s:{}:", self.settings.cluster.uid)
    }

    async fn tables(&self) -> Result<Vec<Table>> {
        let request = DescribeRouteTables::new()
            .filters(self.settings.tables.filters(&self.settings.vpc_id))
            .need_router_info(true);
        let mut pages = self.client.describe_route_tables(request).pages();
        let (mut listed, mut total) = (Vec::new(), 0);
        while let Some(page) = pages.try_next().await? {
            total = page.total_count;
            listed.extend(page.route_table_set);
        }
        listed.retain(|table| table.vpc_id == self.settings.vpc_id);
        if usize::try_from(total).is_ok_and(|total| total > listed.len()) {
            let message = format!("{} of {total} route tables were answered", listed.len());
            return Err(ProviderError::new(ErrorKind::Unavailable, message));
        }
        let mark = self.mark();
        Ok(self.settings.tables.choose(listed)?.iter().map(|table| Table::read(table, &mark)).collect())
    }

    /// How many routes a table may have, when that can be found out. Not being permitted to ask is no obstacle.
    async fn quota(&self) -> Option<usize> {
        let mut quota = self.quota.lock().await;
        if let Some((at, most)) = *quota
            && self.clock.elapsed().saturating_sub(at) < QUOTA_FRESH
        {
            return Some(most);
        }
        let request = DescribeVpcLimits::new([VpcLimitType::MaxRoutesPerRouteTable]);
        let answer = self.client.describe_vpc_limits(request).await.ok()?;
        let most =
            answer.vpc_limit_set.iter().find(|limit| limit.limit_type == VpcLimitType::MaxRoutesPerRouteTable)?;
        let most = usize::try_from(most.limit_value).ok()?;
        *quota = Some((self.clock.elapsed(), most));
        Some(most)
    }

    async fn send(&self, table: &str, kind: Kind, writes: &[Write]) -> Result<()> {
        let mark = self.mark();
        let routes = writes.iter().map(|write| write.route(&mark));
        match kind {
            Kind::Delete => {
                let published = |write: &Write| write.item.as_ref().filter(|item| item.published).map(|i| i.id.clone());
                let published: Vec<String> = writes.iter().filter_map(published).collect();
                if !published.is_empty() {
                    let withdrawal = self.client.withdraw_notify_routes(WithdrawNotifyRoutes::new(table, published));
                    let withdrawn = withdrawal.await.map_err(ProviderError::from);
                    // Withdrawn by an earlier attempt: if it was not, the deletion is refused.
                    if let Err(error) = withdrawn
                        && error.kind() != ErrorKind::Conflict
                    {
                        return Err(error);
                    }
                }
                self.client.delete_routes(DeleteRoutes::new(table).routes(routes)).await?;
            }
            Kind::Replace => drop(self.client.replace_routes(ReplaceRoutes::new(table, routes)).await?),
            Kind::Enable => {
                let ids = writes.iter().filter_map(|write| write.item.as_ref()).map(|item| item.id.clone());
                self.client.enable_routes(EnableRoutes::new(table).route_item_ids(ids)).await?;
            }
            Kind::Create => drop(self.client.create_routes(CreateRoutes::new(table, routes)).await?),
        }
        Ok(())
    }

    /// Writes in batches, which the API takes as a whole or not at all. One that is refused is halved until the bad route
    /// is alone, or what fits is made; after a lost answer the table is looked at.
    async fn write(&self, table: &str, kind: Kind, writes: &[Write]) -> Vec<(Write, Result<()>)> {
        let mut results = Vec::new();
        let in_order = writes.chunks(self.settings.batch.clamp(1, 100));
        let mut batches: Vec<(Vec<Write>, bool)> = in_order.rev().map(|batch| (batch.to_vec(), true)).collect();
        while let Some((mut batch, again)) = batches.pop() {
            let Err(error) = self.send(table, kind, &batch).await else {
                results.extend(batch.into_iter().map(|write| (write, Ok(()))));
                continue;
            };
            match error.kind() {
                ErrorKind::Throttled | ErrorKind::Unauthorized | ErrorKind::Unavailable | ErrorKind::Busy => {
                    results.extend(batch.into_iter().map(|write| (write, Err(copy(&error)))));
                }
                // Where this one does not fit, those that are waited for less do not either.
                ErrorKind::Exhausted(_) if batch.len() == 1 => {
                    self.quota.lock().await.take();
                    batch.extend(batches.drain(..).flat_map(|(later, _)| later));
                    results.extend(batch.into_iter().map(|write| (write, Err(copy(&error)))));
                }
                ErrorKind::Ambiguous => {
                    let rest = self.settle(table, batch, &error, &mut results).await;
                    if again && !rest.is_empty() {
                        batches.push((rest, false));
                    } else {
                        results.extend(rest.into_iter().map(|write| (write, Err(copy(&error)))));
                    }
                }
                _ if batch.len() > 1 => {
                    let rest = batch.split_off(batch.len() / 2);
                    batches.extend([(rest, again), (batch, again)]);
                }
                _ => {
                    let rest = self.settle(table, batch, &error, &mut results).await;
                    // What is there already and does not show: the list lags.
                    let lags = error.kind() == ErrorKind::AlreadyExists;
                    let error = if lags { copy(&error).with_retry_after(LATER) } else { error };
                    results.extend(rest.into_iter().map(|write| (write, Err(copy(&error)))));
                }
            }
        }
        results
    }

    /// Sorts out what is done already; gives what is not. When the table can't be looked at, all fail.
    async fn settle(
        &self,
        table: &str,
        batch: Vec<Write>,
        error: &ProviderError,
        results: &mut Vec<(Write, Result<()>)>,
    ) -> Vec<Write> {
        let Some(now) = self.tables().await.ok().and_then(|all| all.into_iter().find(|known| known.id == table)) else {
            results.extend(batch.into_iter().map(|write| (write, Err(copy(error)))));
            return Vec::new();
        };
        let (done, rest): (Vec<Write>, Vec<Write>) = batch.into_iter().partition(|write| write.is_done(&now));
        results.extend(done.into_iter().map(|write| (write, Ok(()))));
        rest
    }

    /// Writes what one table lacks; what became of each is added to `outcomes`, and what was written to `written`.
    async fn write_table(
        &self,
        table: &Table,
        add: &[(usize, &RouteSpec)],
        delete: &[ClusterRoute],
        outcomes: &mut Outcomes,
        written: &mut Vec<(String, Write)>,
    ) {
        let mut todo = table_writes(table, add, delete, &self.limits());
        if todo.writes.iter().any(|write| write.kind == Kind::Create)
            && let Some(most) = self.quota().await
        {
            todo = table_writes(table, add, delete, &self.limits().with_most_routes(most));
        }
        outcomes.append(&mut todo.decided);
        for write in todo.writes.iter().filter(|write| write.is_published()) {
            if write.kind == Kind::Delete && add.iter().any(|(_, spec)| spec.destination == write.destination) {
                self.publications.owe(&table.id, write.destination);
            }
        }
        for kind in [Kind::Delete, Kind::Replace, Kind::Enable, Kind::Create] {
            let (of_kind, rest) = std::mem::take(&mut todo.writes).into_iter().partition(|write| write.kind == kind);
            let of_kind: Vec<Write> = of_kind;
            todo.writes = rest;
            for (write, result) in self.write(&table.id, kind, &of_kind).await {
                outcomes.extend(write.slots.iter().map(|slot| (*slot, result.as_ref().copied().map_err(copy))));
                match result {
                    Ok(()) => written.push((table.id.clone(), write)),
                    // Beside an old route that stayed, a new one would get part of the traffic only.
                    Err(error) => todo.fail_to(&write.destination, &error, outcomes),
                }
            }
        }
    }
}

#[async_trait]
impl Routes for VpcTableRoutes {
    fn limits(&self) -> RouteLimits {
        RouteLimits::new(self.settings.networks.iter().copied())
    }

    async fn list(&self) -> Result<Vec<ClusterRoute>> {
        let (tables, limits) = (self.tables().await?, self.limits());
        let mut routes: Vec<ClusterRoute> = Vec::new();
        let mut places: HashMap<(IpNet, Option<IpAddr>, bool), (usize, usize)> = HashMap::new();
        let items = |table: &Table| -> Vec<Item> {
            let shown = |item: &&Item| item.is_ours() || (item.is_in_the_way() && limits.covers(&item.destination));
            table.items.iter().filter(shown).cloned().collect()
        };
        for item in tables.iter().flat_map(items) {
            let key = (item.destination, item.next_hop, item.is_ours());
            let (_, active) = places.entry(key).or_insert_with(|| {
                let mut route = ClusterRoute::foreign(item.destination, item.next_hop);
                route.owned = item.is_ours();
                route.node.clone_from(&item.node);
                routes.push(route);
                (routes.len() - 1, 0)
            });
            *active += usize::from(item.enabled);
        }
        for (place, active) in places.into_values() {
            if let Some(route) = routes.get_mut(place) {
                let published = !self.publications.is_owed(route.destination);
                route.complete = !route.owned || (active >= tables.len() && published);
            }
        }
        Ok(routes)
    }

    async fn apply(&self, add: &[RouteSpec], delete: &[ClusterRoute], done: &OnRouteDone<'_>) -> RouteResults {
        let results = Results::new(add.len(), delete.len(), done);
        let limits = self.limits();
        let mut adds = Vec::new();
        for (place, spec) in add.iter().enumerate() {
            match super::check(spec, &limits) {
                Ok(()) => adds.push((place, spec)),
                Err(error) => results.added(place, Err(error)),
            }
        }
        if adds.is_empty() && delete.is_empty() {
            return results.finish();
        }
        adds.sort_by_key(|(_, spec)| spec.urgency);
        let wanted: HashSet<IpNet> = add.iter().map(|spec| spec.destination).collect();
        for route in delete.iter().filter(|route| !wanted.contains(&route.destination)) {
            self.publications.forget(route.destination);
        }
        let tables = match self.tables().await {
            Ok(tables) => tables,
            Err(error) => {
                results.fail_rest(|| copy(&error));
                return results.finish();
            }
        };
        let (mut outcomes, mut written) = (Outcomes::new(), Vec::new());
        for table in &tables {
            self.write_table(table, &adds, delete, &mut outcomes, &mut written).await;
        }
        let now = if written.is_empty() { Ok(tables) } else { self.tables().await };
        match now {
            Ok(now) => {
                outcomes.extend(verify(&written, &now));
                outcomes.extend(self.publications.publish(&self.client, &now, &adds).await);
            }
            Err(error) => {
                let slots = written.iter().flat_map(|(_, write)| write.slots.iter().copied());
                outcomes.extend(slots.map(|slot| (slot, Err(copy(&error)))));
            }
        }
        report(outcomes, &results);
        results.finish()
    }
}

/// What was written but does not show. It may only be that the list lags, so it is looked at again.
fn verify(written: &[(String, Write)], now: &[Table]) -> Outcomes {
    let mut missing = Outcomes::new();
    for (id, write) in written {
        if now.iter().find(|table| table.id == *id).is_none_or(|table| !write.is_done(table)) {
            let message = format!("the change of the route to {} does not show in {id} yet", write.destination);
            let pending = || ProviderError::pending(message.clone(), LATER);
            missing.extend(write.slots.iter().map(|slot| (*slot, Err(pending()))));
        }
    }
    missing
}

/// A route fared well if it did in every table.
fn report(outcomes: Outcomes, results: &Results<'_>) {
    let (mut added, mut deleted): (HashMap<usize, Result<()>>, HashMap<usize, Result<()>>) = Default::default();
    for (slot, result) in outcomes {
        let known = match slot {
            Slot::Add(place) => added.entry(place),
            Slot::Delete(place) => deleted.entry(place),
        };
        let known = known.or_insert(Ok(()));
        if known.is_ok() {
            *known = result;
        }
    }
    added.into_iter().for_each(|(place, result)| results.added(place, result));
    deleted.into_iter().for_each(|(place, result)| results.deleted(place, result));
}

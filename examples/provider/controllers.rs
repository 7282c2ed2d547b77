//! What is done for each object. Nothing here knows which cloud it is.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use qcloud_container::kubernetes::instances::{Instance, Lookup, NodeRecord, NodeRef, UNINITIALIZED_TAINT, plan};
use qcloud_container::kubernetes::load_balancers::{
    DeletePolicy, Ingress, LbRef, LbSpec, Node, ReadContext, Service, ServiceKey, TargetSet,
};
use qcloud_container::kubernetes::routes::{self, Blackholes, NextHops, RouteDone, RouteSpec};
use qcloud_container::kubernetes::{ErrorKind, ProviderError, Result};

use crate::clouds::{Cloud, Home};
use crate::work::Next;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Finds the machines of new nodes, and writes on the nodes what they are.
pub(crate) struct Nodes<'c> {
    cloud: &'c Cloud,
    found: Mutex<BTreeMap<String, Instance>>,
}

impl<'c> Nodes<'c> {
    pub(crate) fn new(cloud: &'c Cloud) -> Self {
        Self { cloud, found: Mutex::default() }
    }

    /// The machines of all nodes so far.
    pub(crate) fn found(&self) -> BTreeMap<String, Instance> {
        lock(&self.found).clone()
    }

    pub(crate) async fn reconcile(&self, name: String) -> Result<Next> {
        let Some(home) = self.cloud.nodes.get(&name) else { return Ok(Next::Done) };
        let node = NodeRef::new(&name).with_address(home.address);
        let machine = self.cloud.machines.metadata(&node).await?;
        let mut record = NodeRecord::default();
        record.taints.insert(UNINITIALIZED_TAINT.to_owned());
        let ops = plan(&record, Lookup::Found(machine.clone()))?.ops;
        println!("  node {name}: {}, {} patches", machine.provider_id, ops.len());
        lock(&self.found).insert(name, machine);
        Ok(Next::Done)
    }
}

/// Keeps the routes to the pods of nodes.
pub(crate) struct Routing<'c> {
    cloud: &'c Cloud,
    pub(crate) desired: Vec<RouteSpec>,
    /// What one pass tells the next.
    blackholes: Mutex<Blackholes>,
}

impl<'c> Routing<'c> {
    pub(crate) fn new(cloud: &'c Cloud) -> Self {
        let spec = |(name, home): (&String, &Home)| RouteSpec::new(name, home.address, home.pods);
        Self { cloud, desired: cloud.nodes.iter().map(spec).collect(), blackholes: Mutex::default() }
    }

    /// One pass over the routes of all nodes: observe, plan, apply.
    pub(crate) async fn reconcile(&self) -> Result<Next> {
        let Cloud { routes, machines, nodes, .. } = self.cloud;
        let observed = routes.list().await?;
        // Without the list of machines, no route is taken for one that leads nowhere.
        let inventory = machines.list().await.ok();
        let addresses = nodes.iter().map(|(name, home)| (name.clone(), vec![home.address]));
        let next_hops = NextHops::new(addresses, inventory.as_ref());
        let blackholes = lock(&self.blackholes).clone();
        let plan = routes::plan(&self.desired, &observed, &routes.limits(), &next_hops, &blackholes);
        for (spec, error) in &plan.refused {
            println!("  routes: node {} waits for a change: {error}", spec.node);
        }
        // The condition NetworkUnavailable of a node can go as soon as its own route is there.
        let done = |done: RouteDone<'_>| {
            if let RouteDone::Added(place, Ok(())) = done
                && let Some(spec) = plan.add.get(place)
            {
                println!("  routes: {} over {} to the pods of {}", spec.destination, spec.next_hop, spec.node);
            }
        };
        let results = routes.apply(&plan.add, &plan.delete, &done).await;
        println!("  routes: {} added, {} deleted", plan.add.len(), plan.delete.len());
        *lock(&self.blackholes) = plan.blackholes;
        // Those that went well are there already; the next pass is for the others.
        let failed = results.added.into_iter().chain(results.deleted).find_map(Result::err);
        failed.map_or(Ok(Next::Done), Err)
    }
}

/// Serves Services of type LoadBalancer.
pub(crate) struct Services<'c> {
    cloud: &'c Cloud,
    candidates: Vec<Node>,
    /// The Services that exist. One that is being deleted does, as long as its finalizer keeps it.
    pub(crate) all: BTreeMap<ServiceKey, Service>,
}

impl<'c> Services<'c> {
    pub(crate) fn new(cloud: &'c Cloud, nodes: BTreeMap<String, Instance>) -> Self {
        let candidates =
            nodes.into_iter().map(|(name, machine)| Node::new(name, machine.id).with_zone(machine.zone)).collect();
        Self { cloud, candidates, all: BTreeMap::new() }
    }

    pub(crate) async fn reconcile(&self, key: ServiceKey) -> Result<Next> {
        let balancers = &self.cloud.balancers;
        let Some(service) = self.all.get(&key) else { return Ok(Next::Done) };
        let Some(mut spec) = LbSpec::read(service, &ReadContext::default())? else {
            balancers.delete(&LbRef::of(service), DeletePolicy::of(service)).await?;
            // Only now may the finalizer of the Service go.
            println!("  service {key}: nothing is left of it");
            return Ok(Next::Done);
        };
        spec.targets = TargetSet::select(&spec, &self.candidates, None, &balancers.limits())?;
        let status = balancers.ensure(&spec).await?;
        let ingress = match status.ingress.first() {
            Some(Ingress::Address(address, mode)) => format!("{address}, ipMode {}", mode.as_str()),
            Some(Ingress::Hostname(name)) => name.clone(),
            _ => return Err(ProviderError::new(ErrorKind::Unavailable, "the balancer has no address")),
        };
        println!("  service {key}: {} at {ingress}", status.id);
        // Something may be left that has to come after the status is written.
        Ok(status.again_after.map_or(Next::Done, Next::After))
    }
}

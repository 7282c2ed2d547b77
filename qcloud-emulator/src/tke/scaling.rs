//! How a node pool comes to its size: instances are ordered or given back.

use serde_json::{Map, Value, json};

use super::clusters::Cluster;
use super::lifecycle::{self, Event};
use super::nodes::{self, NewNode};
use super::pools::{self, Pool, PoolKind, PoolState};
use crate::cvm;
use crate::error::ApiError;
use crate::settings::Task;
use crate::world::Local;

/// Plans to bring a pool to its size.
pub(super) fn plan(here: &mut Local<'_>, cluster_id: &str, pool_id: &str) {
    let Some(pool) = pools::find_mut(here, cluster_id, pool_id) else { return };
    pool.change += 1;
    let (cluster, pool, change) = (cluster_id.to_owned(), pool_id.to_owned(), pool.change);
    lifecycle::plan_after(here, Task::NodePoolScale, Event::PoolScales { cluster, pool, change, failures: 0 });
}

/// Brings a pool to its size, or tries again later.
pub(super) fn scale(here: &mut Local<'_>, cluster_id: &str, pool_id: &str, change: u64, failures: u32) {
    let Some(cluster) = here.region.tke.clusters.get(cluster_id) else { return };
    let Some(pool) = cluster.pools.get(pool_id) else { return };
    // A first try always goes ahead, so that a pool whose size changes all the time gets somewhere.
    let superseded = failures > 0 && pool.change != change;
    if superseded || pool.state != PoolState::Normal {
        return;
    }
    let present: Vec<String> = pools::members(cluster, pool_id).map(|node| node.instance.clone()).collect();
    let wanted = usize::try_from(pool.desired).unwrap_or_default();
    if present.len() > wanted {
        let leaving = pick(pool, present, wanted);
        lifecycle::remove_nodes(here, cluster_id, &leaving, true);
        return;
    }
    let (pool, network) = (pool.clone(), cluster.network.vpc_id.clone());
    for _ in present.len()..wanted {
        if make_one(here, cluster_id, &pool, &network).is_err() {
            retry(here, cluster_id, pool_id, change, failures);
            return;
        }
    }
}

/// The nodes that leave: the oldest, unless the pool says otherwise.
fn pick(pool: &Pool, mut present: Vec<String>, wanted: usize) -> Vec<String> {
    let newest = match &pool.kind {
        PoolKind::Native { given } => given.get("DeletePolicy").and_then(Value::as_str) == Some("Newest"),
        PoolKind::Regular { .. } => false,
    };
    if newest {
        return present.split_off(wanted.min(present.len()));
    }
    present.truncate(present.len().saturating_sub(wanted));
    present
}

/// Each failure doubles the time until the next try.
fn retry(here: &mut Local<'_>, cluster_id: &str, pool_id: &str, change: u64, failures: u32) {
    let wait = here.settings.duration(Task::NodePoolScale).max(std::time::Duration::from_secs(1));
    let at = here.now.after(wait.saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX)));
    let (cluster, pool, failures) = (cluster_id.to_owned(), pool_id.to_owned(), failures.saturating_add(1));
    lifecycle::plan(here, at, Event::PoolScales { cluster, pool, change, failures });
}

/// Makes one more node, of the first type that can be had, in the subnet that has the fewest of the pool's nodes.
fn make_one(here: &mut Local<'_>, cluster_id: &str, pool: &Pool, vpc_id: &str) -> Result<(), ApiError> {
    let gone = || ApiError::not_found("cluster", cluster_id);
    let cluster = here.region.tke.clusters.get(cluster_id).ok_or_else(gone)?;
    nodes::check_room(here, cluster, 1, false)?;
    let mut subnets: Vec<(usize, String)> =
        pool.subnets.iter().map(|subnet| (nodes_in(here, cluster, &pool.id, subnet), subnet.clone())).collect();
    // Stable: of equals, the first one that the pool names.
    subnets.sort_by_key(|(nodes, _)| *nodes);
    let mut refused = gone();
    for kind in &pool.instance_types {
        for (_, subnet) in &subnets {
            let Some(order) = order(here, pool, vpc_id, kind, subnet) else { continue };
            match cvm::run_for(here, &order) {
                Ok(made) => {
                    let runs_at = cvm::boots_at(here);
                    for id in made {
                        let new = NewNode {
                            pool: Some(pool.id.clone()),
                            scaled: true,
                            native: pool.is_native(),
                            ..NewNode::worker(pool.settings())
                        };
                        nodes::join(here, cluster_id, &id, new, runs_at);
                    }
                    return Ok(());
                }
                Err(error) => refused = error,
            }
        }
    }
    Err(refused)
}

fn nodes_in(here: &Local<'_>, cluster: &Cluster, pool: &str, subnet: &str) -> usize {
    let instances = pools::members(cluster, pool).filter_map(|node| here.region.cvm.instances.get(&node.instance));
    instances.filter(|instance| instance.subnet_id == subnet).count()
}

/// Parameters of `RunInstances` for one node of the pool; `None` when the subnet is gone.
fn order(here: &Local<'_>, pool: &Pool, vpc_id: &str, kind: &str, subnet_id: &str) -> Option<Map<String, Value>> {
    let subnet = here.region.vpc.subnets.get(subnet_id)?;
    let mut order = pool.order.clone();
    order.insert("InstanceType".to_owned(), json!(kind));
    order.insert("InstanceCount".to_owned(), json!(1));
    order.insert("Placement".to_owned(), json!({ "Zone": subnet.zone }));
    order.insert("VirtualPrivateCloud".to_owned(), json!({ "VpcId": vpc_id, "SubnetId": subnet_id }));
    if !pool.tags.is_empty() {
        order.insert("TagSpecification".to_owned(), json!([{ "ResourceType": "instance", "Tags": pool.tags }]));
    }
    Some(order)
}

/// Checks that a node of the pool could be ordered, whatever there is in stock. Errors are those of `RunInstances`.
pub(super) fn check(here: &Local<'_>, pool: &Pool, vpc_id: &str) -> Result<(), ApiError> {
    let temporary = ["ResourceInsufficient", "ResourcesSoldOut", "LimitExceeded", "FailedOperation"];
    for kind in &pool.instance_types {
        for subnet in &pool.subnets {
            let Some(order) = order(here, pool, vpc_id, kind, subnet) else { continue };
            match cvm::check_order(here, &order) {
                Err(error) if !temporary.iter().any(|family| error.code.starts_with(family)) => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

//! Routes to the pods of the nodes.

use qcloud_container::kubernetes::routes::{Blackholes, NextHops, RouteDone, RouteSpec, Urgency, plan};

use crate::Step;
use crate::account::Account;
use crate::cluster::Cluster;
use crate::nodes::Node;

pub(crate) async fn create(account: &Account, cluster: &Cluster, nodes: &[Node]) -> Step {
    account.title("Routes to the pods of each node");
    let mut desired = Vec::new();
    for node in nodes {
        let destination = node.pod_network().parse()?;
        desired.push(RouteSpec::new(&node.name, node.address, destination).with_urgency(Urgency::Waiting));
    }
    settle(cluster, nodes, &desired).await?;
    for route in cluster.routes.list().await? {
        let over = route.next_hop.map(|hop| hop.to_string()).unwrap_or_default();
        account.tell(&format!("{} over {over}", route.destination));
    }
    Ok(())
}

pub(crate) async fn delete(account: &Account, cluster: &Cluster, nodes: &[Node]) -> Step {
    settle(cluster, nodes, &[]).await?;
    account.tell(&format!("routes deleted; {} are left", cluster.routes.list().await?.len()));
    Ok(())
}

/// One pass of a route controller: observe, plan, apply.
async fn settle(cluster: &Cluster, nodes: &[Node], desired: &[RouteSpec]) -> Step {
    let observed = cluster.routes.list().await?;
    let inventory = cluster.machines.list().await?;
    let next_hops = NextHops::new(nodes.iter().map(|node| (node.name.clone(), vec![node.address])), &inventory);
    let plan = plan(desired, &observed, &cluster.routes.limits(), &next_hops, &Blackholes::default());
    if let Some((_, error)) = plan.refused.into_iter().next() {
        return Err(error.into());
    }
    // A controller would clear the condition NetworkUnavailable of each node as its route is done.
    let done = |_: RouteDone<'_>| ();
    let results = cluster.routes.apply(&plan.add, &plan.delete, &done).await;
    let failed = results.added.into_iter().chain(results.deleted).find_map(Result::err);
    failed.map_or(Ok(()), |error| Err(error.into()))
}

//! What every implementation of [`Routes`] must do.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ipnet::IpNet;

use super::{ClusterRoute, RouteDone, RouteResults, RouteSpec, Routes};
use crate::kubernetes::ErrorKind;
use crate::kubernetes::conformance::{Check, Report, hold};

/// A cloud in which the suite can make things happen. The first of the cluster's networks is IPv4 and holds at least
/// sixty-four networks of prefix length 24; nothing is routed there when the suite begins.
#[async_trait]
pub trait RoutesHarness: Send + Sync {
    /// The implementation, with an empty memory, as after a start of the process.
    async fn provider(&self) -> Arc<dyn Routes>;

    /// Makes a machine and gives its internal address.
    async fn machine(&self) -> IpAddr;

    /// Makes a route that is not the cluster's, where the cloud can tell; says whether it can.
    async fn foreign_route(&self, destination: IpNet, next_hop: IpAddr) -> bool;
}

/// Runs the whole suite.
pub async fn run<H: RoutesHarness + ?Sized>(harness: &H) -> Report {
    let mut report = Report::default();
    report.record("an added route is listed, also after a restart", added(harness).await);
    report.record("adding and deleting twice are successes", twice(harness).await);
    report.record("an old route makes way for a new one to the same destination", moved(harness).await);
    report.record("an old route makes way for a new one over the same next hop", renumbered(harness).await);
    report.record("one bad route does not hold up the others", one_bad(harness).await);
    report.record("what lies outside the cluster's networks is refused for good", outside(harness).await);
    report.record("a route of someone else is shown as such and stays", foreign(harness).await);
    report.record("each route is reported once, as it is done", reported(harness).await);
    report.record("nothing to do is nothing", nothing(harness).await);
    report
}

/// A fresh /24 of the cluster's first network; each check has its own.
async fn network(provider: &dyn Routes, number: usize) -> Result<IpNet, String> {
    let first = provider.limits().networks.first().copied().ok_or("no networks")?;
    let mut parts = first.subnets(24).map_err(|error| error.to_string())?;
    parts.nth(number).ok_or_else(|| format!("{first} has no {number} parts"))
}

async fn apply(provider: &dyn Routes, add: &[RouteSpec], delete: &[ClusterRoute]) -> RouteResults {
    provider.apply(add, delete, &|_| {}).await
}

fn all_good(results: &RouteResults, count: usize) -> Check {
    let given = results.added.len() + results.deleted.len();
    hold(given == count, || format!("{given} results for {count} routes"))?;
    results.errors().next().map_or(Ok(()), |error| Err(error.to_string()))
}

async fn find(provider: &dyn Routes, destination: IpNet) -> Result<Vec<ClusterRoute>, String> {
    let mut routes = provider.list().await.map_err(|error| error.to_string())?;
    routes.retain(|route| route.destination == destination);
    Ok(routes)
}

async fn added<H: RoutesHarness + ?Sized>(harness: &H) -> Check {
    let provider = harness.provider().await;
    let spec = RouteSpec::new("node-added", harness.machine().await, network(&*provider, 0).await?);
    all_good(&apply(&*provider, std::slice::from_ref(&spec), &[]).await, 1)?;
    for provider in [provider, harness.provider().await] {
        let routes = find(&*provider, spec.destination).await?;
        let good = matches!(routes.as_slice(), [route] if route.is(&spec) && route.owned && route.complete);
        hold(good, || format!("{routes:?}"))?;
    }
    Ok(())
}

async fn twice<H: RoutesHarness + ?Sized>(harness: &H) -> Check {
    let provider = harness.provider().await;
    let spec = RouteSpec::new("node-twice", harness.machine().await, network(&*provider, 1).await?);
    for _ in 0..2 {
        all_good(&apply(&*provider, std::slice::from_ref(&spec), &[]).await, 1)?;
    }
    let routes = find(&*provider, spec.destination).await?;
    hold(routes.len() == 1, || format!("{routes:?}"))?;
    for _ in 0..2 {
        all_good(&apply(&*provider, &[], &routes).await, 1)?;
    }
    let routes = find(&*provider, spec.destination).await?;
    hold(routes.is_empty(), || format!("{routes:?}"))
}

async fn moved<H: RoutesHarness + ?Sized>(harness: &H) -> Check {
    let provider = harness.provider().await;
    let destination = network(&*provider, 2).await?;
    let old = RouteSpec::new("node-moved", harness.machine().await, destination);
    let new = RouteSpec::new("node-moved", harness.machine().await, destination);
    all_good(&apply(&*provider, &[old], &[]).await, 1)?;
    let observed = find(&*provider, destination).await?;
    all_good(&apply(&*provider, std::slice::from_ref(&new), &observed).await, 2)?;
    let routes = find(&*provider, destination).await?;
    hold(matches!(routes.as_slice(), [route] if route.is(&new)), || format!("{routes:?}"))
}

async fn renumbered<H: RoutesHarness + ?Sized>(harness: &H) -> Check {
    let provider = harness.provider().await;
    let machine = harness.machine().await;
    let old = RouteSpec::new("node-renumbered", machine, network(&*provider, 3).await?);
    let new = RouteSpec::new("node-renumbered", machine, network(&*provider, 4).await?);
    all_good(&apply(&*provider, std::slice::from_ref(&old), &[]).await, 1)?;
    let observed = find(&*provider, old.destination).await?;
    all_good(&apply(&*provider, std::slice::from_ref(&new), &observed).await, 2)?;
    let left = find(&*provider, old.destination).await?;
    hold(left.is_empty(), || format!("{left:?}"))?;
    let routes = find(&*provider, new.destination).await?;
    hold(matches!(routes.as_slice(), [route] if route.is(&new)), || format!("{routes:?}"))
}

async fn one_bad<H: RoutesHarness + ?Sized>(harness: &H) -> Check {
    let provider = harness.provider().await;
    let nobody = IpAddr::from([203, 0, 113, 9]);
    let mut specs = Vec::new();
    for number in 5..9 {
        let next_hop = if number == 6 { nobody } else { harness.machine().await };
        specs.push(RouteSpec::new(format!("node-{number}"), next_hop, network(&*provider, number).await?));
    }
    let results = apply(&*provider, &specs, &[]).await;
    let good: Vec<bool> = results.added.iter().map(Result::is_ok).collect();
    hold(good == [true, false, true, true], || format!("{:?}", results.added))
}

async fn outside<H: RoutesHarness + ?Sized>(harness: &H) -> Check {
    let provider = harness.provider().await;
    let elsewhere = IpNet::new(IpAddr::from([198, 51, 100, 0]), 24).map_err(|error| error.to_string())?;
    let results = apply(&*provider, &[RouteSpec::new("node-outside", harness.machine().await, elsewhere)], &[]).await;
    match results.added.as_slice() {
        [Err(error)] if error.is_final() => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

async fn foreign<H: RoutesHarness + ?Sized>(harness: &H) -> Check {
    let provider = harness.provider().await;
    let destination = network(&*provider, 9).await?;
    let theirs = harness.machine().await;
    if !harness.foreign_route(destination, theirs).await {
        return Ok(());
    }
    let observed = find(&*provider, destination).await?;
    let shown = matches!(observed.as_slice(), [route] if !route.owned);
    hold(shown, || format!("{observed:?}"))?;
    let spec = RouteSpec::new("node-foreign", harness.machine().await, destination);
    // Neither asked for politely nor with a claim that it is ours does it go.
    let claimed = ClusterRoute::new(destination, theirs);
    let results = apply(&*provider, &[spec], &[claimed]).await;
    let refused = results.added.first().is_some_and(|added| {
        added.as_ref().is_err_and(|error| matches!(error.kind(), ErrorKind::Conflict | ErrorKind::AlreadyExists))
    });
    hold(refused, || format!("{:?}", results.added))?;
    let after = find(&*provider, destination).await?;
    hold(after == observed, || format!("{after:?}"))
}

async fn reported<H: RoutesHarness + ?Sized>(harness: &H) -> Check {
    let provider = harness.provider().await;
    let mut specs = Vec::new();
    for number in 10..13 {
        specs.push(RouteSpec::new("node-reported", harness.machine().await, network(&*provider, number).await?));
    }
    let heard = Mutex::new(Vec::new());
    let results = provider
        .apply(&specs, &[], &|done| {
            if let RouteDone::Added(place, result) = done {
                heard.lock().unwrap_or_else(PoisonError::into_inner).push((place, result.is_ok()));
            }
        })
        .await;
    all_good(&results, 3)?;
    let mut heard = heard.into_inner().unwrap_or_else(PoisonError::into_inner);
    heard.sort_unstable();
    hold(heard == [(0, true), (1, true), (2, true)], || format!("{heard:?}"))
}

async fn nothing<H: RoutesHarness + ?Sized>(harness: &H) -> Check {
    all_good(&apply(&*harness.provider().await, &[], &[]).await, 0)
}

//! What every implementation of [`Instances`] must do.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Instances, Lookup, NodeRef};
use crate::kubernetes::conformance::{Check, Report, hold};

/// A cloud in which the suite can make things happen.
#[async_trait]
pub trait InstancesHarness: Send + Sync {
    /// The implementation, with an empty memory, as after a start of the process. It sees the cloud as it is.
    async fn provider(&self) -> Arc<dyn Instances>;

    /// Makes a machine, waits until it runs, and gives a node with its provider id and internal addresses, and a name
    /// that says nothing.
    async fn start(&self) -> NodeRef;

    /// Stops a machine, and waits until it is stopped.
    async fn stop(&self, node: &NodeRef);

    /// Destroys a machine, and waits until it is gone.
    async fn destroy(&self, node: &NodeRef);

    /// Lets time pass.
    async fn pass(&self, time: Duration);

    /// Lets all lookups fail from now on, or no more.
    async fn fail(&self, failing: bool);

    /// After how long a second look may prove an absence; caches have ended by then, too.
    fn grace(&self) -> Duration {
        Duration::from_secs(120)
    }
}

/// Runs the whole suite.
pub async fn run<H: InstancesHarness + ?Sized>(harness: &H) -> Report {
    let mut report = Report::default();
    report.record("a running machine is found with all that nodes need", found(harness).await);
    report.record("a node without provider id is found by its address", by_address(harness).await);
    report.record("many are looked up in order, one twice", in_order(harness).await);
    report.record("a bad provider id is unknown and spoils no other", malformed(harness).await);
    report.record("a provider id of another cloud is unknown", foreign(harness).await);
    report.record("a stopped machine exists and is shut down", stopped(harness).await);
    report.record("a machine is not gone before a second look", gone(harness).await);
    report.record("a restarted provider proves an absence anew", restarted(harness).await);
    report.record("a failing lookup is unknown, never an absence", failing(harness).await);
    report.record("a node without provider id is never proven gone", nameless(harness).await);
    report.record("the list has every machine, by id and by address", listed(harness).await);
    report
}

async fn found<H: InstancesHarness + ?Sized>(harness: &H) -> Check {
    let node = harness.start().await;
    let instance = harness.provider().await.metadata(&node).await.map_err(|error| error.to_string())?;
    hold(Some(&instance.provider_id) == node.provider_id.as_ref(), || {
        format!("the provider id is {}, not {:?}", instance.provider_id, node.provider_id)
    })?;
    for (what, value) in [("type", &instance.instance_type), ("zone", &instance.zone), ("region", &instance.region)] {
        hold(!value.is_empty(), || format!("the {what} is empty"))?;
    }
    let own: Vec<_> = instance.internal_addresses().collect();
    hold(node.addresses.iter().all(|address| own.contains(address)), || format!("the addresses are {own:?}"))?;
    hold(!instance.state.is_shutdown(), || format!("it is {:?}", instance.state))
}

async fn by_address<H: InstancesHarness + ?Sized>(harness: &H) -> Check {
    let node = NodeRef { provider_id: None, ..harness.start().await };
    let lookup = harness.provider().await.lookup_one(&node).await;
    hold(lookup.is_found(), || format!("{lookup:?}"))
}

async fn in_order<H: InstancesHarness + ?Sized>(harness: &H) -> Check {
    let (one, other) = (harness.start().await, harness.start().await);
    let nodes = [other.clone(), one.clone(), other];
    let lookups = harness.provider().await.lookup(&nodes).await;
    hold(lookups.len() == nodes.len(), || format!("{} answers", lookups.len()))?;
    for (node, lookup) in nodes.iter().zip(lookups) {
        let provider_id = lookup.found().map(|instance| instance.provider_id);
        hold(provider_id == node.provider_id, || format!("{provider_id:?} for {:?}", node.provider_id))?;
    }
    Ok(())
}

async fn malformed<H: InstancesHarness + ?Sized>(harness: &H) -> Check {
    let good = harness.start().await;
    let bad = good.clone().with_provider_id(format!("{}!", good.provider_id.clone().unwrap_or_default()));
    let lookups = harness.provider().await.lookup(&[bad, good]).await;
    match lookups.as_slice() {
        [Lookup::Unknown(_), Lookup::Found(_)] => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

async fn foreign<H: InstancesHarness + ?Sized>(harness: &H) -> Check {
    let node = harness.start().await.with_provider_id("elsewhere:///zone/machine-1");
    let lookup = harness.provider().await.lookup_one(&node).await;
    hold(lookup.is_unknown(), || format!("{lookup:?}"))
}

async fn stopped<H: InstancesHarness + ?Sized>(harness: &H) -> Check {
    let node = harness.start().await;
    harness.stop(&node).await;
    let provider = harness.provider().await;
    let exists = provider.exists(&node).await.map_err(|error| error.to_string())?;
    hold(exists, || "it does not exist".to_owned())?;
    let shut_down = provider.is_shutdown(&node).await.map_err(|error| error.to_string())?;
    hold(shut_down, || "it is not shut down".to_owned())
}

async fn gone<H: InstancesHarness + ?Sized>(harness: &H) -> Check {
    let node = harness.start().await;
    let provider = harness.provider().await;
    hold(provider.lookup_one(&node).await.is_found(), || "it was not found at first".to_owned())?;
    harness.destroy(&node).await;
    harness.pass(harness.grace()).await;
    let first = provider.lookup_one(&node).await;
    hold(first.is_unknown(), || format!("after one look: {first:?}"))?;
    harness.pass(harness.grace()).await;
    let second = provider.lookup_one(&node).await;
    hold(second.is_not_found(), || format!("after two looks: {second:?}"))
}

async fn restarted<H: InstancesHarness + ?Sized>(harness: &H) -> Check {
    let node = harness.start().await;
    harness.destroy(&node).await;
    for _ in 0..2 {
        let lookup = harness.provider().await.lookup_one(&node).await;
        hold(!lookup.is_found(), || format!("{lookup:?}"))?;
    }
    harness.pass(harness.grace()).await;
    let provider = harness.provider().await;
    // How soon it believes in an absence is the provider's; that it does in the end is checked.
    for _ in 0..3 {
        if provider.lookup_one(&node).await.is_not_found() {
            return Ok(());
        }
        harness.pass(harness.grace()).await;
    }
    Err("the absence was never believed".to_owned())
}

async fn failing<H: InstancesHarness + ?Sized>(harness: &H) -> Check {
    let node = harness.start().await;
    let provider = harness.provider().await;
    harness.fail(true).await;
    let mut lookups = Vec::new();
    for _ in 0..3 {
        lookups.push(provider.lookup_one(&node).await);
        harness.pass(harness.grace()).await;
    }
    let list = provider.list().await;
    harness.fail(false).await;
    hold(lookups.iter().all(Lookup::is_unknown), || format!("{lookups:?}"))?;
    hold(list.is_err(), || "the list did not fail".to_owned())?;
    let lookup = provider.lookup_one(&node).await;
    hold(lookup.is_found(), || format!("afterwards: {lookup:?}"))
}

async fn nameless<H: InstancesHarness + ?Sized>(harness: &H) -> Check {
    let node = harness.start().await;
    harness.destroy(&node).await;
    let node = NodeRef { provider_id: None, ..node };
    let provider = harness.provider().await;
    for _ in 0..3 {
        let lookup = provider.lookup_one(&node).await;
        hold(lookup.is_unknown(), || format!("{lookup:?}"))?;
        harness.pass(harness.grace()).await;
    }
    Ok(())
}

async fn listed<H: InstancesHarness + ?Sized>(harness: &H) -> Check {
    let node = harness.start().await;
    let inventory = harness.provider().await.list().await.map_err(|error| error.to_string())?;
    hold(inventory.is_complete(), || "the list is not complete".to_owned())?;
    let address = node.addresses.first().copied().ok_or("the harness gave no address")?;
    let instance = inventory.by_address(address).ok_or_else(|| format!("nothing has the address {address}"))?;
    hold(Some(&instance.provider_id) == node.provider_id.as_ref(), || instance.provider_id.clone())?;
    hold(inventory.by_id(&instance.id).is_some(), || format!("{} is not found by its id", instance.id))
}

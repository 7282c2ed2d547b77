//! Native nodes: machines of node pools that TKE keeps, whose ids only TKE knows.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use qcloud_core::Config;
use qcloud_core::clock::Clock;

use super::shared::Shared;
use crate::kubernetes::instances::{AddressKind, Instance, InstanceState, NodeAddress};
use crate::kubernetes::{ErrorKind, ProviderError, Result};
use crate::v20220501::Client;
use crate::v20220501::model::{DescribeClusterInstances, NativeNodeInfo};

/// How old a list may be that is to show that a node is absent.
const YOUNG: Duration = Duration::from_secs(5);

/// The native nodes of a cluster.
#[derive(Debug)]
pub(super) struct NativeNodes {
    client: Client,
    clock: Arc<dyn Clock>,
    cluster: Option<String>,
    listed: Shared<Listing>,
}

/// All nodes of the cluster at one moment.
#[derive(Debug)]
struct Listing {
    at: Duration,
    native: Vec<NativeNodeInfo>,
    complete: bool,
}

/// What the list says of a node.
pub(super) enum Seen {
    /// It is there.
    There(Box<NativeNodeInfo>),
    /// The list of that time left it out.
    Missing(Duration),
}

impl NativeNodes {
    pub(super) fn new(config: &Config, cluster: Option<String>) -> Self {
        let clock = Arc::clone(config.clock());
        Self { client: Client::new(config), listed: Shared::new(Arc::clone(&clock)), clock, cluster }
    }

    /// Looks for a node by its id, such as `kn-1a2b3c4d`, in a list that is at most this old.
    pub(super) async fn look_up(&self, id: &str, believed: Duration) -> Result<Seen> {
        let Some(cluster) = &self.cluster else {
            let message =
                format!("{id} is a native node of TKE; to look it up, the id of its cluster has to be configured");
            return Err(ProviderError::new(ErrorKind::Unsupported, message));
        };
        for youngest in [believed, YOUNG] {
            let listing = self.listed.get(|age, _| age < youngest, || self.list(cluster)).await?;
            if let Some(found) = listing.native.iter().find(|node| is(node, id)) {
                return Ok(Seen::There(Box::new(found.clone())));
            }
            if youngest > YOUNG {
                continue;
            }
            // Another cluster, or one without nodes at all: that would make every node of this one disappear.
            if listing.native.is_empty() {
                let message =
                    format!("{id} is not listed, but {cluster} has no native node at all: is it the right one?");
                return Err(ProviderError::new(ErrorKind::Unavailable, message));
            }
            if !listing.complete {
                let message = format!("{id} is not listed, but nodes of {cluster} came or went meanwhile");
                return Err(ProviderError::new(ErrorKind::Unavailable, message));
            }
            return Ok(Seen::Missing(listing.at));
        }
        Err(ProviderError::new(ErrorKind::Internal, "no list was read"))
    }

    async fn list(&self, cluster: &str) -> Result<Listing> {
        let at = self.clock.elapsed();
        let mut pages = self.client.describe_cluster_instances(DescribeClusterInstances::new(cluster)).pages();
        let (mut native, mut totals, mut count) = (Vec::new(), Vec::new(), 0_usize);
        while let Some(page) = pages.try_next().await? {
            totals.push(page.total_count);
            count += page.instance_set.len();
            native.extend(page.instance_set.into_iter().filter_map(|node| node.native));
        }
        let complete = totals.iter().all(|total| usize::try_from(*total).is_ok_and(|total| total == count));
        Ok(Listing { at, native, complete })
    }
}

/// Whether the node has this id. TKE writes `kn-…` into provider ids, and calls the same machine `eks-…` elsewhere; the
/// part that follows is the same.
fn is(node: &NativeNodeInfo, id: &str) -> bool {
    let number = id.split_once('-').map(|(_, number)| number);
    let ids = [node.instance_id.as_deref(), node.resource_id.as_deref()];
    ids.into_iter().flatten().any(|known| {
        known == id || known.split_once('-').is_some_and(|(kind, rest)| kind == "eks" && Some(rest) == number)
    })
}

/// The machine, under the id that its provider id gives it.
pub(super) fn machine(node: &NativeNodeInfo, id: &str, provider_id: &str, region: &str) -> Result<Instance> {
    let state = match node.machine_state.as_str() {
        "Creating" => InstanceState::Pending,
        "Stopping" => InstanceState::Stopping,
        "Stopped" => InstanceState::Stopped,
        "Deleting" => InstanceState::Terminating,
        "Failed" => {
            let message = format!("the native node {id} has failed, and whether it still exists is not known");
            return Err(ProviderError::new(ErrorKind::Unavailable, message));
        }
        _ => InstanceState::Running,
    };
    let mut machine = Instance::new(id, provider_id);
    machine.name.clone_from(&node.machine_name);
    machine.instance_type.clone_from(&node.instance_type);
    machine.zone.clone_from(&node.zone);
    machine.region = region.to_owned();
    machine.network.clone_from(&node.vpc_id);
    let addresses =
        [(AddressKind::Internal, Some(node.lan_ip.as_str())), (AddressKind::External, node.wan_ip.as_deref())];
    for (kind, text) in addresses {
        if let Some(address) = text.and_then(|text| text.parse::<IpAddr>().ok()) {
            machine.addresses.push(NodeAddress { kind, address });
        }
    }
    machine.state = state;
    Ok(machine)
}

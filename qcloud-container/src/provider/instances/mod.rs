#![doc = include_str!("../../../docs/instances.md")]

mod batcher;
mod convert;
mod memory;
mod native;
mod shared;
pub(in crate::provider) mod zones;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use futures_util::future::join_all;
use qcloud_core::Config;
use qcloud_core::clock::Clock;
use qcloud_cvm::Client;
use qcloud_cvm::instance::{DescribeInstances, Filter, Instance as CvmInstance};

use self::batcher::Batcher;
use self::memory::Memory;
use self::native::{NativeNodes, Seen};
use self::shared::Shared;
use self::zones::Zones;
use crate::kubernetes::instances::{Absence, Instance, InstanceState, Instances, Inventory, Lookup, NodeRef};
use crate::kubernetes::{ErrorKind, MachineKind, ProviderError, ProviderId, ProviderZone, Result};

/// How soon the list of all machines is read again for a node that is not in it.
const RELIST: Duration = Duration::from_secs(10);

/// What can be set about machines.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InstanceSettings {
    /// The VPC of the cluster.
    pub vpc_id: String,
    /// For how long ids are collected before they are asked for. 200 ms by default.
    pub window: Duration,
    /// For how long what was seen is believed. 60 s by default.
    pub believed: Duration,
    /// How far apart two looks must be to prove that a machine is gone. 60 s by default.
    pub grace: Duration,
    /// Whether a machine in the recycle bin counts as gone. By default it counts as shut down: it can be restored.
    pub set_aside_is_gone: bool,
    /// The id of the cluster in TKE, such as `cls-1a2b3c4d`: without it, native nodes cannot be looked up.
    pub tke_cluster_id: Option<String>,
}

impl InstanceSettings {
    /// For a cluster in this VPC.
    pub fn new(vpc_id: impl Into<String>) -> Self {
        Self {
            vpc_id: vpc_id.into(),
            window: Duration::from_millis(200),
            believed: Duration::from_secs(60),
            grace: Duration::from_secs(60),
            set_aside_is_gone: false,
            tke_cluster_id: None,
        }
    }
}

/// The instances of a VPC.
#[derive(Debug)]
pub struct CvmInstances {
    client: Client,
    clock: Arc<dyn Clock>,
    region: String,
    settings: InstanceSettings,
    batcher: Batcher,
    zones: Zones,
    memory: Memory,
    listed: Shared<Inventory>,
    native: NativeNodes,
}

impl CvmInstances {
    /// With the clock and the limits of this configuration.
    ///
    /// # Errors
    /// When the configuration names no region.
    pub fn new(config: &Config, settings: InstanceSettings) -> Result<Self> {
        let Some(region) = config.region() else {
            return Err(ProviderError::new(ErrorKind::InvalidArgument, "the configuration names no region"));
        };
        let (client, clock) = (Client::new(config), Arc::clone(config.clock()));
        Ok(Self {
            batcher: Batcher::new(client.clone(), Arc::clone(&clock), settings.window),
            zones: Zones::new(client.clone(), Arc::clone(&clock)),
            memory: Memory::new(settings.believed, settings.grace),
            listed: Shared::new(Arc::clone(&clock)),
            native: NativeNodes::new(config, settings.tke_cluster_id.clone()),
            region: region.to_string(),
            client,
            clock,
            settings,
        })
    }

    async fn look_up(&self, node: &NodeRef) -> Lookup<Instance> {
        let found = match &node.provider_id {
            Some(provider_id) => self.by_provider_id(provider_id).await,
            None => self.by_address(node).await,
        };
        found.unwrap_or_else(Lookup::Unknown)
    }

    async fn by_provider_id(&self, text: &str) -> Result<Lookup<Instance>> {
        let provider_id: ProviderId = text.parse().map_err(|error: crate::kubernetes::ParseProviderIdError| {
            ProviderError::new(ErrorKind::InvalidArgument, error.to_string())
        })?;
        let id = provider_id.machine();
        let known = self.memory.recall(id, self.clock.elapsed());
        if provider_id.kind() == MachineKind::NativeNode {
            return if let Some(known) = known { Ok(known) } else { self.native_node(id, text).await };
        }
        let lookup = match known {
            Some(known) => known,
            None => self.instance(&provider_id, text).await?,
        };
        if let Lookup::NotFound(Absence::NotListed { .. }) = lookup {
            self.expect_others(id).await?;
        }
        Ok(lookup)
    }

    /// An absence proves nothing to one who sees no instance at all: with the credentials of another account, or with the
    /// wrong VPC, every node of the cluster would be deleted.
    async fn expect_others(&self, absent: &str) -> Result<()> {
        let listed = self.list_since(self.settings.believed.min(self.settings.grace)).await?;
        if listed.by_id(absent).is_some() {
            let message = format!("{absent} is in the list of all instances, and absent when it is asked for");
            return Err(ProviderError::pending(message, RELIST));
        }
        if listed.instances().is_empty() {
            let message = format!(
                "{absent} is not listed, but {} has no instance at all: check the VPC's id, and the account of the \
                 credentials; if its last instance is really gone, delete the node by hand",
                self.settings.vpc_id
            );
            return Err(ProviderError::new(ErrorKind::Unavailable, message));
        }
        Ok(())
    }

    async fn instance(&self, provider_id: &ProviderId, text: &str) -> Result<Lookup<Instance>> {
        let id = provider_id.machine();
        // An instance of another region is not listed in this one, which proves nothing.
        let here = match provider_id.zone() {
            None => true,
            Some(ProviderZone::Name(zone)) => zone.rsplit_once('-').is_some_and(|(region, _)| region == self.region),
            Some(ProviderZone::Id(zone)) => self.zones.has_id(zone).await?,
        };
        if !here {
            let message = format!("`{text}` names a zone that the region {} does not have", self.region);
            return Err(ProviderError::new(ErrorKind::InvalidArgument, message));
        }
        match self.batcher.look_up(id).await? {
            None if provider_id.zone().is_none() => {
                let message = format!("{id} is not listed here, and `{text}` names no zone to say that it should be");
                Err(ProviderError::new(ErrorKind::InvalidArgument, message))
            }
            None => Ok(self.memory.missed(id, self.clock.elapsed())),
            Some(found) => self.describe(&found).await,
        }
    }

    async fn native_node(&self, id: &str, provider_id: &str) -> Result<Lookup<Instance>> {
        match self.native.look_up(id, self.settings.believed).await? {
            Seen::There(node) => {
                let instance = native::machine(&node, id, provider_id, &self.region)?;
                self.memory.saw(&instance, self.clock.elapsed());
                Ok(Lookup::Found(instance))
            }
            Seen::Missing(at) => Ok(self.memory.missed(id, at)),
        }
    }

    /// What a described instance means, noted.
    async fn describe(&self, found: &CvmInstance) -> Result<Lookup<Instance>> {
        let Some(state) = convert::state(&found.instance_state) else {
            return Ok(Lookup::NotFound(Absence::NeverRan));
        };
        if state == InstanceState::SetAside && self.settings.set_aside_is_gone {
            return Ok(Lookup::NotFound(Absence::SetAside));
        }
        let Some(instance) = self.convert(found, state).await? else {
            let message = format!("the zone `{}` of {} is not listed", found.placement.zone, found.instance_id);
            return Err(ProviderError::new(ErrorKind::Unavailable, message));
        };
        self.memory.saw(&instance, self.clock.elapsed());
        Ok(Lookup::Found(instance))
    }

    /// The machine; `None` when its zone has no number, so that it can have no provider id.
    async fn convert(&self, found: &CvmInstance, state: InstanceState) -> Result<Option<Instance>> {
        let Some(zone_id) = self.zones.id(&found.placement.zone).await? else { return Ok(None) };
        let provider_id = ProviderId::new(zone_id, &found.instance_id)
            .map_err(|error| ProviderError::new(ErrorKind::Internal, error.to_string()))?;
        Ok(Some(convert::machine(found, state, provider_id.to_string(), &self.region)))
    }

    /// A node that has no provider id yet is found by its addresses, by its name when that is an address, and by the
    /// host name. Its absence can't be proven.
    async fn by_address(&self, node: &NodeRef) -> Result<Lookup<Instance>> {
        for youngest in [self.settings.believed, RELIST] {
            if let Some(found) = find(&*self.list_since(youngest).await?, node)? {
                return Ok(Lookup::Found(found));
            }
        }
        let message =
            format!("no instance of {} has an address or the name of node {}", self.settings.vpc_id, node.name);
        Err(ProviderError::new(ErrorKind::Pending, message).with_retry_after(RELIST))
    }

    /// The list, read again unless it is younger than this.
    async fn list_since(&self, youngest: Duration) -> Result<Arc<Inventory>> {
        self.listed.get(|age, _| age < youngest, || self.sweep()).await
    }

    async fn sweep(&self) -> Result<Inventory> {
        let request = DescribeInstances::new().filters([Filter::new("vpc-id", [&self.settings.vpc_id])]);
        let mut pages = self.client.describe_instances(request).pages();
        let (mut instances, mut totals) = (Vec::new(), Vec::new());
        let (mut seen, mut passed_over) = (0_usize, false);
        while let Some(page) = pages.try_next().await? {
            totals.push(page.total_count);
            seen += page.instance_set.len();
            for found in page.instance_set {
                // The filter is not to be trusted with what becomes the next hop of routes.
                if found.virtual_private_cloud.vpc_id != self.settings.vpc_id {
                    continue;
                }
                let Some(state) = convert::state(&found.instance_state) else { continue };
                match self.convert(&found, state).await? {
                    Some(instance) => {
                        self.memory.saw(&instance, self.clock.elapsed());
                        instances.push(instance);
                    }
                    None => passed_over = true,
                }
            }
        }
        self.memory.tidy(self.clock.elapsed());
        // When instances come and go between pages, the pages shift, and one may be missed.
        let steady = totals.windows(2).all(|pair| matches!(pair, [one, other] if one == other));
        let whole = totals.last().is_none_or(|total| usize::try_from(*total).is_ok_and(|total| total == seen));
        Ok(Inventory::new(instances, steady && whole && !passed_over))
    }
}

/// The machine of a node in the list.
fn find(inventory: &Inventory, node: &NodeRef) -> Result<Option<Instance>> {
    let named: Option<IpAddr> = node.name.parse().ok();
    for address in node.addresses.iter().copied().chain(named) {
        if let Some(instance) = inventory.by_address(address) {
            return Ok(Some(instance.clone()));
        }
        if inventory.has_address(address) {
            let message = format!("several instances have the address {address} of node {}", node.name);
            return Err(ProviderError::new(ErrorKind::Conflict, message));
        }
    }
    if !node.addresses.is_empty() || named.is_some() {
        return Ok(None);
    }
    // Kubelets write host names in lower case; those that CVM gives by default have capitals.
    let is_node = |name: &str| name.eq_ignore_ascii_case(&node.name);
    let called = |instance: &&Instance| {
        instance.host_name.as_deref().is_some_and(is_node) || is_node(&instance.name) || is_node(&instance.id)
    };
    let mut candidates = inventory.instances().iter().filter(called);
    match (candidates.next(), candidates.next()) {
        (Some(one), None) => Ok(Some(one.clone())),
        (None, _) => Ok(None),
        (Some(_), Some(_)) => {
            let message = format!("several instances are called {}, like the node", node.name);
            Err(ProviderError::new(ErrorKind::Conflict, message))
        }
    }
}

#[async_trait]
impl Instances for CvmInstances {
    async fn lookup(&self, nodes: &[NodeRef]) -> Vec<Lookup<Instance>> {
        join_all(nodes.iter().map(|node| self.look_up(node))).await
    }

    /// Read again when it is older than [`InstanceSettings::believed`].
    async fn list(&self) -> Result<Inventory> {
        Ok(self.list_since(self.settings.believed).await?.as_ref().clone())
    }
}

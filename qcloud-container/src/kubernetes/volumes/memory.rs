//! The reference implementation: a cloud of volumes in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

use super::{
    Access, AttachStep, Attachment, Capacity, CapacityRequest, CreateStep, DetachStep, GIB, Page, PageRequest,
    SizeRange, SizeRules, Snapshot, SnapshotFilter, SnapshotRequest, SnapshotStep, Volume, VolumeCapabilities,
    VolumeRequest, VolumeState, Volumes, plan_attach, plan_create, plan_detach, plan_expand, plan_snapshot,
};
use crate::kubernetes::{ErrorKind, Exhausted, ProviderError, Result};

const RULES: SizeRules = SizeRules::new(10 * GIB, 1_000 * GIB, 10 * GIB);
const SOON: Duration = Duration::from_millis(10);

/// A node of [`InMemoryVolumes`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InMemoryNode {
    /// Its id.
    pub id: String,
    /// The zone it is in.
    pub zone: String,
    /// How many volumes it takes.
    pub limit: u32,
}

impl InMemoryNode {
    /// A node by its id, zone and the number of volumes that it takes.
    pub fn new(id: impl Into<String>, zone: impl Into<String>, limit: u32) -> Self {
        Self { id: id.into(), zone: zone.into(), limit }
    }
}

/// Volumes in memory: what [`Volumes`] means, in the fewest words, and a double for the tests of controllers.
///
/// Attaching, detaching and growing take until the next [`settled`](Volumes::settled), as in a cloud. It knows one
/// parameter, `kind`, which can be modified. Sizes are multiples of 10 GiB up to 1,000 GiB.
#[derive(Debug, Default)]
pub struct InMemoryVolumes {
    capabilities: VolumeCapabilities,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ids: u64,
    zones: Vec<String>,
    sold_out: Vec<String>,
    nodes: BTreeMap<String, InMemoryNode>,
    volumes: BTreeMap<String, Volume>,
    foreign: Vec<String>,
    snapshots: BTreeMap<String, Snapshot>,
}

impl InMemoryVolumes {
    /// A cloud with these nodes, and the zones that they are in.
    pub fn new(nodes: impl IntoIterator<Item = InMemoryNode>) -> Self {
        let mut state = State::default();
        for node in nodes {
            if !state.zones.contains(&node.zone) {
                state.zones.push(node.zone.clone());
            }
            state.nodes.insert(node.id.clone(), node);
        }
        Self { capabilities: VolumeCapabilities::default(), state: Mutex::new(state) }
    }

    /// Lets the cloud do no more than this.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: VolumeCapabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a zone have no more volumes.
    pub fn sell_out(&self, zone: impl Into<String>) {
        self.state().sold_out.push(zone.into());
    }

    /// Removes a volume behind the back of everyone, attached or not.
    pub fn lose_volume(&self, id: &str) {
        self.state().volumes.remove(id);
    }

    /// Removes a node behind the back of everyone, with its attachments.
    pub fn lose_node(&self, id: &str) {
        let mut state = self.state();
        state.nodes.remove(id);
        for volume in state.volumes.values_mut() {
            volume.attachments.retain(|attachment| attachment.node != id);
        }
    }

    /// Adds a volume of another owner, and gives its id.
    pub fn add_foreign(&self, name: impl Into<String>) -> String {
        let mut state = self.state();
        let id = state.next_id("vol");
        let mut volume = Volume::new(id.clone(), RULES.least);
        volume.name = name.into();
        volume.zone = state.zones.first().cloned().unwrap_or_default();
        state.volumes.insert(id.clone(), volume);
        state.foreign.push(id.clone());
        id
    }

    /// The volumes that there are, those of other owners among them.
    #[must_use]
    pub fn volumes(&self) -> Vec<Volume> {
        self.state().volumes.values().cloned().collect()
    }
}

fn absent(what: &str, id: &str) -> ProviderError {
    ProviderError::new(ErrorKind::NotFound, format!("there is no {what} {id}"))
}

fn can(capable: bool, what: &str) -> Result<()> {
    if capable {
        return Ok(());
    }
    Err(ProviderError::new(ErrorKind::Unsupported, format!("this is no cloud where {what}")))
}

fn pending(id: &str) -> ProviderError {
    ProviderError::pending(format!("work on the volume {id} is under way"), SOON)
}

impl State {
    fn next_id(&mut self, prefix: &str) -> String {
        self.ids += 1;
        format!("{prefix}-{:08}", self.ids)
    }

    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.ids)
    }

    fn volume(&mut self, id: &str) -> Result<&mut Volume> {
        self.volumes.get_mut(id).ok_or_else(|| absent("volume", id))
    }

    fn owned(&self) -> impl Iterator<Item = &Volume> {
        self.volumes.values().filter(|volume| !self.foreign.contains(&volume.id))
    }

    fn settle(&mut self, id: &str) {
        let Some(volume) = self.volumes.get_mut(id) else { return };
        match std::mem::replace(&mut volume.state, VolumeState::Ready) {
            VolumeState::Busy(size) => volume.size = size.parse().unwrap_or(volume.size),
            VolumeState::Recycled => volume.state = VolumeState::Recycled,
            _ => {}
        }
    }
}

fn kind(parameters: &BTreeMap<String, String>) -> Result<String> {
    let mut kind = "standard";
    for (name, value) in parameters {
        match (name.as_str(), value.as_str()) {
            ("kind", "standard" | "fast") => kind = value,
            _ => {
                let message = format!("the parameter {name}: {value} is unknown; there is `kind`: `standard`, `fast`");
                return Err(ProviderError::new(ErrorKind::InvalidArgument, message));
            }
        }
    }
    Ok(kind.to_owned())
}

fn named(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(ProviderError::new(ErrorKind::InvalidArgument, "a name is needed"));
    }
    Ok(())
}

/// Cuts a page out of a list that is ordered by id.
fn page<T: Clone>(items: Vec<T>, id: impl Fn(&T) -> &str, page: &PageRequest) -> Result<Page<T>> {
    if let Some(token) = &page.token
        && !token.contains('-')
    {
        return Err(ProviderError::new(ErrorKind::Conflict, format!("no page gave the token `{token}`")));
    }
    let after = page.token.as_deref().unwrap_or_default();
    let mut rest: Vec<T> = items.into_iter().filter(|item| id(item) > after).collect();
    let more = page.limit > 0 && rest.len() > page.limit;
    if more {
        rest.truncate(page.limit);
    }
    let next = if more { rest.last().map(|last| id(last).to_owned()) } else { None };
    Ok(Page::new(rest, next))
}

#[async_trait]
impl Volumes for InMemoryVolumes {
    fn capabilities(&self) -> VolumeCapabilities {
        self.capabilities
    }

    async fn create(&self, request: &VolumeRequest) -> Result<Volume> {
        named(&request.name)?;
        let mut state = self.state();
        let kind = kind(&request.parameters)?;
        let found: Vec<Volume> = state.owned().filter(|volume| volume.name == request.name).cloned().collect();
        if let CreateStep::Adopt { id, .. } = plan_create(request, std::slice::from_ref(&kind), &found)? {
            return state.volume(&id).cloned();
        }
        let mut size = request.size;
        if let Some(source) = &request.source {
            let snapshot = state.snapshots.get(source).ok_or_else(|| absent("snapshot", source))?;
            size.required = size.required.max(snapshot.size);
        }
        let size = RULES.choose(size)?;
        let candidates = request.zones.candidates(&state.zones);
        let zone = candidates.iter().find(|zone| state.zones.contains(zone) && !state.sold_out.contains(zone));
        let Some(zone) = zone.cloned() else {
            let message = format!("none of the zones {} has room", candidates.join(", "));
            return Err(ProviderError::new(ErrorKind::Exhausted(Exhausted::Stock), message));
        };
        let id = state.next_id("vol");
        let volume = Volume {
            name: request.name.clone(),
            zone,
            kind,
            shareable: request.shareable,
            source: request.source.clone(),
            created: Some(state.now()),
            ..Volume::new(id.clone(), size)
        };
        state.volumes.insert(id, volume.clone());
        Ok(volume)
    }

    async fn get(&self, id: &str) -> Result<Volume> {
        self.state().volume(id).cloned()
    }

    async fn list(&self, request: &PageRequest) -> Result<Page<Volume>> {
        page(self.state().owned().cloned().collect(), |volume| &volume.id, request)
    }

    async fn delete(&self, id: &str) -> Result<()> {
        let mut state = self.state();
        if state.foreign.iter().any(|foreign| foreign == id) {
            return Err(ProviderError::new(ErrorKind::Conflict, format!("the volume {id} is of another owner")));
        }
        let Ok(volume) = state.volume(id) else { return Ok(()) };
        if let Some(attachment) = volume.attachments.first() {
            let message = format!("the volume {id} is attached to {}", attachment.node);
            return Err(ProviderError::new(ErrorKind::InUse, message));
        }
        state.volumes.remove(id);
        Ok(())
    }

    async fn attach(&self, id: &str, node: &str, access: Access) -> Result<Attachment> {
        let mut state = self.state();
        let state = &mut *state;
        let volume = state.volumes.get_mut(id).ok_or_else(|| absent("volume", id))?;
        let home = state.nodes.get(node).ok_or_else(|| absent("node", node))?;
        match plan_attach(volume, node, access)? {
            AttachStep::Done => volume.on(node).cloned().ok_or_else(|| pending(id)),
            AttachStep::Wait => Err(pending(id)),
            AttachStep::Attach if home.zone != volume.zone => {
                let message = format!("the volume {id} is in {}, the node {node} in {}", volume.zone, home.zone);
                Err(ProviderError::new(ErrorKind::InvalidArgument, message))
            }
            AttachStep::Attach => {
                let limit = usize::try_from(home.limit).unwrap_or(usize::MAX);
                if state.volumes.values().filter(|volume| volume.on(node).is_some()).count() >= limit {
                    let message = format!("the node {node} has {limit} volumes and takes no more");
                    return Err(ProviderError::new(ErrorKind::Exhausted(Exhausted::AttachLimit), message));
                }
                let volume = state.volumes.get_mut(id).ok_or_else(|| absent("volume", id))?;
                let device = Some(id.to_owned());
                volume.attachments.push(Attachment { node: node.to_owned(), read_only: access.read_only, device });
                volume.state = VolumeState::Attaching;
                Err(pending(id))
            }
        }
    }

    async fn detach(&self, id: &str, node: Option<&str>) -> Result<()> {
        let mut state = self.state();
        let Ok(volume) = state.volume(id) else { return Ok(()) };
        match plan_detach(volume, node)? {
            DetachStep::Done => Ok(()),
            DetachStep::Wait => Err(pending(id)),
            DetachStep::Detach(nodes) => {
                volume.attachments.retain(|attachment| !nodes.contains(&attachment.node));
                volume.state = VolumeState::Detaching;
                Err(pending(id))
            }
        }
    }

    async fn expand(&self, id: &str, size: SizeRange) -> Result<Volume> {
        can(self.capabilities.expand, "volumes grow")?;
        let mut state = self.state();
        let volume = state.volume(id)?;
        match plan_expand(volume, size, &RULES)? {
            None => Ok(volume.clone()),
            Some(size) => {
                volume.state = VolumeState::Busy(size.to_string());
                Err(pending(id))
            }
        }
    }

    async fn modify(&self, id: &str, parameters: &BTreeMap<String, String>) -> Result<Volume> {
        can(self.capabilities.modify, "volumes change")?;
        let kind = kind(parameters)?;
        let mut state = self.state();
        let volume = state.volume(id)?;
        if parameters.contains_key("kind") {
            volume.kind = kind;
        }
        Ok(volume.clone())
    }

    async fn attach_limit(&self, node: &str) -> Result<u32> {
        self.state().nodes.get(node).map(|node| node.limit).ok_or_else(|| absent("node", node))
    }

    async fn capacity(&self, request: &CapacityRequest) -> Result<Capacity> {
        can(self.capabilities.capacity, "capacity is known")?;
        kind(&request.parameters)?;
        let state = self.state();
        let asked = |zone: &&String| request.zone.as_ref().is_none_or(|asked| asked == *zone);
        let free = state.zones.iter().filter(asked).any(|zone| !state.sold_out.contains(zone));
        Ok(Capacity::new(if free { RULES.most } else { 0 }, RULES.least, RULES.most))
    }

    async fn settled(&self, id: &str) -> Result<Volume> {
        let mut state = self.state();
        state.settle(id);
        state.volume(id).cloned()
    }

    async fn create_snapshot(&self, request: &SnapshotRequest) -> Result<Snapshot> {
        can(self.capabilities.snapshots, "snapshots are taken")?;
        named(&request.name)?;
        let mut state = self.state();
        let found: Vec<Snapshot> =
            state.snapshots.values().filter(|snapshot| snapshot.name == request.name).cloned().collect();
        if let SnapshotStep::Adopt { id } = plan_snapshot(request, &found)? {
            return state.snapshots.get(&id).cloned().ok_or_else(|| absent("snapshot", &id));
        }
        let size = state.volume(&request.volume)?.size;
        let id = state.next_id("snap");
        let snapshot = Snapshot {
            name: request.name.clone(),
            created: Some(state.now()),
            ..Snapshot::new(id.clone(), request.volume.clone(), size)
        };
        state.snapshots.insert(id, snapshot.clone());
        Ok(snapshot)
    }

    async fn get_snapshot(&self, id: &str) -> Result<Snapshot> {
        self.state().snapshots.get(id).cloned().ok_or_else(|| absent("snapshot", id))
    }

    async fn list_snapshots(&self, filter: &SnapshotFilter, request: &PageRequest) -> Result<Page<Snapshot>> {
        let state = self.state();
        let fits = |snapshot: &&Snapshot| filter.volume.as_ref().is_none_or(|volume| *volume == snapshot.volume);
        page(state.snapshots.values().filter(fits).cloned().collect(), |snapshot| &snapshot.id, request)
    }

    async fn delete_snapshot(&self, id: &str) -> Result<()> {
        self.state().snapshots.remove(id);
        Ok(())
    }
}

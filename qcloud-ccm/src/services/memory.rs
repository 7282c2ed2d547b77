//! What a process remembers of Services. All of it can be lost at any moment: what must last stands on the Service and
//! in the tags of the cloud.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::Service;
use qcloud_container::kubernetes::load_balancers::{DeletePolicy, LbRef, ReadContext};
use tokio::time::Instant;

use super::Name;
use super::mark::Mark;

/// What is remembered of a Service.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The newest state that a write or a direct look gave, until the cache has caught up with it.
    pub(super) newest: Option<Arc<Service>>,
    /// What it was given, in case that it goes without being released.
    pub(super) held: Option<(LbRef, DeletePolicy)>,
    /// Whether all of that was taken back, for the Service of this uid.
    pub(super) removed: Option<String>,
    /// The objects that it refers to, as of the last look.
    pub(super) context: Option<ReadContext>,
    /// Whether its targets are its pods, or the nodes that they are on.
    pub(super) follows_pods: bool,
    /// What was last found to be so, or was tried.
    pub(super) tried: Option<Mark>,
    /// What it is of no use to try again, and until when.
    pub(super) refused: Option<Refused>,
    /// Whether the balancer has to be looked at although all is as it was left.
    pub(super) doubted: bool,
    /// When its targets were last changed.
    pub(super) retargeted: Option<Instant>,
    /// The wish for which an event said that it is being worked on.
    pub(super) announced: Option<String>,
    /// The last event of something that went wrong.
    pub(super) complaint: Option<Complaint>,
    /// Since when it has been waiting for the cloud.
    pub(super) waiting: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Refused {
    /// What of the object counts.
    pub(super) object: u64,
    pub(super) mark: Mark,
    pub(super) until: Instant,
}

#[derive(Debug)]
pub(super) struct Complaint {
    /// What it is about, without what differs each time.
    pub(super) about: String,
    pub(super) note: String,
    pub(super) at: Instant,
}

/// By Service.
#[derive(Debug, Default)]
pub(super) struct Memories(Mutex<HashMap<Name, Memory>>);

impl Memories {
    fn all(&self) -> MutexGuard<'_, HashMap<Name, Memory>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at, or changes, what is remembered of a Service.
    pub(super) fn with<T>(&self, name: &Name, change: impl FnOnce(&mut Memory) -> T) -> T {
        let mut all = self.all();
        if let Some(memory) = all.get_mut(name) {
            return change(memory);
        }
        change(all.entry(name.clone()).or_default())
    }

    /// Looks at what is remembered of a Service, if anything is.
    pub(super) fn get<T>(&self, name: &Name, look: impl FnOnce(&Memory) -> T) -> Option<T> {
        self.all().get(name).map(look)
    }

    pub(super) fn forget(&self, name: &Name) {
        self.all().remove(name);
    }

    /// Forgets all but what guards against an old state of the object.
    pub(super) fn released(&self, name: &Name) {
        if let Some(memory) = self.all().get_mut(name) {
            *memory = Memory { newest: memory.newest.take(), ..Memory::default() };
        }
    }

    /// The newest state of a Service: that of the cache, or one that the cache has not caught up with.
    pub(super) fn newest(&self, name: &Name, cached: Option<Arc<Service>>) -> Option<Arc<Service>> {
        let cached = cached?;
        self.get(name, |memory| memory.newest.clone())
            .flatten()
            .filter(|written| is_newer(written, &cached))
            .or(Some(cached))
    }

    /// Notes what a write or a direct look gave.
    pub(super) fn saw(&self, name: &Name, service: &Arc<Service>) {
        self.with(name, |memory| memory.newest = Some(Arc::clone(service)));
    }

    /// Whether a state that the cache tells of is one that is known already.
    pub(super) fn is_echo(&self, name: &Name, cached: &Service) -> bool {
        let mut all = self.all();
        let Some(memory) = all.get_mut(name) else { return false };
        match &memory.newest {
            Some(newest) if newest.metadata.resource_version == cached.metadata.resource_version => {
                memory.newest = None;
                true
            }
            Some(newest) if is_newer(newest, cached) => true,
            _ => {
                memory.newest = None;
                false
            }
        }
    }

    /// Everything went well. A balancer that was looked at is doubted no more.
    pub(super) fn met(&self, name: &Name, looked: bool) {
        self.with(name, |memory| {
            (memory.refused, memory.complaint, memory.waiting, memory.announced) = (None, None, None, None);
            memory.doubted &= !looked;
        });
    }

    /// The Services that have a balancer.
    pub(super) fn holding(&self) -> Vec<Name> {
        self.all().iter().filter(|(_, memory)| memory.held.is_some()).map(|(name, _)| name.clone()).collect()
    }

    /// Whether the balancer has to be looked at.
    pub(super) fn is_doubted(&self, name: &Name) -> bool {
        self.get(name, |memory| memory.doubted).unwrap_or_default()
    }

    /// Lets the balancer be looked at with the next pass.
    pub(super) fn doubt(&self, name: &Name) {
        self.with(name, |memory| memory.doubted = true);
    }
}

/// Whether one state of an object is later than another. Versions are numbers that grow over all objects of a kind; where
/// they are not, the cache is right.
fn is_newer(one: &Service, other: &Service) -> bool {
    let version = |service: &Service| service.metadata.resource_version.as_deref()?.parse::<u64>().ok();
    matches!((version(one), version(other)), (Some(one), Some(other)) if one > other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(version: &str) -> Arc<Service> {
        let mut service = Service::default();
        service.metadata.resource_version = Some(version.to_owned());
        Arc::new(service)
    }

    fn version(service: Option<Arc<Service>>) -> Option<String> {
        service.and_then(|service| service.metadata.resource_version.clone())
    }

    #[test]
    fn a_cache_that_lags_behind_is_not_believed() {
        let (memories, name) = (Memories::default(), Name::new("ns", "name"));
        memories.saw(&name, &service("10"));
        assert_eq!(version(memories.newest(&name, Some(service("9")))).as_deref(), Some("10"));
        assert_eq!(version(memories.newest(&name, Some(service("11")))).as_deref(), Some("11"));
        assert_eq!(version(memories.newest(&name, None)), None);
        // What one wrote oneself is no news, nor is what was before it.
        assert!(memories.is_echo(&name, &service("9")));
        assert!(memories.is_echo(&name, &service("10")));
        assert!(!memories.is_echo(&name, &service("11")));
        // The server of the caches has lost its history: what it says now counts.
        memories.saw(&name, &service("x"));
        assert_eq!(version(memories.newest(&name, Some(service("3")))).as_deref(), Some("3"));
    }
}

//! Changes of EndpointSlices, for the Services whose targets follow their pods.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use futures_util::StreamExt;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use qcloud_container::kubernetes::load_balancers::Endpoint;

use super::{Controller, Name};
use crate::cache::{Cache, Change};

/// On a slice: the name of its Service.
const SERVICE: &str = "kubernetes.io/service-name";

/// The names of the slices of each Service. The slices themselves are in the cache.
#[derive(Debug, Default)]
pub(super) struct Slices(Mutex<HashMap<Name, BTreeSet<String>>>);

impl Slices {
    /// Notes a change; tells whose slice it is.
    pub(super) fn take(&self, change: &Change<EndpointSlice>) -> Option<Name> {
        let slice = change.object();
        let service = service_of(slice)?;
        let name = slice.metadata.name.clone().unwrap_or_default();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match change {
            Change::Applied(_) => {
                all.entry(service.clone()).or_default().insert(name);
            }
            Change::Deleted(_) => {
                if let Some(names) = all.get_mut(&service) {
                    names.remove(&name);
                    if names.is_empty() {
                        all.remove(&service);
                    }
                }
            }
        }
        Some(service)
    }

    /// The pods of a Service.
    pub(super) fn endpoints(&self, cache: &Cache<EndpointSlice>, namespace: &str, service: &str) -> Vec<Endpoint> {
        let service = Name::new(namespace, service);
        let names = {
            let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.get(&service).cloned().unwrap_or_default()
        };
        let slices: Vec<_> = names.iter().filter_map(|name| cache.get(Some(namespace), name)).collect();
        // The label may have changed since the slice was noted.
        let own = slices.iter().filter(|slice| service_of(slice).as_ref() == Some(&service));
        Endpoint::from_slices(own.map(|slice| &**slice))
    }
}

fn service_of(slice: &EndpointSlice) -> Option<Name> {
    let service = slice.metadata.labels.as_ref()?.get(SERVICE)?;
    Some(Name::new(slice.metadata.namespace.as_deref().unwrap_or_default(), service.as_str()))
}

impl Controller {
    pub(super) async fn follow_slices(&self) {
        let mut changes = self.cluster.slices.changes();
        while let Some(change) = changes.next().await {
            let Some(service) = self.slices.take(&change) else { continue };
            if self.memories.get(&service, |memory| memory.follows_pods) == Some(true) {
                // Pods come and go in groups.
                self.queue.add_after(service, self.options.pod_window);
            }
        }
    }
}

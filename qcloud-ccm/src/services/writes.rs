//! Patches of Services. Each carries the version of the object that it was made for, so that it never lands on another
//! one of the same name, nor on one that someone has changed since.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{LoadBalancerIngress, Service};
use kube::Api;
use kube::api::{Patch, PatchParams};
use qcloud_container::kubernetes::load_balancers::annotations::{RECORDED_CLASS, RECORDED_FINGERPRINT, RECORDED_ID};
use qcloud_container::kubernetes::load_balancers::{Ingress, LbStatus};
use serde_json::{Map, Value, json};

use super::claim::{FINALIZER, annotation, has_finalizer};
use super::mark::Mark;
use super::{Controller, Name};
use crate::error::{Error, Result};

/// What is written on a Service for as long as it is held.
pub(super) const RECORDED: [&str; 3] = [RECORDED_ID, RECORDED_FINGERPRINT, RECORDED_CLASS];

/// How often a write is repeated because someone else was faster.
const ATTEMPTS: usize = 5;

#[derive(Clone, Copy, Debug)]
enum Part {
    Main,
    Status,
}

/// What became of one attempt to write.
#[derive(Debug)]
enum Attempt {
    Written(Arc<Service>),
    /// Someone else was faster; this is what the object is now.
    Overtaken(Arc<Service>),
    /// The object is gone, or is another one of that name.
    Gone,
}

impl Controller {
    fn services(&self, name: &Name) -> Api<Service> {
        Api::namespaced(self.cluster.client.clone(), &name.namespace)
    }

    async fn attempt(&self, name: &Name, service: &Service, part: Part, mut patch: Value) -> Result<Attempt> {
        if let Some(patch) = patch.as_object_mut() {
            let metadata = patch.entry("metadata").or_insert_with(|| json!({}));
            if let Some(metadata) = metadata.as_object_mut() {
                metadata.insert("resourceVersion".to_owned(), json!(service.metadata.resource_version));
            }
        }
        let api = self.services(name);
        let params = PatchParams { field_manager: Some("qcloud-ccm".to_owned()), ..PatchParams::default() };
        let patch = Patch::Merge(patch);
        let written = match part {
            Part::Main => api.patch(&name.name, &params, &patch).await,
            Part::Status => api.patch_status(&name.name, &params, &patch).await,
        };
        match written.map_err(Error::from) {
            Ok(written) => {
                let written = Arc::new(written);
                self.memories.saw(name, &written);
                Ok(Attempt::Written(written))
            }
            Err(error) if error.is_gone() => Ok(Attempt::Gone),
            Err(error) if error.is_conflict() => match self.look(name).await? {
                Some(now) if now.metadata.uid == service.metadata.uid => {
                    self.memories.saw(name, &now);
                    // What they changed has to be looked at, and its news may come after that of a later write.
                    self.queue.add(name.clone());
                    Ok(Attempt::Overtaken(now))
                }
                _ => Ok(Attempt::Gone),
            },
            Err(error) => Err(error),
        }
    }

    /// Asks the API server itself.
    pub(super) async fn look(&self, name: &Name) -> Result<Option<Arc<Service>>> {
        Ok(self.services(name).get_opt(&name.name).await?.map(Arc::new))
    }

    /// Writes until it is written. `change` says what is left to change, `None` when nothing is. Gives the object as it is
    /// then, or `None` when it has gone.
    async fn persist(
        &self,
        name: &Name,
        service: &Arc<Service>,
        part: Part,
        change: impl Fn(&Service) -> Option<Value> + Send + Sync,
    ) -> Result<Option<Arc<Service>>> {
        let mut service = Arc::clone(service);
        for _ in 0..ATTEMPTS {
            let Some(patch) = change(&service) else { return Ok(Some(service)) };
            match self.attempt(name, &service, part, patch).await? {
                Attempt::Written(written) => return Ok(Some(written)),
                Attempt::Overtaken(now) => service = now,
                Attempt::Gone => return Ok(None),
            }
        }
        Err(Error::Later {
            reason: "others change the Service all the time".to_owned(),
            after: std::time::Duration::from_secs(5),
        })
    }

    /// Makes sure that the Service can't go before its balancer, and that its mark claims no more than this. `None` when
    /// the Service has changed since it was read: the pass has to begin anew.
    pub(super) async fn hold(&self, name: &Name, service: &Arc<Service>, mark: &Mark) -> Result<Option<Arc<Service>>> {
        let text = mark.text();
        let mut metadata = Map::new();
        if !has_finalizer(service) {
            let mut finalizers = service.metadata.finalizers.clone().unwrap_or_default();
            finalizers.push(FINALIZER.to_owned());
            metadata.insert("finalizers".to_owned(), json!(finalizers));
        }
        let class = self.options.class.as_deref();
        let mut annotations = Map::new();
        if annotation(service, RECORDED_FINGERPRINT) != Some(text.as_str()) {
            annotations.insert(RECORDED_FINGERPRINT.to_owned(), json!(text));
        }
        if annotation(service, RECORDED_CLASS) != class {
            annotations.insert(RECORDED_CLASS.to_owned(), json!(class));
        }
        if !annotations.is_empty() {
            metadata.insert("annotations".to_owned(), Value::Object(annotations));
        }
        if metadata.is_empty() {
            return Ok(Some(Arc::clone(service)));
        }
        match self.attempt(name, service, Part::Main, json!({ "metadata": metadata })).await? {
            Attempt::Written(written) => Ok(Some(written)),
            Attempt::Overtaken(_) | Attempt::Gone => Ok(None),
        }
    }

    /// Writes what is known of the balancer to the Service.
    pub(super) async fn record(
        &self,
        name: &Name,
        service: &Arc<Service>,
        id: Option<&str>,
        mark: &Mark,
    ) -> Result<Option<Arc<Service>>> {
        let text = mark.text();
        let change = |service: &Service| {
            let mut annotations = Map::new();
            if let Some(id) = id.filter(|id| annotation(service, RECORDED_ID) != Some(*id)) {
                annotations.insert(RECORDED_ID.to_owned(), json!(id));
            }
            if annotation(service, RECORDED_FINGERPRINT) != Some(text.as_str()) {
                annotations.insert(RECORDED_FINGERPRINT.to_owned(), json!(text));
            }
            (!annotations.is_empty()).then(|| json!({ "metadata": { "annotations": annotations } }))
        };
        self.persist(name, service, Part::Main, change).await
    }

    /// Writes where the balancer is reached, if the status says something else.
    pub(super) async fn publish(
        &self,
        name: &Name,
        service: &Arc<Service>,
        status: &LbStatus,
    ) -> Result<Option<Arc<Service>>> {
        let change = |service: &Service| {
            let wants = service.spec.as_ref().is_some_and(|spec| spec.type_.as_deref() == Some("LoadBalancer"));
            if !wants || is_published(service, &status.ingress) {
                return None;
            }
            let ingress: Vec<LoadBalancerIngress> = status.ingress.iter().map(LoadBalancerIngress::from).collect();
            Some(json!({ "status": { "loadBalancer": { "ingress": ingress } } }))
        };
        self.persist(name, service, Part::Status, change).await
    }

    /// Takes back what the status says of a balancer.
    pub(super) async fn retract(&self, name: &Name, service: &Arc<Service>) -> Result<Option<Arc<Service>>> {
        let change = |service: &Service| {
            (!ingress(service).is_empty()).then(|| json!({ "status": { "loadBalancer": { "ingress": null } } }))
        };
        self.persist(name, service, Part::Status, change).await
    }

    /// Lets the Service go.
    pub(super) async fn release(&self, name: &Name, service: &Arc<Service>) -> Result<()> {
        let change = |service: &Service| {
            let noted = |name: &str| annotation(service, name).is_some();
            if !RECORDED.into_iter().any(noted) && !has_finalizer(service) {
                return None;
            }
            let kept: Vec<&String> =
                service.metadata.finalizers.iter().flatten().filter(|other| *other != FINALIZER).collect();
            let annotations: Map<_, _> = RECORDED.map(|name| (name.to_owned(), Value::Null)).into_iter().collect();
            Some(json!({ "metadata": { "finalizers": kept, "annotations": annotations } }))
        };
        self.persist(name, service, Part::Main, change).await?;
        Ok(())
    }
}

fn ingress(service: &Service) -> &[LoadBalancerIngress] {
    let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    status.and_then(|status| status.ingress.as_deref()).unwrap_or_default()
}

/// Whether the status names an address at all.
pub(super) fn has_ingress(service: &Service) -> bool {
    !ingress(service).is_empty()
}

fn is_published(service: &Service, wanted: &[Ingress]) -> bool {
    let shown = ingress(service);
    shown.len() == wanted.len()
        && shown.iter().zip(wanted).all(|(shown, wanted)| {
            let wanted = LoadBalancerIngress::from(wanted);
            (&shown.ip, &shown.hostname, &shown.ip_mode) == (&wanted.ip, &wanted.hostname, &wanted.ip_mode)
        })
}

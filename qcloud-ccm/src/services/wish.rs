//! From Services, nodes and EndpointSlices to what a balancer has to be.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Secret, Service as ServiceObject};
use kube::Api;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use qcloud_container::kubernetes::load_balancers::{
    Endpoint, LbLimits, LbSpec, Mode, Node, ReadContext, References, Service, TargetSet, Tls,
};
use qcloud_container::kubernetes::{ErrorKind, ProviderError};

use super::Controller;
use super::mark::Mark;
use crate::error::{Error, Result};

/// How soon an object is asked for again that the controller may not read.
const FORBIDDEN: Duration = Duration::from_secs(60);
/// Where a Secret for TLS has the ids of its certificates.
const CERTIFICATE: &str = "qcloud_cert_id";
const CLIENT_AUTHORITY: &str = "qcloud_ca_cert_id";

/// The balancer that a Service is to have, with its targets, and the mark that says so.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) spec: LbSpec,
    pub(super) mark: Mark,
}

impl Wish {
    /// Whether the targets are pods, or the nodes that pods are on.
    pub(super) fn follows_pods(&self) -> bool {
        follows_pods(&self.spec)
    }
}

fn follows_pods(spec: &LbSpec) -> bool {
    spec.local_traffic || spec.mode == Mode::Direct
}

/// What a Service wants, given all that it depends on.
pub(super) fn read(
    service: &Service,
    context: &ReadContext,
    nodes: &[Node],
    endpoints: impl FnOnce() -> Vec<Endpoint>,
    limits: &LbLimits,
) -> Result<Wish> {
    let Some(mut spec) = LbSpec::read(service, context)? else {
        let message = "the Service wants no balancer of this controller";
        return Err(ProviderError::new(ErrorKind::Conflict, message).into());
    };
    // Traffic for the whole cluster goes to any node; where its pods are does not matter.
    let endpoints = follows_pods(&spec).then(endpoints);
    spec.targets = TargetSet::select(&spec, nodes, endpoints.as_deref(), limits)?;
    limits.check(&spec)?;
    let mark = Mark::read(&spec.fingerprint());
    Ok(Wish { spec, mark })
}

impl Controller {
    /// What a Service wants, with the objects that it refers to in a remembered state.
    pub(super) fn wish(&self, object: &ServiceObject, context: &ReadContext) -> Result<Wish> {
        let service = Service::from(object);
        let endpoints = || self.slices.endpoints(&self.cluster.slices, &service.key.namespace, &service.key.name);
        read(&service, context, &self.nodes.now(), endpoints, &self.limits)
    }

    /// Fetches what a Service refers to.
    pub(super) async fn fetch(&self, service: &Service) -> Result<ReadContext> {
        let references = References::of(service)?;
        let mut context = ReadContext::default();
        context.class.clone_from(&self.options.class);
        let secrets: Api<Secret> = Api::namespaced(self.cluster.client.clone(), &service.key.namespace);
        for name in references.secrets {
            let secret = secrets.get_opt(&name).await.map_err(|error| unreadable("Secret", &name, error))?;
            if let Some(tls) = secret.as_ref().and_then(certificates) {
                context.certificates.insert(name, tls);
            }
        }
        if let Some(name) = references.service_config {
            let kind = GroupVersionKind::gvk("cloud.tencent.com", "v1alpha1", "TkeServiceConfig");
            let kind = ApiResource::from_gvk_with_plural(&kind, "tkeserviceconfigs");
            let configs: Api<DynamicObject> =
                Api::namespaced_with(self.cluster.client.clone(), &service.key.namespace, &kind);
            let config = configs.get_opt(&name).await.map_err(|error| unreadable("TkeServiceConfig", &name, error))?;
            context.service_config = config.map(|object| object.data);
        }
        Ok(context)
    }
}

/// A refusal to show an object is for the operator to mend, who looks at the Service.
fn unreadable(kind: &str, name: &str, error: kube::Error) -> Error {
    match &error {
        kube::Error::Api(status) if status.code == 403 => {
            let message = format!("the controller may not read the {kind} {name}: {}", status.message);
            ProviderError::new(ErrorKind::Unauthorized, message).with_retry_after(FORBIDDEN).into()
        }
        _ => error.into(),
    }
}

/// The certificates that a Secret names; `None` when it names none.
fn certificates(secret: &Secret) -> Option<Tls> {
    let texts: BTreeMap<&str, String> = secret
        .data
        .iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str(), String::from_utf8(value.0.clone()).ok()?)))
        .collect();
    let ids = |key: &str| -> Vec<String> {
        let list = texts.get(key).map(String::as_str).unwrap_or_default();
        list.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect()
    };
    let served = ids(CERTIFICATE);
    if served.is_empty() {
        return None;
    }
    let mut tls = Tls::new(served);
    tls.client_authority = ids(CLIENT_AUTHORITY).into_iter().next();
    Some(tls)
}

/// Whether a Service refers to objects that nobody watches for it.
pub(super) fn has_references(context: &ReadContext) -> bool {
    !context.certificates.is_empty() || context.service_config.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_names_certificates() {
        use k8s_openapi::ByteString;
        let secret = |data: &[(&str, &str)]| Secret {
            data: Some(
                data.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec()))).collect(),
            ),
            ..Secret::default()
        };
        let tls = certificates(&secret(&[(CERTIFICATE, "c-1\n"), (CLIENT_AUTHORITY, "ca-1")])).unwrap();
        assert_eq!(tls.certificates, ["c-1".to_owned()].into());
        assert_eq!(tls.client_authority.as_deref(), Some("ca-1"));
        assert_eq!(certificates(&secret(&[("tls.crt", "x")])), None);
    }
}

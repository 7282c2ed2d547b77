//! The cluster, as all controllers see it.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use axum::body::{Bytes, HttpBody};
use http::{Request, Response};
use k8s_openapi::api::core::v1::{Namespace, Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::client::{Body, ClientBuilder};
use kube::runtime::watcher;
use kube::{Api, Client};
use qcloud_container::kubernetes::ClusterIdentity;

use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::metrics::Metrics;
use crate::patience::Patience;

/// What the controllers share: a client, what is known of the cluster, and where they report.
#[derive(Clone)]
#[non_exhaustive]
pub struct Cluster {
    /// Calls the API server.
    pub client: Client,
    /// All nodes.
    pub nodes: Cache<Node>,
    /// All Services.
    pub services: Cache<Service>,
    /// All EndpointSlices.
    pub slices: Cache<EndpointSlice>,
    /// Writes events; each controller takes [`Events::of`] its own name.
    pub events: Events,
    /// Counts.
    pub metrics: Metrics,
    /// Which cluster it is.
    pub identity: ClusterIdentity,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("identity", &self.identity).field("nodes", &self.nodes).finish_non_exhaustive()
    }
}

impl Cluster {
    /// A cluster, and the work that keeps its caches up to date for as long as it is polled. `instance` is the name of
    /// this process.
    pub fn start(
        client: Client,
        identity: ClusterIdentity,
        metrics: Metrics,
        instance: &str,
    ) -> (Arc<Self>, impl Future<Output = Infallible> + Send) {
        let config = watcher::Config::default;
        // The names of container images are most of a node object.
        let (nodes, node_work) = Cache::start_trimmed(Api::all(client.clone()), config(), |node: &mut Node| {
            if let Some(status) = &mut node.status {
                status.images = None;
            }
        });
        let (services, service_work) = Cache::start(Api::all(client.clone()), config());
        let (slices, slice_work) = Cache::start(Api::all(client.clone()), config());
        let events = Events::new(client.clone(), "qcloud-ccm", instance);
        let cluster = Arc::new(Self { client, nodes, services, slices, events, metrics, identity });
        let work = async move {
            tokio::join!(node_work, service_work, slice_work);
            // Watches never end by themselves.
            std::future::pending().await
        };
        (cluster, work)
    }

    /// Whether everything has been listed once.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.nodes.is_ready() && self.services.is_ready() && self.slices.is_ready()
    }

    /// Waits until everything has been listed once.
    pub async fn ready(&self) {
        tokio::join!(self.nodes.ready(), self.services.ready(), self.slices.ready());
    }
}

/// Which cluster this is: the uid of its namespace `kube-system`, with a name for people.
///
/// # Errors
/// When the namespace can't be read.
pub async fn identify(client: &Client, name: &str) -> Result<ClusterIdentity> {
    let namespace = Api::<Namespace>::all(client.clone()).get("kube-system").await?;
    let uid = namespace.metadata.uid.filter(|uid| !uid.is_empty());
    let uid = uid.ok_or_else(|| Error::Refused("the namespace kube-system has no uid".to_owned()))?;
    Ok(ClusterIdentity::new(uid, name))
}

/// A client over any service that speaks HTTP, with limits on how long that may keep silent.
pub fn client<S, B>(service: S) -> Client
where
    S: tower::Service<Request<Body>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<tower::BoxError>,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<tower::BoxError>,
{
    ClientBuilder::new(service, "default").with_layer(&Patience).build()
}

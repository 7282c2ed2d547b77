//! The program: from its arguments to the services on the socket.

use std::io::IsTerminal;
use std::sync::Arc;

use qcloud_container::kubernetes::ClusterIdentity;
use qcloud_container::provider::rate_limits;
use qcloud_container::provider::volumes::CbsVolumes;
use qcloud_core::Config;
use qcloud_core::transport::{Proxy, ReqwestTransport, Transport};
use tokio::signal::unix::{SignalKind, signal};
use tonic::service::Routes;
use tracing_subscriber::EnvFilter;

use crate::cli::{Arguments, LogFormat};
use crate::controller::ControllerService;
use crate::driver::{BadName, Driver};
use crate::identity::IdentityService;
use crate::node::host::HostError;
use crate::node::metadata::{MetadataError, MetadataServer};
use crate::node::{NodeIdentity, NodeService, this_machine};
use crate::proto::controller_server::ControllerServer;
use crate::proto::identity_server::IdentityServer;
use crate::proto::node_server::NodeServer;
use crate::server::{ServerError, Socket};

/// The part of the account's rates that the driver uses: others have calls to make, too.
const SHARE: f64 = 0.8;

/// Why the program ends.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// An argument is missing.
    #[error("{0}")]
    Missing(&'static str),
    /// The name of the driver can't be used.
    #[error(transparent)]
    Name(#[from] BadName),
    /// The configuration for the cloud makes no sense, or the cloud refuses.
    #[error(transparent)]
    Cloud(#[from] qcloud_core::Error),
    /// The node does not know who it is.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// Volumes can't be mounted on this machine.
    #[error(transparent)]
    Machine(#[from] HostError),
    /// The socket can't be served.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A signal can't be waited for.
    #[error("signals can't be received: {0}")]
    Signals(std::io::Error),
}

/// Starts the log, on the standard error. `RUST_LOG` says how much there is to it, else this level does.
pub fn start_log(format: LogFormat, level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // Whoever has set another log before wants that one.
    _ = match format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
}

/// Serves until the process is told to stop.
///
/// # Errors
/// When it can't serve, saying what to do.
pub async fn run(arguments: &Arguments) -> Result<(), RunError> {
    let driver = Driver::new(&arguments.driver_name)?;
    let mut identity = IdentityService::new(driver.clone());
    let mut services = Routes::default();
    if arguments.mode.has_controller() {
        let config = configuration(arguments).await?;
        services = services.add_service(ControllerServer::new(controller(arguments, driver.clone(), &config)?));
        identity = identity.with_controller(config);
    }
    if arguments.mode.has_node() {
        services = services.add_service(NodeServer::new(node(arguments, &driver).await?));
    }
    services = services.add_service(IdentityServer::new(identity));
    let stop = stop_signal()?;
    let socket = Socket::bind(&arguments.endpoint)?;
    tracing::info!(driver = arguments.driver_name, mode = ?arguments.mode, socket = %socket.path().display(), "serving");
    socket.serve(services, stop).await?;
    tracing::info!("stopped");
    Ok(())
}

/// The configuration for the cloud. Nothing is asked of it yet.
async fn configuration(arguments: &Arguments) -> Result<Config, RunError> {
    let mut builder = Config::builder()
        .application(concat!("qcloud-csi/", env!("CARGO_PKG_VERSION")))
        .rate_limits(rate_limits().with_share(SHARE));
    if let Some(region) = &arguments.region {
        builder = builder.region(region.as_str());
    }
    if let Some(endpoint) = &arguments.api_endpoint {
        builder = builder.endpoint(endpoint.clone());
    }
    let config = builder.load().await?;
    if config.region().is_none() {
        return Err(RunError::Missing("no region is set: give --region ap-guangzhou, or set TENCENTCLOUD_REGION"));
    }
    Ok(config)
}

/// The controller service over the cloud's volumes.
fn controller(arguments: &Arguments, driver: Driver, config: &Config) -> Result<ControllerService, RunError> {
    let id = arguments.cluster_id.as_deref().filter(|id| !id.is_empty()).ok_or(RunError::Missing(
        "the controller needs --cluster-id: the UID of the namespace kube-system, by which it knows its own volumes \
         (kubectl get namespace kube-system -o jsonpath='{.metadata.uid}')",
    ))?;
    let volumes = CbsVolumes::new(config, ClusterIdentity::new(id, &arguments.cluster_name))
        .with_zones(&arguments.zones)
        .with_reserved_attachments(arguments.reserved_attachments);
    Ok(ControllerService::new(driver, Arc::new(volumes)))
}

/// The node service of this machine. It asks nothing of the cloud but who it is, for which no credentials are needed.
async fn node(arguments: &Arguments, driver: &Driver) -> Result<NodeService, RunError> {
    let transport: Arc<dyn Transport> = Arc::new(ReqwestTransport::builder().proxy(Proxy::Direct).build()?);
    let (id, zone) = (arguments.node_id.clone(), arguments.node_zone.clone());
    let identity = NodeIdentity::learn(id, zone, arguments.max_volumes, &MetadataServer::new(transport)).await?;
    tracing::info!(node = identity.id, zone = identity.zone, "this node");
    Ok(NodeService::new(driver, identity, this_machine(&arguments.scratch).await?))
}

/// Resolves at SIGINT or SIGTERM. The handlers are in place when this returns.
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()> + Send, RunError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

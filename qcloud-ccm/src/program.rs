//! The program: from the command line to a running process.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config as KubeConfig};
use qcloud_container::kubernetes::ClusterIdentity;
use qcloud_container::provider::instances::CvmInstances;
use qcloud_container::provider::load_balancers::ClbLoadBalancers;
use qcloud_container::provider::routes::{ClusterTableRoutes, ClusterTableSettings, VpcTableRoutes, VpcTableSettings};
use qcloud_core::Config;
use qcloud_core::environment::ProcessEnvironment;

use crate::cli::Arguments;
use crate::cloud_config::{CloudConfig, CloudConfigError, RoutePlace};
use crate::controllers::{Controllers, Kind};
use crate::error::{Error, Result};
use crate::health::{self, Health};
use crate::logging;
use crate::manager::{Manager, Providers};
use crate::metrics::Metrics;
use crate::patience::Patience;

/// Why the program ends, in words for whoever started it.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Does what the command line says, until a signal says to stop.
///
/// # Errors
/// When it can't begin, or not go on.
pub async fn run(arguments: Arguments) -> Result<(), Failure> {
    #[cfg(feature = "emulator")]
    if arguments.emulator {
        return crate::embedded::run(arguments).await;
    }
    logging::start(arguments.log_format, arguments.verbosity);
    let mut cloud = CloudConfig::load(arguments.cloud_config.as_deref(), &ProcessEnvironment)?;
    cloud.cluster_cidrs.extend(&arguments.cluster_cidr);
    let client = client(arguments.kubeconfig.as_deref()).await?;
    serve(&arguments, &cloud, client, stop_signal()?).await
}

/// Runs one process with this cloud and this API server until `stop` completes.
pub(crate) async fn serve(
    arguments: &Arguments,
    cloud: &CloudConfig,
    client: Client,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), Failure> {
    let (metrics, health) = (Metrics::new(), Health::new());
    let settings = arguments.settings(instance())?;
    let factory = Factory::new(cloud, &settings.controllers, cloud.sdk(&metrics).await?)?;
    let (address, serving) = health::serve(arguments.bind_address, health.clone(), metrics.clone())
        .await
        .map_err(|error| format!("--bind-address {}: {error}", arguments.bind_address))?;
    announce(address, &settings.controllers);
    let manager = Manager::new(client, settings, metrics, health);
    let working = manager.run(|identity| factory.providers(identity), stop);
    tokio::select! {
        result = working => Ok(result?),
        result = serving => Ok(result?),
    }
}

fn announce(address: SocketAddr, controllers: &Controllers) {
    tracing::info!(%controllers, health = %format_args!("http://{address}/healthz"), "qcloud-ccm begins");
}

/// Makes the adapters, all over one limiter.
#[derive(Debug)]
pub(crate) struct Factory {
    sdk: Config,
    cloud: CloudConfig,
    routes: Option<RoutePlace>,
}

impl Factory {
    /// # Errors
    /// When the configuration lacks what the controllers need.
    pub(crate) fn new(cloud: &CloudConfig, controllers: &Controllers, sdk: Config) -> Result<Self, CloudConfigError> {
        cloud.instances()?;
        let routes = if controllers.has(Kind::Route) { cloud.routes()? } else { None };
        if routes.is_none() && controllers.has(Kind::Route) {
            let message = "no place for routes: set `cluster_route_table` or `[route_tables]`";
            if controllers.insists_on(Kind::Route) {
                return Err(CloudConfigError::Incomplete(message.to_owned()));
            }
            tracing::info!("{message}; the route controller does not run");
        }
        Ok(Self { sdk, cloud: cloud.clone(), routes })
    }

    /// The adapters for a cluster.
    pub(crate) fn providers(&self, identity: &ClusterIdentity) -> Result<Providers> {
        let refused = |error: CloudConfigError| Error::Refused(error.to_string());
        let vpc_id = self.cloud.vpc_id().map_err(refused)?;
        let instances = self.cloud.instances().map_err(refused)?;
        let mut providers = Providers::new(Arc::new(CvmInstances::new(&self.sdk, instances)?));
        let networks = self.cloud.cluster_cidrs.iter().copied();
        match &self.routes {
            None => {}
            Some(RoutePlace::ClusterTable(table, create)) => {
                let mut settings = ClusterTableSettings::new(table, vpc_id, networks);
                settings.create = *create;
                providers = providers.with_routes(Arc::new(ClusterTableRoutes::new(&self.sdk, settings)));
            }
            Some(RoutePlace::VpcTables(tables)) => {
                let settings = VpcTableSettings::new(identity.clone(), vpc_id, tables.clone(), networks);
                providers = providers.with_routes(Arc::new(VpcTableRoutes::new(&self.sdk, settings)));
            }
        }
        let options = self.cloud.balancers().map_err(refused)?;
        Ok(providers.with_balancers(Arc::new(ClbLoadBalancers::new(&self.sdk, identity.clone(), options))))
    }
}

/// A client of the API server: of a kubeconfig, or of the pod that this runs in.
async fn client(kubeconfig: Option<&Path>) -> Result<Client, Failure> {
    let config = match kubeconfig {
        Some(path) => {
            let read = Kubeconfig::read_from(path).map_err(|error| format!("--kubeconfig: {error}"))?;
            let config = KubeConfig::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await;
            config.map_err(|error| format!("--kubeconfig {}: {error}", path.display()))?
        }
        None => KubeConfig::incluster().map_err(|error| {
            format!("not in a cluster ({error}); outside of one, --kubeconfig says how to reach it")
        })?,
    };
    Ok(ClientBuilder::try_from(config)?.with_layer(&Patience).build())
}

/// A name for this process that no other one has.
pub(crate) fn instance() -> String {
    let host =
        ["POD_NAME", "HOSTNAME"].iter().find_map(|name| std::env::var(name).ok()).filter(|name| !name.is_empty());
    let host = host.or_else(|| Some(std::fs::read_to_string("/etc/hostname").ok()?.trim().to_owned()));
    format!("{}_{:016x}", host.as_deref().unwrap_or("qcloud-ccm"), fastrand::u64(..))
}

/// Completes at SIGTERM or SIGINT. The handlers are in place when this returns.
pub(crate) fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send> {
    use tokio::signal;
    #[cfg(unix)]
    let (mut interrupt, mut terminate) = {
        use signal::unix::{SignalKind, signal};
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = signal::ctrl_c().await;
        tracing::info!("asked to stop");
    })
}

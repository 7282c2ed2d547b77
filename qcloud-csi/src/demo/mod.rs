//! The driver on an emulated QCloud: to be tried out without an account, a cluster or a disk.

mod cloud;
mod story;

use std::path::PathBuf;
use std::sync::Arc;

use qcloud_container::kubernetes::ClusterIdentity;
use qcloud_container::kubernetes::volumes::Volumes;
use qcloud_container::provider::volumes::CbsVolumes;
use tokio::sync::oneshot;
use tonic::service::Routes;

use crate::cli::Arguments;
use crate::controller::ControllerService;
use crate::driver::Driver;
use crate::identity::IdentityService;
use crate::node::fake::{CloudAttachments, FakeDisks, FakeHost};
use crate::node::{NodeIdentity, NodeService};
use crate::proto::controller_server::ControllerServer;
use crate::proto::identity_server::IdentityServer;
use crate::proto::node_server::NodeServer;
use crate::run::stop_signal;
use crate::server::Socket;

use cloud::Cloud;

/// What a step of the demonstration can't get over.
type Failure = Box<dyn std::error::Error + Send + Sync>;
type Result<T, E = Failure> = std::result::Result<T, E>;

/// A directory for the socket, removed with this.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // It is a temporary one; what can't be removed is cleared away by the system.
        _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Folder {
    fn new() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("qcloud-csi-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }
}

/// Starts an emulated cloud with a node, and the driver on a temporary socket; with `--demo` tells what a volume goes
/// through, otherwise serves until it is stopped.
///
/// # Errors
/// When something does not do what the story says.
pub async fn run(arguments: &Arguments) -> Result<()> {
    let cloud = Cloud::start().await?;
    let driver = Driver::new(&arguments.driver_name)?;
    let identity = ClusterIdentity::new("demonstration", &arguments.cluster_name);
    let volumes: Arc<dyn Volumes> = Arc::new(CbsVolumes::new(&cloud.config, identity).with_zones([&cloud.zone]));
    let disks = FakeDisks::default();
    let attached = Arc::new(CloudAttachments::new(Arc::clone(&volumes), &cloud.node));
    let mut machine = FakeHost::new(disks.clone()).with_attachments(attached);
    if !arguments.demo {
        // Whoever tries the driver out looks whether it makes and removes what it has to.
        machine = machine.with_tangible_paths();
    }
    let node = NodeIdentity { id: cloud.node.clone(), zone: cloud.zone.clone(), max_volumes: arguments.max_volumes };

    let services =
        Routes::new(IdentityServer::new(IdentityService::new(driver.clone()).with_controller(cloud.config.clone())))
            .add_service(NodeServer::new(NodeService::new(&driver, node, Arc::new(machine.clone()))))
            .add_service(ControllerServer::new(ControllerService::new(driver.clone(), volumes)));

    let folder = Folder::new()?;
    let endpoint = format!("unix://{}", folder.0.join("csi.sock").display());
    let stop = stop_signal()?;
    let socket = Socket::bind(&endpoint)?;
    if !arguments.demo {
        announce(&cloud, &driver, &endpoint);
        return Ok(socket.serve(services, stop).await?);
    }

    let (end, ended) = oneshot::channel::<()>();
    let server = tokio::spawn(socket.serve(services, async move {
        _ = ended.await;
    }));
    println!("An emulated QCloud listens on {}; the driver on {endpoint}", cloud.server.endpoint());
    let told = tokio::select! {
        told = story::tell(&endpoint, &cloud, &machine, &disks) => told,
        () = stop => Err("stopped before the end".into()),
    };
    _ = end.send(());
    server.await??;
    told?;
    println!("\nDone after {} calls to the cloud; nothing is left behind.", cloud.server.calls().total());
    Ok(())
}

fn announce(cloud: &Cloud, driver: &Driver, endpoint: &str) {
    println!("An emulated QCloud listens on {}", cloud.server.endpoint());
    println!("The driver {} listens on {endpoint}", driver.name());
    println!("It serves the instance {} in {}, on a machine that is made up.", cloud.node, cloud.zone);
    println!("\nTry it with csc (github.com/rexray/gocsi), or any other client of CSI 1:\n");
    println!("export CSI_ENDPOINT={endpoint}");
    println!("csc identity plugin-info");
    println!("csc controller create-volume --cap SINGLE_NODE_WRITER,mount,ext4 --req-bytes 21474836480 first");
    println!("csc controller publish --cap SINGLE_NODE_WRITER,mount,ext4 --node-id {} <volume id>", cloud.node);
    println!("\nStop it with Ctrl-C.");
}

//! A driver on a socket, with an emulated cloud that has two nodes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use qcloud_container::kubernetes::ClusterIdentity;
use qcloud_container::kubernetes::volumes::Volumes;
use qcloud_container::provider::volumes::CbsVolumes;
use qcloud_core::Config;
use qcloud_core::clock::Clock as _;
use qcloud_core::testing::ManualClock;
use qcloud_core::transport::{HttpRequest, HttpResponse, Transport, TransportError};
use qcloud_csi::controller::ControllerService;
use qcloud_csi::driver::Driver;
use qcloud_csi::identity::IdentityService;
use qcloud_csi::node::fake::{CloudAttachments, FakeDisks, FakeHost};
use qcloud_csi::node::{Host, NodeIdentity, NodeService};
use qcloud_csi::proto::controller_client::ControllerClient;
use qcloud_csi::proto::controller_server::ControllerServer;
use qcloud_csi::proto::identity_client::IdentityClient;
use qcloud_csi::proto::identity_server::IdentityServer;
use qcloud_csi::proto::node_client::NodeClient;
use qcloud_csi::proto::node_server::NodeServer;
use qcloud_csi::proto::volume_capability::access_mode::Mode;
use qcloud_csi::proto::volume_capability::{AccessMode, AccessType, BlockVolume, MountVolume};
use qcloud_csi::proto::{
    CapacityRange, ControllerPublishVolumeRequest, ControllerUnpublishVolumeRequest, CreateSnapshotRequest,
    CreateVolumeRequest, Snapshot, Topology, TopologyRequirement, Volume, VolumeCapability,
};
use qcloud_csi::server::Socket;
use qcloud_cvm::model::{Placement, RunInstances};
use qcloud_emulator::{Clock, Emulator};
use tokio::sync::oneshot;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Response, Status};

pub(crate) const ZONE: &str = "ap-guangzhou-3";
pub(crate) const GIB: i64 = 1 << 30;
/// The size of a volume.
pub(crate) const SIZE: i64 = 20 * GIB;
/// An id of the right form that nothing has.
pub(crate) const NO_DISK: &str = "disk-00000000";
/// A type of disks that the zone has no more of.
pub(crate) const SOLD_OUT: &str = "CLOUD_HSSD";
pub(crate) const NO_NODE: &str = "ins-00000000";

/// The way to the emulator, whose clock follows that of the driver.
#[derive(Clone, Debug)]
struct Wire {
    emulator: Emulator,
    clock: ManualClock,
}

impl Transport for Wire {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        async move {
            let behind = self.clock.now().duration_since(self.emulator.clock().now()).unwrap_or_default();
            self.emulator.clock().advance(behind);
            Ok(self.emulator.handle(request).await)
        }
        .boxed()
    }
}

/// A driver, and clients that reach it by its socket.
pub(crate) struct Lab {
    pub(crate) identity: IdentityClient<Channel>,
    pub(crate) controller: ControllerClient<Channel>,
    /// The node service of `node`, on `machine`.
    pub(crate) on_node: NodeClient<Channel>,
    pub(crate) machine: FakeHost,
    pub(crate) node: String,
    pub(crate) other_node: String,
    clock: ManualClock,
    folder: PathBuf,
    _stop: oneshot::Sender<()>,
}

impl Drop for Lab {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn folder() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("qcloud-csi-sanity-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

impl Lab {
    pub(crate) async fn new() -> Self {
        let clock = ManualClock::auto();
        let emulator = Emulator::builder()
            .sold_out_disk(ZONE, SOLD_OUT)
            .clock(Clock::starting_at(clock.now()))
            .check_responses(true)
            .build()
            .unwrap();
        let config = Config::builder()
            .region("ap-guangzhou")
            .static_credentials(emulator.secret_id(), emulator.secret_key())
            .transport(Wire { emulator, clock: clock.clone() })
            .clock(clock.clone())
            .build()
            .unwrap();
        let nodes = run_instances(&config).await;
        clock.advance(Duration::from_secs(60));

        let volumes = CbsVolumes::new(&config, ClusterIdentity::new("uid-1", "sanity")).with_zones([ZONE]);
        let volumes: Arc<dyn Volumes> = Arc::new(volumes);
        let driver = Driver::default();
        let controller =
            ControllerService::new(driver.clone(), Arc::clone(&volumes)).with_clock(Arc::new(clock.clone()));
        let [node, other_node] = nodes;
        // A machine in memory, which has the disks that the cloud says it has.
        let machine = FakeHost::new(FakeDisks::default())
            .with_attachments(Arc::new(CloudAttachments::new(volumes, node.as_str())));
        let host: Arc<dyn Host> = Arc::new(machine.clone());
        let identity = NodeIdentity { id: node.clone(), zone: ZONE.to_owned(), max_volumes: 18 };
        let on_node = NodeService::new(&driver, identity, host);
        let services = Routes::new(IdentityServer::new(IdentityService::new(driver).with_controller(config)))
            .add_service(ControllerServer::new(controller))
            .add_service(NodeServer::new(on_node));
        let folder = folder();
        let path = folder.join("csi.sock");
        let endpoint = format!("unix://{}", path.display());
        let socket = Socket::bind(&endpoint).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(socket.serve(services, async move { _ = stopped.await }));
        let channel = Endpoint::from_shared(endpoint).unwrap().connect().await.unwrap();
        Self {
            identity: IdentityClient::new(channel.clone()),
            controller: ControllerClient::new(channel.clone()),
            on_node: NodeClient::new(channel),
            machine,
            node,
            other_node,
            clock,
            folder,
            _stop: stop,
        }
    }

    /// A new volume.
    pub(crate) async fn volume(&mut self, name: &str) -> Volume {
        self.create(create(name)).await
    }

    pub(crate) async fn create(&mut self, request: CreateVolumeRequest) -> Volume {
        self.controller.create_volume(request).await.unwrap().into_inner().volume.unwrap()
    }

    /// A new snapshot, which is ready.
    pub(crate) async fn snapshot(&mut self, name: &str, volume: &str) -> Snapshot {
        for _ in 0..100 {
            let answer = self.controller.create_snapshot(snapshot(name, volume)).await.unwrap();
            let taken = answer.into_inner().snapshot.unwrap();
            if taken.ready_to_use {
                return taken;
            }
            self.clock.advance(Duration::from_secs(5));
        }
        panic!("the snapshot {name} does not get ready");
    }
}

async fn run_instances(config: &Config) -> [String; 2] {
    let cvm = qcloud_cvm::Client::new(config);
    let request = RunInstances::new().placement(Placement::new(ZONE)).image_id("img-487zeit5").instance_count(2);
    cvm.run_instances(request).await.unwrap().instance_id_set.try_into().unwrap()
}

/// A file system on one node.
pub(crate) fn mount(mode: Mode) -> VolumeCapability {
    VolumeCapability {
        access_mode: Some(AccessMode { mode: mode.into() }),
        access_type: Some(AccessType::Mount(MountVolume { fs_type: "ext4".to_owned(), ..MountVolume::default() })),
    }
}

/// A raw device.
pub(crate) fn block(mode: Mode) -> VolumeCapability {
    let access_type = Some(AccessType::Block(BlockVolume {}));
    VolumeCapability { access_mode: Some(AccessMode { mode: mode.into() }), access_type }
}

pub(crate) fn zone() -> Topology {
    Topology { segments: [(Driver::default().zone_key(), ZONE.to_owned())].into() }
}

pub(crate) fn create(name: &str) -> CreateVolumeRequest {
    CreateVolumeRequest {
        name: name.to_owned(),
        capacity_range: Some(CapacityRange { required_bytes: SIZE, limit_bytes: 0 }),
        volume_capabilities: vec![mount(Mode::SingleNodeWriter)],
        accessibility_requirements: Some(TopologyRequirement { requisite: vec![zone()], preferred: vec![] }),
        ..CreateVolumeRequest::default()
    }
}

pub(crate) fn snapshot(name: &str, volume: &str) -> CreateSnapshotRequest {
    CreateSnapshotRequest {
        name: name.to_owned(),
        source_volume_id: volume.to_owned(),
        ..CreateSnapshotRequest::default()
    }
}

pub(crate) fn publish(volume: &str, node: &str) -> ControllerPublishVolumeRequest {
    ControllerPublishVolumeRequest {
        volume_id: volume.to_owned(),
        node_id: node.to_owned(),
        volume_capability: Some(mount(Mode::SingleNodeWriter)),
        ..ControllerPublishVolumeRequest::default()
    }
}

pub(crate) fn unpublish(volume: &str, node: &str) -> ControllerUnpublishVolumeRequest {
    ControllerUnpublishVolumeRequest {
        volume_id: volume.to_owned(),
        node_id: node.to_owned(),
        secrets: BTreeMap::new(),
    }
}

/// The code of a call that has to fail.
pub(crate) fn code<T: std::fmt::Debug>(result: Result<Response<T>, Status>) -> Code {
    result.expect_err("the call should fail").code()
}

//! The socket: who may have its place, who may connect, and how it ends.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use qcloud_csi::driver::Driver;
use qcloud_csi::identity::IdentityService;
use qcloud_csi::proto::controller_client::ControllerClient;
use qcloud_csi::proto::controller_server::ControllerServer;
use qcloud_csi::proto::identity_client::IdentityClient;
use qcloud_csi::proto::identity_server::IdentityServer;
use qcloud_csi::proto::plugin_capability::{Service, Type, service};
use qcloud_csi::proto::{
    ControllerGetCapabilitiesRequest, GetPluginCapabilitiesRequest, GetPluginInfoRequest, PluginCapability,
};
use qcloud_csi::server::{ServerError, Socket};
use tokio::sync::oneshot;
use tonic::Code;
use tonic::service::Routes;
use tonic::transport::Endpoint;

use crate::volumes::{publish, slow, volume};

/// A folder of its own, removed with this.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("qcloud-csi-socket-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn socket(&self) -> (PathBuf, String) {
        let path = self.0.join("csi.sock");
        let endpoint = format!("unix://{}", path.display());
        (path, endpoint)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

fn identity() -> Routes {
    Routes::new(IdentityServer::new(IdentityService::new(Driver::default())))
}

#[tokio::test]
async fn a_socket_that_nobody_serves_is_replaced() {
    let folder = Folder::new("stale");
    let (path, endpoint) = folder.socket();
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a process that dies leaves its socket behind");
    let socket = Socket::bind(&endpoint).unwrap();
    assert_eq!(fs::metadata(socket.path()).unwrap().permissions().mode() & 0o777, 0o660);
}

#[tokio::test]
async fn a_socket_that_is_served_is_left_alone() {
    let folder = Folder::new("taken");
    let (path, endpoint) = folder.socket();
    let _other = UnixListener::bind(&path).unwrap();
    assert!(matches!(Socket::bind(&endpoint).unwrap_err(), ServerError::Taken(_)));
    assert!(path.exists());
}

#[tokio::test]
async fn a_file_in_the_place_of_the_socket_is_left_alone() {
    let folder = Folder::new("file");
    let (path, endpoint) = folder.socket();
    fs::write(&path, "precious").unwrap();
    assert!(matches!(Socket::bind(&endpoint).unwrap_err(), ServerError::NotASocket(_)));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn the_network_is_not_served() {
    let error = Socket::bind("tcp://127.0.0.1:0").unwrap_err();
    assert!(error.to_string().contains("unix:///csi/csi.sock"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_stopped_finishes_what_is_under_way_and_tidies_up() {
    let folder = Folder::new("stop");
    let (path, endpoint) = folder.socket();
    let (controller, switch) = slow();
    let id = volume(&controller, "slow").await;
    let socket = Socket::bind(&endpoint).unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let services = identity().add_service(ControllerServer::new(controller));
    let server = tokio::spawn(socket.serve(services, async move { _ = stopped.await }));

    let channel = Endpoint::from_shared(endpoint).unwrap().connect().await.unwrap();
    let mut client = ControllerClient::new(channel.clone());
    let call = tokio::spawn(async move { client.controller_publish_volume(publish(&id)).await });
    // An answer on the same connection: the call before it has arrived.
    IdentityClient::new(channel).get_plugin_info(GetPluginInfoRequest {}).await.unwrap();
    stop.send(()).unwrap();
    switch.send_replace(true);
    call.await.unwrap().unwrap();
    server.await.unwrap().unwrap();
    assert!(!path.exists(), "the socket has to go with the server");
}

#[tokio::test]
async fn a_node_has_no_controller_and_says_so() {
    let folder = Folder::new("node");
    let (_, endpoint) = folder.socket();
    let socket = Socket::bind(&endpoint).unwrap();
    let server = tokio::spawn(socket.serve(identity(), std::future::pending()));
    let channel = Endpoint::from_shared(endpoint).unwrap().connect().await.unwrap();
    let capabilities =
        IdentityClient::new(channel.clone()).get_plugin_capabilities(GetPluginCapabilitiesRequest {}).await.unwrap();
    let controller = Type::Service(Service { r#type: service::Type::ControllerService.into() });
    let claimed = capabilities.into_inner().capabilities;
    assert!(!claimed.contains(&PluginCapability { r#type: Some(controller) }));
    let answer = ControllerClient::new(channel).controller_get_capabilities(ControllerGetCapabilitiesRequest {}).await;
    assert_eq!(answer.unwrap_err().code(), Code::Unimplemented);
    server.abort();
}

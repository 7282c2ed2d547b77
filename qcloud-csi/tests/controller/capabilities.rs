//! What the controller offers is what its volumes can do.

use std::collections::BTreeSet;
use std::sync::Arc;

use qcloud_container::kubernetes::volumes::{InMemoryVolumes, VolumeCapabilities};
use qcloud_csi::controller::ControllerService;
use qcloud_csi::driver::Driver;
use qcloud_csi::proto::ControllerGetCapabilitiesRequest;
use qcloud_csi::proto::controller_server::Controller;
use qcloud_csi::proto::controller_service_capability::Type;
use qcloud_csi::proto::controller_service_capability::rpc;
use tonic::Request;

async fn offered(can: VolumeCapabilities) -> BTreeSet<&'static str> {
    let volumes = InMemoryVolumes::default().with_capabilities(can);
    let controller = ControllerService::new(Driver::default(), Arc::new(volumes));
    let request = Request::new(ControllerGetCapabilitiesRequest {});
    let answer = controller.controller_get_capabilities(request).await.unwrap().into_inner();
    let names = answer.capabilities.into_iter().map(|capability| match capability.r#type {
        Some(Type::Rpc(of)) => rpc::Type::try_from(of.r#type).unwrap().as_str_name(),
        None => panic!("a capability without a type"),
    });
    names.collect()
}

#[tokio::test]
async fn each_capability_of_the_volumes_brings_its_calls() {
    let least = offered(VolumeCapabilities::NONE).await;
    assert!(least.contains("CREATE_DELETE_VOLUME") && least.contains("PUBLISH_UNPUBLISH_VOLUME"), "{least:?}");
    let more = async |set: fn(&mut VolumeCapabilities)| {
        let mut can = VolumeCapabilities::NONE;
        set(&mut can);
        offered(can).await.difference(&least).copied().collect::<Vec<_>>()
    };
    assert_eq!(more(|can| can.expand = true).await, ["EXPAND_VOLUME"]);
    assert_eq!(more(|can| can.modify = true).await, ["MODIFY_VOLUME"]);
    assert_eq!(more(|can| can.capacity = true).await, ["GET_CAPACITY"]);
    let snapshots = ["CREATE_DELETE_SNAPSHOT", "GET_SNAPSHOT", "LIST_SNAPSHOTS"];
    assert_eq!(more(|can| can.snapshots = true).await, snapshots);
    assert_eq!(offered(VolumeCapabilities::default()).await.len(), least.len() + 6);
}

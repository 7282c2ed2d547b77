//! Operations on the same volume at the same time.

use qcloud_csi::proto::controller_server::Controller;
use qcloud_csi::proto::{
    CapacityRange, ControllerExpandVolumeRequest, ControllerGetVolumeRequest, ControllerModifyVolumeRequest,
    ControllerUnpublishVolumeRequest, DeleteVolumeRequest,
};
use tokio::time::Instant;
use tonic::{Code, Request};

use crate::volumes::{NODE, publish, slow, volume};

#[tokio::test(start_paused = true)]
async fn a_second_operation_on_a_volume_is_aborted_at_once() {
    let (controller, switch) = slow();
    let id = volume(&controller, "busy").await;
    let other = volume(&controller, "idle").await;
    let first = tokio::spawn({
        let (controller, id) = (controller.clone(), id.clone());
        async move { controller.controller_publish_volume(Request::new(publish(&id))).await }
    });
    tokio::task::yield_now().await;

    let started = Instant::now();
    let unpublish = ControllerUnpublishVolumeRequest {
        volume_id: id.clone(),
        node_id: NODE.to_owned(),
        ..ControllerUnpublishVolumeRequest::default()
    };
    let expand = ControllerExpandVolumeRequest {
        volume_id: id.clone(),
        capacity_range: Some(CapacityRange { required_bytes: 1 << 40, limit_bytes: 0 }),
        ..ControllerExpandVolumeRequest::default()
    };
    let modify = ControllerModifyVolumeRequest { volume_id: id.clone(), ..ControllerModifyVolumeRequest::default() };
    let delete = DeleteVolumeRequest { volume_id: id.clone(), ..DeleteVolumeRequest::default() };
    for code in [
        controller.controller_publish_volume(Request::new(publish(&id))).await.unwrap_err().code(),
        controller.controller_unpublish_volume(Request::new(unpublish)).await.unwrap_err().code(),
        controller.controller_expand_volume(Request::new(expand)).await.unwrap_err().code(),
        controller.controller_modify_volume(Request::new(modify)).await.unwrap_err().code(),
        controller.delete_volume(Request::new(delete)).await.unwrap_err().code(),
    ] {
        assert_eq!(code, Code::Aborted);
    }

    // Looking is no operation, and others are not held up.
    let get = ControllerGetVolumeRequest { volume_id: id.clone() };
    controller.controller_get_volume(Request::new(get)).await.unwrap();
    let delete = DeleteVolumeRequest { volume_id: other, ..DeleteVolumeRequest::default() };
    controller.delete_volume(Request::new(delete)).await.unwrap();
    assert!(started.elapsed().is_zero(), "nobody waited");

    switch.send_replace(true);
    first.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_frees_the_volume() {
    let (controller, switch) = slow();
    let id = volume(&controller, "left").await;
    let first = tokio::spawn({
        let (controller, id) = (controller.clone(), id.clone());
        async move { controller.controller_publish_volume(Request::new(publish(&id))).await }
    });
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    switch.send_replace(true);
    controller.controller_publish_volume(Request::new(publish(&id))).await.unwrap();
}

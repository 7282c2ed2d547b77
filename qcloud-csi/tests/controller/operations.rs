//! Operations on the same volume at the same time.

use std::time::Duration;

use qcloud_csi::proto::controller_server::Controller;
use qcloud_csi::proto::{
    CapacityRange, ControllerExpandVolumeRequest, ControllerGetVolumeRequest, ControllerModifyVolumeRequest,
    ControllerUnpublishVolumeRequest, DeleteVolumeRequest,
};
use tokio::time::Instant;
use tonic::{Code, Request};

use crate::volumes::{NODE, publish, slow, volume};

/// After which whatever can go on has gone on.
const MOMENT: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn a_second_operation_on_a_volume_is_aborted_at_once() {
    let (controller, switch) = slow();
    let id = volume(&controller, "busy").await;
    let other = volume(&controller, "idle").await;
    let first = tokio::spawn({
        let (controller, id) = (controller.clone(), id.clone());
        async move { controller.controller_publish_volume(Request::new(publish(&id))).await }
    });
    tokio::time::sleep(MOMENT).await;

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
    tokio::time::sleep(MOMENT).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    switch.send_replace(true);
    controller.controller_publish_volume(Request::new(publish(&id))).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_to_the_cloud_is_carried_through_when_its_caller_leaves() {
    let (controller, switch) = slow();
    let id = volume(&controller, "left").await;
    let first = tokio::spawn({
        let (controller, volume_id) = (controller.clone(), id.clone());
        let modify = ControllerModifyVolumeRequest { volume_id, ..ControllerModifyVolumeRequest::default() };
        async move { controller.controller_modify_volume(Request::new(modify)).await }
    });
    tokio::time::sleep(MOMENT).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let delete = || Request::new(DeleteVolumeRequest { volume_id: id.clone(), ..DeleteVolumeRequest::default() });
    assert_eq!(controller.delete_volume(delete()).await.unwrap_err().code(), Code::Aborted);
    switch.send_replace(true);
    tokio::time::sleep(MOMENT).await;
    controller.delete_volume(delete()).await.unwrap();
}

//! What a caller hears when something takes longer than it waits.

use std::time::Duration;

use qcloud_csi::proto::controller_server::Controller;
use qcloud_csi::proto::{
    CapacityRange, ControllerExpandVolumeRequest, ControllerModifyVolumeRequest, ControllerUnpublishVolumeRequest,
};
use tokio::time::Instant;
use tonic::{Code, Request};

use crate::volumes::{NODE, publish, slow, volume};

const PATIENCE: Duration = Duration::from_secs(10);

/// A request of a caller that waits ten seconds.
fn within<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(PATIENCE);
    request
}

#[tokio::test(start_paused = true)]
async fn what_is_not_done_in_time_is_aborted_and_done_later() {
    let (controller, switch) = slow();
    let id = volume(&controller, "slow").await;
    let started = Instant::now();
    let status = controller.controller_publish_volume(within(publish(&id))).await.unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
    assert!(status.message().contains(&id), "{}", status.message());
    let waited = started.elapsed();
    assert!(waited > PATIENCE / 2 && waited < PATIENCE, "the answer has to come before the caller leaves: {waited:?}");

    // The place of the operation is free again, and what was begun is found and finished.
    switch.send_replace(true);
    let started = Instant::now();
    controller.controller_publish_volume(within(publish(&id))).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn what_is_done_in_time_is_answered_at_once() {
    let (controller, switch) = slow();
    let id = volume(&controller, "quick").await;
    let started = Instant::now();
    let publishing = controller.controller_publish_volume(within(publish(&id)));
    let ending = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        switch.send_replace(true);
    };
    let (answer, ()) = tokio::join!(publishing, ending);
    answer.unwrap();
    let waited = started.elapsed();
    assert!(waited >= Duration::from_secs(3) && waited < Duration::from_secs(4), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn taking_back_waits_as_well() {
    let (controller, switch) = slow();
    let id = volume(&controller, "slow").await;
    switch.send_replace(true);
    controller.controller_publish_volume(within(publish(&id))).await.unwrap();
    switch.send_replace(false);

    let unpublish = || {
        within(ControllerUnpublishVolumeRequest {
            volume_id: id.clone(),
            node_id: NODE.to_owned(),
            ..ControllerUnpublishVolumeRequest::default()
        })
    };
    assert_eq!(controller.controller_unpublish_volume(unpublish()).await.unwrap_err().code(), Code::Aborted);
    switch.send_replace(true);
    controller.controller_unpublish_volume(unpublish()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn growing_waits_as_well() {
    let (controller, switch) = slow();
    let id = volume(&controller, "slow").await;
    let expand = || {
        within(ControllerExpandVolumeRequest {
            volume_id: id.clone(),
            capacity_range: Some(CapacityRange { required_bytes: 50 << 30, limit_bytes: 0 }),
            ..ControllerExpandVolumeRequest::default()
        })
    };
    assert_eq!(controller.controller_expand_volume(expand()).await.unwrap_err().code(), Code::Aborted);
    // Another call while it grows does not wait, but says the same.
    let started = Instant::now();
    assert_eq!(controller.controller_expand_volume(expand()).await.unwrap_err().code(), Code::Aborted);
    assert!(started.elapsed().is_zero());

    let id = volume(&controller, "quick").await;
    switch.send_replace(true);
    let expand = ControllerExpandVolumeRequest { volume_id: id, ..expand().into_inner() };
    let grown = controller.controller_expand_volume(within(expand)).await.unwrap().into_inner();
    assert_eq!(grown.capacity_bytes, 50 << 30);
}

#[tokio::test(start_paused = true)]
async fn a_caller_without_a_deadline_is_answered_all_the_same() {
    let (controller, _switch) = slow();
    let id = volume(&controller, "slow").await;
    let started = Instant::now();
    let status = controller.controller_publish_volume(Request::new(publish(&id))).await.unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
    assert!(started.elapsed() <= Duration::from_secs(120));
}

#[tokio::test(start_paused = true)]
async fn a_cloud_that_takes_long_to_answer_is_not_cut_off() {
    let (controller, switch) = slow();
    let volume_id = volume(&controller, "slow").await;
    let modify = || {
        let volume_id = volume_id.clone();
        within(ControllerModifyVolumeRequest { volume_id, ..ControllerModifyVolumeRequest::default() })
    };
    let started = Instant::now();
    assert_eq!(controller.controller_modify_volume(modify()).await.unwrap_err().code(), Code::Aborted);
    let waited = started.elapsed();
    assert!(waited > PATIENCE / 2 && waited < PATIENCE, "the answer has to come before the caller leaves: {waited:?}");
    // It goes on, and nothing else is done on the volume until it has its answer.
    let started = Instant::now();
    assert_eq!(controller.controller_modify_volume(modify()).await.unwrap_err().code(), Code::Aborted);
    assert!(started.elapsed().is_zero());
    switch.send_replace(true);
    tokio::time::sleep(Duration::from_millis(1)).await;
    controller.controller_modify_volume(modify()).await.unwrap();
}

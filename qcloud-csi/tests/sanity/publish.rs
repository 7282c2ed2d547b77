//! Giving volumes to nodes.

use qcloud_csi::driver::DEVICE_SERIAL;
use qcloud_csi::proto::volume_capability::access_mode::Mode;
use qcloud_csi::proto::{
    ControllerGetVolumeRequest, ControllerPublishVolumeRequest, CreateVolumeRequest, DeleteVolumeRequest,
    ListVolumesRequest, NodeGetInfoRequest,
};
use tonic::Code;

use crate::lab::{Lab, NO_DISK, NO_NODE, block, code, create, publish, unpublish};

fn delete(id: &str) -> DeleteVolumeRequest {
    DeleteVolumeRequest { volume_id: id.to_owned(), ..DeleteVolumeRequest::default() }
}

async fn nodes_of(lab: &mut Lab, volume: &str) -> Vec<String> {
    let request = ControllerGetVolumeRequest { volume_id: volume.to_owned() };
    lab.controller.controller_get_volume(request).await.unwrap().into_inner().status.unwrap().published_node_ids
}

#[tokio::test]
async fn publishing_needs_a_volume_a_node_and_a_capability() {
    let mut lab = Lab::new().await;
    let node = lab.node.clone();
    assert_eq!(code(lab.controller.controller_publish_volume(publish("", &node)).await), Code::InvalidArgument);
    assert_eq!(code(lab.controller.controller_publish_volume(publish(NO_DISK, "")).await), Code::InvalidArgument);
    let without = ControllerPublishVolumeRequest { volume_capability: None, ..publish(NO_DISK, &node) };
    assert_eq!(code(lab.controller.controller_publish_volume(without).await), Code::InvalidArgument);
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let mut lab = Lab::new().await;
    let node = lab.node.clone();
    assert_eq!(code(lab.controller.controller_publish_volume(publish(NO_DISK, &node)).await), Code::NotFound);
    let volume = lab.volume("lonely").await;
    for unknown in [NO_NODE, "some-fake-node-id"] {
        let answer = lab.controller.controller_publish_volume(publish(&volume.volume_id, unknown)).await;
        assert_eq!(code(answer), Code::NotFound);
    }
}

#[tokio::test]
async fn a_node_takes_no_more_than_its_limit() {
    let mut lab = Lab::new().await;
    let node = lab.node.clone();
    let mut refused = None;
    // More than any instance takes.
    for number in 0..30 {
        let volume = lab.volume(&format!("limit-{number}")).await;
        if let Err(status) = lab.controller.controller_publish_volume(publish(&volume.volume_id, &node)).await {
            refused = Some((number, status.code()));
            break;
        }
    }
    let promised = lab.on_node.node_get_info(NodeGetInfoRequest {}).await.unwrap().into_inner().max_volumes_per_node;
    assert_eq!(refused, Some((promised, Code::ResourceExhausted)));
}

#[tokio::test]
async fn a_volume_is_not_published_in_two_ways() {
    let mut lab = Lab::new().await;
    let (node, other) = (lab.node.clone(), lab.other_node.clone());
    let volume = lab.volume("one-way").await;
    lab.controller.controller_publish_volume(publish(&volume.volume_id, &node)).await.unwrap();
    let reading = ControllerPublishVolumeRequest { readonly: true, ..publish(&volume.volume_id, &node) };
    assert_eq!(code(lab.controller.controller_publish_volume(reading).await), Code::AlreadyExists);
    let elsewhere = lab.controller.controller_publish_volume(publish(&volume.volume_id, &other)).await.unwrap_err();
    assert_eq!(elsewhere.code(), Code::FailedPrecondition);
    assert!(elsewhere.message().contains(&node), "the node that has it is named: {}", elsewhere.message());
    assert_eq!(code(lab.controller.delete_volume(delete(&volume.volume_id)).await), Code::FailedPrecondition);
}

async fn life(lab: &mut Lab, times: usize) {
    let node = lab.node.clone();
    let volume = lab.volume(&format!("life-{times}")).await;
    let id = &volume.volume_id;
    for _ in 0..times {
        let answer = lab.controller.controller_publish_volume(publish(id, &node)).await.unwrap().into_inner();
        assert!(!answer.publish_context[DEVICE_SERIAL].is_empty());
    }
    assert_eq!(nodes_of(lab, id).await, [&*node]);
    let listed = lab.controller.list_volumes(ListVolumesRequest::default()).await.unwrap().into_inner().entries;
    assert_eq!(listed[0].status.as_ref().unwrap().published_node_ids, [&*node]);
    for _ in 0..times {
        lab.controller.controller_unpublish_volume(unpublish(id, &node)).await.unwrap();
    }
    assert!(nodes_of(lab, id).await.is_empty());
    for _ in 0..times {
        lab.controller.delete_volume(delete(id)).await.unwrap();
    }
}

#[tokio::test]
async fn a_volume_lives_and_ends() {
    life(&mut Lab::new().await, 1).await;
}

#[tokio::test]
async fn every_step_can_be_repeated() {
    life(&mut Lab::new().await, 5).await;
}

#[tokio::test]
async fn unpublishing_needs_a_volume_and_takes_absence_for_success() {
    let mut lab = Lab::new().await;
    let node = lab.node.clone();
    assert_eq!(code(lab.controller.controller_unpublish_volume(unpublish("", &node)).await), Code::InvalidArgument);
    for unknown in [NO_DISK, "reallyfakevolumeid"] {
        lab.controller.controller_unpublish_volume(unpublish(unknown, &node)).await.unwrap();
    }
    let volume = lab.volume("detached").await;
    for node in [&*node, NO_NODE, ""] {
        lab.controller.controller_unpublish_volume(unpublish(&volume.volume_id, node)).await.unwrap();
    }
}

#[tokio::test]
async fn without_a_node_a_volume_is_taken_from_all() {
    let mut lab = Lab::new().await;
    let (node, other) = (lab.node.clone(), lab.other_node.clone());
    let shared = block(Mode::MultiNodeMultiWriter);
    let volume = lab.create(CreateVolumeRequest { volume_capabilities: vec![shared.clone()], ..create("all") }).await;
    for node in [&node, &other] {
        let request = ControllerPublishVolumeRequest {
            volume_capability: Some(shared.clone()),
            ..publish(&volume.volume_id, node)
        };
        lab.controller.controller_publish_volume(request).await.unwrap();
    }
    assert_eq!(nodes_of(&mut lab, &volume.volume_id).await.len(), 2);
    lab.controller.controller_unpublish_volume(unpublish(&volume.volume_id, "")).await.unwrap();
    assert!(nodes_of(&mut lab, &volume.volume_id).await.is_empty());
}

#[tokio::test]
async fn one_node_writes_and_others_read() {
    let mut lab = Lab::new().await;
    let (node, other) = (lab.node.clone(), lab.other_node.clone());
    let mode = block(Mode::MultiNodeSingleWriter);
    let volume = lab.create(CreateVolumeRequest { volume_capabilities: vec![mode.clone()], ..create("shared") }).await;
    let request = |node: &str, readonly| ControllerPublishVolumeRequest {
        volume_capability: Some(mode.clone()),
        readonly,
        ..publish(&volume.volume_id, node)
    };
    lab.controller.controller_publish_volume(request(&node, false)).await.unwrap();
    let second = lab.controller.controller_publish_volume(request(&other, false)).await;
    assert_eq!(code(second), Code::FailedPrecondition, "there is one writer");
    lab.controller.controller_publish_volume(request(&other, true)).await.unwrap();
}

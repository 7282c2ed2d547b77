//! Volumes on a node.

use std::collections::BTreeMap;
use std::path::Path;

use qcloud_csi::node::Host;
use qcloud_csi::proto::node_service_capability::Type;
use qcloud_csi::proto::node_service_capability::rpc;
use qcloud_csi::proto::volume_capability::access_mode::Mode;
use qcloud_csi::proto::{
    CapacityRange, ControllerExpandVolumeRequest, ControllerPublishVolumeRequest, CreateVolumeRequest,
    DeleteVolumeRequest, NodeExpandVolumeRequest, NodeGetCapabilitiesRequest, NodeGetInfoRequest,
    NodeGetVolumeStatsRequest, NodePublishVolumeRequest, NodeStageVolumeRequest, NodeUnpublishVolumeRequest,
    NodeUnstageVolumeRequest, VolumeCapability,
};
use tonic::Code;

use crate::lab::{GIB, Lab, NO_DISK, SIZE, block, code, create, mount, publish, unpublish};

const STAGING: &str = "/sanity/staging";
const TARGET: &str = "/sanity/mount/target";
const OTHER_TARGET: &str = "/sanity/mount/other_target";

fn stage_request(
    volume: &str,
    capability: VolumeCapability,
    context: BTreeMap<String, String>,
) -> NodeStageVolumeRequest {
    NodeStageVolumeRequest {
        volume_id: volume.to_owned(),
        publish_context: context,
        staging_target_path: STAGING.to_owned(),
        volume_capability: Some(capability),
        ..NodeStageVolumeRequest::default()
    }
}

fn publish_request(
    volume: &str,
    capability: VolumeCapability,
    context: BTreeMap<String, String>,
) -> NodePublishVolumeRequest {
    NodePublishVolumeRequest {
        volume_id: volume.to_owned(),
        publish_context: context,
        staging_target_path: STAGING.to_owned(),
        target_path: TARGET.to_owned(),
        volume_capability: Some(capability),
        ..NodePublishVolumeRequest::default()
    }
}

fn unpublish_request(volume: &str) -> NodeUnpublishVolumeRequest {
    NodeUnpublishVolumeRequest { volume_id: volume.to_owned(), target_path: TARGET.to_owned() }
}

fn unstage_request(volume: &str) -> NodeUnstageVolumeRequest {
    NodeUnstageVolumeRequest { volume_id: volume.to_owned(), staging_target_path: STAGING.to_owned() }
}

fn stats_request(volume: &str, path: &str) -> NodeGetVolumeStatsRequest {
    NodeGetVolumeStatsRequest {
        volume_id: volume.to_owned(),
        volume_path: path.to_owned(),
        ..NodeGetVolumeStatsRequest::default()
    }
}

fn expand_request(volume: &str, path: &str, required: i64) -> NodeExpandVolumeRequest {
    NodeExpandVolumeRequest {
        volume_id: volume.to_owned(),
        volume_path: path.to_owned(),
        capacity_range: Some(CapacityRange { required_bytes: required, limit_bytes: 0 }),
        ..NodeExpandVolumeRequest::default()
    }
}

/// A new volume, attached to the node.
async fn attached(lab: &mut Lab, name: &str, capability: &VolumeCapability) -> (String, BTreeMap<String, String>) {
    let request = CreateVolumeRequest { volume_capabilities: vec![capability.clone()], ..create(name) };
    let volume = lab.create(request).await.volume_id;
    let node = lab.node.clone();
    let request =
        ControllerPublishVolumeRequest { volume_capability: Some(capability.clone()), ..publish(&volume, &node) };
    let context = lab.controller.controller_publish_volume(request).await.unwrap().into_inner().publish_context;
    (volume, context)
}

/// A new volume, at the target on the node.
async fn published(lab: &mut Lab, name: &str, capability: &VolumeCapability) -> (String, BTreeMap<String, String>) {
    let (volume, context) = attached(lab, name, capability).await;
    lab.on_node.node_stage_volume(stage_request(&volume, capability.clone(), context.clone())).await.unwrap();
    lab.on_node.node_publish_volume(publish_request(&volume, capability.clone(), context.clone())).await.unwrap();
    (volume, context)
}

#[tokio::test]
async fn capabilities_are_known_ones_each_once() {
    let mut lab = Lab::new().await;
    let answer = lab.on_node.node_get_capabilities(NodeGetCapabilitiesRequest {}).await.unwrap().into_inner();
    let mut claimed = Vec::new();
    for capability in answer.capabilities {
        let Some(Type::Rpc(rpc)) = capability.r#type else { panic!("{capability:?}") };
        assert_ne!(rpc.r#type(), rpc::Type::Unknown);
        assert!(!claimed.contains(&rpc.r#type), "{rpc:?}");
        claimed.push(rpc.r#type);
    }
    assert!(!claimed.is_empty());
}

#[tokio::test]
async fn the_node_is_the_one_that_the_controller_attaches_to() {
    let mut lab = Lab::new().await;
    let info = lab.on_node.node_get_info(NodeGetInfoRequest {}).await.unwrap().into_inner();
    assert_eq!(info.node_id, lab.node);
    assert!(info.max_volumes_per_node >= 0);
    assert_eq!(info.accessible_topology, Some(crate::lab::zone()));
}

#[tokio::test]
async fn staging_needs_a_volume_a_path_and_a_capability() {
    let mut lab = Lab::new().await;
    let good = stage_request(NO_DISK, mount(Mode::SingleNodeWriter), BTreeMap::new());
    for bad in [
        NodeStageVolumeRequest { volume_id: String::new(), ..good.clone() },
        NodeStageVolumeRequest { staging_target_path: String::new(), ..good.clone() },
        NodeStageVolumeRequest { volume_capability: None, ..good },
    ] {
        assert_eq!(code(lab.on_node.node_stage_volume(bad).await), Code::InvalidArgument);
    }
    for bad in [
        NodeUnstageVolumeRequest { volume_id: String::new(), ..unstage_request(NO_DISK) },
        NodeUnstageVolumeRequest { staging_target_path: String::new(), ..unstage_request(NO_DISK) },
    ] {
        assert_eq!(code(lab.on_node.node_unstage_volume(bad).await), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn publishing_needs_a_volume_a_path_and_a_capability() {
    let mut lab = Lab::new().await;
    let good = publish_request(NO_DISK, mount(Mode::SingleNodeWriter), BTreeMap::new());
    for bad in [
        NodePublishVolumeRequest { volume_id: String::new(), ..good.clone() },
        NodePublishVolumeRequest { target_path: String::new(), ..good.clone() },
        NodePublishVolumeRequest { volume_capability: None, ..good },
    ] {
        assert_eq!(code(lab.on_node.node_publish_volume(bad).await), Code::InvalidArgument);
    }
    for bad in [
        NodeUnpublishVolumeRequest { volume_id: String::new(), ..unpublish_request(NO_DISK) },
        NodeUnpublishVolumeRequest { target_path: String::new(), ..unpublish_request(NO_DISK) },
    ] {
        assert_eq!(code(lab.on_node.node_unpublish_volume(bad).await), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn a_single_writer_gets_one_target() {
    let mut lab = Lab::new().await;
    let capability = mount(Mode::SingleNodeSingleWriter);
    let (volume, context) = published(&mut lab, "single-writer", &capability).await;
    let other = NodePublishVolumeRequest {
        target_path: OTHER_TARGET.to_owned(),
        ..publish_request(&volume, capability, context)
    };
    assert_eq!(code(lab.on_node.node_publish_volume(other).await), Code::FailedPrecondition);
}

#[tokio::test]
async fn unpublishing_removes_the_target() {
    let mut lab = Lab::new().await;
    let (volume, _) = published(&mut lab, "removed", &mount(Mode::SingleNodeWriter)).await;
    assert!(lab.machine.exists(Path::new(TARGET)));
    lab.on_node.node_unpublish_volume(unpublish_request(&volume)).await.unwrap();
    assert!(!lab.machine.exists(Path::new(TARGET)));
}

#[tokio::test]
async fn statistics_are_of_a_volume_that_is_there() {
    let mut lab = Lab::new().await;
    let (volume, _) = published(&mut lab, "statistics", &mount(Mode::SingleNodeWriter)).await;
    assert_eq!(code(lab.on_node.node_get_volume_stats(stats_request("", TARGET)).await), Code::InvalidArgument);
    assert_eq!(code(lab.on_node.node_get_volume_stats(stats_request(&volume, "")).await), Code::InvalidArgument);
    for unknown in [NO_DISK, "sanity-no-such-volume"] {
        assert_eq!(code(lab.on_node.node_get_volume_stats(stats_request(unknown, "some/path")).await), Code::NotFound);
    }
    assert_eq!(code(lab.on_node.node_get_volume_stats(stats_request(&volume, "some/path")).await), Code::NotFound);
    let stats = lab.on_node.node_get_volume_stats(stats_request(&volume, TARGET)).await.unwrap().into_inner();
    assert!(stats.usage.iter().any(|usage| usage.total == SIZE), "{stats:?}");
}

#[tokio::test]
async fn growth_needs_a_volume_that_is_there() {
    let mut lab = Lab::new().await;
    assert_eq!(code(lab.on_node.node_expand_volume(expand_request("", TARGET, 0)).await), Code::InvalidArgument);
    assert_eq!(code(lab.on_node.node_expand_volume(expand_request(NO_DISK, "", 0)).await), Code::InvalidArgument);
    assert_eq!(code(lab.on_node.node_expand_volume(expand_request(NO_DISK, "some/path", 0)).await), Code::NotFound);
}

#[tokio::test]
async fn a_published_volume_grows_in_the_cloud_and_then_on_the_node() {
    let mut lab = Lab::new().await;
    let (volume, _) = published(&mut lab, "grown", &mount(Mode::SingleNodeWriter)).await;
    let size = SIZE + 10 * GIB;
    let request = ControllerExpandVolumeRequest {
        volume_id: volume.clone(),
        capacity_range: Some(CapacityRange { required_bytes: size, limit_bytes: 0 }),
        ..ControllerExpandVolumeRequest::default()
    };
    let answer = lab.controller.controller_expand_volume(request).await.unwrap().into_inner();
    assert!(answer.node_expansion_required && answer.capacity_bytes == size, "{answer:?}");
    let answer = lab.on_node.node_expand_volume(expand_request(&volume, TARGET, size)).await.unwrap().into_inner();
    assert_eq!(answer.capacity_bytes, size);
    let stats = lab.on_node.node_get_volume_stats(stats_request(&volume, TARGET)).await.unwrap().into_inner();
    assert!(stats.usage.iter().any(|usage| usage.total == size), "{stats:?}");
}

/// The whole life of a volume, with every call made so many times.
async fn life(name: &str, capability: VolumeCapability, times: usize) {
    let mut lab = Lab::new().await;
    let node = lab.node.clone();
    let request = CreateVolumeRequest { volume_capabilities: vec![capability.clone()], ..create(name) };
    let mut volume = String::new();
    for _ in 0..times {
        volume = lab.create(request.clone()).await.volume_id;
    }
    let request =
        ControllerPublishVolumeRequest { volume_capability: Some(capability.clone()), ..publish(&volume, &node) };
    let mut context = BTreeMap::new();
    for _ in 0..times {
        let answer = lab.controller.controller_publish_volume(request.clone()).await.unwrap();
        context = answer.into_inner().publish_context;
    }
    for _ in 0..times {
        lab.on_node.node_stage_volume(stage_request(&volume, capability.clone(), context.clone())).await.unwrap();
    }
    for _ in 0..times {
        lab.on_node.node_publish_volume(publish_request(&volume, capability.clone(), context.clone())).await.unwrap();
    }
    let stats = lab.on_node.node_get_volume_stats(stats_request(&volume, TARGET)).await.unwrap().into_inner();
    assert!(!stats.usage.is_empty());
    for _ in 0..times {
        lab.on_node.node_unpublish_volume(unpublish_request(&volume)).await.unwrap();
    }
    for _ in 0..times {
        lab.on_node.node_unstage_volume(unstage_request(&volume)).await.unwrap();
    }
    assert!(lab.machine.mounts().await.unwrap().is_empty());
    for _ in 0..times {
        lab.controller.controller_unpublish_volume(unpublish(&volume, &node)).await.unwrap();
    }
    assert_eq!(lab.machine.find(&volume).await.unwrap(), None, "it is still attached");
    for _ in 0..times {
        let request = DeleteVolumeRequest { volume_id: volume.clone(), ..DeleteVolumeRequest::default() };
        lab.controller.delete_volume(request).await.unwrap();
    }
}

#[tokio::test]
async fn a_volume_lives_its_whole_life() {
    life("once", mount(Mode::SingleNodeWriter), 1).await;
    life("raw", block(Mode::SingleNodeWriter), 1).await;
}

#[tokio::test]
async fn every_call_can_be_repeated() {
    life("repeated", mount(Mode::SingleNodeWriter), 10).await;
    life("raw-repeated", block(Mode::SingleNodeWriter), 10).await;
}

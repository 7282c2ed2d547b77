//! Growing volumes and changing their properties.

use qcloud_csi::proto::volume_capability::access_mode::Mode;
use qcloud_csi::proto::{
    CapacityRange, ControllerExpandVolumeRequest, ControllerModifyVolumeRequest, CreateVolumeRequest, VolumeCapability,
};
use tonic::Code;

use crate::lab::{GIB, Lab, NO_DISK, SIZE, block, code, create, mount, publish};

fn expand(id: &str, required_bytes: i64, capability: VolumeCapability) -> ControllerExpandVolumeRequest {
    ControllerExpandVolumeRequest {
        volume_id: id.to_owned(),
        capacity_range: Some(CapacityRange { required_bytes, limit_bytes: 0 }),
        volume_capability: Some(capability),
        ..ControllerExpandVolumeRequest::default()
    }
}

fn modify(id: &str, parameters: &[(&str, &str)]) -> ControllerModifyVolumeRequest {
    let mutable_parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    ControllerModifyVolumeRequest { volume_id: id.to_owned(), mutable_parameters, ..Default::default() }
}

#[tokio::test]
async fn growing_needs_an_id_and_a_size() {
    let mut lab = Lab::new().await;
    let capability = mount(Mode::SingleNodeWriter);
    let without_id = lab.controller.controller_expand_volume(expand("", 30 * GIB, capability.clone())).await;
    assert_eq!(code(without_id), Code::InvalidArgument);
    let without_size =
        ControllerExpandVolumeRequest { capacity_range: None, ..expand(NO_DISK, 30 * GIB, capability.clone()) };
    assert_eq!(code(lab.controller.controller_expand_volume(without_size).await), Code::InvalidArgument);
    let unknown = lab.controller.controller_expand_volume(expand(NO_DISK, 30 * GIB, capability)).await;
    assert_eq!(code(unknown), Code::NotFound);
}

#[tokio::test]
async fn a_volume_grows_and_never_shrinks() {
    let mut lab = Lab::new().await;
    let volume = lab.volume("growing").await;
    let capability = mount(Mode::SingleNodeWriter);
    for _ in 0..2 {
        let request = expand(&volume.volume_id, 30 * GIB, capability.clone());
        let answer = lab.controller.controller_expand_volume(request).await.unwrap().into_inner();
        assert_eq!(answer.capacity_bytes, 30 * GIB);
        assert!(answer.node_expansion_required, "the file system has to grow, too");
    }
    let smaller = expand(&volume.volume_id, SIZE, capability.clone());
    let answer = lab.controller.controller_expand_volume(smaller).await.unwrap().into_inner();
    assert_eq!(answer.capacity_bytes, 30 * GIB);
    let huge = lab.controller.controller_expand_volume(expand(&volume.volume_id, i64::MAX, capability)).await;
    assert_eq!(code(huge), Code::OutOfRange);
}

#[tokio::test]
async fn a_volume_grows_while_a_node_has_it() {
    let mut lab = Lab::new().await;
    let node = lab.node.clone();
    let volume = lab.volume("in-use").await;
    lab.controller.controller_publish_volume(publish(&volume.volume_id, &node)).await.unwrap();
    let request = expand(&volume.volume_id, 40 * GIB, block(Mode::SingleNodeWriter));
    let answer = lab.controller.controller_expand_volume(request).await.unwrap().into_inner();
    assert_eq!(answer.capacity_bytes, 40 * GIB);
    assert!(!answer.node_expansion_required, "a raw device has no file system");
}

#[tokio::test]
async fn changing_needs_an_id_and_a_volume() {
    let mut lab = Lab::new().await;
    assert_eq!(code(lab.controller.controller_modify_volume(modify("", &[])).await), Code::InvalidArgument);
    for unknown in ["non-existing-volume-id", NO_DISK] {
        assert_eq!(code(lab.controller.controller_modify_volume(modify(unknown, &[])).await), Code::NotFound);
    }
}

#[tokio::test]
async fn a_volume_changes_its_type_with_and_without_an_attributes_class() {
    let mut lab = Lab::new().await;
    let plain = lab.volume("plain").await;
    let classy = CreateVolumeRequest {
        mutable_parameters: [("diskType".to_owned(), "CLOUD_SSD".to_owned())].into(),
        ..create("classy")
    };
    let classy = lab.create(classy).await;
    for volume in [plain, classy] {
        for _ in 0..2 {
            let request = modify(&volume.volume_id, &[("diskType", "CLOUD_SSD")]);
            lab.controller.controller_modify_volume(request).await.unwrap();
        }
        let odd = modify(&volume.volume_id, &[("XXX_FakeKey", "XXX_FakeValue")]);
        assert_eq!(code(lab.controller.controller_modify_volume(odd).await), Code::InvalidArgument);
    }
}

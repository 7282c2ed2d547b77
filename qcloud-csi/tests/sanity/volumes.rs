//! Capabilities, capacity, and making, listing, validating and deleting volumes.

use std::collections::HashSet;

use qcloud_csi::proto::controller_service_capability::{Type, rpc};
use qcloud_csi::proto::volume_capability::access_mode::Mode;
use qcloud_csi::proto::volume_content_source::{SnapshotSource, Type as Source, VolumeSource};
use qcloud_csi::proto::{
    CapacityRange, ControllerGetCapabilitiesRequest, ControllerGetVolumeRequest, CreateVolumeRequest,
    DeleteVolumeRequest, GetCapacityRequest, ListVolumesRequest, TopologyRequirement,
    ValidateVolumeCapabilitiesRequest, VolumeContentSource,
};
use tonic::Code;

use crate::lab::{GIB, Lab, NO_DISK, SIZE, SOLD_OUT, block, code, create, mount, zone};

fn from_snapshot(name: &str, snapshot: &str) -> CreateVolumeRequest {
    let source = SnapshotSource { snapshot_id: snapshot.to_owned() };
    let volume_content_source = Some(VolumeContentSource { r#type: Some(Source::Snapshot(source)) });
    CreateVolumeRequest { volume_content_source, ..create(name) }
}

fn sized(name: &str, required_bytes: i64, limit_bytes: i64) -> CreateVolumeRequest {
    CreateVolumeRequest { capacity_range: Some(CapacityRange { required_bytes, limit_bytes }), ..create(name) }
}

fn delete(id: &str) -> DeleteVolumeRequest {
    DeleteVolumeRequest { volume_id: id.to_owned(), ..DeleteVolumeRequest::default() }
}

fn validate(id: &str, modes: &[Mode]) -> ValidateVolumeCapabilitiesRequest {
    ValidateVolumeCapabilitiesRequest {
        volume_id: id.to_owned(),
        volume_capabilities: modes.iter().map(|mode| block(*mode)).collect(),
        ..ValidateVolumeCapabilitiesRequest::default()
    }
}

fn page(max_entries: i32, starting_token: &str) -> ListVolumesRequest {
    ListVolumesRequest { max_entries, starting_token: starting_token.to_owned() }
}

async fn count(lab: &mut Lab) -> usize {
    lab.controller.list_volumes(page(0, "")).await.unwrap().into_inner().entries.len()
}

#[tokio::test]
async fn the_controller_names_known_capabilities_once() {
    let mut lab = Lab::new().await;
    let request = ControllerGetCapabilitiesRequest {};
    let answer = lab.controller.controller_get_capabilities(request).await.unwrap().into_inner();
    let mut seen = HashSet::new();
    for capability in answer.capabilities {
        let Some(Type::Rpc(of)) = capability.r#type else { panic!("a capability without a type") };
        let of = rpc::Type::try_from(of.r#type).unwrap();
        assert!(of != rpc::Type::Unknown && seen.insert(of), "{of:?}");
    }
    assert!(!seen.contains(&rpc::Type::CloneVolume), "there is no cloning");
}

#[tokio::test]
async fn capacity_is_told_without_optional_values() {
    let mut lab = Lab::new().await;
    let answer = lab.controller.get_capacity(GetCapacityRequest::default()).await.unwrap().into_inner();
    assert!(answer.available_capacity > 0);
    assert!(answer.minimum_volume_size < answer.maximum_volume_size);
    let place = GetCapacityRequest { accessible_topology: Some(zone()), ..GetCapacityRequest::default() };
    assert!(lab.controller.get_capacity(place).await.unwrap().into_inner().available_capacity > 0);
}

#[tokio::test]
async fn what_is_sold_out_is_said_so_that_another_zone_is_tried() {
    let mut lab = Lab::new().await;
    let parameters = [("diskType".to_owned(), SOLD_OUT.to_owned())];
    let ask = GetCapacityRequest {
        parameters: parameters.clone().into(),
        accessible_topology: Some(zone()),
        ..Default::default()
    };
    let answer = lab.controller.get_capacity(ask).await.unwrap().into_inner();
    assert_eq!((answer.available_capacity, answer.maximum_volume_size), (0, None));
    let request = CreateVolumeRequest { parameters: parameters.into(), ..create("sold-out") };
    assert_eq!(code(lab.controller.create_volume(request).await), Code::ResourceExhausted);
    let unknown = CreateVolumeRequest { parameters: [("dskType".to_owned(), String::new())].into(), ..create("typo") };
    assert_eq!(code(lab.controller.create_volume(unknown).await), Code::InvalidArgument);
}

#[tokio::test]
async fn a_list_refuses_a_token_that_no_page_gave() {
    let mut lab = Lab::new().await;
    assert_eq!(code(lab.controller.list_volumes(page(0, "invalid-token")).await), Code::Aborted);
    assert_eq!(code(lab.controller.list_volumes(page(-1, "")).await), Code::InvalidArgument);
}

#[tokio::test]
async fn a_list_has_new_volumes_and_no_deleted_ones() {
    let mut lab = Lab::new().await;
    let before = count(&mut lab).await;
    let volume = lab.volume("listed").await;
    assert_eq!(count(&mut lab).await, before + 1);
    lab.controller.delete_volume(delete(&volume.volume_id)).await.unwrap();
    assert_eq!(count(&mut lab).await, before);
}

#[tokio::test]
async fn a_list_comes_in_pages() {
    let mut lab = Lab::new().await;
    let mut made = HashSet::new();
    for number in 0..5 {
        made.insert(lab.volume(&format!("page-{number}")).await.volume_id);
    }
    let first = lab.controller.list_volumes(page(3, "")).await.unwrap().into_inner();
    assert_eq!(first.entries.len(), 3);
    // The last one of the page goes, and another one comes.
    let gone = first.entries[2].volume.as_ref().unwrap().volume_id.clone();
    lab.controller.delete_volume(delete(&gone)).await.unwrap();
    made.insert(lab.volume("page-late").await.volume_id);
    let rest = lab.controller.list_volumes(page(0, &first.next_token)).await.unwrap().into_inner();
    assert!(rest.next_token.is_empty());
    let seen: HashSet<String> =
        first.entries.into_iter().chain(rest.entries).map(|entry| entry.volume.unwrap().volume_id).collect();
    assert_eq!(seen, made);
}

#[tokio::test]
async fn a_volume_needs_a_name_and_capabilities() {
    let mut lab = Lab::new().await;
    assert_eq!(code(lab.controller.create_volume(create("")).await), Code::InvalidArgument);
    let without = CreateVolumeRequest { volume_capabilities: vec![], ..create("no-capabilities") };
    assert_eq!(code(lab.controller.create_volume(without).await), Code::InvalidArgument);
    let odd = CreateVolumeRequest { volume_capabilities: vec![mount(Mode::Unknown)], ..create("no-mode") };
    assert_eq!(code(lab.controller.create_volume(odd).await), Code::InvalidArgument);
}

#[tokio::test]
async fn a_volume_can_be_had_without_a_capacity() {
    let mut lab = Lab::new().await;
    let volume = lab.create(CreateVolumeRequest { capacity_range: None, ..create("no-capacity") }).await;
    assert!(!volume.volume_id.is_empty() && volume.capacity_bytes > 0);
}

#[tokio::test]
async fn a_volume_has_the_capacity_and_the_place_that_are_wanted() {
    let mut lab = Lab::new().await;
    let volume = lab.create(sized("small", GIB, 0)).await;
    assert!(volume.capacity_bytes >= GIB);
    assert_eq!(volume.accessible_topology, [zone()]);
    let odd = lab.create(sized("odd", 21 * GIB, 0)).await;
    assert!(odd.capacity_bytes >= 21 * GIB, "rounded up, not down: {}", odd.capacity_bytes);
    assert_eq!(code(lab.controller.create_volume(sized("none", 21 * GIB, 22 * GIB)).await), Code::OutOfRange);
    assert_eq!(code(lab.controller.create_volume(sized("huge", i64::MAX, 0)).await), Code::OutOfRange);
}

#[tokio::test]
async fn the_same_request_gives_the_same_volume() {
    let mut lab = Lab::new().await;
    let first = lab.volume("twice").await;
    let second = lab.volume("twice").await;
    assert_eq!(first, second);
    assert_eq!(count(&mut lab).await, 1);
}

#[tokio::test]
async fn a_name_stands_for_one_volume_only() {
    let mut lab = Lab::new().await;
    let volume = lab.create(sized("different", SIZE, SIZE)).await;
    assert_eq!(volume.capacity_bytes, SIZE);
    let other = lab.controller.create_volume(sized("different", 2 * SIZE, 2 * SIZE)).await;
    assert_eq!(code(other), Code::AlreadyExists);
}

#[tokio::test]
async fn the_longest_name_is_taken_whole() {
    let mut lab = Lab::new().await;
    let (one, two) = (format!("{}1", "n".repeat(127)), format!("{}2", "n".repeat(127)));
    let first = lab.volume(&one).await;
    assert_eq!(lab.volume(&one).await, first);
    assert_ne!(lab.volume(&two).await.volume_id, first.volume_id);
    assert_eq!(code(lab.controller.create_volume(create(&"n".repeat(129))).await), Code::InvalidArgument);
}

#[tokio::test]
async fn a_volume_is_made_from_a_snapshot() {
    let mut lab = Lab::new().await;
    let volume = lab.volume("source").await;
    let snapshot = lab.snapshot("of-source", &volume.volume_id).await;
    let copy = lab.create(from_snapshot("copy", &snapshot.snapshot_id)).await;
    assert_ne!(copy.volume_id, volume.volume_id);
    assert!(copy.capacity_bytes >= snapshot.size_bytes);
    let source = copy.content_source.unwrap().r#type.unwrap();
    assert_eq!(source, Source::Snapshot(SnapshotSource { snapshot_id: snapshot.snapshot_id }));
}

#[tokio::test]
async fn a_volume_is_not_made_from_what_does_not_exist() {
    let mut lab = Lab::new().await;
    for unknown in ["non-existing-snapshot-id", "snap-00000000"] {
        assert_eq!(code(lab.controller.create_volume(from_snapshot("copy", unknown)).await), Code::NotFound);
    }
}

#[tokio::test]
async fn a_volume_is_not_cloned() {
    let mut lab = Lab::new().await;
    let volume = lab.volume("original").await;
    let source = Source::Volume(VolumeSource { volume_id: volume.volume_id });
    let volume_content_source = Some(VolumeContentSource { r#type: Some(source) });
    let clone = CreateVolumeRequest { volume_content_source, ..create("clone") };
    assert_eq!(code(lab.controller.create_volume(clone).await), Code::InvalidArgument);
}

#[tokio::test]
async fn an_attributes_class_is_heeded_and_checked() {
    let mut lab = Lab::new().await;
    let with = |name: &str, key: &str, value: &str| CreateVolumeRequest {
        mutable_parameters: [(key.to_owned(), value.to_owned())].into(),
        ..create(name)
    };
    lab.create(with("fast", "diskType", "CLOUD_SSD")).await;
    let other = lab.controller.create_volume(with("fast", "diskType", "CLOUD_HSSD")).await;
    assert_eq!(code(other), Code::AlreadyExists, "the type of the class has become the volume's");
    let odd = lab.controller.create_volume(with("odd", "XXX_FakeKey", "XXX_FakeValue")).await;
    assert_eq!(code(odd), Code::InvalidArgument);
}

#[tokio::test]
async fn a_place_that_no_zone_serves_is_refused() {
    let mut lab = Lab::new().await;
    let mut place = zone();
    place.segments = [("rack".to_owned(), "7".to_owned())].into();
    let requirement = TopologyRequirement { requisite: vec![place], preferred: vec![] };
    let request = CreateVolumeRequest { accessibility_requirements: Some(requirement), ..create("rack") };
    assert_eq!(code(lab.controller.create_volume(request).await), Code::InvalidArgument);
}

#[tokio::test]
async fn deleting_needs_an_id_and_nothing_else() {
    let mut lab = Lab::new().await;
    assert_eq!(code(lab.controller.delete_volume(delete("")).await), Code::InvalidArgument);
    for unknown in ["reallyfakevolumeid", NO_DISK] {
        lab.controller.delete_volume(delete(unknown)).await.unwrap();
    }
    let volume = lab.volume("short-lived").await;
    lab.controller.delete_volume(delete(&volume.volume_id)).await.unwrap();
    lab.controller.delete_volume(delete(&volume.volume_id)).await.unwrap();
}

#[tokio::test]
async fn validating_needs_an_id_and_capabilities() {
    let mut lab = Lab::new().await;
    let volume = lab.volume("valid").await;
    let some = [Mode::SingleNodeWriter];
    assert_eq!(code(lab.controller.validate_volume_capabilities(validate("", &some)).await), Code::InvalidArgument);
    let none = validate(&volume.volume_id, &[]);
    assert_eq!(code(lab.controller.validate_volume_capabilities(none).await), Code::InvalidArgument);
    let unknown = validate(NO_DISK, &some);
    assert_eq!(code(lab.controller.validate_volume_capabilities(unknown).await), Code::NotFound);
}

#[tokio::test]
async fn what_a_volume_can_do_is_confirmed_and_nothing_else() {
    let mut lab = Lab::new().await;
    let volume = lab.volume("confirmed").await;
    let request = validate(&volume.volume_id, &[Mode::SingleNodeWriter]);
    let wanted = request.volume_capabilities.clone();
    let answer = lab.controller.validate_volume_capabilities(request).await.unwrap().into_inner();
    assert_eq!(answer.confirmed.unwrap().volume_capabilities, wanted);

    let shared = validate(&volume.volume_id, &[Mode::SingleNodeWriter, Mode::MultiNodeMultiWriter]);
    let answer = lab.controller.validate_volume_capabilities(shared).await.unwrap().into_inner();
    assert_eq!(answer.confirmed, None);
    assert!(answer.message.contains(&volume.volume_id), "{}", answer.message);
}

#[tokio::test]
async fn a_volume_can_be_looked_at() {
    let mut lab = Lab::new().await;
    let volume = lab.volume("seen").await;
    let get = |id: &str| ControllerGetVolumeRequest { volume_id: id.to_owned() };
    let answer = lab.controller.controller_get_volume(get(&volume.volume_id)).await.unwrap().into_inner();
    assert_eq!(answer.volume.unwrap().volume_id, volume.volume_id);
    let status = answer.status.unwrap();
    assert!(status.published_node_ids.is_empty());
    assert!(!status.volume_condition.unwrap().abnormal);
    assert_eq!(code(lab.controller.controller_get_volume(get(NO_DISK)).await), Code::NotFound);
    assert_eq!(code(lab.controller.controller_get_volume(get("")).await), Code::InvalidArgument);
}

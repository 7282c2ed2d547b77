//! The identity service.

use qcloud_csi::proto::plugin_capability::{Type, service, volume_expansion};
use qcloud_csi::proto::{GetPluginCapabilitiesRequest, GetPluginInfoRequest, ProbeRequest};

use crate::lab::Lab;

#[tokio::test]
async fn the_plugin_names_known_capabilities_only() {
    let mut lab = Lab::new().await;
    let answer = lab.identity.get_plugin_capabilities(GetPluginCapabilitiesRequest {}).await.unwrap().into_inner();
    let mut services = Vec::new();
    for capability in answer.capabilities {
        match capability.r#type.unwrap() {
            Type::Service(of) => services.push(service::Type::try_from(of.r#type).unwrap()),
            Type::VolumeExpansion(of) => {
                assert_eq!(of.r#type, i32::from(volume_expansion::Type::Online));
            }
        }
    }
    assert_eq!(services, [service::Type::ControllerService, service::Type::VolumeAccessibilityConstraints]);
}

#[tokio::test]
async fn the_plugin_is_ready() {
    let mut lab = Lab::new().await;
    let answer = lab.identity.probe(ProbeRequest {}).await.unwrap().into_inner();
    assert_eq!(answer.ready, Some(true));
}

#[tokio::test]
async fn the_plugin_has_a_name_and_a_version() {
    let mut lab = Lab::new().await;
    let answer = lab.identity.get_plugin_info(GetPluginInfoRequest {}).await.unwrap().into_inner();
    assert!((1..=63).contains(&answer.name.len()));
    assert!(answer.name.chars().all(|character| character.is_ascii_alphanumeric() || "-._".contains(character)));
    assert!(answer.name.starts_with(|first: char| first.is_ascii_alphabetic()));
    assert!(answer.name.ends_with(|last: char| last.is_ascii_alphabetic()));
    assert_eq!(answer.vendor_version, env!("CARGO_PKG_VERSION"));
}

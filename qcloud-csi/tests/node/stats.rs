//! How full volumes are, and how they are; and what the service says of itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use qcloud_csi::node::fake::Attachments;
use qcloud_csi::node::host::{Health, Result};
use qcloud_csi::proto::node_server::Node;
use qcloud_csi::proto::node_service_capability::{Type, rpc};
use qcloud_csi::proto::volume_capability::access_mode::Mode;
use qcloud_csi::proto::volume_usage::Unit;
use qcloud_csi::proto::{NodeGetCapabilitiesRequest, NodeGetInfoRequest};
use tokio::sync::watch;
use tokio::time::Instant;
use tonic::{Code, Request};

use crate::lab::{DISK, Lab, SIZE, block, code, mount, target};

#[tokio::test]
async fn a_filesystem_tells_bytes_and_inodes() {
    let lab = Lab::new();
    lab.stage(mount(Mode::SingleNodeWriter)).await.unwrap();
    lab.publish(mount(Mode::SingleNodeWriter), 1, false).await.unwrap();
    lab.host.write(&target(1).join("a"), &[0; 1000]).unwrap();
    let stats = lab.stats(DISK, &target(1)).await.unwrap();
    let [bytes, inodes] = &stats.usage[..] else { panic!("{stats:?}") };
    assert_eq!((bytes.unit(), bytes.total, bytes.used), (Unit::Bytes, SIZE as i64, 1000));
    assert_eq!(bytes.available, SIZE as i64 - 1000);
    assert_eq!((inodes.unit(), inodes.used), (Unit::Inodes, 1));
    assert!(!stats.volume_condition.unwrap().abnormal);
}

#[tokio::test]
async fn a_raw_device_tells_its_size() {
    let lab = Lab::new();
    lab.publish(block(Mode::SingleNodeWriter), 1, false).await.unwrap();
    let stats = lab.stats(DISK, &target(1)).await.unwrap();
    assert_eq!(stats.usage.len(), 1);
    assert_eq!((stats.usage[0].unit(), stats.usage[0].total), (Unit::Bytes, SIZE as i64));
}

#[tokio::test]
async fn a_volume_that_is_unwell_says_why() {
    let lab = Lab::new();
    lab.stage(mount(Mode::SingleNodeWriter)).await.unwrap();
    lab.publish(mount(Mode::SingleNodeWriter), 1, false).await.unwrap();
    lab.host.set_health(&target(1), Health::Degraded("it takes no writes any more".to_owned()));
    let stats = lab.stats(DISK, &target(1)).await.unwrap();
    let condition = stats.volume_condition.unwrap();
    assert!(condition.abnormal && condition.message.contains("no writes"), "{condition:?}");
    assert_eq!(stats.usage.len(), 2);

    lab.host.detach(DISK);
    let stats = lab.stats(DISK, &target(1)).await.unwrap();
    let condition = stats.volume_condition.unwrap();
    assert!(condition.abnormal && condition.message.contains("gone"), "{condition:?}");
    assert!(stats.usage.is_empty());
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let lab = Lab::new();
    lab.stage(mount(Mode::SingleNodeWriter)).await.unwrap();
    lab.publish(mount(Mode::SingleNodeWriter), 1, false).await.unwrap();
    for (volume, path) in [(DISK, "some/path"), (DISK, "/elsewhere"), ("disk-00000000", "some/path")] {
        assert_eq!(code(lab.stats(volume, Path::new(path)).await), Code::NotFound, "{volume} {path}");
    }
    assert_eq!(code(lab.stats("disk-00000000", &target(1)).await), Code::NotFound);
    assert_eq!(code(lab.stats("", &target(1)).await), Code::InvalidArgument);
    assert_eq!(code(lab.stats(DISK, Path::new("")).await), Code::InvalidArgument);
}

/// A cloud whose disks do not answer until the switch is on.
#[derive(Debug)]
struct Hanging(watch::Receiver<bool>);

#[async_trait]
impl Attachments for Hanging {
    async fn attached(&self) -> Result<BTreeMap<String, u64>> {
        _ = self.0.clone().wait_for(|answers| *answers).await;
        Ok(BTreeMap::from([(DISK.to_owned(), SIZE)]))
    }
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_does_not_answer_holds_up_one_look_and_nobody_for_long() {
    let (switch, answers) = watch::channel(true);
    let mut lab = Lab::new();
    lab.host = lab.host.with_attachments(Arc::new(Hanging(answers)));
    lab.restart();
    lab.stage(mount(Mode::SingleNodeWriter)).await.unwrap();
    lab.publish(mount(Mode::SingleNodeWriter), 1, false).await.unwrap();

    switch.send_replace(false);
    let started = Instant::now();
    assert_eq!(code(lab.stats(DISK, &target(1)).await), Code::Unavailable);
    assert!(started.elapsed() <= Duration::from_secs(10), "{:?}", started.elapsed());
    let started = Instant::now();
    assert_eq!(code(lab.stats(DISK, &target(1)).await), Code::Aborted, "the first look is still under way");
    assert!(started.elapsed().is_zero());

    switch.send_replace(true);
    tokio::time::sleep(Duration::from_millis(1)).await;
    lab.stats(DISK, &target(1)).await.unwrap();
}

#[tokio::test]
async fn the_node_says_who_it_is_and_what_it_can() {
    let service = Lab::new().service();
    let info = service.node_get_info(Request::new(NodeGetInfoRequest {})).await.unwrap().into_inner();
    assert_eq!((info.node_id.as_str(), info.max_volumes_per_node), ("ins-1", 18));
    let segments = info.accessible_topology.unwrap().segments;
    assert_eq!(segments["topology.com.tencent.cloud.csi.cbs/zone"], "ap-guangzhou-3");

    let answer = service.node_get_capabilities(Request::new(NodeGetCapabilitiesRequest {})).await.unwrap();
    let mut claimed: Vec<rpc::Type> = answer
        .into_inner()
        .capabilities
        .into_iter()
        .map(|capability| match capability.r#type {
            Some(Type::Rpc(rpc)) => rpc.r#type(),
            None => rpc::Type::Unknown,
        })
        .collect();
    claimed.sort_by_key(|each| *each as i32);
    assert_eq!(
        claimed,
        [
            rpc::Type::StageUnstageVolume,
            rpc::Type::GetVolumeStats,
            rpc::Type::ExpandVolume,
            rpc::Type::VolumeCondition,
            rpc::Type::SingleNodeMultiWriter,
        ]
    );
}

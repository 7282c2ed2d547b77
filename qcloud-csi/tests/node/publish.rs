//! The table of what a second publication is answered with, cell by cell, and the rest of publishing.

use std::path::Path;

use qcloud_csi::node::Host;
use qcloud_csi::node::host::Health;
use qcloud_csi::proto::NodeUnpublishVolumeRequest;
use qcloud_csi::proto::node_server::Node;
use qcloud_csi::proto::volume_capability::access_mode::Mode;
use tonic::{Code, Request};

use crate::lab::{DISK, Lab, block, code, mount, mount_as, publish, stage, staging, target, text};

const SEVERAL_TARGETS: [Mode; 2] = [Mode::SingleNodeMultiWriter, Mode::MultiNodeReaderOnly];
const ONE_TARGET: [Mode; 3] = [Mode::SingleNodeWriter, Mode::SingleNodeSingleWriter, Mode::SingleNodeReaderOnly];
const SEVERAL_TARGETS_RAW: [Mode; 4] =
    [Mode::SingleNodeMultiWriter, Mode::MultiNodeReaderOnly, Mode::MultiNodeSingleWriter, Mode::MultiNodeMultiWriter];

/// A disk with a filesystem, staged in a mode and published for pod 1.
async fn published(mode: Mode) -> Lab {
    let lab = Lab::new();
    // A reader finds what a writer made.
    lab.stage(mount(Mode::SingleNodeWriter)).await.unwrap();
    lab.unstage().await.unwrap();
    lab.stage(mount(mode)).await.unwrap();
    lab.publish(mount(mode), 1, false).await.unwrap();
    lab
}

async fn published_raw(mode: Mode) -> Lab {
    let lab = Lab::new();
    lab.stage(block(mode)).await.unwrap();
    lab.publish(block(mode), 1, false).await.unwrap();
    lab
}

fn reads_only(mode: Mode) -> bool {
    matches!(mode, Mode::SingleNodeReaderOnly | Mode::MultiNodeReaderOnly)
}

#[tokio::test]
async fn same_target_same_arguments_is_ok() {
    for mode in SEVERAL_TARGETS.into_iter().chain(ONE_TARGET) {
        let lab = published(mode).await;
        let before = lab.mounts().await;
        lab.publish(mount(mode), 1, false).await.unwrap();
        assert_eq!(lab.mounts().await, before, "{mode:?}");
    }
    for mode in SEVERAL_TARGETS_RAW.into_iter().chain(ONE_TARGET) {
        let lab = published_raw(mode).await;
        lab.publish(block(mode), 1, false).await.unwrap();
        assert_eq!(lab.mounts().await, 1, "{mode:?}");
    }
}

#[tokio::test]
async fn same_target_other_arguments_already_exists() {
    for mode in SEVERAL_TARGETS.into_iter().chain(ONE_TARGET) {
        let lab = published(mode).await;
        if !reads_only(mode) {
            assert_eq!(code(lab.publish(mount(mode), 1, true).await), Code::AlreadyExists, "{mode:?}");
        }
        assert_eq!(code(lab.publish(mount_as(mode, "xfs", &[]), 1, false).await), Code::AlreadyExists, "{mode:?}");
        assert_eq!(code(lab.publish(block(mode), 1, false).await), Code::AlreadyExists, "{mode:?}");
    }
    for mode in SEVERAL_TARGETS_RAW.into_iter().chain(ONE_TARGET) {
        let lab = published_raw(mode).await;
        if !reads_only(mode) {
            assert_eq!(code(lab.publish(block(mode), 1, true).await), Code::AlreadyExists, "{mode:?}");
        }
    }
}

#[tokio::test]
async fn another_target_same_arguments() {
    for mode in SEVERAL_TARGETS {
        let lab = published(mode).await;
        lab.publish(mount(mode), 2, false).await.unwrap();
        assert_eq!(lab.mounts().await, 3, "{mode:?}");
    }
    for mode in SEVERAL_TARGETS_RAW {
        let lab = published_raw(mode).await;
        lab.publish(block(mode), 2, false).await.unwrap();
        assert_eq!(lab.mounts().await, 2, "{mode:?}");
    }
    for mode in ONE_TARGET {
        let lab = published(mode).await;
        assert_eq!(code(lab.publish(mount(mode), 2, false).await), Code::FailedPrecondition, "{mode:?}");
        assert!(!lab.host.exists(&target(2)));
        let lab = published_raw(mode).await;
        assert_eq!(code(lab.publish(block(mode), 2, false).await), Code::FailedPrecondition, "{mode:?}");
    }
}

#[tokio::test]
async fn another_target_other_arguments() {
    let lab = published(Mode::SingleNodeMultiWriter).await;
    lab.publish(mount(Mode::SingleNodeMultiWriter), 2, true).await.unwrap();
    lab.host.write(&target(1).join("a"), b"1").unwrap();
    lab.host.write(&target(2).join("a"), b"2").unwrap_err();
    assert_eq!(lab.host.read(&target(2).join("a")).unwrap(), b"1");
    for mode in [Mode::SingleNodeWriter, Mode::SingleNodeSingleWriter] {
        let lab = published(mode).await;
        assert_eq!(code(lab.publish(mount(mode), 2, true).await), Code::FailedPrecondition, "{mode:?}");
        let lab = published_raw(mode).await;
        assert_eq!(code(lab.publish(block(mode), 2, true).await), Code::FailedPrecondition, "{mode:?}");
    }
}

#[tokio::test]
async fn a_raw_device_is_never_writable_where_it_is_to_be_read_only() {
    let mode = Mode::SingleNodeMultiWriter;
    // Writable somewhere: it can't be promised to be read-only elsewhere.
    let lab = published_raw(mode).await;
    assert_eq!(code(lab.publish(block(mode), 2, true).await), Code::FailedPrecondition);
    // Read-only somewhere: it does not become writable beside.
    lab.unpublish(1).await.unwrap();
    lab.publish(block(mode), 1, true).await.unwrap();
    lab.host.write(&target(1), b"x").unwrap_err();
    assert_eq!(code(lab.publish(block(mode), 2, false).await), Code::FailedPrecondition);
    // Nowhere any more: it may.
    lab.unpublish(1).await.unwrap();
    lab.publish(block(mode), 2, false).await.unwrap();
    lab.host.write(&target(2), b"x").unwrap();
}

#[tokio::test]
async fn what_is_not_staged_is_not_published() {
    let lab = Lab::new();
    let mut request = publish(mount(Mode::SingleNodeWriter), 1, false);
    assert_eq!(code(lab.publish_as(request.clone()).await), Code::FailedPrecondition);
    request.staging_target_path.clear();
    assert_eq!(code(lab.publish_as(request).await), Code::FailedPrecondition);
    assert_eq!(lab.mounts().await, 0);
    assert!(!lab.host.exists(&target(1)));
}

#[tokio::test]
async fn a_volume_of_another_node_is_not_found() {
    let lab = published(Mode::SingleNodeMultiWriter).await;
    let mut request = publish(mount(Mode::SingleNodeMultiWriter), 2, false);
    request.volume_id = "disk-00000000".to_owned();
    assert_eq!(code(lab.publish_as(request).await), Code::NotFound);
}

#[tokio::test]
async fn incomplete_requests_are_invalid() {
    let lab = published(Mode::SingleNodeMultiWriter).await;
    let good = publish(mount(Mode::SingleNodeMultiWriter), 2, false);
    for spoil in [
        (|request| request.volume_id.clear()) as fn(&mut qcloud_csi::proto::NodePublishVolumeRequest),
        |request| request.volume_id = "x".repeat(129),
        |request| request.target_path.clear(),
        |request| request.target_path = "pods/2".to_owned(),
        |request| request.target_path = "/pods/../etc".to_owned(),
        |request| request.volume_capability = None,
        |request| request.volume_capability = Some(mount(Mode::Unknown)),
        |request| request.volume_capability = Some(mount_as(Mode::SingleNodeWriter, "", &["bind"])),
    ] {
        let mut request = good.clone();
        spoil(&mut request);
        assert_eq!(code(lab.publish_as(request.clone()).await), Code::InvalidArgument, "{request:?}");
    }
}

#[tokio::test]
async fn unpublishing_removes_the_target_and_is_repeatable() {
    let lab = published(Mode::SingleNodeMultiWriter).await;
    assert!(lab.host.exists(&target(1)));
    for _ in 0..2 {
        lab.unpublish(1).await.unwrap();
        assert!(!lab.host.exists(&target(1)));
    }
    assert_eq!(lab.mounts().await, 1, "it is still staged");
}

#[tokio::test]
async fn what_another_volume_has_at_the_target_stays() {
    let lab = published(Mode::SingleNodeMultiWriter).await;
    let other = "disk-99990000";
    lab.host.attach(other, crate::lab::SIZE);
    let mut request = crate::lab::stage(mount(Mode::SingleNodeMultiWriter));
    request.volume_id = other.to_owned();
    request.staging_target_path = "/kubelet/staging/other".to_owned();
    lab.stage_as(request.clone()).await.unwrap();

    // Publishing and staging over it are refused, and so is taking it away.
    let mut over = publish(mount(Mode::SingleNodeMultiWriter), 1, false);
    over.volume_id = other.to_owned();
    over.staging_target_path.clone_from(&request.staging_target_path);
    assert_eq!(code(lab.publish_as(over).await), Code::FailedPrecondition);
    request.staging_target_path = text(staging());
    assert_eq!(code(lab.stage_as(request).await), Code::FailedPrecondition);
    let unpublish =
        qcloud_csi::proto::NodeUnpublishVolumeRequest { volume_id: other.to_owned(), target_path: text(&target(1)) };
    let service = lab.service();
    let answer = qcloud_csi::proto::node_server::Node::node_unpublish_volume(&service, tonic::Request::new(unpublish));
    assert_eq!(code(answer.await), Code::FailedPrecondition);
    lab.host.write(&target(1).join("a"), b"still there").unwrap();
}

#[tokio::test]
async fn what_is_no_volume_at_the_target_stays() {
    let lab = Lab::new();
    lab.host.mount_other(&target(1), "tmpfs");
    lab.stage(mount(Mode::SingleNodeWriter)).await.unwrap();
    assert_eq!(code(lab.publish(mount(Mode::SingleNodeWriter), 1, false).await), Code::FailedPrecondition);
    assert_eq!(code(lab.unpublish(1).await), Code::FailedPrecondition);
    assert!(lab.host.mount_at(&target(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_broken_mount_at_the_target_is_replaced() {
    let lab = published(Mode::SingleNodeMultiWriter).await;
    lab.host.set_health(&target(1), Health::Broken("stale".to_owned()));
    lab.publish(mount(Mode::SingleNodeMultiWriter), 1, false).await.unwrap();
    lab.host.write(&target(1).join("a"), b"works").unwrap();
    assert_eq!(lab.mounts().await, 2);
}

#[tokio::test]
async fn a_disk_that_was_lost_and_came_back_works_again() {
    let lab = published(Mode::SingleNodeMultiWriter).await;
    lab.host.write(&target(1).join("a"), b"kept").unwrap();
    // Somebody takes it away in the console: everything mounted from it is dead, and can be cleaned up.
    lab.host.detach(DISK);
    assert_eq!(code(lab.publish(mount(Mode::SingleNodeMultiWriter), 2, false).await), Code::NotFound);
    lab.unpublish(1).await.unwrap();
    lab.host.attach(DISK, crate::lab::SIZE);
    lab.stage(mount(Mode::SingleNodeMultiWriter)).await.unwrap();
    lab.publish(mount(Mode::SingleNodeMultiWriter), 1, false).await.unwrap();
    assert_eq!(lab.host.read(&target(1).join("a")).unwrap(), b"kept");
    assert_eq!(lab.mounts().await, 2);
}

#[tokio::test]
async fn a_device_and_its_filesystem_are_not_used_at_a_time() {
    let lab = published(Mode::SingleNodeMultiWriter).await;
    assert_eq!(code(lab.publish(block(Mode::SingleNodeMultiWriter), 2, false).await), Code::FailedPrecondition);
    let lab = published_raw(Mode::SingleNodeMultiWriter).await;
    assert_eq!(code(lab.stage(mount(Mode::SingleNodeMultiWriter)).await), Code::FailedPrecondition);
    assert!(!lab.host.take_log().iter().any(|entry| entry.starts_with("format")));
}

#[tokio::test]
async fn a_reader_gets_no_writable_mount_at_any_moment() {
    let lab = published(Mode::SingleNodeMultiWriter).await;
    _ = lab.host.take_log();
    lab.publish(mount(Mode::SingleNodeMultiWriter), 2, true).await.unwrap();
    let bind = format!("bind {} to {} read-only", staging().display(), target(2).display());
    assert_eq!(lab.host.take_log(), [format!("make {}", target(2).display()), bind]);
    assert!(lab.host.mount_at(Path::new(&text(&target(2)))).await.unwrap().unwrap().read_only);
}

#[tokio::test]
async fn a_machine_in_memory_may_make_its_paths_where_others_look_for_them() {
    let folder = std::env::temp_dir().join(format!("qcloud-csi-node-{}", std::process::id()));
    let (staging, target) = (folder.join("staging"), folder.join("pod/mount"));
    let mut lab = Lab::new();
    lab.host = lab.host.with_tangible_paths();
    lab.restart();
    let mut request = stage(mount(Mode::SingleNodeWriter));
    request.staging_target_path = text(&staging);
    lab.stage_as(request).await.unwrap();
    let mut request = publish(mount(Mode::SingleNodeWriter), 1, false);
    (request.staging_target_path, request.target_path) = (text(&staging), text(&target));
    lab.publish_as(request).await.unwrap();
    assert!(target.is_dir());
    let request = NodeUnpublishVolumeRequest { volume_id: DISK.to_owned(), target_path: text(&target) };
    lab.service().node_unpublish_volume(Request::new(request)).await.unwrap();
    let (gone, above) = (!target.exists(), folder.join("pod").is_dir());
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(gone && above, "the target is removed, and nothing else");
}

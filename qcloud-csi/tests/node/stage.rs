//! Staging: formatting, mounting, and what is refused.

use std::time::Duration;

use qcloud_csi::driver::{DEVICE_SERIAL, FS_TYPE};
use qcloud_csi::node::Host;
use qcloud_csi::node::fake::FakeDisks;
use qcloud_csi::node::host::Health;
use qcloud_csi::proto::volume_capability::access_mode::Mode;
use tokio::time::Instant;
use tonic::Code;

use crate::lab::{DISK, Lab, SIZE, block, code, mount, mount_as, stage, staging, target};

fn formatted(lab: &Lab) -> Vec<String> {
    lab.host.take_log().into_iter().filter(|entry| entry.starts_with("format")).collect()
}

#[tokio::test]
async fn a_blank_device_is_formatted_once_and_never_again() {
    let disks = FakeDisks::default();
    let lab = Lab::with_disks(disks.clone());
    lab.stage(mount(Mode::SingleNodeWriter)).await.unwrap();
    assert_eq!(formatted(&lab), [format!("format {DISK} as ext4")]);
    lab.publish(mount(Mode::SingleNodeWriter), 1, false).await.unwrap();
    lab.host.write(&target(1).join("a"), b"precious").unwrap();
    lab.unpublish(1).await.unwrap();
    lab.unstage().await.unwrap();

    // On another node, with the same name of a filesystem or none.
    for fs_type in ["ext4", ""] {
        let lab = Lab::with_disks(disks.clone());
        lab.stage(mount_as(Mode::SingleNodeWriter, fs_type, &[])).await.unwrap();
        assert!(formatted(&lab).is_empty());
        assert_eq!(lab.host.read(&staging().join("a")).unwrap(), b"precious");
    }
}

#[tokio::test]
async fn the_filesystem_is_that_of_the_capability_or_of_the_storage_class() {
    let lab = Lab::new();
    lab.stage(mount_as(Mode::SingleNodeWriter, "xfs", &["noatime"])).await.unwrap();
    assert_eq!(formatted(&lab), [format!("format {DISK} as xfs")]);
    let options = lab.host.options_at(staging()).unwrap();
    assert_eq!(options.options, ["noatime", "nouuid"]);

    let lab = Lab::new();
    let mut request = stage(mount(Mode::SingleNodeWriter));
    request.volume_context.insert(FS_TYPE.to_owned(), "xfs".to_owned());
    lab.stage_as(request).await.unwrap();
    assert_eq!(formatted(&lab), [format!("format {DISK} as xfs")]);
}

#[tokio::test]
async fn another_filesystem_than_is_there_is_refused() {
    let lab = Lab::new();
    lab.stage(mount_as(Mode::SingleNodeWriter, "xfs", &[])).await.unwrap();
    lab.unstage().await.unwrap();
    _ = lab.host.take_log();
    let refused = lab.stage(mount_as(Mode::SingleNodeWriter, "ext4", &[])).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("xfs") && refused.message().contains("ext4"), "{refused}");
    assert!(formatted(&lab).is_empty());
}

#[tokio::test]
async fn what_is_unknown_is_neither_mounted_nor_overwritten() {
    for what in ["a partition table (gpt)", "LVM2_member", "data without a known signature"] {
        let disks = FakeDisks::default();
        disks.put_other(DISK, what);
        let lab = Lab::with_disks(disks);
        let refused = lab.stage(mount(Mode::SingleNodeWriter)).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert!(refused.message().contains(what), "{refused}");
        assert!(lab.host.take_log().is_empty());
    }
}

#[tokio::test]
async fn a_reader_mounts_what_is_there_and_makes_nothing() {
    let lab = Lab::new();
    assert_eq!(code(lab.stage(mount(Mode::MultiNodeReaderOnly)).await), Code::FailedPrecondition);
    lab.stage(mount(Mode::SingleNodeWriter)).await.unwrap();
    lab.unstage().await.unwrap();
    _ = lab.host.take_log();

    // Other nodes read it at the same time: the journal is left alone.
    lab.stage(mount(Mode::MultiNodeReaderOnly)).await.unwrap();
    let options = lab.host.options_at(staging()).unwrap();
    assert!(options.read_only && options.options == ["noload"], "{options:?}");
    lab.unstage().await.unwrap();

    // It is the only one: the journal is replayed.
    lab.stage(mount(Mode::SingleNodeReaderOnly)).await.unwrap();
    let options = lab.host.options_at(staging()).unwrap();
    assert!(options.read_only && options.options.is_empty(), "{options:?}");
    assert_eq!(code(lab.publish(mount(Mode::SingleNodeWriter), 1, false).await), Code::FailedPrecondition);
}

#[tokio::test]
async fn what_is_staged_in_another_way_already_exists() {
    let lab = Lab::new();
    lab.stage(mount(Mode::SingleNodeWriter)).await.unwrap();
    lab.stage(mount(Mode::SingleNodeWriter)).await.unwrap();
    assert_eq!(lab.mounts().await, 1);
    for other in [
        mount(Mode::SingleNodeReaderOnly),
        mount(Mode::MultiNodeReaderOnly),
        mount_as(Mode::SingleNodeWriter, "xfs", &[]),
        mount_as(Mode::SingleNodeWriter, "", &["ro"]),
        block(Mode::SingleNodeWriter),
    ] {
        assert_eq!(code(lab.stage(other.clone()).await), Code::AlreadyExists, "{other:?}");
    }
    assert_eq!(lab.mounts().await, 1);
}

#[tokio::test]
async fn a_raw_device_is_staged_by_being_there() {
    let lab = Lab::new();
    lab.stage(block(Mode::SingleNodeWriter)).await.unwrap();
    lab.unstage().await.unwrap();
    let log = lab.host.take_log();
    assert!(log.iter().all(|done| done.starts_with("remove")), "{log:?}");
}

#[tokio::test]
async fn what_tencents_driver_has_staged_is_gone_on_with_and_taken_away() {
    let lab = Lab::new();
    let shown = staging().join(DISK);
    let device = lab.host.find(DISK).await.unwrap().unwrap();
    lab.host.create_file(&shown).await.unwrap();
    lab.host.bind(&device.path, &shown, false).await.unwrap();

    lab.stage(block(Mode::SingleNodeWriter)).await.unwrap();
    lab.publish(block(Mode::SingleNodeWriter), 1, false).await.unwrap();
    assert_eq!(code(lab.publish(block(Mode::SingleNodeWriter), 2, false).await), Code::FailedPrecondition);
    lab.unpublish(1).await.unwrap();
    lab.unstage().await.unwrap();
    assert_eq!(lab.mounts().await, 0);
    assert!(!lab.host.exists(&shown), "the kubelet could not remove the directory else");
}

#[tokio::test]
async fn what_tencents_driver_has_staged_of_another_disk_is_left_alone() {
    let lab = Lab::new();
    lab.host.attach("disk-99999999", SIZE);
    let (shown, other) = (staging().join(DISK), lab.host.find("disk-99999999").await.unwrap().unwrap());
    lab.host.create_file(&shown).await.unwrap();
    lab.host.bind(&other.path, &shown, false).await.unwrap();
    assert_eq!(code(lab.unstage().await), Code::FailedPrecondition);
    assert_eq!(lab.mounts().await, 1);
}

#[tokio::test]
async fn a_filesystem_that_needs_its_journal_is_not_read_without_it() {
    let disks = FakeDisks::default();
    let lab = Lab::with_disks(disks.clone());
    lab.stage(mount(Mode::SingleNodeWriter)).await.unwrap();
    lab.unstage().await.unwrap();
    lab.stage(mount(Mode::MultiNodeReaderOnly)).await.unwrap();
    lab.unstage().await.unwrap();
    disks.set_dirty(DISK);
    let refused = lab.stage(mount(Mode::MultiNodeReaderOnly)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("for writing once"), "{refused}");
    assert_eq!(lab.mounts().await, 0);
    // Who writes replays it.
    lab.stage(mount(Mode::SingleNodeWriter)).await.unwrap();
    lab.unstage().await.unwrap();
    lab.stage(mount(Mode::MultiNodeReaderOnly)).await.unwrap();
}

#[tokio::test]
async fn a_device_locked_for_readers_is_unlocked_for_a_filesystem() {
    let lab = Lab::new();
    lab.publish(block(Mode::SingleNodeWriter), 1, true).await.unwrap();
    lab.unpublish(1).await.unwrap();
    lab.stage(mount(Mode::SingleNodeWriter)).await.unwrap();
    lab.host.write(&staging().join("a"), b"x").unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_late_is_waited_for() {
    let lab = Lab::new();
    lab.host.detach(DISK);
    let (host, started) = (lab.host.clone(), Instant::now());
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(12)).await;
        host.attach(DISK, SIZE);
    });
    lab.stage(mount(Mode::SingleNodeWriter)).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(13), "{:?}", started.elapsed());
    assert_eq!(lab.host.take_log().first().map(String::as_str), Some("rescan"));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_never_comes_is_not_found() {
    let lab = Lab::new();
    lab.host.detach(DISK);
    let started = Instant::now();
    assert_eq!(code(lab.stage(mount(Mode::SingleNodeWriter)).await), Code::NotFound);
    assert!(started.elapsed() <= Duration::from_secs(31), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn meanwhile_the_next_operation_on_the_volume_is_aborted() {
    let lab = Lab::new();
    lab.host.detach(DISK);
    // The first caller gives up; what it asked for goes on all the same.
    let first = tokio::time::timeout(Duration::from_secs(1), lab.stage(mount(Mode::SingleNodeWriter)));
    assert!(first.await.is_err());
    assert_eq!(code(lab.stage(mount(Mode::SingleNodeWriter)).await), Code::Aborted);
    assert_eq!(code(lab.unstage().await), Code::Aborted);
    assert_eq!(code(lab.unpublish(1).await), Code::Aborted);
    lab.host.attach(DISK, SIZE);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(lab.mounts().await, 1);
    lab.unstage().await.unwrap();
}

#[tokio::test]
async fn another_device_than_the_controller_attached_is_refused() {
    let lab = Lab::new();
    let mut request = stage(mount(Mode::SingleNodeWriter));
    request.publish_context.insert(DEVICE_SERIAL.to_owned(), DISK.to_owned());
    lab.stage_as(request.clone()).await.unwrap();
    request.publish_context.insert(DEVICE_SERIAL.to_owned(), "disk-00000000".to_owned());
    assert_eq!(code(lab.stage_as(request).await), Code::FailedPrecondition);
}

#[tokio::test]
async fn incomplete_requests_are_invalid() {
    let lab = Lab::new();
    let good = stage(mount(Mode::SingleNodeWriter));
    for spoil in [
        (|request| request.volume_id.clear()) as fn(&mut qcloud_csi::proto::NodeStageVolumeRequest),
        |request| request.staging_target_path.clear(),
        |request| request.staging_target_path = "staging".to_owned(),
        |request| request.volume_capability = None,
        |request| request.volume_capability = Some(mount_as(Mode::SingleNodeWriter, "ntfs", &[])),
        |request| request.volume_capability = Some(mount(Mode::MultiNodeMultiWriter)),
    ] {
        let mut request = good.clone();
        spoil(&mut request);
        assert_eq!(code(lab.stage_as(request.clone()).await), Code::InvalidArgument, "{request:?}");
    }
    assert!(lab.host.take_log().is_empty());
}

#[tokio::test]
async fn unstaging_what_is_not_staged_succeeds_and_a_broken_mount_is_taken_away() {
    let lab = Lab::new();
    lab.unstage().await.unwrap();
    lab.stage(mount(Mode::SingleNodeWriter)).await.unwrap();
    lab.host.set_health(staging(), Health::Broken("transport endpoint is not connected".to_owned()));
    lab.unstage().await.unwrap();
    assert_eq!(lab.mounts().await, 0);
    lab.stage(mount(Mode::SingleNodeWriter)).await.unwrap();
    lab.host.detach(DISK);
    lab.unstage().await.unwrap();
    assert_eq!(lab.mounts().await, 0);
}

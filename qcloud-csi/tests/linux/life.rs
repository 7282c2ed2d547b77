//! The node service on the real machine, from a blank disk to the end.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use qcloud_csi::driver::Driver;
use qcloud_csi::node::host::{Content, Filesystem, Health, Source};
use qcloud_csi::node::linux::LinuxHost;
use qcloud_csi::node::{Host, NodeIdentity, NodeService};
use qcloud_csi::proto::node_server::Node;
use qcloud_csi::proto::volume_capability::access_mode::Mode;
use qcloud_csi::proto::volume_capability::{AccessMode, AccessType, BlockVolume, MountVolume};
use qcloud_csi::proto::{
    NodeExpandVolumeRequest, NodeGetVolumeStatsRequest, NodePublishVolumeRequest, NodeStageVolumeRequest,
    NodeUnpublishVolumeRequest, NodeUnstageVolumeRequest, VolumeCapability,
};
use tonic::{Code, Request};

use crate::machine;
use crate::machine::{Machine, SERIAL, SIZE, has, run};

fn service(host: LinuxHost) -> NodeService {
    let node = NodeIdentity { id: "ins-1".to_owned(), zone: "z".to_owned(), max_volumes: 18 };
    NodeService::new(&Driver::default(), node, Arc::new(host))
}

fn mount(mode: Mode, fs_type: &str) -> VolumeCapability {
    let mount = MountVolume {
        fs_type: fs_type.to_owned(),
        mount_flags: vec!["noatime".to_owned(), "nodev".to_owned()],
        ..MountVolume::default()
    };
    VolumeCapability {
        access_mode: Some(AccessMode { mode: mode.into() }),
        access_type: Some(AccessType::Mount(mount)),
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

async fn stage(service: &NodeService, machine: &Machine, capability: VolumeCapability) -> Result<(), tonic::Status> {
    let request = NodeStageVolumeRequest {
        volume_id: SERIAL.to_owned(),
        staging_target_path: text(&machine.path("staging")),
        volume_capability: Some(capability),
        ..NodeStageVolumeRequest::default()
    };
    service.node_stage_volume(Request::new(request)).await.map(drop)
}

async fn publish(
    service: &NodeService,
    machine: &Machine,
    capability: VolumeCapability,
    target: &str,
    readonly: bool,
) -> Result<(), tonic::Status> {
    let request = NodePublishVolumeRequest {
        volume_id: SERIAL.to_owned(),
        staging_target_path: text(&machine.path("staging")),
        target_path: text(&machine.path(target)),
        volume_capability: Some(capability),
        readonly,
        ..NodePublishVolumeRequest::default()
    };
    service.node_publish_volume(Request::new(request)).await.map(drop)
}

async fn unpublish(service: &NodeService, machine: &Machine, target: &str) -> Result<(), tonic::Status> {
    let request = NodeUnpublishVolumeRequest { volume_id: SERIAL.to_owned(), target_path: text(&machine.path(target)) };
    service.node_unpublish_volume(Request::new(request)).await.map(drop)
}

async fn unstage(service: &NodeService, machine: &Machine) -> Result<(), tonic::Status> {
    let request =
        NodeUnstageVolumeRequest { volume_id: SERIAL.to_owned(), staging_target_path: text(&machine.path("staging")) };
    service.node_unstage_volume(Request::new(request)).await.map(drop)
}

async fn bytes_at(service: &NodeService, machine: &Machine, target: &str) -> i64 {
    let request = NodeGetVolumeStatsRequest {
        volume_id: SERIAL.to_owned(),
        volume_path: text(&machine.path(target)),
        ..NodeGetVolumeStatsRequest::default()
    };
    let stats = service.node_get_volume_stats(Request::new(request)).await.unwrap().into_inner();
    assert!(!stats.volume_condition.unwrap().abnormal);
    stats.usage[0].total
}

/// Whether this process has `CAP_SYS_RESOURCE`.
fn may_use_resources() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    u64::from_str_radix(effective.trim(), 16).unwrap() & (1 << 24) != 0
}

async fn whole_life(filesystem: &str) {
    let machine = machine!();
    let first = service(machine.host().await);
    let capability = mount(Mode::SingleNodeMultiWriter, filesystem);
    for _ in 0..2 {
        stage(&first, &machine, capability.clone()).await.unwrap();
    }
    // A driver that was started anew goes on.
    let second = service(machine.host().await);
    for _ in 0..2 {
        publish(&second, &machine, capability.clone(), "pod-1", false).await.unwrap();
        publish(&second, &machine, capability.clone(), "pod-2", true).await.unwrap();
    }
    assert_eq!(machine.mounted().len(), 3, "{:?}", machine.mounted());
    fs::write(machine.path("pod-1/a"), "precious").unwrap();
    assert_eq!(fs::write(machine.path("pod-2/b"), "").unwrap_err().kind(), ErrorKind::ReadOnlyFilesystem);
    assert_eq!(fs::read(machine.path("pod-2/a")).unwrap(), b"precious");
    // The options of the capability hold where it is shown, also where it is read-only.
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let options = |name: &str| {
        let line = mounts.lines().find(|line| line.split(' ').nth(4) == Some(&text(&machine.path(name)))).unwrap();
        line.split(' ').nth(5).unwrap().to_owned()
    };
    assert!(options("pod-1").contains("noatime") && options("pod-1").contains("nodev"), "{}", options("pod-1"));
    assert!(options("pod-2").starts_with("ro,nodev,noatime"), "{}", options("pod-2"));

    let again = publish(&second, &machine, capability.clone(), "pod-2", false).await.unwrap_err();
    assert_eq!(again.code(), Code::AlreadyExists);

    let before = bytes_at(&second, &machine, "pod-1").await;
    machine.grow(2 * SIZE);
    let grows_mounted = filesystem == "xfs" || may_use_resources();
    if grows_mounted {
        let request = NodeExpandVolumeRequest {
            volume_id: SERIAL.to_owned(),
            volume_path: text(&machine.path("pod-2")),
            ..NodeExpandVolumeRequest::default()
        };
        let answer = second.node_expand_volume(Request::new(request)).await.unwrap().into_inner();
        assert_eq!(answer.capacity_bytes, 2 * SIZE as i64);
        assert!(bytes_at(&second, &machine, "pod-1").await > before * 3 / 2);
    }

    for _ in 0..2 {
        for target in ["pod-1", "pod-2"] {
            unpublish(&second, &machine, target).await.unwrap();
            assert!(!machine.path(target).exists());
        }
        unstage(&second, &machine).await.unwrap();
    }
    assert!(machine.mounted().is_empty(), "{:?}", machine.mounted());

    if !grows_mounted {
        println!("grown while it is not mounted: CAP_SYS_RESOURCE, which mounted ext4 needs, is not granted here");
        run("e2fsck", &["-f", "-p", &text(&machine.device)]);
        let host = machine.host().await;
        let device = host.find(SERIAL).await.unwrap().unwrap();
        host.grow(&device, Filesystem::Ext4, &machine.path("staging")).await.unwrap();
        stage(&second, &machine, capability.clone()).await.unwrap();
        assert!(bytes_at(&second, &machine, "staging").await > before * 3 / 2);
        unstage(&second, &machine).await.unwrap();
    }

    // Other nodes read it, and this one does, too.
    let reader = mount(Mode::MultiNodeReaderOnly, "");
    stage(&second, &machine, reader.clone()).await.unwrap();
    publish(&second, &machine, reader, "pod-3", false).await.unwrap();
    assert_eq!(fs::read(machine.path("pod-3/a")).unwrap(), b"precious");
    assert_eq!(fs::write(machine.path("staging/b"), "").unwrap_err().kind(), ErrorKind::ReadOnlyFilesystem);
    unpublish(&second, &machine, "pod-3").await.unwrap();
    unstage(&second, &machine).await.unwrap();
}

#[tokio::test]
async fn an_ext4_lives_its_whole_life() {
    whole_life("ext4").await;
}

#[tokio::test]
async fn an_xfs_lives_its_whole_life() {
    if has("mkfs.xfs") {
        whole_life("xfs").await;
    } else {
        println!("skipped: mkfs.xfs is not installed");
    }
}

#[tokio::test]
async fn a_missing_program_is_an_error_that_names_it() {
    if has("mkfs.xfs") {
        println!("skipped: mkfs.xfs is installed");
        return;
    }
    let machine = machine!();
    let service = service(machine.host().await);
    let error = stage(&service, &machine, mount(Mode::SingleNodeWriter, "xfs")).await.unwrap_err();
    assert_eq!(error.code(), Code::Internal);
    assert!(error.message().contains("mkfs.xfs") && error.message().contains("xfsprogs"), "{error}");
    assert!(machine.mounted().is_empty());
}

#[tokio::test]
async fn a_raw_device_lives_its_whole_life() {
    let machine = machine!();
    let service = service(machine.host().await);
    let access_type = Some(AccessType::Block(BlockVolume {}));
    let access_mode = Some(AccessMode { mode: Mode::SingleNodeMultiWriter.into() });
    let capability = VolumeCapability { access_mode, access_type };
    stage(&service, &machine, capability.clone()).await.unwrap();
    for _ in 0..2 {
        publish(&service, &machine, capability.clone(), "raw-1", false).await.unwrap();
    }
    fs::OpenOptions::new().write(true).open(machine.path("raw-1")).unwrap();
    assert_eq!(bytes_at(&service, &machine, "raw-1").await, SIZE as i64);
    unpublish(&service, &machine, "raw-1").await.unwrap();

    publish(&service, &machine, capability.clone(), "raw-2", true).await.unwrap();
    // Some kernels refuse it when the device is opened, others when it is written to.
    let written = fs::OpenOptions::new().write(true).open(machine.path("raw-2")).and_then(|mut raw| raw.write(b"x"));
    assert!(written.is_err(), "a device that is to be read-only was written to");
    let other = publish(&service, &machine, capability.clone(), "raw-3", false).await.unwrap_err();
    assert_eq!(other.code(), Code::FailedPrecondition);
    unpublish(&service, &machine, "raw-2").await.unwrap();
    assert!(!machine.path("raw-2").exists());
    publish(&service, &machine, capability, "raw-3", false).await.unwrap();
    fs::OpenOptions::new().write(true).open(machine.path("raw-3")).unwrap();
    unpublish(&service, &machine, "raw-3").await.unwrap();
    assert!(machine.mounted().is_empty(), "{:?}", machine.mounted());
}

#[tokio::test]
async fn what_tencents_driver_has_staged_is_taken_away_and_no_file_of_a_volume() {
    let machine = machine!();
    let service = service(machine.host().await);
    let shown = machine.path("staging").join(SERIAL);
    fs::create_dir(machine.path("staging")).unwrap();
    fs::write(&shown, "").unwrap();
    run("mount", &["--bind", &text(&machine.device), &text(&shown)]);
    for _ in 0..2 {
        unstage(&service, &machine).await.unwrap();
    }
    assert!(machine.mounted().is_empty() && !shown.exists());

    // A file of the same name on the volume is somebody's.
    stage(&service, &machine, mount(Mode::SingleNodeWriter, "ext4")).await.unwrap();
    fs::write(&shown, "").unwrap();
    unstage(&service, &machine).await.unwrap();
    stage(&service, &machine, mount(Mode::SingleNodeWriter, "ext4")).await.unwrap();
    assert!(shown.exists());
    unstage(&service, &machine).await.unwrap();
}

#[tokio::test]
async fn what_a_crash_left_in_the_scratch_place_is_taken_away() {
    let machine = machine!();
    let host = machine.host().await;
    let place = machine.path("scratch/bind");
    let staged = service(host);
    stage(&staged, &machine, mount(Mode::SingleNodeWriter, "ext4")).await.unwrap();
    fs::create_dir_all(&place).unwrap();
    run("mount", &["--bind", &text(&machine.path("staging")), &text(&place)]);
    assert_eq!(machine.mounted().len(), 2);
    let again = service(machine.host().await);
    assert_eq!(machine.mounted(), [text(&machine.path("staging"))]);
    unstage(&again, &machine).await.unwrap();
}

#[tokio::test]
async fn files_are_never_deleted() {
    let machine = machine!();
    let host = machine.host().await;
    let service = service(host.clone());
    fs::create_dir(machine.path("pod-1")).unwrap();
    fs::write(machine.path("pod-1/a"), "not on the volume").unwrap();
    let refused = unpublish(&service, &machine, "pod-1").await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(fs::read(machine.path("pod-1/a")).unwrap(), b"not on the volume");
    fs::write(machine.path("file"), "content").unwrap();
    assert!(host.remove(&machine.path("file")).await.is_err());
    assert!(machine.path("file").exists());
}

#[tokio::test]
async fn a_disk_that_is_taken_away_while_it_is_mounted_is_seen_and_cleaned_up() {
    let machine = machine!();
    let host = machine.host().await;
    let service = service(host.clone());
    stage(&service, &machine, mount(Mode::SingleNodeWriter, "ext4")).await.unwrap();
    let staging = machine.path("staging");
    let mounted = host.mount_at(&staging).await.unwrap().unwrap();
    assert_eq!((mounted.health, mounted.read_only), (Health::Sound, false));
    // A loop device does not leave while it is mounted, so the kernel's list of devices is made to lack it.
    let sys = machine.path("sys-without");
    fs::create_dir_all(sys.join("block")).unwrap();
    fs::create_dir_all(sys.join("dev/block")).unwrap();
    let without = host.clone().with_devices(&sys, "/dev");
    let mounted = without.mount_at(&staging).await.unwrap().unwrap();
    assert!(matches!(&mounted.health, Health::Broken(why) if why.contains("gone")), "{mounted:?}");
    assert!(matches!(mounted.source, Source::Filesystem { ref kind, .. } if kind == "ext4"));
    let node = NodeIdentity { id: "ins-1".to_owned(), zone: "z".to_owned(), max_volumes: 18 };
    let service = NodeService::new(&Driver::default(), node, Arc::new(without));
    unstage(&service, &machine).await.unwrap();
    assert!(machine.mounted().is_empty());
}

#[tokio::test]
async fn a_filesystem_that_gave_up_is_seen() {
    let machine = machine!();
    let host = machine.host().await;
    let service = service(host.clone());
    stage(&service, &machine, mount(Mode::SingleNodeWriter, "ext4")).await.unwrap();
    publish(&service, &machine, mount(Mode::SingleNodeWriter, "ext4"), "pod-1", false).await.unwrap();
    // As the kernel does after errors: the filesystem takes no writes, and its mounts do not say so.
    let name = machine.device.file_name().unwrap().to_str().unwrap();
    let trigger = Path::new("/sys/fs/ext4").join(name).join("trigger_fs_error");
    let device = host.find(SERIAL).await.unwrap().unwrap();
    run("tune2fs", &["-e", "remount-ro", &text(&device.path)]);
    _ = Command::new("mount").args(["-o", "remount,errors=remount-ro"]).arg(machine.path("staging")).output();
    if fs::write(&trigger, "by a test").is_err() {
        println!("skipped: this kernel has no {}", trigger.display());
        return;
    }
    let mounted = host.mount_at(&machine.path("pod-1")).await.unwrap().unwrap();
    assert!(matches!(mounted.health, Health::Degraded(_)), "{mounted:?}");
    // It can be taken away, and is repaired when it is staged anew.
    unpublish(&service, &machine, "pod-1").await.unwrap();
    unstage(&service, &machine).await.unwrap();
    stage(&service, &machine, mount(Mode::SingleNodeWriter, "ext4")).await.unwrap();
    assert_eq!(host.mount_at(&machine.path("staging")).await.unwrap().unwrap().health, Health::Sound);
    assert_eq!(host.content(&device).await.unwrap(), Content::Filesystem(Filesystem::Ext4));
    unstage(&service, &machine).await.unwrap();
}

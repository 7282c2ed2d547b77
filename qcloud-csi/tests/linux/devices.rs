//! Finding a disk by its serial number, and by nothing else.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use qcloud_csi::node::Host;
use qcloud_csi::node::host::HostError;
use qcloud_csi::node::linux::LinuxHost;

use crate::machine;
use crate::machine::{Folder, SERIAL, SIZE, run};

#[tokio::test]
async fn the_kernel_knows_the_serial_number() {
    let machine = machine!();
    let host = machine.host().await;
    let device = host.find(SERIAL).await.unwrap().unwrap();
    assert_eq!(device.path, machine.device);
    assert_eq!(host.size(&device).await.unwrap(), SIZE);
    for other in ["disk-00000000", "", "disk", "../../etc", "disk-0a1b2c3d4"] {
        assert_eq!(host.find(other).await.unwrap(), None, "{other}");
    }
}

#[tokio::test]
async fn a_link_is_followed_only_where_the_kernel_has_no_serial_number() {
    let machine = machine!();
    let folder = &machine.folder.0;
    let name = machine.device.file_name().unwrap();
    let links = folder.join("dev/disk/by-id");
    fs::create_dir_all(&links).unwrap();
    symlink(&machine.device, folder.join("dev").join(name)).unwrap();
    let host = machine.host().await.with_devices(folder.join("sys"), folder.join("dev"));

    // Out of date: the kernel says that the disk there is another one.
    symlink(&machine.device, links.join("virtio-disk-99999999")).unwrap();
    assert_eq!(host.find("disk-99999999").await.unwrap(), None);

    fs::remove_file(folder.join("sys/block").join(name).join("serial")).unwrap();
    let device = host.find("disk-99999999").await.unwrap().unwrap();
    assert_eq!(device.serial, "disk-99999999");
    assert_eq!(host.find(SERIAL).await.unwrap(), None);
}

#[tokio::test]
async fn a_disk_that_does_not_answer_keeps_no_other_from_being_found() {
    let machine = machine!();
    let folder = &machine.folder.0;
    let name = machine.device.file_name().unwrap();
    let links = folder.join("dev/disk/by-id");
    fs::create_dir_all(&links).unwrap();
    symlink(&machine.device, folder.join("dev").join(name)).unwrap();
    symlink(&machine.device, links.join(format!("virtio-{SERIAL}"))).unwrap();
    // Whoever reads a pipe that nobody writes to waits for ever.
    let hung = folder.join("sys/block/hung/serial");
    fs::create_dir_all(hung.parent().unwrap()).unwrap();
    run("mkfifo", &[hung.to_str().unwrap()]);
    let host = machine.host().await.with_devices(folder.join("sys"), folder.join("dev"));
    let found = tokio::time::timeout(Duration::from_secs(5), host.find(SERIAL)).await;
    // Opened for both, it has a writer for a moment, and whoever waits comes to the end.
    drop(fs::OpenOptions::new().read(true).write(true).open(&hung).unwrap());
    assert_eq!(found.expect("it waits for another disk").unwrap().unwrap().path, folder.join("dev").join(name));
}

#[tokio::test]
async fn a_file_that_is_not_the_device_is_refused() {
    let machine = machine!();
    let folder = &machine.folder.0;
    let name = machine.device.file_name().unwrap();
    fs::create_dir_all(folder.join("dev")).unwrap();
    fs::write(folder.join("dev").join(name), "").unwrap();
    let host = machine.host().await.with_devices(folder.join("sys"), folder.join("dev"));
    assert!(matches!(host.find(SERIAL).await, Err(HostError::Refused(_))));
}

#[tokio::test]
async fn doubts_are_errors() {
    let folder = Folder::new();
    let host = LinuxHost::new(folder.0.join("scratch")).await.unwrap().with_devices(folder.0.join("sys"), "/dev");
    // There is no /sys/block at all: nobody knows what is there.
    assert!(host.find(SERIAL).await.is_err());

    let block = folder.0.join("sys/block");
    for name in ["vdb", "vdc"] {
        fs::create_dir_all(block.join(name)).unwrap();
        fs::write(block.join(name).join("serial"), SERIAL).unwrap();
    }
    let twice = host.find(SERIAL).await.unwrap_err().to_string();
    assert!(twice.contains("two devices") && twice.contains(SERIAL), "{twice}");

    // A serial number that can't be read may be the one: here it is a folder.
    fs::remove_file(block.join("vdb/serial")).unwrap();
    fs::create_dir(block.join("vdb/serial")).unwrap();
    assert!(host.find("disk-99999999").await.is_err());
}

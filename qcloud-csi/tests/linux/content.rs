//! What is on a disk, and that nothing which is there is ever formatted.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use qcloud_csi::node::Host;
use qcloud_csi::node::host::{Content, Filesystem, HostError};

use crate::machine;
use crate::machine::{Machine, SERIAL, has, run};

fn write(machine: &Machine, at: u64, bytes: &[u8]) {
    let device = OpenOptions::new().write(true).open(&machine.device).unwrap();
    device.write_all_at(bytes, at).unwrap();
    device.sync_all().unwrap();
}

/// That the disk holds this, and is not formatted.
async fn expect_kept(machine: &Machine, word: &str) {
    let host = machine.host().await;
    let device = host.find(SERIAL).await.unwrap().unwrap();
    let content = host.content(&device).await.unwrap();
    assert!(format!("{content:?}").contains(word), "{content:?}");
    for filesystem in [Filesystem::Ext4, Filesystem::Xfs] {
        let refused = host.format(&device, filesystem, &[]).await.unwrap_err();
        assert!(matches!(refused, HostError::Refused(_)), "{refused}");
        assert_eq!(host.content(&device).await.unwrap(), content);
    }
}

#[tokio::test]
async fn a_blank_disk_gets_an_ext4_once() {
    let machine = machine!();
    let host = machine.host().await;
    let device = host.find(SERIAL).await.unwrap().unwrap();
    assert_eq!(host.content(&device).await.unwrap(), Content::Blank);
    host.format(&device, Filesystem::Ext4, &["-L".to_owned(), "mine".to_owned()]).await.unwrap();
    assert_eq!(host.content(&device).await.unwrap(), Content::Filesystem(Filesystem::Ext4));
    assert_eq!(run("blkid", &["-p", "-o", "value", "-s", "LABEL", machine.device.to_str().unwrap()]), "mine");
    host.check(&device, Filesystem::Ext4).await.unwrap();
    expect_kept(&machine, "Ext4").await;
}

#[tokio::test]
async fn a_journal_that_is_to_be_replayed_is_seen() {
    let machine = machine!();
    let host = machine.host().await;
    let device = host.find(SERIAL).await.unwrap().unwrap();
    host.format(&device, Filesystem::Ext4, &["-O".to_owned(), "^metadata_csum".to_owned()]).await.unwrap();
    assert!(!host.needs_recovery(&device, Filesystem::Ext4).await.unwrap());
    let path = machine.device.to_str().unwrap();
    run("debugfs", &["-w", "-R", "feature needs_recovery", path]);
    assert!(host.needs_recovery(&device, Filesystem::Ext4).await.unwrap());
    host.check(&device, Filesystem::Ext4).await.unwrap();
    assert!(!host.needs_recovery(&device, Filesystem::Ext4).await.unwrap());
}

#[tokio::test]
async fn other_filesystems_are_kept() {
    let machine = machine!();
    run("mkfs.ext4", &["-q", "-t", "ext2", machine.device.to_str().unwrap()]);
    expect_kept(&machine, "ext2").await;
}

#[tokio::test]
async fn a_partition_table_is_kept() {
    let machine = machine!();
    // One partition of type 83, from sector 2048.
    let mut sector = [0_u8; 512];
    sector[446..462].copy_from_slice(&[0, 0, 33, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 0, 1, 0]);
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    write(&machine, 0, &sector);
    expect_kept(&machine, "partition table").await;
}

#[tokio::test]
async fn data_without_a_signature_is_kept() {
    let machine = machine!();
    write(&machine, 4095, b"x");
    expect_kept(&machine, "without a known signature").await;
}

#[tokio::test]
async fn a_format_that_was_cut_short_begins_again() {
    let machine = machine!();
    let host = machine.host().await;
    let device = host.find(SERIAL).await.unwrap().unwrap();
    // What making an ext4 has written before it writes the superblock.
    write(&machine, 8192, &[0xff; 4096]);
    assert_eq!(host.content(&device).await.unwrap(), Content::Blank);
    if has("mkfs.xfs") {
        host.format(&device, Filesystem::Xfs, &[]).await.unwrap();
        assert_eq!(host.content(&device).await.unwrap(), Content::Filesystem(Filesystem::Xfs));
        // XFS notes there that its making has not come to its end.
        write(&machine, 126, &[1]);
        assert_eq!(host.content(&device).await.unwrap(), Content::Blank);
        host.format(&device, Filesystem::Xfs, &[]).await.unwrap();
        assert_eq!(host.content(&device).await.unwrap(), Content::Filesystem(Filesystem::Xfs));
    } else {
        println!("skipped for XFS: mkfs.xfs is not installed");
        host.format(&device, Filesystem::Ext4, &[]).await.unwrap();
        assert_eq!(host.content(&device).await.unwrap(), Content::Filesystem(Filesystem::Ext4));
    }
}

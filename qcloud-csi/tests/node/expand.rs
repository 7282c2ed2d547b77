//! Growing volumes on the node.

use std::path::Path;
use std::time::Duration;

use qcloud_csi::node::fake::FakeDisks;
use qcloud_csi::proto::volume_capability::access_mode::Mode;
use tonic::Code;

use crate::lab::{DISK, GIB, Lab, SIZE, block, code, mount, staging, target};

#[tokio::test]
async fn the_filesystem_gets_the_size_of_the_device_wherever_it_is_asked_for() {
    let disks = FakeDisks::default();
    let lab = Lab::with_disks(disks.clone());
    lab.stage(mount(Mode::SingleNodeMultiWriter)).await.unwrap();
    lab.publish(mount(Mode::SingleNodeMultiWriter), 1, false).await.unwrap();
    lab.publish(mount(Mode::SingleNodeMultiWriter), 2, true).await.unwrap();
    for (path, size) in [(staging().to_owned(), 30), (target(1), 40), (target(2), 50)] {
        lab.host.attach(DISK, size * GIB);
        assert_eq!(lab.expand(&path, size * GIB, 0).await.unwrap(), size * GIB);
        assert_eq!(disks.filesystem_size(DISK), Some(size * GIB));
    }
    // Large enough already.
    assert_eq!(lab.expand(&target(1), SIZE, 0).await.unwrap(), 50 * GIB);
}

#[tokio::test]
async fn what_grew_while_it_was_not_staged_grows_with_staging() {
    let disks = FakeDisks::default();
    let lab = Lab::with_disks(disks.clone());
    lab.stage(mount(Mode::SingleNodeWriter)).await.unwrap();
    lab.unstage().await.unwrap();
    lab.host.attach(DISK, 2 * SIZE);
    lab.stage(mount(Mode::SingleNodeWriter)).await.unwrap();
    assert_eq!(disks.filesystem_size(DISK), Some(2 * SIZE));
    // And with staging once more, as a restarted kubelet does.
    lab.host.attach(DISK, 3 * SIZE);
    lab.stage(mount(Mode::SingleNodeWriter)).await.unwrap();
    assert_eq!(disks.filesystem_size(DISK), Some(3 * SIZE));
}

#[tokio::test]
async fn a_raw_device_has_grown_by_itself() {
    let lab = Lab::new();
    lab.publish(block(Mode::SingleNodeWriter), 1, false).await.unwrap();
    lab.host.attach(DISK, 2 * SIZE);
    assert_eq!(lab.expand(&target(1), 2 * SIZE, 0).await.unwrap(), 2 * SIZE);
}

#[tokio::test(start_paused = true)]
async fn the_kernel_may_learn_of_the_new_size_late() {
    let lab = Lab::new();
    lab.stage(mount(Mode::SingleNodeWriter)).await.unwrap();
    assert_eq!(code(lab.expand(staging(), 2 * SIZE, 0).await), Code::Unavailable);
    let host = lab.host.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(3)).await;
        host.attach(DISK, 2 * SIZE);
    });
    assert_eq!(lab.expand(staging(), 2 * SIZE, 0).await.unwrap(), 2 * SIZE);
}

#[tokio::test]
async fn sizes_that_can_not_be_are_out_of_range() {
    let lab = Lab::new();
    lab.stage(mount(Mode::SingleNodeWriter)).await.unwrap();
    assert_eq!(code(lab.expand(staging(), 2 * SIZE, SIZE).await), Code::OutOfRange);
    assert_eq!(code(lab.expand(staging(), GIB, SIZE - 1).await), Code::OutOfRange);
    lab.expand(staging(), GIB, SIZE).await.unwrap();
}

#[tokio::test]
async fn a_volume_that_is_only_read_here_is_not_grown() {
    let lab = Lab::new();
    lab.stage(mount(Mode::SingleNodeWriter)).await.unwrap();
    lab.unstage().await.unwrap();
    lab.stage(mount(Mode::SingleNodeReaderOnly)).await.unwrap();
    assert_eq!(code(lab.expand(staging(), SIZE, 0).await), Code::FailedPrecondition);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let lab = Lab::new();
    assert_eq!(code(lab.expand(staging(), SIZE, 0).await), Code::NotFound);
    assert_eq!(code(lab.expand(Path::new("some/path"), SIZE, 0).await), Code::NotFound);
    assert_eq!(code(lab.expand(Path::new(""), SIZE, 0).await), Code::InvalidArgument);
    lab.stage(mount(Mode::SingleNodeWriter)).await.unwrap();
    assert_eq!(code(lab.expand(&target(1), SIZE, 0).await), Code::NotFound);
}

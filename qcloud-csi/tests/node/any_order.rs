//! Calls in any order, with failures and restarts between them: whatever succeeds is true afterwards, nothing written is
//! lost, and the end is always reached.

use std::collections::BTreeMap;

use proptest::prelude::*;
use qcloud_csi::node::Host;
use qcloud_csi::node::fake::{FakeDisks, Moment};
use qcloud_csi::proto::volume_capability::access_mode::Mode;
use tonic::Code;

use crate::lab::{DISK, Lab, SIZE, mount, mount_as, staging, target};

#[derive(Clone, Debug)]
enum Act {
    Stage {
        reader: bool,
        xfs: bool,
    },
    Unstage,
    Publish {
        pod: u32,
        readonly: bool,
        reader: bool,
    },
    Unpublish {
        pod: u32,
    },
    Write {
        pod: u32,
        value: u8,
    },
    /// Some use of the machine will fail.
    Fail {
        nth: u64,
        after: bool,
    },
    Restart,
    /// The disk is taken away and attached anew.
    Replug,
    Grow,
}

fn act() -> impl Strategy<Value = Act> {
    let pod = 1_u32..4;
    prop_oneof![
        3 => (any::<bool>(), any::<bool>()).prop_map(|(reader, xfs)| Act::Stage { reader, xfs }),
        2 => Just(Act::Unstage),
        4 => (pod.clone(), any::<bool>(), any::<bool>())
            .prop_map(|(pod, readonly, reader)| Act::Publish { pod, readonly, reader }),
        3 => pod.clone().prop_map(|pod| Act::Unpublish { pod }),
        3 => (pod, any::<u8>()).prop_map(|(pod, value)| Act::Write { pod, value }),
        2 => (0_u64..8, any::<bool>()).prop_map(|(nth, after)| Act::Fail { nth, after }),
        1 => Just(Act::Restart),
        1 => Just(Act::Replug),
        1 => Just(Act::Grow),
    ]
}

fn mode(reader: bool) -> Mode {
    if reader { Mode::MultiNodeReaderOnly } else { Mode::SingleNodeMultiWriter }
}

async fn run(acts: Vec<Act>) {
    let disks = FakeDisks::default();
    let mut lab = Lab::with_disks(disks.clone());
    let mut written: BTreeMap<u32, u8> = BTreeMap::new();
    let mut size = SIZE;
    for act in acts {
        match act.clone() {
            Act::Stage { reader, xfs } => {
                let fs_type = if xfs { "xfs" } else { "ext4" };
                if lab.stage(mount_as(mode(reader), fs_type, &[])).await.is_ok() {
                    let there = lab.host.mount_at(staging()).await.unwrap().unwrap();
                    assert_eq!(there.read_only, reader, "{act:?}");
                    assert!(!there.is_broken());
                    // At once again it is the same.
                    let before = lab.mounts().await;
                    lab.stage(mount_as(mode(reader), fs_type, &[])).await.unwrap();
                    assert_eq!(lab.mounts().await, before);
                }
            }
            Act::Unstage => {
                if lab.unstage().await.is_ok() {
                    assert!(lab.host.mount_at(staging()).await.unwrap().is_none());
                    lab.unstage().await.unwrap();
                }
            }
            Act::Publish { pod, readonly, reader } => {
                if lab.publish(mount(mode(reader)), pod, readonly).await.is_ok() {
                    let there = lab.host.mount_at(&target(pod)).await.unwrap().unwrap();
                    assert_eq!(there.read_only, readonly || reader, "{act:?}");
                    for (file, value) in &written {
                        assert_eq!(lab.host.read(&target(pod).join(file.to_string())).unwrap(), [*value]);
                    }
                    if !reader {
                        let other = lab.publish(mount(mode(false)), pod, !readonly).await;
                        assert_eq!(other.unwrap_err().code(), Code::AlreadyExists);
                    }
                }
            }
            Act::Unpublish { pod } => {
                if lab.unpublish(pod).await.is_ok() {
                    assert!(lab.host.mount_at(&target(pod)).await.unwrap().is_none());
                    assert!(!lab.host.exists(&target(pod)));
                    lab.unpublish(pod).await.unwrap();
                }
            }
            Act::Write { pod, value } => {
                if lab.host.write(&target(pod).join(pod.to_string()), &[value]).is_ok() {
                    written.insert(pod, value);
                }
            }
            // It hits the next act only, so that what is checked of the others is not disturbed.
            Act::Fail { nth, after } => {
                lab.host.fail(nth, if after { Moment::After } else { Moment::Before });
                _ = lab.stage(mount(mode(false))).await;
                _ = lab.host.forget_failure();
            }
            Act::Restart => lab.restart(),
            Act::Replug => {
                lab.host.detach(DISK);
                lab.host.attach(DISK, size);
            }
            Act::Grow => {
                size += SIZE;
                lab.host.attach(DISK, size);
            }
        }
    }
    for pod in 1..4 {
        lab.unpublish(pod).await.unwrap();
    }
    lab.unstage().await.unwrap();
    assert_eq!(lab.mounts().await, 0);
    // A blank disk may have stayed so.
    lab.stage(mount(mode(false))).await.unwrap();
    assert_eq!(disks.filesystem_size(DISK), Some(size));
    for (pod, value) in written {
        assert_eq!(lab.host.read(&staging().join(pod.to_string())).unwrap(), [value]);
    }
    let formats = lab.host.take_log().iter().filter(|entry| entry.starts_with("format")).count();
    assert_eq!(formats, 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn any_order_of_calls_and_failures_ends_well(acts in proptest::collection::vec(act(), 0..25)) {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
            .block_on(run(acts));
    }
}

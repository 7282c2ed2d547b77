//! Every call is cut short at each thing it asks of the machine, before and after that is done, by an error or by the
//! end of the driver. Asking again finishes the work, and nothing is done twice.

use qcloud_csi::node::fake::{FakeDisks, Moment};
use qcloud_csi::proto::VolumeCapability;
use qcloud_csi::proto::volume_capability::access_mode::Mode;

use crate::lab::{DISK, Lab, SIZE, block, mount, staging, target};

/// The life of a volume, as a list of calls.
#[derive(Clone, Copy, Debug)]
enum Step {
    Stage,
    Publish { pod: u32, readonly: bool },
    Expand,
    Unpublish { pod: u32 },
    Unstage,
}

const LIFE: [Step; 7] = [
    Step::Stage,
    Step::Publish { pod: 1, readonly: false },
    Step::Publish { pod: 2, readonly: true },
    Step::Expand,
    Step::Unpublish { pod: 1 },
    Step::Unpublish { pod: 2 },
    Step::Unstage,
];

async fn take(lab: &Lab, step: Step, capability: &VolumeCapability) -> Result<(), tonic::Status> {
    match step {
        Step::Stage => lab.stage(capability.clone()).await,
        Step::Publish { pod, readonly } => lab.publish(capability.clone(), pod, readonly).await,
        Step::Expand => lab.expand(&target(1), 2 * SIZE, 0).await.map(drop),
        Step::Unpublish { pod } => lab.unpublish(pod).await,
        Step::Unstage => lab.unstage().await,
    }
}

/// Lives through all calls, the one at `cut` with a failure at its `nth` use of the machine. Whether it came to that.
async fn live(cut: usize, nth: u64, moment: Moment, restart: bool) -> bool {
    let disks = FakeDisks::default();
    let mut lab = Lab::with_disks(disks.clone());
    let capability = mount(Mode::SingleNodeMultiWriter);
    let mut failed = false;
    for (at, step) in LIFE.into_iter().enumerate() {
        if at == 3 {
            lab.host.write(&target(1).join("a"), b"precious").unwrap();
            lab.host.attach(DISK, 2 * SIZE);
        }
        if at == cut {
            lab.host.fail(nth, moment);
            let first = take(&lab, step, &capability).await;
            failed = !lab.host.forget_failure();
            if restart {
                lab.restart();
            }
            assert!(failed || first.is_ok(), "{step:?} failed by itself: {first:?}");
        }
        take(&lab, step, &capability).await.unwrap_or_else(|status| {
            panic!("{step:?} does not recover from a failure at {nth} ({moment:?}): {status}");
        });
        if at == 2 {
            assert_eq!(lab.mounts().await, 3, "after {step:?}, cut at {nth} {moment:?}");
            lab.host.write(&target(2).join("b"), b"x").unwrap_err();
        }
    }
    assert_eq!(lab.mounts().await, 0);
    assert!(!lab.host.exists(&target(1)) && !lab.host.exists(&target(2)));
    assert_eq!(disks.filesystem_size(DISK), Some(2 * SIZE));
    let formats = lab.host.take_log().iter().filter(|entry| entry.starts_with("format")).count();
    assert_eq!(formats, 1);
    lab.stage(capability).await.unwrap();
    assert_eq!(lab.host.read(&staging().join("a")).unwrap(), b"precious");
    failed
}

#[tokio::test(start_paused = true)]
async fn every_call_recovers_from_a_failure_anywhere() {
    let mut tried = 0;
    for cut in 0..LIFE.len() {
        for moment in [Moment::Before, Moment::After] {
            for restart in [false, true] {
                for nth in 0.. {
                    if !live(cut, nth, moment, restart).await {
                        break;
                    }
                    tried += 1;
                }
            }
        }
    }
    // Every call uses the machine at least twice; fewer would mean that nothing was cut.
    assert!(tried >= LIFE.len() * 2 * 4, "{tried}");
}

#[tokio::test(start_paused = true)]
async fn a_raw_device_recovers_as_well() {
    for moment in [Moment::Before, Moment::After] {
        for nth in 0.. {
            let mut lab = Lab::new();
            lab.host.fail(nth, moment);
            let first = lab.publish(block(Mode::SingleNodeMultiWriter), 1, true).await;
            let came = !lab.host.forget_failure();
            lab.restart();
            assert!(came || first.is_ok());
            lab.publish(block(Mode::SingleNodeMultiWriter), 1, true).await.unwrap();
            assert_eq!(lab.mounts().await, 1);
            lab.host.write(&target(1), b"x").unwrap_err();
            lab.host.fail(nth, moment);
            _ = lab.unpublish(1).await;
            _ = lab.host.forget_failure();
            lab.unpublish(1).await.unwrap();
            assert_eq!(lab.mounts().await, 0);
            assert!(!lab.host.exists(&target(1)));
            if !came {
                break;
            }
        }
    }
}

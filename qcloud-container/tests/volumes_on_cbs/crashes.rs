//! A process dies at every call of every operation, before and after the call is executed; the next one finishes.

use std::time::Duration;

use qcloud_container::kubernetes::ProviderError;
use qcloud_container::kubernetes::volumes::{Access, GIB, SizeRange, SnapshotRequest, Volumes};
use qcloud_core::clock::Clock as _;
use qcloud_emulator::{Builder, Emulator};

use crate::lab::{Lab, Process, lagging, request};

#[derive(Clone, Copy, Debug)]
enum Operation {
    Create,
    Attach,
    AttachWriter,
    Detach,
    Expand,
    Modify,
    Snapshot,
    Restore,
    DeleteSnapshot,
    Delete,
}

const ALL: [Operation; 10] = [
    Operation::Create,
    Operation::Attach,
    Operation::AttachWriter,
    Operation::Detach,
    Operation::Expand,
    Operation::Modify,
    Operation::Snapshot,
    Operation::Restore,
    Operation::DeleteSnapshot,
    Operation::Delete,
];

/// What there is before the operation: a volume, and where it is needed a snapshot.
struct Before {
    volume: String,
    snapshot: Option<String>,
}

impl Operation {
    async fn prepare(self, lab: &Lab, process: &Process) -> Before {
        if matches!(self, Self::Create) {
            return Before { volume: String::new(), snapshot: None };
        }
        let wanted = request("a");
        let wanted = if matches!(self, Self::AttachWriter) { wanted.shareable() } else { wanted };
        let volume = process.create(&wanted).await.unwrap().id;
        if matches!(self, Self::Detach) {
            process.attach(&volume, &lab.nodes[0]).await.unwrap();
        }
        let mut snapshot = None;
        if matches!(self, Self::Restore | Self::DeleteSnapshot) {
            snapshot = Some(take(process, &volume).await.unwrap());
        }
        Before { volume, snapshot }
    }

    async fn run(self, lab: &Lab, process: &Process, before: &Before) -> Result<(), ProviderError> {
        let (volume, node) = (&before.volume, &lab.nodes[0]);
        match self {
            Self::Create => process.create(&request("a")).await.map(drop),
            Self::Attach => process.attach(volume, node).await.map(drop),
            Self::AttachWriter => {
                let access = Access::WRITER_AMONG_READERS;
                process.insist(|| process.volumes.attach(volume, node, access)).await.map(drop)
            }
            Self::Detach => process.detach(volume, Some(node)).await,
            Self::Expand => {
                let size = SizeRange::at_least(30 * GIB);
                process.insist(|| process.volumes.expand(volume, size)).await.map(drop)
            }
            Self::Modify => {
                let changes = [("diskType".to_owned(), "CLOUD_SSD".to_owned())].into();
                process.insist(|| process.volumes.modify(volume, &changes)).await.map(drop)
            }
            Self::Snapshot => take(process, volume).await.map(drop),
            Self::Restore => {
                let request = request("b").source(before.snapshot.clone().unwrap());
                process.create(&request).await.map(drop)
            }
            Self::DeleteSnapshot => {
                let snapshot = before.snapshot.clone().unwrap();
                process.insist(|| process.volumes.delete_snapshot(&snapshot)).await
            }
            Self::Delete => process.delete(volume).await,
        }
    }

    /// What the cloud holds when the operation is done: as many disks and snapshots, and whether the first disk fits.
    async fn check(self, lab: &Lab, what: &str) {
        let (disks, snapshots) = (lab.disks().await, lab.snapshots().await);
        let expected = match self {
            Self::Snapshot => (1, 1),
            Self::Restore => (2, 1),
            Self::Delete => (0, 0),
            _ => (1, 0),
        };
        assert_eq!((disks.len(), snapshots.len()), expected, "{what}");
        let Some(disk) = disks.first() else { return };
        let state = if matches!(self, Self::Attach | Self::AttachWriter) { "ATTACHED" } else { "UNATTACHED" };
        assert_eq!(disk["DiskState"], state, "{what}");
        assert_eq!(disk["DiskSize"], if matches!(self, Self::Expand) { 30 } else { 20 }, "{what}");
        assert_eq!(
            disk["DiskType"],
            if matches!(self, Self::Modify) { "CLOUD_SSD" } else { "CLOUD_PREMIUM" },
            "{what}"
        );
    }
}

async fn take(process: &Process, volume: &str) -> Result<String, ProviderError> {
    let request = SnapshotRequest::new("s", volume);
    let snapshot = process.insist(|| process.volumes.create_snapshot(&request)).await?;
    process
        .insist(|| async {
            let snapshot = process.volumes.get_snapshot(&snapshot.id).await?;
            let unready = || ProviderError::pending("not ready", Duration::from_secs(1));
            if snapshot.ready { Ok(snapshot.id) } else { Err(unready()) }
        })
        .await
}

async fn crash_everywhere(cloud: impl Fn() -> Builder, operation: Operation) {
    for executed in [false, true] {
        for call in 1.. {
            assert!(call < 50, "{operation:?} takes too many calls");
            let what = format!("{operation:?}, death at call {call}, executed: {executed}");
            let lab = Lab::with(cloud()).await;
            let before = operation.prepare(&lab, &lab.process()).await;
            let mortal = lab.process();
            mortal.die_at(call, executed);
            let result = operation.run(&lab, &mortal, &before).await;
            if !mortal.is_dead() {
                result.unwrap();
                assert!(call > 1, "{what}");
                break;
            }
            let next = lab.process();
            if let Err(error) = operation.run(&lab, &next, &before).await {
                panic!("{what}: {error:?}");
            }
            // Until lists show all that was done.
            lab.clock.sleep(Duration::from_secs(10)).await;
            operation.check(&lab, &what).await;
        }
    }
}

#[tokio::test]
async fn row_3_whatever_call_a_process_dies_at_the_next_one_finishes() {
    for operation in ALL {
        crash_everywhere(Emulator::builder, operation).await;
    }
}

#[tokio::test]
async fn row_3_and_8_whatever_call_a_process_dies_at_the_next_one_finishes_where_lists_lag() {
    for operation in ALL {
        crash_everywhere(lagging, operation).await;
    }
}

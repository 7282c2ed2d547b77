//! Waiting for disks and snapshots.

#[cfg(feature = "disk")]
pub use disk::*;
#[cfg(feature = "snapshot")]
pub use snapshot::*;

#[cfg(feature = "disk")]
mod disk {
    use qcloud_core::wait::{Condition, Wait, Watch, is_gone, state_in};

    use crate::Client;
    use crate::model::{DescribeDisks, Disk, DiskState};

    const DISKS: Watch<Disk> = Watch::new("disks", |disk| &disk.disk_id, |disk| disk.disk_state.to_string());

    impl Client {
        /// Waits until disks are as `condition` says, and gives them. See [`Wait`].
        pub fn wait_for_disks<'c>(
            &'c self,
            ids: impl IntoIterator<Item = impl Into<String>>,
            condition: impl Condition<Disk> + 'c,
        ) -> Wait<'c, Disk> {
            let look = move |ids: Vec<String>| {
                let call = self.describe_disks(DescribeDisks::new().disk_ids(ids).limit(100_u64));
                Box::pin(async move { Ok(call.await?.disk_set) }) as _
            };
            Wait::new(self.config(), DISKS, ids, look, condition)
        }
    }

    fn state(disk: &Disk) -> &DiskState {
        &disk.disk_state
    }

    /// The disk exists and is attached to nothing. Hopeless once it is in the recycle bin.
    pub fn is_unattached() -> impl Condition<Disk> {
        state_in(state, &[DiskState::Unattached], &[DiskState::ToRecycle])
    }

    /// The disk is attached. Hopeless once it is in the recycle bin.
    pub fn is_attached() -> impl Condition<Disk> {
        state_in(state, &[DiskState::Attached], &[DiskState::ToRecycle])
    }

    /// Nothing is under way on the disk: it is attached or unattached, after growing or a rollback, say.
    pub fn is_settled() -> impl Condition<Disk> {
        state_in(state, &[DiskState::Attached, DiskState::Unattached], &[DiskState::ToRecycle])
    }

    /// The disk is no longer listed. For disks that have been listed before.
    pub fn is_disk_gone() -> impl Condition<Disk> {
        is_gone()
    }
}

#[cfg(feature = "snapshot")]
mod snapshot {
    use qcloud_core::wait::{Condition, Wait, Watch, is_gone, state_in};

    use crate::Client;
    use crate::model::{DescribeSnapshots, Snapshot, SnapshotState};

    const SNAPSHOTS: Watch<Snapshot> = Watch::new(
        "snapshots",
        |snapshot| &snapshot.snapshot_id,
        |snapshot| format!("{}, {} %", snapshot.snapshot_state, snapshot.percent),
    );

    impl Client {
        /// Waits until snapshots are as `condition` says, and gives them. See [`Wait`].
        pub fn wait_for_snapshots<'c>(
            &'c self,
            ids: impl IntoIterator<Item = impl Into<String>>,
            condition: impl Condition<Snapshot> + 'c,
        ) -> Wait<'c, Snapshot> {
            let look = move |ids: Vec<String>| {
                let call = self.describe_snapshots(DescribeSnapshots::new().snapshot_ids(ids).limit(100_u64));
                Box::pin(async move { Ok(call.await?.snapshot_set) }) as _
            };
            Wait::new(self.config(), SNAPSHOTS, ids, look, condition)
        }
    }

    /// The snapshot is complete and can be used. Hopeless once it is in the recycle bin.
    pub fn is_complete() -> impl Condition<Snapshot> {
        state_in(|snapshot: &Snapshot| &snapshot.snapshot_state, &[SnapshotState::Normal], &[SnapshotState::ToRecycle])
    }

    /// The snapshot is no longer listed. For snapshots that have been listed before.
    pub fn is_snapshot_gone() -> impl Condition<Snapshot> {
        is_gone()
    }
}

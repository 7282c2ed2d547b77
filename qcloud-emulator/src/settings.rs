//! The knobs, as the running emulator reads them.

use std::collections::BTreeMap;
use std::time::Duration;

/// Work that takes time in the cloud. How long it takes here is a knob:
/// [`Builder::task_duration`](crate::Builder::task_duration).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Task {
    /// From `RunInstances` to `RUNNING`.
    InstanceBoot,
    /// From `STOPPED` to `RUNNING`.
    InstanceStart,
    /// From `RUNNING` to `STOPPED`.
    InstanceStop,
    /// From `RUNNING` over `REBOOTING` to `RUNNING`.
    InstanceReboot,
    /// From `TerminateInstances` until the instance is gone, or in the recycle bin when it is prepaid.
    InstanceTerminate,
    /// A reinstallation by `ResetInstance`.
    InstanceReset,
    /// From `CreateDisks` until the disk can be seen.
    DiskCreate,
    /// From `ATTACHING` to `ATTACHED`.
    DiskAttach,
    /// From `DETACHING` to `UNATTACHED`.
    DiskDetach,
    /// From `EXPANDING` back to the state before.
    DiskResize,
    /// A change of a disk's type.
    DiskMigrate,
    /// How long a returned or expired prepaid disk stays in the recycle bin, `TORECYCLE`.
    DiskRecycle,
    /// From `CreateSnapshot` to `NORMAL`.
    SnapshotCreate,
    /// From `ROLLBACKING` back to the state before.
    SnapshotApply,
}

impl Task {
    /// Every task, for a test that sets all of them.
    pub const ALL: [Self; 14] = [
        Self::InstanceBoot,
        Self::InstanceStart,
        Self::InstanceStop,
        Self::InstanceReboot,
        Self::InstanceTerminate,
        Self::InstanceReset,
        Self::DiskCreate,
        Self::DiskAttach,
        Self::DiskDetach,
        Self::DiskResize,
        Self::DiskMigrate,
        Self::DiskRecycle,
        Self::SnapshotCreate,
        Self::SnapshotApply,
    ];

    /// How long the task takes unless the knob says otherwise: shorter than the real thing, long enough to be seen.
    pub const fn default_duration(self) -> Duration {
        match self {
            Self::InstanceBoot | Self::InstanceReboot => Duration::from_secs(2),
            Self::InstanceStart | Self::InstanceStop | Self::InstanceTerminate => Duration::from_secs(1),
            Self::InstanceReset => Duration::from_secs(3),
            Self::DiskCreate | Self::DiskAttach | Self::DiskDetach | Self::DiskResize => Duration::from_secs(1),
            Self::DiskMigrate => Duration::from_secs(10),
            Self::DiskRecycle => Duration::from_secs(7 * 24 * 3600),
            Self::SnapshotCreate | Self::SnapshotApply => Duration::from_secs(2),
        }
    }
}

/// How much of something an account may have: [`Builder::quota`](crate::Builder::quota).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Quota {
    /// Instances in one zone (`LimitExceeded.CvmInstanceQuota`).
    InstancesPerZone,
    /// VPCs in one region.
    VpcsPerRegion,
    /// Subnets in one VPC.
    SubnetsPerVpc,
    /// Route tables in one VPC, its default one among them.
    RouteTablesPerVpc,
    /// Routes in one route table.
    RoutesPerTable,
    /// Security groups in one region.
    SecurityGroupsPerRegion,
    /// Policies of one direction in one security group.
    PoliciesPerDirection,
    /// Disks in one region, those of instances among them (`ResourceInsufficient.OverQuota`).
    DisksPerRegion,
    /// Data disks on one instance (`LimitExceeded.InstanceAttachedDisk`).
    DisksPerInstance,
    /// How many prepaid disks may be returned in one region (`InsufficientRefundQuota`).
    DiskRefunds,
    /// Snapshots in one region (`InsufficientSnapshotQuota`).
    SnapshotsPerRegion,
    /// Auto-snapshot policies in one region (`LimitExceeded.AutoSnapshotPolicyOutOfQuota`).
    SnapshotPoliciesPerRegion,
    /// Disks bound to one auto-snapshot policy (`InvalidParameterValue.BindDiskLimitExceeded`).
    DisksPerSnapshotPolicy,
}

impl Quota {
    /// The quota that a new account has; those for instances, disks and snapshots are larger than the real ones, so
    /// that load tests fit.
    pub const fn default_limit(self) -> usize {
        match self {
            Self::InstancesPerZone => 10_000,
            Self::VpcsPerRegion => 20,
            Self::SubnetsPerVpc | Self::PoliciesPerDirection => 100,
            Self::RouteTablesPerVpc => 10,
            Self::RoutesPerTable | Self::SecurityGroupsPerRegion => 50,
            Self::DisksPerRegion => 40_000,
            Self::DisksPerInstance => 20,
            Self::DiskRefunds => 1_000,
            Self::SnapshotsPerRegion => 10_000,
            Self::SnapshotPoliciesPerRegion => 30,
            Self::DisksPerSnapshotPolicy => 200,
        }
    }
}

/// Which error an instance gives that is in the middle of another operation. The documentation allows all three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum BusyInstance {
    /// `OperationDenied.InstanceOperationInProgress`.
    #[default]
    OperationInProgress,
    /// `MutexOperation.TaskRunning`.
    TaskRunning,
    /// `UnsupportedOperation.InstanceStateStopping` and its like, by the state that the instance is in.
    InstanceState,
}

/// What the `Describe…` actions of VPC do with ids that do not exist. Those of CVM leave them out, always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum UnknownIds {
    /// They are left out of the answer.
    #[default]
    Omit,
    /// The call fails with `ResourceNotFound`.
    Refuse,
}

/// Against which clock the age of a signature is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SignatureTime {
    /// A signature is fresh when it fits the emulator's clock or the machine's: a client whose clock is right keeps
    /// working after the emulator's clock was advanced.
    #[default]
    EmulatorOrMachine,
    /// Only the emulator's clock counts, as if the whole cloud were at its time. For tests of clock skew.
    Emulator,
    /// Signatures never grow old.
    Unchecked,
}

/// All knobs.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    pub(crate) region: String,
    pub(crate) check_responses: bool,
    pub(crate) request_step: Duration,
    pub(crate) signature_time: SignatureTime,
    pub(crate) signature_age: Duration,
    pub(crate) busy_instance: BusyInstance,
    pub(crate) unknown_ids: UnknownIds,
    pub(crate) call_log: usize,
    pub(crate) task_durations: BTreeMap<Task, Duration>,
    pub(crate) quotas: BTreeMap<Quota, usize>,
    pub(crate) sold_out_zones: Vec<String>,
    pub(crate) sold_out_types: Vec<String>,
    /// Zones and disk types.
    pub(crate) sold_out_disks: Vec<(String, String)>,
    pub(crate) resize_needs_stop: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            region: "ap-guangzhou".to_owned(),
            check_responses: false,
            request_step: Duration::ZERO,
            signature_time: SignatureTime::default(),
            signature_age: Duration::from_secs(300),
            busy_instance: BusyInstance::default(),
            unknown_ids: UnknownIds::default(),
            call_log: 100_000,
            task_durations: BTreeMap::new(),
            quotas: BTreeMap::new(),
            sold_out_zones: Vec::new(),
            sold_out_types: Vec::new(),
            sold_out_disks: Vec::new(),
            resize_needs_stop: false,
        }
    }
}

impl Settings {
    pub(crate) fn duration(&self, task: Task) -> Duration {
        self.task_durations.get(&task).copied().unwrap_or_else(|| task.default_duration())
    }

    pub(crate) fn limit(&self, quota: Quota) -> usize {
        self.quotas.get(&quota).copied().unwrap_or_else(|| quota.default_limit())
    }
}

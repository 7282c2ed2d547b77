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
    /// From `CreateCluster` until the cluster is `Running`.
    ClusterCreate,
    /// From `DeleteCluster` until the cluster is gone.
    ClusterDelete,
    /// From a running instance to a running node.
    NodeInitialize,
    /// From the creation of a node pool until it is `normal` and begins to scale.
    NodePoolCreate,
    /// From a change of a node pool's size until its instances are ordered or given back. A pool whose instances cannot
    /// be had tries again after this long, and then twice as long each time.
    NodePoolScale,
    /// From the deletion of a node pool until it is gone.
    NodePoolDelete,
    /// Opening or closing a cluster's endpoint.
    ClusterEndpoint,
}

impl Task {
    /// Every task, for a test that sets all of them.
    pub const ALL: [Self; 13] = [
        Self::InstanceBoot,
        Self::InstanceStart,
        Self::InstanceStop,
        Self::InstanceReboot,
        Self::InstanceTerminate,
        Self::InstanceReset,
        Self::ClusterCreate,
        Self::ClusterDelete,
        Self::NodeInitialize,
        Self::NodePoolCreate,
        Self::NodePoolScale,
        Self::NodePoolDelete,
        Self::ClusterEndpoint,
    ];

    /// How long the task takes unless the knob says otherwise: shorter than the real thing, long enough to be seen.
    pub const fn default_duration(self) -> Duration {
        match self {
            Self::InstanceBoot | Self::InstanceReboot => Duration::from_secs(2),
            Self::InstanceStart | Self::InstanceStop | Self::InstanceTerminate => Duration::from_secs(1),
            Self::InstanceReset | Self::ClusterEndpoint => Duration::from_secs(3),
            Self::ClusterCreate => Duration::from_secs(5),
            Self::ClusterDelete | Self::NodeInitialize | Self::NodePoolDelete => Duration::from_secs(2),
            Self::NodePoolCreate | Self::NodePoolScale => Duration::from_secs(1),
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
    /// Clusters in one region (`QuotaMaxClsLimit`).
    ClustersPerRegion,
    /// Nodes in one cluster (`QuotaMaxNodLimit`).
    NodesPerCluster,
    /// Cluster route tables in one region, those of clusters among them (`InternalError.QuotaMaxRtLimit`).
    ClusterRouteTablesPerRegion,
}

impl Quota {
    /// The quota that a new account has; the one for instances is larger than a real one, so that load tests fit.
    pub const fn default_limit(self) -> usize {
        match self {
            Self::InstancesPerZone => 10_000,
            Self::VpcsPerRegion | Self::ClustersPerRegion => 20,
            Self::SubnetsPerVpc | Self::PoliciesPerDirection => 100,
            Self::RouteTablesPerVpc => 10,
            Self::RoutesPerTable | Self::SecurityGroupsPerRegion | Self::ClusterRouteTablesPerRegion => 50,
            Self::NodesPerCluster => 5_000,
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

/// Which of its two families of error codes the container service uses. The documentation lists both for the same
/// causes; where it lists one only, that one is used whatever this says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ClusterErrors {
    /// `InvalidParameter.CidrOutOfRouteTable`, `ResourceNotFound.RouteTableNotFound` and their like.
    #[default]
    InvalidParameter,
    /// `InternalError.CidrOutOfRouteTable`, `InternalError.RouteTableNotFound` and their like.
    InternalError,
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
    pub(crate) cluster_errors: ClusterErrors,
    /// The roles that can be assumed; any when there are none here.
    pub(crate) roles: Vec<String>,
    pub(crate) role_credential_life: Duration,
    pub(crate) metadata_instance: Option<String>,
    pub(crate) call_log: usize,
    pub(crate) task_durations: BTreeMap<Task, Duration>,
    pub(crate) quotas: BTreeMap<Quota, usize>,
    pub(crate) sold_out_zones: Vec<String>,
    pub(crate) sold_out_types: Vec<String>,
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
            cluster_errors: ClusterErrors::default(),
            roles: Vec::new(),
            role_credential_life: Duration::from_secs(7200),
            metadata_instance: None,
            call_log: 100_000,
            task_durations: BTreeMap::new(),
            quotas: BTreeMap::new(),
            sold_out_zones: Vec::new(),
            sold_out_types: Vec::new(),
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

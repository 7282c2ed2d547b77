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
    /// From `CreateLoadBalancer` to a load balancer that has an address and is ready.
    LoadBalancerCreate,
    /// A change of a load balancer's attributes, or of its being started or stopped.
    LoadBalancerChange,
    /// From `DeleteLoadBalancer` until the load balancer is gone.
    LoadBalancerDelete,
    /// Creating, changing or deleting listeners or forwarding rules.
    ListenerChange,
    /// Binding or unbinding targets, or changing their weights or ports, other than in a synchronous batch.
    TargetChange,
    /// From the binding of a target until its health is known.
    TargetProbe,
    /// A change of the members or associations of a target group.
    TargetGroupChange,
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
        Self::LoadBalancerCreate,
        Self::LoadBalancerChange,
        Self::LoadBalancerDelete,
        Self::ListenerChange,
        Self::TargetChange,
        Self::TargetProbe,
        Self::TargetGroupChange,
    ];

    /// How long the task takes unless the knob says otherwise: shorter than the real thing, long enough to be seen.
    pub const fn default_duration(self) -> Duration {
        match self {
            Self::InstanceBoot | Self::InstanceReboot => Duration::from_secs(2),
            Self::InstanceStart | Self::InstanceStop | Self::InstanceTerminate => Duration::from_secs(1),
            Self::InstanceReset => Duration::from_secs(3),
            Self::LoadBalancerCreate | Self::LoadBalancerDelete => Duration::from_secs(2),
            Self::LoadBalancerChange | Self::ListenerChange | Self::TargetChange => Duration::from_secs(1),
            Self::TargetProbe | Self::TargetGroupChange => Duration::from_secs(1),
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
    /// Public load balancers in one region.
    PublicLoadBalancers,
    /// Internal load balancers in one region.
    InternalLoadBalancers,
    /// Listeners of one load balancer.
    ListenersPerLoadBalancer,
    /// Forwarding rules of one listener.
    RulesPerListener,
    /// Targets of one listener or forwarding rule, and members of one target group.
    TargetsPerRule,
    /// Addresses that one load balancer is created with to reach targets in other networks.
    SnatIpsPerLoadBalancer,
    /// Target groups in one region.
    TargetGroups,
    /// Load balancers deleted within five minutes in one region: so many are refused as mass deletion.
    DeletionsInFiveMinutes,
}

impl Quota {
    /// The quota that a new account has; the one for instances is larger than a real one, so that load tests fit.
    pub const fn default_limit(self) -> usize {
        match self {
            Self::InstancesPerZone => 10_000,
            Self::VpcsPerRegion => 20,
            Self::SubnetsPerVpc | Self::PoliciesPerDirection => 100,
            Self::PublicLoadBalancers | Self::InternalLoadBalancers | Self::TargetGroups => 100,
            Self::TargetsPerRule => 200,
            Self::ListenersPerLoadBalancer | Self::RulesPerListener => 50,
            Self::DeletionsInFiveMinutes => 30,
            Self::RouteTablesPerVpc | Self::SnatIpsPerLoadBalancer => 10,
            Self::RoutesPerTable | Self::SecurityGroupsPerRegion => 50,
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

/// How CLB says that a load balancer, a listener or a rule does not exist. The cloud does it both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MissingBalancer {
    /// With a code of its own where the documentation of the action lists one, else with `InvalidParameter`.
    #[default]
    ByAction,
    /// With `InvalidParameter.LBIdNotFound`, `.ListenerIdNotFound` and `.LocationNotFound` in every action.
    OwnCode,
    /// With `InvalidParameter` in every action; only the message tells.
    Plain,
}

/// What new public IPv4 load balancers are reached by, unless `DynamicVip` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum PublicAddress {
    /// A fixed address.
    #[default]
    Vip,
    /// A domain name, and no address that answers show.
    Domain,
}

/// What `Limit`, `Offset` and `TotalCount` of `DescribeLoadBalancersDetail` count. The documentation leaves it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum DetailPages {
    /// Rows.
    #[default]
    Rows,
    /// Load balancers: a page has all the rows of each.
    LoadBalancers,
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
    pub(crate) missing_balancer: MissingBalancer,
    pub(crate) public_address: PublicAddress,
    pub(crate) detail_pages: DetailPages,
    pub(crate) poisoned_targets: Vec<String>,
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
            missing_balancer: MissingBalancer::default(),
            public_address: PublicAddress::default(),
            detail_pages: DetailPages::default(),
            poisoned_targets: Vec::new(),
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

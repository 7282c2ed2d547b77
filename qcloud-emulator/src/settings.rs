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
    /// A change to a stopped instance: its type, password, key pairs or network.
    InstanceChange,
    /// From `CreateImage` until the image is `NORMAL`.
    ImageCreate,
    /// From `CreateNetworkInterface` to `AVAILABLE`.
    InterfaceCreate,
    /// A network interface is being attached.
    InterfaceAttach,
    /// A network interface is being detached.
    InterfaceDetach,
    /// From `DeleteNetworkInterface` until the interface is gone.
    InterfaceDelete,
    /// Private addresses of a network interface are being assigned, taken back or moved.
    InterfaceAddresses,
    /// From `AllocateAddresses` to `UNBIND`.
    ElasticIpAllocate,
    /// From `AssociateAddress` to `BIND`.
    ElasticIpBind,
    /// From `DisassociateAddress` to `UNBIND`.
    ElasticIpUnbind,
    /// From `ReleaseAddresses` until the address is gone.
    ElasticIpRelease,
    /// A change of the bandwidth of elastic IPs.
    ElasticIpBandwidth,
    /// From `CreateNatGateway` to `AVAILABLE`.
    NatGatewayCreate,
    /// A change of a NAT gateway or of its addresses.
    NatGatewayUpdate,
    /// From `DeleteNatGateway` until the gateway is gone.
    NatGatewayDelete,
    /// From `AttachCcnInstances` to `ACTIVE`.
    CcnAttach,
    /// From `DetachCcnInstances` until the attachment is gone.
    CcnDetach,
}

impl Task {
    /// Every task, for a test that sets all of them.
    pub const ALL: [Self; 23] = [
        Self::InstanceBoot,
        Self::InstanceStart,
        Self::InstanceStop,
        Self::InstanceReboot,
        Self::InstanceTerminate,
        Self::InstanceReset,
        Self::InstanceChange,
        Self::ImageCreate,
        Self::InterfaceCreate,
        Self::InterfaceAttach,
        Self::InterfaceDetach,
        Self::InterfaceDelete,
        Self::InterfaceAddresses,
        Self::ElasticIpAllocate,
        Self::ElasticIpBind,
        Self::ElasticIpUnbind,
        Self::ElasticIpRelease,
        Self::ElasticIpBandwidth,
        Self::NatGatewayCreate,
        Self::NatGatewayUpdate,
        Self::NatGatewayDelete,
        Self::CcnAttach,
        Self::CcnDetach,
    ];

    /// How long the task takes unless the knob says otherwise: shorter than the real thing, long enough to be seen.
    pub const fn default_duration(self) -> Duration {
        match self {
            Self::InstanceBoot | Self::InstanceReboot => Duration::from_secs(2),
            Self::InstanceStart | Self::InstanceStop | Self::InstanceTerminate => Duration::from_secs(1),
            Self::InstanceReset | Self::NatGatewayCreate => Duration::from_secs(3),
            Self::InstanceChange
            | Self::InterfaceCreate
            | Self::InterfaceAttach
            | Self::InterfaceDetach
            | Self::InterfaceDelete
            | Self::InterfaceAddresses
            | Self::ElasticIpAllocate
            | Self::ElasticIpBind
            | Self::ElasticIpUnbind
            | Self::ElasticIpRelease
            | Self::ElasticIpBandwidth
            | Self::CcnAttach
            | Self::CcnDetach => Duration::from_secs(1),
            Self::ImageCreate | Self::NatGatewayUpdate | Self::NatGatewayDelete => Duration::from_secs(2),
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
    /// Secondary network interfaces in one VPC (`LimitExceeded.NetworkInterfaceLimitExceeded`).
    InterfacesPerVpc,
    /// Network interfaces of one instance, the primary one among them. The instance type may allow fewer.
    InterfacesPerInstance,
    /// Private addresses of one network interface. The instance type may allow fewer, and 10 are the most of an
    /// interface that is not attached.
    AddressesPerInterface,
    /// Elastic IPs in one region (`AddressQuotaLimitExceeded`). Twice as many may be allocated on one day.
    ElasticIpsPerRegion,
    /// NAT gateways in one VPC.
    NatGatewaysPerVpc,
    /// Elastic IPs of one NAT gateway.
    ElasticIpsPerNatGateway,
    /// CCNs of the account.
    Ccns,
    /// Network instances attached to one CCN.
    InstancesPerCcn,
    /// HAVIPs in one VPC.
    HaVipsPerVpc,
    /// Secondary networks of one VPC.
    AssistantCidrsPerVpc,
    /// Key pairs in one region (`InvalidKeyPair.LimitExceeded`).
    KeyPairsPerRegion,
    /// Images of one's own in one region.
    ImagesPerRegion,
    /// Placement groups in one region.
    PlacementGroupsPerRegion,
}

impl Quota {
    /// The quota that a new account has; the one for instances is larger than a real one, so that load tests fit.
    pub const fn default_limit(self) -> usize {
        match self {
            Self::InstancesPerZone => 10_000,
            Self::VpcsPerRegion | Self::ElasticIpsPerRegion | Self::InstancesPerCcn | Self::ImagesPerRegion => 20,
            Self::SubnetsPerVpc | Self::PoliciesPerDirection | Self::KeyPairsPerRegion => 100,
            Self::RouteTablesPerVpc
            | Self::ElasticIpsPerNatGateway
            | Self::HaVipsPerVpc
            | Self::PlacementGroupsPerRegion => 10,
            Self::RoutesPerTable | Self::SecurityGroupsPerRegion => 50,
            Self::InterfacesPerVpc => 1_000,
            Self::InterfacesPerInstance => 8,
            Self::AddressesPerInterface => 30,
            Self::NatGatewaysPerVpc => 3,
            Self::Ccns | Self::AssistantCidrsPerVpc => 5,
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

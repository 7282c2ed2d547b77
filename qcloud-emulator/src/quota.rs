//! How much of everything there may be.

use serde::{Deserialize, Serialize};

/// Makes [`Quota`] from a table of its kinds, each with its limit.
macro_rules! quotas {
    ($($(#[$doc:meta])* $name:ident = $limit:expr,)*) => {
        /// How much of something an account may have: [`Builder::quota`](crate::Builder::quota).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum Quota {
            $($(#[$doc])* $name,)*
        }

        impl Quota {
            /// Every quota, for a test that sets all of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The quota that a new account has; those for instances, disks and snapshots are larger than the real
            /// ones, so that load tests fit.
            pub const fn default_limit(self) -> usize {
                match self {
                    $(Self::$name => $limit,)*
                }
            }
        }
    };
}

quotas! {
    // CVM.
    /// Instances in one zone (`LimitExceeded.CvmInstanceQuota`).
    InstancesPerZone = 10_000,
    /// Key pairs in one region (`InvalidKeyPair.LimitExceeded`).
    KeyPairsPerRegion = 100,
    /// Images of one's own in one region.
    ImagesPerRegion = 20,
    /// Placement groups in one region.
    PlacementGroupsPerRegion = 10,

    // VPC.
    /// VPCs in one region.
    VpcsPerRegion = 20,
    /// Subnets in one VPC.
    SubnetsPerVpc = 100,
    /// Route tables in one VPC, its default one among them.
    RouteTablesPerVpc = 10,
    /// Routes in one route table.
    RoutesPerTable = 50,
    /// Security groups in one region.
    SecurityGroupsPerRegion = 50,
    /// Policies of one direction in one security group.
    PoliciesPerDirection = 100,
    /// Secondary network interfaces in one VPC (`LimitExceeded.NetworkInterfaceLimitExceeded`).
    InterfacesPerVpc = 1_000,
    /// Network interfaces of one instance, the primary one among them. The instance type may allow fewer.
    InterfacesPerInstance = 8,
    /// Private addresses of one network interface. The instance type may allow fewer, and 10 are the most of an
    /// interface that is not attached.
    AddressesPerInterface = 30,
    /// Elastic IPs in one region (`AddressQuotaLimitExceeded`). Twice as many may be allocated on one day.
    ElasticIpsPerRegion = 20,
    /// NAT gateways in one VPC.
    NatGatewaysPerVpc = 3,
    /// Elastic IPs of one NAT gateway.
    ElasticIpsPerNatGateway = 10,
    /// CCNs of the account.
    Ccns = 5,
    /// Network instances attached to one CCN.
    InstancesPerCcn = 20,
    /// HAVIPs in one VPC.
    HaVipsPerVpc = 10,
    /// Secondary networks of one VPC.
    AssistantCidrsPerVpc = 5,

    // CBS.
    /// Disks in one region, those of instances among them (`ResourceInsufficient.OverQuota`).
    DisksPerRegion = 40_000,
    /// Data disks on one instance (`LimitExceeded.InstanceAttachedDisk`).
    DisksPerInstance = 20,
    /// How many prepaid disks may be returned in one region (`InsufficientRefundQuota`).
    DiskRefunds = 1_000,
    /// Snapshots in one region (`InsufficientSnapshotQuota`).
    SnapshotsPerRegion = 10_000,
    /// Auto-snapshot policies in one region (`LimitExceeded.AutoSnapshotPolicyOutOfQuota`).
    SnapshotPoliciesPerRegion = 30,
    /// Disks bound to one auto-snapshot policy (`InvalidParameterValue.BindDiskLimitExceeded`).
    DisksPerSnapshotPolicy = 200,

    // CLB.
    /// Public load balancers in one region.
    PublicLoadBalancers = 100,
    /// Internal load balancers in one region.
    InternalLoadBalancers = 100,
    /// Listeners of one load balancer.
    ListenersPerLoadBalancer = 50,
    /// Forwarding rules of one listener.
    RulesPerListener = 50,
    /// Targets of one listener or forwarding rule, and members of one target group.
    TargetsPerRule = 200,
    /// Addresses that one load balancer is created with to reach targets in other networks.
    SnatIpsPerLoadBalancer = 10,
    /// Target groups in one region.
    TargetGroups = 100,
    /// Load balancers deleted within five minutes in one region: so many are refused as mass deletion.
    DeletionsInFiveMinutes = 30,

    // TKE.
    /// Clusters in one region (`QuotaMaxClsLimit`).
    ClustersPerRegion = 20,
    /// Nodes in one cluster (`QuotaMaxNodLimit`).
    NodesPerCluster = 5_000,
    /// Cluster route tables in one region, those of clusters among them (`InternalError.QuotaMaxRtLimit`).
    ClusterRouteTablesPerRegion = 50,
}

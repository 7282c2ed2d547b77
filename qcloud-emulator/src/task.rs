//! Work that takes time, with the time that each kind takes unless a knob says otherwise.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Makes [`Task`] from a table of its kinds, each with its seconds, so that the lists of them cannot disagree.
macro_rules! tasks {
    ($($(#[$doc:meta])* $name:ident = $seconds:expr,)*) => {
        /// Work that takes time in the cloud. How long it takes here is a knob:
        /// [`Builder::task_duration`](crate::Builder::task_duration).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum Task {
            $($(#[$doc])* $name,)*
        }

        impl Task {
            /// Every task, for a test that sets all of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// How long the task takes unless the knob says otherwise: shorter than the real thing, long enough to be
            /// seen.
            pub const fn default_duration(self) -> Duration {
                Duration::from_secs(match self {
                    $(Self::$name => $seconds,)*
                })
            }
        }
    };
}

tasks! {
    // CVM.
    /// From `RunInstances` to `RUNNING`.
    InstanceBoot = 2,
    /// From `STOPPED` to `RUNNING`.
    InstanceStart = 1,
    /// From `RUNNING` to `STOPPED`.
    InstanceStop = 1,
    /// From `RUNNING` over `REBOOTING` to `RUNNING`.
    InstanceReboot = 2,
    /// From `TerminateInstances` until the instance is gone, or in the recycle bin when it is prepaid.
    InstanceTerminate = 1,
    /// A reinstallation by `ResetInstance`.
    InstanceReset = 3,
    /// A change to a stopped instance: its type, password, key pairs or network.
    InstanceChange = 1,
    /// From `CreateImage` until the image is `NORMAL`.
    ImageCreate = 2,

    // VPC.
    /// From `CreateNetworkInterface` to `AVAILABLE`.
    InterfaceCreate = 1,
    /// A network interface is being attached.
    InterfaceAttach = 1,
    /// A network interface is being detached.
    InterfaceDetach = 1,
    /// From `DeleteNetworkInterface` until the interface is gone.
    InterfaceDelete = 1,
    /// Private addresses of a network interface are being assigned, taken back or moved.
    InterfaceAddresses = 1,
    /// From `AllocateAddresses` to `UNBIND`.
    ElasticIpAllocate = 1,
    /// From `AssociateAddress` to `BIND`.
    ElasticIpBind = 1,
    /// From `DisassociateAddress` to `UNBIND`.
    ElasticIpUnbind = 1,
    /// From `ReleaseAddresses` until the address is gone.
    ElasticIpRelease = 1,
    /// A change of the bandwidth of elastic IPs.
    ElasticIpBandwidth = 1,
    /// From `CreateNatGateway` to `AVAILABLE`.
    NatGatewayCreate = 3,
    /// A change of a NAT gateway or of its addresses.
    NatGatewayUpdate = 2,
    /// From `DeleteNatGateway` until the gateway is gone.
    NatGatewayDelete = 2,
    /// From `AttachCcnInstances` to `ACTIVE`.
    CcnAttach = 1,
    /// From `DetachCcnInstances` until the attachment is gone.
    CcnDetach = 1,

    // CBS.
    /// From `CreateDisks` until the disk can be seen.
    DiskCreate = 1,
    /// From `ATTACHING` to `ATTACHED`.
    DiskAttach = 1,
    /// From `DETACHING` to `UNATTACHED`.
    DiskDetach = 1,
    /// From `EXPANDING` back to the state before.
    DiskResize = 1,
    /// A change of a disk's type.
    DiskMigrate = 10,
    /// How long a returned or expired prepaid disk stays in the recycle bin, `TORECYCLE`.
    DiskRecycle = 7 * 24 * 3600,
    /// From `CreateSnapshot` to `NORMAL`.
    SnapshotCreate = 2,
    /// From `ROLLBACKING` back to the state before.
    SnapshotApply = 2,

    // CLB.
    /// From `CreateLoadBalancer` to a load balancer that has an address and is ready.
    LoadBalancerCreate = 2,
    /// A change of a load balancer's attributes, or of its being started or stopped.
    LoadBalancerChange = 1,
    /// From `DeleteLoadBalancer` until the load balancer is gone.
    LoadBalancerDelete = 2,
    /// Creating, changing or deleting listeners or forwarding rules.
    ListenerChange = 1,
    /// Binding or unbinding targets, or changing their weights or ports, other than in a synchronous batch.
    TargetChange = 1,
    /// From the binding of a target until its health is known.
    TargetProbe = 1,
    /// A change of the members or associations of a target group.
    TargetGroupChange = 1,

    // TKE.
    /// From `CreateCluster` until the cluster is `Running`.
    ClusterCreate = 5,
    /// From `DeleteCluster` until the cluster is gone.
    ClusterDelete = 2,
    /// From a running instance to a running node.
    NodeInitialize = 2,
    /// From the creation of a node pool until it is `normal` and begins to scale.
    NodePoolCreate = 1,
    /// From a change of a node pool's size until its instances are ordered or given back. A pool whose instances cannot
    /// be had tries again after this long, and then twice as long each time.
    NodePoolScale = 1,
    /// From the deletion of a node pool until it is gone.
    NodePoolDelete = 2,
    /// Opening or closing a cluster's endpoint.
    ClusterEndpoint = 3,
}

//! The annotations of a Service that say how its balancer is to be.
//!
//! Those of TKE keep their names and meaning, so that manifests written for it work. What TKE has no name for is under
//! [`PREFIX`]. A value that cannot be used is a permanent error that names the annotation, and so is an unknown name
//! under one of the [prefixes](STRICT_PREFIXES) that only load balancer controllers use: nothing is half applied.

/// What the names of this project's own annotations begin with.
pub const PREFIX: &str = "qcloud-rs.io/";

/// Under these, a name that nobody knows is an error.
pub const STRICT_PREFIXES: [&str; 4] =
    [PREFIX, "service.cloud.tencent.com/", "service.kubernetes.io/qcloud-", "service.kubernetes.io/tke-"];

macro_rules! annotations {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: &str = $text;)+

        /// All of the names of this module that stand on Services.
        pub const KNOWN: &[&str] = &[$($name),+];
    };
}

annotations! {
    /// The id of the balancer in use. Written by the controller.
    RECORDED_ID = "service.kubernetes.io/loadbalance-id";
    /// The fingerprint of the specification and targets that the balancer is known to have, for as long as a controller
    /// serves the Service. Written by the controller.
    RECORDED_FINGERPRINT = "qcloud-rs.io/applied";
    /// The `spec.loadBalancerClass` that the controller serves which wrote the fingerprint; absent when it serves
    /// Services without one. Only that controller gives the balancer up. Written by the controller.
    RECORDED_CLASS = "qcloud-rs.io/class";
    /// The IPv6 address of a NAT64 balancer. Written by TKE's controller; not read.
    NAT_IPV6 = "service.kubernetes.io/loadbalance-nat-ipv6";
    /// The token with which TKE's controller made the balancer; not read.
    CLIENT_TOKEN = "service.cloud.tencent.com/client-token";
    /// When TKE's controller began its last pass; not read.
    SYNC_BEGIN_TIME = "service.cloud.tencent.com/sync-begin-time";
    /// When TKE's controller ended its last pass; not read.
    SYNC_END_TIME = "service.cloud.tencent.com/sync-end-time";
    /// Where TKE's controller took the endpoints from; not read.
    SOURCE_ENDPOINTS = "service.cloud.tencent.com/loadbalancer-source-endpoints";

    /// The id of an existing balancer to use. It stays when the Service goes.
    EXISTING_ID = "service.kubernetes.io/tke-existed-lbid";
    /// `"true"`: several Services share the existing balancer.
    SHARE_EXISTING = "service.kubernetes.io/qcloud-share-existed-lb";
    /// The id of the subnet of an internal balancer; public without it.
    INTERNAL_SUBNET = "service.kubernetes.io/qcloud-loadbalancer-internal-subnetid";
    /// `TRAFFIC_POSTPAID_BY_HOUR`, `BANDWIDTH_POSTPAID_BY_HOUR` or `BANDWIDTH_PACKAGE`.
    CHARGE_TYPE = "service.kubernetes.io/qcloud-loadbalancer-internet-charge-type";
    /// The older name of [`CHARGE_TYPE`].
    CHARGE_TYPE_ALIAS = "kubernetes.io/service.internetChargeType";
    /// The limit of outgoing traffic, 1 to 2048 Mbit/s.
    BANDWIDTH = "service.kubernetes.io/qcloud-loadbalancer-internet-max-bandwidth-out";
    /// The older name of [`BANDWIDTH`].
    BANDWIDTH_ALIAS = "kubernetes.io/service.internetMaxBandwidthOut";
    /// A JSON object of parameters of CreateLoadBalancer.
    CREATE_PARAMETERS = "service.kubernetes.io/service.extensiveParameters";
    /// A JSON object of parameters of CreateListener, for all listeners.
    LISTENER_PARAMETERS = "service.kubernetes.io/service.listenerParameters";
    /// The generation of balancer; only the present one can still be made.
    BALANCER_TYPE = "service.kubernetes.io/loadbalance-type";
    /// A selector of the nodes that become targets.
    BACKENDS_LABEL = "service.kubernetes.io/qcloud-loadbalancer-backends-label";
    /// `"true"`: with local traffic, only nodes with pods become targets.
    ONLY_NODES_WITH_PODS = "service.kubernetes.io/local-svc-only-bind-node-with-pod";
    /// `"true"`: with local traffic, nodes weigh as many as they have pods.
    WEIGHT_BY_PODS = "service.cloud.tencent.com/local-svc-weighted-balance";
    /// `"true"`: traffic goes to pods directly.
    DIRECT_ACCESS = "service.cloud.tencent.com/direct-access";
    /// The name of a TkeServiceConfig object in the namespace of the Service.
    SERVICE_CONFIG = "service.cloud.tencent.com/tke-service-config";
    /// `"true"`: the TkeServiceConfig `<service>-auto-service-config`.
    SERVICE_CONFIG_AUTO = "service.cloud.tencent.com/tke-service-config-auto";
    /// A JSON object from port to its protocols, the Secret of its certificate, and its hosts.
    SPECIFY_PROTOCOL = "service.cloud.tencent.com/specify-protocol";
    /// `"true"`: pods that end get weight 0 before they go.
    GRACE_SHUTDOWN = "service.cloud.tencent.com/enable-grace-shutdown";
    /// `"true"`: pods that are not ready get weight 0 and stay.
    GRACE_SHUTDOWN_NOT_READY = "service.cloud.tencent.com/enable-grace-shutdown-tkex";
    /// Ids of at most five security groups for the balancer.
    SECURITY_GROUPS = "service.cloud.tencent.com/security-groups";
    /// Whether nodes let the balancer's traffic in without a rule of their own security groups.
    PASS_TO_TARGET = "service.cloud.tencent.com/pass-to-target";
    /// The region of a balancer that is not in the cluster's.
    CROSS_REGION = "service.cloud.tencent.com/cross-region-id";
    /// The network of a balancer that is not in the cluster's.
    CROSS_VPC = "service.cloud.tencent.com/cross-vpc-id";
    /// Whether the balancer is protected from changes by others.
    MODIFICATION_PROTECTION = "service.cloud.tencent.com/modification-protection";
    /// A JSON object of weights: `defaultWeight`, and `groups` of stateful sets.
    LB_RS_WEIGHT = "service.cloud.tencent.com/lb-rs-weight";
    /// On pods: the pod's weight, 0 to 100.
    POD_CUSTOM_WEIGHT = "service.cloud.tencent.com/custom-weight";
    /// `"true"`: health checks come from a reserved range, so that nodes can hold the balancer's address.
    PREVENT_LOOPBACK = "service.cloud.tencent.com/prevent-loopback";
    /// Target groups of their own; not offered, and refused.
    TARGET_GROUPS = "service.cloud.tencent.com/target-groups";
    /// `skip`: the Service is left alone.
    CONTROL_MODE = "service.cloud.tencent.com/mode";

    /// Networks to admit, when `spec.loadBalancerSourceRanges` is empty. Of Kubernetes itself.
    SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges";
    /// Where traffic goes: `node-port` (the default), `vip`, or `direct`.
    MODE = "qcloud-rs.io/mode";
    /// What the status says of the address: `VIP` or `Proxy`.
    ADDRESS_MODE = "qcloud-rs.io/ip-mode";
    /// A JSON object from port, or `*`, to its health check: `enabled`, `protocol` (`TCP`, `HTTP`, `PING`), `port`, `path`,
    /// `domain`, `statuses` (first digits), `interval`, `timeout`, `healthy`, `unhealthy`.
    HEALTH_CHECK = "qcloud-rs.io/health-check";
    /// `"true"`: TLS and QUIC listeners tell targets the client's address by the PROXY protocol.
    PROXY_PROTOCOL = "qcloud-rs.io/proxy-protocol";
    /// The address to use, or for an internal balancer the id of an elastic one.
    STATIC_ADDRESS = "qcloud-rs.io/static-address";
    /// `"true"`: the balancer stays when the Service goes.
    RETAIN = "qcloud-rs.io/retain";
    /// Whether the balancer is protected from deletion by others. The controller lifts it to delete its own.
    DELETION_PROTECTION = "qcloud-rs.io/deletion-protection";
    /// `"true"`: a change that cannot be made in place replaces the balancer. Its address changes.
    ALLOW_RECREATE = "qcloud-rs.io/allow-recreate";
    /// At most how many nodes become targets, 1 to 1000.
    SUBSET = "qcloud-rs.io/subset";
    /// Seconds after which idle connections of TCP and UDP are closed: 10 to 900, or to 1980 with a `SlaType`.
    IDLE_TIMEOUT = "qcloud-rs.io/idle-timeout";
    /// Tags for the balancer: `name=value,…`.
    TAGS = "qcloud-rs.io/tags";
}

//! The knobs, as the running emulator reads them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::When;
use crate::patterns::Actions;
pub use crate::quota::Quota;
use crate::rates::RateLimits;
use crate::seconds;
pub use crate::task::Task;
use crate::visibility::Visibility;

/// Which error an instance gives that is in the middle of another operation. The documentation allows all three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ClusterErrors {
    /// `InvalidParameter.CidrOutOfRouteTable`, `ResourceNotFound.RouteTableNotFound` and their like.
    #[default]
    InvalidParameter,
    /// `InternalError.CidrOutOfRouteTable`, `InternalError.RouteTableNotFound` and their like.
    InternalError,
}

/// What the `Describe…` actions of VPC do with ids that do not exist. Those of CVM leave them out, always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum UnknownIds {
    /// They are left out of the answer.
    #[default]
    Omit,
    /// The call fails with `ResourceNotFound`.
    Refuse,
}

/// What lists do with filters that the documentation of the action does not name. It does not say what the cloud does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum UnknownFilters {
    /// The call fails with the code of its service for invalid filters.
    #[default]
    Refuse,
    /// They are ignored: the list holds what the other filters let pass.
    Ignore,
}

/// How CLB says that a load balancer, a listener or a rule does not exist. The cloud does it both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PublicAddress {
    /// A fixed address.
    #[default]
    Vip,
    /// A domain name, and no address that answers show.
    Domain,
}

/// What `Limit`, `Offset` and `TotalCount` of `DescribeLoadBalancersDetail` count. The documentation leaves it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DetailPages {
    /// Rows.
    #[default]
    Rows,
    /// Load balancers: a page has all the rows of each.
    LoadBalancers,
}

/// Against which clock the age of a signature is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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

/// All knobs, as files and the admin port write them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    pub(crate) region: String,
    pub(crate) check_responses: bool,
    #[serde(rename = "advance-per-request", with = "seconds")]
    pub(crate) request_step: Duration,
    pub(crate) rate_limits: RateLimits,
    pub(crate) visibility: Visibility,
    /// By how many items lists change between two pages.
    pub(crate) page_shift: i64,
    /// What the account may not call, and the codes that say so.
    pub(crate) denied: BTreeMap<Actions, String>,
    pub(crate) insufficient_balance: bool,
    #[serde(deserialize_with = "crate::luck::read")]
    pub(crate) task_failures: BTreeMap<Task, When>,
    pub(crate) signature_time: SignatureTime,
    #[serde(with = "seconds")]
    pub(crate) signature_age: Duration,
    pub(crate) busy_instance: BusyInstance,
    pub(crate) unknown_ids: UnknownIds,
    pub(crate) unknown_filters: UnknownFilters,
    pub(crate) cluster_errors: ClusterErrors,
    /// The roles that can be assumed; any when there are none here.
    pub(crate) roles: Vec<String>,
    #[serde(with = "seconds")]
    pub(crate) role_credential_life: Duration,
    pub(crate) metadata_instance: Option<String>,
    pub(crate) call_log: usize,
    #[serde(with = "seconds::by_key")]
    pub(crate) task_durations: BTreeMap<Task, Duration>,
    pub(crate) quotas: BTreeMap<Quota, usize>,
    pub(crate) sold_out_zones: Vec<String>,
    pub(crate) sold_out_types: Vec<String>,
    pub(crate) missing_balancer: MissingBalancer,
    pub(crate) public_address: PublicAddress,
    pub(crate) detail_pages: DetailPages,
    pub(crate) poisoned_targets: Vec<String>,
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
            rate_limits: RateLimits::default(),
            visibility: Visibility::default(),
            page_shift: 0,
            denied: BTreeMap::new(),
            insufficient_balance: false,
            task_failures: BTreeMap::new(),
            signature_time: SignatureTime::default(),
            signature_age: Duration::from_secs(300),
            busy_instance: BusyInstance::default(),
            unknown_ids: UnknownIds::default(),
            unknown_filters: UnknownFilters::default(),
            cluster_errors: ClusterErrors::default(),
            roles: Vec::new(),
            role_credential_life: Duration::from_secs(7200),
            metadata_instance: None,
            call_log: 100_000,
            task_durations: BTreeMap::new(),
            quotas: BTreeMap::new(),
            sold_out_zones: Vec::new(),
            sold_out_types: Vec::new(),
            missing_balancer: MissingBalancer::default(),
            public_address: PublicAddress::default(),
            detail_pages: DetailPages::default(),
            poisoned_targets: Vec::new(),
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

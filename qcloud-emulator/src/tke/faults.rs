//! The error codes of the container service, which come in two families: the same fault may be an
//! `InvalidParameter.…` or an `InternalError.…`, and a knob chooses.

use crate::error::ApiError;
use crate::listing::Page;
use crate::settings::{ClusterErrors, Settings};
use crate::world::Local;

use super::LISTS;

/// A parameter that cannot be; lists have this one in both families.
pub(super) const PARAM: &str = "InvalidParameter.Param";

/// A fault, with its code in either family.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    parameter: &'static str,
    internal: &'static str,
}

const fn both(parameter: &'static str, internal: &'static str) -> Fault {
    Fault { parameter, internal }
}

/// A fault for which one code is documented.
const fn only(code: &'static str) -> Fault {
    Fault { parameter: code, internal: code }
}

pub(super) const BAD_PARAMETER: Fault = both(PARAM, "InternalError.Param");
pub(super) const NO_CLUSTER: Fault = both("ResourceNotFound.ClusterNotFound", "InternalError.ClusterNotFound");
pub(super) const NO_CLUSTER_FOR_INSTANCES: Fault = both("InvalidParameter.ClusterNotFound", "InternalError.Param");
pub(super) const NO_CLUSTER_TO_DELETE_FROM: Fault =
    both("FailedOperation.ClusterNotFound", "InternalError.ClusterNotFound");
pub(super) const NO_CLUSTER_FOR_POOLS: Fault =
    both("ResourceNotFound.ClusterNotFound", "InternalError.DbRecordNotFound");
pub(super) const NO_CLUSTER_TO_CHANGE_POOLS: Fault = both("ResourceNotFound.ClusterNotFound", "InternalError.Db");
pub(super) const NOT_THERE: Fault = both("ResourceNotFound", "InternalError.DbRecordNotFound");
pub(super) const NO_POOL_TO_SCALE: Fault = both("ResourceNotFound", "InternalError.Db");
pub(super) const CLUSTER_STATE: Fault = both("FailedOperation.ClusterState", "InternalError.ClusterState");
pub(super) const PROTECTED_CLUSTER: Fault = only("OperationDenied.ClusterInDeletionProtection");
pub(super) const PROTECTED: Fault = only("OperationDenied");
pub(super) const PROTECTED_INSTANCE: Fault = only("FailedOperation.CvmDeletionProtection");
pub(super) const BAD_SIZE: Fault = only("InvalidParameterValue.Size");
pub(super) const SCALING_GROUP: Fault = both("FailedOperation.AsCommon", "InternalError.AsCommon");
pub(super) const BAD_SCALING_GROUP: Fault = both("InvalidParameter.AsCommonError", "InternalError.AsCommon");
pub(super) const INSTANCES: Fault = both("FailedOperation.CvmCommon", "InternalError.CvmCommon");
pub(super) const WRONG_NETWORK: Fault = both("FailedOperation.CvmVpcidNotMatch", "InternalError.VpcCommon");
pub(super) const TOO_MANY_CLUSTERS: Fault = both("FailedOperation.QuotaMaxClsLimit", "InternalError.QuotaMaxClsLimit");
pub(super) const TOO_MANY_NODES: Fault = both("FailedOperation.QuotaMaxNodLimit", "InternalError.QuotaMaxNodLimit");
pub(super) const TOO_MANY_TABLES: Fault = only("InternalError.QuotaMaxRtLimit");
pub(super) const NO_VPC: Fault = both("FailedOperation.VpcRecodrNotFound", "InternalError.VpcRecodrNotFound");
pub(super) const NO_VPC_FOR_TABLE: Fault = both(PARAM, "InternalError.VpcCommon");
pub(super) const NO_SUBNET: Fault = both("InvalidParameter.SubnetNotExist", "InternalError.VpcCommon");
pub(super) const SUBNET_FULL: Fault = both("InvalidParameter.SubnetInvalidError", "InternalError.VpcCommon");
pub(super) const ENDPOINT: Fault = both("FailedOperation.SwitchClusterEndpoint", "InternalError.UnexpectedInternal");
pub(super) const CIDR_MASK: Fault =
    both("InvalidParameter.CIDRMaskSizeOutOfRange", "InternalError.CidrMaskSizeOutOfRange");
pub(super) const NOT_PRIVATE: Fault =
    both("InvalidParameter.InvalidPrivateNetworkCIDR", "InternalError.InvalidPrivateNetworkCidr");
pub(super) const IN_VPC: Fault =
    both("InvalidParameter.CidrConflictWithVpcCidr", "InternalError.CidrConflictWithVpcCidr");
pub(super) const OVERLAPS_CLUSTER: Fault =
    both("InvalidParameter.CidrConflictWithOtherCluster", "InternalError.CidrConflictWithOtherCluster");
pub(super) const OVERLAPS_ROUTE: Fault =
    both("InvalidParameter.CidrConflictWithOtherRoute", "InternalError.CidrConflictWithOtherRoute");
pub(super) const OVERLAPS_VPC_ROUTE: Fault =
    both("InvalidParameter.CidrConflictWithVpcGlobalRoute", "InternalError.CidrConflictWithVpcGlobalRoute");
pub(super) const CONFLICTS_PARAM: Fault = both("FailedOperation.Param", "InternalError.Param");
pub(super) const CONFLICTS_MASK: Fault = both("InvalidParameter", "InternalError.CidrMaskSizeOutOfRange");
pub(super) const CONFLICTS_NOT_PRIVATE: Fault = both("InvalidParameter", "InternalError.InvalidPrivateNetworkCidr");
/// The documentation of `CreateClusterRouteTable` has one family only for these two.
pub(super) const TABLE_OVERLAPS_CLUSTER: Fault = only("InternalError.CidrConflictWithOtherCluster");
pub(super) const TABLE_OVERLAPS_VPC_ROUTE: Fault = only("InternalError.CidrConflictWithVpcGlobalRoute");
pub(super) const TABLE_EXISTS: Fault = both("ResourceInUse.ResourceExistAlready", "InternalError.ResourceExistAlready");
pub(super) const TABLE_NOT_EMPTY: Fault =
    both("InvalidParameter.RouteTableNotEmpty", "InternalError.RouteTableNotEmpty");
pub(super) const TABLE_OF_CLUSTER: Fault = only("FailedOperation");
pub(super) const NO_TABLE: Fault = both("ResourceNotFound.RouteTableNotFound", "InternalError.RouteTableNotFound");
pub(super) const NO_TABLE_TO_DELETE: Fault = both("InvalidParameter", "InternalError.Db");
pub(super) const NO_TABLE_TO_LIST: Fault = both("InvalidParameter", "InternalError.Param");
pub(super) const NO_TABLE_TO_DELETE_FROM: Fault = only("InternalError.RouteTableNotFound");
pub(super) const NO_ROUTE: Fault = both("InvalidParameter", "InternalError.Param");
pub(super) const OUT_OF_TABLE: Fault =
    both("InvalidParameter.CidrOutOfRouteTable", "InternalError.CidrOutOfRouteTable");
pub(super) const GATEWAY_TAKEN: Fault =
    both("InvalidParameter.GatewayAlreadyAssociatedCidr", "InternalError.GatewayAlreadyAssociatedCidr");
pub(super) const NO_GATEWAY: Fault = only("InternalError.CvmNotFound");
pub(super) const VPC_ROUTE: Fault = both("FailedOperation.VpcCommon", "InternalError.VpcCommon");
pub(super) const NO_MORE_CIDRS: Fault = only("UnsupportedOperation.ClusterNotSuitAddClusterCIDR");
/// `AddClusterCIDR` has one family only, and no code of its own for a cluster that is not there.
pub(super) const NO_CLUSTER_FOR_CIDRS: Fault = only(PARAM);
pub(super) const MORE_PARAM: Fault = only(PARAM);
pub(super) const MORE_MASK: Fault = only("InvalidParameter.CIDRMaskSizeOutOfRange");
pub(super) const MORE_IN_VPC: Fault = only("InvalidParameter.CidrConflictWithVpcCidr");
pub(super) const MORE_VPC_ROUTE: Fault = only("InvalidParameter.CidrConflictWithVpcGlobalRoute");
pub(super) const MORE_CLUSTER: Fault = only("InvalidParameter.CidrConflictWithOtherCluster");
pub(super) const OWN_CIDR: Fault = only("InvalidParameter.CidrConflictWithOtherRoute");
/// What the newer version of the API says for everything that is not there.
pub(super) const NOT_THERE_2022: Fault = only("ResourceNotFound");
pub(super) const UNSUPPORTED: Fault = only("UnsupportedOperation");

impl Fault {
    /// The error, in the family that the knob asks for.
    pub(super) fn error(self, settings: &Settings, message: impl Into<String>) -> ApiError {
        let code = match settings.cluster_errors {
            ClusterErrors::InvalidParameter => self.parameter,
            ClusterErrors::InternalError => self.internal,
        };
        ApiError::new(code, message)
    }

    /// As [`Fault::error`], as the result of a check.
    pub(super) fn refuse<T>(self, here: &Local<'_>, message: impl Into<String>) -> Result<T, ApiError> {
        Err(self.error(here.settings, message))
    }
}

/// A page of a list. A limit of 0 stands for the usual one, as official clients send it.
pub(super) fn page(offset: Option<i64>, limit: Option<i64>) -> Result<Page, ApiError> {
    Page::new(offset, limit.filter(|limit| *limit != 0), &LISTS)
}

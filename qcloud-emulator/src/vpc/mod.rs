//! VPC: private networks, subnets, route tables and security groups.

use serde::{Deserialize, Serialize};

use crate::api::{Action, Api};
use crate::error::ApiError;
use crate::listing::{self, Dialect};
use crate::table::Table;

mod addresses;
mod default_network;
mod limits;
mod policies;
mod route_tables;
mod routes;
pub(crate) mod security_groups;
pub(crate) mod subnets;
pub(crate) mod vpcs;

pub(crate) use default_network::default_subnet;
pub(crate) use routes::Destination;

/// The service.
pub(crate) static API: Api = Api::new("vpc", "2017-03-12", include_str!("../../models/vpc-2017-03-12.json"), ACTIONS);

const ACTIONS: &[Action] = &[
    Action::new("CreateVpc", vpcs::create),
    Action::new("DescribeVpcs", vpcs::describe),
    Action::new("ModifyVpcAttribute", vpcs::modify),
    Action::new("DeleteVpc", vpcs::delete),
    Action::new("CreateDefaultVpc", default_network::create),
    Action::new("CreateSubnet", subnets::create),
    Action::new("CreateSubnets", subnets::create_many),
    Action::new("DescribeSubnets", subnets::describe),
    Action::new("ModifySubnetAttribute", subnets::modify),
    Action::new("DeleteSubnet", subnets::delete),
    Action::new("DescribeUsedIpAddress", addresses::describe_used),
    Action::new("CreateRouteTable", route_tables::create),
    Action::new("DescribeRouteTables", route_tables::describe),
    Action::new("ModifyRouteTableAttribute", route_tables::modify),
    Action::new("DeleteRouteTable", route_tables::delete),
    Action::new("ReplaceRouteTableAssociation", route_tables::replace_association),
    Action::new("CreateRoutes", routes::create),
    Action::new("ReplaceRoutes", routes::replace),
    Action::new("DeleteRoutes", routes::delete),
    Action::new("EnableRoutes", routes::enable),
    Action::new("DisableRoutes", routes::disable),
    Action::new("DescribeRouteList", routes::describe_list),
    Action::new("CreateSecurityGroup", security_groups::create),
    Action::new("CreateDefaultSecurityGroup", security_groups::create_default),
    Action::new("DescribeSecurityGroups", security_groups::describe),
    Action::new("ModifySecurityGroupAttribute", security_groups::modify),
    Action::new("DeleteSecurityGroup", security_groups::delete),
    Action::new("CreateSecurityGroupPolicies", policies::create),
    Action::new("DeleteSecurityGroupPolicies", policies::delete),
    Action::new("ModifySecurityGroupPolicies", policies::modify),
    Action::new("ReplaceSecurityGroupPolicy", policies::replace),
    Action::new("DescribeSecurityGroupPolicies", policies::describe),
    Action::new("DescribeVpcLimits", limits::describe),
];

/// The resources of one region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) vpcs: Table<vpcs::Vpc>,
    pub(crate) subnets: Table<subnets::Subnet>,
    pub(crate) route_tables: Table<route_tables::RouteTable>,
    pub(crate) security_groups: Table<security_groups::SecurityGroup>,
    /// How many route ids were given: they are numbers.
    routes_given: u64,
}

/// The error codes of VPC lists.
pub(crate) const LISTS: Dialect = Dialect {
    coexist: "InvalidParameter.Coexist",
    unknown_filter: "InvalidParameter.FilterInvalidKey",
    too_many_filters: "LimitExceeded.NumberOfFilters",
    too_many_values: "InvalidParameterValue.LimitExceeded",
    too_many_ids: "InvalidParameterValue.LimitExceeded",
    bad_page: "InvalidParameterValue.Range",
    most_filters: 10,
    most_values: 100,
    most_ids: 100,
    largest_page: 100,
};

const MALFORMED: &str = "InvalidParameterValue.Malformed";
const TOO_LONG: &str = "InvalidParameterValue.TooLong";

/// Checks the form of an id that a parameter names.
fn check_id(parameter: &str, id: &str, prefix: &str) -> Result<(), ApiError> {
    listing::check_id((parameter, id), prefix, MALFORMED)
}

/// Names have 1 to 60 bytes.
fn check_name(parameter: &str, name: &str) -> Result<(), ApiError> {
    if name.is_empty() {
        return Err(ApiError::new("InvalidParameterValue.Empty", format!("`{parameter}` must not be empty.")));
    }
    if name.len() > 60 {
        return Err(ApiError::new(
            TOO_LONG,
            format!("`{parameter}` has at most 60 bytes; this one has {}.", name.len()),
        ));
    }
    Ok(())
}

/// Switches that come as the strings `true` and `false`.
fn switch(parameter: &str, text: &str) -> Result<bool, ApiError> {
    match text {
        "true" | "TRUE" | "True" => Ok(true),
        "false" | "FALSE" | "False" => Ok(false),
        _ => Err(ApiError::invalid_value(format!("`{parameter}` must be \"true\" or \"false\", not \"{text}\"."))),
    }
}

//! VPC: private networks, subnets, route tables and security groups.

use serde::{Deserialize, Serialize};

use crate::api::{Action, Api};
use crate::client_tokens::ClientTokens;
use crate::error::ApiError;
use crate::listing::{self, Dialect};
use crate::table::Table;
use crate::world::Local;

mod addresses;
mod assistant_cidrs;
mod ccn_attachments;
mod ccn_routes;
pub(crate) mod ccns;
mod default_network;
mod elastic_ip_allocation;
mod elastic_ip_work;
pub(crate) mod elastic_ips;
mod ha_vips;
mod interface_addresses;
mod interface_creation;
mod interface_groups;
mod interface_work;
pub(crate) mod interfaces;
mod limits;
mod nat_gateway_work;
pub(crate) mod nat_gateways;
mod policies;
mod replays;
mod route_publishing;
mod route_tables;
mod routes;
mod security_group_use;
pub(crate) mod security_groups;
pub(crate) mod subnets;
mod tasks;
pub(crate) mod vpcs;

pub(crate) use default_network::default_subnet;
pub(crate) use interface_creation::make_primary;
pub(crate) use interface_work::{CannotMove, instance_gone, move_instances};
pub(crate) use interfaces::{holder, instance_at, interfaces_of};
pub(crate) use route_tables::RouteTable;
pub(crate) use routes::{Destination, Route};
pub(crate) use security_groups::admits;

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
    Action::new("CreateNetworkInterface", interface_creation::create),
    Action::new("CreateAndAttachNetworkInterface", interface_creation::create_and_attach),
    Action::new("AttachNetworkInterface", interface_work::attach),
    Action::new("DetachNetworkInterface", interface_work::detach),
    Action::new("DeleteNetworkInterface", interface_work::delete),
    Action::new("MigrateNetworkInterface", interface_work::hand_over),
    Action::new("DescribeNetworkInterfaces", interfaces::describe),
    Action::new("DescribeNetworkInterfaceLimit", interfaces::describe_limit),
    Action::new("ModifyNetworkInterfaceAttribute", interface_groups::modify),
    Action::new("AssociateNetworkInterfaceSecurityGroups", interface_groups::associate),
    Action::new("DisassociateNetworkInterfaceSecurityGroups", interface_groups::disassociate),
    Action::new("AssignPrivateIpAddresses", interface_addresses::assign),
    Action::new("UnassignPrivateIpAddresses", interface_addresses::unassign),
    Action::new("MigratePrivateIpAddress", interface_addresses::migrate),
    Action::new("ModifyPrivateIpAddressesAttribute", interface_addresses::modify),
    Action::new("DescribeVpcTaskResult", tasks::describe_by_request),
    Action::new("DescribeTaskResult", tasks::describe_by_number),
    Action::new("AllocateAddresses", elastic_ip_allocation::allocate),
    Action::new("DescribeAddresses", elastic_ips::describe),
    Action::new("DescribeAddressQuota", elastic_ips::describe_quota),
    Action::new("AssociateAddress", elastic_ip_work::associate),
    Action::new("DisassociateAddress", elastic_ip_work::disassociate),
    Action::new("ReleaseAddresses", elastic_ip_work::release),
    Action::new("ModifyAddressAttribute", elastic_ip_work::modify),
    Action::new("ModifyAddressesBandwidth", elastic_ip_work::modify_bandwidth),
    Action::new("CreateNatGateway", nat_gateway_work::create),
    Action::new("DescribeNatGateways", nat_gateways::describe),
    Action::new("ModifyNatGatewayAttribute", nat_gateways::modify),
    Action::new("DeleteNatGateway", nat_gateway_work::delete),
    Action::new("AssociateNatGatewayAddress", nat_gateway_work::associate),
    Action::new("DisassociateNatGatewayAddress", nat_gateway_work::disassociate),
    Action::new("CreateCcn", ccns::create).anywhere(),
    Action::new("DescribeCcns", ccns::describe).anywhere(),
    Action::new("ModifyCcnAttribute", ccns::modify).anywhere(),
    Action::new("DeleteCcn", ccns::delete).anywhere(),
    Action::new("AttachCcnInstances", ccn_attachments::attach).anywhere(),
    Action::new("DetachCcnInstances", ccn_attachments::detach).anywhere(),
    Action::new("DescribeCcnAttachedInstances", ccn_attachments::describe).anywhere(),
    Action::new("DescribeCcnRoutes", ccn_routes::describe).anywhere(),
    Action::new("EnableCcnRoutes", ccn_routes::enable).anywhere(),
    Action::new("DisableCcnRoutes", ccn_routes::disable).anywhere(),
    Action::new("NotifyRoutes", route_publishing::publish),
    Action::new("WithdrawNotifyRoutes", route_publishing::withdraw),
    Action::new("CreateHaVip", ha_vips::create),
    Action::new("DescribeHaVips", ha_vips::describe),
    Action::new("ModifyHaVipAttribute", ha_vips::modify),
    Action::new("DeleteHaVip", ha_vips::delete),
    Action::new("HaVipAssociateAddressIp", ha_vips::bind),
    Action::new("HaVipDisassociateAddressIp", ha_vips::unbind),
    Action::new("CreateAssistantCidr", assistant_cidrs::create),
    Action::new("DescribeAssistantCidr", assistant_cidrs::describe),
    Action::new("ModifyAssistantCidr", assistant_cidrs::modify),
    Action::new("DeleteAssistantCidr", assistant_cidrs::delete),
    Action::new("CheckAssistantCidr", assistant_cidrs::check),
    Action::new("DescribeSecurityGroupAssociationStatistics", security_group_use::statistics),
    Action::new("DescribeSecurityGroupReferences", security_group_use::references),
    Action::new("CloneSecurityGroup", security_group_use::clone),
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
    pub(crate) interfaces: Table<interfaces::Interface>,
    macs_given: u32,
    pub(crate) elastic_ips: Table<elastic_ips::ElasticIp>,
    /// How many elastic IPs were allocated on the latest day that saw any.
    allocated_on: (String, usize),
    pub(crate) nat_gateways: Table<nat_gateways::NatGateway>,
    ha_vips: Table<ha_vips::HaVip>,
    tasks: tasks::Tasks,
    client_tokens: ClientTokens,
}

/// Work that comes to its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Event {
    Interface(interface_work::Ended),
    ElasticIp(elastic_ip_work::Ended),
    NatGateway(nat_gateway_work::Ended),
}

/// Lets work come to its end.
pub(crate) fn happen(here: &mut Local<'_>, event: Event) {
    match event {
        Event::Interface(event) => interface_work::happen(here, event),
        Event::ElasticIp(event) => elastic_ip_work::happen(here, event),
        Event::NatGateway(event) => nat_gateway_work::happen(here, event),
    }
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

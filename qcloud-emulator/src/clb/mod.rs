//! CLB: load balancers, their listeners, rules and targets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::api::{Action, Api};
use crate::client_tokens::ClientTokens;
use crate::clock::Time;
use crate::listing::Dialect;
use crate::table::Table;

mod associations;
mod attributes;
mod certificates;
mod create;
mod data_path;
mod delete;
mod describe;
mod detail;
mod domain_changes;
mod errors;
mod group_changes;
mod group_members;
mod groups;
mod health;
mod health_checks;
mod listener_changes;
mod listeners;
mod load_balancers;
mod load_balancing;
mod numbers;
mod orders;
mod quotas;
mod registration;
mod rule_changes;
mod rules;
mod target_changes;
mod targets;
mod tasks;

pub(crate) use load_balancers::{LoadBalancer, balancer_of, take_tag_off};
pub use load_balancing::{LoadBalancing, ReachedTarget, TargetCondition};
pub(crate) use tasks::{Event, happen};

/// The service.
pub(crate) static API: Api = Api::new("clb", "2018-03-17", include_str!("../../models/clb-2018-03-17.json"), ACTIONS);

const ACTIONS: &[Action] = &[
    Action::new("CreateLoadBalancer", create::create),
    Action::new("DescribeLoadBalancers", describe::describe),
    Action::new("DescribeLoadBalancersDetail", detail::describe),
    Action::new("ModifyLoadBalancerAttributes", attributes::modify),
    Action::new("SetLoadBalancerSecurityGroups", attributes::set_security_groups),
    Action::new("SetSecurityGroupForLoadbalancers", attributes::set_security_group),
    Action::new("SetLoadBalancerStartStatus", attributes::set_start_status),
    Action::new("DeleteLoadBalancer", delete::delete),
    Action::new("CreateListener", listener_changes::create),
    Action::new("DescribeListeners", listeners::describe),
    Action::new("ModifyListener", listener_changes::modify),
    Action::new("DeleteListener", listener_changes::delete),
    Action::new("DeleteLoadBalancerListeners", listener_changes::delete_many),
    Action::new("CreateRule", rule_changes::create),
    Action::new("ModifyRule", rule_changes::modify),
    Action::new("ModifyDomain", rule_changes::modify_domain),
    Action::new("ModifyDomainAttributes", domain_changes::modify_attributes),
    Action::new("DeleteRule", rule_changes::delete),
    Action::new("RegisterTargets", registration::register),
    Action::new("DeregisterTargets", registration::deregister),
    Action::new("BatchRegisterTargets", registration::batch_register),
    Action::new("BatchDeregisterTargets", registration::batch_deregister),
    Action::new("ModifyTargetWeight", target_changes::weight),
    Action::new("ModifyTargetPort", target_changes::port),
    Action::new("BatchModifyTargetWeight", target_changes::batch_weight),
    Action::new("DescribeTargets", targets::describe),
    Action::new("DescribeTargetHealth", health::describe),
    Action::new("DescribeTaskStatus", tasks::describe),
    Action::new("DescribeQuota", quotas::describe),
    Action::new("CreateTargetGroup", group_changes::create),
    Action::new("DescribeTargetGroups", groups::describe),
    Action::new("DescribeTargetGroupList", groups::describe_list),
    Action::new("DescribeTargetGroupInstances", group_members::describe),
    Action::new("ModifyTargetGroupAttribute", group_changes::modify),
    Action::new("DeleteTargetGroups", group_changes::delete),
    Action::new("AssociateTargetGroups", associations::associate),
    Action::new("DisassociateTargetGroups", associations::disassociate),
    Action::new("RegisterTargetGroupInstances", group_members::register),
    Action::new("DeregisterTargetGroupInstances", group_members::deregister),
    Action::new("ModifyTargetGroupInstancesWeight", group_members::weight),
    Action::new("ModifyTargetGroupInstancesPort", group_members::port),
];

/// The resources of one region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) balancers: Table<LoadBalancer>,
    pub(crate) groups: Table<groups::TargetGroup>,
    tasks: Table<tasks::TaskRecord>,
    /// What `CreateLoadBalancer` did for the client tokens it saw.
    client_tokens: ClientTokens,
    /// The tasks that orders led to, by the name of the order.
    deals: BTreeMap<String, String>,
    /// The load balancers that were deleted lately: when, and how many.
    deletions: Vec<(Time, usize)>,
    /// The health of targets as a test set it.
    conditions: BTreeMap<String, TargetCondition>,
    /// The traffic of load balancers as a test set it, in Mbit/s.
    traffic: BTreeMap<String, u64>,
    /// The actions whose next tasks are to fail, and how many of them.
    failing: BTreeMap<String, usize>,
}

/// The error codes of CLB lists.
const LISTS: Dialect = Dialect {
    // No list of CLB refuses ids together with filters by this code; target groups say it themselves.
    coexist: errors::PARAMETER,
    unknown_filter: "InvalidParameterValue.InvalidFilter",
    too_many_filters: errors::LENGTH,
    too_many_values: errors::LENGTH,
    too_many_ids: errors::LENGTH,
    bad_page: errors::RANGE,
    most_filters: 10,
    most_values: 100,
    most_ids: 20,
    largest_page: 100,
};

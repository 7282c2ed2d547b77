//! CVM: virtual machines, and what they are made from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::api::{Action, Api};
use crate::listing::Dialect;
use crate::table::Table;

mod catalog;
mod images;
pub(crate) mod instances;
mod launch;
mod lifecycle;
mod locations;
mod modify;
mod names;
mod run;

pub(crate) use lifecycle::{Event, happen};

/// The service.
pub(crate) static API: Api = Api::new("cvm", "2017-03-12", include_str!("../../models/cvm-2017-03-12.json"), ACTIONS);

const ACTIONS: &[Action] = &[
    Action::new("DescribeRegions", locations::describe_regions).anywhere(),
    Action::new("DescribeZones", locations::describe_zones),
    Action::new("RunInstances", run::run),
    Action::new("DescribeInstances", instances::describe),
    Action::new("DescribeInstancesStatus", instances::describe_status),
    Action::new("StartInstances", lifecycle::start),
    Action::new("StopInstances", lifecycle::stop),
    Action::new("RebootInstances", lifecycle::reboot),
    Action::new("TerminateInstances", lifecycle::terminate),
    Action::new("ResetInstance", lifecycle::reset),
    Action::new("ModifyInstancesAttribute", modify::attributes),
    Action::new("DescribeInstanceTypeConfigs", catalog::describe_configs),
    Action::new("DescribeZoneInstanceConfigInfos", catalog::describe_zone_configs),
    Action::new("DescribeImages", images::describe),
];

/// The resources of one region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) instances: Table<instances::Instance>,
    /// What `RunInstances` did for the client tokens it saw.
    client_tokens: BTreeMap<String, run::Replay>,
}

/// The error codes of CVM lists.
const LISTS: Dialect = Dialect {
    coexist: "InvalidParameter",
    unknown_filter: "InvalidFilter",
    too_many_filters: "InvalidFilterValue.LimitExceeded",
    too_many_values: "InvalidFilterValue.LimitExceeded",
    too_many_ids: "InvalidParameterValue.LimitExceeded",
    bad_page: "InvalidParameterValue.LimitExceeded",
    most_filters: 10,
    most_values: 5,
    most_ids: 100,
    largest_page: 100,
};

//! CVM: virtual machines, and what they are made from.

use serde::{Deserialize, Serialize};

use crate::api::{Action, Api};
use crate::client_tokens::ClientTokens;
use crate::error::ApiError;
use crate::listing::Dialect;
use crate::table::Table;
use crate::tags::{self, Tag};

mod billing;
mod catalog;
mod disks;
mod images;
mod instance_changes;
mod instance_view;
pub(crate) mod instances;
mod key_material;
mod key_pairs;
mod launch;
mod lifecycle;
mod locations;
mod modify;
mod names;
mod on_behalf;
mod own_images;
mod placement_groups;
mod quotas;
mod run;

pub(crate) use instances::{Instance, State as InstanceState};
pub(crate) use lifecycle::{Event, happen};
pub(crate) use on_behalf::{Switch, boots_at, check_order, destroy, reinstall, run as run_for, turn};

/// The service.
pub(crate) static API: Api = Api::new("cvm", "2017-03-12", include_str!("../../models/cvm-2017-03-12.json"), ACTIONS);

const ACTIONS: &[Action] = &[
    Action::new("DescribeRegions", locations::describe_regions).anywhere(),
    Action::new("DescribeZones", locations::describe_zones),
    Action::new("RunInstances", run::run),
    Action::writing("DescribeInstances", instances::describe),
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
    Action::new("CreateImage", own_images::create),
    Action::new("ModifyImageAttribute", own_images::modify),
    Action::new("DeleteImages", own_images::delete),
    Action::new("DescribeImageQuota", own_images::describe_quota),
    Action::new("CreateKeyPair", key_pairs::create),
    Action::new("ImportKeyPair", key_pairs::import),
    Action::new("DescribeKeyPairs", key_pairs::describe),
    Action::new("ModifyKeyPairAttribute", key_pairs::modify),
    Action::new("DeleteKeyPairs", key_pairs::delete),
    Action::new("AssociateInstancesKeyPairs", key_pairs::associate),
    Action::new("DisassociateInstancesKeyPairs", key_pairs::disassociate),
    Action::new("AssociateSecurityGroups", instance_changes::add_groups),
    Action::new("DisassociateSecurityGroups", instance_changes::remove_groups),
    Action::new("ResetInstancesPassword", instance_changes::reset_password),
    Action::new("ResetInstancesType", instance_changes::reset_type),
    Action::new("ModifyInstancesProject", instance_changes::set_project),
    Action::new("ModifyInstancesVpcAttribute", instance_changes::move_network),
    Action::new("ModifyInstancesRenewFlag", billing::set_renew_flag),
    Action::new("RenewInstances", billing::renew),
    Action::new("ModifyInstancesChargeType", billing::set_charge_type),
    Action::new("InquiryPriceRunInstances", billing::inquire_run),
    Action::new("InquiryPriceRenewInstances", billing::inquire_renewal),
    Action::new("DescribeInstanceVncUrl", quotas::describe_vnc),
    Action::new("DescribeInternetChargeTypeConfigs", quotas::describe_internet_charges),
    Action::new("DescribeInstanceFamilyConfigs", quotas::describe_families),
    Action::new("DescribeAccountQuota", quotas::describe_account),
    Action::new("CreateDisasterRecoverGroup", placement_groups::create),
    Action::new("DescribeDisasterRecoverGroups", placement_groups::describe),
    Action::new("ModifyDisasterRecoverGroupAttribute", placement_groups::modify),
    Action::new("DeleteDisasterRecoverGroups", placement_groups::delete),
    Action::new("DescribeDisasterRecoverGroupQuota", placement_groups::describe_quota),
];

/// The resources of one region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) instances: Table<instances::Instance>,
    /// What `RunInstances` did for the client tokens it saw.
    client_tokens: ClientTokens,
    key_pairs: Table<key_pairs::KeyPair>,
    /// Images of one's own.
    images: Table<images::Image>,
    placement_groups: Table<placement_groups::PlacementGroup>,
}

/// Tags as the requests of CVM carry them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagSpecification {
    resource_type: String,
    tags: Vec<Tag>,
}

/// The tags of a request for a resource of this type, checked.
fn tag_specifications(given: Option<&[TagSpecification]>, kind: &str) -> Result<Vec<Tag>, ApiError> {
    let mut tags = Vec::new();
    for specification in given.unwrap_or_default() {
        if specification.resource_type != kind {
            let other = &specification.resource_type;
            let message = format!("`TagSpecification.ResourceType` must be `{kind}` here, not `{other}`.");
            return Err(ApiError::invalid_value(message));
        }
        tags.extend(specification.tags.clone());
    }
    tags::check(Some(tags))
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

//! Instances as `DescribeInstances` shows them: written without a detour over JSON values, because this is the list that
//! programs ask for most.

use serde::Serialize;

use super::disks::{self, DataDisk, SystemDisk};
use super::instances::{Instance, State};
use crate::clock::Time;
use crate::tags::Tag;
use crate::world::Region;

/// An instance in an answer.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Shown<'a> {
    placement: Placement<'a>,
    instance_id: &'a str,
    uuid: &'a str,
    instance_name: &'a str,
    host_name: &'a str,
    instance_type: &'a str,
    #[serde(rename = "CPU")]
    cpu: u32,
    memory: u32,
    instance_state: &'static str,
    restrict_state: &'static str,
    isolated_source: &'static str,
    instance_charge_type: &'a str,
    renew_flag: &'a str,
    stop_charging_mode: &'a str,
    created_time: String,
    expired_time: Option<String>,
    system_disk: Option<SystemDisk<'a>>,
    data_disks: Vec<DataDisk<'a>>,
    private_ip_addresses: &'a [String],
    public_ip_addresses: Option<&'a [String]>,
    #[serde(rename = "IPv6Addresses")]
    ipv6_addresses: (),
    rdma_ip_addresses: (),
    internet_accessible: Internet<'a>,
    virtual_private_cloud: Network<'a>,
    security_group_ids: &'a [String],
    image_id: &'a str,
    os_name: &'a str,
    license_type: &'static str,
    login_settings: Login<'a>,
    default_login_user: &'a str,
    default_login_port: u32,
    tags: &'a [Tag],
    latest_operation: &'a str,
    latest_operation_state: &'a str,
    latest_operation_request_id: &'a str,
    latest_operation_error_msg: (),
    disaster_recover_group_id: &'a str,
    disaster_recover_group_ids: &'a [String],
    cam_role_name: &'a str,
    hpc_cluster_id: &'static str,
    dedicated_cluster_id: &'static str,
    disable_api_termination: bool,
    enable_jumbo_frame: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Placement<'a> {
    zone: &'a str,
    project_id: i64,
    host_id: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Internet<'a> {
    internet_charge_type: &'a str,
    internet_max_bandwidth_out: i64,
    public_ip_assigned: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Network<'a> {
    vpc_id: &'a str,
    subnet_id: &'a str,
    as_vpc_gateway: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Login<'a> {
    key_ids: &'a [String],
}

impl<'a> Shown<'a> {
    pub(super) fn of(region: &'a Region, instance: &'a Instance) -> Self {
        let stopped = matches!(instance.state, State::Stopped | State::Shutdown);
        Self {
            placement: Placement { zone: &instance.zone, project_id: instance.project_id, host_id: "" },
            instance_id: &instance.id,
            uuid: &instance.uuid,
            instance_name: &instance.name,
            host_name: &instance.host_name,
            instance_type: &instance.instance_type,
            cpu: instance.cpu,
            memory: instance.memory,
            instance_state: instance.state.name(),
            restrict_state: if instance.isolated { "PROTECTIVELY_ISOLATED" } else { "NORMAL" },
            isolated_source: if instance.isolated { "MANMADE" } else { "NOTISOLATED" },
            instance_charge_type: &instance.charge_type,
            renew_flag: &instance.renew_flag,
            stop_charging_mode: if stopped { &instance.stopped_mode } else { "NOT_APPLICABLE" },
            created_time: instance.created.iso(),
            expired_time: instance.expires.map(Time::iso),
            system_disk: disks::show_system(region, &instance.id),
            data_disks: disks::show_data(region, &instance.id),
            private_ip_addresses: &instance.private_ips,
            // The cloud has null here, not an empty list.
            public_ip_addresses: Some(instance.public_ips.as_slice()).filter(|addresses| !addresses.is_empty()),
            ipv6_addresses: (),
            rdma_ip_addresses: (),
            internet_accessible: Internet {
                internet_charge_type: &instance.internet.charge_type,
                internet_max_bandwidth_out: instance.internet.bandwidth,
                public_ip_assigned: instance.internet.public_ip,
            },
            virtual_private_cloud: Network {
                vpc_id: &instance.vpc_id,
                subnet_id: &instance.subnet_id,
                as_vpc_gateway: false,
            },
            security_group_ids: &instance.security_groups,
            image_id: &instance.image_id,
            os_name: &instance.os_name,
            license_type: "TencentCloud",
            login_settings: Login { key_ids: &instance.key_ids },
            default_login_user: &instance.login_user,
            default_login_port: instance.login_port,
            tags: &instance.tags,
            latest_operation: &instance.operation.action,
            latest_operation_state: &instance.operation.state,
            latest_operation_request_id: &instance.operation.request_id,
            latest_operation_error_msg: (),
            disaster_recover_group_id: instance.placement_groups.first().map(String::as_str).unwrap_or_default(),
            disaster_recover_group_ids: &instance.placement_groups,
            cam_role_name: &instance.role,
            hpc_cluster_id: "",
            dedicated_cluster_id: "",
            disable_api_termination: instance.protected,
            enable_jumbo_frame: instance.jumbo_frames,
        }
    }
}

//! Making the instances of a checked request.

use super::instances::{Instance, Internet, Operation, State};
use super::lifecycle::{self, Outcome};
use super::run::{Input, Order};
use super::{disks, names};
use crate::call::Call;
use crate::error::ApiError;
use crate::settings::Task;
use crate::vpc::subnets::Refused;
use crate::vpc::{self, security_groups};
use crate::world::Local;

/// Makes the instances and plans their boot. Gives their ids.
pub(super) fn launch(
    here: &mut Local<'_>,
    call: &Call,
    input: &Input,
    mut order: Order,
) -> Result<Vec<String>, ApiError> {
    let subnet_id = match order.subnet.take() {
        Some(id) => id,
        None => vpc::default_subnet(here, &order.zone)?,
    };
    if order.security_groups.is_empty() {
        order.security_groups.push(security_groups::default_group(here)?);
    }
    let (vpc_id, addresses) = take_addresses(here, &order, &subnet_id)?;
    let mut ids = Vec::new();
    for (place, (id, address)) in addresses.into_iter().enumerate() {
        let instance = make(here, call, input, &order, place, (id, vpc_id.clone(), subnet_id.clone(), address));
        ids.push(instance.id.clone());
        disks::make(here, input, &order.image, &instance);
        let id = instance.id.clone();
        here.region.cvm.instances.insert(id.clone(), instance);
        vpc::make_primary(here, &id);
        let boot = (Task::InstanceBoot, Outcome::Becomes(State::Running), State::LaunchFailed);
        lifecycle::plan(here, &id, boot, &call.request_id);
    }
    Ok(ids)
}

/// An id and an address for every instance, or for none.
fn take_addresses(
    here: &mut Local<'_>,
    order: &Order,
    subnet_id: &str,
) -> Result<(String, Vec<(String, String)>), ApiError> {
    let missing =
        || ApiError::new("InvalidParameterValue.SubnetNotExist", format!("The subnet `{subnet_id}` is gone."));
    let ids: Vec<String> = (0..order.count).map(|_| here.ids.new_id("ins")).collect();
    let subnet = here.region.vpc.subnets.get_mut(subnet_id).ok_or_else(missing)?;
    let mut given = Vec::new();
    // On a copy, so that nothing is taken when one of them cannot be had.
    let mut copy = subnet.clone();
    for (place, id) in ids.into_iter().enumerate() {
        let wanted = order.addresses.get(place).copied();
        let address = copy.take(wanted, &id).map_err(|refused| {
            let name = wanted.map(|address| address.to_string()).unwrap_or_default();
            match refused {
                Refused::Outside => {
                    let message =
                        format!("The address {name} is not one of the subnet `{subnet_id}`, {}.", subnet.cidr);
                    ApiError::new("VpcAddrNotInSubNet", message)
                }
                Refused::Taken => ApiError::new("VpcIpIsUsed", format!("The address {name} is in use.")),
                Refused::Exhausted => {
                    let message = format!("The subnet `{subnet_id}` has no address left.");
                    ApiError::new("FailedOperation.NoAvailableIpAddressCountInSubnet", message)
                }
            }
        })?;
        given.push((id, address.to_string()));
    }
    *subnet = copy;
    Ok((subnet.vpc_id.clone(), given))
}

fn make(
    here: &mut Local<'_>,
    call: &Call,
    input: &Input,
    order: &Order,
    place: usize,
    (id, vpc_id, subnet_id, address): (String, String, String, String),
) -> Instance {
    let name = input.instance_name.as_deref().filter(|name| !name.is_empty());
    let name = name.map_or_else(|| "未命名".to_owned(), |name| names::expand(name, place, order.count, None));
    let host_name = input.host_name.as_deref().filter(|name| !name.is_empty());
    let host_name = host_name.map_or_else(
        || format!("VM-{}-{}", place, id.rsplit('-').next().unwrap_or_default()),
        |name| names::expand(name, place, order.count, Some(&address)),
    );
    let internet = input.internet_accessible.as_ref();
    let bandwidth = internet.and_then(|internet| internet.internet_max_bandwidth_out).unwrap_or_default();
    let public_ip = bandwidth > 0 && internet.and_then(|internet| internet.public_ip_assigned).unwrap_or(true);
    let prepaid = input.instance_charge_prepaid.as_ref().filter(|_| order.charge_type == "PREPAID");
    let months = prepaid.and_then(|prepaid| u32::try_from(prepaid.period).ok());
    Instance {
        uuid: here.ids.new_uuid(),
        name,
        host_name,
        zone: order.zone.clone(),
        project_id: order.project_id,
        state: State::Pending,
        operation: Operation {
            action: call.action.to_owned(),
            state: "OPERATING".to_owned(),
            request_id: call.request_id.clone(),
        },
        instance_type: order.kind.name.to_owned(),
        cpu: order.kind.cpu,
        memory: order.kind.memory,
        image_id: order.image.id.clone(),
        os_name: order.image.os.clone(),
        login_user: if order.image.is_windows() { "Administrator" } else { "root" }.to_owned(),
        login_port: if order.image.is_windows() { 3389 } else { 22 },
        key_ids: input.login_settings.as_ref().and_then(|login| login.key_ids.clone()).unwrap_or_default(),
        charge_type: order.charge_type.clone(),
        renew_flag: prepaid
            .and_then(|prepaid| prepaid.renew_flag.clone())
            .unwrap_or_else(|| "NOTIFY_AND_MANUAL_RENEW".to_owned()),
        stopped_mode: "KEEP_CHARGING".to_owned(),
        isolated: false,
        protected: input.disable_api_termination.unwrap_or_default(),
        vpc_id,
        subnet_id,
        private_ips: vec![address],
        public_ips: if public_ip { vec![here.ids.new_public_ip()] } else { Vec::new() },
        internet: Internet {
            charge_type: internet
                .and_then(|internet| internet.internet_charge_type.clone())
                .unwrap_or_else(|| "TRAFFIC_POSTPAID_BY_HOUR".to_owned()),
            bandwidth,
            public_ip,
        },
        security_groups: order.security_groups.clone(),
        placement_groups: input.disaster_recover_group_ids.clone().unwrap_or_default(),
        tags: order.tags.clone(),
        role: input.cam_role_name.clone().unwrap_or_default(),
        jumbo_frames: input.enable_jumbo_frame.unwrap_or_default(),
        created: here.now,
        expires: months.map(|months| here.now.months_later(months)),
        id,
    }
}

//! Making and deleting NAT gateways, giving them elastic IPs and taking them away.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::elastic_ip_allocation::{check_room, make_for};
use super::elastic_ips::{self, Bound, ElasticIp, State as ElasticState};
use super::nat_gateways::{self, NatGateway, State, check_bandwidth, check_name};
use super::route_tables::RouteTable;
use super::tasks::Tasks;
use super::vpcs;
use crate::call::Call;
use crate::error::ApiError;
use crate::settings::{Quota, Task};
use crate::tags::{self, Tag};
use crate::world::{Event as WorldEvent, Local, World};

/// Work on a gateway comes to its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ended {
    gateway: String,
    /// The request that began the work.
    task: String,
    outcome: Outcome,
}

/// What work leads to.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Outcome {
    Available,
    /// It is available, without these elastic IPs.
    Without(Vec<String>),
    Gone,
    /// It failed: the gateway is as before, or gone when it was to be made.
    Failed(bool),
}

fn plan(here: &mut Local<'_>, call: &Call, id: &str, (state, task): (State, Task), outcome: Outcome) {
    let ends = here.now.after(here.settings.duration(task));
    Tasks::begin(here, call, id, ends);
    let outcome = if here.fails(task) { Outcome::Failed(task == Task::NatGatewayCreate) } else { outcome };
    if let Some(gateway) = here.region.vpc.nat_gateways.get_mut(id) {
        gateway.state = state;
        gateway.task = Some(call.request_id.clone());
    }
    let event = Ended { gateway: id.to_owned(), task: call.request_id.clone(), outcome };
    here.plan(ends, WorldEvent::Vpc(super::Event::NatGateway(event)));
}

/// Lets work come to its end.
pub(super) fn happen(here: &mut Local<'_>, event: Ended) {
    let Some(gateway) = here.region.vpc.nat_gateways.get_mut(&event.gateway) else { return };
    if gateway.task.as_deref() != Some(event.task.as_str()) {
        return;
    }
    gateway.task = None;
    gateway.state = State::Available;
    let outcome = match event.outcome {
        Outcome::Failed(gone) => {
            here.region.vpc.tasks.fail(&event.task, "The emulator was told to let it fail.");
            if gone { Outcome::Gone } else { Outcome::Available }
        }
        outcome => outcome,
    };
    match outcome {
        Outcome::Failed(_) => {}
        Outcome::Available => {
            for id in gateway.elastic_ips.clone() {
                if let Some(elastic) = here.region.vpc.elastic_ips.get_mut(&id) {
                    elastic.state = ElasticState::Bind;
                }
            }
        }
        Outcome::Without(gone) => {
            gateway.elastic_ips.retain(|id| !gone.contains(id));
            gone.iter().for_each(|id| elastic_ips::set_free(here.region, id));
        }
        Outcome::Gone => {
            let gone = here.region.vpc.nat_gateways.remove(&event.gateway);
            for id in gone.into_iter().flat_map(|gateway| gateway.elastic_ips) {
                elastic_ips::set_free(here.region, &id);
            }
        }
    }
}

/// The elastic IPs that a request gives a gateway: some to be allocated, some that exist.
#[derive(Debug)]
struct Wanted {
    new: usize,
    bandwidth: u64,
    existing: Vec<String>,
}

/// Checks what elastic IPs a gateway is to get; it has so many already.
fn check_addresses(
    here: &Local<'_>,
    (count, bandwidth): (Option<u64>, Option<u64>),
    given: &[String],
    present: usize,
) -> Result<Wanted, ApiError> {
    let new = usize::try_from(count.unwrap_or_default()).unwrap_or(usize::MAX);
    if new == 0 && given.is_empty() {
        let message = "Give `AddressCount`, to allocate elastic IPs, or `PublicIpAddresses`, to use those that exist.";
        return Err(ApiError::new("InvalidParameterValue.Empty", message));
    }
    let limit = here.settings.limit(Quota::ElasticIpsPerNatGateway);
    let total = present.saturating_add(new).saturating_add(given.len());
    if total > limit {
        let message = format!("A NAT gateway has at most {limit} elastic IPs, not {total}.");
        return Err(ApiError::new("LimitExceeded.PublicIpAddressPerNatGatewayLimitExceeded", message));
    }
    let mut existing: Vec<String> = Vec::new();
    for ip in given {
        let elastic = by_ip(here, ip)?;
        if elastic.state != ElasticState::Unbind || elastic.task.is_some() || existing.contains(&elastic.id) {
            let message = format!("The elastic IP {ip} (`{}`) is in use: it must be UNBIND.", elastic.id);
            return Err(ApiError::new("ResourceInUse.Address", message));
        }
        existing.push(elastic.id.clone());
    }
    if new > 0 {
        let daily = "LimitExceeded.DailyAllocateAddressQuotaLimitExceeded";
        check_room(here, new, "LimitExceeded.AddressQuotaLimitExceeded", daily)?;
    }
    Ok(Wanted { new, bandwidth: bandwidth.unwrap_or(100), existing })
}

fn by_ip<'a>(here: &'a Local<'_>, ip: &str) -> Result<&'a ElasticIp, ApiError> {
    here.region.vpc.elastic_ips.values().find(|elastic| elastic.ip == ip).ok_or_else(|| {
        let message = format!("There is no elastic IP {ip} in this region.");
        ApiError::new("UnsupportedOperation.PublicIpAddressIsNotExisted", message)
    })
}

/// Binds elastic IPs to a gateway; they are bound when its work ends.
fn give(here: &mut Local<'_>, id: &str, wanted: Wanted) {
    let mut ids = wanted.existing;
    ids.extend(make_for(here, wanted.new, wanted.bandwidth));
    for elastic in &ids {
        if let Some(elastic) = here.region.vpc.elastic_ips.get_mut(elastic) {
            elastic.state = ElasticState::Binding;
            elastic.bound = Some(Bound::NatGateway(id.to_owned()));
        }
    }
    if let Some(gateway) = here.region.vpc.nat_gateways.get_mut(id) {
        gateway.elastic_ips.extend(ids);
    }
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        nat_gateway_name: String,
        vpc_id: String,
        internet_max_bandwidth_out: Option<u64>,
        max_concurrent_connection: Option<u64>,
        address_count: Option<u64>,
        public_ip_addresses: Option<Vec<String>>,
        zone: Option<String>,
        tags: Option<Vec<Tag>>,
        subnet_id: Option<String>,
        public_ip_addresses_bandwidth_out: Option<u64>,
        nat_product_version: Option<u64>,
        deletion_protection_enabled: Option<bool>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    vpcs::find(here.region, &input.vpc_id)?;
    check_name(&input.nat_gateway_name)?;
    let version = input.nat_product_version.unwrap_or(1);
    let standard = match version {
        1 => false,
        2 => true,
        _ => {
            let message = format!("`NatProductVersion` is 1 or 2, not {version}.");
            return Err(ApiError::new("InvalidParameterValue.Range", message));
        }
    };
    let bandwidth = check_bandwidth(input.internet_max_bandwidth_out.unwrap_or(if standard { 5000 } else { 100 }))?;
    let connections = input.max_concurrent_connection.unwrap_or(if standard { 2_000_000 } else { 1_000_000 });
    if !matches!(connections, 1_000_000 | 2_000_000 | 3_000_000 | 10_000_000) {
        let message = format!("`MaxConcurrentConnection` is 1000000, 3000000 or 10000000, not {connections}.");
        return Err(ApiError::new("InvalidParameterValue.Range", message));
    }
    let zone = input.zone.clone().unwrap_or_default();
    if !zone.is_empty() && here.zone(&zone).is_none() {
        let message = format!("`Zone`: the region {} has no zone `{zone}`; DescribeZones lists them.", here.name);
        return Err(ApiError::new("UnsupportedOperation.NotSupportZone", message));
    }
    let tags = tags::check(input.tags)?;
    let given = input.public_ip_addresses.unwrap_or_default();
    let asked = (input.address_count, input.public_ip_addresses_bandwidth_out);
    let wanted = check_addresses(&here, asked, &given, 0)?;
    let limit = here.settings.limit(Quota::NatGatewaysPerVpc);
    if here.region.vpc.nat_gateways.values().filter(|gateway| gateway.vpc_id == input.vpc_id).count() >= limit {
        let message = format!("The VPC `{}` has its {limit} NAT gateways already.", input.vpc_id);
        return Err(ApiError::new("LimitExceeded.NatGatewayPerVpcLimitExceeded", message));
    }
    let id = here.ids.new_id("nat");
    let gateway = NatGateway {
        id: id.clone(),
        name: input.nat_gateway_name,
        vpc_id: input.vpc_id,
        subnet_id: input.subnet_id.unwrap_or_default(),
        zone,
        state: State::Pending,
        bandwidth,
        connections,
        version,
        elastic_ips: Vec::new(),
        groups: Vec::new(),
        protected: input.deletion_protection_enabled.unwrap_or_default(),
        affinity: true,
        created: here.now,
        tags,
        task: None,
    };
    here.region.vpc.nat_gateways.insert(id.clone(), gateway);
    give(&mut here, &id, wanted);
    plan(&mut here, call, &id, (State::Pending, Task::NatGatewayCreate), Outcome::Available);
    let gateway = nat_gateways::find(here.region, &id)?.show(here.region);
    Ok(json!({ "NatGatewaySet": [gateway], "TotalCount": 1 }))
}

/// The gateway of this id, when nothing is being done to it.
fn idle<'a>(here: &'a Local<'_>, id: &str) -> Result<&'a NatGateway, ApiError> {
    let gateway = nat_gateways::find(here.region, id)?;
    if gateway.task.is_some() {
        let message = format!("The NAT gateway `{id}` is {}: wait until it is AVAILABLE.", gateway.state.name());
        return Err(ApiError::new("UnsupportedOperation.MutexOperationTaskRunning", message));
    }
    Ok(gateway)
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        nat_gateway_id: String,
        ignore_operation_risk: Option<bool>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let gateway = idle(&here, &input.nat_gateway_id)?;
    if gateway.protected {
        let message =
            format!("The NAT gateway `{}` is protected: switch DeletionProtectionEnabled off first.", gateway.id);
        return Err(ApiError::new("UnsupportedOperation.DeletionProtectionEnabled", message));
    }
    let id = gateway.id.clone();
    let leads_here = |table: &&RouteTable| table.routes.iter().any(|route| route.gateway_id == id);
    let table = here.region.vpc.route_tables.values().find(leads_here);
    if let Some(table) = table.filter(|_| input.ignore_operation_risk != Some(true)) {
        let message = format!(
            "Routes of `{}` lead to the NAT gateway `{id}`: delete them, or set IgnoreOperationRisk to lose them.",
            table.id
        );
        return Err(ApiError::new("UnsupportedOperation.NatGatewayHaveRoute", message));
    }
    for table in here.region.vpc.route_tables.values_mut() {
        table.routes.retain(|route| route.gateway_id != id);
    }
    plan(&mut here, call, &id, (State::Deleting, Task::NatGatewayDelete), Outcome::Gone);
    Ok(json!({}))
}

pub(super) fn associate(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        nat_gateway_id: String,
        address_count: Option<u64>,
        public_ip_addresses: Option<Vec<String>>,
        public_ip_addresses_bandwidth_out: Option<u64>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let gateway = idle(&here, &input.nat_gateway_id)?;
    let given = input.public_ip_addresses.unwrap_or_default();
    let asked = (input.address_count, input.public_ip_addresses_bandwidth_out);
    let wanted = check_addresses(&here, asked, &given, gateway.elastic_ips.len())?;
    give(&mut here, &input.nat_gateway_id, wanted);
    let update = (State::Updating, Task::NatGatewayUpdate);
    plan(&mut here, call, &input.nat_gateway_id, update, Outcome::Available);
    Ok(json!({}))
}

pub(super) fn disassociate(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        nat_gateway_id: String,
        public_ip_addresses: Vec<String>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let gateway = idle(&here, &input.nat_gateway_id)?;
    if input.public_ip_addresses.is_empty() {
        return Err(ApiError::missing("PublicIpAddresses"));
    }
    let mut gone = Vec::new();
    for ip in &input.public_ip_addresses {
        let elastic = by_ip(&here, ip)?;
        if !gateway.elastic_ips.contains(&elastic.id) {
            let message = format!("The elastic IP {ip} is not bound to the NAT gateway `{}`.", gateway.id);
            return Err(ApiError::new("UnsupportedOperation.NatGatewayEipNotExists", message));
        }
        gone.push(elastic.id.clone());
    }
    if gateway.elastic_ips.iter().all(|id| gone.contains(id)) {
        let message = format!("The NAT gateway `{}` must keep at least one elastic IP.", gateway.id);
        return Err(ApiError::new("UnsupportedOperation.PublicIpAddressDisassociate", message));
    }
    for id in &gone {
        if let Some(elastic) = here.region.vpc.elastic_ips.get_mut(id) {
            elastic.state = ElasticState::Unbinding;
        }
    }
    let update = (State::Updating, Task::NatGatewayUpdate);
    plan(&mut here, call, &input.nat_gateway_id, update, Outcome::Without(gone));
    Ok(json!({}))
}

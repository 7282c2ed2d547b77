//! `CreateLoadBalancer`: replaying an order, and making what it asks for.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};

use super::errors;
use super::load_balancers::{LoadBalancer, SnatIp};
use super::orders::{self, Input, Order};
use super::tasks::{self, Outcome};
use crate::call::Call;
use crate::client_tokens::{Dialect, Used};
use crate::error::ApiError;
use crate::settings::Task;
use crate::vpc;
use crate::vpc::elastic_ips;
use crate::vpc::subnets::{self, Refused};
use crate::world::{Local, Region, World};

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let token = input.client_token.as_deref();
    let dialect = Dialect { malformed: errors::LENGTH, mismatch: errors::PARAMETER };
    let spent = |used: &Used| {
        let spent = used.has_expired(here.now) || tasks::has_failed(&here, &used.request_id);
        let message = "`ClientToken`: the order of this token has failed or expired: use a new token.";
        spent.then(|| ApiError::new("InvalidParameter.ClientTokenLimitExceeded", message))
    };
    if let Some(used) = here.region.clb.client_tokens.repeated_unless(call, token, dialect, spent)? {
        return Ok(used.answer.clone());
    }
    let order = orders::check(&here, &input)?;
    let balancers = make(&mut here, order)?;
    let ids: Vec<String> = balancers.iter().map(|balancer| balancer.id.clone()).collect();
    for balancer in balancers {
        here.region.clb.balancers.insert(balancer.id.clone(), balancer);
    }
    let deal = format!("{}{:06}", here.now.seconds(), here.region.clb.deals.len() + 1);
    here.region.clb.deals.insert(deal.clone(), call.request_id.clone());
    tasks::begin(&mut here, call, Task::LoadBalancerCreate, Outcome::Created(ids.clone()), None);
    let answer = json!({ "LoadBalancerIds": ids, "DealName": deal });
    here.region.clb.client_tokens.keep(call, token, &answer, here.now);
    Ok(answer)
}

/// Makes the load balancers, all or none.
fn make(here: &mut Local<'_>, order: Order) -> Result<Vec<LoadBalancer>, ApiError> {
    let mut pattern = order.pattern.clone();
    if order.default_vpc {
        let zone = pattern.master_zone.clone().unwrap_or_default();
        let subnet = vpc::default_subnet(here, &zone)?;
        let subnet = here.region.vpc.subnets.get(&subnet);
        pattern.vpc_id = subnet.map(|subnet| subnet.vpc_id.clone()).unwrap_or_default();
        pattern.target_region.1.clone_from(&pattern.vpc_id);
    }
    let mut made = Vec::new();
    for _ in 0..order.count {
        let mut balancer = LoadBalancer { id: here.ids.new_id("lb"), ..pattern.clone() };
        balancer.name = free_name(here, order.name.as_deref(), &balancer.id);
        if order.by_domain {
            balancer.domain = format!("{}.clb.{}.tencentclb.com", balancer.id, here.name);
        }
        let given = give_addresses(here, &order, &mut balancer);
        made.push(balancer);
        if let Err(error) = given {
            made.iter().for_each(|balancer| take_back(here.region, balancer));
            return Err(error);
        }
    }
    Ok(made)
}

/// Gives a load balancer its addresses. When it fails, some may have been given.
fn give_addresses(here: &mut Local<'_>, order: &Order, balancer: &mut LoadBalancer) -> Result<(), ApiError> {
    for (subnet, wanted) in &order.snat {
        let ip = take(here, subnet, *wanted, &balancer.id)?;
        balancer.snat_ips.push(SnatIp { subnet_id: subnet.clone(), ip });
    }
    if balancer.ipv6_mode.is_some() {
        balancer.ipv6 = Some(order.vip.map_or_else(|| ipv6_from(&here.ids.new_public_ip()), |vip| vip.to_string()));
    } else if balancer.public {
        let address = || here.ids.new_public_ip();
        balancer.vip = (!order.by_domain).then(|| order.vip.map_or_else(address, |vip| vip.to_string()));
    } else {
        let wanted = order.vip.and_then(|vip| if let IpAddr::V4(vip) = vip { Some(vip) } else { None });
        balancer.vip = Some(take(here, &balancer.subnet_id, wanted, &balancer.id)?);
    }
    elastic_ips::give_to_balancer(here.region, &balancer.eip_id, &balancer.id);
    Ok(())
}

fn take(here: &mut Local<'_>, subnet_id: &str, wanted: Option<Ipv4Addr>, owner: &str) -> Result<String, ApiError> {
    let gone = || errors::value(format!("The subnet `{subnet_id}` does not exist."));
    let subnet = here.region.vpc.subnets.get_mut(subnet_id).ok_or_else(gone)?;
    let taken = subnet.take(wanted, owner).map_err(|refused| refusal(refused, wanted, subnet_id))?;
    Ok(taken.to_string())
}

/// Gives the addresses of a load balancer back to their subnets, and sets its elastic IP free.
pub(super) fn take_back(region: &mut Region, balancer: &LoadBalancer) {
    if let (Some(vip), false) = (&balancer.vip, balancer.subnet_id.is_empty()) {
        subnets::release(region, &balancer.subnet_id, vip);
    }
    elastic_ips::set_free(region, &balancer.eip_id);
    for snat in &balancer.snat_ips {
        subnets::release(region, &snat.subnet_id, &snat.ip);
    }
}

fn refusal(refused: Refused, wanted: Option<Ipv4Addr>, subnet_id: &str) -> ApiError {
    let wanted = wanted.map(|address| address.to_string()).unwrap_or_default();
    match refused {
        Refused::Outside => errors::value(format!("The address {wanted} is not one of the subnet `{subnet_id}`.")),
        Refused::Taken => errors::value(format!("The address {wanted} is in use.")),
        Refused::Exhausted => {
            ApiError::new("ResourceInsufficient", format!("The subnet `{subnet_id}` has no address left."))
        }
    }
}

/// The wanted name, or one made from the id when there is none or somebody has it.
fn free_name(here: &Local<'_>, wanted: Option<&str>, id: &str) -> String {
    let taken = |name: &str| here.region.clb.balancers.values().any(|other| other.name == name);
    wanted.filter(|name| !taken(name)).unwrap_or(id).to_owned()
}

/// A public IPv6 address that is as unique as the IPv4 address it is made from.
fn ipv6_from(address: &str) -> String {
    let bits = address.parse::<Ipv4Addr>().map_or(0, u32::from);
    format!("2402:4e00:1000::{:x}:{:x}", bits >> 16, bits & 0xffff)
}

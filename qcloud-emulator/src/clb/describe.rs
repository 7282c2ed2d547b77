//! `DescribeLoadBalancers`.

use std::cmp::Ordering;

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::{self, Kind};
use super::load_balancers::LoadBalancer;
use super::{LISTS, targets};
use crate::call::Call;
use crate::error::ApiError;
use crate::listing::{Filter, Filters, Page};
use crate::world::{Local, Region, World};

const FILTERS: &[&str] = &[
    "charge-type",
    "internet-charge-type",
    "master-zone-id",
    "tag-key",
    "tag:",
    "function-name",
    "vip-isp",
    "sla-type",
    "exclusive",
];
const MOST_IDS: usize = 20;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    load_balancer_ids: Option<Vec<String>>,
    load_balancer_type: Option<String>,
    forward: Option<i64>,
    load_balancer_name: Option<String>,
    domain: Option<String>,
    load_balancer_vips: Option<Vec<String>>,
    backend_public_ips: Option<Vec<String>>,
    backend_private_ips: Option<Vec<String>>,
    offset: Option<i64>,
    limit: Option<i64>,
    order_by: Option<String>,
    order_type: Option<i64>,
    search_key: Option<String>,
    project_id: Option<i64>,
    with_rs: Option<i64>,
    vpc_id: Option<String>,
    security_group: Option<String>,
    master_zone: Option<String>,
    filters: Option<Vec<Filter>>,
    additional_fields: Option<Vec<String>>,
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let mut input: Input = call.input()?;
    let here = world.local(call);
    let filters = Filters::check(call, input.filters.take(), FILTERS, &LISTS)?;
    let page = Page::new(input.offset, input.limit, &LISTS)?;
    check(&input)?;
    let mut balancers: Vec<&LoadBalancer> = here
        .region
        .clb
        .balancers
        .values()
        .filter(|balancer| {
            input.fits(&here, balancer)
                && filters.accept(&balancer.tags, |name, value| fits_filter(&here, balancer, name, value))
        })
        .collect();
    // Oldest first so far; the other orders keep that among equals.
    if let Some(compare) = comparison(input.order_by.as_deref())? {
        balancers.sort_by(|one, other| compare(one, other));
    }
    if input.order_type != Some(0) {
        balancers.reverse();
    }
    let with_count = input.additional_fields.is_some_and(|fields| !fields.is_empty());
    let (total, balancers) = page.cut(balancers.into_iter());
    let balancers: Vec<Value> = balancers.into_iter().map(|balancer| balancer.show(&here, with_count)).collect();
    Ok(json!({ "TotalCount": total, "LoadBalancerSet": balancers }))
}

type Comparison = fn(&LoadBalancer, &LoadBalancer) -> Ordering;

fn comparison(field: Option<&str>) -> Result<Option<Comparison>, ApiError> {
    let by_name: Comparison = |one, other| one.name.cmp(&other.name);
    let by_domain: Comparison = |one, other| one.domain.cmp(&other.domain);
    let by_type: Comparison = |one, other| one.type_name().cmp(other.type_name());
    match field.unwrap_or("CreateTime") {
        "CreateTime" => Ok(None),
        "LoadBalancerName" => Ok(Some(by_name)),
        "Domain" => Ok(Some(by_domain)),
        "LoadBalancerType" => Ok(Some(by_type)),
        other => {
            let message =
                format!("`OrderBy` must be LoadBalancerName, CreateTime, Domain or LoadBalancerType, not `{other}`.");
            Err(errors::value(message))
        }
    }
}

fn check(input: &Input) -> Result<(), ApiError> {
    let ids = input.load_balancer_ids.as_deref().unwrap_or_default();
    errors::check_count("LoadBalancerIds", ids.len(), 0, MOST_IDS)?;
    ids.iter().try_for_each(|id| errors::check_id("LoadBalancerIds", id, Kind::LoadBalancer))?;
    if let Some(kind) = &input.load_balancer_type {
        errors::check_among("LoadBalancerType", kind, &["OPEN", "INTERNAL"])?;
    }
    if let Some(order) = input.order_type {
        errors::check_range("OrderType", order, 0, 1)?;
    }
    if let Some(with) = input.with_rs {
        errors::check_range("WithRs", with, -1, 1)?;
    }
    if let Some(forward) = input.forward {
        errors::check_range("Forward", forward, -1, 1)?;
    }
    for field in input.additional_fields.iter().flatten() {
        errors::check_among("AdditionalFields", field, &["TargetCount"])?;
    }
    Ok(())
}

impl Input {
    /// Whether a load balancer is what the parameters other than filters ask for.
    fn fits(&self, here: &Local<'_>, balancer: &LoadBalancer) -> bool {
        fn given(wanted: Option<&Vec<String>>) -> Option<&Vec<String>> {
            wanted.filter(|wanted| !wanted.is_empty())
        }
        let targets_with = |wanted: &[String], of: fn(&Region, &targets::Target) -> Vec<String>| {
            balancer.bound(here.region).any(|target| of(here.region, target).iter().any(|own| wanted.contains(own)))
        };
        let public_of = |region: &Region, target: &targets::Target| {
            region
                .cvm
                .instances
                .get(&target.place.instance)
                .map(|instance| instance.public_ips.clone())
                .unwrap_or_default()
        };
        given(self.load_balancer_ids.as_ref()).is_none_or(|ids| ids.contains(&balancer.id))
            && self.load_balancer_type.as_deref().is_none_or(|kind| kind == balancer.type_name())
            && self.forward != Some(0)
            && self.load_balancer_name.as_deref().is_none_or(|part| balancer.name.contains(part))
            && self.domain.as_deref().is_none_or(|part| balancer.shown_domain().contains(part))
            && given(self.load_balancer_vips.as_ref())
                .is_none_or(|wanted| wanted.iter().any(|vip| balancer.answers_at(vip)))
            && given(self.backend_private_ips.as_ref())
                .is_none_or(|wanted| targets_with(wanted, |_, target| vec![target.place.address.clone()]))
            && given(self.backend_public_ips.as_ref()).is_none_or(|wanted| targets_with(wanted, public_of))
            && self.search_key.as_deref().is_none_or(|key| mentions(balancer, key))
            && self.project_id.is_none_or(|project| project < 0 || project == balancer.project_id)
            && self.with_rs.is_none_or(|with| with < 0 || (with == 1) == balancer.bound(here.region).next().is_some())
            && self.vpc_id.as_deref().is_none_or(|vpc| vpc == balancer.vpc_id)
            && self.security_group.as_ref().is_none_or(|group| balancer.security_groups.contains(group))
            && self.master_zone.as_deref().is_none_or(|zone| in_zone(here, balancer, zone))
    }
}

/// Whether name, domain, address or id contain the text.
pub(super) fn mentions(balancer: &LoadBalancer, text: &str) -> bool {
    let addresses = balancer.vips().into_iter().chain(balancer.shown_ipv6());
    let mut places =
        [balancer.name.as_str(), balancer.shown_domain(), balancer.id.as_str()].into_iter().chain(addresses);
    places.any(|place| place.contains(text))
}

/// Whether this zone, by id or name, is the primary one.
pub(super) fn in_zone(here: &Local<'_>, balancer: &LoadBalancer, zone: &str) -> bool {
    let own = balancer.master_zone.as_deref().and_then(|name| here.zone(name));
    own.is_some_and(|own| own.name == zone || own.id == zone)
}

fn fits_filter(here: &Local<'_>, balancer: &LoadBalancer, name: &str, value: &str) -> bool {
    match name {
        "charge-type" => balancer.charge_type() == value,
        "internet-charge-type" => balancer.internet.as_ref().is_some_and(|internet| internet.charge_type == value),
        "master-zone-id" => in_zone(here, balancer, value),
        "vip-isp" => balancer.isp == value,
        "sla-type" => balancer.sla_type == value,
        "exclusive" => value == "0",
        // No cloud function is bound here.
        _ => false,
    }
}

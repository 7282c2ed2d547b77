//! The health of targets.

use serde::Deserialize;
use serde_json::{Value, json};

use super::TargetCondition;
use super::errors::{self, Kind};
use super::health_checks::HealthCheck;
use super::listeners::{GroupBinding, Listener};
use super::load_balancers::{self, LoadBalancer};
use super::targets::{self, Target, TargetKind};
use crate::call::Call;
use crate::cvm::InstanceState;
use crate::data_path;
use crate::error::ApiError;
use crate::settings::Task;
use crate::vpc;
use crate::world::{Local, World};

const MOST_BALANCERS: usize = 30;

/// A listener or rule with everything that health depends on.
#[derive(Clone, Copy)]
pub(super) struct Checked<'a> {
    pub(super) balancer: &'a LoadBalancer,
    pub(super) listener: &'a Listener,
    pub(super) check: Option<&'a HealthCheck>,
    pub(super) targets: &'a [Target],
    pub(super) groups: &'a [GroupBinding],
}

/// A target behind a listener or rule, with its health.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) target: &'a Target,
    /// The group that it belongs to, unless it was bound directly.
    pub(super) group: Option<&'a str>,
    pub(super) condition: TargetCondition,
    /// Whether traffic may go to it, its weight left aside.
    pub(super) healthy: bool,
}

/// The key of a condition that a test set: for one port of an address, or for all.
pub(super) fn condition_key(address: &str, port: Option<u16>) -> String {
    let address =
        address.parse::<std::net::IpAddr>().map_or_else(|_| address.to_owned(), |address| address.to_string());
    match port {
        Some(port) => format!("{address} {port}"),
        None => address,
    }
}

impl<'a> Checked<'a> {
    pub(super) fn is_stopped(&self) -> bool {
        self.balancer.stopped || self.listener.stopped
    }

    /// The targets, those of its groups too, with their health.
    pub(super) fn seen(self, here: &'a Local<'_>) -> impl Iterator<Item = Seen<'a>> {
        let direct = self.targets.iter().map(move |target| self.see(here, target, None, self.check));
        let grouped = self.groups.iter().filter_map(|binding| here.region.clb.groups.get(&binding.id));
        let grouped = grouped.flat_map(move |group| {
            let check = group.health_check.as_ref().or(self.check);
            group.members.iter().map(move |member| self.see(here, member, Some(&group.id), check))
        });
        direct.chain(grouped).filter(|seen| targets::is_present(here.region, seen.target))
    }

    fn see(
        self,
        here: &Local<'_>,
        target: &'a Target,
        group: Option<&'a str>,
        check: Option<&HealthCheck>,
    ) -> Seen<'a> {
        let unchecked = check.is_none_or(|check| !check.on);
        let condition =
            if self.is_stopped() || unchecked { TargetCondition::Close } else { probe(here, self.balancer, target) };
        let healthy = condition == TargetCondition::Alive || (unchecked && !self.is_stopped());
        Seen { target, group, condition, healthy }
    }
}

/// What health checks find: what a test has set, else what follows from the instance behind the target.
fn probe(here: &Local<'_>, balancer: &LoadBalancer, target: &Target) -> TargetCondition {
    let conditions = &here.region.clb.conditions;
    let address = &target.place.address;
    // The usual case is that none is set; then no key is made for each of thousands of targets.
    let ports = [Some(target.port), None].into_iter().filter(|_| !conditions.is_empty());
    if let Some(condition) = ports.filter_map(|port| conditions.get(&condition_key(address, port))).next() {
        return *condition;
    }
    if target.registered.after(here.settings.duration(Task::TargetProbe)) > here.now {
        return TargetCondition::Unknown;
    }
    let place = &target.place;
    let answers = match (place.kind, address.parse()) {
        (TargetKind::RoutedPod, Ok(address)) => {
            data_path::hops_to_pod(here.region, &balancer.vpc_id, address).iter().any(|hop| hop.running)
        }
        (TargetKind::RoutedPod, Err(_)) => false,
        // Elsewhere, and at IPv6 addresses, nobody is known who could be down.
        _ if place.instance.is_empty() && place.interface.is_empty() => true,
        _ => vpc::holder(here.region, target.id()).is_some_and(|instance| instance.state == InstanceState::Running),
    };
    if answers { TargetCondition::Alive } else { TargetCondition::Dead }
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        load_balancer_ids: Vec<String>,
        listener_ids: Option<Vec<String>>,
        location_ids: Option<Vec<String>>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    errors::check_count("LoadBalancerIds", input.load_balancer_ids.len(), 1, MOST_BALANCERS)?;
    let (listeners, locations) = (input.listener_ids.unwrap_or_default(), input.location_ids.unwrap_or_default());
    listeners.iter().try_for_each(|id| errors::check_id("ListenerIds", id, Kind::Listener))?;
    locations.iter().try_for_each(|id| errors::check_id("LocationIds", id, Kind::Rule))?;
    let mut shown = Vec::new();
    for id in &input.load_balancer_ids {
        let balancer = load_balancers::find(&here, call, id)?;
        let wanted =
            balancer.listeners.iter().filter(|listener| listeners.is_empty() || listeners.contains(&listener.id));
        let of_balancer: Vec<Value> =
            wanted.map(|listener| show_listener(&here, balancer, listener, &locations)).collect();
        shown.push(json!({
            "LoadBalancerId": balancer.id,
            "LoadBalancerName": balancer.name,
            "Listeners": of_balancer,
        }));
    }
    Ok(json!({ "LoadBalancers": shown }))
}

fn show_listener(here: &Local<'_>, balancer: &LoadBalancer, listener: &Listener, locations: &[String]) -> Value {
    let wanted = |id: &String| locations.is_empty() || locations.contains(id);
    let own = Checked {
        balancer,
        listener,
        check: listener.health_check.as_ref(),
        targets: &listener.targets,
        groups: &listener.groups,
    };
    let mut rules = Vec::new();
    if !listener.is_layer_7() && wanted(&listener.location_id) {
        rules.push(json!({
            "LocationId": listener.location_id,
            "Domain": null,
            "Url": null,
            "Targets": own.seen(here).map(show).collect::<Vec<_>>(),
        }));
    }
    for rule in listener.rules.iter().filter(|rule| wanted(&rule.id)) {
        let checked = Checked { check: Some(&rule.health_check), targets: &rule.targets, groups: &rule.groups, ..own };
        rules.push(json!({
            "LocationId": rule.id,
            "Domain": rule.domain(),
            "Url": rule.url,
            "Targets": checked.seen(here).map(show).collect::<Vec<_>>(),
        }));
    }
    json!({
        "ListenerId": listener.id,
        "ListenerName": listener.name,
        "Protocol": listener.protocol,
        "Port": listener.port,
        "Rules": rules,
    })
}

fn show(seen: Seen<'_>) -> Value {
    let mut shown = json!({
        "IP": seen.target.place.address,
        "Port": seen.target.port,
        "HealthStatus": seen.healthy,
        "TargetId": seen.target.id(),
        "HealthStatusDetail": seen.condition.name(),
        "HealthStatusDetial": seen.condition.name(),
        "Weight": seen.target.weight,
    });
    if let (Some(group), Some(members)) = (seen.group, shown.as_object_mut()) {
        members.insert("TargetGroupId".to_owned(), group.into());
    }
    shown
}

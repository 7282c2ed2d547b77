//! Binding and unbinding targets.

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::{self, Kind};
use super::listeners::Listener;
use super::load_balancers::{self, LoadBalancer};
use super::rules::Location;
use super::targets::{self, GivenTarget, Target, TargetName};
use super::tasks::{self, Outcome};
use crate::call::Call;
use crate::error::ApiError;
use crate::settings::{Quota, Task};
use crate::world::{Local, World};

const MOST: usize = 20;
const MOST_IN_BATCH: usize = 500;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    load_balancer_id: String,
    listener_id: String,
    targets: Vec<GivenTarget>,
    #[serde(flatten)]
    location: Location,
}

/// The targets of a listener, or of the rule that is named. Those of listeners and rules that forward to target groups
/// cannot be bound one by one.
pub(super) fn bindings<'a>(
    here: &Local<'_>,
    call: &Call,
    listener: &'a mut Listener,
    location: &Location,
) -> Result<&'a mut Vec<Target>, ApiError> {
    let grouped =
        |id: &str| errors::failed(format!("`{id}` forwards to target groups: bind targets to these instead."));
    if !listener.is_layer_7() {
        let single = listener.options.target_type == "NODE";
        return if single { Ok(&mut listener.targets) } else { Err(grouped(&listener.id)) };
    }
    let place = location.place(here, call, listener)?;
    match listener.rules.get_mut(place) {
        Some(rule) if rule.target_type != "NODE" => Err(grouped(&rule.id)),
        Some(rule) => Ok(&mut rule.targets),
        None => Err(errors::not_found(here.settings, call.action, Kind::Rule, "")),
    }
}

/// What is wrong with a target that a test has poisoned.
fn poison(here: &Local<'_>, given: &GivenTarget) -> Option<String> {
    let names = [given.instance_id.as_deref(), given.eni_ip.as_deref()];
    let poisoned = here.settings.poisoned_targets.iter().find(|name| names.contains(&Some(name.as_str())))?;
    Some(format!("The target `{poisoned}` cannot be bound: it is poisoned."))
}

/// What happens to a target that is bound already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    Refused,
    /// It stays, with its new weight if one is given.
    Kept,
}

/// Adds targets to those of a listener or rule.
fn add(
    here: &Local<'_>,
    balancer: &LoadBalancer,
    bound: &mut Vec<Target>,
    given: &[&GivenTarget],
    again: Again,
) -> Result<(), ApiError> {
    for given in given {
        let (name, port, weight) = (given.name()?, given.port()?, given.weight(None)?);
        let place = targets::locate(here.region, &balancer.vpc_id, balancer.snat_pro, &name)?;
        let full_ipv6 = balancer.ipv6_mode.as_deref() == Some("IPv6FullChain");
        if full_ipv6 != place.address.contains(':') {
            let version = if full_ipv6 { "IPv6" } else { "IPv4" };
            return Err(errors::value(format!("`{}` forwards to {version} addresses, not to {name}.", balancer.id)));
        }
        let present = bound.iter_mut().find(|other| other.port == port && other.place.address == place.address);
        match (present, again) {
            (Some(_), Again::Refused) => {
                return Err(errors::duplicate(format!(
                    "The target {name} with port {port} is bound already, or given twice."
                )));
            }
            (Some(other), Again::Kept) => {
                other.weight = given.weight.map_or(other.weight, |_| weight);
            }
            (None, _) => {
                let tag = given.tag.clone().unwrap_or_default();
                bound.push(Target { place, port, weight, tag, registered: here.now });
            }
        }
    }
    let limit = here.settings.limit(Quota::TargetsPerRule);
    if bound.len() > limit {
        let message =
            format!("{} targets would be bound to one listener or rule, more than the quota of {limit}.", bound.len());
        return Err(errors::over_quota(message));
    }
    Ok(())
}

/// Takes targets away from those of a listener or rule.
fn take(bound: &mut Vec<Target>, given: &[&GivenTarget]) -> Result<(), ApiError> {
    for given in given {
        let (name, port) = (given.name()?, given.port()?);
        let place = bound.iter().position(|target| target.port == port && name.fits(target));
        let missing =
            || errors::value(format!("The target {name} with port {port} is not bound there, or given twice."));
        bound.remove(place.ok_or_else(missing)?);
    }
    Ok(())
}

pub(super) fn register(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let mut draft = tasks::draft(&here, call, &input.load_balancer_id)?;
    errors::check_count("Targets", input.targets.len(), 1, MOST)?;
    let balancer = draft.clone();
    let bound = bindings(&here, call, draft.listener_mut(&here, call, &input.listener_id)?, &input.location)?;
    add(&here, &balancer, bound, &input.targets.iter().collect::<Vec<_>>(), Again::Refused)?;
    let fault = input.targets.iter().find_map(|target| poison(&here, target));
    tasks::begin(&mut here, call, Task::TargetChange, Outcome::Become(vec![draft]), fault);
    Ok(json!({}))
}

pub(super) fn deregister(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let mut draft = tasks::draft(&here, call, &input.load_balancer_id)?;
    errors::check_count("Targets", input.targets.len(), 1, MOST)?;
    let bound = bindings(&here, call, draft.listener_mut(&here, call, &input.listener_id)?, &input.location)?;
    take(bound, &input.targets.iter().collect::<Vec<_>>())?;
    tasks::change(&mut here, call, Task::TargetChange, draft);
    Ok(json!({}))
}

/// A target of a batch, with the listener or rule that it is for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchTarget {
    listener_id: String,
    location_id: Option<String>,
    #[serde(flatten)]
    target: GivenTarget,
}

/// The targets of a batch for one listener, by rule, in the order of the request.
type PerRule<'a> = Vec<(Location, Vec<&'a GivenTarget>)>;

pub(super) fn batch_register(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    batch(world, call, |here, balancer, bound, given| {
        if let Some(message) = given.iter().find_map(|target| poison(here, target)) {
            return Err(errors::failed(message));
        }
        add(here, balancer, bound, given, Again::Kept)
    })
}

pub(super) fn batch_deregister(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    batch(world, call, |_, _, bound, given| take(bound, given))
}

type Change = fn(&Local<'_>, &LoadBalancer, &mut Vec<Target>, &[&GivenTarget]) -> Result<(), ApiError>;

/// Changes the targets of several listeners at once. What is malformed, and listeners and rules that do not exist, fail
/// the call; any other fault fails all targets of its listener and leaves the other listeners alone.
fn batch(world: &mut World, call: &Call, change: Change) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        load_balancer_id: String,
        targets: Vec<BatchTarget>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    errors::check_count("Targets", input.targets.len(), 1, MOST_IN_BATCH)?;
    let balancer = load_balancers::find(&here, call, &input.load_balancer_id)?;
    for target in &input.targets {
        target.target.name()?;
        target.target.port()?;
        target.target.weight(None)?;
        balancer.listener(&here, call, &target.listener_id)?;
    }
    let mut draft = tasks::draft(&here, call, &input.load_balancer_id)?;
    let balancer = draft.clone();
    let mut failed: Vec<String> = Vec::new();
    let mut messages = Vec::new();
    for (listener_id, per_rule) in by_listener(&input.targets) {
        let mut listener = draft.listener(&here, call, listener_id)?.clone();
        let mut outcome = Ok(());
        for (location, given) in per_rule {
            if listener.is_layer_7() {
                location.place(&here, call, &listener)?;
            }
            let one = bindings(&here, call, &mut listener, &location);
            outcome = outcome.and(one.and_then(|bound| change(&here, &balancer, bound, &given)));
        }
        match outcome {
            Ok(()) => *draft.listener_mut(&here, call, listener_id)? = listener,
            Err(error) => {
                failed.push(listener_id.to_owned());
                messages.push(format!("{listener_id}: {}", error.message));
            }
        }
    }
    tasks::change_at_once(&mut here, call, vec![draft]);
    Ok(json!({ "FailListenerIdSet": failed, "Message": messages.join(" ") }))
}

fn by_listener(targets: &[BatchTarget]) -> Vec<(&str, PerRule<'_>)> {
    let mut listeners: Vec<(&str, PerRule<'_>)> = Vec::new();
    for given in targets {
        let known = listeners.iter().position(|(id, _)| *id == given.listener_id);
        if known.is_none() {
            listeners.push((&given.listener_id, Vec::new()));
        }
        let place = known.unwrap_or(listeners.len() - 1);
        let Some((_, rules)) = listeners.get_mut(place) else { continue };
        match rules.iter_mut().find(|(location, _)| location.location_id == given.location_id) {
            Some((_, same)) => same.push(&given.target),
            None => rules.push((Location::by_id(given.location_id.as_ref()), vec![&given.target])),
        }
    }
    listeners
}

/// The bound target that a request names.
pub(super) fn named<'a>(bound: &'a mut [Target], name: &TargetName, port: u16) -> Result<&'a mut Target, ApiError> {
    let missing = || errors::value(format!("The target {name} with port {port} is not bound there."));
    bound.iter_mut().find(|target| target.port == port && name.fits(target)).ok_or_else(missing)
}

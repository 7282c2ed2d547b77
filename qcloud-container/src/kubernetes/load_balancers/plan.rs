//! What has to be done so that what is observed becomes what is wanted. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::access::Access;
use super::limits::LbLimits;
use super::listener::{ListenerKey, ListenerSpec, Rule, Settings, Tls};
use super::spec::{LbSpec, Scope, StaticAddress};
use super::state::{LbState, ListenerState, Owner};
use super::targets::{Target, TargetSet};
use super::{annotations, names};
use crate::kubernetes::{ErrorKind, ProviderError, Result};

/// Listeners made by one step.
const MOST_PORTS: usize = 45;

/// A property of a balancer that can be changed in place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Attribute {
    /// The limit of outgoing traffic, in Mbit/s.
    Bandwidth(u32),
    /// Whether targets let its traffic in.
    PassToTargets(bool),
    /// Protection from deletion.
    DeletionProtection(bool),
    /// Protection from changes by others.
    ModificationProtection(bool),
}

/// A listener that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerRef {
    /// Its id.
    pub id: String,
    /// Its port and protocol.
    pub key: ListenerKey,
}

/// A target on a listener, or on one of its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The listener.
    pub listener: ListenerKey,
    /// The rule, where the protocol has rules.
    pub rule: Option<Rule>,
    /// The target.
    pub target: Target,
    /// Its weight.
    pub weight: u16,
}

/// One step. Listeners and rules are named by what they serve, so that a step can follow the one that makes them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Op {
    /// Make the balancer.
    Create,
    /// It is being made: come back.
    AwaitReady,
    /// Change properties of the balancer.
    Update(Vec<Attribute>),
    /// Set who may connect.
    SetAccess(Access),
    /// Remove listeners.
    DeleteListeners(Vec<ListenerRef>),
    /// Make listeners of one protocol that are alike but for their ports.
    CreateListeners {
        /// Which.
        keys: Vec<ListenerKey>,
        /// How they treat connections.
        settings: Settings,
    },
    /// Change a listener.
    ModifyListener {
        /// Which.
        listener: ListenerRef,
        /// How it is to treat connections.
        settings: Settings,
    },
    /// Make rules of a listener.
    CreateRules {
        /// On which listener.
        listener: ListenerKey,
        /// Which.
        rules: Vec<Rule>,
        /// How they treat requests.
        settings: Settings,
    },
    /// Change a rule.
    ModifyRule {
        /// On which listener.
        listener: ListenerKey,
        /// Which.
        rule: Rule,
        /// How it is to treat requests.
        settings: Settings,
    },
    /// Change the certificates of a host.
    SetHostTls {
        /// On which listener.
        listener: ListenerKey,
        /// The host.
        host: String,
        /// Its certificates.
        tls: Tls,
    },
    /// Remove rules of a listener.
    DeleteRules {
        /// From which listener.
        listener: ListenerKey,
        /// Which.
        rules: Vec<Rule>,
    },
    /// Add targets.
    AddTargets(Vec<Binding>),
    /// Change weights of targets.
    SetWeights(Vec<Binding>),
    /// Remove targets.
    RemoveTargets(Vec<Binding>),
}

/// The balancer that the steps of a [`Plan`] concern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The one that the first step makes.
    New,
    /// One that exists, by its id.
    Existing(String),
}

/// Steps, in their order.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// What the steps concern.
    pub subject: Subject,
    /// The steps.
    pub ops: Vec<Op>,
    /// Other balancers that the Service no longer needs, by id. They are given up (removed, or freed of what the
    /// Service put on them) only when there are no steps left and clients know the new address
    /// ([`LbSpec::is_published`]).
    pub superseded: Vec<String>,
}

/// Plans how to get a balancer from what exists for its Service.
///
/// `observed` is every balancer made for the Service, the existing one that it names, and the one it recorded.
///
/// # Errors
///
/// A permanent one when the wish can only be met by replacing the balancer and that is not allowed, or when the named
/// balancer belongs to someone else; [`ErrorKind::Conflict`] when someone else's listener is in the way.
pub fn plan(want: &LbSpec, observed: &[LbState], limits: &LbLimits) -> Result<Plan> {
    let own = |state: &&LbState| state.owner == Owner::Service(want.key.uid.clone());
    let subject = match &want.existing {
        Some(existing) => {
            let state = observed.iter().find(|state| state.id == existing.id).ok_or_else(|| {
                ProviderError::new(ErrorKind::NotFound, format!("the balancer {} does not exist", existing.id))
            })?;
            if !(own(&state) || state.owner == Owner::User) {
                let message = format!("the balancer {} was made for another Service", existing.id);
                return Err(ProviderError::new(ErrorKind::InvalidArgument, message));
            }
            let of_another = |listener: &&ListenerState| !listener.owned && names::is_listener_name(&listener.name);
            if let (false, Some(listener)) = (existing.shared, state.listeners.iter().find(of_another)) {
                let message = format!(
                    "the balancer {} has the listener {} of another Service; to share it, set the annotation {} of both \
                     to \"true\"",
                    existing.id,
                    listener.name,
                    annotations::SHARE_EXISTING,
                );
                return Err(ProviderError::new(ErrorKind::InvalidArgument, message));
            }
            Some(state)
        }
        None => {
            let mut candidates: Vec<&LbState> = observed.iter().filter(own).collect();
            // Two replicas that both find two balancers must keep the same one.
            candidates.sort_by_key(|state| (want.recorded_id.as_ref() != Some(&state.id), &state.id));
            let fitting = candidates.iter().find(|state| fixed_differences(want, state).is_empty());
            match (fitting, candidates.first()) {
                (Some(state), _) => Some(*state),
                (None, Some(state)) if !want.allow_recreate => {
                    let message = format!(
                        "{} of the balancer {} cannot be changed in place; allow its replacement with the annotation {}",
                        fixed_differences(want, state).join(", "),
                        state.id,
                        annotations::ALLOW_RECREATE,
                    );
                    return Err(ProviderError::new(ErrorKind::InvalidArgument, message));
                }
                _ => None,
            }
        }
    };
    let superseded = observed
        .iter()
        .filter(|state| subject.is_none_or(|subject| subject.id != state.id))
        .filter(|state| own(state) || state.listeners.iter().any(|listener| listener.owned))
        .map(|state| state.id.clone())
        .collect();

    let Some(state) = subject else {
        // What a new balancer is made with needs no step of its own; the rest is planned on an empty one.
        let mut blank = LbState::new("", Owner::Service(want.key.uid.clone()));
        (blank.bandwidth, blank.pass_to_targets) = (want.bandwidth, want.pass_to_targets);
        let mut ops = vec![Op::Create];
        steps(want, &blank, limits, &mut ops)?;
        return Ok(Plan { subject: Subject::New, ops, superseded });
    };
    let mut ops = Vec::new();
    if !state.ready {
        ops.push(Op::AwaitReady);
    }
    steps(want, state, limits, &mut ops)?;
    Ok(Plan { subject: Subject::Existing(state.id.clone()), ops, superseded })
}

/// What of a balancer is not as wanted and stays so.
fn fixed_differences(want: &LbSpec, state: &LbState) -> Vec<&'static str> {
    let address = match &want.address {
        Some(StaticAddress::Ip(address)) => state.addresses.is_empty() || state.addresses.contains(address),
        Some(StaticAddress::Reserved(id)) => state.reserved_address.as_ref() == Some(id),
        None => true,
    };
    let charging = match (want.charging, state.charging) {
        (Some(want), Some(observed)) => want == observed || state.scope != Scope::Public,
        _ => true,
    };
    let network = match &want.cross_network {
        Some(cross) => {
            state.reaches_other_networks
                && (cross.network.is_none() || state.network.is_none() || cross.network == state.network)
        }
        None => !state.reaches_other_networks || want.extra.contains_key("SnatPro"),
    };
    let checks = [
        (network, "the network or region"),
        (want.scope == state.scope, "the network type or subnet"),
        (want.family == state.family, "the version of IP"),
        (address, "the address"),
        (charging, "the charge type"),
    ];
    checks.into_iter().filter(|(fits, _)| !fits).map(|(_, what)| what).collect()
}

fn steps(want: &LbSpec, state: &LbState, limits: &LbLimits, ops: &mut Vec<Op>) -> Result<()> {
    for spec in &want.listeners {
        if let Some(foreign) =
            state.listeners.iter().find(|listener| !listener.owned && listener.key.slot() == spec.key.slot())
        {
            let message =
                format!("port {} of the balancer {} is taken by a listener of someone else", foreign.key, state.id);
            return Err(ProviderError::new(ErrorKind::Conflict, message));
        }
    }
    if want.existing.is_none() {
        let attributes = attributes(want, state);
        if !attributes.is_empty() {
            ops.push(Op::Update(attributes));
        }
    }
    if want.existing.as_ref().is_none_or(|existing| !existing.shared) && !want.access.fits(&state.access) {
        ops.push(Op::SetAccess(want.access.clone()));
    }
    listener_steps(want, state, ops);
    target_steps(&want.listeners, state, &want.targets, limits, ops);
    Ok(())
}

fn attributes(want: &LbSpec, state: &LbState) -> Vec<Attribute> {
    fn change<T: PartialEq + Copy>(want: Option<T>, observed: Option<T>) -> Option<T> {
        want.filter(|_| want != observed)
    }
    let bandwidth = change(want.bandwidth, state.bandwidth).filter(|_| want.scope == Scope::Public);
    let protection = |want: Option<bool>, observed: Option<bool>| change(want, Some(observed.unwrap_or(false)));
    [
        bandwidth.map(Attribute::Bandwidth),
        change(want.pass_to_targets, state.pass_to_targets).map(Attribute::PassToTargets),
        protection(want.protection.deletion, state.protection.deletion).map(Attribute::DeletionProtection),
        protection(want.protection.modification, state.protection.modification).map(Attribute::ModificationProtection),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn listener_steps(want: &LbSpec, state: &LbState, ops: &mut Vec<Op>) {
    let stays = |listener: &ListenerState| {
        want.listener(listener.key).is_some_and(|spec| spec.settings.chooses_like(&listener.settings))
    };
    let owned = |key: ListenerKey| {
        state.listeners.iter().find(|listener| listener.owned && listener.key == key && stays(listener))
    };
    let extra: Vec<ListenerRef> = state
        .listeners
        .iter()
        .filter(|listener| listener.owned && !stays(listener))
        .map(|listener| ListenerRef { id: listener.id.clone(), key: listener.key })
        .collect();
    if !extra.is_empty() {
        // First of all: a listener may have to make room for one of another protocol.
        ops.push(Op::DeleteListeners(extra));
    }

    let mut groups: Vec<(Vec<ListenerKey>, &Settings)> = Vec::new();
    for spec in want.listeners.iter().filter(|spec| owned(spec.key).is_none()) {
        let alike = groups.iter_mut().find(|(keys, settings)| {
            keys.len() < MOST_PORTS
                && keys.iter().all(|key| key.protocol == spec.key.protocol && key.port != spec.key.port)
                && **settings == spec.settings
        });
        match alike {
            Some((keys, _)) => keys.push(spec.key),
            None => groups.push((vec![spec.key], &spec.settings)),
        }
    }
    ops.extend(groups.into_iter().map(|(keys, settings)| Op::CreateListeners { keys, settings: settings.clone() }));

    for spec in &want.listeners {
        let listener = owned(spec.key);
        let fits = listener.is_none_or(|listener| {
            if spec.key.protocol.has_rules() {
                spec.settings.fits_frontend(&listener.settings, spec.key.protocol)
            } else {
                spec.settings.fits(&listener.settings, spec.key.protocol)
            }
        });
        if let (false, Some(listener)) = (fits, listener) {
            let listener = ListenerRef { id: listener.id.clone(), key: listener.key };
            ops.push(Op::ModifyListener { listener, settings: spec.settings.clone() });
        }
        if spec.key.protocol.has_rules() {
            rule_steps(spec, listener, ops);
        }
    }
}

fn rule_steps(spec: &ListenerSpec, listener: Option<&ListenerState>, ops: &mut Vec<Op>) {
    let observed = listener.map(|listener| listener.rules.as_slice()).unwrap_or_default();
    let missing: Vec<Rule> =
        spec.rules.iter().filter(|rule| observed.iter().all(|state| state.rule != **rule)).cloned().collect();
    if !missing.is_empty() {
        ops.push(Op::CreateRules { listener: spec.key, rules: missing, settings: spec.settings.clone() });
    }
    for state in observed.iter().filter(|state| spec.rules.contains(&state.rule)) {
        if !spec.settings.fits_rule(&state.settings, &state.rule.host) {
            let (rule, settings) = (state.rule.clone(), spec.settings.clone());
            ops.push(Op::ModifyRule { listener: spec.key, rule, settings });
        }
    }
    let kept = observed.iter().filter(|state| spec.rules.contains(&state.rule));
    for host in kept.map(|state| state.rule.host.as_str()).collect::<BTreeSet<_>>() {
        if let Some(tls) = spec.settings.tls_of(host)
            && listener.is_none_or(|listener| listener.settings.tls_of(host) != Some(tls))
        {
            ops.push(Op::SetHostTls { listener: spec.key, host: host.to_owned(), tls: tls.clone() });
        }
    }
    let extra: Vec<Rule> =
        observed.iter().filter(|state| !spec.rules.contains(&state.rule)).map(|state| state.rule.clone()).collect();
    if !extra.is_empty() {
        ops.push(Op::DeleteRules { listener: spec.key, rules: extra });
    }
}

/// Plans where the listeners of a balancer send traffic, and nothing else. Listeners that do not exist are passed over.
#[must_use]
pub fn plan_targets(state: &LbState, targets: &TargetSet, limits: &LbLimits) -> Vec<Op> {
    let mut ops = Vec::new();
    let listeners: Vec<ListenerSpec> = state
        .listeners
        .iter()
        .filter(|listener| listener.owned)
        .map(|listener| {
            let mut spec = ListenerSpec::new(listener.key.port, listener.key.protocol);
            spec.settings.tls_by_host.clone_from(&listener.settings.tls_by_host);
            spec.rules = listener.rules.iter().map(|state| state.rule.clone()).collect();
            spec
        })
        .collect();
    target_steps(&listeners, state, targets, limits, &mut ops);
    ops
}

fn target_steps(
    listeners: &[ListenerSpec],
    state: &LbState,
    targets: &TargetSet,
    limits: &LbLimits,
    ops: &mut Vec<Op>,
) {
    let nothing = BTreeMap::new();
    let (mut room, mut add, mut weights, mut remove) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for spec in listeners {
        let Some(want) = targets.of(spec.key) else { continue };
        let listener = state.listeners.iter().find(|listener| {
            listener.owned && listener.key == spec.key && spec.settings.chooses_like(&listener.settings)
        });
        let places: Vec<Option<&Rule>> =
            if spec.key.protocol.has_rules() { spec.rules.iter().map(Some).collect() } else { vec![None] };
        for place in places {
            let observed = listener
                .and_then(|listener| match place {
                    Some(rule) => listener.rule(rule).map(|state| &state.targets),
                    None => Some(&listener.targets),
                })
                .unwrap_or(&nothing);
            let binding = |(target, weight): (&Target, &u16)| Binding {
                listener: spec.key,
                rule: place.cloned(),
                target: target.clone(),
                weight: *weight,
            };
            let new: Vec<Binding> =
                want.iter().filter(|(target, _)| !observed.contains_key(*target)).map(binding).collect();
            let mut old: Vec<Binding> =
                observed.iter().filter(|(target, _)| !want.contains_key(*target)).map(binding).collect();
            weights.extend(
                want.iter()
                    .filter(|(target, weight)| observed.get(*target).is_some_and(|observed| observed != *weight))
                    .map(binding),
            );
            // New targets come before old ones go, as far as there is room for both.
            let over = (observed.len() + new.len()).saturating_sub(limits.targets_per_listener).min(old.len());
            remove.extend(old.split_off(over));
            room.extend(old);
            add.extend(new);
        }
    }
    let step = |bindings: Vec<Binding>, op: fn(Vec<Binding>) -> Op| (!bindings.is_empty()).then(|| op(bindings));
    ops.extend(
        [
            step(room, Op::RemoveTargets),
            step(add, Op::AddTargets),
            step(weights, Op::SetWeights),
            step(remove, Op::RemoveTargets),
        ]
        .into_iter()
        .flatten(),
    );
}

//! What steps do to a balancer, when nothing goes wrong.

use super::listener::{ListenerKey, Rule};
use super::plan::{Attribute, Binding, Op};
use super::spec::{LbSpec, StaticAddress};
use super::state::{LbState, ListenerState, RuleState};

/// The balancer that [`Op::Create`] makes, not ready yet.
pub(super) fn created(state: &mut LbState, want: &LbSpec) {
    state.name.clone_from(&want.name);
    state.scope.clone_from(&want.scope);
    state.family = want.family;
    state.charging = want.charging;
    state.bandwidth = want.bandwidth;
    state.pass_to_targets = want.pass_to_targets;
    state.retain = want.retain;
    state.ready = false;
    state.reaches_other_networks = want.cross_network.is_some();
    state.network = want.cross_network.as_ref().and_then(|cross| cross.network.clone());
    match &want.address {
        Some(StaticAddress::Ip(address)) => state.addresses = vec![*address],
        Some(StaticAddress::Reserved(id)) => state.reserved_address = Some(id.clone()),
        None => {}
    }
}

/// Applies any other step.
pub(crate) fn apply(state: &mut LbState, op: &Op, mut new_id: impl FnMut(&str) -> String) {
    match op {
        Op::Create => {}
        Op::AwaitReady => state.ready = true,
        Op::Update(attributes) => {
            for attribute in attributes {
                match attribute {
                    Attribute::Bandwidth(limit) => state.bandwidth = Some(*limit),
                    Attribute::PassToTargets(pass) => state.pass_to_targets = Some(*pass),
                    Attribute::DeletionProtection(on) => state.protection.deletion = Some(*on),
                    Attribute::ModificationProtection(on) => state.protection.modification = Some(*on),
                }
            }
        }
        Op::SetAccess(access) => {
            state.access.source_ranges.clone_from(&access.source_ranges);
            if !access.groups.is_empty() {
                state.access.groups.clone_from(&access.groups);
            }
        }
        Op::DeleteListeners(listeners) => {
            state.listeners.retain(|listener| listeners.iter().all(|gone| gone.id != listener.id));
        }
        Op::CreateListeners { keys, settings } => {
            for &key in keys {
                let mut listener = ListenerState::new(new_id("lbl"), key, true);
                listener.settings = settings.clone();
                state.listeners.push(listener);
            }
        }
        Op::ModifyListener { listener, settings } => {
            if let Some(found) = state.listeners.iter_mut().find(|found| found.id == listener.id) {
                found.settings = settings.clone();
            }
        }
        Op::CreateRules { listener, rules, settings } => {
            if let Some(found) = owned(state, *listener) {
                let made = rules.iter().map(|rule| RuleState::new(new_id("loc"), rule.clone(), settings.clone()));
                found.rules.extend(made);
            }
        }
        Op::ModifyRule { listener, rule, settings } => {
            if let Some(found) = rule_of(state, *listener, rule) {
                found.settings = settings.clone();
            }
        }
        Op::SetHostTls { listener, host, tls } => {
            if let Some(found) = owned(state, *listener) {
                found.settings.tls_by_host.get_or_insert_default().insert(host.clone(), tls.clone());
            }
        }
        Op::DeleteRules { listener, rules } => {
            if let Some(found) = owned(state, *listener) {
                found.rules.retain(|state| !rules.contains(&state.rule));
            }
        }
        Op::AddTargets(bindings) | Op::SetWeights(bindings) => {
            for binding in bindings {
                if let Some(targets) = targets_of(state, binding) {
                    targets.insert(binding.target.clone(), binding.weight);
                }
            }
        }
        Op::RemoveTargets(bindings) => {
            for binding in bindings {
                if let Some(targets) = targets_of(state, binding) {
                    targets.remove(&binding.target);
                }
            }
        }
    }
}

fn owned(state: &mut LbState, key: ListenerKey) -> Option<&mut ListenerState> {
    state.listeners.iter_mut().find(|listener| listener.owned && listener.key == key)
}

fn rule_of<'s>(state: &'s mut LbState, key: ListenerKey, rule: &Rule) -> Option<&'s mut RuleState> {
    owned(state, key)?.rules.iter_mut().find(|state| &state.rule == rule)
}

fn targets_of<'s>(
    state: &'s mut LbState,
    binding: &Binding,
) -> Option<&'s mut std::collections::BTreeMap<super::targets::Target, u16>> {
    match &binding.rule {
        Some(rule) => rule_of(state, binding.listener, rule).map(|state| &mut state.targets),
        None => owned(state, binding.listener).map(|listener| &mut listener.targets),
    }
}

//! Adding and removing targets, some of which CLB may refuse.
//!
//! With one target CLB refuses all others of the same listener in the call. Those that are to be added are halved until
//! the bad ones are alone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use qcloud_clb::model as clb;

use super::execute::batch;
use super::{Regional, wire};
use crate::kubernetes::load_balancers::{Binding, LbState, ListenerKey, Op, Rule, Target, model};
use crate::kubernetes::{ErrorKind, ProviderError, Result};

/// The calls of one step, at most. What is not found out then is left to the next pass, which has less to look through.
const MOST_CALLS: usize = 40;
/// The refused targets that an error names, at most.
const MOST_NAMED: usize = 5;

/// A target that CLB did not take, and why.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) binding: Binding,
    pub(super) reason: String,
}

/// Targets that were refused together.
struct Refused {
    bindings: Vec<Binding>,
    reason: String,
}

impl Refused {
    /// Whether it can only be this one target.
    fn is_one_target(&self) -> bool {
        let first = self.bindings.first().map(|binding| &binding.target);
        self.bindings.iter().all(|binding| Some(&binding.target) == first)
    }

    fn each(self) -> impl Iterator<Item = Refusal> {
        self.bindings.into_iter().map(move |binding| Refusal { binding, reason: self.reason.clone() })
    }
}

impl Regional {
    /// Adds targets, and notes on `state` those that got in. Gives the others.
    pub(super) async fn add_targets(&self, state: &mut LbState, bindings: &[Binding]) -> Result<Vec<Refusal>> {
        // Those that were refused before are tried by themselves: they must not make a search necessary each time.
        let (suspects, others): (Vec<Binding>, Vec<Binding>) =
            bindings.iter().cloned().partition(|binding| self.cache.is_suspect(&binding.target.host));
        let mut refusals = Vec::new();
        let mut calls = 0;
        for bindings in [others, suspects] {
            let mut waiting = VecDeque::from([Refused { bindings, reason: "refused before".to_owned() }]);
            while let Some(group) = waiting.pop_front().filter(|group| !group.bindings.is_empty()) {
                if calls == MOST_CALLS {
                    refusals.extend(group.each());
                    continue;
                }
                calls += 1;
                let (mut doubtful, mut reason) = (Vec::new(), String::new());
                for refused in self.register(state, group.bindings).await? {
                    if refused.is_one_target() {
                        refused.bindings.iter().for_each(|binding| self.cache.suspect(&binding.target.host, true));
                        refusals.extend(refused.each());
                    } else {
                        doubtful.extend(refused.bindings);
                        reason = refused.reason;
                    }
                }
                waiting.extend(halves(doubtful).map(|bindings| Refused { bindings, reason: reason.clone() }));
            }
        }
        Ok(refusals)
    }

    /// Removes targets, and notes on `state` those that went. Gives the others.
    pub(super) async fn remove_targets(&self, state: &mut LbState, bindings: &[Binding]) -> Result<Vec<Refusal>> {
        let request = clb::BatchDeregisterTargets::new(state.id.as_str(), batch(state, bindings, false)?);
        let answer = self.clb.batch_deregister_targets(request).await?;
        let (refused, gone) = by_outcome(state, bindings.to_vec(), &answer.fail_listener_id_set);
        model::apply(state, &Op::RemoveTargets(gone), |_| String::new());
        let reason = answer.message.unwrap_or_default();
        Ok(Refused { bindings: refused.into_values().flatten().collect(), reason }.each().collect())
    }

    /// One call. Gives what was refused together: each listener by itself, or all of the call.
    async fn register(&self, state: &mut LbState, bindings: Vec<Binding>) -> Result<Vec<Refused>> {
        let request = clb::BatchRegisterTargets::new(state.id.as_str(), batch(state, &bindings, true)?);
        let answer = match self.clb.batch_register_targets(request).await {
            Ok(answer) => answer,
            Err(error) => {
                let error = ProviderError::from(error);
                if blames_a_target(&error, &bindings) {
                    return Ok(vec![Refused { bindings, reason: error.to_string() }]);
                }
                return Err(error);
            }
        };
        let (refused, taken) = by_outcome(state, bindings, &answer.fail_listener_id_set);
        for binding in &taken {
            self.cache.suspect(&binding.target.host, false);
        }
        model::apply(state, &Op::AddTargets(taken), |_| String::new());
        let reason = answer.message.unwrap_or_default();
        Ok(refused.into_values().map(|bindings| Refused { bindings, reason: reason.clone() }).collect())
    }
}

/// Parts a batch into what was refused, by listener, and what was done. CLB names the listeners that it left alone.
fn by_outcome(
    state: &LbState,
    bindings: Vec<Binding>,
    failed: &[String],
) -> (BTreeMap<ListenerKey, Vec<Binding>>, Vec<Binding>) {
    let failed = state.listeners.iter().filter(|listener| failed.contains(&listener.id));
    let mut refused: BTreeMap<ListenerKey, Vec<Binding>> = failed.map(|listener| (listener.key, Vec::new())).collect();
    let mut done = Vec::new();
    for binding in bindings {
        match refused.get_mut(&binding.listener) {
            Some(refused) => refused.push(binding),
            None => done.push(binding),
        }
    }
    refused.retain(|_, bindings| !bindings.is_empty());
    (refused, done)
}

/// Cuts between two targets, so that a target stays together with itself on other listeners and rules.
fn halves(bindings: Vec<Binding>) -> impl Iterator<Item = Vec<Binding>> {
    let targets: BTreeSet<Target> = bindings.iter().map(|binding| binding.target.clone()).collect();
    let middle = targets.iter().nth(targets.len() / 2).cloned();
    let is_low = |binding: &Binding| middle.as_ref().is_some_and(|middle| binding.target < *middle);
    let (low, high): (Vec<Binding>, Vec<Binding>) = bindings.into_iter().partition(is_low);
    [low, high].into_iter().filter(|half| !half.is_empty())
}

/// Whether a refusal of the whole call is about one of its targets.
fn blames_a_target(error: &ProviderError, bindings: &[Binding]) -> bool {
    use ErrorKind as K;
    let is_refusal =
        matches!(error.kind(), K::NotFound | K::InvalidArgument | K::Unsupported | K::Conflict | K::Internal);
    let names = |binding: &Binding| error.message().contains(&wire::host_name(&binding.target.host));
    is_refusal && error.code().is_some() && bindings.iter().any(names)
}

/// What is left of a later step after targets were refused. Where none of those that are wanted can be used, the old ones
/// stay as they are: a listener without targets serves nobody.
pub(super) fn spare(op: Op, state: &LbState, refusals: &[Refusal]) -> Option<Op> {
    let remake: fn(Vec<Binding>) -> Op = match op {
        Op::RemoveTargets(_) => Op::RemoveTargets,
        Op::SetWeights(_) => Op::SetWeights,
        other => return Some(other),
    };
    let mut after = state.clone();
    model::apply(&mut after, &op, |_| String::new());
    let refused_at = |(listener, rule): (ListenerKey, Option<&Rule>)| {
        refusals.iter().any(|refusal| (refusal.binding.listener, refusal.binding.rule.as_ref()) == (listener, rule))
    };
    let serves = |(key, rule): (ListenerKey, Option<&Rule>)| {
        let listener = after.listeners.iter().find(|listener| listener.owned && listener.key == key);
        let targets = listener.and_then(|listener| match rule {
            Some(rule) => listener.rule(rule).map(|rule| &rule.targets),
            None => Some(&listener.targets),
        });
        targets.is_some_and(|targets| targets.values().any(|weight| *weight > 0))
    };
    let (Op::RemoveTargets(bindings) | Op::SetWeights(bindings)) = op else { return None };
    let kept: Vec<Binding> = bindings
        .into_iter()
        .filter(|binding| {
            let place = (binding.listener, binding.rule.as_ref());
            !refused_at(place) || serves(place)
        })
        .collect();
    (!kept.is_empty()).then(|| remake(kept))
}

/// The refused targets in words.
pub(super) fn describe(refusals: &[Refusal]) -> String {
    let named = refusals.iter().take(MOST_NAMED);
    let named =
        named.map(|Refusal { binding, reason }| format!("{} of {} ({reason})", binding.target, binding.listener));
    let mut text = named.collect::<Vec<_>>().join("; ");
    if let more @ 1.. = refusals.len().saturating_sub(MOST_NAMED) {
        text.push_str(&format!("; and {more} more"));
    }
    text
}

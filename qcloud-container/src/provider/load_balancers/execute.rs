//! One step, one call.

use std::collections::BTreeMap;

use qcloud_clb::model as clb;
use qcloud_core::Raw;

use super::create::Body;
use super::targets::Refusal;
use super::{Regional, ownership, wire};
use crate::kubernetes::load_balancers::{
    Attribute, Binding, LbState, ListenerKey, Op, Rule, ServiceKey, Settings, model,
};
use crate::kubernetes::{ErrorKind, ProviderError, Result};

/// The most listeners of DeleteLoadBalancerListeners.
pub(super) const MOST_DELETED: usize = 20;
/// The most targets of the Batch actions.
const MOST_TARGETS: usize = 500;
/// The most targets of one entry of BatchModifyTargetWeight, and the most entries.
const MOST_WEIGHTS: usize = 50;

/// What came of a step.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// The id of the task that goes on for a while, during which CLB refuses others.
    pub(super) task: Option<String>,
    /// Targets that were not added or removed.
    pub(super) refused: Vec<Refusal>,
}

/// Cuts a step into steps of one call each.
pub(super) fn in_calls(op: Op) -> Vec<Op> {
    fn cut<T: Clone>(items: &[T], most: usize, op: fn(Vec<T>) -> Op) -> Vec<Op> {
        items.chunks(most).map(|items| op(items.to_vec())).collect()
    }
    match op {
        Op::DeleteListeners(listeners) => cut(&listeners, MOST_DELETED, Op::DeleteListeners),
        Op::AddTargets(bindings) => cut(&bindings, MOST_TARGETS, Op::AddTargets),
        Op::RemoveTargets(bindings) => cut(&bindings, MOST_TARGETS, Op::RemoveTargets),
        Op::SetWeights(bindings) => cut(&bindings, MOST_TARGETS, Op::SetWeights),
        other => vec![other],
    }
}

impl Regional {
    /// Takes a step, and notes on `state` what it changes.
    pub(super) async fn execute(&self, state: &mut LbState, service: &ServiceKey, op: &Op) -> Result<Done> {
        let id = state.id.clone();
        let mut new_ids = Vec::new();
        let task = match op {
            // Not steps to be taken on a balancer: it is waited for.
            Op::Create | Op::AwaitReady => return Ok(Done::default()),
            Op::Update(attributes) => {
                let request =
                    attributes.iter().fold(clb::ModifyLoadBalancerAttributes::new(id), |request, attribute| {
                        match attribute {
                            Attribute::Bandwidth(limit) => request.internet_charge_info(clb::InternetAccessible {
                                internet_max_bandwidth_out: Some(i64::from(*limit)),
                                ..clb::InternetAccessible::default()
                            }),
                            Attribute::PassToTargets(pass) => request.load_balancer_pass_to_target(*pass),
                            Attribute::DeletionProtection(on) => request.delete_protect(*on),
                            // Not among the features: refused before any step.
                            Attribute::ModificationProtection(_) => request,
                        }
                    });
                self.clb.modify_load_balancer_attributes(request).await?.request_id
            }
            Op::SetAccess(access) => self.set_access(state, access, service).await?,
            Op::DeleteListeners(listeners) => {
                let ids: Vec<String> = listeners.iter().map(|listener| listener.id.clone()).collect();
                self.delete_listeners(&id, ids).await?
            }
            Op::CreateListeners { keys, settings } => {
                let (ids, task) = self.create_listeners(&id, service, keys, settings).await?;
                new_ids = ids;
                task
            }
            Op::ModifyListener { listener, settings } => {
                let mut request = modify_listener(&id, &listener.id, listener.key, settings);
                let name = ownership::listener_name(&self.cluster, service, listener.key, settings);
                request.listener_name = Some(name);
                if let (true, Some(check)) = (listener.key.protocol.is_plain(), &mut request.health_check) {
                    // The traffic's own port again.
                    check.check_port.get_or_insert(-1);
                }
                let observed = state.listeners.iter().find(|observed| observed.id == listener.id);
                if observed.is_none_or(|observed| observed.settings.reset_on_removal == Some(true)) {
                    request.deregister_target_rst = settings.reset_on_removal;
                }
                self.clb.modify_listener(request).await?.request_id
            }
            Op::CreateRules { listener, rules, settings } => {
                let own_host = wire::own_host(state);
                let inputs = rules.iter().map(|rule| wire::rule(rule, settings, &own_host));
                let request = clb::CreateRule::new(id, listener_id(state, *listener)?, inputs);
                let answer = self.clb.create_rule(request).await?;
                new_ids = answer.location_ids;
                answer.request_id
            }
            Op::ModifyRule { listener, rule, settings } => {
                let location = rule_id(state, *listener, rule)?;
                let mut request = clb::ModifyRule::new(id, listener_id(state, *listener)?, location);
                request.health_check = Some(wire::rule_health(&settings.health, &rule.host));
                request.scheduler = settings.scheduler.map(wire::scheduler);
                request.session_expire_time = Some(i64::from(settings.session_seconds));
                self.clb.modify_rule(request).await?.request_id
            }
            Op::SetHostTls { listener, host, tls } => {
                let domain = if host.is_empty() { wire::own_host(state) } else { host.clone() };
                let mut request = clb::ModifyDomainAttributes::new(id, listener_id(state, *listener)?, domain);
                (request.certificate, request.multi_cert_info) = wire::certificate(tls);
                self.clb.modify_domain_attributes(request).await?.request_id
            }
            Op::DeleteRules { listener, rules } => {
                let locations = rules.iter().map(|rule| rule_id(state, *listener, rule)).collect::<Result<Vec<_>>>()?;
                let request = clb::DeleteRule::new(id, listener_id(state, *listener)?).location_ids(locations);
                self.clb.delete_rule(request).await?.request_id
            }
            Op::SetWeights(bindings) => {
                let request = clb::BatchModifyTargetWeight::new(id, weights(state, bindings)?);
                self.clb.batch_modify_target_weight(request).await?.request_id
            }
            Op::AddTargets(bindings) => {
                let refused = self.add_targets(state, bindings).await?;
                return Ok(Done { task: None, refused });
            }
            Op::RemoveTargets(bindings) => {
                let refused = self.remove_targets(state, bindings).await?;
                return Ok(Done { task: None, refused });
            }
        };
        let mut new_ids = new_ids.into_iter();
        model::apply(state, op, |_| new_ids.next().unwrap_or_default());
        Ok(Done { task: Some(task), refused: Vec::new() })
    }

    /// Removes listeners, at least one. Gives the id of the task.
    pub(super) async fn delete_listeners(&self, balancer: &str, ids: Vec<String>) -> Result<String> {
        if ids.is_empty() {
            // To CLB, no ids are all listeners.
            return Err(ProviderError::new(ErrorKind::Internal, "no listener is named that is to be removed"));
        }
        let request = clb::DeleteLoadBalancerListeners::new(balancer).listener_ids(ids);
        Ok(self.clb.delete_load_balancer_listeners(request).await?.request_id)
    }

    /// Gives the ids of the listeners and of the task.
    async fn create_listeners(
        &self,
        balancer: &str,
        service: &ServiceKey,
        keys: &[ListenerKey],
        settings: &Settings,
    ) -> Result<(Vec<String>, String)> {
        let Some(protocol) = keys.first().map(|key| key.protocol) else {
            return Err(ProviderError::new(ErrorKind::Internal, "no listener is named that is to be made"));
        };
        let ports = keys.iter().map(|key| i64::from(key.port));
        let mut request = clb::CreateListener::new(balancer, ports, wire::protocol(protocol));
        let name = |&key: &ListenerKey| ownership::listener_name(&self.cluster, service, key, settings);
        request.listener_names = Some(keys.iter().map(name).collect());
        let modified =
            modify_listener(balancer, "", keys.first().copied().unwrap_or(ListenerKey::new(0, protocol)), settings);
        request.health_check = modified.health_check;
        request.session_expire_time = modified.session_expire_time;
        request.scheduler = modified.scheduler;
        request.certificate = modified.certificate;
        request.multi_cert_info = modified.multi_cert_info;
        request.idle_connect_timeout = modified.idle_connect_timeout;
        request.deregister_target_rst = modified.deregister_target_rst;
        request.proxy_protocol = modified.proxy_protocol;
        if protocol == crate::kubernetes::load_balancers::Protocol::Https {
            request.sni_switch = Some(i64::from(settings.tls_by_host.is_some()));
        }
        let mut body = Body::of(&request)?;
        for (name, value) in &settings.extra {
            body.insert(name, value.clone());
        }
        let answer = self.clb.call(Raw::new("CreateListener", body.0.into())).await;
        let answer = answer?;
        let ids = answer.get("ListenerIds").and_then(serde_json::Value::as_array);
        let ids: Vec<String> = ids.into_iter().flatten().filter_map(|id| id.as_str()).map(str::to_owned).collect();
        if ids.len() == keys.len() {
            let task = answer.get("RequestId").and_then(serde_json::Value::as_str).unwrap_or_default();
            return Ok((ids, task.to_owned()));
        }
        Err(ProviderError::new(ErrorKind::Ambiguous, "the answer does not name each listener that was to be made"))
    }
}

fn modify_listener(balancer: &str, id: &str, key: ListenerKey, settings: &Settings) -> clb::ModifyListener {
    let mut request = clb::ModifyListener::new(balancer, id);
    if let Some(tls) = settings.tls.as_ref().filter(|_| key.protocol.needs_tls()) {
        (request.certificate, request.multi_cert_info) = wire::certificate(tls);
    }
    if !key.protocol.has_rules() {
        request.health_check = Some(wire::health(&settings.health, key.protocol));
        request.scheduler = settings.scheduler.map(wire::scheduler);
    }
    if key.protocol.is_plain() {
        request.idle_connect_timeout = settings.idle_seconds.map(i64::from);
        request.session_expire_time = Some(i64::from(settings.session_seconds));
        // Not every account may name it, so it is named only to change it.
        request.deregister_target_rst = settings.reset_on_removal.filter(|on| *on);
    }
    if key.protocol.can_proxy() {
        request.proxy_protocol = Some(settings.proxy_protocol);
    }
    request
}

fn missing(key: ListenerKey) -> ProviderError {
    ProviderError::new(ErrorKind::Conflict, format!("the listener or rule {key} has gone"))
}

fn listener_id(state: &LbState, key: ListenerKey) -> Result<&str> {
    let listener = state.listeners.iter().find(|listener| listener.owned && listener.key == key);
    listener.map(|listener| listener.id.as_str()).ok_or_else(|| missing(key))
}

fn rule_id(state: &LbState, key: ListenerKey, rule: &Rule) -> Result<String> {
    let listener = state.listeners.iter().find(|listener| listener.owned && listener.key == key);
    listener.and_then(|listener| listener.rule(rule)).map(|rule| rule.id.clone()).ok_or_else(|| missing(key))
}

pub(super) fn batch(state: &LbState, bindings: &[Binding], with_weight: bool) -> Result<Vec<clb::BatchTarget>> {
    bindings
        .iter()
        .map(|binding| {
            let rule = binding.rule.as_ref().map(|rule| rule_id(state, binding.listener, rule)).transpose()?;
            let weight = with_weight.then_some(binding.weight);
            Ok(wire::batch_target(listener_id(state, binding.listener)?, rule.as_deref(), &binding.target, weight))
        })
        .collect()
}

fn weights(state: &LbState, bindings: &[Binding]) -> Result<Vec<clb::RsWeightRule>> {
    let mut places: BTreeMap<(ListenerKey, Option<&Rule>), Vec<clb::Target>> = BTreeMap::new();
    for binding in bindings {
        let place = places.entry((binding.listener, binding.rule.as_ref())).or_default();
        place.push(wire::target(&binding.target, binding.weight));
    }
    let mut rules = Vec::new();
    for ((key, rule), targets) in places {
        let location_id = rule.map(|rule| rule_id(state, key, rule)).transpose()?;
        for targets in targets.chunks(MOST_WEIGHTS) {
            rules.push(clb::RsWeightRule {
                listener_id: listener_id(state, key)?.to_owned(),
                location_id: location_id.clone(),
                targets: targets.to_vec(),
                ..clb::RsWeightRule::default()
            });
        }
    }
    Ok(rules)
}

//! Where traffic goes: from an address, a port and a protocol to the targets behind them.

use std::net::Ipv4Addr;

use super::health::{Checked, Seen};
use super::listeners::{Listener, carrier};
use super::load_balancers::LoadBalancer;
use super::rules::Rule;
use crate::vpc;
use crate::world::Local;

/// A request of layer 7: the host and the path it asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) host: &'a str,
    pub(super) path: &'a str,
}

/// The targets that a connection reaches: those in good health with a weight above 0. When none of them is, the load
/// balancer takes its checks to be at fault and uses all with a weight.
pub(super) fn reached<'a>(
    here: &'a Local<'_>,
    address: &str,
    port: u16,
    protocol: &str,
    asked: Option<Asked<'_>>,
    client: Option<Ipv4Addr>,
) -> Vec<Seen<'a>> {
    let balancers =
        here.region.clb.balancers.values().filter(|balancer| balancer.ready && balancer.answers_at(address));
    let mut listeners =
        balancers.flat_map(|balancer| balancer.listeners.iter().map(move |listener| (balancer, listener)));
    let found = listeners.find(|(_, listener)| {
        listener.port == port && (listener.protocol == protocol || carrier(&listener.protocol) == protocol)
    });
    let admitted = |(balancer, listener): &(&LoadBalancer, &Listener)| {
        let (groups, transport) = (&balancer.security_groups, carrier(&listener.protocol));
        client.is_none_or(|client| groups.is_empty() || vpc::admits(here.region, groups, client, port, transport))
    };
    let Some(checked) = found.filter(admitted).and_then(|(balancer, listener)| forwarding(balancer, listener, asked))
    else {
        return Vec::new();
    };
    if checked.is_stopped() {
        return Vec::new();
    }
    let idle = |id: &str| checked.groups.iter().any(|group| group.id == id && group.weight == 0);
    let weighted = |seen: &Seen<'_>| seen.target.weight > 0 && !seen.group.is_some_and(idle);
    let all: Vec<Seen<'a>> = checked.seen(here).filter(weighted).collect();
    let any_healthy = all.iter().any(|seen| seen.healthy);
    all.into_iter().filter(|seen| seen.healthy || !any_healthy).collect()
}

/// What a listener forwards a connection or request to.
fn forwarding<'a>(balancer: &'a LoadBalancer, listener: &'a Listener, asked: Option<Asked<'_>>) -> Option<Checked<'a>> {
    let own = Checked {
        balancer,
        listener,
        check: listener.health_check.as_ref(),
        targets: &listener.targets,
        groups: &listener.groups,
    };
    if !listener.is_layer_7() {
        return Some(own);
    }
    let rule = rule_for(listener, asked?)?;
    Some(Checked { check: Some(&rule.health_check), targets: &rule.targets, groups: &rule.groups, ..own })
}

/// The rule for a request: of its host, else of a pattern that fits, else of the default domain; with the longest path.
fn rule_for<'a>(listener: &'a Listener, asked: Asked<'_>) -> Option<&'a Rule> {
    let host = asked.host.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let exact = |rule: &Rule| rule.domains.iter().any(|domain| domain.eq_ignore_ascii_case(&host));
    let pattern = |rule: &Rule| rule.domains.iter().any(|domain| fits_pattern(&host, &domain.to_ascii_lowercase()));
    let default = |rule: &Rule| rule.is_default;
    let tests: [&dyn Fn(&Rule) -> bool; 3] = [&exact, &pattern, &default];
    let test = tests.into_iter().find(|test| listener.rules.iter().any(test))?;
    let fitting = listener.rules.iter().filter(|rule| test(rule) && asked.path.starts_with(rule.url.as_str()));
    fitting.max_by_key(|rule| rule.url.len())
}

/// Patterns have a star at either end.
fn fits_pattern(host: &str, pattern: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => host.ends_with(end),
        (None, Some(start)) => host.starts_with(start),
        (None, None) => false,
    }
}

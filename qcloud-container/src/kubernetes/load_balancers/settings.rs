//! What the settings of listeners are when nothing is said, and which of them no balancer takes.

use std::ops::RangeInclusive;

use super::health::{HealthCheck, HealthKind};
use super::listener::{ListenerSpec, Protocol, Scheduler, Settings};
use super::service::Family;
use super::spec::LbSpec;

/// The `Host` of HTTP checks on listeners that have no hosts themselves. The balancer insists on one.
const CHECK_HOST: &str = "healthz";

impl Settings {
    /// Says what is left open, as the cloud documents its defaults. Who says nothing of a setting any more gets its
    /// default back, and what the cloud shows compares with it.
    pub(crate) fn complete(&mut self, protocol: Protocol) {
        self.health.complete(protocol);
        self.scheduler.get_or_insert(Scheduler::WeightedRoundRobin);
        if protocol.is_plain() {
            self.idle_seconds.get_or_insert(if protocol == Protocol::Tcp { 900 } else { 300 });
            self.reset_on_removal.get_or_insert(false);
        } else {
            (self.idle_seconds, self.reset_on_removal) = (None, None);
        }
    }
}

impl HealthCheck {
    /// Says what is left open, but for the source, which has no documented default.
    pub(crate) fn complete(&mut self, protocol: Protocol) {
        let kind = *self.kind.get_or_insert(match protocol {
            Protocol::Udp => HealthKind::Ping,
            Protocol::Http | Protocol::Https => HealthKind::Http,
            _ => HealthKind::Tcp,
        });
        if kind == HealthKind::Http {
            self.path.get_or_insert_with(|| "/".to_owned());
            self.good_statuses.get_or_insert(31);
            if !protocol.has_rules() {
                self.domain.get_or_insert_with(|| CHECK_HOST.to_owned());
            }
        }
        self.interval.get_or_insert(5);
        self.timeout.get_or_insert(2);
        self.healthy.get_or_insert(3);
        self.unhealthy.get_or_insert(3);
    }
}

/// Refuses complete settings of a listener that the balancer would refuse.
pub(super) fn check(listener: &ListenerSpec, spec: &LbSpec) -> Result<(), String> {
    let (protocol, settings) = (listener.key.protocol, &listener.settings);
    if settings.health.enabled {
        check_health(&settings.health, protocol, spec.family)?;
    }
    if settings.session_seconds != 0 {
        within("clients are kept for 0 or", Some(settings.session_seconds), 30..=3600, "seconds")?;
    }
    if settings.scheduler == Some(Scheduler::IpHash) && !protocol.has_rules() {
        return Err("only HTTP and HTTPS have the scheduler IP_HASH".to_owned());
    }
    let has_capacity = spec.existing.is_some() || spec.extra.contains_key("SlaType");
    let most = if has_capacity { 1980 } else { 900 };
    within("idle connections are kept for", settings.idle_seconds, 10..=most, "seconds; above 900 it needs a SlaType")
}

fn check_health(check: &HealthCheck, protocol: Protocol, family: Family) -> Result<(), String> {
    let fits = match (check.kind, protocol) {
        (Some(HealthKind::Ping), _) => protocol == Protocol::Udp,
        (_, Protocol::Udp) => false,
        (Some(HealthKind::Http), Protocol::Tcp) => family == Family::V4,
        _ => true,
    };
    if !fits {
        let kinds = match (protocol, family) {
            (Protocol::Udp, _) => "PING",
            (Protocol::Tcp, Family::V6) => "TCP when the balancer has IPv6",
            _ => "TCP or HTTP",
        };
        return Err(format!("its health check is {kinds}"));
    }
    if check.port.is_some() && !protocol.is_plain() {
        return Err("only TCP and UDP have a health check on another port".to_owned());
    }
    let least = if family == Family::V6 { 5 } else { 2 };
    within("the interval of its health check is", check.interval, least..=300, "seconds")?;
    within("the timeout of its health check is", check.timeout, 2..=60, "seconds")?;
    within("the healthy count of its health check is", check.healthy, 2..=10, "checks")?;
    within("the unhealthy count of its health check is", check.unhealthy, 2..=10, "checks")?;
    within("the good statuses of its health check are", check.good_statuses.map(u32::from), 1..=31, "as bits")?;
    if let (Some(timeout), Some(interval)) = (check.timeout, check.interval)
        && timeout >= interval
    {
        return Err(format!("the timeout of its health check, {timeout} s, is not below the interval, {interval} s"));
    }
    Ok(())
}

fn within(what: &str, value: Option<u32>, range: RangeInclusive<u32>, unit: &str) -> Result<(), String> {
    match value {
        Some(value) if !range.contains(&value) => {
            Err(format!("{what} {} to {} {unit}, not {value}", range.start(), range.end()))
        }
        _ => Ok(()),
    }
}

//! The TkeServiceConfig object, and the JSON that sets the same things in other words.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::annotations::{HEALTH_CHECK, LISTENER_PARAMETERS, SERVICE_CONFIG};
use super::health::{HealthCheck, HealthKind, HealthSource};
use super::listener::{ListenerSpec, Protocol, Scheduler, Settings};
use super::values::{Values, invalid};
use crate::kubernetes::Result;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    #[serde(default)]
    load_balancer: Balancer,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Balancer {
    // Other parts of the object are for Ingresses.
    #[serde(default)]
    l4_listeners: Vec<Listener>,
    internet_max_bandwidth_out: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Listener {
    protocol: String,
    port: u16,
    session: Option<Session>,
    health_check: Option<Check>,
    scheduler: Option<String>,
    deregister_target_rst: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Session {
    enable: bool,
    session_expire_time: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Check {
    enable: Option<bool>,
    interval_time: Option<u32>,
    health_num: Option<u32>,
    un_health_num: Option<u32>,
    #[serde(alias = "timeOut")]
    timeout: Option<u32>,
    check_type: Option<String>,
    check_port: Option<u16>,
    http_code: Option<u8>,
    http_check_path: Option<String>,
    http_check_domain: Option<String>,
    source_ip_type: Option<u8>,
}

/// Applies a TkeServiceConfig to listeners; gives the bandwidth when it sets one.
pub(super) fn apply_config(object: &Value, listeners: &mut [ListenerSpec]) -> Result<Option<u32>> {
    let wrong = |why: String| invalid(SERVICE_CONFIG, "the object", why);
    let spec = object.get("spec").cloned().unwrap_or_default();
    let config: Config = serde_json::from_value(spec).map_err(|error| wrong(error.to_string()))?;
    for part in config.load_balancer.l4_listeners {
        let protocol = Protocol::from_name(&part.protocol)
            .ok_or_else(|| wrong(format!("unknown protocol {:?}", part.protocol)))?;
        // It may describe ports that the Service has no longer.
        let matching =
            listeners.iter_mut().filter(|listener| listener.key.port == part.port && listener.key.protocol == protocol);
        for listener in matching {
            let settings = &mut listener.settings;
            if let Some(session) = &part.session {
                settings.session_seconds = if session.enable { session.session_expire_time.unwrap_or(30) } else { 0 };
                in_range(settings.session_seconds == 0 || (30..=3600).contains(&settings.session_seconds), "session")
                    .map_err(wrong)?;
            }
            if let Some(scheduler) = &part.scheduler {
                settings.scheduler = Some(scheduler_of(scheduler).map_err(wrong)?);
            }
            if part.deregister_target_rst.is_some() {
                settings.reset_on_removal = part.deregister_target_rst;
            }
            if let Some(check) = &part.health_check {
                settings.health.override_with(&check.read().map_err(wrong)?);
            }
        }
    }
    match config.load_balancer.internet_max_bandwidth_out {
        Some(limit) if !(1..=2048).contains(&limit) => Err(wrong("internetMaxBandwidthOut is 1 to 2048".to_owned())),
        limit => Ok(limit),
    }
}

impl Check {
    fn read(&self) -> Result<HealthCheck, String> {
        let check = HealthCheck {
            enabled: self.enable.unwrap_or(true),
            kind: self.check_type.as_deref().map(kind_of).transpose()?,
            port: self.check_port,
            path: self.http_check_path.clone(),
            domain: self.http_check_domain.clone(),
            good_statuses: self.http_code,
            interval: self.interval_time,
            timeout: self.timeout,
            healthy: self.health_num,
            unhealthy: self.un_health_num,
            source: self.source_ip_type.map(source_of),
        };
        ranges(&check)?;
        Ok(check)
    }
}

/// Parameters of CreateListener that have a place in [`Settings`] go there; all others stay in the cloud's words.
pub(super) fn apply_listener_parameters(values: &Values<'_>, settings: &mut Settings) -> Result<()> {
    let Some(parameters) = values.json::<BTreeMap<String, Value>>(LISTENER_PARAMETERS)? else { return Ok(()) };
    let text = values.text(LISTENER_PARAMETERS).unwrap_or_default();
    for (name, value) in parameters {
        let wrong = |why: &str| invalid(LISTENER_PARAMETERS, text, format_args!("{name}: {why}"));
        let number =
            || value.as_u64().and_then(|number| u32::try_from(number).ok()).ok_or_else(|| wrong("it is a number"));
        let flag = || value.as_bool().ok_or_else(|| wrong("it is true or false"));
        match name.as_str() {
            "LoadBalancerId" | "Ports" | "Protocol" | "ListenerNames" | "Certificate" | "MultiCertInfo" | "EndPort"
            | "FullEndPorts" | "TargetType" | "SniSwitch" => return Err(wrong("it follows from the Service")),
            "Scheduler" => {
                let scheduler = value.as_str().ok_or_else(|| wrong("it is text"))?;
                settings.scheduler = Some(scheduler_of(scheduler).map_err(|why| wrong(&why))?);
            }
            "SessionExpireTime" => settings.session_seconds = number()?,
            "IdleConnectTimeout" => settings.idle_seconds = Some(number()?),
            "ProxyProtocol" => settings.proxy_protocol = flag()?,
            "DeregisterTargetRst" => settings.reset_on_removal = Some(flag()?),
            "HealthCheck" => {
                let check: CloudCheck = serde_json::from_value(value)
                    .map_err(|error| invalid(LISTENER_PARAMETERS, text, format_args!("HealthCheck: {error}")))?;
                let check = check.read().map_err(|why| invalid(LISTENER_PARAMETERS, text, why))?;
                settings.health.override_with(&check);
            }
            _ => {
                settings.extra.insert(name, value);
            }
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct CloudCheck {
    health_switch: Option<u8>,
    #[serde(rename = "TimeOut")]
    timeout: Option<u32>,
    interval_time: Option<u32>,
    health_num: Option<u32>,
    un_health_num: Option<u32>,
    http_code: Option<u8>,
    http_check_path: Option<String>,
    http_check_domain: Option<String>,
    check_port: Option<i32>,
    check_type: Option<String>,
    source_ip_type: Option<u8>,
}

impl CloudCheck {
    fn read(self) -> Result<HealthCheck, String> {
        let check = HealthCheck {
            enabled: self.health_switch != Some(0),
            kind: self.check_type.as_deref().map(kind_of).transpose()?,
            port: self.check_port.and_then(|port| u16::try_from(port).ok()),
            path: self.http_check_path,
            domain: self.http_check_domain,
            good_statuses: self.http_code,
            interval: self.interval_time,
            timeout: self.timeout,
            healthy: self.health_num,
            unhealthy: self.un_health_num,
            source: self.source_ip_type.map(source_of),
        };
        ranges(&check)?;
        Ok(check)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnCheck {
    enabled: Option<bool>,
    protocol: Option<String>,
    port: Option<u16>,
    path: Option<String>,
    domain: Option<String>,
    statuses: Option<Vec<u8>>,
    interval: Option<u32>,
    timeout: Option<u32>,
    healthy: Option<u32>,
    unhealthy: Option<u32>,
}

/// Applies the checks of our own annotation: those for all ports, then those for one.
pub(super) fn apply_health_checks(values: &Values<'_>, listeners: &mut [ListenerSpec]) -> Result<()> {
    let Some(checks) = values.json::<BTreeMap<String, OwnCheck>>(HEALTH_CHECK)? else { return Ok(()) };
    let text = values.text(HEALTH_CHECK).unwrap_or_default();
    // `*` sorts before all digits.
    for (port, check) in checks {
        let wrong = |why: String| invalid(HEALTH_CHECK, text, format_args!("{port}: {why}"));
        let check = check.read().map_err(wrong)?;
        let mut found = false;
        for listener in listeners.iter_mut() {
            if port == "*" || port == listener.key.port.to_string() {
                listener.settings.health.override_with(&check);
                found = true;
            }
        }
        if !found {
            return Err(wrong("the Service has no such port".to_owned()));
        }
    }
    Ok(())
}

impl OwnCheck {
    fn read(self) -> Result<HealthCheck, String> {
        let mut good_statuses = None;
        for digit in self.statuses.iter().flatten() {
            let bit = digit.checked_sub(1).filter(|bit| *bit < 5).ok_or("statuses are first digits, 1 to 5")?;
            good_statuses = Some(good_statuses.unwrap_or_default() | 1 << bit);
        }
        let check = HealthCheck {
            enabled: self.enabled.unwrap_or(true),
            kind: self.protocol.as_deref().map(kind_of).transpose()?,
            port: self.port,
            path: self.path,
            domain: self.domain,
            good_statuses,
            interval: self.interval,
            timeout: self.timeout,
            healthy: self.healthy,
            unhealthy: self.unhealthy,
            source: None,
        };
        ranges(&check)?;
        Ok(check)
    }
}

fn ranges(check: &HealthCheck) -> Result<(), String> {
    in_range(check.interval.is_none_or(|n| (2..=300).contains(&n)), "the interval (2 to 300)")?;
    in_range(check.timeout.is_none_or(|n| (2..=60).contains(&n)), "the timeout (2 to 60)")?;
    in_range(check.healthy.is_none_or(|n| (2..=10).contains(&n)), "the healthy count (2 to 10)")?;
    in_range(check.unhealthy.is_none_or(|n| (2..=10).contains(&n)), "the unhealthy count (2 to 10)")?;
    in_range(check.good_statuses.is_none_or(|n| (1..=31).contains(&n)), "the good statuses (1 to 31)")
}

fn in_range(good: bool, what: &str) -> Result<(), String> {
    if good { Ok(()) } else { Err(format!("{what} is out of range")) }
}

fn kind_of(name: &str) -> Result<HealthKind, String> {
    match name {
        "TCP" => Ok(HealthKind::Tcp),
        "HTTP" => Ok(HealthKind::Http),
        "PING" => Ok(HealthKind::Ping),
        "CUSTOM" => Ok(HealthKind::Custom),
        _ => Err(format!("unknown kind of health check {name:?}")),
    }
}

fn scheduler_of(name: &str) -> Result<Scheduler, String> {
    match name {
        "WRR" => Ok(Scheduler::WeightedRoundRobin),
        "LEAST_CONN" => Ok(Scheduler::LeastConnections),
        "IP_HASH" => Ok(Scheduler::IpHash),
        _ => Err(format!("unknown scheduler {name:?}")),
    }
}

fn source_of(number: u8) -> HealthSource {
    if number == 0 { HealthSource::Balancer } else { HealthSource::Reserved }
}

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

/// A health check in the words of CreateListener; a TkeServiceConfig writes them with a small first letter.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Check {
    health_switch: Option<u8>,
    #[serde(rename = "enable")]
    enabled: Option<bool>,
    #[serde(alias = "intervalTime")]
    interval_time: Option<u32>,
    #[serde(alias = "healthNum")]
    health_num: Option<u32>,
    #[serde(alias = "unHealthNum")]
    un_health_num: Option<u32>,
    #[serde(rename = "TimeOut", alias = "timeOut", alias = "timeout")]
    timeout: Option<u32>,
    #[serde(alias = "checkType")]
    check_type: Option<String>,
    #[serde(alias = "checkPort")]
    check_port: Option<i32>,
    #[serde(alias = "httpCode")]
    http_code: Option<u8>,
    #[serde(alias = "httpCheckPath")]
    http_check_path: Option<String>,
    #[serde(alias = "httpCheckDomain")]
    http_check_domain: Option<String>,
    #[serde(alias = "sourceIpType")]
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
        let health = part.health_check.map(Check::read).transpose().map_err(wrong)?;
        // It may describe ports that the Service has no longer.
        let matching =
            listeners.iter_mut().filter(|listener| listener.key.port == part.port && listener.key.protocol == protocol);
        for listener in matching {
            let settings = &mut listener.settings;
            if let Some(session) = &part.session {
                settings.session_seconds = if session.enable { session.session_expire_time.unwrap_or(30) } else { 0 };
            }
            if let Some(scheduler) = &part.scheduler {
                settings.scheduler = Some(scheduler_of(scheduler).map_err(wrong)?);
            }
            if part.deregister_target_rst.is_some() {
                settings.reset_on_removal = part.deregister_target_rst;
            }
            if let Some(check) = &health {
                settings.health.override_with(check);
            }
        }
    }
    match config.load_balancer.internet_max_bandwidth_out {
        Some(limit) if !(1..=2048).contains(&limit) => Err(wrong("internetMaxBandwidthOut is 1 to 2048".to_owned())),
        limit => Ok(limit),
    }
}

impl Check {
    fn read(self) -> Result<HealthCheck, String> {
        Ok(HealthCheck {
            enabled: match (self.health_switch, self.enabled) {
                (Some(0), None) => false,
                (Some(1), None) => true,
                (None, enabled) => enabled.unwrap_or(true),
                _ => return Err("HealthSwitch is 0 or 1".to_owned()),
            },
            kind: self.check_type.as_deref().map(kind_of).transpose()?,
            port: match self.check_port {
                None | Some(-1) => None,
                Some(port) => Some(port_of(port)?),
            },
            path: self.http_check_path,
            domain: self.http_check_domain,
            good_statuses: self.http_code,
            interval: self.interval_time,
            timeout: self.timeout,
            healthy: self.health_num,
            unhealthy: self.un_health_num,
            source: match self.source_ip_type {
                None => None,
                Some(0) => Some(HealthSource::Balancer),
                Some(1) => Some(HealthSource::Reserved),
                Some(other) => return Err(format!("SourceIpType is 0 or 1, not {other}")),
            },
        })
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
                let check: Check = serde_json::from_value(value)
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
#[serde(deny_unknown_fields)]
struct OwnCheck {
    enabled: Option<bool>,
    protocol: Option<String>,
    port: Option<i32>,
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
        Ok(HealthCheck {
            enabled: self.enabled.unwrap_or(true),
            kind: self.protocol.as_deref().map(kind_of).transpose()?,
            port: self.port.map(port_of).transpose()?,
            path: self.path,
            domain: self.domain,
            good_statuses,
            interval: self.interval,
            timeout: self.timeout,
            healthy: self.healthy,
            unhealthy: self.unhealthy,
            source: None,
        })
    }
}

fn port_of(number: i32) -> Result<u16, String> {
    u16::try_from(number).ok().filter(|port| *port != 0).ok_or_else(|| format!("{number} is no port"))
}

fn kind_of(name: &str) -> Result<HealthKind, String> {
    match name {
        "TCP" => Ok(HealthKind::Tcp),
        "HTTP" => Ok(HealthKind::Http),
        "PING" => Ok(HealthKind::Ping),
        "CUSTOM" => Err("a CUSTOM health check needs what it sends and expects, which cannot be said here".to_owned()),
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

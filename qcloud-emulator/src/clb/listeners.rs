//! Listeners: what they are, and how they are listed.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::certificates::Certificate;
use super::errors::{self, Kind};
use super::groups;
use super::health_checks::HealthCheck;
use super::load_balancers;
use super::rules::Rule;
use super::targets::Target;
use crate::call::Call;
use crate::clock::Time;
use crate::error::ApiError;
use crate::world::{Local, Region, World};

pub(super) const PROTOCOLS: &[&str] = &["TCP", "UDP", "TCP_SSL", "QUIC", "HTTP", "HTTPS"];
const MOST_IDS: usize = 100;

/// A listener.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Listener {
    pub(super) id: String,
    /// What health answers call the single rule of a layer-4 listener.
    pub(super) location_id: String,
    pub(super) name: String,
    pub(super) protocol: String,
    pub(super) port: u16,
    pub(super) created: Time,
    pub(super) stopped: bool,
    pub(super) certificate: Option<Certificate>,
    /// Layer-7 listeners have none: their rules do.
    pub(super) health_check: Option<HealthCheck>,
    pub(super) options: Options,
    pub(super) rules: Vec<Rule>,
    /// The targets of a layer-4 listener.
    pub(super) targets: Vec<Target>,
    /// The target groups of a layer-4 listener.
    pub(super) groups: Vec<GroupBinding>,
}

/// Settings that a listener only keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Options {
    pub(super) scheduler: String,
    pub(super) session_expire: i64,
    pub(super) session_type: String,
    pub(super) sni: bool,
    pub(super) target_type: String,
    pub(super) keep_alive: bool,
    pub(super) deregister_reset: bool,
    pub(super) most_connections: i64,
    pub(super) most_per_second: i64,
    pub(super) idle_timeout: Option<i64>,
    pub(super) compression: String,
    pub(super) reschedule_interval: i64,
    pub(super) reschedule_start: i64,
    pub(super) proxy_protocol: bool,
    pub(super) snat: bool,
}

/// A target group that a listener or rule forwards to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct GroupBinding {
    pub(super) id: String,
    pub(super) weight: u32,
}

impl Listener {
    /// Whether it has rules and they have the targets.
    pub(super) fn is_layer_7(&self) -> bool {
        is_layer_7(&self.protocol)
    }

    pub(super) fn show(&self, region: &Region) -> Value {
        let options = &self.options;
        let layer_7 = self.is_layer_7();
        let rules = layer_7.then(|| self.rules.iter().map(|rule| rule.show(region, self)).collect::<Vec<_>>());
        json!({
            "ListenerId": self.id,
            "ListenerName": self.name,
            "CreateTime": self.created.beijing(),
            "Protocol": self.protocol,
            "Port": self.port,
            "EndPort": 0,
            "Certificate": self.certificate.as_ref().map(Certificate::show),
            "HealthCheck": self.health_check.as_ref().map(HealthCheck::show),
            "Scheduler": (!layer_7).then_some(&options.scheduler),
            "SessionExpireTime": options.session_expire,
            "SniSwitch": u8::from(options.sni),
            "Rules": rules,
            "TargetType": (!layer_7).then_some(&options.target_type),
            "TargetGroup": groups::show_binding(region, self.groups.first()),
            "TargetGroupList": groups::show_bindings(region, &self.groups),
            "SessionType": options.session_type,
            "KeepaliveEnable": layer_7.then(|| u8::from(options.keep_alive)),
            "Toa": false,
            "DeregisterTargetRst": options.deregister_reset,
            "AttrFlags": if self.stopped { vec!["Stop"] } else { Vec::new() },
            "MaxConn": options.most_connections,
            "MaxCps": options.most_per_second,
            "IdleConnectTimeout": options.idle_timeout,
            "RescheduleInterval": options.reschedule_interval,
            "RescheduleStartTime": options.reschedule_start,
            "DataCompressMode": options.compression,
        })
    }
}

pub(super) fn is_layer_7(protocol: &str) -> bool {
    matches!(protocol, "HTTP" | "HTTPS")
}

/// What carries a protocol: two listeners may share a port only when this differs.
pub(super) fn carrier(protocol: &str) -> &'static str {
    if matches!(protocol, "UDP" | "QUIC") { "UDP" } else { "TCP" }
}

/// Which listeners of a load balancer a request asks for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Wanted {
    load_balancer_id: String,
    listener_ids: Option<Vec<String>>,
    protocol: Option<String>,
    port: Option<i64>,
}

impl Wanted {
    /// The listeners, of which at most so many can be named.
    pub(super) fn find<'h>(
        self,
        here: &'h Local<'_>,
        call: &Call,
        most: usize,
    ) -> Result<impl Iterator<Item = &'h Listener>, ApiError> {
        let balancer = load_balancers::find(here, call, &self.load_balancer_id)?;
        let ids = self.listener_ids.unwrap_or_default();
        errors::check_count("ListenerIds", ids.len(), 0, most)?;
        ids.iter().try_for_each(|id| errors::check_id("ListenerIds", id, Kind::Listener))?;
        if let Some(protocol) = &self.protocol {
            errors::check_among("Protocol", protocol, PROTOCOLS)?;
        }
        let port = self.port.map(|port| errors::port("Port", port)).transpose()?;
        Ok(balancer.listeners.iter().filter(move |listener| {
            (ids.is_empty() || ids.contains(&listener.id))
                && self.protocol.as_ref().is_none_or(|protocol| *protocol == listener.protocol)
                && port.is_none_or(|port| port == listener.port)
        }))
    }
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let wanted: Wanted = call.input()?;
    let here = world.local(call);
    let listeners = wanted.find(&here, call, MOST_IDS)?.map(|listener| listener.show(here.region));
    let listeners: Vec<Value> = listeners.collect();
    Ok(json!({ "TotalCount": listeners.len(), "Listeners": listeners }))
}

//! Creating, changing and deleting listeners.

use serde::Deserialize;
use serde_json::{Value, json};

use super::certificates;
use super::errors;
use super::health_checks::{self, HealthCheck};
use super::listeners::{Listener, Options, PROTOCOLS, carrier, is_layer_7};
use super::load_balancers::LoadBalancer;
use super::tasks;
use crate::call::Call;
use crate::error::ApiError;
use crate::settings::{Quota, Task};
use crate::world::World;

const MOST_PORTS: usize = 50;
const MOST_DELETED: usize = 20;

/// The settings that creating and changing have in common.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    health_check: Option<health_checks::Given>,
    certificate: Option<certificates::Given>,
    multi_cert_info: Option<certificates::GivenMany>,
    session_expire_time: Option<i64>,
    scheduler: Option<String>,
    sni_switch: Option<i64>,
    target_type: Option<String>,
    session_type: Option<String>,
    keepalive_enable: Option<i64>,
    deregister_target_rst: Option<bool>,
    max_conn: Option<i64>,
    max_cps: Option<i64>,
    idle_connect_timeout: Option<i64>,
    proxy_protocol: Option<bool>,
    snat_enable: Option<bool>,
    data_compress_mode: Option<String>,
    reschedule_target_zero_weight: Option<bool>,
    reschedule_unhealthy: Option<bool>,
    reschedule_expand_target: Option<bool>,
    reschedule_start_time: Option<i64>,
    reschedule_interval: Option<i64>,
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        load_balancer_id: String,
        ports: Vec<i64>,
        protocol: String,
        listener_names: Option<Vec<String>>,
        end_port: Option<u64>,
        full_end_ports: Option<Vec<i64>>,
        ssl_close_switch: Option<bool>,
    }
    let input: Input = call.input()?;
    let given: Given = call.input()?;
    let mut here = world.local(call);
    let mut draft = tasks::draft(&here, call, &input.load_balancer_id)?;
    let protocol = input.protocol;
    errors::check_among("Protocol", &protocol, PROTOCOLS)?;
    if input.end_port.is_some_and(|port| port != 0) || input.full_end_ports.is_some_and(|ports| !ports.is_empty()) {
        let message = "Listeners with a range of ports are open to approved accounts only; this one is not among them.";
        return Err(ApiError::new("UnauthorizedOperation", message));
    }
    let ports = check_ports(&draft, &input.ports, &protocol)?;
    let names = input.listener_names.unwrap_or_default();
    if !names.is_empty() && names.len() != ports.len() {
        let message =
            format!("`ListenerNames` gives {} names for {} ports: give one each or none.", names.len(), ports.len());
        return Err(errors::length(message));
    }
    names.iter().try_for_each(|name| errors::check_name("ListenerNames", name))?;
    let limit = here.settings.limit(Quota::ListenersPerLoadBalancer);
    errors::check_room(&draft.id, "listeners", draft.listeners.len(), ports.len(), limit)?;
    given.check(&protocol, &draft)?;
    let options = given.applied(usual_options(&protocol))?;
    let health_check = given.applied_check(HealthCheck::usual(&protocol), &protocol, &draft)?;
    let certificate = certificates::read(here.ids, given.certificate.as_ref(), given.multi_cert_info.as_ref())?;
    let plain = input.ssl_close_switch == Some(true) && protocol == "TCP_SSL";
    let needs_certificate = match protocol.as_str() {
        "HTTPS" => !options.sni,
        "TCP_SSL" => !plain,
        "QUIC" => true,
        _ => false,
    };
    if needs_certificate && certificate.is_none() {
        return Err(ApiError::missing("Certificate"));
    }
    let mut ids = Vec::new();
    for (place, port) in ports.into_iter().enumerate() {
        let id = here.ids.new_id("lbl");
        ids.push(id.clone());
        draft.listeners.push(Listener {
            id,
            location_id: here.ids.new_id("loc"),
            name: names.get(place).cloned().unwrap_or_default(),
            protocol: protocol.clone(),
            port,
            created: here.now,
            stopped: false,
            certificate: certificate.clone(),
            health_check: (!is_layer_7(&protocol)).then(|| health_check.clone()),
            options: options.clone(),
            rules: Vec::new(),
            targets: Vec::new(),
            groups: Vec::new(),
        });
    }
    tasks::change(&mut here, call, Task::ListenerChange, draft);
    Ok(json!({ "ListenerIds": ids }))
}

fn check_ports(balancer: &LoadBalancer, given: &[i64], protocol: &str) -> Result<Vec<u16>, ApiError> {
    const CONFLICT: &str = "InvalidParameter.PortCheckFailed";
    errors::check_count("Ports", given.len(), 1, MOST_PORTS)?;
    let mut ports = Vec::new();
    for number in given {
        let port = errors::port("Ports", *number)?;
        if ports.contains(&port) {
            return Err(ApiError::new(CONFLICT, format!("`Ports`: {port} is given twice.")));
        }
        let mut others = balancer.listeners.iter().filter(|other| carrier(&other.protocol) == carrier(protocol));
        if let Some(other) = others.find(|other| other.port == port) {
            let message = format!(
                "`Ports`: `{}` listens on {port} with {} already, which excludes {protocol}.",
                other.id, other.protocol
            );
            return Err(ApiError::new(CONFLICT, message));
        }
        ports.push(port);
    }
    Ok(ports)
}

fn usual_options(protocol: &str) -> Options {
    Options {
        scheduler: "WRR".to_owned(),
        session_expire: 0,
        session_type: "NORMAL".to_owned(),
        sni: false,
        target_type: "NODE".to_owned(),
        keep_alive: false,
        deregister_reset: false,
        most_connections: -1,
        most_per_second: -1,
        idle_timeout: match protocol {
            "TCP" => Some(900),
            "UDP" => Some(300),
            _ => None,
        },
        compression: "transparent".to_owned(),
        reschedule_interval: 0,
        reschedule_start: 0,
        proxy_protocol: false,
        snat: false,
    }
}

impl Given {
    /// Checks values, and that each setting is for the protocol.
    fn check(&self, protocol: &str, balancer: &LoadBalancer) -> Result<(), ApiError> {
        let specified = !balancer.sla_type.is_empty();
        let (stream, layer_7) = (matches!(protocol, "TCP" | "UDP"), is_layer_7(protocol));
        let reschedules =
            [self.reschedule_target_zero_weight, self.reschedule_unhealthy, self.reschedule_expand_target];
        let only = |name: &str, given: bool, fits: bool, whom: &str| match given && !fits {
            true => {
                Err(errors::value(format!("`{name}` is for {whom} only, not for {protocol} on `{}`.", balancer.id)))
            }
            false => Ok(()),
        };
        only("HealthCheck", self.health_check.is_some(), !layer_7, "layer-4 listeners; rules have their own")?;
        only("Scheduler", self.scheduler.is_some(), !layer_7, "layer-4 listeners; rules have their own")?;
        only("SessionExpireTime", self.session_expire_time.unwrap_or(0) != 0, stream, "TCP and UDP listeners")?;
        only("SniSwitch", self.sni_switch == Some(1), protocol == "HTTPS", "HTTPS listeners")?;
        only("KeepaliveEnable", self.keepalive_enable == Some(1), layer_7, "HTTP and HTTPS listeners")?;
        only("TargetType", self.target_type.is_some(), !layer_7, "layer-4 listeners; rules have their own")?;
        only("DeregisterTargetRst", self.deregister_target_rst == Some(true), stream, "TCP and UDP listeners")?;
        only("Reschedule…", reschedules.contains(&Some(true)), stream, "TCP and UDP listeners")?;
        let proxy = matches!(protocol, "TCP_SSL" | "QUIC");
        only("ProxyProtocol", self.proxy_protocol == Some(true), proxy, "TCP_SSL and QUIC listeners")?;
        let limits = self.max_conn.unwrap_or(-1) != -1 || self.max_cps.unwrap_or(-1) != -1;
        let whom = "layer-4 listeners of load balancers with a capacity specification";
        only("MaxConn", limits, specified && !layer_7, whom)?;
        let certified = self.certificate.is_some() || self.multi_cert_info.is_some();
        let tls = matches!(protocol, "TCP_SSL" | "QUIC" | "HTTPS");
        only("Certificate", certified, tls, "HTTPS, TCP_SSL and QUIC listeners")?;
        let range = |name: &str, value: Option<i64>, least: i64, most: i64| {
            value.map_or(Ok(()), |value| errors::check_range(name, value, least, most))
        };
        range("SessionExpireTime", self.session_expire_time.filter(|time| *time != 0), 30, 3600)?;
        range("IdleConnectTimeout", self.idle_connect_timeout, 10, if specified { 1980 } else { 900 })?;
        range("SniSwitch", self.sni_switch, 0, 1)?;
        range("KeepaliveEnable", self.keepalive_enable, 0, 1)?;
        range("RescheduleStartTime", self.reschedule_start_time, 0, 3600)?;
        range("RescheduleInterval", self.reschedule_interval, 0, 3600)?;
        let among = |name: &str, value: &Option<String>, allowed: &[&str]| {
            value.as_ref().map_or(Ok(()), |value| errors::check_among(name, value, allowed))
        };
        among("Scheduler", &self.scheduler, &["WRR", "LEAST_CONN"])?;
        among("TargetType", &self.target_type, &["NODE", "TARGETGROUP", "TARGETGROUP-V2"])?;
        among("SessionType", &self.session_type, &["NORMAL", "QUIC_CID"])?;
        among("DataCompressMode", &self.data_compress_mode, &["transparent", "compatibility"])
    }

    fn applied(&self, old: Options) -> Result<Options, ApiError> {
        Ok(Options {
            scheduler: self.scheduler.clone().unwrap_or(old.scheduler),
            session_expire: self.session_expire_time.unwrap_or(old.session_expire),
            session_type: self.session_type.clone().unwrap_or(old.session_type),
            sni: self.sni_switch.map_or(old.sni, |on| on == 1),
            target_type: self.target_type.clone().unwrap_or(old.target_type),
            keep_alive: self.keepalive_enable.map_or(old.keep_alive, |on| on == 1),
            deregister_reset: self.deregister_target_rst.unwrap_or(old.deregister_reset),
            most_connections: self.max_conn.unwrap_or(old.most_connections),
            most_per_second: self.max_cps.unwrap_or(old.most_per_second),
            idle_timeout: self.idle_connect_timeout.or(old.idle_timeout),
            compression: self.data_compress_mode.clone().unwrap_or(old.compression),
            reschedule_interval: self.reschedule_interval.unwrap_or(old.reschedule_interval),
            reschedule_start: self.reschedule_start_time.unwrap_or(old.reschedule_start),
            proxy_protocol: self.proxy_protocol.unwrap_or(old.proxy_protocol),
            snat: self.snat_enable.unwrap_or(old.snat),
        })
    }

    fn applied_check(
        &self,
        old: HealthCheck,
        protocol: &str,
        balancer: &LoadBalancer,
    ) -> Result<HealthCheck, ApiError> {
        let check = self.health_check.as_ref().map_or(Ok(old.clone()), |given| old.with(given, protocol))?;
        if balancer.ipv6_mode.as_deref() == Some("IPv6FullChain") {
            check.check_ipv6(protocol)?;
        }
        Ok(check)
    }
}

pub(super) fn modify(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        load_balancer_id: String,
        listener_id: String,
        listener_name: Option<String>,
    }
    let input: Input = call.input()?;
    let given: Given = call.input()?;
    let mut here = world.local(call);
    let mut draft = tasks::draft(&here, call, &input.load_balancer_id)?;
    let listener = draft.listener(&here, call, &input.listener_id)?.clone();
    if let Some(name) = &input.listener_name {
        errors::check_name("ListenerName", name)?;
    }
    given.check(&listener.protocol, &draft)?;
    if listener.options.sni && given.sni_switch == Some(0) {
        return Err(errors::value("`SniSwitch` cannot be turned off again."));
    }
    let bound = !listener.targets.is_empty() || !listener.groups.is_empty();
    if bound && given.target_type.as_ref().is_some_and(|kind| *kind != listener.options.target_type) {
        return Err(errors::failed("`TargetType` can only change while nothing is bound to the listener."));
    }
    let health_check =
        listener.health_check.clone().map(|old| given.applied_check(old, &listener.protocol, &draft)).transpose()?;
    let certificate = certificates::read(here.ids, given.certificate.as_ref(), given.multi_cert_info.as_ref())?;
    let options = given.applied(listener.options)?;
    let changed = draft.listener_mut(&here, call, &input.listener_id)?;
    changed.name = input.listener_name.unwrap_or(listener.name);
    changed.health_check = health_check;
    changed.options = options;
    changed.certificate = certificate.or(listener.certificate);
    tasks::change(&mut here, call, Task::ListenerChange, draft);
    Ok(json!({}))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        load_balancer_id: String,
        listener_id: String,
    }
    let input: Input = call.input()?;
    delete_listeners(world, call, &input.load_balancer_id, &[input.listener_id])
}

pub(super) fn delete_many(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        load_balancer_id: String,
        listener_ids: Option<Vec<String>>,
    }
    let input: Input = call.input()?;
    delete_listeners(world, call, &input.load_balancer_id, &input.listener_ids.unwrap_or_default())
}

/// Deletes these listeners, or every one when none is named.
fn delete_listeners(world: &mut World, call: &Call, balancer: &str, listeners: &[String]) -> Result<Value, ApiError> {
    let mut here = world.local(call);
    errors::check_count("ListenerIds", listeners.len(), 0, MOST_DELETED)?;
    let mut draft = tasks::draft(&here, call, balancer)?;
    for id in listeners {
        draft.listener(&here, call, id)?;
    }
    draft.listeners.retain(|listener| !listeners.is_empty() && !listeners.contains(&listener.id));
    tasks::change(&mut here, call, Task::ListenerChange, draft);
    Ok(json!({}))
}

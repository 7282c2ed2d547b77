//! Settings of the contract in the words of CLB, and back.

use qcloud_clb::model as clb;

use crate::kubernetes::load_balancers::{
    HealthCheck, HealthKind, HealthSource, Host, LbState, ListenerKey, Protocol, Rule, Scheduler, Settings, Target, Tls,
};

pub(super) fn protocol(protocol: Protocol) -> clb::ListenerProtocol {
    clb::ListenerProtocol::from(protocol.as_str())
}

pub(super) fn key(port: i64, protocol: &clb::ListenerProtocol) -> Option<ListenerKey> {
    Some(ListenerKey::new(u16::try_from(port).ok()?, Protocol::from_name(protocol.as_str())?))
}

pub(super) fn scheduler(scheduler: Scheduler) -> clb::Scheduler {
    match scheduler {
        Scheduler::WeightedRoundRobin => clb::Scheduler::WRR,
        Scheduler::LeastConnections => clb::Scheduler::LeastConn,
        Scheduler::IpHash => clb::Scheduler::IpHash,
    }
}

fn read_scheduler(scheduler: &clb::Scheduler) -> Option<Scheduler> {
    match scheduler {
        clb::Scheduler::WRR => Some(Scheduler::WeightedRoundRobin),
        clb::Scheduler::LeastConn => Some(Scheduler::LeastConnections),
        clb::Scheduler::IpHash => Some(Scheduler::IpHash),
        _ => None,
    }
}

/// The check to send.
pub(super) fn health(check: &HealthCheck, protocol: Protocol) -> clb::HealthCheck {
    if !check.enabled {
        return clb::HealthCheck { health_switch: Some(0), ..clb::HealthCheck::default() };
    }
    let mut check = check.clone();
    check.complete(protocol);
    let number = |number: Option<u32>| number.map(i64::from);
    clb::HealthCheck {
        health_switch: Some(1),
        time_out: number(check.timeout),
        interval_time: number(check.interval),
        health_num: number(check.healthy),
        un_health_num: number(check.unhealthy),
        http_code: check.good_statuses.map(i64::from),
        http_check_path: check.path,
        http_check_domain: check.domain,
        check_port: check.port.map(i64::from),
        check_type: check.kind.map(|kind| match kind {
            HealthKind::Tcp => clb::HealthCheckType::TCP,
            HealthKind::Http => clb::HealthCheckType::HTTP,
            HealthKind::Ping => clb::HealthCheckType::PING,
        }),
        http_version: (check.kind == Some(HealthKind::Http) && !protocol.has_rules())
            .then_some(clb::HttpCheckVersion::from("HTTP/1.1")),
        source_ip_type: check.source.map(|source| match source {
            HealthSource::Balancer => clb::HealthCheckSourceIp::Vip,
            HealthSource::Reserved => clb::HealthCheckSourceIp::ReservedRange,
        }),
        ..clb::HealthCheck::default()
    }
}

/// The check of a rule for a host.
pub(super) fn rule_health(check: &HealthCheck, host: &str) -> clb::HealthCheck {
    let http_check_domain = check.host_for(host).map(str::to_owned);
    clb::HealthCheck { http_check_domain, ..health(check, Protocol::Http) }
}

fn read_health(check: &clb::HealthCheck, protocol: Protocol) -> HealthCheck {
    let number = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok());
    let kind = match &check.check_type {
        Some(clb::HealthCheckType::TCP) => Some(HealthKind::Tcp),
        Some(clb::HealthCheckType::HTTP) => Some(HealthKind::Http),
        Some(clb::HealthCheckType::PING) => Some(HealthKind::Ping),
        _ => None,
    };
    let mut read = HealthCheck {
        enabled: check.health_switch != Some(0),
        timeout: number(check.time_out),
        interval: number(check.interval_time),
        healthy: number(check.health_num),
        unhealthy: number(check.un_health_num),
        good_statuses: check.http_code.and_then(|code| u8::try_from(code).ok()),
        path: check.http_check_path.clone(),
        domain: check.http_check_domain.clone(),
        port: check.check_port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0),
        kind,
        source: match &check.source_ip_type {
            Some(clb::HealthCheckSourceIp::Vip) => Some(HealthSource::Balancer),
            Some(clb::HealthCheckSourceIp::ReservedRange) => Some(HealthSource::Reserved),
            _ => None,
        },
    };
    read.complete(protocol);
    if check.check_type.is_some() {
        // A kind that is never asked for is not the usual one.
        read.kind = kind;
    }
    read
}

fn mode(tls: &Tls) -> clb::SslMode {
    if tls.client_authority.is_some() { clb::SslMode::Mutual } else { clb::SslMode::UNIDIRECTIONAL }
}

/// Certificates as requests carry them: one way for one, another for several.
pub(super) fn certificate(tls: &Tls) -> (Option<clb::CertificateInput>, Option<clb::MultiCertInfo>) {
    if tls.certificates.len() > 1 {
        let list = tls.certificates.iter().map(|id| clb::CertInfo::new().cert_id(id.as_str()));
        return (None, Some(clb::MultiCertInfo::new(mode(tls), list)));
    }
    let one = tls.certificates.first().map(|id| clb::CertificateInput {
        ssl_mode: Some(mode(tls)),
        cert_id: Some(id.clone()),
        cert_ca_id: tls.client_authority.clone(),
        ..clb::CertificateInput::default()
    });
    (one, None)
}

fn read_certificate(certificate: &clb::CertificateOutput) -> Tls {
    let ids = [&certificate.cert_id].into_iter().chain(&certificate.ext_cert_ids);
    let mut tls = Tls::new(ids.filter(|id| !id.is_empty()).cloned());
    tls.client_authority = Some(certificate.cert_ca_id.clone()).filter(|id| !id.is_empty());
    tls
}

pub(super) fn read_listener(listener: &clb::Listener, protocol: Protocol) -> Settings {
    let seconds = |time: Option<i64>| time.and_then(|time| u32::try_from(time).ok());
    let mut settings = Settings {
        session_seconds: seconds(listener.session_expire_time).unwrap_or(0),
        scheduler: listener.scheduler.as_ref().and_then(read_scheduler),
        // CLB shows 0 where nobody has set it.
        idle_seconds: seconds(listener.idle_connect_timeout).filter(|time| *time != 0),
        reset_on_removal: Some(listener.deregister_target_rst),
        ..Settings::default()
    };
    if listener.sni_switch == 1 {
        let of_rule =
            |rule: &clb::RuleOutput| Some((rule.domain.clone(), read_certificate(rule.certificate.as_ref()?)));
        settings.tls_by_host = Some(listener.rules.iter().filter_map(of_rule).collect());
    } else {
        settings.tls = listener.certificate.as_ref().filter(|_| protocol.needs_tls()).map(read_certificate);
    }
    settings.complete(protocol);
    if let Some(check) = &listener.health_check {
        settings.health = read_health(check, protocol);
    }
    settings
}

/// CLB knows no rule without a host: the balancer's own address or name stands for any.
pub(super) fn own_host(state: &LbState) -> String {
    let address = state.addresses.first().map(ToString::to_string);
    address.or_else(|| state.hostname.clone()).unwrap_or_default()
}

pub(super) fn read_rule(rule: &clb::RuleOutput, own_host: &str) -> (Rule, Settings) {
    let settings = Settings {
        health: read_health(&rule.health_check, Protocol::Http),
        session_seconds: u32::try_from(rule.session_expire_time).unwrap_or(0),
        scheduler: read_scheduler(&rule.scheduler),
        ..Settings::default()
    };
    let host = if rule.domain == own_host { String::new() } else { rule.domain.clone() };
    (Rule { host, path: rule.url.clone() }, settings)
}

pub(super) fn rule(rule: &Rule, settings: &Settings, own_host: &str) -> clb::RuleInput {
    let (one, several) = settings.tls_of(&rule.host).map(certificate).unwrap_or_default();
    clb::RuleInput {
        certificate: one,
        multi_cert_info: several,
        url: rule.path.clone(),
        domain: Some(if rule.host.is_empty() { own_host.to_owned() } else { rule.host.clone() }),
        session_expire_time: Some(i64::from(settings.session_seconds)),
        health_check: Some(rule_health(&settings.health, &rule.host)),
        scheduler: settings.scheduler.map(scheduler),
        ..clb::RuleInput::default()
    }
}

/// The target that a backend is: its machine by id, anything else by address.
pub(super) fn read_target(backend: &clb::Backend) -> Option<(Target, u16)> {
    let port = u16::try_from(backend.port).ok()?;
    let address = || backend.private_ip_addresses.first().and_then(|address| address.parse().ok());
    let target = if backend.type_ == "CVM" && !backend.instance_id.is_empty() {
        Target::instance(backend.instance_id.as_str(), port)
    } else {
        Target::address(address()?, port)
    };
    Some((target, u16::try_from(backend.weight).unwrap_or(0)))
}

pub(super) fn batch_target(
    listener: &str,
    rule: Option<&str>,
    target: &Target,
    weight: Option<u16>,
) -> clb::BatchTarget {
    let (instance_id, eni_ip) = host(&target.host);
    clb::BatchTarget {
        listener_id: listener.to_owned(),
        location_id: rule.map(str::to_owned),
        port: i64::from(target.port),
        instance_id,
        eni_ip,
        weight: weight.map(i64::from),
        ..clb::BatchTarget::default()
    }
}

pub(super) fn target(target: &Target, weight: u16) -> clb::Target {
    let (instance_id, eni_ip) = host(&target.host);
    clb::Target {
        port: i64::from(target.port),
        instance_id,
        eni_ip,
        weight: Some(i64::from(weight)),
        ..clb::Target::default()
    }
}

/// How CLB's messages name a host.
pub(super) fn host_name(host: &Host) -> String {
    match host {
        Host::Instance(id) => id.clone(),
        Host::Address(address) => address.to_string(),
    }
}

fn host(host: &Host) -> (Option<String>, Option<String>) {
    match host {
        Host::Instance(id) => (Some(id.clone()), None),
        Host::Address(address) => (None, Some(address.to_string())),
    }
}

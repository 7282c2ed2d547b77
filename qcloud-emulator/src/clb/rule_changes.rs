//! Creating, changing and deleting forwarding rules.

use serde::Deserialize;
use serde_json::{Value, json};

use super::certificates;
use super::errors;
use super::health_checks::{self, HealthCheck};
use super::listeners::Listener;
use super::rules::{Location, Rule};
use super::tasks;
use crate::call::Call;
use crate::error::ApiError;
use crate::settings::{Quota, Task};
use crate::world::{Local, World};

const SCHEDULERS: &[&str] = &["WRR", "LEAST_CONN", "IP_HASH"];
const FORWARD_TYPES: &[&str] = &["HTTP", "HTTPS", "GRPC", "GRPCS"];
const TARGET_TYPES: &[&str] = &["NODE", "TARGETGROUP", "TARGETGROUP-V2"];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GivenRule {
    url: String,
    domain: Option<String>,
    domains: Option<Vec<String>>,
    session_expire_time: Option<i64>,
    health_check: Option<health_checks::Given>,
    certificate: Option<certificates::Given>,
    multi_cert_info: Option<certificates::GivenMany>,
    scheduler: Option<String>,
    forward_type: Option<String>,
    default_server: Option<bool>,
    http2: Option<bool>,
    target_type: Option<String>,
    quic: Option<bool>,
    cookie_name: Option<String>,
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        load_balancer_id: String,
        listener_id: String,
        rules: Vec<GivenRule>,
    }
    let input: Input = call.input()?;
    let ids = change(world, call, &input.load_balancer_id, &input.listener_id, |here, listener| {
        let limit = here.settings.limit(Quota::RulesPerListener);
        errors::check_count("Rules", input.rules.len(), 1, limit)?;
        errors::check_room(&listener.id, "rules", listener.rules.len(), input.rules.len(), limit)?;
        let mut ids = Vec::new();
        for given in &input.rules {
            let rule = make(here, listener, given)?;
            ids.push(rule.id.clone());
            let is_default = rule.is_default;
            let domain = rule.domain().to_owned();
            listener.rules.push(rule);
            if is_default {
                set_default(listener, &domain);
            }
        }
        Ok(ids)
    })?;
    Ok(json!({ "LocationIds": ids }))
}

/// Changes the rules of a listener, unless `edit` finds something wrong.
pub(super) fn change<T>(
    world: &mut World,
    call: &Call,
    balancer: &str,
    listener: &str,
    edit: impl FnOnce(&mut Local<'_>, &mut Listener) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let mut here = world.local(call);
    let mut draft = tasks::draft(&here, call, balancer)?;
    let listener = draft.listener_mut(&here, call, listener)?;
    if !listener.is_layer_7() {
        let message =
            format!("`{}` is a {} listener: only HTTP and HTTPS listeners have rules.", listener.id, listener.protocol);
        return Err(ApiError::new("InvalidParameter.ProtocolCheckFailed", message));
    }
    let done = edit(&mut here, listener)?;
    tasks::change(&mut here, call, Task::ListenerChange, draft);
    Ok(done)
}

pub(super) fn check_domain(parameter: &str, domain: &str, most: usize) -> Result<(), ApiError> {
    if (1..=most).contains(&domain.chars().count()) {
        return Ok(());
    }
    Err(errors::length(format!("`{parameter}` has 1 to {most} characters.")))
}

fn check_url(url: &str) -> Result<(), ApiError> {
    if !(1..=200).contains(&url.chars().count()) {
        return Err(errors::length("`Url` has 1 to 200 characters."));
    }
    if !url.starts_with(['/', '~', '=']) {
        return Err(ApiError::new(errors::FORMAT, format!("`Url` begins with a slash, not as `{url}` does.")));
    }
    Ok(())
}

fn check_session(seconds: i64) -> Result<(), ApiError> {
    if seconds == 0 { Ok(()) } else { errors::check_range("SessionExpireTime", seconds, 30, 86_400) }
}

/// Refuses a domain and path that the listener has a rule for.
fn check_unlike(listener: &Listener, domains: &[String], url: &str, but: &str) -> Result<(), ApiError> {
    let same =
        |rule: &&Rule| rule.id != but && rule.url == url && rule.domains.iter().any(|domain| domains.contains(domain));
    match listener.rules.iter().find(same) {
        Some(rule) => {
            Err(errors::duplicate(format!("`{}` is the rule for `{}` and `{url}` already.", rule.id, rule.domain())))
        }
        None => Ok(()),
    }
}

fn make(here: &mut Local<'_>, listener: &Listener, given: &GivenRule) -> Result<Rule, ApiError> {
    let domains = match (&given.domain, &given.domains) {
        (_, Some(domains)) if !domains.is_empty() => domains.clone(),
        (Some(domain), _) => vec![domain.clone()],
        _ => return Err(ApiError::missing("Rules.Domain")),
    };
    domains.iter().try_for_each(|domain| check_domain("Rules.Domain", domain, 80))?;
    check_url(&given.url)?;
    check_unlike(listener, &domains, &given.url, "")?;
    let scheduler = given.scheduler.clone().unwrap_or_else(|| "WRR".to_owned());
    errors::check_among("Rules.Scheduler", &scheduler, SCHEDULERS)?;
    let forward_type = given.forward_type.clone().unwrap_or_else(|| "HTTP".to_owned());
    errors::check_among("Rules.ForwardType", &forward_type, FORWARD_TYPES)?;
    let target_type = given.target_type.clone().unwrap_or_else(|| "NODE".to_owned());
    errors::check_among("Rules.TargetType", &target_type, TARGET_TYPES)?;
    check_session(given.session_expire_time.unwrap_or_default())?;
    let usual = HealthCheck::usual(&forward_type);
    let health_check =
        given.health_check.as_ref().map_or(Ok(usual.clone()), |given| usual.with(given, &forward_type))?;
    let certificate = certificates::read(here.ids, given.certificate.as_ref(), given.multi_cert_info.as_ref())?;
    let known = listener.rules.iter().find(|rule| rule.domains.iter().any(|domain| domains.contains(domain)));
    let certificate = certificate.or_else(|| known.and_then(|rule| rule.certificate.clone()));
    if listener.options.sni && certificate.is_none() {
        return Err(ApiError::missing("Rules.Certificate"));
    }
    let first = listener.rules.is_empty();
    Ok(Rule {
        id: here.ids.new_id("loc"),
        is_default: given.default_server.unwrap_or(first) || known.is_some_and(|rule| rule.is_default),
        domains,
        url: given.url.clone(),
        created: here.now,
        session_expire: given.session_expire_time.unwrap_or_default(),
        scheduler,
        forward_type,
        http2: given.http2.unwrap_or_default(),
        quic: given.quic.unwrap_or_default(),
        target_type,
        cookie_name: given.cookie_name.clone().unwrap_or_default(),
        certificate,
        health_check,
        targets: Vec::new(),
        groups: Vec::new(),
    })
}

/// One domain of a listener is its default.
pub(super) fn set_default(listener: &mut Listener, domain: &str) {
    for rule in &mut listener.rules {
        rule.is_default = rule.domains.iter().any(|own| own == domain);
    }
}

pub(super) fn modify(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        load_balancer_id: String,
        listener_id: String,
        location_id: String,
        url: Option<String>,
        health_check: Option<health_checks::Given>,
        scheduler: Option<String>,
        session_expire_time: Option<i64>,
        forward_type: Option<String>,
        cookie_name: Option<String>,
    }
    let input: Input = call.input()?;
    change(world, call, &input.load_balancer_id, &input.listener_id, |here, listener| {
        let place = Location::by_id(Some(&input.location_id)).place(here, call, listener)?;
        let old = listener.rules.get(place).cloned();
        if let (Some(url), Some(old)) = (&input.url, &old) {
            check_url(url)?;
            check_unlike(listener, &old.domains, url, &old.id)?;
        }
        if let Some(scheduler) = &input.scheduler {
            errors::check_among("Scheduler", scheduler, SCHEDULERS)?;
        }
        if let Some(forward_type) = &input.forward_type {
            errors::check_among("ForwardType", forward_type, FORWARD_TYPES)?;
        }
        check_session(input.session_expire_time.unwrap_or_default())?;
        if let Some(rule) = listener.rules.get_mut(place) {
            rule.url = input.url.unwrap_or_else(|| rule.url.clone());
            rule.scheduler = input.scheduler.unwrap_or_else(|| rule.scheduler.clone());
            rule.session_expire = input.session_expire_time.unwrap_or(rule.session_expire);
            rule.forward_type = input.forward_type.unwrap_or_else(|| rule.forward_type.clone());
            rule.cookie_name = input.cookie_name.unwrap_or_else(|| rule.cookie_name.clone());
            if let Some(given) = &input.health_check {
                rule.health_check = rule.health_check.with(given, &rule.forward_type)?;
            }
        }
        Ok(json!({}))
    })
}

pub(super) fn modify_domain(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        load_balancer_id: String,
        listener_id: String,
        domain: String,
        new_domain: String,
    }
    let input: Input = call.input()?;
    change(world, call, &input.load_balancer_id, &input.listener_id, |_, listener| {
        check_domain("NewDomain", &input.new_domain, 120)?;
        if !listener.rules.iter().any(|rule| rule.domains.contains(&input.domain)) {
            return Err(errors::parameter(format!("`Domain`: `{}` has no rule for `{}`.", listener.id, input.domain)));
        }
        if listener.rules.iter().any(|rule| rule.domains.contains(&input.new_domain)) {
            return Err(errors::duplicate(format!("`NewDomain`: `{}` has rules for it already.", listener.id)));
        }
        let domains = listener.rules.iter_mut().flat_map(|rule| &mut rule.domains);
        domains.filter(|domain| **domain == input.domain).for_each(|domain| domain.clone_from(&input.new_domain));
        Ok(json!({}))
    })
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        load_balancer_id: String,
        listener_id: String,
        location_ids: Option<Vec<String>>,
        domain: Option<String>,
        url: Option<String>,
        new_default_server_domain: Option<String>,
    }
    let input: Input = call.input()?;
    change(world, call, &input.load_balancer_id, &input.listener_id, |here, listener| {
        let ids = input.location_ids.unwrap_or_default();
        let mut doomed = Vec::new();
        for id in &ids {
            Location::by_id(Some(id)).place(here, call, listener)?;
            doomed.push(id.clone());
        }
        if ids.is_empty() {
            let domain = input.domain.as_ref().ok_or_else(|| ApiError::missing("LocationIds"))?;
            let fits =
                |rule: &&Rule| rule.domains.contains(domain) && input.url.as_ref().is_none_or(|url| *url == rule.url);
            doomed.extend(listener.rules.iter().filter(fits).map(|rule| rule.id.clone()));
            if doomed.is_empty() {
                let name = format!("for `{domain}` and `{}`", input.url.as_deref().unwrap_or("any path"));
                return Err(errors::not_found(here.settings, call.action, errors::Kind::Rule, &name));
            }
        }
        listener.rules.retain(|rule| !doomed.contains(&rule.id));
        match &input.new_default_server_domain {
            Some(domain) if listener.rules.iter().any(|rule| rule.domains.contains(domain)) => {
                set_default(listener, domain)
            }
            Some(domain) => {
                return Err(errors::parameter(format!(
                    "`NewDefaultServerDomain`: no rule for `{domain}` would be left."
                )));
            }
            None => {
                let first = listener.rules.first().map(|rule| rule.domain().to_owned());
                if let (Some(first), false) = (first, listener.rules.iter().any(|rule| rule.is_default)) {
                    set_default(listener, &first);
                }
            }
        }
        Ok(json!({}))
    })
}

//! Changes of what all rules of a domain share.

use serde::Deserialize;
use serde_json::{Value, json};

use super::rule_changes::{change, check_domain, set_default};
use super::{certificates, errors};
use crate::call::Call;
use crate::error::ApiError;
use crate::world::World;

pub(super) fn modify_attributes(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        load_balancer_id: String,
        listener_id: String,
        domain: String,
        new_domain: Option<String>,
        new_domains: Option<Vec<String>>,
        certificate: Option<certificates::Given>,
        multi_cert_info: Option<certificates::GivenMany>,
        http2: Option<bool>,
        quic: Option<bool>,
        default_server: Option<bool>,
        new_default_server_domain: Option<String>,
    }
    let input: Input = call.input()?;
    change(world, call, &input.load_balancer_id, &input.listener_id, |here, listener| {
        let of_domain = |domains: &[String]| domains.contains(&input.domain);
        if !listener.rules.iter().any(|rule| of_domain(&rule.domains)) {
            return Err(errors::parameter(format!("`Domain`: `{}` has no rule for `{}`.", listener.id, input.domain)));
        }
        let certificate = certificates::read(here.ids, input.certificate.as_ref(), input.multi_cert_info.as_ref())?;
        if certificate.is_some() && !listener.options.sni {
            return Err(errors::value("`Certificate` is for domains of listeners with SNI."));
        }
        let secure = listener.protocol == "HTTPS";
        if (input.http2 == Some(true) || input.quic == Some(true)) && !secure {
            return Err(errors::value("`Http2` and `Quic` are for HTTPS listeners."));
        }
        let renamed = match (&input.new_domain, &input.new_domains) {
            (Some(_), Some(_)) => return Err(errors::parameter("Give one of `NewDomain` and `NewDomains`.")),
            (Some(domain), None) => Some(vec![domain.clone()]),
            (None, domains) => domains.clone().filter(|domains| !domains.is_empty()),
        };
        for domain in renamed.iter().flatten() {
            check_domain("NewDomain", domain, 120)?;
            let others = listener.rules.iter().filter(|rule| !of_domain(&rule.domains));
            if others.flat_map(|rule| &rule.domains).any(|other| other == domain) {
                return Err(errors::duplicate(format!("`NewDomain`: `{}` has rules for it already.", listener.id)));
            }
        }
        if let Some(domain) = &input.new_default_server_domain
            && !listener.rules.iter().any(|rule| rule.domains.contains(domain))
        {
            return Err(errors::parameter(format!("`NewDefaultServerDomain`: there is no rule for `{domain}`.")));
        }
        if input.default_server == Some(true) {
            set_default(listener, &input.domain);
        }
        if let Some(domain) = &input.new_default_server_domain {
            set_default(listener, domain);
        }
        for rule in listener.rules.iter_mut().filter(|rule| of_domain(&rule.domains)) {
            rule.certificate = certificate.clone().or(rule.certificate.take());
            rule.http2 = input.http2.unwrap_or(rule.http2);
            rule.quic = input.quic.unwrap_or(rule.quic);
            rule.domains = renamed.clone().unwrap_or_else(|| std::mem::take(&mut rule.domains));
        }
        Ok(json!({}))
    })
}

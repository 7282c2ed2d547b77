//! The forwarding rules of HTTP and HTTPS listeners.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::certificates::Certificate;
use super::errors::{self, Kind};
use super::groups;
use super::health_checks::HealthCheck;
use super::listeners::{GroupBinding, Listener};
use super::targets::Target;
use crate::call::Call;
use crate::clock::Time;
use crate::error::ApiError;
use crate::world::{Local, Region};

/// A forwarding rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(super) id: String,
    /// One at least.
    pub(super) domains: Vec<String>,
    pub(super) url: String,
    pub(super) created: Time,
    pub(super) session_expire: i64,
    pub(super) scheduler: String,
    pub(super) forward_type: String,
    pub(super) is_default: bool,
    pub(super) http2: bool,
    pub(super) quic: bool,
    pub(super) target_type: String,
    pub(super) cookie_name: String,
    pub(super) certificate: Option<Certificate>,
    pub(super) health_check: HealthCheck,
    pub(super) targets: Vec<Target>,
    pub(super) groups: Vec<GroupBinding>,
}

impl Rule {
    /// The first domain: the one that answers with room for a single one show.
    pub(super) fn domain(&self) -> &str {
        self.domains.first().map(String::as_str).unwrap_or_default()
    }

    pub(super) fn show(&self, region: &Region, listener: &Listener) -> Value {
        let certificate = self.certificate.as_ref().or(listener.certificate.as_ref());
        json!({
            "LocationId": self.id,
            "Domain": self.domain(),
            "Domains": self.domains,
            "Url": self.url,
            "SessionExpireTime": self.session_expire,
            "HealthCheck": self.health_check.show(),
            "Certificate": certificate.map(Certificate::show),
            "Scheduler": self.scheduler,
            "ListenerId": listener.id,
            "RewriteTarget": {
                "TargetListenerId": null,
                "TargetLocationId": null,
                "RewriteCode": 0,
                "TakeUrl": false,
                "RewriteType": "",
            },
            "HttpGzip": false,
            "BeAutoCreated": false,
            "DefaultServer": self.is_default,
            "Http2": self.http2,
            "ForwardType": self.forward_type,
            "CreateTime": self.created.beijing(),
            "TargetType": self.target_type,
            "TargetGroup": groups::show_binding(region, self.groups.first()),
            "TargetGroupList": groups::show_bindings(region, &self.groups),
            "WafDomainId": "",
            "TrpcCallee": "",
            "TrpcFunc": "",
            "QuicStatus": if self.quic { "QUIC_ACTIVE" } else { "QUIC_INACTIVE" },
            "OAuth": { "OAuthEnable": false, "OAuthFailureStatus": "BYPASS" },
            "CookieName": self.cookie_name,
        })
    }
}

/// How requests name a rule: by its id, else by domain and path.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Location {
    pub(super) location_id: Option<String>,
    pub(super) domain: Option<String>,
    pub(super) url: Option<String>,
}

impl Location {
    pub(super) fn by_id(id: Option<&String>) -> Self {
        Self { location_id: id.cloned(), ..Self::default() }
    }

    /// The place of the rule among those of the listener.
    pub(super) fn place(&self, here: &Local<'_>, call: &Call, listener: &Listener) -> Result<usize, ApiError> {
        let missing = |name: &str| errors::not_found(here.settings, call.action, Kind::Rule, name);
        match (self.location_id.as_ref().filter(|id| !id.is_empty()), &self.domain, &self.url) {
            (Some(id), _, _) => {
                errors::check_id("LocationId", id, Kind::Rule)?;
                let place = listener.rules.iter().position(|rule| rule.id == *id);
                place.ok_or_else(|| missing(&format!("`{id}`")))
            }
            (None, Some(domain), Some(url)) => {
                let fits = |rule: &Rule| rule.domains.contains(domain) && rule.url == *url;
                let place = listener.rules.iter().position(fits);
                place.ok_or_else(|| missing(&format!("for `{domain}` and `{url}`")))
            }
            _ => Err(ApiError::missing("LocationId")),
        }
    }
}

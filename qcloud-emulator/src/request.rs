//! The entrance: from an HTTP request to a signed call of a known action.

use bytes::Bytes;
use http::{HeaderMap, Method, header::CONTENT_TYPE, header::HOST};
use serde_json::{Map, Value};

use crate::api::{APIS, Api};
use crate::auth::{self, Authorization, Signed};
use crate::error::ApiError;
use crate::validate::Form;
use crate::{query, zones};

/// The largest body that the API takes.
pub(crate) const LARGEST_BODY: usize = 10 * 1024 * 1024;
/// The longest query of a GET request.
const LONGEST_QUERY: usize = 32 * 1024;

/// A header's value as text; `None` when it is absent or no text.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A request as it came in.
#[derive(Debug)]
pub(crate) struct Incoming<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    host: &'a str,
    pub(crate) body: &'a Bytes,
    form: Form,
}

impl<'a> Incoming<'a> {
    /// Looks at method, size and content type.
    pub(crate) fn read(request: &'a http::Request<Bytes>) -> Result<Self, ApiError> {
        let (method, headers, body) = (request.method(), request.headers(), request.body());
        let form = match *method {
            Method::POST => Form::Json,
            Method::GET => Form::Query,
            _ => {
                let message = format!("The method {method} is not supported: use POST or GET.");
                return Err(ApiError::new("UnsupportedProtocol", message));
            }
        };
        let query = request.uri().query().unwrap_or_default();
        if body.len() > LARGEST_BODY || query.len() > LONGEST_QUERY {
            let message = "A request body has at most 10 MiB, a query at most 32 KiB: send less in one request.";
            return Err(ApiError::new("RequestSizeLimitExceeded", message));
        }
        refuse_legacy(headers, query, body)?;
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if form == Form::Json && essence != "application/json" {
            let message = format!("The Content-Type of a POST must be application/json, not `{content_type}`.");
            return Err(ApiError::new("UnsupportedProtocol", message));
        }
        let host = headers
            .get(HOST)
            .and_then(|value| value.to_str().ok())
            .or_else(|| request.uri().authority().map(|a| a.as_str()));
        let host = host.ok_or_else(|| ApiError::missing("Host"))?;
        Ok(Self { method, path: request.uri().path(), query, headers, host, body, form })
    }

    /// What is signed.
    pub(crate) fn signed(&self) -> Signed<'_> {
        Signed {
            method: self.method.as_str(),
            path: self.path,
            query: self.query,
            headers: self.headers,
            host: self.host,
            body: self.body,
        }
    }

    pub(crate) fn authorization(&self) -> Result<Authorization<'a>, ApiError> {
        let header = header(self.headers, "authorization").ok_or_else(|| ApiError::missing("Authorization"))?;
        auth::parse(header)
    }

    /// The action of a request that says it is not signed, when there need be no signature.
    pub(crate) fn unsigned_target(&self) -> Result<Option<(&'static Api, &'a str)>, ApiError> {
        if header(self.headers, "authorization").map(str::trim) != Some("SKIP") {
            return Ok(None);
        }
        let (api, action) = self.target("sts")?;
        if api.action(action).is_some_and(|action| action.unsigned) {
            return Ok(Some((api, action)));
        }
        let message =
            format!("The action {action} must be signed with TC3-HMAC-SHA256; the request says that it is not.");
        Err(ApiError::new("AuthFailure.InvalidAuthorization", message))
    }

    /// Finds the API and the action that the request means: by its host when that is one of the cloud's, otherwise by
    /// version, action and the service of the credential scope.
    pub(crate) fn target(&self, scope: &str) -> Result<(&'static Api, &'a str), ApiError> {
        let required = |name: &str| {
            let value = header(self.headers, name).filter(|value| !value.is_empty());
            value.ok_or_else(|| ApiError::missing(name_of(name)))
        };
        let action = required("x-tc-action")?;
        let version = required("x-tc-version")?;
        let candidates: Vec<&Api> = match service_of_host(self.host) {
            Some(service) => APIS.iter().copied().filter(|api| api.service == service).collect(),
            None if APIS.iter().any(|api| api.service == scope) => {
                APIS.iter().copied().filter(|api| api.service == scope).collect()
            }
            None => APIS.to_vec(),
        };
        if candidates.is_empty() {
            let message = format!("The host `{}` belongs to no service that the emulator has.", self.host);
            return Err(ApiError::new("NoSuchProduct", message));
        }
        let candidates: Vec<&Api> = candidates.into_iter().filter(|api| api.version == version).collect();
        if candidates.is_empty() {
            let versions: Vec<String> = APIS.iter().map(|api| format!("{} {}", api.service, api.version)).collect();
            let message = format!("No service has the version `{version}`. There are {}.", versions.join(", "));
            return Err(ApiError::new("NoSuchVersion", message));
        }
        for api in &candidates {
            if api.model()?.has(action) {
                return Ok((api, action));
            }
        }
        let services: Vec<&str> = candidates.iter().map(|api| api.service).collect();
        let message =
            format!("The action `{action}` does not exist in version {version} of {}.", services.join(" or "));
        Err(ApiError::new("InvalidAction", message))
    }

    /// The region: from the header, or from a regional host.
    pub(crate) fn region(&self) -> Result<Option<&'static str>, ApiError> {
        let in_host = self.host.split('.').nth(1).filter(|_| service_of_host(self.host).is_some());
        let in_host = in_host.and_then(zones::region);
        match header(self.headers, "x-tc-region").filter(|region| !region.is_empty()) {
            None => Ok(in_host.map(|region| region.name)),
            Some(name) => match zones::region(name) {
                Some(region) => Ok(Some(region.name)),
                None => {
                    let message = format!("The region `{name}` is not supported. There are {}.", zones::region_names());
                    Err(ApiError::new("UnsupportedRegion", message))
                }
            },
        }
    }

    /// The parameters, before the model has looked at them.
    pub(crate) fn parameters(&self) -> Result<(Map<String, Value>, Form), ApiError> {
        if self.form == Form::Query {
            return Ok((query::unfold(self.query)?, Form::Query));
        }
        // Some clients send nothing at all when there are no parameters.
        if self.body.is_empty() {
            return Ok((Map::new(), Form::Json));
        }
        let parameters = serde_json::from_slice(self.body)
            .map_err(|error| ApiError::new("InvalidParameter", format!("The body must be a JSON object: {error}.")))?;
        Ok((parameters, Form::Json))
    }
}

/// The signatures of API 2.0, which stand among the parameters.
fn refuse_legacy(headers: &HeaderMap, query: &str, body: &[u8]) -> Result<(), ApiError> {
    let legacy = |form: &[u8]| form_urlencoded::parse(form).any(|(key, _)| key == "Signature");
    let form_body = header(headers, CONTENT_TYPE.as_str()).is_some_and(|kind| kind.contains("x-www-form-urlencoded"));
    if headers.contains_key("authorization") || !(legacy(query.as_bytes()) || form_body && legacy(body)) {
        return Ok(());
    }
    let message = "The request carries a HmacSHA1 or HmacSHA256 signature among its parameters, which the emulator does \
                   not verify: set the client's signature method to TC3-HMAC-SHA256.";
    Err(ApiError::new("AuthFailure.InvalidAuthorization", message))
}

/// `cvm` for `cvm.tencentcloudapi.com` and its regional, internal and international forms; nothing for other hosts.
fn service_of_host(host: &str) -> Option<&str> {
    let name = host.split(':').next().unwrap_or_default();
    let labels: Vec<&str> = name.split('.').collect();
    match labels.as_slice() {
        [service, rest @ ..] if rest.contains(&"tencentcloudapi") => Some(service),
        _ => None,
    }
}

fn name_of(header: &str) -> &str {
    match header {
        "x-tc-action" => "X-TC-Action",
        "x-tc-version" => "X-TC-Version",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_the_cloud_name_the_service() {
        for host in [
            "cvm.tencentcloudapi.com",
            "cvm.ap-guangzhou.tencentcloudapi.com",
            "cvm.internal.tencentcloudapi.com:443",
            "cvm.intl.tencentcloudapi.com",
            "cvm.tencentcloudapi.com.cn",
        ] {
            assert_eq!(service_of_host(host), Some("cvm"), "{host}");
        }
        for host in ["127.0.0.1:80", "localhost", "", "tencentcloudapi", "[::1]:8080"] {
            assert_eq!(service_of_host(host), None, "{host}");
        }
    }
}

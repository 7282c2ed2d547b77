//! The two calls of the Security Token Service that give credentials.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use chrono::DateTime;
use http::header::DATE;
use http::uri::Authority;
use http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use tracing::debug;

use super::{Credentials, ProviderContext, check, epoch, refused};
use crate::clock::within;
use crate::error::code::is_clock_skew;
use crate::signing::{Signer, SigningRequest};
use crate::transport::{HttpRequest, HttpResponse};
use crate::{Endpoint, Error, ErrorKind, Region, Secret, Service};

pub(super) const STS: Service = Service::new("sts", "2018-08-13");
/// What the official clients ask for when nothing is said.
pub(super) const DEFAULT_DURATION: Duration = Duration::from_secs(7200);
const LONGEST: Duration = Duration::from_secs(43_200);
const CONTENT_TYPE: &str = "application/json; charset=utf-8";
const TIMEOUT: Duration = Duration::from_secs(4);
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    response: Response,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Response {
    credentials: Option<Keys>,
    expired_time: i64,
    error: Option<Failure>,
    request_id: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Keys {
    tmp_secret_id: String,
    tmp_secret_key: Secret,
    token: Secret,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Failure {
    code: String,
    message: String,
}

/// A call for credentials. Both calls can be repeated without harm.
pub(super) struct Call<'a> {
    pub(super) context: &'a ProviderContext,
    pub(super) endpoint: &'a Endpoint,
    pub(super) region: Region,
    pub(super) action: &'static str,
    pub(super) body: Bytes,
}

impl Call<'_> {
    /// Makes the call, three times at most. `keys` sign it; without any it says that it is not signed.
    pub(super) async fn send(&self, keys: Option<&Credentials>) -> Result<Credentials, Error> {
        let url = self.endpoint.resolve(STS.name, Some(&self.region))?;
        let mut tries = 0;
        let mut skew = 0;
        loop {
            tries += 1;
            let now = self.seconds() + skew;
            let request = self.request(&url, keys, now)?;
            let error = match self.exchange(request, &mut skew).await {
                Ok(credentials) => return Ok(credentials),
                Err(error) => error,
            };
            if tries >= TRIES || !error.is_retryable() {
                return Err(self.wrap(error));
            }
            debug!(action = self.action, %error, "credentials are asked for again");
            self.context.clock.sleep(PAUSE.mul_f64(f64::from(tries) + fastrand::f64())).await;
        }
    }

    fn seconds(&self) -> i64 {
        let now = self.context.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(now.as_secs()).unwrap_or_default()
    }

    fn request(&self, url: &Uri, keys: Option<&Credentials>, timestamp: i64) -> Result<HttpRequest, Error> {
        let host = url.authority().map(Authority::as_str).unwrap_or_default();
        let authorization = keys.map_or_else(
            || "SKIP".to_owned(),
            |keys| {
                let request = SigningRequest {
                    method: "POST",
                    path: "/",
                    query: "",
                    content_type: CONTENT_TYPE,
                    host,
                    payload: &self.body,
                    service: STS.name,
                    timestamp,
                };
                Signer::new().authorization(keys.secret_id(), keys.secret_key(), 0, &request)
            },
        );
        let mut request = http::Request::post(url)
            .header("Host", host)
            .header("Content-Type", CONTENT_TYPE)
            .header("X-TC-Action", self.action)
            .header("X-TC-Version", STS.version)
            .header("X-TC-Region", self.region.as_str())
            .header("X-TC-Timestamp", timestamp)
            .header("Authorization", authorization);
        if let Some(token) = keys.and_then(Credentials::token) {
            request = request.header("X-TC-Token", token.expose());
        }
        // The error is left out: it is about a header, which may be secret.
        let mut request = request
            .body(self.body.clone())
            .map_err(|_| refused(format!("the region or a key can't be part of the call {}", self.action)))?;
        for name in ["Authorization", "X-TC-Token"] {
            if let Some(value) = request.headers_mut().get_mut(name) {
                value.set_sensitive(true);
            }
        }
        Ok(request)
    }

    /// Sends the request. When STS finds its time off, `skew` becomes what this machine's clock lacks.
    async fn exchange(&self, request: HttpRequest, skew: &mut i64) -> Result<Credentials, Error> {
        let exchange = self.context.transport.send(request);
        let Some(answer) = within(&*self.context.clock, TIMEOUT, exchange).await else {
            return Err(Error::new(ErrorKind::Timeout, format!("no answer within {TIMEOUT:?}")));
        };
        let answer = answer?;
        let outcome = self.read(&answer);
        if let Err(error) = &outcome
            && error.code().is_some_and(is_clock_skew)
            && let Some(date) = answer.headers().get(DATE).and_then(|date| date.to_str().ok())
            && let Ok(date) = DateTime::parse_from_rfc2822(date)
        {
            *skew = date.timestamp() - self.seconds();
        }
        outcome
    }

    fn read(&self, answer: &HttpResponse) -> Result<Credentials, Error> {
        if answer.status() != StatusCode::OK {
            let status = answer.status().as_u16();
            return Err(Error::new(ErrorKind::Http, "the answer is not the API's").with_http_status(status));
        }
        // serde_json's own message can quote a value.
        let Envelope { response } = serde_json::from_slice(answer.body()).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            Error::new(ErrorKind::Decode, format!("the answer is not the expected JSON ({place})"))
        })?;
        if let Some(Failure { code, message }) = response.error {
            return Err(Error::service(format!("{}:{}", STS.name, self.action), code, message, response.request_id));
        }
        let keys = response.credentials.unwrap_or_default();
        check("the TmpSecretId of the answer", &keys.tmp_secret_id)?;
        check("the TmpSecretKey of the answer", keys.tmp_secret_key.expose())?;
        check("the Token of the answer", keys.token.expose())?;
        let expiry = epoch(response.expired_time)
            .filter(|_| response.expired_time > 0)
            .ok_or_else(|| refused("the answer lacks an ExpiredTime"))?;
        Ok(Credentials::new(keys.tmp_secret_id, keys.tmp_secret_key).with_token(keys.token).with_expiry(expiry))
    }

    /// The error of a call is an error of the credentials for whoever needs them.
    fn wrap(&self, error: Error) -> Error {
        refused(format!("no credentials from {} at {}: {error}", self.action, self.endpoint)).with_source(error)
    }
}

pub(super) fn duration_seconds(duration: Duration) -> Result<u64, Error> {
    if duration < Duration::from_secs(1) || duration > LONGEST {
        return Err(refused(format!("a role can be assumed for 1 second to 12 hours, not for {duration:?}")));
    }
    Ok(duration.as_secs())
}

/// The name of a session, as it appears in audit logs.
pub(super) fn session_name(given: Option<&str>, now: SystemTime) -> String {
    given.map(str::to_owned).unwrap_or_else(|| {
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        format!("qcloud-rust-{seconds}")
    })
}

pub(super) fn body(parameters: &impl Serialize) -> Result<Bytes, Error> {
    serde_json::to_vec(parameters)
        .map(Bytes::from)
        .map_err(|_| refused("the parameters of the call to STS can't be written as JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_session_names() {
        assert_eq!(duration_seconds(DEFAULT_DURATION).unwrap(), 7200);
        assert!(duration_seconds(Duration::ZERO).is_err());
        assert!(duration_seconds(LONGEST + Duration::from_secs(1)).is_err());
        assert_eq!(session_name(Some("mine"), UNIX_EPOCH), "mine");
        assert_eq!(session_name(None, UNIX_EPOCH), "qcloud-rust-0");
    }
}

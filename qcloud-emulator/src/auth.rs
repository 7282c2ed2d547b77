//! TC3-HMAC-SHA256, verified over the request as it was sent.
//!
//! The official clients differ in details: which headers they sign, whether the host is signed with its port, which
//! service name stands in the scope. All of that is accepted, as the cloud accepts it; see the vectors in the tests.

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha2::{Digest, Sha256};

use crate::clock::Clock;
use crate::credentials::Credential;
use crate::error::ApiError;
use crate::settings::{Settings, SignatureTime};
use crate::{clock::Time, request::header};

const ALGORITHM: &str = "TC3-HMAC-SHA256";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// What an `Authorization` header says.
#[derive(Debug)]
pub(crate) struct Authorization<'a> {
    pub(crate) secret_id: &'a str,
    date: &'a str,
    pub(crate) service: &'a str,
    signed_headers: Vec<&'a str>,
    signature: Vec<u8>,
}

/// The signed parts of a request.
#[derive(Debug)]
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) host: &'a str,
    pub(crate) body: &'a [u8],
}

fn malformed(what: &str) -> ApiError {
    let message = format!(
        "The Authorization header is malformed: {what}. It reads `{ALGORITHM} Credential=<SecretId>/<date>/<service>/tc3_request, \
         SignedHeaders=content-type;host, Signature=<64 hex digits>`."
    );
    ApiError::new("AuthFailure.InvalidAuthorization", message)
}

/// Reads an `Authorization` header, with or without spaces after its commas.
pub(crate) fn parse(header: &str) -> Result<Authorization<'_>, ApiError> {
    let Some(rest) = header.strip_prefix(ALGORITHM) else {
        return Err(malformed("only TC3-HMAC-SHA256 signatures are accepted"));
    };
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for part in rest.split(',') {
        match part.trim().split_once('=') {
            Some(("Credential", value)) => credential = Some(value),
            Some(("SignedHeaders", value)) => signed_headers = Some(value),
            Some(("Signature", value)) => signature = Some(value),
            _ => return Err(malformed("it has a part other than Credential, SignedHeaders and Signature")),
        }
    }
    let credential = credential.ok_or_else(|| malformed("it has no Credential"))?;
    let mut scope = credential.split('/');
    let (Some(secret_id), Some(date), Some(service), Some("tc3_request"), None) =
        (scope.next(), scope.next(), scope.next(), scope.next(), scope.next())
    else {
        return Err(malformed("its Credential does not have the four parts of a scope"));
    };
    let signed_headers: Vec<&str> =
        signed_headers.ok_or_else(|| malformed("it has no SignedHeaders"))?.split(';').map(str::trim).collect();
    for needed in ["content-type", "host"] {
        if !signed_headers.iter().any(|name| name.eq_ignore_ascii_case(needed)) {
            return Err(malformed(&format!("SignedHeaders must have `{needed}`")));
        }
    }
    let signature = signature.ok_or_else(|| malformed("it has no Signature"))?;
    let signature = hex::decode(signature).map_err(|_| malformed("its Signature is not hexadecimal"))?;
    Ok(Authorization { secret_id, date, service, signed_headers, signature })
}

impl Authorization<'_> {
    /// Verifies the request: the key, the token, the age and the signature.
    pub(crate) fn verify(
        &self,
        request: &Signed<'_>,
        credentials: &[Credential],
        clock: &Clock,
        settings: &Settings,
    ) -> Result<(), ApiError> {
        let credential = self.credential(request.headers, credentials, clock.time())?;
        let timestamp = timestamp(request.headers)?;
        check_age(timestamp, clock, settings)?;
        if timestamp.date() != self.date {
            let message = format!(
                "The date {} of the credential scope is not the day of X-TC-Timestamp, {} in UTC.",
                self.date,
                timestamp.date()
            );
            return Err(ApiError::new("AuthFailure.SignatureFailure", message));
        }
        if self.fits(request, credential, timestamp) {
            return Ok(());
        }
        let message = "The signature does not match the request. Check the secret key, and that nothing changed method, \
                       path, query, signed headers or body after signing.";
        Err(ApiError::new("AuthFailure.SignatureFailure", message))
    }

    fn credential<'c>(
        &self,
        headers: &HeaderMap,
        credentials: &'c [Credential],
        now: Time,
    ) -> Result<&'c Credential, ApiError> {
        let mut known = credentials.iter().filter(|credential| credential.secret_id == self.secret_id).peekable();
        if known.peek().is_none() {
            let message =
                format!("The SecretId `{}` is not known here: use the one the emulator printed.", self.secret_id);
            return Err(ApiError::new("AuthFailure.SecretIdNotFound", message));
        }
        let token = header(headers, "x-tc-token").filter(|token| !token.is_empty());
        let Some(credential) = known.find(|credential| credential.token.as_deref() == token) else {
            let message = match token {
                Some(_) => "The token in X-TC-Token does not belong to this SecretId.",
                None => "This SecretId is a temporary one: send its token in X-TC-Token.",
            };
            return Err(ApiError::new("AuthFailure.TokenFailure", message));
        };
        if credential.expires.is_some_and(|expires| expires <= now) {
            let message = "The temporary credential has expired: fetch a new one.";
            return Err(ApiError::new("AuthFailure.TokenFailure", message));
        }
        Ok(credential)
    }

    /// Tries the forms in which official clients sign: the host as sent, without its port, and as a whole URL (tccli
    /// with such an endpoint); header values as sent or in lower case.
    fn fits(&self, request: &Signed<'_>, credential: &Credential, timestamp: Time) -> bool {
        let key = signing_key(&credential.secret_key, self.date, self.service);
        let payload = if header(request.headers, "x-tc-content-sha256") == Some(UNSIGNED) {
            hash(UNSIGNED.as_bytes())
        } else if request.method == "GET" {
            hash(b"")
        } else {
            hash(request.body)
        };
        let without_port = request.host.rsplit_once(':').map_or(request.host, |(name, _)| name);
        let hosts = [
            request.host.to_owned(),
            without_port.to_owned(),
            format!("http://{}", request.host),
            format!("https://{}", request.host),
        ];
        let styles = [Style::ActionInLowerCase, Style::LowerCase, Style::AsSent];
        let mut forms = styles.iter().flat_map(|style| hosts.iter().map(move |host| (style, host)));
        forms.any(|(style, host)| {
            let canonical = self.canonical(request, host, *style, &payload);
            let to_sign = format!(
                "{ALGORITHM}\n{}\n{}/{}/tc3_request\n{}",
                timestamp.seconds(),
                self.date,
                self.service,
                hash(canonical.as_bytes())
            );
            let mut mac = keyed(&key);
            mac.update(to_sign.as_bytes());
            mac.verify_slice(&self.signature).is_ok()
        })
    }

    fn canonical(&self, request: &Signed<'_>, host: &str, style: Style, payload: &str) -> String {
        let mut headers = String::new();
        for name in &self.signed_headers {
            let name = name.to_ascii_lowercase();
            let value = if name == "host" { host } else { header(request.headers, &name).unwrap_or_default().trim() };
            let lower = match style {
                Style::ActionInLowerCase => name == "x-tc-action",
                Style::LowerCase => true,
                Style::AsSent => false,
            };
            headers.push_str(&name);
            headers.push(':');
            headers.push_str(&if lower { value.to_lowercase() } else { value.to_owned() });
            headers.push('\n');
        }
        let names = self.signed_headers.join(";").to_ascii_lowercase();
        format!("{}\n{}\n{}\n{headers}\n{names}\n{payload}", request.method, request.path, request.query)
    }
}

/// How the values of signed headers are written.
#[derive(Clone, Copy, Debug)]
enum Style {
    ActionInLowerCase,
    LowerCase,
    AsSent,
}

fn timestamp(headers: &HeaderMap) -> Result<Time, ApiError> {
    let text = header(headers, "x-tc-timestamp").ok_or_else(|| ApiError::missing("X-TC-Timestamp"))?;
    let seconds = text.parse::<i64>().map_err(|_| {
        ApiError::new("InvalidParameter", format!("X-TC-Timestamp must be a UNIX time in seconds, not `{text}`."))
    })?;
    Ok(Time::from_seconds(seconds))
}

fn check_age(timestamp: Time, clock: &Clock, settings: &Settings) -> Result<(), ApiError> {
    let now = clock.time();
    let fresh = |now: Time| timestamp.distance(now) <= settings.signature_age;
    let fresh = match settings.signature_time {
        SignatureTime::Unchecked => true,
        SignatureTime::Emulator => fresh(now),
        SignatureTime::EmulatorOrMachine => fresh(now) || fresh(Clock::real().time()),
    };
    if fresh {
        return Ok(());
    }
    let message = format!(
        "The request was signed at {} but it is {} here, more than {} seconds apart. Check the clock of your machine.",
        timestamp.iso(),
        now.iso(),
        settings.signature_age.as_secs()
    );
    Err(ApiError::new("AuthFailure.SignatureExpire", message))
}

fn signing_key(secret_key: &str, date: &str, service: &str) -> Vec<u8> {
    let day = mac(format!("TC3{secret_key}").as_bytes(), date);
    mac(&mac(&day, service), "tc3_request")
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = keyed(key);
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length, so the second arm is never reached.
    Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()))
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

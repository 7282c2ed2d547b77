//! TC3-HMAC-SHA256 request signing.
//!
//! The scheme: hash the canonical request, put the hash with the time and the scope into the string to sign, and sign
//! that with a key derived from the secret for one day and one service. Deriving takes three of the four HMACs, so
//! [`Signer`] keeps the derived keys.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::DateTime;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::Secret;

/// Name of the scheme, the first word of the `Authorization` header.
pub const ALGORITHM: &str = "TC3-HMAC-SHA256";

/// What stands for the body when it is not signed; the header `X-TC-Content-SHA256` must say so.
pub const UNSIGNED_PAYLOAD: &[u8] = b"UNSIGNED-PAYLOAD";

const SIGNED_HEADERS: &str = "content-type;host";
const MOST_KEYS: usize = 32;

/// The parts of a request that are signed, exactly as they are sent.
#[derive(Clone, Copy, Debug)]
pub struct SigningRequest<'a> {
    /// HTTP method in capitals.
    pub method: &'a str,
    /// Path of the URL; `/` for every action.
    pub path: &'a str,
    /// Query of the URL without the question mark; empty for POST.
    pub query: &'a str,
    /// Value of the `Content-Type` header.
    pub content_type: &'a str,
    /// Value of the `Host` header, with the port when the URL has one.
    pub host: &'a str,
    /// The body, or [`UNSIGNED_PAYLOAD`].
    pub payload: &'a [u8],
    /// Short name of the service: `cvm`.
    pub service: &'a str,
    /// The value of `X-TC-Timestamp`: seconds since 1970, UTC.
    pub timestamp: i64,
}

/// Takes the pieces of a text one after another, so that it can be hashed without being built.
trait Sink {
    fn push(&mut self, piece: &[u8]);
}

impl Sink for Sha256 {
    fn push(&mut self, piece: &[u8]) {
        self.update(piece);
    }
}

impl Sink for Hmac<Sha256> {
    fn push(&mut self, piece: &[u8]) {
        self.update(piece);
    }
}

impl Sink for Vec<u8> {
    fn push(&mut self, piece: &[u8]) {
        self.extend_from_slice(piece);
    }
}

type HexDigest = [u8; 64];

fn hex_digest(digest: &[u8]) -> HexDigest {
    let mut out = [0; 64];
    // The sizes always match: a SHA-256 digest is 32 bytes.
    let _ = hex::encode_to_slice(digest, &mut out);
    out
}

impl SigningRequest<'_> {
    /// The UTC date of the timestamp, which is part of the scope: `2019-02-25`.
    #[must_use]
    pub fn date(&self) -> String {
        DateTime::from_timestamp(self.timestamp, 0).unwrap_or_default().format("%Y-%m-%d").to_string()
    }

    fn write_canonical(&self, sink: &mut impl Sink) {
        let payload_hash = hex_digest(&Sha256::digest(self.payload));
        let lower = self.host.bytes().any(|byte| byte.is_ascii_uppercase()).then(|| self.host.to_ascii_lowercase());
        for piece in [
            self.method,
            "\n",
            self.path,
            "\n",
            self.query,
            "\ncontent-type:",
            self.content_type,
            "\nhost:",
            lower.as_deref().unwrap_or(self.host),
            "\n\n",
            SIGNED_HEADERS,
            "\n",
        ] {
            sink.push(piece.as_bytes());
        }
        sink.push(&payload_hash);
    }

    fn write_string_to_sign(&self, date: &str, sink: &mut impl Sink) {
        let mut canonical = Sha256::new();
        self.write_canonical(&mut canonical);
        let canonical_hash = hex_digest(&canonical.finalize());
        let mut digits = [0; 20];
        for piece in [
            ALGORITHM.as_bytes(),
            b"\n",
            decimal(self.timestamp, &mut digits),
            b"\n",
            date.as_bytes(),
            b"/",
            self.service.as_bytes(),
            b"/tc3_request\n",
            &canonical_hash,
        ] {
            sink.push(piece);
        }
    }

    /// The canonical request, for looking at when a signature is refused.
    #[must_use]
    pub fn canonical_request(&self) -> String {
        let mut text = Vec::new();
        self.write_canonical(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The string to sign, for looking at when a signature is refused.
    #[must_use]
    pub fn string_to_sign(&self) -> String {
        let mut text = Vec::new();
        self.write_string_to_sign(&self.date(), &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// Writes a number in decimal without an allocation.
fn decimal(number: i64, buffer: &mut [u8; 20]) -> &[u8] {
    let mut rest = number.unsigned_abs();
    let mut start = buffer.len();
    for (index, place) in buffer.iter_mut().enumerate().rev() {
        *place = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        start = index;
        if rest == 0 {
            break;
        }
    }
    if number < 0 && start > 0 {
        start -= 1;
        if let Some(sign) = buffer.get_mut(start) {
            *sign = b'-';
        }
    }
    buffer.get(start..).unwrap_or_default()
}

fn hmac(key: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length, so the error case does not exist; an empty key stands in for it.
    Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&hmac::digest::Key::<Hmac<Sha256>>::default()))
}

fn chain(key: &[u8], message: &[u8]) -> zeroize::Zeroizing<[u8; 32]> {
    let mut mac = hmac(key);
    mac.update(message);
    zeroize::Zeroizing::new(mac.finalize().into_bytes().into())
}

/// A key derived for one day and one service, ready to sign.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// Derives the key of a secret for a UTC date (`2019-02-25`) and a service (`cvm`).
    #[must_use]
    pub fn derive(secret_key: &Secret, date: &str, service: &str) -> Self {
        let start = zeroize::Zeroizing::new(format!("TC3{}", secret_key.expose()));
        let day = chain(start.as_bytes(), date.as_bytes());
        let scope = chain(&*day, service.as_bytes());
        let key = chain(&*scope, b"tc3_request");
        Self(hmac(&*key))
    }

    fn sign(self, request: &SigningRequest<'_>, date: &str) -> HexDigest {
        let mut mac = self.0;
        request.write_string_to_sign(date, &mut mac);
        hex_digest(&mac.finalize().into_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(***)")
    }
}

struct CachedKey {
    generation: u64,
    day: i64,
    date: Arc<str>,
    service: String,
    key: SigningKey,
}

/// Signs requests, and keeps the keys it derives.
///
/// A key is good for one set of credentials, one UTC day and one service.
#[derive(Default)]
pub struct Signer {
    keys: Mutex<Vec<CachedKey>>,
}

impl Signer {
    /// A signer without keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of the `Authorization` header. `generation` names the set of credentials: the same number must always
    /// come with the same secret.
    #[must_use]
    pub fn authorization(
        &self,
        secret_id: &str,
        secret_key: &Secret,
        generation: u64,
        request: &SigningRequest<'_>,
    ) -> String {
        let day = request.timestamp.div_euclid(86_400);
        let (key, date) = self.key(secret_key, generation, day, request);
        let signature = key.sign(request, &date);
        let mut header = String::with_capacity(ALGORITHM.len() + secret_id.len() + request.service.len() + 160);
        for piece in [
            ALGORITHM,
            " Credential=",
            secret_id,
            "/",
            &date,
            "/",
            request.service,
            "/tc3_request, SignedHeaders=",
            SIGNED_HEADERS,
            ", Signature=",
            std::str::from_utf8(&signature).unwrap_or_default(),
        ] {
            header.push_str(piece);
        }
        header
    }

    /// The key and the date to sign with. The lock is not held while a body is hashed, which may be large.
    fn key(
        &self,
        secret_key: &Secret,
        generation: u64,
        day: i64,
        request: &SigningRequest<'_>,
    ) -> (SigningKey, Arc<str>) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let known =
            keys.iter().find(|key| key.day == day && key.generation == generation && key.service == request.service);
        if let Some(entry) = known {
            return (entry.key.clone(), Arc::clone(&entry.date));
        }
        let date: Arc<str> = request.date().into();
        let key = SigningKey::derive(secret_key, &date, request.service);
        // Keys of past days and replaced credentials are of no more use.
        keys.retain(|key| key.day >= day - 1 && key.generation + 1 >= generation);
        if keys.len() >= MOST_KEYS {
            keys.remove(0);
        }
        keys.push(CachedKey {
            generation,
            day,
            date: Arc::clone(&date),
            service: request.service.to_owned(),
            key: key.clone(),
        });
        (key, date)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

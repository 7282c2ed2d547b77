//! Signatures: those of the official clients verify, anything changed does not.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response};
use qcloud_emulator::{Clock, Credential, Emulator, SignatureTime};
use serde::Deserialize;
use serde_json::json;

use crate::client::{Client, START, Unsent, answer, builder, client, code};

#[derive(Clone, Debug, Deserialize)]
struct Vector {
    name: String,
    secret_id: String,
    secret_key: String,
    token: Option<String>,
    method: String,
    host: String,
    path: String,
    query: String,
    payload: String,
    action: String,
    version: String,
    region: String,
    timestamp: u64,
    content_type: String,
    unsigned_payload: bool,
    authorization: String,
}

fn vectors() -> Vec<Vector> {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("../data/tc3-vectors.json")).unwrap();
    assert!(vectors.len() >= 16);
    vectors
}

impl Vector {
    fn request(&self) -> Request<Bytes> {
        let uri = if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) };
        let mut request = Request::builder()
            .method(self.method.as_str())
            .uri(uri)
            .header("Host", &self.host)
            .header("Content-Type", &self.content_type)
            .header("Authorization", &self.authorization)
            .header("X-TC-Action", &self.action)
            .header("X-TC-Version", &self.version)
            .header("X-TC-Region", &self.region)
            .header("X-TC-Timestamp", self.timestamp.to_string());
        if let Some(token) = &self.token {
            request = request.header("X-TC-Token", token);
        }
        if self.unsigned_payload {
            request = request.header("X-TC-Content-SHA256", "UNSIGNED-PAYLOAD");
        }
        request.body(Bytes::from(self.payload.clone())).unwrap()
    }

    /// An emulator at the moment of the vector that knows its key.
    async fn send(&self, request: Request<Bytes>) -> Response<Bytes> {
        let mut credential = Credential::new(&self.secret_id, &self.secret_key);
        if let Some(token) = &self.token {
            credential = credential.with_token(token);
        }
        let clock = Clock::starting_at(UNIX_EPOCH + Duration::from_secs(self.timestamp));
        let emulator = Emulator::builder().clock(clock).credential(credential).build().unwrap();
        emulator.handle(request).await
    }
}

/// The code of a refusal on account of the signature; other refusals come after the signature was found good.
fn auth_failure(response: &Response<Bytes>) -> Option<String> {
    answer(response).err().map(|refusal| refusal.code).filter(|code| code.starts_with("AuthFailure"))
}

#[tokio::test]
async fn requests_of_the_official_clients_verify() {
    for vector in vectors() {
        let response = vector.send(vector.request()).await;
        assert_eq!(auth_failure(&response), None, "{}: {response:?}", vector.name);
    }
}

#[tokio::test]
async fn tampered_requests_of_the_official_clients_do_not() {
    for vector in vectors() {
        let expect = async |request: Request<Bytes>, what: &str| {
            let response = vector.send(request).await;
            assert_eq!(
                auth_failure(&response).as_deref(),
                Some("AuthFailure.SignatureFailure"),
                "{}: {what}",
                vector.name
            );
        };
        if vector.method == "POST" && !vector.unsigned_payload {
            let changed = Vector { payload: format!("{} ", vector.payload), ..vector.clone() };
            expect(changed.request(), "body").await;
        }
        if vector.method == "GET" {
            // The same parameters, but not the same bytes.
            let changed = Vector { query: vector.query.replace('+', "%20"), ..vector.clone() };
            expect(changed.request(), "query").await;
        }
        let changed = Vector { timestamp: vector.timestamp + 1, ..vector.clone() };
        expect(changed.request(), "timestamp").await;
        let changed = Vector { host: "example.com".to_owned(), ..vector.clone() };
        expect(changed.request(), "host").await;
        let changed = Vector { path: "/other".to_owned(), ..vector.clone() };
        expect(changed.request(), "path").await;
        let stranger = Vector { secret_key: format!("{}x", vector.secret_key), ..vector.clone() };
        let response = stranger.send(vector.request()).await;
        assert_eq!(auth_failure(&response).as_deref(), Some("AuthFailure.SignatureFailure"), "{}", vector.name);
    }
}

/// A signed request whose headers are changed afterwards.
fn with_header(request: Unsent, name: &str, value: &str) -> Request<Bytes> {
    let mut request = request.signed();
    let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

#[tokio::test]
async fn the_forms_that_clients_write_are_all_accepted() {
    let client = client();
    let request = || client.unsent("cvm", "DescribeZones", json!({}));
    // No space after the commas.
    let mut tight = request().signed();
    let authorization = tight.headers()["authorization"].to_str().unwrap().replace(", ", ",");
    tight.headers_mut().insert("authorization", authorization.parse().unwrap());
    assert!(answer(&client.emulator.handle(tight).await).is_ok());
    // A charset after the content type.
    let charset = Unsent { content_type: "application/json; charset=utf-8".to_owned(), ..request() };
    assert!(answer(&client.send(charset).await).is_ok());
    // A custom endpoint: the service of the scope is its first label, and the host is signed without its port.
    let node = Unsent { service: "127".to_owned(), host: "127.0.0.1".to_owned(), ..request() };
    assert!(answer(&client.emulator.handle(with_header(node, "host", "127.0.0.1:18080")).await).is_ok());
    // The whole endpoint signed as host.
    let tccli = Unsent { host: "http://127.0.0.1:18080".to_owned(), ..request() };
    assert!(answer(&client.emulator.handle(with_header(tccli, "host", "127.0.0.1:18080")).await).is_ok());
}

#[tokio::test]
async fn the_action_may_be_signed_in_lower_case() {
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::{Digest, Sha256};

    let client = client();
    let mut request = client.unsent("cvm", "DescribeZones", json!({})).signed();
    let canonical = format!(
        "POST\n/\n\ncontent-type:application/json\nhost:cvm.tencentcloudapi.com\nx-tc-action:describezones\n\n\
         content-type;host;x-tc-action\n{}",
        hex::encode(Sha256::digest(b"{}"))
    );
    let to_sign = format!(
        "TC3-HMAC-SHA256\n{START}\n2026-01-02/cvm/tc3_request\n{}",
        hex::encode(Sha256::digest(canonical.as_bytes()))
    );
    let mut key = format!("TC3{}", client.emulator.secret_key()).into_bytes();
    for part in ["2026-01-02", "cvm", "tc3_request", &to_sign] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(part.as_bytes());
        key = mac.finalize().into_bytes().to_vec();
    }
    let authorization = format!(
        "TC3-HMAC-SHA256 Credential={}/2026-01-02/cvm/tc3_request, \
         SignedHeaders=content-type;host;x-tc-action, Signature={}",
        client.emulator.secret_id(),
        hex::encode(key)
    );
    request.headers_mut().insert("authorization", authorization.parse().unwrap());
    assert!(answer(&client.emulator.handle(request).await).is_ok());
}

#[tokio::test]
async fn each_failure_has_its_code() {
    let client = client();
    let request = || client.unsent("cvm", "DescribeZones", json!({}));
    let refused = async |request: Request<Bytes>| code(answer(&client.emulator.handle(request).await));

    let unknown = Unsent { secret_id: "AKIDnobody".to_owned(), ..request() };
    assert_eq!(refused(unknown.signed()).await, "AuthFailure.SecretIdNotFound");
    let wrong = Unsent { secret_key: "wrong".to_owned(), ..request() };
    assert_eq!(refused(wrong.signed()).await, "AuthFailure.SignatureFailure");
    let token = Unsent { token: Some("unheard of".to_owned()), ..request() };
    assert_eq!(refused(token.signed()).await, "AuthFailure.TokenFailure");
    for skew in [-301_i64, 301] {
        let at = UNIX_EPOCH + Duration::from_secs(START.saturating_add_signed(skew));
        assert_eq!(refused(Unsent { at, ..request() }.signed()).await, "AuthFailure.SignatureExpire", "{skew}");
    }
    for skew in [-299_i64, 299] {
        let at = UNIX_EPOCH + Duration::from_secs(START.saturating_add_signed(skew));
        assert!(answer(&client.send(Unsent { at, ..request() }).await).is_ok(), "{skew}");
    }
    for (header, code) in [
        ("authorization", "MissingParameter"),
        ("x-tc-timestamp", "MissingParameter"),
        ("x-tc-action", "MissingParameter"),
        ("x-tc-version", "MissingParameter"),
        ("x-tc-region", "MissingParameter"),
    ] {
        let mut without = request().signed();
        without.headers_mut().remove(header);
        assert_eq!(refused(without).await, code, "{header}");
    }
    for authorization in [
        "Basic Zm9vOmJhcg==",
        "TC3-HMAC-SHA256",
        "TC3-HMAC-SHA256 Credential=a/b/c, SignedHeaders=content-type;host, Signature=00",
        "TC3-HMAC-SHA256 Credential=a/2026-01-02/cvm/tc3_request, SignedHeaders=host, Signature=00",
        "TC3-HMAC-SHA256 Credential=a/2026-01-02/cvm/tc3_request, SignedHeaders=content-type;host, Signature=zz",
    ] {
        let code = refused(with_header(request(), "authorization", authorization)).await;
        assert_eq!(code, "AuthFailure.InvalidAuthorization", "{authorization}");
    }
    assert_eq!(refused(with_header(request(), "x-tc-timestamp", "yesterday")).await, "InvalidParameter");
}

#[tokio::test]
async fn legacy_signatures_are_refused_with_advice() {
    let client = client();
    let query = "Action=DescribeZones&SecretId=a&Signature=abc&SignatureMethod=HmacSHA256";
    let get = Request::get(format!("/?{query}")).header("Host", "cvm.tencentcloudapi.com");
    let post = Request::post("/")
        .header("Host", "cvm.tencentcloudapi.com")
        .header("Content-Type", "application/x-www-form-urlencoded");
    for request in [get.body(Bytes::new()), post.body(Bytes::from(query))] {
        let refusal = answer(&client.emulator.handle(request.unwrap()).await).unwrap_err();
        assert_eq!(refusal.code, "AuthFailure.InvalidAuthorization");
        assert!(refusal.message.contains("TC3-HMAC-SHA256"));
    }
}

#[tokio::test]
async fn temporary_credentials_need_their_token_and_end() {
    let end = UNIX_EPOCH + Duration::from_secs(START + 60);
    let temporary = Credential::new("AKIDtemp", "key").with_token("token").expiring_at(end);
    let client = Client::of(builder().credential(temporary));
    let request = |token: Option<&str>| Unsent {
        token: token.map(str::to_owned),
        ..client.unsent("cvm", "DescribeZones", json!({}))
    };
    assert!(answer(&client.send(request(Some("token"))).await).is_ok());
    assert_eq!(code(answer(&client.send(request(None)).await)), "AuthFailure.TokenFailure");
    assert_eq!(code(answer(&client.send(request(Some("other"))).await)), "AuthFailure.TokenFailure");
    client.pass(60);
    assert_eq!(code(answer(&client.send(request(Some("token"))).await)), "AuthFailure.TokenFailure");
}

#[tokio::test]
async fn a_knob_says_which_clock_counts() {
    // The machine's time is far from the virtual clock's.
    let now = |client: &Client| Unsent {
        at: std::time::SystemTime::now(),
        ..client.unsent("cvm", "DescribeZones", json!({}))
    };
    let lenient = client();
    assert!(answer(&lenient.send(now(&lenient)).await).is_ok());
    let strict = Client::of(builder().signature_time(SignatureTime::Emulator));
    let response = strict.send(now(&strict)).await;
    assert_eq!(code(answer(&response)), "AuthFailure.SignatureExpire");
    // The header from which a client learns by how much its clock is off.
    assert_eq!(response.headers()["date"], "Fri, 02 Jan 2026 03:04:05 GMT");
    strict.emulator.adjust(|knobs| knobs.signature_age(Duration::from_secs(1_000_000_000)));
    assert!(answer(&strict.send(now(&strict)).await).is_ok());
    let careless = Client::of(builder().signature_time(SignatureTime::Unchecked));
    let old = Unsent { at: UNIX_EPOCH, ..careless.unsent("cvm", "DescribeZones", json!({})) };
    assert!(answer(&careless.send(old).await).is_ok());
}

//! Signatures are byte for byte those of the official clients, however the signer came by its key.

use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use qcloud_core::Secret;
use qcloud_core::signing::{Signer, SigningRequest, UNSIGNED_PAYLOAD};
use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Deserialize)]
struct Vector {
    name: String,
    secret_id: String,
    secret_key: String,
    method: String,
    host: String,
    path: String,
    query: String,
    payload: String,
    service: String,
    timestamp: i64,
    content_type: String,
    unsigned_payload: bool,
    canonical_request: String,
    string_to_sign: String,
    authorization: String,
}

/// `QCLOUD_SIGNING_VECTORS=file` tries another file of the same form.
#[test]
fn every_vector_is_reproduced() {
    let text = match std::env::var("QCLOUD_SIGNING_VECTORS") {
        Ok(path) => std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}")),
        Err(_) => include_str!("../data/tc3-vectors.json").to_owned(),
    };
    let vectors: Vec<Vector> = serde_json::from_str(&text).unwrap();
    assert!(!vectors.is_empty());
    let shared = Signer::new();
    for (generation, vector) in vectors.iter().enumerate() {
        let name = &vector.name;
        let request = SigningRequest {
            method: &vector.method,
            path: &vector.path,
            query: &vector.query,
            content_type: &vector.content_type,
            host: &vector.host,
            payload: if vector.unsigned_payload { UNSIGNED_PAYLOAD } else { vector.payload.as_bytes() },
            service: &vector.service,
            timestamp: vector.timestamp,
        };
        assert_eq!(request.canonical_request(), vector.canonical_request, "{name}");
        assert_eq!(request.string_to_sign(), vector.string_to_sign, "{name}");
        let key = Secret::new(vector.secret_key.as_str());
        for signer in [&Signer::new(), &shared, &shared] {
            let authorization = signer.authorization(&vector.secret_id, &key, generation as u64, &request);
            assert_eq!(authorization, vector.authorization, "{name}");
        }
    }
}

fn mac(key: &[u8], message: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The scheme written down a second time, as plainly as can be.
fn expected(id: &str, key: &str, request: &SigningRequest<'_>) -> String {
    let date = chrono::DateTime::from_timestamp(request.timestamp, 0).unwrap().format("%Y-%m-%d").to_string();
    let canonical = format!(
        "{}\n{}\n{}\ncontent-type:{}\nhost:{}\n\ncontent-type;host\n{}",
        request.method,
        request.path,
        request.query,
        request.content_type,
        request.host.to_lowercase(),
        hex::encode(Sha256::digest(request.payload)),
    );
    let scope = format!("{date}/{}/tc3_request", request.service);
    let hashed = hex::encode(Sha256::digest(canonical));
    let to_sign = format!("TC3-HMAC-SHA256\n{}\n{scope}\n{hashed}", request.timestamp);
    let day = mac(format!("TC3{key}").as_bytes(), &date);
    let signature = hex::encode(mac(&mac(&mac(&day, request.service), "tc3_request"), &to_sign));
    format!("TC3-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders=content-type;host, Signature={signature}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// One signer sees requests of several services, days and credentials in any order, and each signature is the one
    /// that a new signer gives.
    #[test]
    fn a_signer_with_keys_signs_like_one_without(
        requests in prop::collection::vec((0_usize..4, 0_u64..4, 0_i64..40, "[A-Za-z0-9.-]{1,20}(:[0-9]{2,5})?", ".{0,80}"), 1..40),
    ) {
        let signer = Signer::new();
        for (service, generation, hours, host, payload) in &requests {
            let key = format!("key of {generation}");
            let request = SigningRequest {
                method: "POST",
                path: "/",
                query: "",
                content_type: "application/json",
                host,
                payload: payload.as_bytes(),
                service: ["cvm", "vpc", "clb", "cbs"][*service],
                timestamp: 1_714_550_400 + hours * 3600 - 1,
            };
            let secret = Secret::new(key.as_str());
            prop_assert_eq!(signer.authorization("AKID", &secret, *generation, &request), expected("AKID", &key, &request));
        }
    }

    /// Any time that a clock can show is signed without a panic, and with its own date.
    #[test]
    fn any_time_can_be_signed(timestamp in any::<i64>()) {
        let request = SigningRequest {
            method: "GET", path: "/", query: "a=b", content_type: "application/x-www-form-urlencoded",
            host: "cvm.tencentcloudapi.com", payload: b"", service: "cvm", timestamp,
        };
        let signer = Signer::new();
        let secret = Secret::new("key");
        let first = signer.authorization("AKID", &secret, 0, &request);
        prop_assert_eq!(&first, &signer.authorization("AKID", &secret, 0, &request));
        let line = format!("\n{timestamp}\n{}/", request.date());
        prop_assert!(request.string_to_sign().contains(&line));
    }
}

#[test]
fn the_day_changes_at_midnight_utc() {
    let at = |timestamp| SigningRequest {
        method: "POST",
        path: "/",
        query: "",
        content_type: "application/json",
        host: "cvm.tencentcloudapi.com",
        payload: b"{}",
        service: "cvm",
        timestamp,
    };
    let signer = Signer::new();
    for (timestamp, date) in
        [(1_714_607_999, "2024-05-01"), (1_714_608_000, "2024-05-02"), (1_714_607_999, "2024-05-01"), (0, "1970-01-01")]
    {
        let request = at(timestamp);
        let authorization = signer.authorization("AKID", &Secret::new("key"), 1, &request);
        assert!(authorization.contains(&format!("AKID/{date}/cvm/")), "{authorization}");
        assert_eq!(authorization, expected("AKID", "key", &request));
    }
}

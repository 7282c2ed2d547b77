//! What signing costs, beside the bare hashes that it is made of.
//!
//! Both sides are timed in turns in one run, so that what the machine does besides hits them alike. The bare side does
//! the same SHA-256 and HMAC work on buffers of the same sizes and nothing else: hash the body, hash the canonical
//! request, and one HMAC with the day's key over the string to sign.

use std::hint::black_box;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use qcloud_core::Secret;
use qcloud_core::signing::{Signer, SigningRequest};
use sha2::{Digest, Sha256};

const ROUNDS: usize = 200;
const PER_ROUND: u32 = 500;

fn time(mut work: impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..PER_ROUND {
        work();
    }
    start.elapsed() / PER_ROUND
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn main() {
    let payload = vec![b'a'; 2048];
    let request = SigningRequest {
        method: "POST",
        path: "/",
        query: "",
        content_type: "application/json",
        host: "cvm.tencentcloudapi.com",
        payload: &payload,
        service: "cvm",
        timestamp: 1_714_550_400,
    };
    let secret = Secret::new("a-secret-key-of-the-usual-length");
    let signer = Signer::new();
    let canonical = request.canonical_request();
    let to_sign = request.string_to_sign();
    let Ok(day_key) = Hmac::<Sha256>::new_from_slice(&[7; 32]) else { return };

    let mut signing = Vec::new();
    let mut hashing = Vec::new();
    for _ in 0..ROUNDS {
        signing.push(time(|| {
            black_box(signer.authorization("AKIDexample", &secret, 1, black_box(&request)));
        }));
        hashing.push(time(|| {
            black_box(Sha256::digest(black_box(&payload)));
            black_box(Sha256::digest(black_box(canonical.as_bytes())));
            let mut mac = day_key.clone();
            mac.update(black_box(to_sign.as_bytes()));
            black_box(mac.finalize().into_bytes());
        }));
    }
    let (signing, hashing) = (median(signing), median(hashing));
    let ratio = signing.as_secs_f64() / hashing.as_secs_f64();
    println!("sign a 2 KiB request:  {:>6} ns", signing.as_nanos());
    println!("its bare hashes:       {:>6} ns", hashing.as_nanos());
    println!("ratio:                 {ratio:>9.2}  (goal: at most 1.30)");
}

//! The official example requests, when a folder of them is at hand.

use std::path::PathBuf;

use qcloud_emulator::{MissingBalancer, implemented_actions};
use serde_json::Value;

use crate::client::{Client, builder};

/// `QCLOUD_API_EXAMPLES` names a folder with a `<service>-<version>.json` per model, each `{Action: [{"request": …}]}`.
/// Every request for an implemented action has to get past the model: it may be refused for what it asks, not for how
/// it is written.
#[tokio::test]
async fn official_example_requests_are_well_formed() {
    let Some(folder) = std::env::var_os("QCLOUD_API_EXAMPLES").map(PathBuf::from) else { return };
    // What the requests name does not exist, and CLB may say so with `InvalidParameter`.
    let client = Client::of(builder().missing_balancer(MissingBalancer::OwnCode));
    let mut refused = Vec::new();
    for (service, version, action) in implemented_actions() {
        let Ok(file) = std::fs::read_to_string(folder.join(format!("{service}-{version}.json"))) else { continue };
        let examples: Value = serde_json::from_str(&file).unwrap();
        for example in examples[action].as_array().into_iter().flatten() {
            let Some(request) = example.get("request") else { continue };
            let answer = client.call_version(service, version, action, request.clone()).await;
            if let Err(refusal) = answer
                && ["UnknownParameter", "MissingParameter", "InvalidParameter"].contains(&refusal.code.as_str())
            {
                refused.push(format!("{service} {action}: {} {}", refusal.code, refusal.message));
            }
        }
    }
    assert!(refused.is_empty(), "{refused:#?}");
}

//! The official example requests of the implemented actions.

use qcloud_emulator::implemented_actions;
use serde_json::Value;

use crate::client::client;

/// What the documentation of the actions below allows for requests that name nothing that exists.
const ALLOWED: &[&str] = &[
    "InvalidParameter",
    "InvalidParameter.FormatError",
    "InvalidParameter.LBIdNotFound",
    "InvalidParameter.ListenerIdNotFound",
    "InvalidParameter.LocationNotFound",
    "InvalidParameterValue",
];

#[tokio::test]
async fn each_is_read_and_refused_only_for_what_it_names() {
    let examples: Value = serde_json::from_str(include_str!("../../data/clb-examples.json")).unwrap();
    let client = client();
    let mut sent = 0;
    for (action, requests) in examples.as_object().unwrap() {
        assert!(implemented_actions().contains(&("clb", "2018-03-17", action)), "{action}");
        for example in requests.as_array().unwrap() {
            let refusal = client.clb(action, example["request"].clone()).await.unwrap_err();
            assert!(ALLOWED.contains(&refusal.code.as_str()), "{action}: {} {}", refusal.code, refusal.message);
            sent += 1;
        }
    }
    assert_eq!(sent, 8);
}

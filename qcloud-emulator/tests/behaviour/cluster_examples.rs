//! The official example requests of the container service.

use std::collections::BTreeSet;

use qcloud_emulator::ClusterErrors;
use serde_json::Value;

use crate::client::{Client, builder, client};

const OLDER: (&str, &str, &str) = (
    "2018-05-25",
    include_str!("../data/tke-2018-05-25-examples.json"),
    include_str!("../../models/tke-2018-05-25.json"),
);
const NEWER: (&str, &str, &str) = (
    "2022-05-01",
    include_str!("../data/tke-2022-05-01-examples.json"),
    include_str!("../../models/tke-2022-05-01.json"),
);

/// Sends each example: it is accepted, or refused for what it asks with a code that the service has. Gives how many
/// there were.
async fn send_all(client: &Client, (version, examples, model): (&str, &str, &str)) -> usize {
    let examples: Value = serde_json::from_str(examples).unwrap();
    let model: Value = serde_json::from_str(model).unwrap();
    let known: BTreeSet<&str> =
        model["error_codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
    let mut sent = 0;
    for (action, examples) in examples.as_object().unwrap() {
        for example in examples.as_array().unwrap() {
            let request = example["request"].clone();
            let answer =
                if version == NEWER.0 { client.tke2(action, request).await } else { client.tke(action, request).await };
            if let Err(refusal) = answer {
                let code = refusal.code.as_str();
                let ill = ["UnknownParameter", "MissingParameter", "InvalidParameter", "InternalError"];
                assert!(known.contains(code) && !ill.contains(&code), "{action}: {code} {}", refusal.message);
            }
            sent += 1;
        }
    }
    sent
}

#[tokio::test]
async fn official_requests_are_accepted_or_refused_with_a_known_code() {
    let client = client();
    assert_eq!(send_all(&client, OLDER).await, 10);
    assert_eq!(send_all(&client, NEWER).await, 5);
}

#[tokio::test]
async fn also_in_the_other_family_of_codes() {
    let client = Client::of(builder().cluster_errors(ClusterErrors::InternalError));
    send_all(&client, OLDER).await;
    send_all(&client, NEWER).await;
}

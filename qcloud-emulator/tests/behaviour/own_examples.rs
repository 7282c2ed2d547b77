//! Official example requests, those of the actions on network interfaces, elastic IPs, gateways, CCNs and key pairs.

use serde_json::{Map, Value};

use crate::client::client;

const VPC: &str = include_str!("../data/vpc-examples.json");
const CVM: &str = include_str!("../data/cvm-examples.json");

/// What an example may be refused for: the resources that it names are not there. How it is written is right.
const EXPECTED: &[&str] = &[
    "FailedOperation.DisasterRecoverGroupNotFound",
    "InvalidAddressId.NotFound",
    "InvalidImageId.NotFound",
    "InvalidInstanceId.NotFound",
    "InvalidKeyPairId.NotFound",
    "InvalidParameterValue.InstanceTypeNotFound",
    "InvalidParameterValue.SubnetNotExist",
    "InvalidSecurityGroupId.NotFound",
    "ResourceNotFound",
];

#[tokio::test]
async fn example_requests_are_accepted_or_miss_their_resources() {
    let client = client();
    let mut sent = 0;
    for (service, examples) in [("vpc", VPC), ("cvm", CVM)] {
        let examples: Map<String, Value> = serde_json::from_str(examples).unwrap();
        for (action, examples) in examples {
            for example in examples.as_array().unwrap() {
                sent += 1;
                if let Err(refusal) = client.call(service, &action, example["request"].clone()).await {
                    let code = refusal.code.as_str();
                    assert!(EXPECTED.contains(&code), "{action}: {code} {}\n{example}", refusal.message);
                }
            }
        }
    }
    assert!(sent > 40, "{sent}");
}

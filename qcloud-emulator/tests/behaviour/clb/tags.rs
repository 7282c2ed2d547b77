//! Tags that are taken off load balancers.

use serde_json::{Value, json};

use super::network;
use crate::client::{Client, client, code, text};

async fn detach(client: &Client, parameters: Value) -> Result<Value, crate::client::Refusal> {
    client.call_version("tag", "2018-08-13", "DetachResourcesTag", parameters).await
}

#[tokio::test]
async fn a_tag_that_is_taken_off_finds_nothing_any_more() {
    let client = client();
    let network = network(&client, 0).await;
    let tags = json!({"Tags": [{"TagKey": "team", "TagValue": "web"}, {"TagKey": "stage", "TagValue": "test"}]});
    let balancer = client.balancers(&network.vpc, tags).await.remove(0);
    let request = |id: &str, key: &str| {
        json!({"ServiceType": "clb", "ResourcePrefix": "clb", "ResourceRegion": "ap-guangzhou", "ResourceIds": [id],
            "TagKey": key})
    };
    // A task that runs does not bring it back.
    let rename = json!({"LoadBalancerId": balancer, "LoadBalancerName": "other"});
    let task = text(&client.clb("ModifyLoadBalancerAttributes", rename).await.unwrap()["RequestId"]);
    detach(&client, request(&balancer, "team")).await.unwrap();
    client.pass(5);
    assert_eq!(client.task(&task).await, 0);
    let shown = client.shown(&balancer).await.unwrap();
    assert_eq!(
        (&shown["LoadBalancerName"], &shown["Tags"]),
        (&json!("other"), &json!([{"TagKey": "stage", "TagValue": "test"}]))
    );
    let by_tag = json!({"Filters": [{"Name": "tag:team", "Values": ["web"]}]});
    assert_eq!(client.clb("DescribeLoadBalancers", by_tag).await.unwrap()["TotalCount"], 0);

    let again = detach(&client, request(&balancer, "team")).await;
    assert_eq!(code(again), "ResourceNotFound.AttachedTagKeyNotFound");
    let unknown = detach(&client, request("lb-00000000", "team")).await;
    assert_eq!(code(unknown), "InvalidParameterValue.ResourceIdInvalid");
    let mut elsewhere = request(&balancer, "stage");
    elsewhere["ResourceRegion"] = json!("ap-atlantis");
    assert_eq!(code(detach(&client, elsewhere).await), "InvalidParameterValue.RegionInvalid");
    let mut other = request(&balancer, "stage");
    other["ServiceType"] = json!("cvm");
    assert_eq!(code(detach(&client, other).await), "InvalidParameterValue.ServiceTypeInvalid");
}

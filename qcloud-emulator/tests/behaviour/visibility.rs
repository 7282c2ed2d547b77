//! Reads that lag behind writes.

use std::time::Duration;

use qcloud_emulator::{Delay, Visibility};
use serde_json::{Value, json};

use crate::client::{Client, builder, code};

const SOON: Delay = Delay::For(Duration::from_secs(5));

fn lagging(turn: impl FnOnce(&mut Visibility)) -> Client {
    let mut visibility = Visibility::default();
    turn(&mut visibility);
    Client::of(builder().visibility(visibility))
}

async fn vpcs(client: &Client, filters: Value) -> Vec<String> {
    let answer = client.vpc("DescribeVpcs", json!({"Filters": filters})).await.unwrap();
    let names: Vec<String> =
        answer["VpcSet"].as_array().unwrap().iter().map(|vpc| vpc["VpcName"].as_str().unwrap().to_owned()).collect();
    assert_eq!(answer["TotalCount"], names.len());
    names
}

async fn create(client: &Client, name: &str) -> String {
    let parameters = json!({"VpcName": name, "CidrBlock": "10.0.0.0/16", "Tags": [{"Key": "k", "Value": name}]});
    client.vpc("CreateVpc", parameters).await.unwrap()["Vpc"]["VpcId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_new_resource_is_not_listed_for_some_time() {
    let client = lagging(|visibility| visibility.new = SOON);
    let id = create(&client, "a").await;
    client.pass(4);
    create(&client, "b").await;
    assert!(vpcs(&client, json!([])).await.is_empty());
    assert_eq!(client.vpc("DescribeVpcs", json!({"VpcIds": [id]})).await.unwrap()["TotalCount"], 0);
    // Whoever has the id can work with it.
    let rename = json!({"VpcId": id, "VpcName": "c"});
    assert!(client.vpc("ModifyVpcAttribute", rename).await.is_ok());
    client.pass(1);
    assert_eq!(vpcs(&client, json!([])).await, ["c"]);
    client.pass(4);
    assert_eq!(vpcs(&client, json!([])).await, ["c", "b"]);
}

#[tokio::test]
async fn a_new_resource_is_not_listed_for_some_reads() {
    let client = lagging(|visibility| visibility.new = Delay::Reads(2));
    create(&client, "a").await;
    client.pass(3600);
    // Reads of other services and regions do not count.
    client.cvm("DescribeInstances", json!({})).await.unwrap();
    client.in_region("ap-beijing").vpc("DescribeVpcs", json!({})).await.unwrap();
    for expected in [0, 0, 1, 1] {
        assert_eq!(vpcs(&client, json!([])).await.len(), expected);
    }
}

#[tokio::test]
async fn a_deleted_resource_is_listed_for_some_time() {
    let client = lagging(|visibility| visibility.deleted = SOON);
    let a = create(&client, "a").await;
    create(&client, "b").await;
    client.vpc("DeleteVpc", json!({"VpcId": a})).await.unwrap();
    assert_eq!(vpcs(&client, json!([])).await, ["a", "b"]);
    assert_eq!(code(client.vpc("DeleteVpc", json!({"VpcId": a})).await), "ResourceNotFound");
    client.pass(5);
    assert_eq!(vpcs(&client, json!([])).await, ["b"]);
}

#[tokio::test]
async fn tags_come_later_than_their_resource() {
    let client = lagging(|visibility| visibility.tags = SOON);
    create(&client, "a").await;
    let tagged = json!([{"Name": "tag:k", "Values": ["a"]}]);
    assert_eq!(vpcs(&client, json!([])).await, ["a"]);
    assert!(vpcs(&client, tagged.clone()).await.is_empty());
    assert_eq!(client.vpc("DescribeVpcs", json!({})).await.unwrap()["VpcSet"][0]["TagSet"], json!([]));
    client.pass(5);
    assert_eq!(vpcs(&client, tagged).await, ["a"]);
}

#[tokio::test]
async fn a_state_is_read_late() {
    let client = lagging(|visibility| visibility.changed = Delay::For(Duration::from_secs(3)));
    let network = client.network().await;
    let id = client.running(&network, 1).await.remove(0);
    // It runs from the second second on.
    for expected in ["PENDING", "PENDING", "PENDING", "RUNNING"] {
        assert_eq!(client.state(&id).await, expected);
        client.pass(1);
    }
    // What happens without a call is late by as much.
    client.cvm("TerminateInstances", json!({"InstanceIds": [id]})).await.unwrap();
    client.pass(2);
    assert_eq!(client.state(&id).await, "gone");
}

#[tokio::test]
async fn the_knob_can_be_turned_while_it_runs() {
    let client = lagging(|_| {});
    create(&client, "a").await;
    let turn = |delay: Delay| {
        client.emulator.adjust(|knobs| {
            let mut visibility = Visibility::default();
            visibility.new = delay;
            knobs.visibility(visibility)
        });
    };
    turn(Delay::Reads(5));
    create(&client, "b").await;
    assert_eq!(vpcs(&client, json!([])).await, ["a"]);
    turn(Delay::None);
    assert_eq!(vpcs(&client, json!([])).await, ["a", "b"]);
}

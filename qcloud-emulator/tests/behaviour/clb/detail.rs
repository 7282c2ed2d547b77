//! The flat rows of all load balancers.

use qcloud_emulator::DetailPages;
use serde_json::{Value, json};

use super::{network, with};
use crate::client::{Client, builder, code, text};

/// Two load balancers: one with two listeners, of which one has two targets; one bare.
async fn scene(client: &Client) -> (String, String, String) {
    let network = network(client, 2).await;
    let tags = json!([{"TagKey": "service", "TagValue": "s"}]);
    let busy = client.balancers(&network.vpc, json!({"Tags": tags})).await.remove(0);
    let bare = client.balancer(&network.vpc).await;
    let listener = client.listener(&busy, "TCP", 80).await;
    client.listener(&busy, "UDP", 80).await;
    let targets: Vec<Value> =
        network.instances.iter().map(|id| json!({"ListenerId": listener, "InstanceId": id, "Port": 8080})).collect();
    client.clb("BatchRegisterTargets", json!({"LoadBalancerId": busy, "Targets": targets})).await.unwrap();
    client.pass(1);
    (busy, bare, client.address(&network.instances[0]).await)
}

#[tokio::test]
async fn rows_go_as_deep_as_the_fields_that_are_asked_for() {
    let client = Client::of(builder());
    let (busy, bare, address) = scene(&client).await;
    let detail = |more: Value| client.clb("DescribeLoadBalancersDetail", with(json!({"Limit": 100}), &more));
    let rows = |answer: &Value| answer["LoadBalancerDetailSet"].as_array().unwrap().clone();

    let plain = detail(json!({})).await.unwrap();
    assert_eq!((&plain["TotalCount"], rows(&plain).len()), (&json!(2), 2));
    let first = &rows(&plain)[0];
    assert_eq!(
        (&first["LoadBalancerId"], &first["VpcId"], &first["ListenerId"]),
        (&json!(bare), &Value::Null, &Value::Null)
    );

    let listeners =
        detail(json!({"Fields": ["Address", "ListenerId", "Protocol", "Port"], "TargetType": "NODE"})).await.unwrap();
    assert_eq!(listeners["TotalCount"], 3);
    let row = &rows(&listeners)[1];
    assert_eq!((&row["Protocol"], &row["Port"]), (&json!("TCP"), &json!(80)));
    assert_eq!(text(&row["Address"]), client.vip(&busy).await);

    let fields = json!({"Fields": ["ListenerId", "TargetId", "TargetAddress", "TargetPort", "TargetWeight", "TargetHealth"], "TargetType": "NODE"});
    let targets = detail(fields.clone()).await.unwrap();
    assert_eq!(targets["TotalCount"], 4);
    let row = &rows(&targets)[1];
    assert_eq!(
        (&row["TargetPort"], &row["TargetWeight"], &row["TargetHealth"]),
        (&json!(8080), &json!(10), &json!("Alive"))
    );
    assert_eq!(rows(&targets)[3]["TargetId"], Value::Null);

    let filter = |name: &str, value: &str| json!({"Filters": [{"Name": name, "Values": [value]}]});
    for (filter, expected) in [
        (filter("target-ip", &address), 1),
        (filter("loadbalancer-id", &busy), 3),
        (filter("tag:service", "s"), 3),
        (filter("network", "Private"), 0),
        (filter("fuzzy-search", &busy[3..]), 3),
        (filter("vip", &client.vip(&bare).await), 1),
    ] {
        let answer = detail(with(fields.clone(), &filter)).await.unwrap();
        assert_eq!(answer["TotalCount"], expected, "{filter}");
    }
    let grouped = detail(with(fields, &json!({"TargetType": "GROUP"}))).await.unwrap();
    assert_eq!(grouped["TotalCount"], 3, "no target is bound through a group");
    for (more, expected) in [
        (json!({"Fields": ["Port"]}), "InvalidParameter"),
        (json!({"Fields": ["Age"]}), "InvalidParameterValue"),
        (json!({"TargetType": "ALL"}), "InvalidParameterValue"),
        (json!({"Limit": 101}), "InvalidParameterValue.Range"),
        (filter("age", "1"), "InvalidParameterValue.InvalidFilter"),
    ] {
        assert_eq!(code(detail(more.clone()).await), expected, "{more}");
    }
}

#[tokio::test]
async fn pages_count_rows_or_load_balancers() {
    for (knob, total, rows) in [(DetailPages::Rows, 3, 2), (DetailPages::LoadBalancers, 2, 3)] {
        let client = Client::of(builder().detail_pages(knob));
        scene(&client).await;
        let parameters = json!({"Fields": ["ListenerId"], "TargetType": "NODE", "Limit": 2});
        let answer = client.clb("DescribeLoadBalancersDetail", parameters).await.unwrap();
        assert_eq!(
            (&answer["TotalCount"], answer["LoadBalancerDetailSet"].as_array().unwrap().len()),
            (&json!(total), rows)
        );
    }
}

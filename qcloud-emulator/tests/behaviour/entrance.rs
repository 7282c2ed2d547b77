//! The entrance: which requests are let in, and what the others are told.

use serde_json::{Value, json};

use crate::client::{Unsent, answer, builder, client, code, text};
use qcloud_emulator::{Emulator, StartError};

#[tokio::test]
async fn unfit_requests_are_told_what_is_wrong() {
    let client = client();
    let request = || client.unsent("cvm", "DescribeInstances", json!({}));
    let cases: Vec<(&str, Unsent)> = vec![
        ("InvalidAction", Unsent { action: "DescribeUnicorns".to_owned(), ..request() }),
        ("InvalidAction", Unsent { action: "describeinstances".to_owned(), ..request() }),
        // An action of another service: the host decides.
        ("InvalidAction", Unsent { action: "DescribeVpcs".to_owned(), ..request() }),
        ("NoSuchVersion", Unsent { version: "2019-01-01".to_owned(), ..request() }),
        ("NoSuchProduct", Unsent { host: "nosuch.tencentcloudapi.com".to_owned(), ..request() }),
        ("UnsupportedRegion", Unsent { region: Some("ap-atlantis".to_owned()), ..request() }),
        ("UnsupportedProtocol", Unsent { method: "PUT".to_owned(), ..request() }),
        ("UnsupportedProtocol", Unsent { content_type: "text/plain".to_owned(), ..request() }),
        ("UnsupportedProtocol", Unsent { content_type: "multipart/form-data; boundary=x".to_owned(), ..request() }),
        ("InvalidParameter", Unsent { body: b"not json".to_vec(), ..request() }),
        ("InvalidParameter", Unsent { body: b"[]".to_vec(), ..request() }),
        ("InvalidParameter", Unsent { body: "[".repeat(10_000).into_bytes(), ..request() }),
        ("InvalidParameter", Unsent { body: b"{\"a\":\"\xff\"}".to_vec(), ..request() }),
        ("RequestSizeLimitExceeded", Unsent { body: vec![b' '; 10 * 1024 * 1024 + 1], ..request() }),
        ("RequestSizeLimitExceeded", request().get(&format!("Limit={}", "1".repeat(40_000)))),
        ("UnknownParameter", client.unsent("cvm", "DescribeInstances", json!({"InstanceId": "ins-12345678"}))),
        ("MissingParameter", client.unsent("cvm", "StopInstances", json!({}))),
        ("InvalidParameter", client.unsent("cvm", "DescribeInstances", json!({"Limit": "20"}))),
        (
            "InvalidParameter",
            client.unsent("cvm", "DescribeInstances", json!({"Filters": [{"Name": 1, "Values": []}]})),
        ),
        // Offsets of VPC lists are strings.
        ("InvalidParameter", client.unsent("vpc", "DescribeVpcs", json!({"Offset": 0}))),
    ];
    for (expected, request) in cases {
        let summary = format!("{} {} {}", request.method, request.action, request.host);
        assert_eq!(code(answer(&client.send(request).await)), expected, "{summary}");
    }
}

#[tokio::test]
async fn an_action_without_behaviour_says_so() {
    let client = client();
    for (service, action) in [("cvm", "DescribeHosts"), ("vpc", "DescribeVpnGateways")] {
        let refusal = client.call(service, action, json!({})).await.unwrap_err();
        assert_eq!(refusal.code, "UnsupportedOperation");
        assert!(refusal.message.contains(action), "{}", refusal.message);
    }
    // Its parameters are checked first.
    assert_eq!(code(client.cvm("DescribeHosts", json!({"Foo": 1})).await), "UnknownParameter");
}

#[tokio::test]
async fn a_custom_endpoint_finds_the_service_by_scope_or_action() {
    let client = client();
    let request = |service: &str, action: &str| Unsent {
        host: "127.0.0.1:4000".to_owned(),
        service: service.to_owned(),
        version: "2017-03-12".to_owned(),
        ..client.unsent("cvm", action, json!({}))
    };
    assert!(answer(&client.send(request("vpc", "DescribeVpcs")).await).is_ok());
    assert!(answer(&client.send(request("127", "DescribeVpcs")).await).is_ok());
    assert!(answer(&client.send(request("127", "DescribeZones")).await).is_ok());
    assert_eq!(code(answer(&client.send(request("cvm", "DescribeVpcs")).await)), "InvalidAction");
}

#[tokio::test]
async fn the_region_may_come_with_the_host() {
    let client = client();
    let regional = Unsent {
        host: "cvm.ap-shanghai.tencentcloudapi.com".to_owned(),
        region: None,
        ..client.unsent("cvm", "DescribeZones", json!({}))
    };
    let zones = answer(&client.send(regional).await).unwrap();
    assert_eq!(zones["ZoneSet"][0]["Zone"], "ap-shanghai-1");
    // Regions themselves are listed anywhere.
    let nowhere = Unsent { region: None, ..client.unsent("cvm", "DescribeRegions", json!({})) };
    assert!(answer(&client.send(nowhere).await).is_ok());
}

#[tokio::test]
async fn a_get_means_the_same_as_a_post() {
    let client = client();
    let ids = client.run(json!({"InstanceCount": 3, "InstanceName": "a b+{R:1}"})).await.unwrap();
    let get = async |query: &str| {
        let request = client.unsent("cvm", "DescribeInstances", json!({})).get(query);
        answer(&client.send(request).await)
    };
    for query in [
        "Filters.0.Name=instance-name&Filters.0.Values.0=a+b%2B2&Limit=1",
        "Filters.0.Name=instance-name&Filters.0.Values.0=a%20b%2B2&Limit=1",
    ] {
        let answer = get(query).await.unwrap();
        assert_eq!(answer["TotalCount"], 1, "{query}");
        assert_eq!(answer["InstanceSet"][0]["InstanceId"], ids[1]);
    }
    assert_eq!(code(get("Limit=many").await), "InvalidParameter");
    assert_eq!(code(get("Limit=1&Limit=2").await), "InvalidParameter");
    client.pass(2);
    let stop = client.unsent("cvm", "StopInstances", json!({}));
    let stop = stop.get(&format!("InstanceIds.0={}&ForceStop=True", ids[0]));
    assert!(answer(&client.send(stop).await).is_ok());
    assert_eq!(client.state(&ids[0]).await, "STOPPING");
}

#[tokio::test]
async fn the_log_counts_calls_and_keeps_their_parameters() {
    let client = client();
    client.cvm("DescribeZones", json!({})).await.unwrap();
    client.cvm("DescribeInstances", json!({"Limit": 5})).await.unwrap();
    client.cvm("DescribeInstances", json!({"Limit": 5000})).await.unwrap_err();
    let calls = client.emulator.calls();
    assert_eq!((calls.count("DescribeInstances"), calls.count("RunInstances"), calls.total()), (2, 0, 3));
    let described = calls.of("DescribeInstances");
    assert_eq!(described[0].parameters, json!({"Limit": 5}));
    assert_eq!(described[0].region.as_deref(), Some("ap-guangzhou"));
    assert_eq!((described[0].service.as_str(), described[0].error.as_deref()), ("cvm", None));
    assert_eq!(described[1].error.as_deref(), Some("InvalidParameterValue.LimitExceeded"));
    calls.clear();
    assert_eq!(calls.total(), 0);
}

#[tokio::test]
async fn the_log_keeps_no_more_records_than_asked() {
    let client = crate::client::Client::of(builder().call_log(2));
    for limit in 1..=5 {
        client.cvm("DescribeInstances", json!({"Limit": limit})).await.unwrap();
    }
    let calls = client.emulator.calls();
    assert_eq!(calls.count("DescribeInstances"), 5);
    let kept: Vec<Value> = calls.all().into_iter().map(|call| call.parameters["Limit"].clone()).collect();
    assert_eq!(kept, [4, 5]);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_world() {
    let life = async |seed: u64| {
        let client = crate::client::Client::of(builder().seed(seed));
        let ids = client.run(json!({"InstanceCount": 2})).await.unwrap();
        let instance = client.instance(&ids[0]).await.unwrap();
        (client.emulator.secret_id().to_owned(), ids, text(&instance["Uuid"]), text(&instance["SecurityGroupIds"][0]))
    };
    assert_eq!(life(5).await, life(5).await);
    assert_ne!(life(5).await, life(6).await);
}

#[tokio::test]
async fn it_never_listens_beyond_loopback() {
    let everywhere = Emulator::builder().bind("0.0.0.0:0".parse().unwrap()).start().await;
    assert!(matches!(everywhere, Err(StartError::NotLoopback(_))));
    let nowhere = Emulator::builder().region("ap-atlantis").build();
    assert!(matches!(nowhere, Err(StartError::UnknownRegion { .. })));
}

#[test]
fn the_readme_lists_what_is_implemented() {
    let readme = include_str!("../../README.md");
    for (service, version, action) in qcloud_emulator::implemented_actions() {
        let row = readme.lines().find(|line| line.starts_with(&format!("| {service} {version} |"))).unwrap();
        assert!(row.contains(&format!("`{action}`")), "{service} {action} is missing in the README");
    }
}

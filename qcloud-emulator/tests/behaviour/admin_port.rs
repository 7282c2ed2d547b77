//! The admin port, spoken to as curl would.

use qcloud_emulator::Server;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Client, builder, code};

async fn served() -> (Server, Client) {
    let server = builder().admin_port(0).start().await.unwrap();
    let client = Client { emulator: server.emulator().clone(), region: server.region().to_owned() };
    (server, client)
}

/// Sends a request with these headers; gives the status and the body.
async fn raw(server: &Server, request: &str, headers: &str, body: &str) -> (u16, Value) {
    let endpoint = server.admin_endpoint().unwrap();
    let mut stream = TcpStream::connect(endpoint.strip_prefix("http://").unwrap()).await.unwrap();
    let length = body.len();
    let text =
        format!("{request} HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap())
}

async fn ask(server: &Server, request: &str, body: Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    raw(server, request, "Host: 127.0.0.1\r\nContent-Type: application/json", &body).await
}

async fn ok(server: &Server, request: &str, body: Value) -> Value {
    let (status, answer) = ask(server, request, body).await;
    assert_eq!(status, 200, "{request}: {answer}");
    answer
}

#[tokio::test]
async fn knobs_are_shown_and_turned() {
    let (server, client) = served().await;
    assert_eq!(ok(&server, "GET /settings", Value::Null).await["page-shift"], 0);
    let change = json!({"sold-out-zones": ["ap-guangzhou-3"], "quotas": {"vpcs-per-region": 0}});
    assert_eq!(ok(&server, "POST /settings", change).await["quotas"], json!({"vpcs-per-region": 0}));
    assert_eq!(code(client.run(json!({})).await), "ResourceInsufficient.AvailabilityZoneSoldOut");
    let change = json!({"sold-out-zones": null, "quotas": {"subnets-per-vpc": 1}});
    let settings = ok(&server, "POST /settings", change).await;
    assert_eq!(settings["quotas"], json!({"vpcs-per-region": 0, "subnets-per-vpc": 1}));
    let refused = client.vpc("CreateVpc", json!({"VpcName": "n", "CidrBlock": "10.0.0.0/16"})).await;
    assert_eq!(code(refused), "LimitExceeded");
    for (change, part) in [
        (json!({"speed": 1}), "unknown field `speed`"),
        (json!({"seed": 9}), "`seed` and `region`"),
        (json!([]), "a JSON object"),
    ] {
        let (status, answer) = ask(&server, "POST /settings", change).await;
        assert!(status == 400 && answer["error"].as_str().unwrap().contains(part), "{answer}");
    }
    assert_eq!(ok(&server, "GET /settings", Value::Null).await, settings);
}

#[tokio::test]
async fn faults_are_planned_and_removed() {
    let (server, client) = served().await;
    let planned = ok(&server, "POST /faults", json!({"action": "DescribeZones", "nth": 1, "effect": "throttle"})).await;
    assert_eq!(planned[0]["fault"], json!({"action": "DescribeZones", "nth": 1, "effect": "throttle"}));
    assert_eq!(code(client.cvm("DescribeZones", json!({})).await), "RequestLimitExceeded");
    let planned = ok(&server, "POST /faults", json!([{"effect": "cut"}, {"effect": "hang"}])).await;
    assert_eq!(planned.as_array().unwrap().len(), 3);
    assert_eq!(planned[0]["struck"], 1);
    assert_eq!(ok(&server, "DELETE /faults/2", Value::Null).await.as_array().unwrap().len(), 2);
    assert_eq!(ask(&server, "DELETE /faults/2", Value::Null).await.0, 404);
    assert_eq!(ask(&server, "POST /faults", json!({"effect": "explode"})).await.0, 400);
    assert_eq!(ok(&server, "DELETE /faults", Value::Null).await, json!([]));
    assert!(client.cvm("DescribeZones", json!({})).await.is_ok());
}

#[tokio::test]
async fn the_clock_moves_and_calls_are_listed() {
    let (server, client) = served().await;
    let ids = client.run(json!({"LoginSettings": {"Password": "Secret#1"}})).await.unwrap();
    let clock = ok(&server, "POST /clock", json!({"advance": 2.5})).await;
    assert_eq!(clock, json!({"now": "2026-01-02T03:04:07Z", "standing": true}));
    assert_eq!(ok(&server, "GET /clock", Value::Null).await, clock);
    assert_eq!(client.state(&ids[0]).await, "RUNNING");
    let calls = ok(&server, "GET /calls?action=RunInstances", Value::Null).await;
    assert_eq!(calls.as_array().unwrap().len(), 1);
    assert_eq!(calls[0]["parameters"]["LoginSettings"]["Password"], "***");
    assert_eq!((&calls[0]["executed"], &calls[0]["error"]), (&json!(true), &Value::Null));
    assert_eq!(ok(&server, "GET /calls", Value::Null).await.as_array().unwrap().len(), 2);
    let counts = json!({"DescribeInstances": 1, "RunInstances": 1});
    assert_eq!(ok(&server, "GET /counts", Value::Null).await, counts);
    ok(&server, "DELETE /calls", Value::Null).await;
    assert_eq!(ok(&server, "GET /counts", Value::Null).await, json!({}));
}

#[tokio::test]
async fn the_state_is_taken_and_given_back() {
    let (server, client) = served().await;
    let ids = client.run(json!({})).await.unwrap();
    let saved = ok(&server, "GET /state", Value::Null).await;
    ok(&server, "POST /reset", json!({})).await;
    assert_eq!(client.state(&ids[0]).await, "gone");
    ok(&server, "POST /state", saved).await;
    assert_eq!(client.state(&ids[0]).await, "PENDING");
    assert_eq!(ask(&server, "POST /state", json!({})).await.0, 400);
}

#[tokio::test]
async fn pages_in_browsers_are_kept_out() {
    let (server, _) = served().await;
    let json = "Content-Type: application/json";
    for (request, headers, status) in [
        ("POST /reset", "Host: 127.0.0.1", 415),
        ("POST /reset", "Host: 127.0.0.1\r\nContent-Type: text/plain", 415),
        ("POST /reset", &format!("Host: evil.example:80\r\n{json}"), 403),
        ("GET /state", "Host: evil.example", 403),
        ("POST /reset", &format!("Host: localhost:99\r\n{json}"), 200),
        ("POST /reset", &format!("Host: [::1]:99\r\n{json}"), 200),
        ("GET /nothing", "Host: 127.0.0.1", 404),
    ] {
        assert_eq!(raw(&server, request, headers, "{}").await.0, status, "{request} {headers}");
    }
}

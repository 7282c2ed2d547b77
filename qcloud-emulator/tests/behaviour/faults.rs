//! What the fault plan does to calls, inside the process and over a connection.

use std::net::SocketAddr;
use std::time::Duration;

use qcloud_emulator::{Effect, Emulator, Fault, NoAnswerKind, Server};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Client, Unsent, answer, builder, client, code};

fn create_vpc(client: &Client) -> Unsent {
    client.unsent("vpc", "CreateVpc", json!({"VpcName": "net", "CidrBlock": "10.0.0.0/16"}))
}

async fn vpcs(client: &Client) -> u64 {
    client.vpc("DescribeVpcs", json!({})).await.unwrap()["TotalCount"].as_u64().unwrap()
}

#[tokio::test]
async fn an_error_comes_at_the_call_it_was_planned_for() {
    let client = Client::of(builder().fault(Fault::error("InternalError.Busy").on("DescribeZones").nth(2)));
    let faults = client.emulator.faults();
    faults.add(Fault::throttle().of("vpc").next(1));
    assert!(client.cvm("DescribeZones", json!({})).await.is_ok());
    assert_eq!(code(client.cvm("DescribeZones", json!({})).await), "InternalError.Busy");
    assert!(client.cvm("DescribeZones", json!({})).await.is_ok());
    assert_eq!(code(client.vpc("DescribeVpcs", json!({})).await), "RequestLimitExceeded");
    assert_eq!(vpcs(&client).await, 0);
    let planned = faults.list();
    assert_eq!((planned[0].seen, planned[0].struck), (3, 1));
    assert_eq!((planned[1].seen, planned[1].struck), (2, 1));
    let log = client.emulator.calls().of("DescribeZones");
    assert_eq!(log[1].error.as_deref(), Some("InternalError.Busy"));
    assert!(matches!(&log[1].fault, Some(Effect::Error { .. })) && !log[1].executed && log[2].executed);
}

#[tokio::test]
async fn calls_are_carried_out_before_the_fault_or_not_at_all() {
    let client = client();
    let faults = client.emulator.faults();
    for (fault, kind) in [
        (Fault::timeout(), NoAnswerKind::Timeout),
        (Fault::cut(), NoAnswerKind::Cut),
        (Fault::hang(), NoAnswerKind::Hang),
        (Fault::new(Effect::WrongLength).before_execution(), NoAnswerKind::Cut),
    ] {
        for executed in [false, true] {
            let before = vpcs(&client).await;
            let fault = if executed { fault.clone().after_execution() } else { fault.clone() };
            let id = faults.add(fault.on("CreateVpc").once());
            let none = client.emulator.exchange(create_vpc(&client).signed()).await.unwrap_err();
            assert_eq!((none.kind, none.executed), (kind, executed));
            assert_eq!(vpcs(&client).await, before + u64::from(executed), "{none}");
            let logged = client.emulator.calls().of("CreateVpc").pop().unwrap();
            assert_eq!((logged.request_id, logged.executed), (none.request_id, executed));
            faults.remove(id);
        }
    }
    faults.add(Fault::error("InternalError").after_execution().on("CreateVpc").once());
    let before = vpcs(&client).await;
    let response = client.send(create_vpc(&client)).await;
    assert!(String::from_utf8_lossy(response.body()).contains("\"InternalError\""));
    assert_eq!(vpcs(&client).await, before + 1);
}

#[tokio::test]
async fn who_asks_for_a_response_gets_one() {
    let client = client();
    for (fault, status) in [(Fault::timeout(), 504), (Fault::hang(), 504), (Fault::cut(), 502)] {
        client.emulator.faults().add(fault.once());
        let response = client.send(create_vpc(&client)).await;
        assert_eq!((response.status().as_u16(), response.body().len()), (status, 0));
        client.emulator.faults().clear();
    }
}

#[tokio::test]
async fn garbage_is_no_envelope() {
    let client = client();
    let faults = client.emulator.faults();
    let send = async |effect: Effect| {
        faults.clear();
        faults.add(Fault::new(effect));
        let response = client.send(create_vpc(&client)).await;
        (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
    };
    let (status, body) = send(Effect::NotJson).await;
    assert!(status == 200 && serde_json::from_str::<serde_json::Value>(&body).is_err(), "{body}");
    let (status, body) = send(Effect::BadGateway).await;
    assert!(status == 502 && body.starts_with("<html>"), "{body}");
    let (status, body) = send(Effect::TruncatedJson).await;
    assert!(status == 200 && body.starts_with("{\"Response\":{"), "{body}");
    assert!(serde_json::from_str::<serde_json::Value>(&body).is_err(), "{body}");
    faults.clear();
    // The gateway did not let its call through; the others were carried out.
    assert_eq!(vpcs(&client).await, 2);
}

#[tokio::test]
async fn a_list_changes_between_two_pages() {
    let client = client();
    let ids = client.run(json!({"InstanceCount": 6})).await.unwrap();
    let page = async |offset: usize| {
        let page = client.cvm("DescribeInstances", json!({"Offset": offset, "Limit": 2})).await.unwrap();
        let shown: Vec<String> = page["InstanceSet"]
            .as_array()
            .unwrap()
            .iter()
            .map(|instance| instance["InstanceId"].as_str().unwrap().to_owned())
            .collect();
        (page["TotalCount"].as_u64().unwrap(), shown)
    };
    let gone = client.emulator.faults().add(Fault::page_shift(1).on("DescribeInstances"));
    assert_eq!(page(0).await, (6, ids[..2].to_vec()));
    assert_eq!(page(2).await, (5, ids[3..5].to_vec()));
    client.emulator.faults().remove(gone);
    client.emulator.faults().add(Fault::page_shift(-1));
    assert_eq!(page(2).await, (7, ids[1..3].to_vec()));
}

#[tokio::test]
async fn requests_that_nobody_signed_do_not_count() {
    let client = client();
    let fault = client.emulator.faults().add(Fault::cut().once());
    let wrong = Unsent { secret_key: "wrong".to_owned(), ..create_vpc(&client) };
    assert_eq!(code(answer(&client.send(wrong).await)), "AuthFailure.SignatureFailure");
    assert_eq!(client.emulator.faults().list()[0].seen, 0);
    assert!(client.emulator.exchange(create_vpc(&client).signed()).await.is_err());
    assert!(client.emulator.faults().remove(fault));
}

#[tokio::test]
async fn luck_follows_the_seed() {
    let struck = async |seed: u64| {
        let client = Client::of(builder().seed(seed).fault(Fault::error("InternalError.X").probability(0.3)));
        let mut struck = Vec::new();
        for _ in 0..50 {
            struck.push(client.cvm("DescribeZones", json!({})).await.is_err());
        }
        struck
    };
    assert_eq!(struck(1).await, struck(1).await);
    assert_ne!(struck(1).await, struck(2).await);
}

/// A server on the tests' clock, and a client whose requests carry its address.
async fn served() -> (Server, Client) {
    let server = builder().start().await.unwrap();
    let client = Client { emulator: server.emulator().clone(), region: server.region().to_owned() };
    (server, client)
}

/// Sends a request and hands over the connection.
async fn sent(address: SocketAddr, unsent: Unsent) -> TcpStream {
    let request = unsent.signed();
    let mut bytes = format!("{} {} HTTP/1.1\r\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        bytes.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    bytes.push_str(&format!("Content-Length: {}\r\n\r\n", request.body().len()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[bytes.as_bytes(), request.body()].concat()).await.unwrap();
    stream
}

/// What comes until the server closes the connection.
async fn rest(mut stream: TcpStream) -> String {
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text).await;
    text
}

async fn is_silent(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    tokio::time::timeout(Duration::from_millis(50), stream.read(&mut byte)).await.is_err()
}

#[tokio::test]
async fn a_cut_connection_closes_without_a_word() {
    let (server, client) = served().await;
    server.faults().add(Fault::cut().after_execution().on("CreateVpc").once());
    assert_eq!(rest(sent(server.address(), create_vpc(&client)).await).await, "");
    assert_eq!(vpcs(&client).await, 1);
}

#[tokio::test]
async fn silence_lasts_until_the_clock_moves_on_or_for_ever() {
    let (server, client) = served().await;
    server.faults().add(Fault::timeout().on("CreateVpc").once());
    let mut stream = sent(server.address(), create_vpc(&client)).await;
    assert!(is_silent(&mut stream).await);
    server.clock().advance(Duration::from_secs(30));
    assert!(is_silent(&mut stream).await);
    server.clock().advance(Duration::from_secs(30));
    assert_eq!(rest(stream).await, "");
    server.faults().add(Fault::hang().on("CreateVpc").once());
    let mut stream = sent(server.address(), create_vpc(&client)).await;
    assert!(is_silent(&mut stream).await);
    server.clock().advance(Duration::from_secs(3600));
    assert!(is_silent(&mut stream).await);
    // The emulator does not wait for it when it stops.
    let stopped = tokio::time::timeout(Duration::from_secs(4), server.shutdown()).await;
    assert!(stopped.is_ok());
    assert_eq!(rest(stream).await, "");
}

#[tokio::test]
async fn an_answer_may_be_shorter_than_it_says() {
    let (server, client) = served().await;
    server.faults().add(Fault::new(Effect::WrongLength).on("CreateVpc").once());
    let text = rest(sent(server.address(), create_vpc(&client)).await).await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let length =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    let length: usize = length.unwrap().parse().unwrap();
    assert!(body.len() < length && body.starts_with("{\"Response\""), "{text}");
    assert_eq!(vpcs(&client).await, 1);
}

#[tokio::test]
async fn answers_go_on_after_a_fault() {
    let server = Emulator::builder().fault(Fault::hang().on("DescribeVpcs")).start().await.unwrap();
    let client = Client { emulator: server.emulator().clone(), region: server.region().to_owned() };
    let describe = client.unsent("vpc", "DescribeVpcs", json!({}));
    let _held = sent(server.address(), describe).await;
    let mut stream = sent(server.address(), client.unsent("cvm", "DescribeZones", json!({}))).await;
    let mut first = [0; 15];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
}

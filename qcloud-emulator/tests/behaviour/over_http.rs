//! The emulator on a port, spoken to byte by byte.

use qcloud_emulator::{Clock, Emulator};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Client, Unsent};

/// Sends a signed request over a connection of its own and gives the whole answer, headers and all.
async fn exchange(address: std::net::SocketAddr, request: Unsent) -> String {
    let request = request.signed();
    let mut bytes = format!("{} {} HTTP/1.1\r\nConnection: close\r\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        bytes.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    bytes.push_str(&format!("Content-Length: {}\r\n\r\n", request.body().len()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    stream.write_all(request.body()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn it_answers_over_http_until_it_is_shut_down() {
    let clock = Clock::starting_now();
    let server = Emulator::builder().clock(clock).check_responses(true).start().await.unwrap();
    assert_eq!(server.endpoint(), format!("http://{}", server.address()));
    assert!(server.address().ip().is_loopback());
    let client = Client { emulator: server.emulator().clone(), region: server.region().to_owned() };
    let host = server.address().to_string();
    let zones = Unsent { host: host.clone(), ..client.unsent("cvm", "DescribeZones", json!({})) };
    let answer = exchange(server.address(), zones.clone()).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("content-type: application/json"), "{answer}");
    // One date, the emulator's own.
    assert_eq!(answer.to_ascii_lowercase().matches("\r\ndate: ").count(), 1);
    assert!(answer.contains("ap-guangzhou-3"));
    let get = Unsent { host: host.clone(), ..client.unsent("vpc", "DescribeVpcs", json!({})) }.get("Limit=20");
    assert!(exchange(server.address(), get).await.contains("\"TotalCount\":0"));
    let large = Unsent { body: vec![b' '; 12 * 1024 * 1024], ..zones.clone() };
    assert!(exchange(server.address(), large).await.contains("RequestSizeLimitExceeded"));
    assert_eq!(server.calls().count("DescribeZones"), 2);
    let address = server.address();
    server.shutdown().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn dropping_the_server_stops_it() {
    let server = Emulator::builder().start().await.unwrap();
    let address = server.address();
    drop(server);
    // The port closes as soon as the task gets to run.
    for _ in 0..1000 {
        if TcpStream::connect(address).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the emulator still listens");
}

//! The built-in transport against servers, gateways and connections that misbehave, on loopback.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{Either, select};
use qcloud_core::testing::ManualClock;
use qcloud_core::transport::Proxy;
use qcloud_core::{Client, Effect, Endpoint, Error, ErrorKind, Result, RetryPolicy, Sent};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use wiremock::matchers::{header, header_exists, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::server::{Act, LIT, Server, answer, write};
use crate::support::{LAMP, action};

/// One call, without retries, to a server that treats its one connection so.
async fn once(acts: Vec<Act>, effect: Effect) -> Result<Value> {
    let server = Server::start(vec![acts]).await;
    server.client().call(action(effect)).with_retry(RetryPolicy::none()).await
}

fn seen(error: &Error) -> (ErrorKind, Sent) {
    (error.kind(), error.was_sent())
}

#[tokio::test]
async fn the_request_on_the_wire_is_what_was_signed() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/"))
        .and(header("content-type", "application/json"))
        .and(header("host", server.address().to_string().as_str()))
        .and(header("x-tc-action", "SwitchLamp"))
        .and(header_exists("authorization"))
        .respond_with(
            ResponseTemplate::new(200).set_body_json(json!({ "Response": { "Lit": true, "RequestId": "r" } })),
        )
        .expect(1)
        .mount(&server)
        .await;
    let config = qcloud_core::Config::builder()
        .region("ap-guangzhou")
        .static_credentials("AKIDtest", "test-key")
        .endpoint(Endpoint::url(server.uri()).unwrap())
        .proxy(Proxy::Direct)
        .build()
        .unwrap();
    let answer = Client::new(&config, LAMP).call(action(Effect::Read)).await.unwrap();
    assert_eq!(answer["Lit"], true);
    let request = server.received_requests().await.unwrap().remove(0);
    assert_eq!(request.body, b"{}");
    let hosts: Vec<_> = request.headers.get_all("host").iter().collect();
    assert_eq!(hosts.len(), 1);
}

#[tokio::test]
async fn statuses_and_bodies_are_sorted() {
    let html = "<html><head><title>502 Bad Gateway</title></head></html>";
    let envelope = r#"{"Response":{"Error":{"Code":"InvalidParameter","Message":"no"},"RequestId":"r-7"}}"#;
    let cases: [(u16, &str, ErrorKind, Sent, &str); 11] = [
        (502, html, ErrorKind::Http, Sent::Yes, "502 Bad Gateway"),
        (200, html, ErrorKind::Http, Sent::Yes, "not the API's"),
        (503, "", ErrorKind::Http, Sent::Yes, "an empty body"),
        (404, "{\"message\":\"no route\"}", ErrorKind::Http, Sent::Yes, "no route"),
        (302, "", ErrorKind::Http, Sent::Yes, "redirects are not followed"),
        (307, "", ErrorKind::Http, Sent::Yes, "redirects are not followed"),
        (200, "", ErrorKind::Transport, Sent::Maybe, "empty"),
        (204, "", ErrorKind::Transport, Sent::Maybe, "empty"),
        (200, "{\"Response\":{\"A\":", ErrorKind::Transport, Sent::Maybe, "cut short"),
        (200, envelope, ErrorKind::Service, Sent::Yes, "InvalidParameter: no (request id r-7)"),
        (500, envelope, ErrorKind::Service, Sent::Yes, "InvalidParameter: no (HTTP 500, request id r-7)"),
    ];
    for (status, body, kind, sent, says) in cases {
        let server = MockServer::start().await;
        let elsewhere = format!("{}/elsewhere", server.uri());
        let response =
            ResponseTemplate::new(status).set_body_string(body).insert_header("Location", elsewhere.as_str());
        Mock::given(path("/")).respond_with(response).expect(1).mount(&server).await;
        Mock::given(path("/elsewhere")).respond_with(ResponseTemplate::new(200)).expect(0).mount(&server).await;
        let config = qcloud_core::Config::builder()
            .static_credentials("AKIDtest", "test-key")
            .endpoint(Endpoint::url(server.uri()).unwrap())
            .proxy(Proxy::Direct)
            .retry(RetryPolicy::none())
            .build()
            .unwrap();
        let error = Client::new(&config, LAMP).call(action(Effect::Write)).await.unwrap_err();
        assert_eq!(seen(&error), (kind, sent), "{status} {body}: {error}");
        assert!(error.to_string().contains(says), "{status} {body}: {error}");
    }
}

#[tokio::test]
async fn answers_that_are_too_large_are_not_read() {
    let limited = async |acts: Vec<Act>| {
        let server = Server::start(vec![acts]).await;
        let config = server.builder().max_response_size(1000).build().unwrap();
        Client::new(&config, LAMP).call(action(Effect::Read)).await
    };
    let body = format!(r#"{{"Response":{{"Text":"{}"}}}}"#, "x".repeat(2000));
    let announced = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let chunked =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let unannounced = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{body}");
    for wire in [announced.as_str(), &chunked, &unannounced, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"] {
        let error = limited(vec![Act::Read, write(wire)]).await.unwrap_err();
        assert_eq!(seen(&error), (ErrorKind::Transport, Sent::Yes), "{error}");
        assert!(error.to_string().contains("answer too large: more than 1000 bytes"), "{error}");
        assert!(!error.is_retryable());
    }
    let small = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{LIT}");
    assert_eq!(limited(vec![Act::Read, write(small)]).await.unwrap()["Lit"], true);
}

#[tokio::test]
async fn an_exchange_cut_anywhere_after_it_began_is_in_doubt() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let cuts: Vec<(&str, Vec<Act>)> = vec![
        ("at once", vec![]),
        ("within the request", vec![Act::ReadSome(20)]),
        ("after the request", vec![Act::Read]),
        ("within the status line", vec![Act::Read, write("HTTP/1.1 2")]),
        ("within the headers", vec![Act::Read, write(head)]),
        ("before the body", vec![Act::Read, write(format!("{head}Content-Length: {}\r\n\r\n", LIT.len()))]),
        (
            "within the body",
            vec![Act::Read, write(format!("{head}Content-Length: {}\r\n\r\n{}", LIT.len(), &LIT[..9]))],
        ),
        ("short of its length", vec![Act::Read, write(format!("{head}Content-Length: 500\r\n\r\n{LIT}"))]),
        ("within a chunk", vec![Act::Read, write(format!("{head}Transfer-Encoding: chunked\r\n\r\nff\r\n{LIT}"))]),
        (
            "before the last chunk",
            vec![Act::Read, write(format!("{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{LIT}\r\n", LIT.len()))],
        ),
        ("with something else", vec![Act::Read, write("SSH-2.0-OpenSSH_9.6\r\n")]),
        ("with an unannounced cut", vec![Act::Read, write(format!("{head}Connection: close\r\n\r\n{}", &LIT[..30]))]),
    ];
    for (place, acts) in cuts {
        let error = once(acts.clone(), Effect::Write).await.unwrap_err();
        assert_eq!(seen(&error), (ErrorKind::Transport, Sent::Maybe), "cut {place}: {error}");
        assert!(error.is_ambiguous() && error.is_retryable(), "cut {place}: {error}");

        // A read is made again, over another connection.
        let server = Server::start(vec![acts, vec![Act::Read, answer(LIT)]]).await;
        assert_eq!(server.client().call(action(Effect::Read)).await.unwrap()["Lit"], true, "cut {place}");
    }
}

#[tokio::test]
async fn a_refused_connection_has_sent_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let server = Server::start(vec![]).await;
    let config = server.builder().endpoint(Endpoint::url(format!("http://{address}")).unwrap()).build().unwrap();
    let error = Client::new(&config, LAMP).call(action(Effect::Write)).await.unwrap_err();
    assert_eq!(seen(&error), (ErrorKind::Connect, Sent::No), "{error}");
    assert!(!error.is_ambiguous());
    assert_eq!(error.attempts(), 3, "even a write may be tried again");
}

#[tokio::test]
async fn a_fallback_takes_over_when_nobody_listens() {
    let server = Server::start(vec![vec![Act::Read, answer(LIT)]]).await;
    let config = server
        .builder()
        .endpoint(Endpoint::url("http://127.0.0.1:1").unwrap())
        .fallback_endpoints([Endpoint::url(format!("http://{}", server.address)).unwrap()])
        .build()
        .unwrap();
    Client::new(&config, LAMP).call(action(Effect::Write)).await.unwrap();
    assert!(server.requests()[0].contains(&format!("host: {}", server.address)), "{:?}", server.requests());
}

#[tokio::test]
async fn connections_are_kept_and_one_closed_meanwhile_does_no_harm() {
    let server = Server::start(vec![vec![Act::Read, answer(LIT), Act::Read, answer(LIT)]]).await;
    let client = server.client();
    for _ in 0..2 {
        client.call(action(Effect::Write)).await.unwrap();
    }
    assert_eq!(server.requests().len(), 2, "both over one connection");

    // The server closes the idle connection without a word; whether the client has noticed yet is a matter of luck.
    let server = Server::start((0..20).map(|_| vec![Act::Read, answer(LIT)]).collect()).await;
    let client = server.client();
    for _ in 0..20 {
        client.call(action(Effect::Read)).await.unwrap();
    }
    assert_eq!(server.requests().len(), 20);

    // The server takes the second request off the old connection, and closes it without an answer.
    let server = Server::start(vec![vec![Act::Read, answer(LIT), Act::Read], vec![Act::Read, answer(LIT)]]).await;
    let client = server.client();
    client.call(action(Effect::Read)).await.unwrap();
    client.call(action(Effect::Read)).await.unwrap();
    assert_eq!(server.requests().len(), 3);
    let server = Server::start(vec![vec![Act::Read, answer(LIT), Act::Read], vec![Act::Read, answer(LIT)]]).await;
    let client = server.client();
    client.call(action(Effect::Write)).await.unwrap();
    let error = client.call(action(Effect::Write)).await.unwrap_err();
    assert_eq!(seen(&error), (ErrorKind::Transport, Sent::Maybe), "{error}");
    assert_eq!(server.requests().len(), 2, "a write is not sent a second time behind the caller's back");
}

/// The clock stands still until the server has the request, so no time passes for real.
#[tokio::test]
async fn a_server_that_is_slow_runs_into_the_timeout() {
    let clock = ManualClock::new();
    let server = Server::start(vec![vec![Act::Read, Act::Hang]]).await;
    let config = server.builder().clock(clock.clone()).attempt_timeout(Duration::from_secs(9)).build().unwrap();
    let client = Client::new(&config, LAMP);
    let call = async { client.call(action(Effect::Write)).await }.boxed();
    let arrived = async {
        while server.requests().is_empty() {
            tokio::task::yield_now().await;
        }
    }
    .boxed();
    let Either::Right(((), call)) = select(call, arrived).await else { panic!("no answer was given") };
    clock.advance(Duration::from_secs(9));
    let error = call.await.unwrap_err();
    assert_eq!(seen(&error), (ErrorKind::Timeout, Sent::Maybe), "{error}");
    assert!(error.to_string().contains("none within 9s"), "{error}");
}

#[tokio::test]
async fn bodies_in_many_pieces_are_put_together() {
    let text = "灯".repeat(5000);
    let body = json!({ "Response": { "Text": text, "RequestId": "r" } }).to_string();
    let mut acts = vec![Act::Read, write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")];
    for piece in body.as_bytes().chunks(777) {
        let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
        chunk.extend_from_slice(piece);
        chunk.extend_from_slice(b"\r\n");
        acts.push(Act::Write(chunk));
    }
    acts.push(write("0\r\n\r\n"));
    assert_eq!(once(acts, Effect::Read).await.unwrap()["Text"], text.as_str());
}

#[test]
fn plain_http_is_for_loopback() {
    for url in ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:1", "https://example.com"] {
        Endpoint::url(url).unwrap();
    }
    for url in ["http://example.com", "http://10.0.0.1", "http://0.0.0.0:80", "http://localhost.example.com"] {
        let error = Endpoint::url(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("insecure_url"), "{error}");
    }
}

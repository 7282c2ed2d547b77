//! The proxy of the built-in transport, played by a server on loopback.

use std::time::Duration;

use bytes::Bytes;
use qcloud_core::transport::{Proxy, ReqwestTransport, Transport, TransportErrorKind};
use qcloud_core::{Client, Effect, Endpoint, ErrorKind, RetryPolicy, Sent};

use crate::support::server::{Act, LIT, Server, answer, write};
use crate::support::{LAMP, action};

fn through(proxy: &Server) -> Proxy {
    Proxy::Url(format!("http://me:word@{}", proxy.address).into())
}

#[tokio::test]
async fn plain_requests_go_to_the_proxy_whole() {
    let proxy = Server::start(vec![vec![Act::Read, answer(LIT)]]).await;
    let config = proxy
        .builder()
        .endpoint(Endpoint::insecure_url("http://lamp.invalid").unwrap())
        .proxy(through(&proxy))
        .build()
        .unwrap();
    Client::new(&config, LAMP).call(action(Effect::Read)).await.unwrap();
    let request = proxy.requests().remove(0);
    assert!(request.starts_with("POST http://lamp.invalid/ HTTP/1.1\r\n"), "{request}");
    assert!(request.to_lowercase().contains("proxy-authorization: basic "), "{request}");
    assert!(request.to_lowercase().contains("\r\nhost: lamp.invalid\r\n"), "{request}");
}

#[tokio::test]
async fn tls_goes_through_a_tunnel_and_a_proxy_that_refuses_has_sent_nothing() {
    let proxy =
        Server::start(vec![vec![Act::Read, write("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")]]).await;
    let config = proxy
        .builder()
        .endpoint(Endpoint::url("https://lamp.invalid").unwrap())
        .proxy(through(&proxy))
        .build()
        .unwrap();
    let error =
        Client::new(&config, LAMP).call(action(Effect::Write)).with_retry(RetryPolicy::none()).await.unwrap_err();
    assert_eq!((error.kind(), error.was_sent()), (ErrorKind::Connect, Sent::No), "{error}");
    let request = proxy.requests().remove(0);
    assert!(request.starts_with("CONNECT lamp.invalid:443 HTTP/1.1\r\n"), "{request}");
    assert!(!request.contains("SwitchLamp") && !request.contains("TC3"), "{request}");
}

#[tokio::test]
async fn direct_uses_none() {
    let server = Server::start(vec![vec![Act::Read, answer(LIT)]]).await;
    let config = server.builder().proxy(Proxy::Direct).build().unwrap();
    Client::new(&config, LAMP).call(action(Effect::Read)).await.unwrap();
    assert!(server.requests()[0].starts_with("POST / HTTP/1.1\r\n"));
}

/// Whoever sits on the way would get the credentials of the instance, or hand out others.
#[tokio::test]
async fn the_metadata_server_is_never_asked_through_a_proxy() {
    let proxy = Server::start(vec![vec![Act::Read, answer(LIT)], vec![Act::Read, answer(LIT)]]).await;
    let transport =
        ReqwestTransport::builder().proxy(through(&proxy)).connect_timeout(Duration::from_millis(50)).build().unwrap();
    for host in ["metadata.tencentyun.com", "Metadata.TencentYun.com"] {
        let request = http::Request::get(format!("http://{host}/latest/meta-data/")).body(Bytes::new()).unwrap();
        // There is no such server where tests run; what matters is that the proxy is not asked.
        if let Err(error) = transport.send(request).await {
            assert_ne!(error.kind(), TransportErrorKind::Request, "{error}");
        }
        assert!(proxy.requests().is_empty(), "{:?}", proxy.requests());
    }
    let request = http::Request::get("http://other.invalid/latest/").body(Bytes::new()).unwrap();
    transport.send(request).await.unwrap();
    assert_eq!(proxy.requests().len(), 1);
}

/// A proxy would look for its own loopback, and be shown what plain http carries. The variables are those of the process,
/// so the test runs itself in another one.
#[tokio::test]
async fn loopback_is_reached_past_the_proxy_of_the_environment() {
    const NAME: &str = "proxies_are_used_and_bypassed::loopback_is_reached_past_the_proxy_of_the_environment";
    const BEHIND_A_PROXY: &str = "QCLOUD_TEST_BEHIND_A_PROXY";
    if std::env::var_os(BEHIND_A_PROXY).is_some() {
        let server = Server::start(vec![vec![Act::Read, answer(LIT)]]).await;
        let config = server.builder().proxy(Proxy::Environment).build().unwrap();
        Client::new(&config, LAMP).call(action(Effect::Read)).await.unwrap();
        assert!(server.requests()[0].starts_with("POST / HTTP/1.1\r\n"));
        return;
    }
    let proxy = Server::start(vec![vec![Act::Read, answer(LIT)]]).await;
    let run = tokio::task::spawn_blocking({
        let url = format!("http://{}", proxy.address);
        move || {
            let mut test = std::process::Command::new(std::env::current_exe().unwrap());
            test.args(["--exact", NAME]).env(BEHIND_A_PROXY, "1");
            for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
                test.env(variable, &url).env_remove(variable.to_lowercase());
            }
            test.env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap()
        }
    });
    let output = String::from_utf8(run.await.unwrap().stdout).unwrap();
    assert!(output.contains("1 passed; 0 failed"), "{output}");
    assert!(proxy.requests().is_empty(), "{:?}", proxy.requests());
}

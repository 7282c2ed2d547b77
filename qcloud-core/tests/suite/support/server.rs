//! A server on loopback that does with each connection exactly what a test says, byte by byte.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use qcloud_core::{Client, Config, ConfigBuilder, Endpoint, Region, RetryPolicy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::LAMP;

/// One thing to do on a connection.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Read a whole request.
    Read,
    /// Read only the first bytes of one.
    ReadSome(usize),
    Write(Vec<u8>),
    /// Keep the connection open and say nothing, until the client goes away.
    Hang,
}

pub(crate) fn write(text: impl AsRef<str>) -> Act {
    Act::Write(text.as_ref().as_bytes().to_vec())
}

/// A complete answer.
pub(crate) fn answer(body: &str) -> Act {
    write(format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
}

pub(crate) const LIT: &str = r#"{"Response":{"Lit":true,"RequestId":"r-1"}}"#;

/// Serves one connection for each list of acts, in their order, and keeps the requests. A connection is closed after its
/// last act, and the port after the last connection.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(connections: Vec<Vec<Act>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            for acts in connections {
                let (stream, _) = listener.accept().await.unwrap();
                play(stream, acts, &kept).await;
            }
        });
        Self { address, requests, task }
    }

    /// The requests so far, head and body.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn builder(&self) -> ConfigBuilder {
        Config::builder()
            .region(Region::GUANGZHOU)
            .static_credentials("AKIDtest", "test-key")
            .endpoint(Endpoint::url(format!("http://{}", self.address)).unwrap())
            .proxy(qcloud_core::transport::Proxy::Direct)
            .retry(RetryPolicy::default().delays(std::time::Duration::ZERO, std::time::Duration::ZERO))
            .jitter_seed(1)
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.builder().build().unwrap(), LAMP)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn play(mut stream: TcpStream, acts: Vec<Act>, requests: &Mutex<Vec<String>>) {
    for act in acts {
        match act {
            Act::Read => match read_request(&mut stream).await {
                Some(request) => requests.lock().unwrap().push(request),
                None => return,
            },
            Act::ReadSome(count) => {
                let mut some = vec![0; count];
                let _ = stream.read_exact(&mut some).await;
            }
            Act::Write(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Act::Hang => {
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
            }
        }
    }
    let _ = stream.shutdown().await;
}

/// Reads a head and as much body as it announces; `None` when the client closes first.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(0, |(_, value)| value.trim().parse::<usize>().unwrap());
            if body.len() >= length {
                return Some(text);
            }
        }
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await.ok()?;
        if count == 0 {
            return None;
        }
        bytes.extend_from_slice(&buffer[..count]);
    }
}

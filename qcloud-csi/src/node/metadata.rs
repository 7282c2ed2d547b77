//! Who this node is: what the program is told, else what the instance's metadata server says.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use qcloud_core::transport::Transport;
use tokio::time::{sleep, timeout};

/// Where an instance learns about itself.
const SERVER: &str = "http://metadata.tencentyun.com";
/// The server is one hop away.
const TIMEOUT: Duration = Duration::from_secs(2);
/// A node that has just started may not have its network yet.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_secs(1);
/// No id or zone is as long.
const LONGEST: usize = 128;

/// A node as the cluster is to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeIdentity {
    /// The id of its instance.
    pub id: String,
    /// The zone that it is in: only volumes of this zone can be attached to it.
    pub zone: String,
    /// How many volumes it takes; 0 leaves it to the cluster.
    pub max_volumes: u32,
}

impl NodeIdentity {
    /// A node of this id, where that is given, and this zone; the metadata server is asked for what is not.
    ///
    /// # Errors
    /// When the server can't be reached or says something that makes no sense.
    pub async fn learn(
        id: Option<String>,
        zone: Option<String>,
        max_volumes: u32,
        server: &MetadataServer,
    ) -> Result<Self, MetadataError> {
        let id = match id {
            Some(id) => id,
            None => server.instance_id().await?,
        };
        let zone = match zone {
            Some(zone) => zone,
            None => server.zone().await?,
        };
        Ok(Self { id, zone, max_volumes })
    }
}

/// The server that tells an instance about itself.
#[derive(Clone, Debug)]
pub struct MetadataServer {
    transport: Arc<dyn Transport>,
    server: String,
}

/// Why a node does not know who it is.
#[derive(Debug, thiserror::Error)]
#[error("{url}: {reason}; outside a CVM instance, give --node-id and --node-zone")]
pub struct MetadataError {
    url: String,
    reason: String,
}

impl MetadataServer {
    /// The server of the instance that this process runs on.
    #[must_use]
    pub fn new(transport: Arc<dyn Transport>) -> Self {
        Self { transport, server: SERVER.to_owned() }
    }

    /// Asks another server than `http://metadata.tencentyun.com`.
    #[must_use]
    pub fn with_server(mut self, base_url: impl Into<String>) -> Self {
        self.server = base_url.into().trim_end_matches('/').to_owned();
        self
    }

    /// The id of the instance.
    ///
    /// # Errors
    /// When the server can't be reached or says something that makes no sense.
    pub async fn instance_id(&self) -> Result<String, MetadataError> {
        self.read("instance-id").await
    }

    /// The zone of the instance.
    ///
    /// # Errors
    /// When the server can't be reached or says something that makes no sense.
    pub async fn zone(&self) -> Result<String, MetadataError> {
        self.read("placement/zone").await
    }

    async fn read(&self, name: &str) -> Result<String, MetadataError> {
        let url = format!("{}/latest/meta-data/{name}", self.server);
        let mut tried = 1;
        loop {
            match self.read_once(&url).await {
                Ok(value) => return Ok(value),
                Err(reason) if tried < TRIES => {
                    tracing::warn!(url, reason, "the metadata server does not answer as it should; trying again");
                    tried += 1;
                    sleep(PAUSE).await;
                }
                Err(reason) => return Err(MetadataError { url, reason }),
            }
        }
    }

    async fn read_once(&self, url: &str) -> Result<String, String> {
        let request = Request::get(url).body(Bytes::new()).map_err(|error| error.to_string())?;
        let answer = match timeout(TIMEOUT, self.transport.send(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err(format!("no answer within {} s", TIMEOUT.as_secs())),
        };
        if answer.status() != StatusCode::OK {
            return Err(format!("HTTP {}", answer.status()));
        }
        let value = std::str::from_utf8(answer.body()).unwrap_or_default().trim();
        // A login page of some other network would be taken for an id else.
        let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if value.is_empty() || value.len() > LONGEST || !plain {
            return Err("the answer is not an id".to_owned());
        }
        Ok(value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;
    use http::Response;
    use qcloud_core::transport::{HttpRequest, HttpResponse, TransportError, TransportErrorKind};

    use super::*;

    /// Gives these answers in turn, and remembers what it was asked.
    #[derive(Debug, Default)]
    struct Script {
        answers: Mutex<Vec<Option<(u16, &'static str)>>>,
        asked: Mutex<Vec<String>>,
    }

    impl Transport for Script {
        fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
            self.asked.lock().unwrap().push(request.uri().to_string());
            let mut answers = self.answers.lock().unwrap();
            let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0] };
            async move {
                let (status, body) =
                    answer.ok_or_else(|| TransportError::new(TransportErrorKind::Connect, "no route"))?;
                Ok(Response::builder().status(status).body(Bytes::from_static(body.as_bytes())).unwrap())
            }
            .boxed()
        }
    }

    fn server(answers: &[Option<(u16, &'static str)>]) -> (Arc<Script>, MetadataServer) {
        let script = Arc::new(Script { answers: Mutex::new(answers.to_vec()), ..Script::default() });
        let transport: Arc<dyn Transport> = Arc::<Script>::clone(&script);
        (script, MetadataServer::new(transport))
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_given_is_asked_for() {
        let (script, server) = server(&[Some((200, "ins-1\n")), Some((200, "ap-guangzhou-3"))]);
        let node = NodeIdentity::learn(None, None, 18, &server).await.unwrap();
        assert_eq!(node, NodeIdentity { id: "ins-1".to_owned(), zone: "ap-guangzhou-3".to_owned(), max_volumes: 18 });
        assert_eq!(
            *script.asked.lock().unwrap(),
            [
                "http://metadata.tencentyun.com/latest/meta-data/instance-id",
                "http://metadata.tencentyun.com/latest/meta-data/placement/zone",
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_is_told_everything_asks_nobody() {
        let (script, server) = server(&[None]);
        let node = NodeIdentity::learn(Some("ins-2".to_owned()), Some("z".to_owned()), 0, &server).await.unwrap();
        assert_eq!(node.id, "ins-2");
        assert!(script.asked.lock().unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_not_there_yet_is_asked_again() {
        let (script, server) = server(&[None, Some((500, "")), Some((200, "ins-3"))]);
        assert_eq!(server.instance_id().await.unwrap(), "ins-3");
        assert_eq!(script.asked.lock().unwrap().len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_an_id_is_never_taken_for_one() {
        for answer in ["", "<html>log in</html>", "two words"] {
            let (_, server) = server(&[Some((200, answer))]);
            let error = server.with_server("http://127.0.0.1:1/").zone().await.unwrap_err().to_string();
            assert!(error.contains("--node-zone") && error.contains("http://127.0.0.1:1/latest"), "{error}");
        }
    }
}

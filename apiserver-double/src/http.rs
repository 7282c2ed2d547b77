//! The server on a port of the loopback interface, for kubectl and programs of their own.

use std::io;
use std::net::SocketAddr;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::service::ApiService;

/// A server that listens. It stops, and its connections close, when this is dropped.
#[derive(Debug)]
pub struct Served {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Served {
    pub(crate) async fn start(service: ApiService, address: SocketAddr) -> io::Result<Self> {
        if !address.ip().is_loopback() {
            let why = format!("{address} is not an address of loopback; whoever reaches this server may do everything");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { address, task: tokio::spawn(accept(listener, service)) })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where clients find it: `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The text of a kubeconfig file for it, with one cluster, one context and no secrets.
    pub fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1\n\
             kind: Config\n\
             clusters:\n\
             - name: double\n\
             \x20 cluster:\n\
             \x20   server: {}\n\
             users:\n\
             - name: administrator\n\
             \x20 user: {{}}\n\
             contexts:\n\
             - name: double\n\
             \x20 context:\n\
             \x20   cluster: double\n\
             \x20   user: administrator\n\
             current-context: double\n",
            self.url()
        )
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, service: ApiService) {
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, service.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, service: ApiService) {
    // Without it, small answers wait for the acknowledgement of the answer before.
    let _ = stream.set_nodelay(true);
    // A service that fails makes hyper close the connection without a word, which is what the faults want.
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    if let Err(error) = served.await {
        tracing::debug!(%error, "connection ended");
    }
}

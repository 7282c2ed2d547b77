//! The emulator on a port of the loopback interface.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use http::{Request, Response};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::calls::Calls;
use crate::clock::Clock;
use crate::emulator::Emulator;
use crate::error::StartError;

/// Bodies are read up to here, far beyond what the API takes, so that a client that sends too much can finish sending
/// and read what was wrong.
const READ_AT_MOST: usize = 64 * 1024 * 1024;
/// How long [`Server::shutdown`] waits for answers under way.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running emulator. It stops when this is dropped.
#[derive(Debug)]
pub struct Server {
    emulator: Emulator,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<std::io::Result<()>>>,
}

impl Server {
    pub(crate) async fn start(emulator: Emulator, address: SocketAddr) -> Result<Self, StartError> {
        let bound = async {
            let listener = TcpListener::bind(address).await?;
            let local = listener.local_addr()?;
            Ok((listener, local))
        };
        let (listener, local) = bound.await.map_err(|source| StartError::Bind { address, source })?;
        let router = Router::new().fallback(answer).with_state(emulator.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = axum::serve(listener, router).with_graceful_shutdown(async {
            // Either a signal or the sender gone: stop in both cases.
            let _ = stopped.await;
        });
        let task = tokio::spawn(serving.into_future());
        Ok(Self { emulator, address: local, stop: Some(stop), task: Some(task) })
    }

    /// Where it listens, such as `http://127.0.0.1:40123`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The emulator behind the port.
    pub fn emulator(&self) -> &Emulator {
        &self.emulator
    }

    /// See [`Emulator::secret_id`].
    pub fn secret_id(&self) -> &str {
        self.emulator.secret_id()
    }

    /// See [`Emulator::secret_key`].
    pub fn secret_key(&self) -> &str {
        self.emulator.secret_key()
    }

    /// See [`Emulator::region`].
    pub fn region(&self) -> &str {
        self.emulator.region()
    }

    /// See [`Emulator::clock`].
    pub fn clock(&self) -> &Clock {
        self.emulator.clock()
    }

    /// See [`Emulator::calls`].
    pub fn calls(&self) -> &Calls {
        self.emulator.calls()
    }

    /// Stops listening and waits for the answers under way, five seconds at most.
    pub async fn shutdown(mut self) {
        self.stop.take();
        if let Some(mut task) = self.task.take()
            && tokio::time::timeout(PATIENCE, &mut task).await.is_err()
        {
            task.abort();
        }
    }
}

async fn answer(State(emulator): State<Emulator>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let response = match axum::body::to_bytes(body, READ_AT_MOST).await {
        Ok(body) => emulator.handle(Request::from_parts(parts, body)).await,
        Err(error) => {
            let message = format!("The body could not be read: {error}. It may have at most 10 MiB.");
            emulator.refuse("RequestSizeLimitExceeded", &message)
        }
    };
    response.map(Body::from)
}

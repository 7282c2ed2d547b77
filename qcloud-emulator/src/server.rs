//! The emulator on a port of the loopback interface.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::calls::Calls;
use crate::clock::Clock;
use crate::connection;
use crate::emulator::Emulator;
use crate::error::StartError;
use crate::faults::Faults;

/// How long [`Server::shutdown`] waits for answers under way.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running emulator. It stops when this is dropped.
#[derive(Debug)]
pub struct Server {
    emulator: Emulator,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(emulator: Emulator, address: SocketAddr) -> Result<Self, StartError> {
        let (listener, local) = connection::bind(address).await?;
        let (stop, stopped) = watch::channel(false);
        let (served, stopping) = (emulator.clone(), stopped.clone());
        let task = tokio::spawn(connection::serve(listener, stopped, move |request| {
            let (emulator, stopping) = (served.clone(), stopping.clone());
            async move { connection::api(&emulator, request, stopping).await }
        }));
        Ok(Self { emulator, address: local, stop, task })
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

    /// See [`Emulator::faults`].
    pub fn faults(&self) -> &Faults {
        self.emulator.faults()
    }

    /// Stops listening and waits for the answers under way, five seconds at most.
    pub async fn shutdown(self) {
        let Self { stop, mut task, .. } = self;
        stop.send_replace(true);
        if tokio::time::timeout(PATIENCE, &mut task).await.is_err() {
            task.abort();
        }
    }
}

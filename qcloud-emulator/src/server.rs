//! The emulator on a port of the loopback interface.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::admin;
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
    admin: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Server {
    pub(crate) async fn start(
        emulator: Emulator,
        address: SocketAddr,
        admin: Option<SocketAddr>,
    ) -> Result<Self, StartError> {
        // Both or none.
        let (listener, local) = connection::bind(address).await?;
        let admin = match admin {
            Some(address) => Some(connection::bind(address).await?),
            None => None,
        };
        let (stop, stopped) = watch::channel(false);
        let (served, stopping) = (emulator.clone(), stopped.clone());
        let mut tasks = vec![tokio::spawn(connection::serve(listener, stopped.clone(), move |request| {
            let (emulator, stopping) = (served.clone(), stopping.clone());
            async move { connection::api(&emulator, request, stopping).await }
        }))];
        let mut admin_address = None;
        if let Some((listener, local)) = admin {
            admin_address = Some(local);
            let served = emulator.clone();
            tasks.push(tokio::spawn(connection::serve(listener, stopped, move |request| {
                let emulator = served.clone();
                async move { admin::answer(&emulator, request).await }
            })));
        }
        Ok(Self { emulator, address: local, admin: admin_address, stop, tasks })
    }

    /// Where it listens, such as `http://127.0.0.1:40123`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the admin port listens, such as `http://127.0.0.1:40124`, if it was asked for.
    pub fn admin_endpoint(&self) -> Option<String> {
        self.admin.map(|address| format!("http://{address}"))
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
        let Self { stop, tasks, .. } = self;
        stop.send_replace(true);
        let deadline = tokio::time::Instant::now() + PATIENCE;
        for mut task in tasks {
            if tokio::time::timeout_at(deadline, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}

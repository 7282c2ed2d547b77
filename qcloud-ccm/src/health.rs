//! `/healthz`, `/readyz` and `/metrics`.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::metrics::Metrics;

/// How long the controllers may go without a sign of life.
const STUCK: Duration = Duration::from_secs(60);

/// How the process is. Clones share it.
#[derive(Clone)]
pub struct Health(Arc<Mutex<State>>);

struct State {
    phase: Phase,
    beat: Instant,
}

enum Phase {
    Starting,
    Standby,
    Leading(Arc<Cluster>),
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Health").field(&self.ready()).finish()
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Health {
    /// A process that starts.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(State { phase: Phase::Starting, beat: Instant::now() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It has looked at the lease, and another process leads.
    pub fn standby(&self) {
        self.state().phase = Phase::Standby;
    }

    /// It leads.
    pub fn leading(&self, cluster: &Arc<Cluster>) {
        self.state().phase = Phase::Leading(Arc::clone(cluster));
    }

    /// The controllers' task is being run.
    pub fn beat(&self) {
        self.state().beat = Instant::now();
    }

    /// Beats until it is dropped. It belongs into the task whose life it shows.
    pub async fn keep_beating(&self) {
        let mut ticks = tokio::time::interval(Duration::from_secs(5));
        loop {
            ticks.tick().await;
            self.beat();
        }
    }

    /// Why the process should be restarted, if it should.
    ///
    /// # Errors
    /// When the controllers hang.
    pub fn healthy(&self) -> Result<(), String> {
        let silent = self.state().beat.elapsed();
        if silent < STUCK { Ok(()) } else { Err(format!("no sign of life for {} s", silent.as_secs())) }
    }

    /// What the process is ready for.
    ///
    /// # Errors
    /// When it is not ready yet.
    pub fn ready(&self) -> Result<&'static str, &'static str> {
        match &self.state().phase {
            Phase::Starting => Err("the API server has not answered yet"),
            Phase::Standby => Ok("standby: another process leads"),
            Phase::Leading(cluster) if cluster.is_ready() => Ok("leading"),
            Phase::Leading(_) => Err("leading: the objects of the cluster are being listed"),
        }
    }
}

/// The routes of the server.
pub fn router(health: Health, metrics: Metrics) -> Router {
    let (healthy, ready) = (health.clone(), health);
    let healthz = move || async move {
        match healthy.healthy() {
            Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
            Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        }
    };
    let readyz = move || async move {
        match ready.ready() {
            Ok(what) => (StatusCode::OK, format!("{what}\n")),
            Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        }
    };
    let metrics = move || async move {
        let kind = [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
        (kind, metrics.render()).into_response()
    };
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).route("/metrics", get(metrics))
}

/// Listens on an address; gives where, and the work of serving.
///
/// # Errors
/// When the address can't be listened on.
pub async fn serve(
    address: SocketAddr,
    health: Health,
    metrics: Metrics,
) -> std::io::Result<(SocketAddr, impl Future<Output = std::io::Result<()>> + Send)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((address, async move { axum::serve(listener, router(health, metrics)).await }))
}

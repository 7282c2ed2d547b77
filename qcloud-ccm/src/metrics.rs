//! What is counted, for Prometheus.
//!
//! | name | kind | labels |
//! |---|---|---|
//! | `qcloud_ccm_syncs_total` | counter | queue, outcome (`ok`, `waiting`, `error`) |
//! | `qcloud_ccm_sync_seconds` | histogram | queue |
//! | `qcloud_ccm_queue_depth` | gauge | queue |
//! | `qcloud_ccm_cloud_calls_total` | counter | service, action, outcome (`ok` or the code) |
//! | `qcloud_ccm_cloud_call_seconds` | histogram | service, action |
//! | `qcloud_ccm_limiter_wait_seconds_total` | counter | service, action |
//! | `qcloud_ccm_limiter_waits_total` | counter | service, action |
//! | `qcloud_ccm_leader` | gauge | |
//! | `qcloud_ccm_orphans` | gauge | |

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use qcloud_core::{Attempt, Interceptor};

use crate::error::Error;

type Labels<const N: usize> = [(&'static str, String); N];

/// Everything that is counted. Clones share it.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    syncs: Family<Labels<2>, Counter>,
    seconds: Family<Labels<1>, Histogram, Buckets>,
    depth: Family<Labels<1>, Gauge>,
    calls: Family<Labels<3>, Counter>,
    call_seconds: Family<Labels<2>, Histogram, Buckets>,
    limiter_seconds: Family<Labels<2>, Counter<f64, AtomicU64>>,
    limiter_waits: Family<Labels<2>, Counter>,
    leader: Gauge,
    orphans: Gauge,
}

/// From a hundredth of a second to some minutes.
#[derive(Clone)]
struct Buckets;

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(exponential_buckets(0.01, 2.5, 12))
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("qcloud_ccm");
        let mut inner = Inner {
            syncs: Family::default(),
            seconds: Family::new_with_constructor(Buckets),
            depth: Family::default(),
            calls: Family::default(),
            call_seconds: Family::new_with_constructor(Buckets),
            limiter_seconds: Family::default(),
            limiter_waits: Family::default(),
            leader: Gauge::default(),
            orphans: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("syncs", "Objects worked on", inner.syncs.clone());
        registry.register("sync_seconds", "How long it took to work on an object", inner.seconds.clone());
        registry.register("queue_depth", "Objects that wait to be worked on", inner.depth.clone());
        registry.register("cloud_calls", "Attempts to call the cloud's API", inner.calls.clone());
        registry.register("cloud_call_seconds", "How long an attempt took", inner.call_seconds.clone());
        let help = "Time that calls waited for their turn under the rate limits";
        registry.register("limiter_wait_seconds", help, inner.limiter_seconds.clone());
        registry.register("limiter_waits", "Calls that went through the rate limits", inner.limiter_waits.clone());
        registry.register("leader", "Whether this process holds the lease", inner.leader.clone());
        registry.register("orphans", "Balancers that have lost their Service", inner.orphans.clone());
        inner.registry = registry;
        Self(Arc::new(inner))
    }

    /// The counters of a queue.
    pub(crate) fn queue(&self, name: &'static str) -> QueueMetrics {
        QueueMetrics {
            name,
            syncs: self.0.syncs.clone(),
            seconds: self.0.seconds.get_or_create_owned(&[("queue", name.to_owned())]),
            depth: self.0.depth.get_or_create_owned(&[("queue", name.to_owned())]),
        }
    }

    /// Says whether this process leads. What one that does not lead has in its queues, and knew of orphans, is no longer so.
    pub fn leading(&self, leading: bool) {
        self.0.leader.set(leading.into());
        if !leading {
            self.0.orphans.set(0);
            self.0.depth.clear();
        }
    }

    /// Says how many balancers have lost their Service.
    pub fn orphans(&self, count: usize) {
        self.0.orphans.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// What counts the calls of a [`Config`](qcloud_core::Config): hand it to its builder.
    #[must_use]
    pub fn interceptor(&self) -> impl Interceptor + use<> {
        Calls(self.clone())
    }

    /// Everything, in the text format of OpenMetrics.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.0.registry);
        text
    }
}

/// The counters of one queue.
pub(crate) struct QueueMetrics {
    name: &'static str,
    syncs: Family<Labels<2>, Counter>,
    seconds: Histogram,
    depth: Gauge,
}

impl QueueMetrics {
    pub(crate) fn depth(&self, depth: usize) {
        self.depth.set(i64::try_from(depth).unwrap_or(i64::MAX));
    }

    pub(crate) fn worked(&self, took: Duration, error: Option<&Error>) {
        let outcome = match error {
            None => "ok",
            Some(error) if error.is_waiting() => "waiting",
            Some(_) => "error",
        };
        self.syncs.get_or_create(&[("queue", self.name.to_owned()), ("outcome", outcome.to_owned())]).inc();
        self.seconds.observe(took.as_secs_f64());
    }
}

/// Counts calls to the cloud.
struct Calls(Metrics);

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Calls")
    }
}

impl Interceptor for Calls {
    fn after_attempt(&self, attempt: &Attempt<'_>, took: Duration, error: Option<&qcloud_core::Error>) {
        let (service, action) = (attempt.service.to_owned(), attempt.action.to_owned());
        let outcome = match error {
            None => "ok".to_owned(),
            Some(error) => error.code().map_or_else(|| format!("{:?}", error.kind()), str::to_owned),
        };
        let inner = &self.0.0;
        inner
            .calls
            .get_or_create(&[("service", service.clone()), ("action", action.clone()), ("outcome", outcome)])
            .inc();
        inner.call_seconds.get_or_create(&[("service", service), ("action", action)]).observe(took.as_secs_f64());
    }

    fn after_turn(&self, service: &str, action: &str, waited: Duration) {
        let labels = [("service", service.to_owned()), ("action", action.to_owned())];
        self.0.0.limiter_waits.get_or_create(&labels).inc();
        self.0.0.limiter_seconds.get_or_create(&labels).inc_by(waited.as_secs_f64());
    }
}

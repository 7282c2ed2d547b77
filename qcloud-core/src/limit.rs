//! Client-side rate limits: waiting before a call, in place of being refused after it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::Region;
use crate::clock::Clock;

/// The documented rates of a service's actions, in calls per second for each region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Short name of the service.
    pub service: &'static str,
    /// The rate of actions that are not listed.
    pub default: u32,
    /// The rates of single actions.
    pub actions: &'static [(&'static str, u32)],
}

/// Service, action and region.
type BucketKey = (String, String, String);

/// Token buckets per service, action and region, shared by every client of a configuration.
///
/// The API counts calls per action and region over the whole account, so a process should use only its share:
/// [`with_share`](Self::with_share). Calls go at that part of the documented rate; what is left of it may go at once, and
/// always one call may, so that no second has more calls than are documented.
#[derive(Clone)]
pub struct RateLimits {
    rates: Vec<Rates>,
    share: f64,
    buckets: Arc<RwLock<HashMap<BucketKey, Arc<Bucket>>>>,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self { rates: Vec::new(), share: 1.0, buckets: Arc::default() }
    }
}

impl RateLimits {
    /// No limits yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Limits a service; each service crate has its documented rates as `RATES`.
    #[must_use]
    pub fn with_rates(mut self, rates: Rates) -> Self {
        self.rates.retain(|known| known.service != rates.service);
        self.rates.push(rates);
        self
    }

    /// Uses only this part of each rate, from 0 (exclusive) to 1; what is outside is taken as the nearest bound.
    #[must_use]
    pub fn with_share(mut self, share: f64) -> Self {
        self.share = if share.is_nan() { 1.0 } else { share.clamp(0.001, 1.0) };
        self
    }

    fn pace(&self, service: &str, action: &str) -> Option<Pace> {
        let rates = self.rates.iter().find(|rates| rates.service == service)?;
        let listed = rates.actions.iter().find(|(name, _)| *name == action).map(|(_, rate)| *rate);
        let documented = f64::from(listed.unwrap_or(rates.default));
        let rate = documented * self.share;
        (rate > 0.0).then(|| Pace { rate, burst: (documented - rate).max(1.0) })
    }

    /// Waits for a call's turn. Turns are given in the order of asking; who stops waiting gives up nothing but the
    /// place in the queue.
    pub(crate) async fn acquire(&self, service: &str, action: &str, region: Option<&Region>, clock: &dyn Clock) {
        let Some(pace) = self.pace(service, action) else { return };
        let bucket = self.bucket(service, action, region.map_or("", Region::as_str));
        let mut level = bucket.level.lock().await;
        level.refill(pace, clock.elapsed());
        while level.tokens < 1.0 {
            clock.sleep(Duration::from_secs_f64((1.0 - level.tokens) / pace.rate).max(Duration::from_micros(1))).await;
            level.refill(pace, clock.elapsed());
        }
        level.tokens -= 1.0;
    }

    fn bucket(&self, service: &str, action: &str, region: &str) -> Arc<Bucket> {
        let key = (service.to_owned(), action.to_owned(), region.to_owned());
        if let Some(bucket) = self.buckets.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(bucket);
        }
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(buckets.entry(key).or_default())
    }
}

impl fmt::Debug for RateLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimits").field("rates", &self.rates).field("share", &self.share).finish_non_exhaustive()
    }
}

/// How fast calls of an action may go.
#[derive(Clone, Copy)]
struct Pace {
    /// Calls per second.
    rate: f64,
    /// How many may go at once.
    burst: f64,
}

#[derive(Default)]
struct Bucket {
    level: tokio::sync::Mutex<Level>,
}

#[derive(Default)]
struct Level {
    tokens: f64,
    at: Option<Duration>,
}

impl Level {
    fn refill(&mut self, pace: Pace, now: Duration) {
        self.tokens = match self.at {
            None => pace.burst,
            Some(at) => (self.tokens + now.saturating_sub(at).as_secs_f64() * pace.rate).min(pace.burst),
        };
        self.at = Some(now);
    }
}

//! One set of credentials for many callers, loaded when needed and renewed before its end.

use std::error::Error as StdError;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tracing::{debug, warn};

use super::{CredentialProvider, Credentials, refused};
use crate::clock::{Clock, within};
use crate::{Error, ErrorKind, Result};

/// How long a load may take in all.
const LOAD_TIMEOUT: Duration = Duration::from_secs(15);
/// How long before their end credentials are renewed, when they live long; short-lived ones in the last tenth of their
/// life.
const EARLY: Duration = Duration::from_secs(300);
/// How long one caller waits for an early renewal while the old credentials would do.
const EARLY_PATIENCE: Duration = Duration::from_secs(2);
/// How long to leave the provider alone after an early renewal.
const PAUSE: Duration = Duration::from_secs(10);

/// Keeps the credentials of a provider for all callers; clones share them.
///
/// - The first caller loads them, and those that come meanwhile wait for the same load and get its outcome.
/// - Temporary ones are renewed shortly before their end (5 minutes, or the last tenth of a short life). Should that
///   fail or take long, the old ones go on being used until they end, and the next try is some seconds later. The error
///   is returned once they have ended.
/// - A caller that goes away does not stop a load: the next caller takes it up where it stands.
/// - A load has its own time limit, apart from that of the call that needs it.
/// - Failures are not kept: the next caller tries again.
#[derive(Clone)]
pub struct CredentialCache {
    shared: Arc<State>,
    provider: Arc<dyn CredentialProvider>,
    clock: Arc<dyn Clock>,
    load_timeout: Duration,
}

/// Credentials with the number that tells them from those before and after.
#[derive(Debug)]
pub struct CachedCredentials {
    credentials: Credentials,
    generation: u64,
    renew_at: Option<SystemTime>,
}

impl CachedCredentials {
    /// The credentials.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Counts up with each change of the credentials of a cache; the same number always means the same credentials.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    fn is_valid(&self, now: SystemTime) -> bool {
        self.credentials.expires_at().is_none_or(|end| now < end)
    }

    fn is_due(&self, now: SystemTime) -> bool {
        self.renew_at.is_some_and(|at| at <= now)
    }
}

type State = Mutex<Held>;

#[derive(Default)]
struct Held {
    current: Option<Arc<CachedCredentials>>,
    generation: u64,
    /// The API refused the current credentials.
    refused: bool,
    /// No early renewal before this reading of the clock.
    rest_until: Duration,
    flight: Option<Flight>,
    flights: u64,
}

impl Held {
    fn usable(&self, now: SystemTime) -> Option<Arc<CachedCredentials>> {
        self.current.clone().filter(|current| !self.refused && current.is_valid(now))
    }
}

type Landing = Result<Option<Credentials>, Arc<Error>>;

/// A load under way. It moves only while a caller waits for it.
#[derive(Clone)]
struct Flight {
    number: u64,
    started: Duration,
    /// Some caller with old credentials in hand waits for it.
    watched: Arc<AtomicBool>,
    landing: Shared<BoxFuture<'static, Landing>>,
}

impl CredentialCache {
    /// Keeps what `provider` gives.
    #[must_use]
    pub fn new(provider: Arc<dyn CredentialProvider>, clock: Arc<dyn Clock>) -> Self {
        Self { shared: Arc::default(), provider, clock, load_timeout: LOAD_TIMEOUT }
    }

    /// Sets how long a load may take in place of 15 seconds.
    #[must_use]
    pub fn with_load_timeout(mut self, limit: Duration) -> Self {
        self.load_timeout = limit;
        self
    }

    /// The credentials, from memory where possible.
    ///
    /// # Errors
    /// [`ErrorKind::Credentials`] when the provider has none or fails, takes longer than the load timeout, or gives
    /// credentials that have ended already; never while credentials that still hold are at hand.
    pub async fn get(&self) -> Result<Arc<CachedCredentials>> {
        let (flight, fallback) = {
            let mut held = self.lock();
            let fallback = held.usable(self.clock.now());
            if let Some(current) = &fallback
                && (!current.is_due(self.clock.now()) || self.clock.elapsed() < held.rest_until)
            {
                return Ok(Arc::clone(current));
            }
            (self.board(&mut held), fallback)
        };
        match fallback {
            None => {
                let landing = flight.landing.clone().await;
                // Another load may have ended well meanwhile.
                self.settle(flight.number, landing).or_else(|error| self.lock().usable(self.clock.now()).ok_or(error))
            }
            Some(old) => Ok(self.renew(&flight, old).await),
        }
    }

    /// Forgets the credentials of this generation, because the API refused them: the next [`get`](Self::get) asks the
    /// provider again. Without effect when they have been replaced meanwhile, so that many calls refused at once cause
    /// one load.
    pub fn invalidate(&self, generation: u64) {
        let mut held = self.lock();
        if held.current.as_ref().is_some_and(|current| current.generation == generation) {
            held.refused = true;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The load under way, or a new one. One that should have ended long ago was left behind by its callers, and what
    /// it waits for is stale.
    fn board(&self, held: &mut Held) -> Flight {
        let now = self.clock.elapsed();
        if let Some(flight) =
            held.flight.as_ref().filter(|flight| now < flight.started.saturating_add(self.load_timeout))
        {
            return flight.clone();
        }
        held.flights += 1;
        let flight = Flight {
            number: held.flights,
            started: now,
            watched: Arc::default(),
            landing: load(Arc::clone(&self.provider), Arc::clone(&self.clock), self.load_timeout).boxed().shared(),
        };
        held.flight = Some(flight.clone());
        flight
    }

    /// Waits a little for new credentials, if no other caller does; otherwise the old ones do.
    async fn renew(&self, flight: &Flight, old: Arc<CachedCredentials>) -> Arc<CachedCredentials> {
        if flight.watched.swap(true, Ordering::AcqRel) {
            return old;
        }
        let watch = Watch(&flight.watched);
        let patience = EARLY_PATIENCE.min(self.load_timeout);
        let landing = within(&*self.clock, patience, flight.landing.clone()).await;
        drop(watch);
        let Some(landing) = landing else {
            debug!(provider = self.provider.name(), "renewal of credentials takes long; the old ones are still used");
            return old;
        };
        self.settle(flight.number, landing).unwrap_or_else(|error| {
            warn!(provider = self.provider.name(), %error, "credentials could not be renewed; the old ones are still used");
            old
        })
    }

    /// Takes in what a load gave; the first of its callers to come here does the work.
    fn settle(&self, flight: u64, landing: Landing) -> Result<Arc<CachedCredentials>> {
        let mut held = self.lock();
        let first = held.flight.as_ref().is_some_and(|current| current.number == flight);
        if first {
            held.flight = None;
            held.rest_until = self.clock.elapsed().saturating_add(PAUSE);
        }
        let credentials = self.examine(landing)?;
        let known = held.current.clone().filter(|current| !first || current.credentials == credentials);
        let generation = match known {
            Some(current) if !first => return Ok(current),
            Some(current) => current.generation,
            None => held.generation + 1,
        };
        let renew_at = credentials.expires_at().map(|end| renewal(self.clock.now(), end));
        let current = Arc::new(CachedCredentials { credentials, generation, renew_at });
        held.generation = generation;
        held.current = Some(Arc::clone(&current));
        held.refused = false;
        Ok(current)
    }

    fn examine(&self, landing: Landing) -> Result<Credentials> {
        let name = self.provider.name();
        let loaded = landing
            .map_err(|error| copy(name, &error))?
            .ok_or_else(|| refused(format!("no credentials: the source ({name}) is not set up here")))?;
        if loaded.expires_at().is_some_and(|end| end <= self.clock.now()) {
            return Err(refused(format!(
                "the source of credentials ({name}) gave some that have ended already: check the machine's clock"
            )));
        }
        Ok(loaded)
    }
}

impl fmt::Debug for CredentialCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialCache")
            .field("provider", &self.provider)
            .field("current", &self.lock().current)
            .finish_non_exhaustive()
    }
}

/// Lets the next caller watch, also when this one is dropped.
struct Watch<'a>(&'a AtomicBool);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

async fn load(provider: Arc<dyn CredentialProvider>, clock: Arc<dyn Clock>, limit: Duration) -> Landing {
    let name = provider.name();
    let outcome = AssertUnwindSafe(async { provider.load().await }).catch_unwind();
    match within(&*clock, limit, outcome).await {
        Some(Ok(loaded)) => loaded.map_err(Arc::new),
        Some(Err(_)) => Err(Arc::new(refused(format!("the source of credentials ({name}) panicked")))),
        None => Err(Arc::new(refused(format!("no credentials within {limit:?}; the source ({name}) does not answer")))),
    }
}

/// When to renew credentials that end at `end`: jittered, so that many processes don't do so at once.
fn renewal(now: SystemTime, end: SystemTime) -> SystemTime {
    let life = end.duration_since(now).unwrap_or_default();
    let early = EARLY.min(life / 10);
    end.checked_sub(early.mul_f64(fastrand::f64().mul_add(0.2, 1.0))).unwrap_or(now)
}

/// An error for each of several callers; the cause is shared.
fn copy(name: &str, error: &Arc<Error>) -> Error {
    let message = if error.kind() == ErrorKind::Credentials && error.code().is_none() {
        error.message().to_owned()
    } else {
        format!("credentials could not be loaded ({name}): {error}")
    };
    let copy = refused(message);
    if error.source().is_some() { copy.with_source(Cause(Arc::clone(error))) } else { copy }
}

/// The cause of a shared error.
struct Cause(Arc<Error>);

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.source().map_or(Ok(()), |cause| fmt::Display::fmt(cause, f))
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()?.source()
    }
}

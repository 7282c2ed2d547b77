//! Time as the SDK sees it, so that a test can hold it still.

use std::fmt;
use std::pin::pin;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

use futures_util::future::{BoxFuture, Either, select};

/// Where the SDK takes the time from, and how it waits.
///
/// [`SystemClock`] is the real one. `testing::ManualClock` (feature `testing`) moves only when told.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time of day, for signatures and expiry dates.
    fn now(&self) -> SystemTime;

    /// Time since a fixed moment, never running backwards, for deadlines and rates.
    fn elapsed(&self) -> Duration;

    /// Completes after `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The machine's clock, waiting on the tokio timer.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn elapsed(&self) -> Duration {
        START.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// What `future` gives, or `None` when that takes longer than `limit`. What is ready wins over the time being up.
pub(crate) async fn within<F: Future>(clock: &dyn Clock, limit: Duration, future: F) -> Option<F::Output> {
    let sleep = clock.sleep(limit);
    match select(pin!(future), sleep).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}

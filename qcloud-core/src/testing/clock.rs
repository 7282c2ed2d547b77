//! A clock that a test moves.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;

use crate::clock::Clock;

/// 2024-05-01T08:00:00Z, when a fresh clock starts.
const START: Duration = Duration::from_secs(1_714_550_400);

/// A clock for tests. Clones show the same time.
///
/// One made by [`new`](Self::new) stands still until [`advance`](Self::advance) is called. One made by
/// [`auto`](Self::auto) goes on by itself to the end of the sleep that ends first whenever all tasks wait, so that
/// retries, polls and timeouts take no real time; it needs an in-process transport, since it can't see that something
/// is under way on a real network.
#[derive(Clone)]
pub struct ManualClock(Arc<Mutex<State>>);

struct State {
    elapsed: Duration,
    wall: SystemTime,
    automatic: bool,
    next: u64,
    sleepers: BTreeMap<(Duration, u64), Waker>,
}

impl ManualClock {
    fn start(automatic: bool) -> Self {
        Self(Arc::new(Mutex::new(State {
            elapsed: Duration::ZERO,
            wall: UNIX_EPOCH + START,
            automatic,
            next: 0,
            sleepers: BTreeMap::new(),
        })))
    }

    /// A clock that stands still.
    #[must_use]
    pub fn new() -> Self {
        Self::start(false)
    }

    /// A clock that jumps to the end of the next sleep when nothing else is left to do.
    #[must_use]
    pub fn auto() -> Self {
        Self::start(true)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets time pass, and wakes whoever slept until then.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state();
        let until = state.elapsed.saturating_add(by);
        state.move_to(until);
    }

    /// Sets the time of day, as if someone had adjusted the machine's clock. Nobody is woken.
    pub fn set_now(&self, now: SystemTime) {
        self.state().wall = now;
    }

    /// How much time has passed since the clock was made.
    #[must_use]
    pub fn passed(&self) -> Duration {
        self.state().elapsed
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    fn move_to(&mut self, elapsed: Duration) {
        let step = elapsed.saturating_sub(self.elapsed);
        self.elapsed += step;
        self.wall = self.wall.checked_add(step).unwrap_or(self.wall);
        let later = self.sleepers.split_off(&(self.elapsed.saturating_add(Duration::from_nanos(1)), 0));
        for waker in std::mem::replace(&mut self.sleepers, later).into_values() {
            waker.wake();
        }
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        self.state().wall
    }

    fn elapsed(&self) -> Duration {
        self.state().elapsed
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let mut state = self.state();
        state.next += 1;
        let key = (state.elapsed.saturating_add(duration), state.next);
        Box::pin(Sleep { clock: self.clone(), key, idle_polls: 0 })
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("ManualClock").field("elapsed", &state.elapsed).field("sleepers", &state.sleepers.len()).finish()
    }
}

struct Sleep {
    clock: ManualClock,
    key: (Duration, u64),
    idle_polls: u32,
}

/// How many times an automatic sleep lets other tasks run before it concludes that all of them wait.
const PATIENCE: u32 = 8;

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.idle_polls += 1;
        let mut state = self.clock.state();
        if state.elapsed >= self.key.0 {
            state.sleepers.remove(&self.key);
            return Poll::Ready(());
        }
        state.sleepers.insert(self.key, cx.waker().clone());
        if state.automatic {
            let first = state.sleepers.first_key_value().is_some_and(|(key, _)| *key == self.key);
            if first && self.idle_polls > PATIENCE {
                let until = self.key.0;
                state.move_to(until);
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.clock.state().sleepers.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn a_still_clock_wakes_sleepers_when_it_is_moved() {
        let clock = ManualClock::new();
        let mut sleep = clock.sleep(Duration::from_secs(10));
        assert!((&mut sleep).now_or_never().is_none());
        clock.advance(Duration::from_secs(9));
        assert!((&mut sleep).now_or_never().is_none());
        clock.advance(Duration::from_secs(1));
        assert!((&mut sleep).now_or_never().is_some());
        assert_eq!(clock.now(), UNIX_EPOCH + START + Duration::from_secs(10));
    }

    #[tokio::test]
    async fn an_automatic_clock_ends_sleeps_in_their_order() {
        let clock = ManualClock::auto();
        let ended = Mutex::new(Vec::new());
        let sleep = |seconds: u64| {
            let (clock, ended) = (clock.clone(), &ended);
            async move {
                clock.sleep(Duration::from_secs(seconds)).await;
                ended.lock().unwrap().push((seconds, clock.passed().as_secs()));
            }
        };
        futures_util::future::join3(sleep(30), sleep(1), sleep(5)).await;
        assert_eq!(*ended.lock().unwrap(), [(1, 1), (5, 5), (30, 30)]);
    }
}

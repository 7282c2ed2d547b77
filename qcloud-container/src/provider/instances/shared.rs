//! Something that is read once for all who ask at the same time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use qcloud_core::clock::Clock;
use tokio::sync::{Mutex as Turn, Notify};

use crate::kubernetes::{ProviderError, Result};
use crate::provider::error::copy;

/// The last reading of a `T`, and at most one new reading under way. There is no task in the background: one of those who
/// ask reads, and if it is dropped, another does. A failure is told to all who waited for it.
#[derive(Debug)]
pub(super) struct Shared<T> {
    clock: Arc<dyn Clock>,
    state: Mutex<State<T>>,
    reading: Turn<()>,
    finished: Notify,
}

#[derive(Debug)]
struct State<T> {
    last: Option<(Duration, Arc<T>)>,
    readings: u64,
    failure: Option<(u64, ProviderError)>,
}

/// Wakes all who wait for a reading, also when it is dropped half-way.
struct Finished<'n>(&'n Notify);

impl Drop for Finished<'_> {
    fn drop(&mut self) {
        self.0.notify_waiters();
    }
}

impl<T: Send + Sync> Shared<T> {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let state = Mutex::new(State { last: None, readings: 0, failure: None });
        Self { clock, state, reading: Turn::new(()), finished: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last reading, if it is good enough by its age and content; otherwise a new one.
    pub(super) async fn get<R, F>(
        &self,
        is_good: impl Fn(Duration, &T) -> bool + Send + Sync,
        read: R,
    ) -> Result<Arc<T>>
    where
        R: Fn() -> F + Send + Sync,
        F: Future<Output = Result<T>> + Send,
    {
        loop {
            let finished = self.finished.notified();
            let number = {
                let state = self.state();
                if let Some((at, last)) = &state.last
                    && is_good(self.clock.elapsed().saturating_sub(*at), last)
                {
                    return Ok(Arc::clone(last));
                }
                state.readings
            };
            if let Ok(reading) = self.reading.try_lock() {
                let finish = Finished(&self.finished);
                let result = read().await;
                let mut state = self.state();
                let result = match result {
                    Ok(new) => {
                        let new = Arc::new(new);
                        state.last = Some((self.clock.elapsed(), Arc::clone(&new)));
                        Ok(new)
                    }
                    Err(error) => {
                        state.failure = Some((number, copy(&error)));
                        Err(error)
                    }
                };
                state.readings = number.wrapping_add(1);
                drop(state);
                drop(reading);
                drop(finish);
                return result;
            }
            finished.await;
            if let Some((failed, error)) = &self.state().failure
                && *failed == number
            {
                return Err(copy(error));
            }
        }
    }
}

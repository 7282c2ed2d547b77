//! Results that come in as writes finish, in any order.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::kubernetes::routes::{OnRouteDone, RouteDone, RouteResults};
use crate::kubernetes::{ErrorKind, ProviderError, Result};

type Slots = Vec<Option<Result<()>>>;

pub(super) struct Results<'d> {
    slots: Mutex<(Slots, Slots)>,
    done: &'d OnRouteDone<'d>,
}

impl fmt::Debug for Results<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Results").field("slots", &self.slots).finish_non_exhaustive()
    }
}

impl<'d> Results<'d> {
    pub(super) fn new(adds: usize, deletes: usize, done: &'d OnRouteDone<'d>) -> Self {
        let empty = |count: usize| std::iter::repeat_with(|| None).take(count).collect();
        Self { slots: Mutex::new((empty(adds), empty(deletes))), done }
    }

    fn slots(&self) -> MutexGuard<'_, (Slots, Slots)> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn added(&self, place: usize, result: Result<()>) {
        (self.done)(RouteDone::Added(place, &result));
        if let Some(slot) = self.slots().0.get_mut(place) {
            *slot = Some(result);
        }
    }

    pub(super) fn deleted(&self, place: usize, result: Result<()>) {
        (self.done)(RouteDone::Deleted(place, &result));
        if let Some(slot) = self.slots().1.get_mut(place) {
            *slot = Some(result);
        }
    }

    /// Fails all that have no result yet.
    pub(super) fn fail_rest(&self, error: impl Fn() -> ProviderError) {
        let open = |slots: &Slots| -> Vec<usize> {
            slots.iter().enumerate().filter(|(_, slot)| slot.is_none()).map(|(place, _)| place).collect()
        };
        let (adds, deletes) = {
            let slots = self.slots();
            (open(&slots.0), open(&slots.1))
        };
        adds.into_iter().for_each(|place| self.added(place, Err(error())));
        deletes.into_iter().for_each(|place| self.deleted(place, Err(error())));
    }

    pub(super) fn finish(self) -> RouteResults {
        self.fail_rest(|| ProviderError::new(ErrorKind::Internal, "the route was not attempted"));
        let (adds, deletes) = self.slots.into_inner().unwrap_or_else(PoisonError::into_inner);
        RouteResults { added: adds.into_iter().flatten().collect(), deleted: deletes.into_iter().flatten().collect() }
    }
}

//! What was seen of machines, and for how long it is believed. All of it may be lost at any time.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::kubernetes::instances::{Absence, Instance, InstanceState, Lookup};
use crate::kubernetes::{ErrorKind, ProviderError};

/// How long a machine that is being made is believed to be so.
const MAKING: Duration = Duration::from_secs(2);
/// How soon an absent machine is asked for again.
const AGAIN: Duration = Duration::from_secs(5);
/// How long an absence is remembered that nobody asks about any more.
const FORGOTTEN: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(super) struct Memory {
    believed: Duration,
    grace: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    seen: HashMap<String, (Duration, Instance)>,
    missed: HashMap<String, Missed>,
}

/// Complete answers that left an id out.
#[derive(Clone, Copy, Debug)]
struct Missed {
    first: Duration,
    last: Duration,
    /// Whether there were two of them at least.
    again: bool,
}

impl Memory {
    pub(super) fn new(believed: Duration, grace: Duration) -> Self {
        Self { believed, grace, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a machine without asking.
    pub(super) fn recall(&self, id: &str, now: Duration) -> Option<Lookup<Instance>> {
        let state = self.state();
        if let Some((at, instance)) = state.seen.get(id) {
            let believed = if instance.state == InstanceState::Pending { MAKING } else { self.believed };
            return (now.saturating_sub(*at) < believed).then(|| Lookup::Found(instance.clone()));
        }
        let missed = state.missed.get(id)?;
        (now.saturating_sub(missed.last) < AGAIN).then(|| self.judge(id, *missed))
    }

    pub(super) fn saw(&self, instance: &Instance, now: Duration) {
        let mut state = self.state();
        state.missed.remove(&instance.id);
        state.seen.insert(instance.id.clone(), (now, instance.clone()));
    }

    /// Forgets what is not believed any more.
    pub(super) fn tidy(&self, now: Duration) {
        let mut state = self.state();
        state.seen.retain(|_, (at, _)| now.saturating_sub(*at) < self.believed);
        state.missed.retain(|_, missed| now.saturating_sub(missed.last) < FORGOTTEN);
    }

    /// Notes that a complete answer left the machine out.
    pub(super) fn missed(&self, id: &str, now: Duration) -> Lookup<Instance> {
        let mut state = self.state();
        state.seen.remove(id);
        let missed = match state.missed.get(id) {
            Some(before) => Missed { first: before.first, last: now, again: true },
            None => Missed { first: now, last: now, again: false },
        };
        state.missed.insert(id.to_owned(), missed);
        drop(state);
        self.judge(id, missed)
    }

    /// One look is not enough: a machine that has just been made may not be listed yet.
    fn judge(&self, id: &str, missed: Missed) -> Lookup<Instance> {
        let apart = missed.last.saturating_sub(missed.first);
        if missed.again && apart >= self.grace {
            return Lookup::NotFound(Absence::NotListed { apart });
        }
        let left = self.grace.saturating_sub(apart);
        let message = format!("the instance {id} is not listed; it counts as gone if that holds for {left:?} more");
        Lookup::Unknown(ProviderError::new(ErrorKind::Pending, message).with_retry_after(left.max(AGAIN)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_absence_takes_two_looks_a_grace_apart() {
        let memory = Memory::new(at(60), at(30));
        assert!(memory.recall("a", at(0)).is_none());
        assert!(memory.missed("a", at(0)).is_unknown());
        assert!(memory.recall("a", at(4)).unwrap().is_unknown());
        assert!(memory.recall("a", at(5)).is_none());
        assert!(memory.missed("a", at(29)).is_unknown());
        assert!(memory.missed("a", at(30)).is_not_found());
        memory.saw(&Instance::new("a", "p"), at(31));
        assert!(memory.recall("a", at(32)).unwrap().is_found());
        assert!(memory.missed("a", at(100)).is_unknown());
    }

    #[test]
    fn without_a_grace_it_still_takes_two_looks() {
        let memory = Memory::new(at(60), at(0));
        assert!(memory.missed("a", at(0)).is_unknown());
        assert!(memory.recall("a", at(4)).unwrap().is_unknown());
        assert!(memory.missed("a", at(5)).is_not_found());
    }

    #[test]
    fn what_is_being_made_is_looked_at_again_soon() {
        let memory = Memory::new(at(60), at(30));
        let mut instance = Instance::new("a", "p");
        memory.saw(&instance, at(0));
        assert!(memory.recall("a", at(59)).is_some() && memory.recall("a", at(60)).is_none());
        instance.state = InstanceState::Pending;
        memory.saw(&instance, at(0));
        assert!(memory.recall("a", at(2)).is_none());
    }
    #[test]
    fn machines_that_come_and_go_do_not_fill_the_memory() {
        let memory = Memory::new(at(60), at(30));
        for number in 0..100 {
            memory.saw(&Instance::new(format!("seen-{number}"), "p"), at(number));
            memory.missed(&format!("missed-{number}"), at(number));
            memory.tidy(at(number));
        }
        let sizes = || {
            let state = memory.state();
            (state.seen.len(), state.missed.len())
        };
        assert_eq!(sizes(), (60, 100));
        memory.tidy(at(99 + 3600));
        assert_eq!(sizes(), (0, 0));
    }
}

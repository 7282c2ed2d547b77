//! What is to happen, and when.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Time;

/// Events that wait for their time, earliest first; those of one moment in the order they were planned.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Vec<(Time, E)>", into = "Vec<(Time, E)>", bound = "E: Clone + Serialize + for<'a> Deserialize<'a>")]
pub(crate) struct Timeline<E> {
    events: BTreeMap<(Time, u64), E>,
    next: u64,
}

impl<E> Default for Timeline<E> {
    fn default() -> Self {
        Self { events: BTreeMap::new(), next: 0 }
    }
}

impl<E> Timeline<E> {
    pub(crate) fn plan(&mut self, at: Time, event: E) {
        self.events.insert((at, self.next), event);
        self.next += 1;
    }

    /// The earliest event that is due at `now`, if there is one.
    pub(crate) fn next_due(&mut self, now: Time) -> Option<(Time, E)> {
        let first = self.events.first_entry()?;
        let at = first.key().0;
        (at <= now).then(|| (at, first.remove()))
    }
}

impl<E> From<Vec<(Time, E)>> for Timeline<E> {
    fn from(events: Vec<(Time, E)>) -> Self {
        let mut timeline = Self::default();
        for (at, event) in events {
            timeline.plan(at, event);
        }
        timeline
    }
}

impl<E> From<Timeline<E>> for Vec<(Time, E)> {
    fn from(timeline: Timeline<E>) -> Self {
        timeline.events.into_iter().map(|((at, _), event)| (at, event)).collect()
    }
}

//! Services that share a balancer take turns. Who has to wait keeps no worker busy.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use qcloud_container::kubernetes::load_balancers::LbRef;

use super::Name;
use crate::queue::Queue;

/// The balancers that someone works on, each with the Services that wait for it.
#[derive(Debug)]
pub(super) struct Turns {
    taken: Mutex<HashMap<String, HashSet<Name>>>,
    queue: Queue<Name>,
}

/// The right to work on a balancer, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'t> {
    turns: &'t Turns,
    balancers: BTreeSet<String>,
}

impl Turns {
    /// With the queue that those who wait come back to.
    pub(super) fn new(queue: Queue<Name>) -> Self {
        Self { taken: Mutex::default(), queue }
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<String, HashSet<Name>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the turn for a Service, or notes that it waits: it comes into the queue when the turn is free.
    ///
    /// Balancers without a known id are of one Service alone, and the queue works on that once at a time.
    pub(super) fn take(&self, of: &LbRef, service: &Name) -> Option<Turn<'_>> {
        let balancers: BTreeSet<String> = of.existing.iter().chain(&of.recorded).cloned().collect();
        let mut taken = self.taken();
        if let Some(busy) = balancers.iter().find(|id| taken.contains_key(*id)) {
            if let Some(waiting) = taken.get_mut(busy) {
                waiting.insert(service.clone());
            }
            return None;
        }
        for id in &balancers {
            taken.insert(id.clone(), HashSet::new());
        }
        drop(taken);
        Some(Turn { turns: self, balancers })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut waiting = HashSet::new();
        {
            let mut taken = self.turns.taken();
            for id in &self.balancers {
                waiting.extend(taken.remove(id).unwrap_or_default());
            }
        }
        for service in waiting {
            self.turns.queue.add(service);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::Pauses;
    use qcloud_container::kubernetes::load_balancers::ServiceKey;

    #[test]
    fn a_shared_balancer_is_worked_on_by_one_at_a_time() {
        let queue = Queue::new("test", Pauses::default());
        let turns = Turns::new(queue.clone());
        let of = |uid: &str| LbRef::new(ServiceKey::new("ns", uid, uid));
        let (one, two) = (Name::new("ns", "one"), Name::new("ns", "two"));
        let first = turns.take(&of("one").with_existing("lb-1").with_recorded("lb-2"), &one).unwrap();
        assert!(turns.take(&of("two").with_existing("lb-2"), &two).is_none());
        assert!(turns.take(&of("three").with_existing("lb-3"), &two).is_some());
        assert!(turns.take(&of("four"), &two).is_some());
        assert_eq!(queue.depth(), 0);
        drop(first);
        assert_eq!(queue.depth(), 1);
        assert!(turns.take(&of("two").with_existing("lb-2"), &two).is_some());
    }
}

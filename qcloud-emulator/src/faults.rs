//! The fault plan of a running emulator.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::fault::{Fault, Strike};

/// The faults of an emulator, which can be added and removed while it runs. Clones are the same plan.
#[derive(Clone, Debug)]
pub struct Faults {
    plan: Arc<Mutex<Plan>>,
}

/// A fault in the plan, and what became of it so far.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PlannedFault {
    /// The number that [`Faults::add`] gave it.
    pub id: u64,
    /// The fault.
    pub fault: Fault,
    /// How many calls came that it is for.
    pub seen: u64,
    /// How many of them it struck.
    pub struck: u64,
}

/// What a plan is made of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    seed: u64,
    given: u64,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    id: u64,
    fault: Fault,
    seen: u64,
    struck: u64,
    random: u64,
}

impl Faults {
    pub(crate) fn new(seed: u64, faults: Vec<Fault>) -> Self {
        let mut plan = Plan { seed, given: 0, entries: Vec::new() };
        for fault in faults {
            plan.add(fault);
        }
        Self { plan: Arc::new(Mutex::new(plan)) }
    }

    /// Adds a fault to the plan and gives its number. When several faults strike one call, the oldest does it; the
    /// others count the call all the same.
    #[allow(clippy::must_use_candidate, reason = "most faults stay for as long as the emulator does")]
    pub fn add(&self, fault: Fault) -> u64 {
        self.plan().add(fault)
    }

    /// Removes a fault by its number; `false` when it is not there.
    pub fn remove(&self, id: u64) -> bool {
        let mut plan = self.plan();
        let before = plan.entries.len();
        plan.entries.retain(|entry| entry.id != id);
        plan.entries.len() < before
    }

    /// Removes them all.
    pub fn clear(&self) {
        self.plan().entries.clear();
    }

    /// The plan, oldest first.
    pub fn list(&self) -> Vec<PlannedFault> {
        let show = |entry: &Entry| PlannedFault {
            id: entry.id,
            fault: entry.fault.clone(),
            seen: entry.seen,
            struck: entry.struck,
        };
        self.plan().entries.iter().map(show).collect()
    }

    /// Counts a call, and says what goes wrong with it.
    pub(crate) fn strike(&self, service: &str, action: &str, region: Option<&str>) -> Option<Strike> {
        let mut struck = None;
        for entry in self.plan().entries.iter_mut().filter(|entry| entry.fault.is_for(service, action, region)) {
            entry.seen += 1;
            let mut random = fastrand::Rng::with_seed(entry.random);
            let strikes = entry.fault.strikes(entry.seen, &mut random);
            entry.random = random.get_seed();
            if strikes && struck.is_none() {
                entry.struck += 1;
                struck = Some(entry.fault.strike());
            }
        }
        struck
    }

    pub(crate) fn save(&self) -> Plan {
        self.plan().clone()
    }

    pub(crate) fn restore(&self, plan: Plan) {
        *self.plan() = plan;
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plan {
    fn add(&mut self, fault: Fault) -> u64 {
        self.given += 1;
        let id = self.given;
        // A source of its own, so that no fault's luck depends on the calls that another one is for.
        let random = self.seed ^ id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.entries.push(Entry { id, fault, seen: 0, struck: 0, random });
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(faults: &Faults, calls: u64) -> Vec<u64> {
        (1..=calls).filter(|_| faults.strike("cvm", "RunInstances", Some("ap-guangzhou")).is_some()).collect()
    }

    fn plan(fault: Fault) -> Faults {
        Faults::new(1, vec![fault])
    }

    #[test]
    fn faults_strike_when_they_are_told_to() {
        assert_eq!(struck(&plan(Fault::cut().nth(3)), 6), [3]);
        assert_eq!(struck(&plan(Fault::cut().once()), 6), [1]);
        assert_eq!(struck(&plan(Fault::cut().every(2)), 6), [2, 4, 6]);
        assert_eq!(struck(&plan(Fault::cut().next(2)), 6), [1, 2]);
        assert_eq!(struck(&plan(Fault::cut()), 3), [1, 2, 3]);
        let lucky = struck(&plan(Fault::cut().probability(0.5)), 100);
        assert_eq!(lucky, struck(&plan(Fault::cut().probability(0.5)), 100));
        assert!((30..=70).contains(&lucky.len()), "{}", lucky.len());
    }

    #[test]
    fn faults_strike_only_what_they_are_for() {
        for fault in [Fault::cut().of("vpc"), Fault::cut().on("Describe*"), Fault::cut().in_region("ap-beijing")] {
            let faults = plan(fault);
            assert!(struck(&faults, 2).is_empty());
            assert_eq!(faults.list()[0].seen, 0);
        }
        for fault in [Fault::cut().of("cvm"), Fault::cut().on("Run*"), Fault::cut().in_region("ap-guangzhou")] {
            assert_eq!(struck(&plan(fault), 2), [1, 2]);
        }
    }

    #[test]
    fn the_oldest_of_several_strikes_and_all_count() {
        let faults = Faults::new(1, vec![Fault::cut().nth(2), Fault::hang().nth(2)]);
        let later = faults.add(Fault::timeout().next(3));
        assert_eq!(struck(&faults, 3), [1, 2, 3]);
        let counts: Vec<(u64, u64)> = faults.list().iter().map(|fault| (fault.seen, fault.struck)).collect();
        assert_eq!(counts, [(3, 1), (3, 0), (3, 2)]);
        assert!(faults.remove(later) && !faults.remove(later));
        faults.clear();
        assert!(faults.list().is_empty());
    }
}

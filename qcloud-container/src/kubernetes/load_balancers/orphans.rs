use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::LbRef;
use super::service::ServiceKey;
use super::state::{LbState, Owner};

/// Balancers whose Service is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Orphans {
    /// Gone for longer than the grace: these can be deleted.
    pub due: Vec<LbRef>,
    /// Gone, but not for long enough.
    pub waiting: Vec<LbRef>,
}

/// Remembers since when balancers are without a Service.
///
/// It forgets everything with the process, which only makes the wait longer.
#[derive(Clone, Debug)]
pub struct OrphanTracker {
    grace: Duration,
    since: BTreeMap<String, Instant>,
}

impl OrphanTracker {
    /// With the time for which a balancer must have been seen without a Service; an hour is a good one.
    #[must_use]
    pub fn new(grace: Duration) -> Self {
        Self { grace, since: BTreeMap::new() }
    }

    /// Looks at a complete sweep. A balancer that is to [stay](LbState::retain) is no orphan. `live` are the uids of all Services, out of a cache that is known to be complete.
    pub fn look(&mut self, sweep: &[LbState], live: &BTreeSet<String>, now: Instant) -> Orphans {
        let mut orphans = Orphans::default();
        let mut seen = BTreeSet::new();
        for state in sweep {
            let Owner::Service(uid) = &state.owner else { continue };
            if state.retain || live.contains(uid) || !seen.insert(uid.clone()) {
                continue;
            }
            let since = *self.since.entry(uid.clone()).or_insert(now);
            let (namespace, name) =
                state.service_name.as_deref().and_then(|name| name.split_once('/')).unwrap_or_default();
            let mut orphan = LbRef::new(ServiceKey::new(namespace, name, uid.as_str()));
            orphan.recorded = Some(state.id.clone()).filter(|id| !id.is_empty());
            if now.saturating_duration_since(since) >= self.grace {
                orphans.due.push(orphan);
            } else {
                orphans.waiting.push(orphan);
            }
        }
        self.since.retain(|uid, _| seen.contains(uid));
        orphans
    }
}

//! What was asked of the server.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::path::{Call, Verb};

/// How many requests are remembered one by one.
const LATEST: usize = 10_000;

/// A request that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// What was to be done.
    pub verb: Verb,
    /// The group of the API; empty for the core.
    pub group: String,
    /// To what, as paths name it: `nodes`.
    pub resource: String,
    /// Empty, or `status`.
    pub subresource: String,
    /// Empty for objects of the cluster, and for all namespaces at once.
    pub namespace: String,
    /// Empty for lists and watches, and for what is made.
    pub name: String,
    /// When it came in.
    pub at: Timestamp,
    /// The status of the answer; nothing if there was none.
    pub status: Option<u16>,
}

/// The requests so far, without those of the administrator. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    log: Arc<Mutex<Log>>,
}

#[derive(Debug, Default)]
struct Log {
    /// The number of the first one in `latest`.
    first: u64,
    latest: VecDeque<Request>,
    counts: BTreeMap<(Verb, String, String), u64>,
}

impl Requests {
    /// How many of this verb came in. The resource is as for [`Faults::on`](crate::Faults::on).
    pub fn count(&self, verb: Verb, resource: &str) -> u64 {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = log.counts.iter();
        let meant = counts.filter(|((one, name, sub), _)| *one == verb && covers(resource, name, sub));
        meant.map(|(_, count)| *count).sum()
    }

    /// How many came in.
    pub fn total(&self) -> u64 {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).counts.values().sum()
    }

    /// How many there were of each verb and resource, such as `nodes/status`.
    pub fn counts(&self) -> BTreeMap<(Verb, String), u64> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let named = |name: &str, sub: &str| if sub.is_empty() { name.to_owned() } else { format!("{name}/{sub}") };
        log.counts.iter().map(|((verb, name, sub), count)| ((*verb, named(name, sub)), *count)).collect()
    }

    /// The latest of them, the last 10,000 at most, oldest first.
    pub fn latest(&self) -> Vec<Request> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).latest.iter().cloned().collect()
    }

    /// Starts counting anew.
    pub fn clear(&self) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let first = log.first + log.latest.len() as u64;
        *log = Log { first, ..Log::default() };
    }

    /// Notes a request, and gives it a number.
    pub(crate) fn came(&self, call: &Call, at: Timestamp) -> u64 {
        let place = &call.place;
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        *log.counts.entry((call.verb, place.plural.clone(), place.subresource.clone())).or_default() += 1;
        let number = log.first + log.latest.len() as u64;
        log.latest.push_back(Request {
            verb: call.verb,
            group: place.group.clone(),
            resource: place.plural.clone(),
            subresource: place.subresource.clone(),
            namespace: place.namespace.clone(),
            name: place.name.clone(),
            at,
            status: None,
        });
        if log.latest.len() > LATEST {
            log.latest.pop_front();
            log.first += 1;
        }
        number
    }

    /// Notes how a request was answered.
    pub(crate) fn answered(&self, number: u64, status: u16) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let place = number.checked_sub(log.first).and_then(|place| usize::try_from(place).ok());
        if let Some(request) = place.and_then(|place| log.latest.get_mut(place)) {
            request.status = Some(status);
        }
    }
}

/// Whether a pattern means this resource: `services` with its subresources, `services/status` for that one alone, `*` for
/// all.
pub(crate) fn covers(pattern: &str, resource: &str, subresource: &str) -> bool {
    match pattern.split_once('/') {
        _ if pattern == "*" => true,
        Some((name, sub)) => name == resource && sub == subresource,
        None => pattern == resource,
    }
}

//! What can be made to go wrong with requests.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::log::covers;
use crate::path::{Call, Verb};

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It is refused with this status and reason, such as 500 and `InternalError`.
    Refuse(u16, &'static str),
    /// It is refused as if somebody else had changed the object: 409.
    Conflict,
    /// It is refused as one too many: 429.
    TooMany {
        /// In how many seconds to come back, as the answer says.
        retry_after: u32,
    },
    /// It is not carried out, and the connection breaks.
    LostBefore,
    /// It is carried out, and the connection breaks before the answer.
    LostAfter,
    /// The answer takes this much longer. Nothing is done before.
    Late(Duration),
    /// No answer ever. A watch opens, and stays silent.
    Stall,
    /// It is carried out, and its answer stops in the middle; the connection stays open. A watch opens, and stays silent.
    BodyStall,
    /// A watch opens and ends at once.
    WatchEnd,
    /// A watch opens and breaks in the middle of an event.
    WatchCut {
        /// How many events come through before.
        after: usize,
    },
    /// A watch opens and says that the version asked for is too old: 410 as an event. As the status of the answer, it is
    /// `Refuse(410, "Expired")`.
    WatchExpired,
}

/// The faults that are to happen. Clones share them.
///
/// ```
/// use apiserver_double::{ApiServer, Fault, Verb};
///
/// let server = ApiServer::new();
/// // The third patch of a service, or of its status, is carried out, but its answer is lost.
/// server.faults().on(Verb::Patch, "services").after(2).times(1).answer(Fault::LostAfter);
/// // One in twenty of all requests breaks.
/// server.faults().on_all("*").probability(0.05).answer(Fault::Refuse(500, "InternalError"));
/// ```
#[derive(Clone)]
pub struct Faults {
    plan: Arc<Mutex<Plan>>,
}

struct Plan {
    rules: Vec<Rule>,
    random: fastrand::Rng,
}

/// Which requests a fault is for. It does nothing until [`answer`](OnRequest::answer).
#[derive(Debug)]
#[must_use = "a fault does nothing until `answer` says what it is"]
pub struct OnRequest {
    faults: Faults,
    rule: Rule,
}

#[derive(Debug)]
struct Rule {
    verb: Option<Verb>,
    resource: String,
    name: Option<String>,
    after: u64,
    times: u64,
    probability: f64,
    fault: Option<Fault>,
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").finish_non_exhaustive()
    }
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        let plan = Plan { rules: Vec::new(), random: fastrand::Rng::with_seed(seed) };
        Self { plan: Arc::new(Mutex::new(plan)) }
    }

    /// A fault for requests of this verb. The resource is as paths name it: `services` with its subresources,
    /// `services/status` for that one alone, `*` for all.
    pub fn on(&self, verb: Verb, resource: &str) -> OnRequest {
        self.rule(Some(verb), resource)
    }

    /// A fault for requests of every verb.
    pub fn on_all(&self, resource: &str) -> OnRequest {
        self.rule(None, resource)
    }

    /// No more faults.
    pub fn clear(&self) {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).rules.clear();
    }

    fn rule(&self, verb: Option<Verb>, resource: &str) -> OnRequest {
        let resource = resource.to_owned();
        let rule = Rule { verb, resource, name: None, after: 0, times: u64::MAX, probability: 1.0, fault: None };
        OnRequest { faults: self.clone(), rule }
    }

    /// What happens to this request. The first fault that strikes counts.
    pub(crate) fn strike(&self, call: &Call) -> Option<Fault> {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let Plan { rules, random } = &mut *plan;
        let at = rules.iter_mut().position(|rule| rule.strikes(call, random))?;
        let rule = rules.get_mut(at)?;
        let fault = rule.fault.clone();
        rule.times = rule.times.saturating_sub(1);
        if rule.times == 0 {
            rules.remove(at);
        }
        fault
    }
}

impl Rule {
    fn strikes(&mut self, call: &Call, random: &mut fastrand::Rng) -> bool {
        let meant = self.verb.is_none_or(|verb| verb == call.verb)
            && covers(&self.resource, &call.place.plural, &call.place.subresource)
            && self.name.as_ref().is_none_or(|name| *name == call.place.name);
        if !meant {
            return false;
        }
        if self.after > 0 {
            self.after -= 1;
            return false;
        }
        self.probability >= 1.0 || random.f64() < self.probability
    }
}

impl OnRequest {
    /// Only for the object of this name.
    pub fn named(mut self, name: &str) -> Self {
        self.rule.name = Some(name.to_owned());
        self
    }

    /// The first so many are spared.
    pub fn after(mut self, spared: u64) -> Self {
        self.rule.after = spared;
        self
    }

    /// So many times; without it, every time.
    pub fn times(mut self, times: u64) -> Self {
        self.rule.times = times;
        self
    }

    /// With this probability, between 0 and 1. Under the same seed and order of requests, the same ones.
    pub fn probability(mut self, probability: f64) -> Self {
        self.rule.probability = probability;
        self
    }

    /// Adds the fault.
    pub fn answer(mut self, fault: Fault) {
        if self.rule.times == 0 {
            return;
        }
        self.rule.fault = Some(fault);
        self.faults.plan.lock().unwrap_or_else(PoisonError::into_inner).rules.push(self.rule);
    }
}

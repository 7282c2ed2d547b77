//! The log of calls, so that tests can assert what a program asked of the cloud, and how often.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde_json::{Map, Value};

use crate::fault::Effect;

/// One call that came in.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CallRecord {
    /// When, by the emulator's clock.
    pub time: SystemTime,
    /// The service, such as `cvm`; empty when the request was refused before that was known.
    pub service: String,
    /// The action, such as `DescribeInstances`; empty when the request named none.
    pub action: String,
    /// The region, if the request had one.
    pub region: Option<String>,
    /// The parameters, as a JSON object. Those of GET requests have got their types from the model. Passwords, private keys
    /// and the like are replaced by `***`.
    pub parameters: Value,
    /// The request id of the answer.
    pub request_id: String,
    /// The code of the error that the call was answered with, if it was.
    pub error: Option<String>,
    /// Whether the action was carried out, whatever the caller learned of it.
    pub executed: bool,
    /// What the [fault plan](crate::Faults) made of the call.
    pub fault: Option<Effect>,
}

/// Parameters that nobody should find in a log.
const SECRET: &[&str] = &["Password", "PrivateKey", "CertKey", "SecretKey", "WebIdentityToken", "SAMLAssertion"];

/// A copy of parameters without what is secret in them.
pub(crate) fn masked(parameters: &Value) -> Value {
    match parameters {
        Value::Object(members) => {
            let mask = |(name, value): (&String, &Value)| {
                let value = match value {
                    Value::String(text) if !text.is_empty() && SECRET.iter().any(|secret| name.ends_with(secret)) => {
                        Value::from("***")
                    }
                    other => masked(other),
                };
                (name.clone(), value)
            };
            Value::Object(members.iter().map(mask).collect::<Map<String, Value>>())
        }
        Value::Array(items) => items.iter().map(masked).collect(),
        other => other.clone(),
    }
}

/// The log of an emulator's calls. Clones show the same log.
///
/// Every request is in it, refused ones too. Counts go on for as long as the emulator lives or until
/// [`clear`](Calls::clear); of the records themselves the latest are kept ([`Builder::call_log`](crate::Builder::call_log)).
#[derive(Clone, Debug)]
pub struct Calls {
    log: Arc<Mutex<Log>>,
}

#[derive(Debug)]
struct Log {
    kept: usize,
    counts: BTreeMap<String, usize>,
    records: VecDeque<CallRecord>,
}

impl Calls {
    pub(crate) fn keeping(kept: usize) -> Self {
        Self { log: Arc::new(Mutex::new(Log { kept, counts: BTreeMap::new(), records: VecDeque::new() })) }
    }

    /// How often this action was called, whatever came of it.
    pub fn count(&self, action: &str) -> usize {
        self.log().counts.get(action).copied().unwrap_or_default()
    }

    /// How many calls there were in all.
    pub fn total(&self) -> usize {
        self.log().counts.values().sum()
    }

    /// How often each action was called, by name.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        self.log().counts.clone()
    }

    /// The calls of one action, oldest first.
    pub fn of(&self, action: &str) -> Vec<CallRecord> {
        self.log().records.iter().filter(|record| record.action == action).cloned().collect()
    }

    /// All calls, oldest first.
    pub fn all(&self) -> Vec<CallRecord> {
        self.log().records.iter().cloned().collect()
    }

    /// Forgets everything, the counts too: to count from here on.
    pub fn clear(&self) {
        let mut log = self.log();
        log.counts.clear();
        log.records.clear();
    }

    /// From now on, keeps so many records.
    pub(crate) fn keep(&self, kept: usize) {
        let mut log = self.log();
        log.kept = kept;
        log.trim();
    }

    pub(crate) fn record(&self, record: CallRecord) {
        let mut log = self.log();
        *log.counts.entry(record.action.clone()).or_default() += 1;
        log.records.push_back(record);
        log.trim();
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    fn trim(&mut self) {
        while self.records.len() > self.kept {
            self.records.pop_front();
        }
    }
}

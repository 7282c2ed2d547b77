//! The state behind the server's lock, and how answers to writes look.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::clock::Clock;
use crate::kinds::Kind;
use crate::path::{Call, Place};
use crate::refusal::Refusal;
use crate::store::{Key, Object, Store};

/// What requests read and change, one at a time.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) random: fastrand::Rng,
    pub(crate) clock: Clock,
}

/// The answer to a write.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) code: u16,
    pub(crate) body: Body,
    /// What the server did not like, but took.
    pub(crate) warnings: Vec<String>,
}

/// What an answer shows.
#[derive(Debug)]
pub(crate) enum Body {
    Object(Arc<Object>),
    Value(Value),
}

impl Written {
    pub(crate) fn object(code: u16, object: Arc<Object>) -> Self {
        Self { code, body: Body::Object(object), warnings: Vec::new() }
    }

    pub(crate) fn value(code: u16, value: Value) -> Self {
        Self { code, body: Body::Value(value), warnings: Vec::new() }
    }

    pub(crate) fn warning(mut self, warnings: Vec<String>) -> Self {
        self.warnings = warnings;
        self
    }
}

impl State {
    pub(crate) fn new(remember: usize, seed: u64, showed: Timestamp) -> Self {
        Self { store: Store::new(remember), random: fastrand::Rng::with_seed(seed), clock: Clock::showing(showed) }
    }

    /// The object that a request names.
    pub(crate) fn find(&self, kind: &Kind, place: &Place) -> Result<&Arc<Object>, Refusal> {
        let key = key_of(place);
        self.store.of(kind).and_then(|table| table.get(&key)).ok_or_else(|| Refusal::not_found(kind, &place.name))
    }

    /// GET of one object.
    pub(crate) fn get(&self, kind: &Kind, call: &Call) -> Result<Arc<Object>, Refusal> {
        let wanted = call.query.number("resourceVersion")?.unwrap_or_default();
        if wanted > self.store.revision() {
            return Err(too_large(wanted, self.store.revision()));
        }
        self.find(kind, &call.place).map(Arc::clone)
    }

    /// A new uid.
    pub(crate) fn uid(&mut self) -> String {
        let bits = self.random.u128(..);
        // Version 4, variant 1.
        let bits = (bits & !(0xf << 76) | (0x4 << 76)) & !(0x3 << 62) | (0x2 << 62);
        let hex = format!("{bits:032x}");
        let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default().to_owned();
        [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
    }

    /// What is put behind a `generateName`.
    pub(crate) fn suffix(&mut self) -> String {
        const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        let mut letter = || LETTERS.get(self.random.usize(..LETTERS.len())).map_or('x', |letter| char::from(*letter));
        (0..5).map(|_| letter()).collect()
    }
}

pub(crate) fn key_of(place: &Place) -> Key {
    Key::new(&place.namespace, &place.name)
}

/// A version that the server has not come to yet.
pub(crate) fn too_large(wanted: u64, current: u64) -> Refusal {
    let message = format!("Too large resource version: {wanted}, current: {current}");
    let causes = serde_json::json!([{ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" }]);
    Refusal::new(504, "Timeout", message).with_details(serde_json::json!({ "causes": causes })).after(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_have_the_form_of_version_4_and_follow_the_seed() {
        let mut state = State::new(10, 7, Timestamp::UNIX_EPOCH);
        let uid = state.uid();
        assert_eq!((uid.len(), &uid[14..15], uid.matches('-').count()), (36, "4", 4), "{uid}");
        assert!(matches!(&uid[19..20], "8" | "9" | "a" | "b"), "{uid}");
        assert_eq!(uid, State::new(10, 7, Timestamp::UNIX_EPOCH).uid());
        assert_ne!(uid, state.uid());
    }
}

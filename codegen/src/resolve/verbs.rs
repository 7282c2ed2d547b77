//! What the first word of an action's name says about its effect.

use crate::overrides::{ActionEntry, Effect};

/// Verbs of actions that only read, unless the overrides say why not.
const READ: &[&str] = &["Check", "Describe", "Get", "Inquire", "Inquiry", "List", "Query"];
/// Verbs that say nothing about the effect: the overrides give a reason either way.
const UNCLEAR: &[&str] = &["Audit", "Chat", "Download", "Export", "Forward", "Generate", "Test"];

fn has_verb(action: &str, verbs: &[&str]) -> bool {
    verbs
        .iter()
        .any(|verb| action.strip_prefix(verb).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_lowercase())))
}

/// The effect of an action without an entry.
pub(super) fn effect(action: &str) -> Effect {
    if has_verb(action, READ) { Effect::Read } else { Effect::Write }
}

/// Whether the entry's effect is another than the verb suggests.
pub(super) fn disagrees(action: &str, entry: &ActionEntry) -> bool {
    has_verb(action, READ) != (entry.effect == Effect::Read)
}

/// An effect that surprises needs a reason, and no other has one.
pub(super) fn check(action: &str, entry: &ActionEntry) -> Option<&'static str> {
    match (disagrees(action, entry), entry.why.is_some()) {
        (true, false) => Some("has an effect that its verb doesn't suggest; add `why = \"…\"` or change the effect"),
        (false, true) if !has_verb(action, UNCLEAR) => Some("has the effect that its verb suggests; remove `why`"),
        _ => None,
    }
}

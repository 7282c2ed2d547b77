//! Reads that lag behind writes.
//!
//! The cloud answers a `Describe…` from copies that learn of a change later than the caller who made it. Here, what has
//! changed is kept in a journal, and while a change is not visible yet, reads are answered from a copy of the service's
//! state in which it is undone. The journal works on the saved form of the state, in which every resource is a row with an
//! id, so no service has to know of it. It costs time in proportion to the state, and nothing when the knob is off.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::{Answer, Run};
use crate::call::Call;
use crate::clock::Time;
use crate::error::ApiError;
use crate::rows::{self, Change, Difference};
use crate::seconds;
use crate::world::{Region, State, World};

/// How long reads do not see a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Delay {
    /// They see it at once.
    #[default]
    None,
    /// For so long, by the emulator's clock.
    #[serde(rename = "seconds", with = "seconds")]
    For(Duration),
    /// For the next so many reads of the same service in the same region.
    Reads(u64),
}

/// What reads see later than it happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Visibility {
    /// Until a new resource is listed.
    pub new: Delay,
    /// Until new or changed tags are shown and found by filters.
    pub tags: Delay,
    /// Until a change of a resource shows: its state, and what is part of it, such as the routes of a table or the
    /// listeners of a load balancer.
    pub changed: Delay,
    /// Until a deleted resource is no longer listed.
    pub deleted: Delay,
}

impl Visibility {
    pub(crate) fn is_immediate(&self) -> bool {
        *self == Self::default()
    }

    fn delay(&self, change: &Change) -> Delay {
        match change {
            Change::New => self.new,
            Change::Tags(_) => self.tags,
            Change::Changed(_) => self.changed,
            Change::Deleted(..) => self.deleted,
        }
    }
}

/// What changed lately, by region and service.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Journal(BTreeMap<String, BTreeMap<String, Pages>>);

/// What changed lately in one service of one region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Pages {
    entries: Vec<Entry>,
    /// The state at the latest look.
    #[serde(skip)]
    seen: Option<Value>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    difference: Difference,
    at: Time,
    /// How many reads there were since.
    reads: u64,
}

impl Entry {
    fn is_hidden(&self, visibility: &Visibility, now: Time) -> bool {
        match visibility.delay(&self.difference.change) {
            Delay::None => false,
            Delay::For(wait) => now < self.at.after(wait),
            Delay::Reads(count) => self.reads < count,
        }
    }
}

impl Journal {
    /// Notes what has changed in a region since the last look. The first look finds nothing changed.
    pub(crate) fn look(&mut self, visibility: &Visibility, (name, region): (&str, &Region), now: Time) {
        if visibility.is_immediate() {
            return;
        }
        let journal = self.0.entry(name.to_owned()).or_default();
        for service in Region::SERVICES {
            let Some(state) = region.saved(service) else { continue };
            let pages = journal.entry(service.to_owned()).or_default();
            if let Some(before) = &pages.seen {
                let differences = rows::compare(before, &state);
                pages.entries.extend(differences.into_iter().map(|difference| Entry { difference, at: now, reads: 0 }));
                pages.entries.retain(|entry| entry.is_hidden(visibility, now));
            }
            pages.seen = Some(state);
        }
    }

    fn knows(&self, region: &str) -> bool {
        self.0.get(region).is_some_and(|services| services.values().all(|pages| pages.seen.is_some()))
    }

    /// The region as a read of a service sees it, when that is not as it is; and counts the read.
    fn past(&mut self, visibility: &Visibility, region: &Region, service: &str, call: &Call) -> Option<Region> {
        let pages = self.0.get_mut(call.region)?.get_mut(service)?;
        pages.entries.retain(|entry| entry.is_hidden(visibility, call.now));
        if pages.entries.is_empty() {
            return None;
        }
        let mut state = pages.seen.clone()?;
        // Latest first: each finds the rows as they were right after it.
        for entry in pages.entries.iter_mut().rev() {
            entry.reads += 1;
            rows::undo(&mut state, &entry.difference);
        }
        let mut past = region.clone();
        past.load(service, state)?;
        Some(past)
    }
}

impl World {
    /// Begins the journal anew, for another state or another knob.
    pub(crate) fn open_journal(&mut self, entries_kept: bool, now: Time) {
        let State { journal, regions, .. } = &mut self.state;
        if !entries_kept || self.settings.visibility.is_immediate() {
            *journal = Journal::default();
        }
        for (name, region) in regions {
            journal.look(&self.settings.visibility, (name, region), now);
        }
    }

    /// Runs an action. A `Describe…` sees what the knob lets it see.
    pub(crate) fn perform(&mut self, service: &str, run: Run, call: &Call) -> Result<Answer, ApiError> {
        if self.settings.visibility.is_immediate() {
            return run.run(self, call);
        }
        let settings = Arc::clone(&self.settings);
        let visibility = &settings.visibility;
        let State { journal, regions, .. } = &mut self.state;
        let region = regions.entry(call.region.to_owned()).or_default();
        if !journal.knows(call.region) {
            journal.look(visibility, (call.region, region), call.now);
        }
        if !call.action.starts_with("Describe") {
            let answer = run.run(self, call);
            let State { journal, regions, .. } = &mut self.state;
            if let Some(region) = regions.get(call.region) {
                journal.look(visibility, (call.region, region), call.now);
            }
            return answer;
        }
        let Some(past) = journal.past(visibility, region, service, call) else { return run.run(self, call) };
        let present = mem::replace(region, past);
        let answer = run.run(self, call);
        self.state.regions.insert(call.region.to_owned(), present);
        answer
    }
}

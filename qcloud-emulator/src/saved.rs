//! Saving a world and going on with it elsewhere.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Time;
use crate::emulator::Emulator;
use crate::error::StateError;
use crate::faults::Plan;
use crate::settings::Settings;
use crate::world::State;

/// What the first member of a saved state says.
const FORMAT: &str = "qcloud-emulator state";
/// Raised whenever an older emulator could not read the state.
const VERSION: u64 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Saved {
    format: String,
    version: u64,
    now: Time,
    ahead: i64,
    requests: u64,
    settings: Settings,
    faults: Plan,
    world: State,
}

impl Emulator {
    /// Everything that the emulator remembers, as versioned JSON: resources, tasks under way, the clock, knobs, faults with
    /// their counts. Not in it are the call log and the credentials that the emulator was started with.
    ///
    /// # Errors
    ///
    /// When the state has no form in JSON, which is a fault of the emulator.
    pub fn save(&self) -> Result<String, StateError> {
        let mut world = self.world();
        let now = self.clock().time();
        world.settle(now);
        let saved = Saved {
            format: FORMAT.to_owned(),
            version: VERSION,
            now,
            ahead: self.clock().ahead(),
            requests: self.requests(),
            settings: (*world.settings).clone(),
            faults: self.faults().save(),
            world: world.state.clone(),
        };
        drop(world);
        serde_json::to_string(&saved).map_err(|error| StateError::Unwritable(error.to_string()))
    }

    /// Goes on with a saved state in place of the present one: from here on, every call is answered as the emulator that
    /// saved it would have answered. What the emulator was started with stays: its address, its credentials and the kind
    /// of its clock. A clock that follows the machine's is put forward when the saved time is later.
    ///
    /// # Errors
    ///
    /// When it is no state that this version reads. Nothing has changed then.
    pub fn restore(&self, saved: &str) -> Result<(), StateError> {
        let unreadable = |error: serde_json::Error| StateError::Unreadable(error.to_string());
        let value: Value = serde_json::from_str(saved).map_err(unreadable)?;
        if value.get("format").and_then(Value::as_str) != Some(FORMAT) {
            return Err(StateError::Unreadable(format!("its `format` is not `{FORMAT}`")));
        }
        match value.get("version").and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(found) => return Err(StateError::Version { found, known: VERSION }),
            None => return Err(StateError::Unreadable("it has no `version`".to_owned())),
        }
        let saved: Saved = serde_json::from_str(saved).map_err(unreadable)?;
        self.replace(saved.settings, saved.world, saved.faults, saved.requests, |clock| {
            clock.resume(saved.now, saved.ahead);
        });
        Ok(())
    }
}

//! Numbers that the model calls unsigned: those too large for the emulator become the largest it knows, and are refused
//! as out of range by whoever reads them.

use serde::{Deserialize, Deserializer};

/// For members that may be absent.
pub(super) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let number = Option::<u64>::deserialize(deserializer)?;
    Ok(number.map(|number| i64::try_from(number).unwrap_or(i64::MAX)))
}

//! Points in time as the API writes them.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Utc};
use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A point in time, to the second or better.
///
/// The API writes times in several forms: `2024-05-01T08:00:00Z`, `2024-05-01T16:00:00+08:00`, and without a zone as
/// `2024-05-01 16:00:00` or `2024-05-01`, which means China Standard Time (UTC+8). All are read into the same type;
/// `Display` writes RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

/// A text that is not a time in any form that the API uses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time; expected a form like `2024-05-01T08:00:00Z` or `2024-05-01 16:00:00`")]
pub struct ParseTimestampError(String);

impl Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn unix_seconds(self) -> i64 {
        self.0.timestamp()
    }

    /// The API writes "no time" as an empty text or a date of zeros.
    pub(crate) fn is_absent(text: &str) -> bool {
        let text = text.trim();
        text.is_empty() || text.starts_with("0000-00-00") || text.starts_with("0001-01-01")
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let trimmed = text.trim();
        if let Ok(time) = DateTime::parse_from_rfc3339(trimmed) {
            return Ok(Self(time.with_timezone(&Utc)));
        }
        let naive = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y/%m/%d %H:%M:%S"]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(trimmed, form).ok())
            .or_else(|| Some(NaiveDate::parse_from_str(trimmed, "%Y-%m-%d").ok()?.and_time(NaiveTime::MIN)));
        let china = FixedOffset::east_opt(8 * 3600);
        naive
            .zip(china)
            .and_then(|(naive, china)| naive.and_local_timezone(china).single())
            .map(|time| Self(time.with_timezone(&Utc)))
            .ok_or_else(|| ParseTimestampError(text.to_owned()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        time.0.into()
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self(time.into())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TimestampVisitor;

        impl Visitor<'_> for TimestampVisitor {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(TimestampVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_of_one_moment_are_equal() {
        let forms = [
            "2024-05-01T08:00:00Z",
            "2024-05-01T16:00:00+08:00",
            "2024-05-01 16:00:00",
            "2024-05-01T16:00:00",
            "2024-05-01 16:00:00.0",
            "2024/05/01 16:00:00",
        ];
        for form in forms {
            assert_eq!(form.parse::<Timestamp>().unwrap().to_string(), "2024-05-01T08:00:00Z", "{form}");
        }
        assert_eq!("2024-05-01".parse::<Timestamp>().unwrap().to_string(), "2024-04-30T16:00:00Z");
    }

    #[test]
    fn what_is_no_time_is_an_error_that_shows_it() {
        let error = "yesterday".parse::<Timestamp>().unwrap_err();
        assert!(error.to_string().contains("`yesterday`"), "{error}");
    }

    #[test]
    fn zero_dates_mean_no_time() {
        assert!(Timestamp::is_absent("0000-00-00 00:00:00"));
        assert!(Timestamp::is_absent("0001-01-01T00:00:00Z"));
        assert!(Timestamp::is_absent(" "));
        assert!(!Timestamp::is_absent("2024-05-01"));
    }
}

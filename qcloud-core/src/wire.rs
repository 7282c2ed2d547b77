//! What generated types need to read the API's JSON. Not meant to be used by hand, hence no stability promise.

use std::fmt;
use std::marker::PhantomData;

pub use serde;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Visitor};

use crate::Timestamp;

/// The name by which the lenient decoder knows that a time is wanted.
pub(crate) const TIMESTAMP: &str = "$qcloud::Timestamp";

/// The name by which the lenient decoder knows that an enum over numbers is wanted, for which 0 is as good as any: what is
/// absent must not become that.
pub(crate) const NUMBERED: &str = "$qcloud::Numbered";

/// Reads an id that its object can't be without: absent, null or empty is an error, never "".
///
/// # Errors
/// When there is no text, or an empty one.
pub fn identity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let id = String::deserialize(deserializer)?;
    if id.is_empty() { Err(D::Error::custom("an id that must be present is empty")) } else { Ok(id) }
}

/// Reads a time in any of the API's forms. Null, empty, zero dates and what is no time at all are `None`.
///
/// # Errors
/// Only those of the deserializer itself.
pub fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    struct TimestampVisitor;

    impl<'de> Visitor<'de> for TimestampVisitor {
        type Value = Option<Timestamp>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a time")
        }

        fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
            deserializer.deserialize_any(self)
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            if Timestamp::is_absent(text) {
                return Ok(None);
            }
            match text.parse() {
                Ok(time) => Ok(Some(time)),
                Err(error) => {
                    tracing::debug!(%error, "a time in an answer can't be read; taken as absent");
                    Ok(None)
                }
            }
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_none<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
            deserializer.deserialize_any(self)
        }
    }

    deserializer.deserialize_newtype_struct(TIMESTAMP, TimestampVisitor)
}

/// Reads a text into an open enum without an allocation for known values.
///
/// # Errors
/// Only those of the deserializer itself.
pub fn from_text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: for<'a> From<&'a str>,
{
    struct TextVisitor<T>(PhantomData<T>);

    impl<T: for<'a> From<&'a str>> Visitor<'_> for TextVisitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E>(self, text: &str) -> Result<T, E> {
            Ok(T::from(text))
        }
    }

    deserializer.deserialize_str(TextVisitor(PhantomData))
}

/// Reads a number into an open enum; what is absent becomes its default.
///
/// # Errors
/// When it is no whole number.
pub fn from_number<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: From<i64> + Default,
{
    struct NumberVisitor<T>(PhantomData<T>);

    impl<'de, T: From<i64> + Default> Visitor<'de> for NumberVisitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number")
        }

        fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
            deserializer.deserialize_i64(self)
        }

        fn visit_i64<E>(self, number: i64) -> Result<T, E> {
            Ok(T::from(number))
        }

        fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<T, E> {
            let small = i64::try_from(number);
            small.map(T::from).map_err(|_| E::invalid_value(serde::de::Unexpected::Unsigned(number), &self))
        }

        fn visit_unit<E>(self) -> Result<T, E> {
            Ok(T::default())
        }
    }

    deserializer.deserialize_newtype_struct(NUMBERED, NumberVisitor(PhantomData))
}

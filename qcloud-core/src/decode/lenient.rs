//! A serde adapter that forgives what the API is known to get wrong, in this one place.
//!
//! It sits between `serde_json` and the derived `Deserialize` of the generated types. Null becomes the default of what
//! is wanted; numbers, booleans and texts are converted where one stands for another. Missing fields are handled by
//! `#[serde(default)]` on the types. With a [`Trace`] it also keeps track of the path, for error messages, and of each
//! leniency, for strict decoding; without one it costs next to nothing.

use std::fmt;

use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::compound::Compound;
use super::trace::Trace;
use crate::Timestamp;
use crate::wire::{NUMBERED, TIMESTAMP};

/// The adapter around another deserializer.
pub(super) struct Lenient<'t, D> {
    inner: D,
    trace: &'t Trace,
}

impl<'t, D> Lenient<'t, D> {
    pub(super) fn new(inner: D, trace: &'t Trace) -> Self {
        Self { inner, trace }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Want {
    Bool,
    Integer,
    Float,
    Text,
}

macro_rules! scalars {
    ($($method:ident => $want:ident),* $(,)?) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.deserialize_any(Scalar { visitor, want: Want::$want, tell_absence: false, trace: self.trace })
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Lenient<'_, D> {
    type Error = D::Error;

    scalars! {
        deserialize_bool => Bool,
        deserialize_i8 => Integer, deserialize_i16 => Integer, deserialize_i32 => Integer, deserialize_i64 => Integer,
        deserialize_u8 => Integer, deserialize_u16 => Integer, deserialize_u32 => Integer, deserialize_u64 => Integer,
        deserialize_i128 => Integer, deserialize_u128 => Integer,
        deserialize_f32 => Float, deserialize_f64 => Float,
        deserialize_char => Text, deserialize_str => Text, deserialize_string => Text,
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_option(Optional { visitor, trace: self.trace })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_any(Compound { visitor, fields: &[], list: true, trace: self.trace })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_any(Compound { visitor, fields: &[], list: false, trace: self.trace })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_any(Compound { visitor, fields, list: false, trace: self.trace })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        match name {
            TIMESTAMP => self.inner.deserialize_any(Time { visitor, trace: self.trace }),
            NUMBERED => {
                let scalar = Scalar { visitor, want: Want::Integer, tell_absence: true, trace: self.trace };
                self.inner.deserialize_any(scalar)
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        if self.trace.in_envelope() {
            // Any JSON would do, but the content of an answer is an object.
            return self.deserialize_map(visitor);
        }
        self.inner.deserialize_any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_ignored_any(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_identifier(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_bytes(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_byte_buf(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_unit(visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_unit_struct(name, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_tuple(len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_tuple_struct(name, len, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_enum(name, variants, visitor)
    }
}

/// Receives one scalar, and hands it on as what is wanted.
struct Scalar<'t, V> {
    visitor: V,
    want: Want,
    /// Whether the visitor has a value of its own for what is absent.
    tell_absence: bool,
    trace: &'t Trace,
}

impl<'de, V: Visitor<'de>> Scalar<'_, V> {
    fn null<E: Error>(self) -> Result<V::Value, E> {
        self.trace.note("null in place of a value");
        self.absent()
    }

    /// The default of a scalar, through the visitor of the type that wants one.
    fn absent<E: Error>(self) -> Result<V::Value, E> {
        match self.want {
            _ if self.tell_absence => self.visitor.visit_unit(),
            Want::Bool => self.visitor.visit_bool(false),
            Want::Integer => self.visitor.visit_u64(0),
            Want::Float => self.visitor.visit_f64(0.0),
            Want::Text => self.visitor.visit_str(""),
        }
    }

    /// A text where a number or a truth value is wanted.
    fn text<E: Error>(self, text: &str) -> Result<V::Value, E> {
        let trimmed = text.trim();
        match self.want {
            Want::Text => self.visitor.visit_str(text),
            _ if trimmed.is_empty() => {
                self.trace.note("empty text in place of a value");
                self.absent()
            }
            Want::Bool => {
                self.trace.note("text in place of true or false");
                match trimmed {
                    "true" | "True" | "TRUE" | "1" => self.visitor.visit_bool(true),
                    "false" | "False" | "FALSE" | "0" => self.visitor.visit_bool(false),
                    _ => self.visitor.visit_str(text),
                }
            }
            Want::Integer => {
                self.trace.note("text in place of a number");
                if let Ok(number) = trimmed.parse::<u64>() {
                    self.visitor.visit_u64(number)
                } else if let Ok(number) = trimmed.parse::<i64>() {
                    self.visitor.visit_i64(number)
                } else {
                    self.visitor.visit_str(text)
                }
            }
            Want::Float => {
                self.trace.note("text in place of a number");
                match trimmed.parse::<f64>() {
                    Ok(number) if number.is_finite() => self.visitor.visit_f64(number),
                    _ => self.visitor.visit_str(text),
                }
            }
        }
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Scalar<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    #[inline]
    fn visit_bool<E: Error>(self, value: bool) -> Result<V::Value, E> {
        match self.want {
            Want::Bool => self.visitor.visit_bool(value),
            Want::Text => {
                self.trace.note("true or false in place of text");
                self.visitor.visit_str(if value { "true" } else { "false" })
            }
            Want::Integer => {
                self.trace.note("true or false in place of a number");
                self.visitor.visit_u64(u64::from(value))
            }
            Want::Float => self.visitor.visit_bool(value),
        }
    }

    #[inline]
    fn visit_i64<E: Error>(self, value: i64) -> Result<V::Value, E> {
        match self.want {
            Want::Integer | Want::Float => self.visitor.visit_i64(value),
            Want::Text => {
                self.trace.note("a number in place of text");
                self.visitor.visit_string(value.to_string())
            }
            Want::Bool => {
                self.trace.note("a number in place of true or false");
                self.visitor.visit_bool(value != 0)
            }
        }
    }

    #[inline]
    fn visit_u64<E: Error>(self, value: u64) -> Result<V::Value, E> {
        match self.want {
            Want::Integer | Want::Float => self.visitor.visit_u64(value),
            Want::Text => {
                self.trace.note("a number in place of text");
                self.visitor.visit_string(value.to_string())
            }
            Want::Bool => {
                self.trace.note("a number in place of true or false");
                self.visitor.visit_bool(value != 0)
            }
        }
    }

    #[inline]
    fn visit_f64<E: Error>(self, value: f64) -> Result<V::Value, E> {
        match self.want {
            Want::Float => self.visitor.visit_f64(value),
            // Exactly representable whole numbers only: what lies beyond 2^53 may already be rounded.
            Want::Integer if value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0 => {
                self.trace.note("a fraction in place of a whole number");
                self.visitor.visit_i64(value as i64)
            }
            Want::Text => {
                self.trace.note("a number in place of text");
                self.visitor.visit_string(value.to_string())
            }
            _ => self.visitor.visit_f64(value),
        }
    }

    #[inline]
    fn visit_str<E: Error>(self, value: &str) -> Result<V::Value, E> {
        self.text(value)
    }

    #[inline]
    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<V::Value, E> {
        if self.want == Want::Text { self.visitor.visit_borrowed_str(value) } else { self.text(value) }
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.null()
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.null()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_seq(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(map)
    }
}

/// Receives a value that may be null.
struct Optional<'t, V> {
    visitor: V,
    trace: &'t Trace,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Optional<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Lenient { inner: deserializer, trace: self.trace })
    }
}

/// Receives a time, only to note what the reader of times will pass over.
struct Time<'t, V> {
    visitor: V,
    trace: &'t Trace,
}

impl<'de, V: Visitor<'de>> Time<'_, V> {
    fn no_time<E: Error>(self) -> Result<V::Value, E> {
        self.trace.note("a time in no known form");
        self.visitor.visit_unit()
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Time<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<V::Value, E> {
        if self.trace.strict && !Timestamp::is_absent(value) && value.parse::<Timestamp>().is_err() {
            self.trace.note("a time in no known form");
        }
        self.visitor.visit_str(value)
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<V::Value, E> {
        self.no_time()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<V::Value, E> {
        self.no_time()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<V::Value, E> {
        self.no_time()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<V::Value, E> {
        self.no_time()
    }
}

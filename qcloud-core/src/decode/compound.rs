//! The part of the lenient decoder that reads lists and objects.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use super::lenient::Lenient;
use super::trace::{Segment, Trace};

/// Receives a list or an object.
pub(super) struct Compound<'t, V> {
    pub(super) visitor: V,
    pub(super) fields: &'static [&'static str],
    pub(super) list: bool,
    pub(super) trace: &'t Trace,
}

impl<'de, V: Visitor<'de>> Compound<'_, V> {
    /// Reads an empty list or object instead. It comes from JSON text like all others, so that the compiler need not
    /// make a second reader of each type.
    ///
    /// The envelope and its content must be there: an answer of null is no answer, least of all that a list is empty.
    fn null<E: Error>(self) -> Result<V::Value, E> {
        if self.trace.in_envelope() {
            return Err(E::invalid_type(serde::de::Unexpected::Unit, &"the content of the answer"));
        }
        if !self.list {
            self.trace.note("null in place of an object");
        }
        let mut empty = serde_json::Deserializer::from_slice(if self.list { b"[]" } else { b"{}" });
        empty.deserialize_any(self).map_err(E::custom)
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Compound<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<V::Value, A::Error> {
        if self.list {
            self.visitor.visit_seq(Elements { inner: list, index: 0, trace: self.trace })
        } else {
            // A derived struct would read a list as its fields in order.
            Err(A::Error::invalid_type(serde::de::Unexpected::Seq, &self))
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        let envelope = self.trace.depth.get() == 0;
        self.trace.depth.set(self.trace.depth.get() + 1);
        let fields = if envelope { &[] } else { self.fields };
        let entries = Entries { inner: map, fields, seen: Vec::new(), missing: None, trace: self.trace };
        let value = self.visitor.visit_map(entries);
        self.trace.depth.set(self.trace.depth.get() - 1);
        value
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.null()
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.null()
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<V::Value, E> {
        if self.trace.in_envelope() {
            Err(E::invalid_type(serde::de::Unexpected::Str(value), &"the content of the answer"))
        } else if value.is_empty() {
            self.trace.note("empty text in place of a list or object");
            self.null()
        } else {
            self.visitor.visit_str(value)
        }
    }
}

/// The seed of a value, read through the adapter.
struct Through<'t, S> {
    seed: S,
    trace: &'t Trace,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Through<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.seed.deserialize(Lenient::new(deserializer, self.trace))
    }
}

struct Elements<'t, A> {
    inner: A,
    index: usize,
    trace: &'t Trace,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Elements<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.trace.enter(|| Segment::Index(self.index));
        self.index += 1;
        let element = self.inner.next_element_seed(Through { seed, trace: self.trace })?;
        self.trace.leave();
        Ok(element)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

struct Entries<'t, A> {
    inner: A,
    fields: &'static [&'static str],
    seen: Vec<String>,
    /// In strict decoding: the field that the object lacks and whose default is being read.
    missing: Option<usize>,
    trace: &'t Trace,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entries<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        if !self.trace.paths {
            return self.inner.next_key_seed(seed);
        }
        if let Some(key) = self.inner.next_key::<String>()? {
            let value = seed.deserialize::<StrDeserializer<'_, A::Error>>(key.as_str().into_deserializer())?;
            let unknown = !self.fields.is_empty() && !self.fields.contains(&key.as_str());
            if self.trace.strict {
                self.seen.push(key.clone());
            }
            self.trace.enter(|| Segment::Key(key));
            if unknown {
                self.trace.note("unknown field");
            }
            return Ok(Some(value));
        }
        // The object has ended. Strictly, each field that it lacks is now read from nothing, which notes those that
        // have no honest way to be absent.
        if !self.trace.strict {
            return Ok(None);
        }
        let from = self.missing.map_or(0, |index| index + 1);
        let lacking =
            self.fields.iter().enumerate().skip(from).find(|(_, field)| !self.seen.iter().any(|seen| seen == *field));
        let Some((index, field)) = lacking else { return Ok(None) };
        self.missing = Some(index);
        self.trace.enter(|| Segment::Key((*field).to_owned()));
        seed.deserialize::<StrDeserializer<'_, A::Error>>((*field).into_deserializer()).map(Some)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let value = if self.missing.is_some() {
            read_missing(seed, self.trace)?
        } else {
            self.inner.next_value_seed(Through { seed, trace: self.trace })?
        };
        self.trace.leave();
        Ok(value)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

/// Reads the value of a field that is not there from `null`, which options and lists take in silence.
fn read_missing<'de, S: DeserializeSeed<'de>, E: Error>(seed: S, trace: &Trace) -> Result<S::Value, E> {
    let before = trace.count();
    let mut null = serde_json::Deserializer::from_slice(b"null");
    let value = seed.deserialize(Lenient::new(&mut null, trace)).map_err(E::custom);
    trace.call_missing(before);
    value
}

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use serde::de::DeserializeOwned;

use crate::kubernetes::{ErrorKind, ProviderError, Result};

/// The error for an annotation whose value cannot be used.
pub(super) fn invalid(annotation: &str, value: &str, why: impl fmt::Display) -> ProviderError {
    // Long values are JSON; the reason tells the place.
    let shown: String = value.chars().take(120).collect();
    ProviderError::new(ErrorKind::InvalidArgument, format!("annotation {annotation}: value {shown:?}: {why}"))
}

/// Annotations, read as what they are said to be. An empty value counts as absent.
pub(super) struct Values<'a>(pub(super) &'a BTreeMap<String, String>);

impl<'a> Values<'a> {
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>> {
        match self.text(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(invalid(name, other, "it is \"true\" or \"false\"")),
        }
    }

    pub(super) fn is_set(&self, name: &str) -> Result<bool> {
        Ok(self.flag(name)?.unwrap_or(false))
    }

    pub(super) fn number(&self, name: &str, range: RangeInclusive<u32>) -> Result<Option<u32>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.parse() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => Err(invalid(name, text, format_args!("it is a number from {} to {}", range.start(), range.end()))),
        }
    }

    pub(super) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        serde_json::from_str(text).map(Some).map_err(|error| invalid(name, text, error))
    }

    /// An id such as `lb-1a2b3c4d`.
    pub(super) fn id(&self, name: &str, prefix: &str) -> Result<Option<&'a str>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        if is_id(text, prefix) {
            Ok(Some(text))
        } else {
            Err(invalid(name, text, format_args!("it is an id like {prefix}1a2b3c4d")))
        }
    }

    pub(super) fn list(&self, name: &str) -> Option<Vec<&'a str>> {
        self.text(name).map(|text| text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect())
    }
}

pub(super) fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

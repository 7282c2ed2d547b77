//! Sizes: what is asked for, what can be had, and growing from one to the other.

use super::{Volume, VolumeState};
use crate::kubernetes::{ErrorKind, ProviderError, Result};

/// Bytes in a GiB.
pub const GIB: u64 = 1 << 30;

/// A size that is wanted, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SizeRange {
    /// At least this much; 0 for the smallest there is.
    pub required: u64,
    /// At most this much.
    pub limit: Option<u64>,
}

impl SizeRange {
    /// At least so many bytes.
    #[must_use]
    pub const fn at_least(bytes: u64) -> Self {
        Self { required: bytes, limit: None }
    }

    /// At least and at most so many bytes.
    #[must_use]
    pub const fn between(least: u64, most: u64) -> Self {
        Self { required: least, limit: Some(most) }
    }

    /// Whether a size lies within.
    #[must_use]
    pub fn contains(&self, bytes: u64) -> bool {
        bytes >= self.required && self.limit.is_none_or(|limit| bytes <= limit)
    }
}

/// The sizes that a kind of storage comes in, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SizeRules {
    /// The smallest.
    pub least: u64,
    /// The largest.
    pub most: u64,
    /// Sizes are multiples of this.
    pub step: u64,
}

impl SizeRules {
    /// Rules in bytes.
    #[must_use]
    pub const fn new(least: u64, most: u64, step: u64) -> Self {
        Self { least, most, step }
    }

    /// The smallest size that can be had and lies within the range: rounded up, never down.
    ///
    /// # Errors
    /// `OutOfRange` when there is none.
    pub fn choose(&self, range: SizeRange) -> Result<u64> {
        let wanted = range.required.max(self.least);
        let size = wanted.checked_next_multiple_of(self.step.max(1)).unwrap_or(u64::MAX);
        if size > self.most {
            return Err(out_of_range(format!(
                "{} bytes are wanted; the largest volume of this kind has {}",
                range.required, self.most
            )));
        }
        match range.limit {
            Some(limit) if size > limit => Err(out_of_range(format!(
                "the smallest volume of this kind with {} bytes has {size}, more than the limit of {limit}",
                range.required
            ))),
            _ => Ok(size),
        }
    }
}

fn out_of_range(message: String) -> ProviderError {
    ProviderError::new(ErrorKind::OutOfRange, message)
}

/// The size to grow a volume to; none when it is large enough.
///
/// # Errors
/// `OutOfRange` when no size fits, or the volume is larger than the limit already; `Busy` while something else is under
/// way; `Conflict` for a deleted volume.
pub fn plan_expand(volume: &Volume, range: SizeRange, rules: &SizeRules) -> Result<Option<u64>> {
    if volume.state == VolumeState::Recycled {
        let message = format!("the volume {} was deleted and waits for its end", volume.id);
        return Err(ProviderError::new(ErrorKind::Conflict, message));
    }
    if volume.size >= range.required {
        return match range.limit {
            Some(limit) if volume.size > limit => Err(out_of_range(format!(
                "the volume {} has {} bytes, more than the limit of {limit}; volumes do not shrink",
                volume.id, volume.size
            ))),
            _ => Ok(None),
        };
    }
    let size = rules.choose(range)?;
    match &volume.state {
        VolumeState::Ready => Ok(Some(size)),
        state => {
            let message = format!("the volume {} is busy: {state:?}", volume.id);
            Err(ProviderError::new(ErrorKind::Busy, message))
        }
    }
}

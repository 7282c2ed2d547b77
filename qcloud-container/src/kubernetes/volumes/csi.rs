//! Errors in the language of CSI.

use crate::kubernetes::{ErrorKind, ProviderError};

/// The gRPC status codes that CSI gives a meaning to, with their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CsiCode {
    /// `INVALID_ARGUMENT`.
    InvalidArgument = 3,
    /// `NOT_FOUND`.
    NotFound = 5,
    /// `ALREADY_EXISTS`.
    AlreadyExists = 6,
    /// `PERMISSION_DENIED`.
    PermissionDenied = 7,
    /// `RESOURCE_EXHAUSTED`: the scheduler may choose another node.
    ResourceExhausted = 8,
    /// `FAILED_PRECONDITION`.
    FailedPrecondition = 9,
    /// `ABORTED`: an operation on the object is under way; come back.
    Aborted = 10,
    /// `OUT_OF_RANGE`.
    OutOfRange = 11,
    /// `UNIMPLEMENTED`.
    Unimplemented = 12,
    /// `INTERNAL`.
    Internal = 13,
    /// `UNAVAILABLE`: come back.
    Unavailable = 14,
}

impl CsiCode {
    /// The code of an error.
    #[must_use]
    pub fn of(error: &ProviderError) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::AlreadyExists => Self::AlreadyExists,
            ErrorKind::Conflict | ErrorKind::InUse => Self::FailedPrecondition,
            ErrorKind::InvalidArgument => Self::InvalidArgument,
            ErrorKind::OutOfRange => Self::OutOfRange,
            ErrorKind::Exhausted(_) => Self::ResourceExhausted,
            ErrorKind::Busy | ErrorKind::Pending => Self::Aborted,
            ErrorKind::Throttled | ErrorKind::Unavailable | ErrorKind::Ambiguous => Self::Unavailable,
            ErrorKind::Unauthorized => Self::PermissionDenied,
            ErrorKind::Unsupported => Self::Unimplemented,
            ErrorKind::Internal => Self::Internal,
        }
    }

    /// The code of an error of a list, where a token that no page gave is `ABORTED`.
    #[must_use]
    pub fn of_list(error: &ProviderError) -> Self {
        if error.kind() == ErrorKind::Conflict { Self::Aborted } else { Self::of(error) }
    }

    /// The number of the code.
    #[must_use]
    pub fn number(self) -> i32 {
        self as i32
    }
}

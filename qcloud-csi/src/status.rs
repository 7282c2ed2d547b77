//! Errors of the provider in the language of gRPC.

use qcloud_container::kubernetes::ProviderError;
use qcloud_container::kubernetes::volumes::CsiCode;
use tonic::{Code, Status};

/// The status of an error: its code by what the sidecars do about it, its text with the request id.
#[must_use]
pub fn of(error: &ProviderError) -> Status {
    Status::new(code(CsiCode::of(error)), error.to_string())
}

/// The status of an error of a list, where a token that no page gave is `ABORTED`.
#[must_use]
pub fn of_list(error: &ProviderError) -> Status {
    Status::new(code(CsiCode::of_list(error)), error.to_string())
}

fn code(code: CsiCode) -> Code {
    Code::from_i32(code.number())
}

#[cfg(test)]
mod tests {
    use qcloud_container::kubernetes::{ErrorKind, Exhausted};

    use super::*;

    fn code_of(kind: ErrorKind) -> Code {
        of(&ProviderError::new(kind, "x")).code()
    }

    #[test]
    fn each_kind_has_the_code_that_makes_the_sidecars_do_the_right_thing() {
        // Final.
        assert_eq!(code_of(ErrorKind::NotFound), Code::NotFound);
        assert_eq!(code_of(ErrorKind::AlreadyExists), Code::AlreadyExists);
        assert_eq!(code_of(ErrorKind::InvalidArgument), Code::InvalidArgument);
        assert_eq!(code_of(ErrorKind::OutOfRange), Code::OutOfRange);
        assert_eq!(code_of(ErrorKind::InUse), Code::FailedPrecondition);
        assert_eq!(code_of(ErrorKind::Conflict), Code::FailedPrecondition);
        assert_eq!(code_of(ErrorKind::Unauthorized), Code::PermissionDenied);
        assert_eq!(code_of(ErrorKind::Unsupported), Code::Unimplemented);
        assert_eq!(code_of(ErrorKind::Internal), Code::Internal);
        // Another node may do better.
        for what in [Exhausted::Quota, Exhausted::Stock, Exhausted::AttachLimit] {
            assert_eq!(code_of(ErrorKind::Exhausted(what)), Code::ResourceExhausted);
        }
        // Still going on in the background.
        assert_eq!(code_of(ErrorKind::Pending), Code::Aborted);
        assert_eq!(code_of(ErrorKind::Busy), Code::Aborted);
        // Worth another try.
        for kind in [ErrorKind::Throttled, ErrorKind::Unavailable, ErrorKind::Ambiguous] {
            assert_eq!(code_of(kind), Code::Unavailable);
        }
    }

    #[test]
    fn a_token_that_no_page_gave_is_aborted() {
        assert_eq!(of_list(&ProviderError::new(ErrorKind::Conflict, "x")).code(), Code::Aborted);
        assert_eq!(of_list(&ProviderError::new(ErrorKind::NotFound, "x")).code(), Code::NotFound);
    }

    #[test]
    fn the_text_has_the_request_id() {
        let status = of(&ProviderError::new(ErrorKind::Internal, "no luck").with_request_id("r-1"));
        assert_eq!(status.message(), "no luck (request id r-1)");
    }
}

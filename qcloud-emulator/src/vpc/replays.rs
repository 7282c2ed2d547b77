//! Requests with client tokens.

use serde_json::Value;

use super::TOO_LONG;
use crate::call::Call;
use crate::client_tokens::Dialect;
use crate::error::ApiError;
use crate::world::Local;

/// Does what a request asks for, unless a request with the same token did it before: then that one's answer comes
/// again. `mismatch` is the error for a token that was used with other parameters.
pub(super) fn once(
    here: &mut Local<'_>,
    call: &Call,
    token: Option<&str>,
    mismatch: &'static str,
    act: impl FnOnce(&mut Local<'_>) -> Result<Value, ApiError>,
) -> Result<Value, ApiError> {
    let dialect = Dialect { malformed: TOO_LONG, mismatch };
    let vpc = &mut here.region.vpc;
    if let Some(used) = vpc.client_tokens.repeated(call, token, here.now, dialect)? {
        vpc.tasks.repeat(&used.request_id, &call.request_id);
        return Ok(used.answer.clone());
    }
    let answer = act(here)?;
    here.region.vpc.client_tokens.keep(call, token, &answer, here.now);
    Ok(answer)
}

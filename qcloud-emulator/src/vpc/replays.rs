//! Client tokens: a request that is sent again does nothing again.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::TOO_LONG;
use crate::call::Call;
use crate::clock::Time;
use crate::error::ApiError;
use crate::world::Local;

/// How long a client token is remembered.
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);

/// What requests with client tokens were answered with, by action and token.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Replays {
    seen: BTreeMap<String, Replay>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Replay {
    parameters: Value,
    answer: Value,
    request_id: String,
    at: Time,
}

/// Does what a request asks for, unless a request with the same token did it before: then that one's answer comes
/// again. `mismatch` is the error for a token that was used with other parameters.
pub(super) fn once(
    here: &mut Local<'_>,
    call: &Call,
    token: Option<&str>,
    mismatch: &'static str,
    act: impl FnOnce(&mut Local<'_>) -> Result<Value, ApiError>,
) -> Result<Value, ApiError> {
    let Some(token) = token.filter(|token| !token.is_empty()) else { return act(here) };
    if token.len() > 64 || !token.is_ascii() {
        return Err(ApiError::new(TOO_LONG, "`ClientToken` has at most 64 ASCII characters."));
    }
    let key = format!("{} {token}", call.action);
    if let Some(replay) = here.region.vpc.replays.seen.get(&key).filter(|replay| replay.at.after(TOKEN_LIFE) > here.now)
    {
        if replay.parameters != call.parameters {
            let message = format!("`ClientToken`: `{token}` was used for a request with other parameters.");
            return Err(ApiError::new(mismatch, message));
        }
        let (answer, first) = (replay.answer.clone(), replay.request_id.clone());
        here.region.vpc.tasks.repeat(&first, &call.request_id);
        return Ok(answer);
    }
    let answer = act(here)?;
    let replay = Replay {
        parameters: call.parameters.clone(),
        answer: answer.clone(),
        request_id: call.request_id.clone(),
        at: here.now,
    };
    here.region.vpc.replays.seen.insert(key, replay);
    Ok(answer)
}

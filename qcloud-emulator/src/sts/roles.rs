//! Assuming a role, and asking who one is.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Number, Value, json};

use super::sessions::Session;
use super::{ACCOUNT, Holder};
use crate::call::Call;
use crate::error::ApiError;
use crate::world::World;

/// How long credentials hold when the request does not say, and at most.
const USUAL_LIFE: u64 = 7200;
const LONGEST_LIFE: u64 = 43_200;
const LONGEST_POLICY: usize = 2048;

fn bad(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameter.ParamError", message)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    role_arn: String,
    role_session_name: String,
    duration_seconds: Option<Number>,
    policy: Option<String>,
    web_identity_token: Option<String>,
    provider_id: Option<String>,
}

/// Reads `qcs::cam::uin/<account>:roleName/<name>`, or the same with `role/<id>`.
fn read_arn(arn: &str) -> Option<(&str, &str)> {
    let (account, role) = arn.strip_prefix("qcs::cam::uin/")?.split_once(':')?;
    let name = role.strip_prefix("roleName/").or_else(|| role.strip_prefix("role/"))?;
    let good = !account.is_empty() && account.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty();
    good.then_some((account, name))
}

impl Input {
    fn holder(&self, world: &World) -> Result<Holder, ApiError> {
        let Some((account, role)) = read_arn(&self.role_arn) else {
            let message =
                format!("`RoleArn`: `{}` does not read qcs::cam::uin/<account>:roleName/<name>.", self.role_arn);
            return Err(bad(message));
        };
        let name = &self.role_session_name;
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"=,.@_-".contains(&byte);
        if !(2..=128).contains(&name.len()) || !name.bytes().all(good) {
            return Err(bad(format!("`RoleSessionName`: `{name}` must have 2 to 128 letters, digits and `=,.@_-`.")));
        }
        let roles = &world.settings.roles;
        if !roles.is_empty() && !roles.iter().any(|known| known == role) {
            let message = format!("There is no role `{role}`; there are {}.", roles.join(", "));
            return Err(ApiError::new("ResourceNotFound.RoleNotFound", message));
        }
        Ok(Holder { account: account.to_owned(), role: role.to_owned(), session: name.clone() })
    }

    fn life(&self) -> Result<Duration, ApiError> {
        match self.duration_seconds.as_ref().map(Number::as_u64) {
            None => Ok(Duration::from_secs(USUAL_LIFE)),
            Some(Some(seconds @ 1..=LONGEST_LIFE)) => Ok(Duration::from_secs(seconds)),
            Some(_) => {
                let message = format!("`DurationSeconds` must be from 1 to {LONGEST_LIFE}.");
                Err(ApiError::new("InvalidParameter.OverTimeError", message))
            }
        }
    }

    /// The policy must be readable; what it says has no effect here.
    fn check_policy(&self) -> Result<(), ApiError> {
        let Some(policy) = self.policy.as_deref().filter(|policy| !policy.is_empty()) else { return Ok(()) };
        if policy.len() > LONGEST_POLICY {
            let message = format!("`Policy` has at most {LONGEST_POLICY} bytes.");
            return Err(ApiError::new("InvalidParameter.PolicyTooLong", message));
        }
        // It comes URL-encoded; an equals sign must not end the key, so it is read as a key alone.
        let decoded = form_urlencoded::parse(policy.replace('=', "%3D").replace('&', "%26").as_bytes())
            .next()
            .map(|(key, _)| key.into_owned())
            .unwrap_or_default();
        match serde_json::from_str::<Value>(&decoded) {
            Ok(Value::Object(_)) => Ok(()),
            _ => {
                let message = "`Policy` must be a CAM policy: a JSON object, URL-encoded.";
                Err(ApiError::new("InvalidParameter.StrategyFormatError", message))
            }
        }
    }
}

fn show(session: &Session) -> Value {
    json!({
        "Credentials": {
            "Token": session.token,
            "TmpSecretId": session.secret_id,
            "TmpSecretKey": session.secret_key,
        },
        "ExpiredTime": session.expires.seconds(),
        "Expiration": session.expires.iso(),
    })
}

pub(super) fn assume(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let (holder, life) = (input.holder(world)?, input.life()?);
    input.check_policy()?;
    let state = &mut world.state;
    Ok(show(state.sts.give(&mut state.ids, call.now, life, holder)))
}

pub(super) fn assume_with_web_identity(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let (holder, life) = (input.holder(world)?, input.life()?);
    if input.provider_id.as_deref().unwrap_or_default().is_empty() {
        return Err(bad("`ProviderId` must name the identity provider."));
    }
    let token = input.web_identity_token.unwrap_or_default();
    let parts: Vec<&str> = token.split('.').collect();
    if parts.len() != 3 || parts.iter().any(|part| part.is_empty()) {
        let message = "`WebIdentityToken` is no JSON web token: it has three parts with dots between them.";
        return Err(ApiError::new("InvalidParameter.WebIdentityTokenError", message));
    }
    let state = &mut world.state;
    Ok(show(state.sts.give(&mut state.ids, call.now, life, holder)))
}

pub(super) fn identity(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    Ok(match world.state.sts.get(&call.secret_id) {
        Some(Session { holder: Holder { account, role, session }, .. }) => json!({
            "Arn": format!("qcs::sts:{account}:assumed-role/{role}"),
            "AccountId": account,
            "UserId": format!("{role}:{session}"),
            "PrincipalId": role,
            "Type": "CAMRole",
        }),
        None => json!({
            "Arn": format!("qcs::cam::uin/{ACCOUNT}:uin/{ACCOUNT}"),
            "AccountId": ACCOUNT,
            "UserId": ACCOUNT,
            "PrincipalId": ACCOUNT,
            "Type": "RootAccount",
        }),
    })
}

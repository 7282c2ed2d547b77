//! The three kinds of patch.

mod json;
mod lists;
mod merge;
mod strategic;

use serde_json::Value;

use crate::kinds::Kind;
use crate::refusal::Refusal;

/// Applies a patch, whose kind is told by its content type.
pub(crate) fn apply(kind: &Kind, content_type: &str, object: &Value, patch: &[u8]) -> Result<Value, Refusal> {
    let content_type = content_type.split(';').next().unwrap_or_default().trim();
    let supported: &[&str] = if kind.traits.untyped {
        &["application/json-patch+json", "application/merge-patch+json"]
    } else {
        &["application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json"]
    };
    if !supported.contains(&content_type) {
        let mut message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            supported.join(", ")
        );
        if content_type == "application/apply-patch+yaml" {
            message.push_str(" (a real server takes application/apply-patch+yaml as well, this double does not)");
        }
        return Err(Refusal::new(415, "UnsupportedMediaType", message));
    }
    let patch = serde_json::from_slice(patch)
        .map_err(|error| Refusal::bad_request(format!("error decoding patch: {error}")))?;
    let mut object = object.clone();
    match content_type {
        "application/json-patch+json" => json::apply(&mut object, &patch)?,
        "application/merge-patch+json" => merge::apply(&mut object, patch)?,
        _ => strategic::apply(kind, &mut object, &patch)?,
    }
    Ok(object)
}

/// What can be read but not applied.
fn unprocessable(why: impl Into<String>) -> Refusal {
    Refusal::new(
        422,
        "Invalid",
        format!("the server rejected our request due to an error in our request: {}", why.into()),
    )
}

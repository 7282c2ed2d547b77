//! Tags, as every service keeps them.

use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// The most tags that one resource carries.
const MOST: usize = 50;

/// One tag of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Tag {
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) value: String,
}

/// Checks the tags of a request: no key twice, keys and values of a sensible length, not too many.
pub(crate) fn check(tags: Option<Vec<Tag>>) -> Result<Vec<Tag>, ApiError> {
    let tags = tags.unwrap_or_default();
    if tags.len() > MOST {
        let message = format!("A resource carries at most {MOST} tags; the request gives {}.", tags.len());
        return Err(ApiError::new("LimitExceeded.TagKeyPerResourceExceeded", message));
    }
    for (place, tag) in tags.iter().enumerate() {
        if tag.key.is_empty() || tag.key.chars().count() > 127 {
            let message = format!("The tag key `{}` must have 1 to 127 characters.", tag.key);
            return Err(ApiError::new("InvalidParameterValue.TagInvalidKeyLen", message));
        }
        if tag.value.chars().count() > 255 {
            let message = format!("The value of the tag `{}` is longer than 255 characters.", tag.key);
            return Err(ApiError::new("InvalidParameterValue.TagInvalidVal", message));
        }
        if tags.iter().take(place).any(|other| other.key == tag.key) {
            let message = format!("The tag key `{}` is given twice.", tag.key);
            return Err(ApiError::new("InvalidParameterValue.TagDuplicateKey", message));
        }
    }
    Ok(tags)
}

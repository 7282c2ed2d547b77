//! Reading in JSON.

use serde_json::Value;

/// Looks into JSON; what is missing is null.
pub(crate) trait At {
    /// What is found on a path of fields such as `metadata.name`.
    fn at(&self, path: &str) -> &Value;
}

impl At for Value {
    fn at(&self, path: &str) -> &Value {
        path.split('.').try_fold(self, |value, field| value.get(field)).unwrap_or(&Self::Null)
    }
}

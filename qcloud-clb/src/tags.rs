use crate::model::TagInfo;

/// `("team", "storage")` is a tag, so that lists of tags need no constructor: `.tags([("team", "storage")])`.
impl<K: Into<String>, V: Into<String>> From<(K, V)> for TagInfo {
    fn from((key, value): (K, V)) -> Self {
        Self::new(key, value)
    }
}

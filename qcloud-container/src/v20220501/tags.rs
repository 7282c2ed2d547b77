use super::model::Tag;

/// `("team", "storage")` is a tag, so that lists of tags need no constructor: `.tags([("team", "storage")])`.
impl<K: Into<String>, V: Into<String>> From<(K, V)> for Tag {
    fn from((key, value): (K, V)) -> Self {
        Self::new(key, value)
    }
}

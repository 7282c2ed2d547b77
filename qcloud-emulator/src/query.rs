//! GET requests: parameters flattened into a query, `Filters.0.Values.1=x`.

use serde_json::{Map, Value};

use crate::error::ApiError;

/// No parameter of the API nests deeper than this.
const DEEPEST: usize = 20;

/// Unfolds a query into the tree that it flattens. Lists come out as objects with the keys `0`, `1`, …, and every leaf
/// is a string: only the model tells what they are.
pub(crate) fn unfold(query: &str) -> Result<Map<String, Value>, ApiError> {
    let mut root = Map::new();
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        let segments: Vec<&str> = key.split('.').collect();
        if segments.len() > DEEPEST {
            let message = format!("The parameter `{key}` nests deeper than {DEEPEST} levels.");
            return Err(ApiError::new("InvalidParameter", message));
        }
        let Some((last, path)) = segments.split_last() else { continue };
        let mut node = &mut root;
        for segment in path {
            let child = node.entry(*segment).or_insert_with(|| Value::Object(Map::new()));
            node = child.as_object_mut().ok_or_else(|| conflict(&key))?;
        }
        if node.insert((*last).to_owned(), Value::String(value.into_owned())).is_some() {
            return Err(conflict(&key));
        }
    }
    Ok(root)
}

fn conflict(key: &str) -> ApiError {
    ApiError::new("InvalidParameter", format!("The query gives the parameter `{key}` more than once."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_ways_of_encoding_give_the_same_tree() {
        let plus = unfold("Filters.0.Name=instance-name&Filters.0.Values.0=a+b%2Bc%C3%A9~%2A&Limit=1").unwrap();
        let percent = unfold("Limit=1&Filters.0.Name=instance-name&Filters.0.Values.0=a%20b%2Bc%C3%A9~*").unwrap();
        let expected = json!({"Filters": {"0": {"Name": "instance-name", "Values": {"0": "a b+cé~*"}}}, "Limit": "1"});
        assert_eq!(Value::Object(plus), expected);
        assert_eq!(Value::Object(percent), expected);
    }

    #[test]
    fn contradictions_are_refused() {
        for query in ["A=1&A=2", "A=1&A.0=2", "A.0=1&A=2", &"a.".repeat(30)] {
            assert_eq!(unfold(query).unwrap_err().code, "InvalidParameter", "{query}");
        }
    }
}

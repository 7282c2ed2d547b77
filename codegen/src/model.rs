//! The API facts: `models/<service>-<version>.json`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::problem::Problem;

/// One service at one version.
#[derive(Debug, Deserialize)]
pub(crate) struct Model {
    /// Short name: the first label of the host.
    pub(crate) service: String,
    /// API version: a date.
    pub(crate) version: String,
    pub(crate) actions: BTreeMap<String, Action>,
    /// Requests, responses and the shapes that they hold, with their members in the documented order.
    pub(crate) objects: BTreeMap<String, Vec<Member>>,
    pub(crate) error_codes: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Action {
    /// Object that is sent.
    pub(crate) input: String,
    /// Object that is received.
    pub(crate) output: String,
    #[serde(default)]
    pub(crate) deprecated: bool,
}

/// A member of an object. Exactly one of `scalar`, `list` and `object` is set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Member {
    pub(crate) name: String,
    #[serde(rename = "type")]
    scalar: Option<String>,
    list: Option<String>,
    object: Option<String>,
    /// In what is sent: it must be given.
    #[serde(default)]
    pub(crate) required: bool,
    /// In what is received: the definition promises it.
    #[serde(default)]
    pub(crate) always: bool,
    /// In what is received: it may be null.
    #[serde(default)]
    pub(crate) nullable: bool,
    #[serde(default)]
    pub(crate) deprecated: bool,
    /// Values that the official description mentions.
    #[serde(default)]
    values: Vec<serde_json::Value>,
}

impl Member {
    /// Name of the type, or of the elements' type.
    pub(crate) fn type_name(&self) -> &str {
        [&self.scalar, &self.list, &self.object].into_iter().flatten().next().map_or("", String::as_str)
    }

    pub(crate) fn is_list(&self) -> bool {
        self.list.is_some()
    }

    /// Whether the type is text on the wire.
    pub(crate) fn is_string(&self) -> bool {
        self.type_name() == "string"
    }

    pub(crate) fn is_integer(&self) -> bool {
        matches!(self.type_name(), "int64" | "uint64")
    }

    /// The known values as text.
    pub(crate) fn values(&self) -> Vec<String> {
        self.values.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect()
    }
}

impl Model {
    /// `cvm-2017-03-12`: the name of the model's file and of its overrides' folder.
    pub(crate) fn name(&self) -> String {
        format!("{}-{}", self.service, self.version)
    }

    pub(crate) fn members(&self, object: &str) -> &[Member] {
        self.objects.get(object).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn member(&self, object: &str, name: &str) -> Option<&Member> {
        self.members(object).iter().find(|member| member.name == name)
    }

    pub(crate) fn parse(text: &str, file: &str) -> Result<Self, Problem> {
        serde_json::from_str(text).map_err(|error| Problem::new(file, "model", error))
    }
}

/// The same JSON without the white space between its parts.
pub(crate) fn minify(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in json.chars() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if c.is_ascii_whitespace() {
            continue;
        } else {
            in_string = c == '"';
        }
        out.push(c);
    }
    out
}

/// Reads a file that must be there.
pub(crate) fn read(root: &Path, file: &str) -> Result<String, Problem> {
    std::fs::read_to_string(root.join(file)).map_err(|error| Problem::new(file, "file", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minify_keeps_strings_as_they_are() {
        assert_eq!(
            minify("{\n \"a b\": [ 1, \"c \\\" d\\\\\" ],\n\t\"é\": true }\n"),
            "{\"a b\":[1,\"c \\\" d\\\\\"],\"é\":true}"
        );
    }

    #[test]
    fn a_member_knows_its_type() {
        let member: Member = serde_json::from_str(r#"{"name": "Ids", "list": "string", "values": ["a", 1]}"#).unwrap();
        assert!(member.is_list() && member.is_string() && !member.required);
        assert_eq!(member.values(), ["a", "1"]);
    }
}

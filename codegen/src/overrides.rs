//! What we add to the facts: `models/overrides/<service>-<version>/*.toml`.
//!
//! Every file may be missing, and so may every key: the resolver has a fallback for each, and the report counts them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::problem::{Problem, Problems};

/// What calling an action twice may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Effect {
    Read,
    Token,
    Write,
}

/// The line of an action.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActionEntry {
    pub(crate) effect: Effect,
    pub(crate) doc: String,
    /// Why the effect is not the one that the verb suggests.
    pub(crate) why: Option<String>,
    pub(crate) page: Option<PageEntry>,
}

/// How an action pages, where the rule doesn't find out by itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum PageEntry {
    /// `false`: it doesn't.
    Enabled(bool),
    Rule(PageRule),
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageRule {
    /// Field of the response with the items.
    pub(crate) items: Option<String>,
    /// The largest page that the service gives.
    pub(crate) max: Option<u64>,
    /// Field of the response with the number of all items.
    pub(crate) total: Option<String>,
}

/// An open enum.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnumEntry {
    #[serde(default)]
    pub(crate) kind: EnumKind,
    pub(crate) doc: String,
    /// `Object.Field` names.
    pub(crate) fields: Vec<String>,
    /// In order: wire value to doc, or name to value and doc.
    pub(crate) values: toml::Table,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EnumKind {
    #[default]
    String,
    Int,
}

/// A value of an enum whose name is given.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamedValue {
    pub(crate) value: toml::Value,
    pub(crate) doc: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ActionsFile {
    groups: toml::Table,
    actions: BTreeMap<String, BTreeMap<String, ActionEntry>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ShapesFile {
    docs: BTreeMap<String, String>,
    new: BTreeMap<String, Vec<String>>,
    rename: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SpecialFile {
    sensitive: Vec<String>,
    identity: Vec<String>,
}

/// All overrides of one model.
#[derive(Debug, Default)]
pub(crate) struct Overrides {
    /// The folder, relative to the repository: for messages.
    pub(crate) folder: String,
    /// Name and doc of each resource group, in the order of the file.
    pub(crate) groups: Vec<(String, String)>,
    /// Group and line of each action.
    pub(crate) actions: BTreeMap<String, (String, ActionEntry)>,
    /// Doc of each shape.
    pub(crate) shapes: BTreeMap<String, String>,
    /// Constructor parameters of objects, in place of the required members.
    pub(crate) new: BTreeMap<String, Vec<String>>,
    /// Rust names of objects, in place of their wire names.
    pub(crate) rename: BTreeMap<String, String>,
    pub(crate) enums: BTreeMap<String, EnumEntry>,
    /// Docs of members, by object and member.
    pub(crate) fields: BTreeMap<String, BTreeMap<String, String>>,
    /// Docs of members by `Name:type` or `Name`: the model's own, then the one for all models.
    pub(crate) lexicons: [BTreeMap<String, String>; 2],
    /// Secrets: member names, or `Object.Field`.
    pub(crate) sensitive: Vec<String>,
    /// Ids without which an answer is unusable: `Object.Field`.
    pub(crate) identity: Vec<String>,
}

impl Overrides {
    /// Reads the overrides of the model called `name`.
    pub(crate) fn load(root: &Path, name: &str) -> Result<Self, Problems> {
        let folder = format!("models/overrides/{name}");
        let mut problems = Vec::new();
        let path = |file: &str| format!("{folder}/{file}.toml");
        let ActionsFile { groups, actions } = load(root, &path("actions"), &mut problems);
        let ShapesFile { docs, new, rename } = load(root, &path("shapes"), &mut problems);
        let SpecialFile { sensitive, identity } = load(root, &path("special"), &mut problems);
        let mut overrides = Self {
            enums: load(root, &path("enums"), &mut problems),
            fields: load(root, &path("fields"), &mut problems),
            lexicons: [
                load(root, &path("lexicon"), &mut problems),
                load(root, "models/overrides/lexicon.toml", &mut problems),
            ],
            shapes: docs,
            new,
            rename,
            sensitive,
            identity,
            ..Self::default()
        };
        for (group, doc) in groups {
            match doc {
                toml::Value::String(doc) => overrides.groups.push((group, doc)),
                other => problems.push(Problem::new(path("actions"), group, format!("give one sentence, not {other}"))),
            }
        }
        for (group, entries) in actions {
            for (action, entry) in entries {
                if let Some((other, _)) = overrides.actions.insert(action.clone(), (group.clone(), entry)) {
                    let advice = format!("is in the groups `{other}` and `{group}`; keep one");
                    problems.push(Problem::new(path("actions"), action, advice));
                }
            }
        }
        overrides.check_docs(&folder, &mut problems);
        overrides.folder = folder;
        Problems::none_or(problems, overrides)
    }

    /// The path of one of the files, for messages.
    pub(crate) fn file(&self, name: &str) -> String {
        format!("{}/{name}.toml", self.folder)
    }

    fn check_docs(&self, folder: &str, problems: &mut Vec<Problem>) {
        let mut check = |file: &str, key: String, doc: &str| {
            if let Err(advice) = check_doc(doc) {
                problems.push(Problem::new(format!("{folder}/{file}.toml"), key, advice));
            }
        };
        for (group, doc) in &self.groups {
            check("actions", group.clone(), doc);
        }
        for (action, (_, entry)) in &self.actions {
            check("actions", action.clone(), &entry.doc);
        }
        for (shape, doc) in &self.shapes {
            check("shapes", shape.clone(), doc);
        }
        for (name, entry) in &self.enums {
            check("enums", name.clone(), &entry.doc);
        }
        for (object, members) in &self.fields {
            for (member, doc) in members {
                check("fields", format!("{object}.{member}"), doc);
            }
        }
        for (key, doc) in self.lexicons.iter().flatten() {
            check("lexicon", key.clone(), doc);
        }
    }
}

/// Says what rustdoc would read wrongly in `doc`.
pub(crate) fn check_doc(doc: &str) -> Result<(), &'static str> {
    if doc.trim().is_empty() {
        return Err("is empty; write a sentence");
    }
    if doc.contains('\n') {
        return Err("has a line break; write it in one line");
    }
    if doc.contains("://") {
        return Err("has a URL; describe it in words");
    }
    if doc.matches('`').count() % 2 == 1 {
        return Err("has an odd number of backticks");
    }
    // Every second part is inside backticks.
    if doc.split('`').step_by(2).any(|text| text.contains(['<', '>', '[', ']'])) {
        return Err("has <, >, [ or ] outside backticks, which rustdoc reads as markup; put it in backticks");
    }
    Ok(())
}

/// Reads one TOML file; a missing one is empty.
fn load<T: DeserializeOwned + Default>(root: &Path, file: &str, problems: &mut Vec<Problem>) -> T {
    let text = match std::fs::read_to_string(root.join(file)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return T::default(),
        Err(error) => {
            problems.push(Problem::new(file, "file", error));
            return T::default();
        }
    };
    toml::from_str(&text).unwrap_or_else(|error| {
        problems.push(Problem::new(file, "content", error.to_string().trim_end()));
        T::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docs_that_rustdoc_would_misread_are_refused() {
        assert_eq!(check_doc("Id of the VPC, such as `vpc-[1]<2>`."), Ok(()));
        for bad in ["", " ", "See [this].", "a < b", "one ` tick", "see https://x.y", "two\nlines"] {
            assert!(check_doc(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_page_entry_is_false_or_a_rule() {
        let off: ActionEntry = toml::from_str(
            r#"effect = "read"
            doc = "x"
            page = false"#,
        )
        .unwrap();
        assert!(matches!(off.page, Some(PageEntry::Enabled(false))));
        let rule: ActionEntry = toml::from_str(
            r#"effect = "read"
            doc = "x"
            page = { items = "Set", max = 50 }"#,
        )
        .unwrap();
        assert!(matches!(rule.page, Some(PageEntry::Rule(PageRule { max: Some(50), .. }))));
    }
}

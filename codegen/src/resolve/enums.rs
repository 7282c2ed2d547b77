//! Curated enums.

use std::collections::BTreeMap;

use crate::model::Model;
use crate::names;
use crate::overrides::{EnumEntry, EnumKind, NamedValue, Overrides, check_doc};
use crate::plan::{Enum, Variant};
use crate::problem::Problem;

/// The enum of each member that has one: `(object, member)` to the enum's name.
pub(crate) type Members = BTreeMap<(String, String), String>;

/// Finds the members of all enums.
pub(crate) fn members(model: &Model, overrides: &Overrides, problems: &mut Vec<Problem>) -> Members {
    let mut members = Members::new();
    for (name, entry) in &overrides.enums {
        let mut problem = |advice: String| problems.push(Problem::new(overrides.file("enums"), name.clone(), advice));
        if entry.fields.is_empty() {
            problem("has no fields; name the `Object.Field`s that it is the type of".to_owned());
        }
        for path in &entry.fields {
            let found = path.split_once('.').and_then(|(object, field)| Some((object, model.member(object, field)?)));
            let Some((object, member)) = found else {
                problem(format!("names `{path}`, which the model doesn't have"));
                continue;
            };
            let fits = match entry.kind {
                EnumKind::String => member.is_string(),
                EnumKind::Int => member.is_integer(),
            };
            if !fits {
                problem(format!("names `{path}`, whose type is `{}`; see `kind`", member.type_name()));
            }
            if let Some(other) = members.insert((object.to_owned(), member.name.clone()), name.clone()) {
                problem(format!("names `{path}`, which is a field of the enum `{other}` too"));
            }
        }
    }
    members
}

/// The enum called `name`.
pub(crate) fn resolve(name: &str, entry: &EnumEntry, overrides: &Overrides, problems: &mut Vec<Problem>) -> Enum {
    let is_int = entry.kind == EnumKind::Int;
    let mut variants: Vec<Variant> = Vec::new();
    for (key, value) in &entry.values {
        let place = format!("{name}.values.{key}");
        let mut problem = |advice: String| problems.push(Problem::new(overrides.file("enums"), place.clone(), advice));
        let variant = match value {
            toml::Value::String(doc) if !is_int => {
                Variant { name: names::variant(key), literal: format!("{key:?}"), doc: doc.clone() }
            }
            other => match (other.clone().try_into::<NamedValue>(), is_int) {
                (Ok(NamedValue { value: toml::Value::String(value), doc }), false) => {
                    Variant { name: given_name(key), literal: format!("{value:?}"), doc }
                }
                (Ok(NamedValue { value: toml::Value::Integer(value), doc }), true) => {
                    Variant { name: given_name(key), literal: value.to_string(), doc }
                }
                _ => {
                    problem("write `Name = { value = …, doc = \"…\" }`, the value in the enum's kind".to_owned());
                    continue;
                }
            },
        };
        if let Err(advice) = check_doc(&variant.doc) {
            problem(advice.to_owned());
        }
        if !names::is_type_name(&variant.name) || matches!(variant.name.as_str(), "Unknown" | "Self") {
            problem(format!("can't be called `{}`; write `Name = {{ value = \"{key}\", doc = \"…\" }}`", variant.name));
        }
        if let Some(other) =
            variants.iter().find(|other| other.name == variant.name || other.literal == variant.literal)
        {
            problem(format!("has the name or value of `{}`; name it differently or drop it", other.name));
        }
        variants.push(variant);
    }
    Enum { name: name.to_owned(), doc: entry.doc.clone(), variants, is_int }
}

/// The key as it is when it can be a name, or else made one.
fn given_name(key: &str) -> String {
    if names::is_type_name(key) { key.to_owned() } else { names::variant(key) }
}

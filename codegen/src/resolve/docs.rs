//! Where the docs come from.

use crate::model::Member;
use crate::names;
use crate::overrides::Overrides;

/// Where a field's doc was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Written for this field.
    Own,
    /// Written for all fields of this name.
    Lexicon,
    /// Made from the name.
    Name,
}

/// The doc of a member: its own, the lexicon's for its name and type or for its name, or the words of its name.
pub(crate) fn field(overrides: &Overrides, object: &str, member: &Member, is_enum: bool) -> (String, Source) {
    let own = overrides.fields.get(object).and_then(|members| members.get(&member.name));
    let typed = format!("{}:{}", member.name, member.type_name());
    let (doc, source) = match own {
        Some(doc) => (doc.clone(), Source::Own),
        None => overrides
            .lexicons
            .iter()
            .find_map(|lexicon| lexicon.get(&typed).or_else(|| lexicon.get(&member.name)))
            .map_or_else(|| (sentence(&member.name), Source::Name), |doc| (doc.clone(), Source::Lexicon)),
    };
    (with_values(doc, member, is_enum), source)
}

/// Appends the values that the model mentions, unless the doc names them or the type does.
fn with_values(doc: String, member: &Member, is_enum: bool) -> String {
    let values = member.values();
    match values.first() {
        Some(first) if !is_enum && !doc.contains(&format!("`{first}`")) => {
            let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
            format!("{doc} Known values: {}.", values.join(", "))
        }
        _ => doc,
    }
}

/// A name as a sentence, for what has no doc: `InstanceId` → `Instance id.`
pub(crate) fn sentence(name: &str) -> String {
    let words = names::words(name).join(" ");
    format!("{}.", names::capitalize(&words))
}

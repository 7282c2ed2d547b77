//! Structs: derives, fields, constructor and setters.

use crate::names;
use crate::plan::{Field, Kind, Record, Role, Wrap};

use super::text::Text;

/// A setter with more characters takes three lines.
const LONGEST_SETTER: usize = 132;
/// So does the constructor's struct literal.
const LONGEST_LITERAL: usize = 100;
/// Methods of the operator traits that take `self` and a value, as setters do.
const OPERATORS: &[&str] = &["add", "bitand", "bitor", "bitxor", "div", "mul", "rem", "shl", "shr", "sub"];
const FULL_SERDE: &str = "feature = \"full-serde\"";

/// A struct with its methods.
pub(crate) fn emit(text: &mut Text, record: &Record) {
    text.blank();
    text.doc(0, &record.doc);
    text.deprecated(0, record.deprecated);
    attributes(text, record);
    if record.fields.is_empty() {
        text.line(0, format!("pub struct {} {{}}", record.name));
    } else {
        text.line(0, format!("pub struct {} {{", record.name));
        for field in &record.fields {
            emit_field(text, record, field);
        }
        text.line(0, "}");
    }
    if record.role.is_sent() {
        methods(text, record);
    }
}

fn attributes(text: &mut Text, record: &Record) {
    // A struct with an identity can't default as a whole, or the identity would.
    let default = if record.has_identity() { "" } else { "default, " };
    match record.role {
        Role::Request | Role::Input => {
            text.line(0, "#[derive(Clone, Debug, Default, PartialEq, Serialize)]");
            text.line(0, format!("#[cfg_attr({FULL_SERDE}, derive(serde::Deserialize), serde(default))]"));
            text.line(0, "#[serde(rename_all = \"PascalCase\")]");
        }
        Role::Response | Role::Output => {
            text.line(0, "#[derive(Clone, Debug, Default, PartialEq, Deserialize)]");
            text.line(0, format!("#[cfg_attr({FULL_SERDE}, derive(serde::Serialize))]"));
            text.line(0, format!("#[serde({default}rename_all = \"PascalCase\")]"));
            text.line(0, "#[non_exhaustive]");
        }
        Role::Both => {
            text.line(0, "#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]");
            text.line(0, format!("#[serde({default}rename_all = \"PascalCase\")]"));
        }
    }
}

fn emit_field(text: &mut Text, record: &Record, field: &Field) {
    text.doc(1, &field.doc);
    text.deprecated(1, field.deprecated);
    if field.wire != field.name {
        text.line(1, format!("#[doc(alias = \"{}\")]", field.wire));
    }
    let mut serde = Vec::new();
    if names::serde_pascal(&field.name) != field.wire {
        serde.push(format!("rename = \"{}\"", field.wire));
    }
    if record.role.is_sent() && field.wrap.is_option() {
        serde.push("skip_serializing_if = \"Option::is_none\"".to_owned());
    }
    if record.has_identity() && !field.identity {
        serde.push("default".to_owned());
    }
    if field.identity {
        serde.push("deserialize_with = \"qcloud_core::wire::identity\"".to_owned());
    } else if field.kind == Kind::Timestamp {
        serde.push("deserialize_with = \"qcloud_core::wire::timestamp\"".to_owned());
    }
    if !serde.is_empty() {
        text.line(1, format!("#[serde({})]", serde.join(", ")));
    }
    text.line(1, format!("pub {}: {},", field.name, field_type(field)));
}

fn field_type(field: &Field) -> String {
    let kind = field.kind.rust();
    match field.wrap {
        Wrap::Plain => kind.to_owned(),
        Wrap::Option => format!("Option<{kind}>"),
        Wrap::List => format!("Vec<{kind}>"),
        Wrap::OptionList => format!("Option<Vec<{kind}>>"),
    }
}

fn methods(text: &mut Text, record: &Record) {
    text.blank();
    text.line(0, format!("impl {} {{", record.name));
    constructor(text, record);
    for field in &record.fields {
        setter(text, field);
    }
    text.line(0, "}");
}

fn constructor(text: &mut Text, record: &Record) {
    let fields: Vec<&Field> = record.new.iter().filter_map(|name| record.field(name)).collect();
    let required: Vec<String> =
        record.fields.iter().filter(|field| !field.wrap.is_option()).map(|field| format!("`{}`", field.name)).collect();
    if !fields.is_empty() {
        let links: Vec<String> = fields.iter().map(|field| format!("[`{0}`](field@Self::{0})", field.name)).collect();
        text.doc(1, &format!("With {}.", and(&links)));
    } else if required.is_empty() {
        text.doc(1, "With nothing set; nothing is required.");
    } else {
        text.doc(1, &format!("With nothing set. Required are {}.", and(&required)));
    }
    let parameters: Vec<String> =
        fields.iter().map(|field| format!("{}: {}", field.name, parameter_type(field))).collect();
    text.line(1, "#[must_use]");
    let signature = format!("pub fn new({}) -> Self {{", parameters.join(", "));
    if signature.len() <= LONGEST_SETTER {
        text.line(1, signature);
    } else {
        text.line(1, "pub fn new(");
        for parameter in &parameters {
            text.line(2, format!("{parameter},"));
        }
        text.line(1, ") -> Self {");
    }
    if fields.is_empty() {
        text.line(2, "Self::default()");
    } else {
        let mut values: Vec<String> = fields
            .iter()
            .map(|field| {
                let value = value(field, &field.name);
                if value == field.name { value } else { format!("{}: {value}", field.name) }
            })
            .collect();
        if fields.len() < record.fields.len() {
            values.push("..Self::default()".to_owned());
        }
        let literal = values.join(", ");
        if literal.len() <= LONGEST_LITERAL {
            text.line(2, format!("Self {{ {literal} }}"));
        } else {
            text.line(2, "Self {");
            // No comma after `..Self::default()`.
            let comma = if fields.len() < record.fields.len() { "" } else { "," };
            text.line(3, format!("{}{comma}", values.join(",\n            ")));
            text.line(2, "}");
        }
    }
    text.line(1, "}");
}

/// `a`, `a and b`, `a, b and c`.
fn and(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

fn setter(text: &mut Text, field: &Field) {
    let parameter = if field.wrap.is_list() { "values" } else { "value" };
    text.line(1, format!("/// Sets [`{0}`](field@Self::{0}).", field.name));
    text.deprecated(1, field.deprecated);
    if OPERATORS.contains(&field.name.as_str()) {
        text.line(1, "#[allow(clippy::should_implement_trait)] // a setter, named like its field");
    }
    let signature =
        format!("#[must_use] pub fn {}(mut self, {parameter}: {}) -> Self", field.name, parameter_type(field));
    let body = format!("self.{} = {}; self", field.name, value(field, parameter));
    if signature.len() + body.len() <= LONGEST_SETTER {
        text.line(1, format!("{signature} {{ {body} }}"));
    } else {
        text.line(1, format!("{signature} {{"));
        text.line(2, body);
        text.line(1, "}");
    }
}

/// What a setter takes for the field.
fn parameter_type(field: &Field) -> String {
    let kind = field.kind.rust();
    let kind = if field.kind.is_plain() { kind.to_owned() } else { format!("impl Into<{kind}>") };
    if field.wrap.is_list() { format!("impl IntoIterator<Item = {kind}>") } else { kind }
}

/// The field's value from what a setter takes.
fn value(field: &Field, parameter: &str) -> String {
    let value = match (field.wrap.is_list(), field.kind.is_plain()) {
        (false, true) => parameter.to_owned(),
        (false, false) => format!("{parameter}.into()"),
        (true, true) => format!("{parameter}.into_iter().collect()"),
        (true, false) => format!("{parameter}.into_iter().map(Into::into).collect()"),
    };
    if field.wrap.is_option() { format!("Some({value})") } else { value }
}

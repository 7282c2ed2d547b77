//! The API models: which actions there are, and the shape of what they take and give.

use std::collections::HashMap;

use serde::Deserialize;

/// One version of one service, as its model file tells it.
#[derive(Debug, Deserialize)]
pub(crate) struct Model {
    actions: HashMap<String, Action>,
    objects: HashMap<String, Vec<Member>>,
}

#[derive(Debug, Deserialize)]
struct Action {
    input: String,
    output: String,
}

/// One member of an object: exactly one of `type`, `list` and `object` is given.
#[derive(Debug, Deserialize)]
#[serde(from = "RawMember")]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    pub(crate) always: bool,
    pub(crate) nullable: bool,
}

/// What a member holds.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Text,
    Integer,
    Natural,
    Number,
    Bool,
    Object(String),
    List(Box<Self>),
}

#[derive(Deserialize)]
struct RawMember {
    name: String,
    #[serde(rename = "type")]
    scalar: Option<String>,
    list: Option<String>,
    object: Option<String>,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    always: bool,
    #[serde(default)]
    nullable: bool,
}

impl From<RawMember> for Member {
    fn from(raw: RawMember) -> Self {
        let kind = match (raw.list, raw.object) {
            (Some(element), _) => Kind::List(Box::new(Kind::named(element))),
            (None, Some(object)) => Kind::Object(object),
            (None, None) => Kind::named(raw.scalar.unwrap_or_else(|| "string".to_owned())),
        };
        Self { name: raw.name, kind, required: raw.required, always: raw.always, nullable: raw.nullable }
    }
}

impl Kind {
    fn named(name: String) -> Self {
        match name.as_str() {
            "string" | "datetime" | "datetime_iso" | "date" | "binary" => Self::Text,
            "int64" => Self::Integer,
            "uint64" => Self::Natural,
            "float" => Self::Number,
            "bool" => Self::Bool,
            _ => Self::Object(name),
        }
    }

    /// How messages call it.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Integer => "an integer",
            Self::Natural => "a non-negative integer",
            Self::Number => "a number",
            Self::Bool => "a boolean",
            Self::Object(_) => "an object",
            Self::List(_) => "a list",
        }
    }
}

impl Model {
    pub(crate) fn has(&self, action: &str) -> bool {
        self.actions.contains_key(action)
    }

    pub(crate) fn actions(&self) -> impl Iterator<Item = &str> {
        self.actions.keys().map(String::as_str)
    }

    /// The name of the object that the action takes.
    pub(crate) fn input(&self, action: &str) -> Option<&str> {
        self.actions.get(action).map(|action| action.input.as_str())
    }

    /// The name of the object that the action gives, its `RequestId` left out.
    pub(crate) fn output(&self, action: &str) -> Option<&str> {
        self.actions.get(action).map(|action| action.output.as_str())
    }

    pub(crate) fn members(&self, object: &str) -> &[Member] {
        self.objects.get(object).map(Vec::as_slice).unwrap_or_default()
    }
}

//! What will be generated for one model, with every decision taken: the emitters only turn it into text.

use std::collections::BTreeSet;

use crate::overrides::Effect;

/// Everything about one model.
#[derive(Debug)]
pub(crate) struct Plan {
    /// `cvm-2017-03-12`.
    pub(crate) model: String,
    /// Short name: `cvm`.
    pub(crate) service: String,
    /// API version: `2017-03-12`.
    pub(crate) version: String,
    /// Resource groups, each a module and a cargo feature.
    pub(crate) groups: Vec<Group>,
    /// Types that more than one group uses.
    pub(crate) shared: Vec<Type>,
    pub(crate) error_codes: Vec<ErrorCode>,
    pub(crate) counts: Counts,
    /// What a maintainer should know: choices that the rules took by themselves.
    pub(crate) notes: Vec<String>,
}

/// Numbers for the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) actions: usize,
    /// Actions with a line in the overrides.
    pub(crate) documented: usize,
    pub(crate) paginated: usize,
    pub(crate) fields: usize,
    /// Fields whose doc is their own.
    pub(crate) own_docs: usize,
    /// Fields whose doc is the one for their name.
    pub(crate) lexicon_docs: usize,
    pub(crate) enums: usize,
}

/// A resource group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) operations: Vec<Operation>,
    /// Types that only this group uses.
    pub(crate) types: Vec<Type>,
}

/// An action.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) wire: String,
    /// Name of the client's method.
    pub(crate) method: String,
    pub(crate) doc: String,
    pub(crate) effect: Effect,
    pub(crate) deprecated: bool,
    pub(crate) request: Record,
    /// None: the answer has nothing but a request id.
    pub(crate) response: Option<Record>,
    /// The request's field for the token that makes a repeat safe.
    pub(crate) client_token: Option<String>,
    pub(crate) pages: Option<Pages>,
}

/// How an action pages. All names are those of Rust fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pages {
    pub(crate) cursor: Cursor,
    pub(crate) item: Kind,
    pub(crate) items: String,
    pub(crate) largest: u64,
    pub(crate) total: Option<Total>,
}

/// Where the position is in the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cursor {
    Offset {
        offset: String,
        limit: String,
    },
    /// `next` is the response's field, and whether it is an option.
    Token {
        token: String,
        limit: String,
        next: String,
        next_is_option: bool,
    },
}

/// The response's count of all items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Total {
    pub(crate) field: String,
    pub(crate) kind: Kind,
    pub(crate) is_option: bool,
}

#[derive(Debug)]
pub(crate) enum Type {
    Record(Record),
    Enum(Enum),
}

impl Type {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Record(record) => &record.name,
            Self::Enum(item) => &item.name,
        }
    }
}

/// What a struct is for; it decides its derives, setters and field types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Request,
    Response,
    /// A shape that is only sent.
    Input,
    /// A shape that is only received.
    Output,
    /// A shape that is sent and received.
    Both,
}

impl Role {
    pub(crate) fn is_sent(self) -> bool {
        matches!(self, Self::Request | Self::Input | Self::Both)
    }

    pub(crate) fn is_received(self) -> bool {
        matches!(self, Self::Response | Self::Output | Self::Both)
    }
}

/// A struct.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) role: Role,
    pub(crate) deprecated: bool,
    pub(crate) fields: Vec<Field>,
    /// The fields that the constructor takes, in order.
    pub(crate) new: Vec<String>,
}

impl Record {
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    pub(crate) fn by_wire(&self, wire: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.wire == wire)
    }

    /// Whether decoding fails when one of the fields is absent.
    pub(crate) fn has_identity(&self) -> bool {
        self.fields.iter().any(|field| field.identity)
    }
}

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) wire: String,
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) kind: Kind,
    pub(crate) wrap: Wrap,
    pub(crate) identity: bool,
    pub(crate) deprecated: bool,
}

/// The type of a field, or of its elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    String,
    I64,
    U64,
    F64,
    Bool,
    Timestamp,
    Secret,
    /// A generated type.
    Named(String),
}

impl Kind {
    /// The Rust type.
    pub(crate) fn rust(&self) -> &str {
        match self {
            Self::String => "String",
            Self::I64 => "i64",
            Self::U64 => "u64",
            Self::F64 => "f64",
            Self::Bool => "bool",
            Self::Timestamp => "Timestamp",
            Self::Secret => "Secret",
            Self::Named(name) => name,
        }
    }

    /// Numbers and booleans: setters take them as they are.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, Self::I64 | Self::U64 | Self::F64 | Self::Bool)
    }
}

/// What is around the type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrap {
    Plain,
    Option,
    List,
    OptionList,
}

impl Wrap {
    pub(crate) fn is_option(self) -> bool {
        matches!(self, Self::Option | Self::OptionList)
    }

    pub(crate) fn is_list(self) -> bool {
        matches!(self, Self::List | Self::OptionList)
    }
}

/// An open enum.
#[derive(Debug)]
pub(crate) struct Enum {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) variants: Vec<Variant>,
    pub(crate) is_int: bool,
}

#[derive(Debug)]
pub(crate) struct Variant {
    pub(crate) name: String,
    /// The value as a Rust literal.
    pub(crate) literal: String,
    pub(crate) doc: String,
}

#[derive(Debug)]
pub(crate) struct ErrorCode {
    pub(crate) constant: String,
    pub(crate) wire: String,
}

impl Group {
    /// All structs of the group.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.operations
            .iter()
            .flat_map(|operation| std::iter::once(&operation.request).chain(&operation.response))
            .chain(records(&self.types))
    }

    /// Names of generated types that the group's structs mention.
    pub(crate) fn mentioned(&self) -> BTreeSet<&str> {
        mentioned(self.records())
    }
}

/// The structs among `types`.
pub(crate) fn records(types: &[Type]) -> impl Iterator<Item = &Record> {
    types.iter().filter_map(|item| match item {
        Type::Record(record) => Some(record),
        Type::Enum(_) => None,
    })
}

fn mentioned<'a>(records: impl Iterator<Item = &'a Record>) -> BTreeSet<&'a str> {
    records
        .flat_map(|record| &record.fields)
        .filter_map(|field| match &field.kind {
            Kind::Named(name) => Some(name.as_str()),
            _ => None,
        })
        .collect()
}

//! Structs and their fields.

use std::collections::BTreeMap;

use crate::model::Member;
use crate::names;
use crate::plan::{Field, Kind, Record, Role, Wrap};
use crate::problem::Problem;

use super::Resolver;
use super::docs::{self, Source};

/// With more required fields than this, `new()` takes none.
const MOST_PARAMETERS: usize = 3;

impl Resolver<'_> {
    /// The struct for an object.
    pub(super) fn record(&mut self, object: &str, role: Role, doc: String, deprecated: bool) -> Record {
        let name = self.names.get(object);
        let members = self.model.members(object);
        let mut fields: Vec<Field> = Vec::with_capacity(members.len() + 1);
        for member in members {
            fields.push(self.field(object, member, role));
        }
        let mut users: BTreeMap<&str, &str> = BTreeMap::new();
        let request_id = (role == Role::Response).then_some(("request_id", "RequestId"));
        users.extend(request_id);
        let mut collisions = Vec::new();
        for field in &fields {
            if let Some(other) = users.insert(&field.name, &field.wire) {
                collisions.push((
                    field.wire.clone(),
                    format!("is called `{}`, and so is {other}; add a word to names::WORDS", field.name),
                ));
            }
        }
        for (wire, advice) in collisions {
            self.problem("fields", &format!("{object}.{wire}"), &advice);
        }
        let new = if role.is_sent() { self.parameters(object, members, &fields) } else { Vec::new() };
        if role == Role::Response {
            fields.push(Field {
                wire: "RequestId".to_owned(),
                name: "request_id".to_owned(),
                doc: "Id of the request, to quote in support cases.".to_owned(),
                kind: Kind::String,
                wrap: Wrap::Plain,
                identity: false,
                deprecated: false,
            });
        }
        Record { name, doc, role, deprecated, fields, new }
    }

    /// The constructor's parameters: those of the overrides, or the required members if they are few.
    fn parameters(&mut self, object: &str, members: &[Member], fields: &[Field]) -> Vec<String> {
        let overrides = self.overrides;
        let Some(wires) = overrides.new.get(object) else {
            let required: Vec<_> = members.iter().zip(fields).filter(|(member, _)| member.required).collect();
            if required.len() > MOST_PARAMETERS {
                return Vec::new();
            }
            return required.into_iter().map(|(_, field)| field.name.clone()).collect();
        };
        let mut parameters = Vec::new();
        for wire in wires {
            match fields.iter().find(|field| field.wire == *wire) {
                Some(field) => parameters.push(field.name.clone()),
                None => self.problem(
                    "shapes",
                    &format!("new.{object}"),
                    &format!("names `{wire}`, which is no member of the object"),
                ),
            }
        }
        parameters
    }

    fn field(&mut self, object: &str, member: &Member, role: Role) -> Field {
        let path = format!("{object}.{}", member.name);
        let overrides = self.overrides;
        let is_secret =
            member.is_string() && (overrides.sensitive.contains(&path) || overrides.sensitive.contains(&member.name));
        let named = self.enum_of.get(&(object.to_owned(), member.name.clone())).cloned();
        if is_secret && named.is_some() {
            self.problem("special", &path, "is a secret and an enum; keep one");
        }
        let kind = match (named, is_secret) {
            (_, true) => Kind::Secret,
            (Some(name), false) => Kind::Named(name),
            (None, false) => self.kind(object, member, role),
        };
        let mut wrap = wrap(member, role, &kind);
        let identity = overrides.identity.contains(&path);
        let can_be_identity = match role {
            Role::Response | Role::Output => kind == Kind::String && !wrap.is_list(),
            Role::Both => kind == Kind::String && wrap == Wrap::Plain,
            Role::Request | Role::Input => false,
        };
        if identity && !can_be_identity {
            self.problem("special", &path, "is an identity, but no plain string of what is received; remove it");
        } else if identity {
            // Decoding fails without it, so it is always there.
            wrap = Wrap::Plain;
        }
        let is_enum = matches!(kind, Kind::Named(_)) && (member.is_string() || member.is_integer());
        let (doc, source) = docs::field(overrides, object, member, is_enum);
        self.counts.fields += 1;
        match source {
            Source::Own => self.counts.own_docs += 1,
            Source::Lexicon => self.counts.lexicon_docs += 1,
            Source::Name => {}
        }
        let name = names::snake(&member.name);
        Field { wire: member.name.clone(), name, doc, kind, wrap, identity, deprecated: member.deprecated }
    }

    fn kind(&mut self, object: &str, member: &Member, role: Role) -> Kind {
        match member.type_name() {
            "string" => Kind::String,
            "int64" => Kind::I64,
            "uint64" => Kind::U64,
            "float" => Kind::F64,
            "bool" => Kind::Bool,
            // What is sent goes back as it came.
            "datetime" | "datetime_iso" | "date" if role.is_sent() || member.is_list() => Kind::String,
            "datetime" | "datetime_iso" | "date" => Kind::Timestamp,
            shape if self.model.objects.contains_key(shape) => Kind::Named(self.names.get(shape)),
            other => {
                let file = format!("models/{}.json", self.model.name());
                let advice = format!("has the type `{other}`; teach it to the generator, or add the object");
                self.problems.push(Problem::new(file, format!("{object}.{}", member.name), advice));
                Kind::String
            }
        }
    }
}

fn wrap(member: &Member, role: Role, kind: &Kind) -> Wrap {
    // Some definitions promise what is received with the flag that is meant for what is sent.
    let promised = (member.always || member.required) && !member.nullable && *kind != Kind::Timestamp;
    let certain = if role.is_sent() { member.required } else { promised };
    match (member.is_list(), certain) {
        (true, _) if !role.is_sent() => Wrap::List,
        (true, true) => Wrap::List,
        (true, false) => Wrap::OptionList,
        (false, true) => Wrap::Plain,
        (false, false) => Wrap::Option,
    }
}

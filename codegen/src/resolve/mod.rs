//! Takes every decision: facts and overrides in, a [`Plan`] out.

mod docs;
mod enums;
mod graph;
mod pages;
mod records;
mod verbs;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Member, Model};
use crate::names;
use crate::overrides::{ActionEntry, Effect, Overrides};
use crate::plan::{Counts, ErrorCode, Group, Kind, Operation, Pages, Plan, Record, Role, Type, Wrap};
use crate::problem::{Problem, Problems};

use graph::Graph;
use pages::Outcome;

/// Group of the actions that no group has.
const NO_GROUP: &str = "ungrouped";

/// Plans what to generate for `model`.
pub(crate) fn resolve(model: &Model, overrides: &Overrides) -> Result<Plan, Problems> {
    let mut problems = Vec::new();
    check_references(model, overrides, &mut problems);
    let names = TypeNames::new(model, overrides, &mut problems);
    let enum_of = enums::members(model, overrides, &mut problems);
    let graph = Graph::new(model, |action| overrides.actions.get(action).map_or(NO_GROUP, |(group, _)| group.as_str()));
    let mut resolver =
        Resolver { model, overrides, names, enum_of, graph, problems, notes: Vec::new(), counts: Counts::default() };
    let plan = resolver.plan();
    Problems::none_or(resolver.problems, plan)
}

/// The Rust names of the objects that become types.
#[derive(Debug, Default)]
struct TypeNames {
    of: BTreeMap<String, String>,
    notes: Vec<String>,
}

impl TypeNames {
    fn new(model: &Model, overrides: &Overrides, problems: &mut Vec<Problem>) -> Self {
        let mut names = Self::default();
        let mut users: BTreeMap<String, String> = BTreeMap::new();
        for (action, entry) in &model.actions {
            names.of.insert(entry.input.clone(), action.clone());
            names.of.insert(entry.output.clone(), format!("{action}Response"));
        }
        for object in model.objects.keys() {
            if let Some(name) = overrides.rename.get(object) {
                names.of.insert(object.clone(), name.clone());
            } else if names::is_taken(object) {
                let name = format!("{}{object}", names::capitalize(&model.service));
                names.notes.push(format!("`{object}` is called `{name}`, because its own name is taken"));
                names.of.insert(object.clone(), name);
            } else {
                names.of.entry(object.clone()).or_insert_with(|| object.clone());
            }
        }
        let enums = overrides.enums.keys().map(|name| (format!("the enum {name}"), name));
        for (user, name) in names.of.iter().map(|(object, name)| (object.clone(), name)).chain(enums) {
            let mut problem =
                |advice: String| problems.push(Problem::new(overrides.file("shapes"), user.clone(), advice));
            if !names::is_type_name(name) || names::is_taken(name) {
                problem(format!("can't be a type called `{name}`; give another name in [rename]"));
            } else if let Some(other) = users.insert(name.clone(), user.clone()) {
                problem(format!(
                    "is a type called `{name}`, and so is {other}; give one of them another name in [rename]"
                ));
            }
        }
        names
    }

    fn get(&self, object: &str) -> String {
        self.of.get(object).cloned().unwrap_or_else(|| object.to_owned())
    }
}

/// Reports what the overrides name and the model doesn't have.
fn check_references(model: &Model, overrides: &Overrides, problems: &mut Vec<Problem>) {
    let mut problem =
        |file: &str, key: &str, advice: String| problems.push(Problem::new(overrides.file(file), key, advice));
    for (action, (group, entry)) in &overrides.actions {
        let Some(facts) = model.actions.get(action) else {
            problem("actions", action, "is no action of the model; remove it or mend its name".to_owned());
            continue;
        };
        if !overrides.groups.iter().any(|(name, _)| name == group) {
            problem("actions", action, format!("is in the group `{group}`, which [groups] doesn't describe"));
        }
        if entry.effect == Effect::Token && model.member(&facts.input, "ClientToken").is_none() {
            problem("actions", action, "has the effect `token`, but no ClientToken; make it `write`".to_owned());
        }
        if let Some(advice) = verbs::check(action, entry) {
            problem("actions", action, advice.to_owned());
        }
    }
    for (group, _) in &overrides.groups {
        if !names::is_module_name(group)
            || matches!(group.as_str(), "shared" | "model" | "client" | "error_code" | "generated")
        {
            problem("actions", group, "can't be the name of a module; take another".to_owned());
        }
        if !overrides.actions.values().any(|(name, _)| name == group) {
            problem("actions", group, "is a group without actions; remove it".to_owned());
        }
    }
    for (file, object) in overrides
        .shapes
        .keys()
        .map(|object| ("shapes", object))
        .chain(overrides.rename.keys().map(|object| ("shapes", object)))
        .chain(overrides.new.keys().map(|object| ("shapes", object)))
        .chain(overrides.fields.keys().map(|object| ("fields", object)))
    {
        if !model.objects.contains_key(object) {
            problem(file, object, "is no object of the model; remove it or mend its name".to_owned());
        }
    }
    for (object, members) in &overrides.fields {
        for member in members.keys() {
            if model.objects.contains_key(object) && model.member(object, member).is_none() {
                problem("fields", &format!("{object}.{member}"), "is no member of the object".to_owned());
            }
        }
    }
    for path in overrides.sensitive.iter().chain(&overrides.identity) {
        let known = match path.split_once('.') {
            Some((object, member)) => model.member(object, member).is_some_and(Member::is_string),
            None => model.objects.values().flatten().any(|member| member.name == *path && member.is_string()),
        };
        if !known {
            problem("special", path, "is no string member of the model; remove it or mend its name".to_owned());
        }
    }
    for path in overrides.identity.iter().filter(|path| !path.contains('.')) {
        problem("special", path, "is not written `Object.Field`".to_owned());
    }
}

struct Resolver<'a> {
    model: &'a Model,
    overrides: &'a Overrides,
    names: TypeNames,
    enum_of: enums::Members,
    graph: Graph,
    problems: Vec<Problem>,
    notes: Vec<String>,
    counts: Counts,
}

impl Resolver<'_> {
    fn plan(&mut self) -> Plan {
        self.notes.append(&mut self.names.notes);
        let mut groups: Vec<Group> = self.overrides.groups.iter().map(|(name, doc)| group(name, doc)).collect();
        if self.model.actions.keys().any(|action| !self.overrides.actions.contains_key(action)) {
            groups.push(group(NO_GROUP, "Actions that belong to no resource group yet."));
        }
        for name in self.model.actions.keys() {
            let operation = self.operation(name);
            let home = self.overrides.actions.get(name).map_or(NO_GROUP, |(group, _)| group.as_str());
            if let Some(group) = groups.iter_mut().find(|group| group.name == home) {
                group.operations.push(operation);
            }
        }
        groups.retain(|group| !group.operations.is_empty());
        let mut shared = Vec::new();
        for (homes, item) in self.types() {
            let only =
                if homes.len() == 1 { groups.iter_mut().find(|group| homes.contains(&group.name)) } else { None };
            only.map_or(&mut shared, |group| &mut group.types).push(item);
        }
        self.check_methods(&groups);
        Plan {
            model: self.model.name(),
            service: self.model.service.clone(),
            version: self.model.version.clone(),
            groups,
            shared,
            error_codes: self.error_codes(),
            counts: self.counts,
            notes: std::mem::take(&mut self.notes),
        }
    }

    fn operation(&mut self, wire: &str) -> Operation {
        let entry = self.overrides.actions.get(wire).map(|(_, entry)| entry);
        let facts = self.model.actions.get(wire);
        let (input, output) = facts.map_or(("", ""), |facts| (facts.input.as_str(), facts.output.as_str()));
        let deprecated = facts.is_some_and(|facts| facts.deprecated);
        let doc = entry.map_or_else(|| docs::sentence(wire), |entry| entry.doc.clone());
        let method = names::snake(wire);
        self.counts.actions += 1;
        self.counts.documented += usize::from(entry.is_some());

        let request =
            self.record(input, Role::Request, format!("{doc}\n\nCalled by [`Client::{method}`]."), deprecated);
        let response = (!self.model.members(output).is_empty())
            .then(|| self.record(output, Role::Response, format!("Answer to [`{}`].", request.name), false));
        let effect = entry.map_or_else(|| verbs::effect(wire), |entry| entry.effect);
        let client_token = match (effect, request.by_wire("ClientToken")) {
            (Effect::Token, Some(field)) if field.kind == Kind::String && field.wrap == Wrap::Option => {
                Some(field.name.clone())
            }
            (Effect::Token, Some(_)) => {
                self.problem("actions", wire, "has a ClientToken that is no optional string; make it `write`");
                None
            }
            _ => None,
        };
        let pages = self.pages(wire, &request, response.as_ref(), entry);
        Operation { wire: wire.to_owned(), method, doc, effect, deprecated, request, response, client_token, pages }
    }

    fn pages(
        &mut self,
        wire: &str,
        request: &Record,
        response: Option<&Record>,
        entry: Option<&ActionEntry>,
    ) -> Option<Pages> {
        match pages::resolve(request, response, entry.and_then(|entry| entry.page.as_ref())) {
            Outcome::No => None,
            Outcome::Yes(pages) => {
                self.counts.paginated += 1;
                Some(pages)
            }
            Outcome::Unclear { lists } => {
                let lists =
                    if lists.is_empty() { "no list".to_owned() } else { format!("the lists {}", lists.join(", ")) };
                self.notes.push(format!("{wire} is not paginated: it has a position, and its response {lists}"));
                None
            }
            Outcome::Wrong(advice) => {
                self.problem("actions", wire, &advice);
                None
            }
        }
    }

    /// The shapes and enums, each with the groups that use it.
    fn types(&mut self) -> Vec<(BTreeSet<String>, Type)> {
        let model = self.model;
        let ends: BTreeSet<&String> =
            model.actions.values().flat_map(|action| [&action.input, &action.output]).collect();
        let mut types = Vec::new();
        for object in model.objects.keys().filter(|object| !ends.contains(object)) {
            let role = match (self.graph.is_sent(object), self.graph.is_received(object)) {
                (true, false) => Role::Input,
                (false, true) => Role::Output,
                (true, true) => Role::Both,
                (false, false) => {
                    self.notes.push(format!("{object} is left out: no action uses it"));
                    continue;
                }
            };
            let doc = self.overrides.shapes.get(object).cloned().unwrap_or_else(|| docs::sentence(object));
            let record = self.record(object, role, doc, false);
            types.push((self.graph.groups(object).map(str::to_owned).collect(), Type::Record(record)));
        }
        for (name, entry) in &self.overrides.enums {
            let item = enums::resolve(name, entry, self.overrides, &mut self.problems);
            self.counts.enums += 1;
            let objects = entry.fields.iter().filter_map(|path| path.split_once('.')).map(|(object, _)| object);
            let homes: BTreeSet<String> =
                objects.flat_map(|object| self.graph.groups(object)).map(str::to_owned).collect();
            if homes.is_empty() {
                self.notes.push(format!("the enum {name} is left out: no action uses it"));
            } else {
                types.push((homes, Type::Enum(item)));
            }
        }
        types.sort_by(|(_, a), (_, b)| a.name().cmp(b.name()));
        types
    }

    /// Constants for the error codes. Where two would get one name, their dots are kept as a second underscore.
    fn error_codes(&mut self) -> Vec<ErrorCode> {
        let codes: BTreeSet<&String> = self.model.error_codes.iter().collect();
        let mut users: BTreeMap<String, usize> = BTreeMap::new();
        for code in &codes {
            *users.entry(names::constant(code, false)).or_default() += 1;
        }
        let mut named = BTreeMap::new();
        for wire in codes {
            let mut constant = names::constant(wire, false);
            if users.get(&constant).is_some_and(|users| *users > 1) {
                let usual = std::mem::replace(&mut constant, names::constant(wire, true));
                if usual != constant {
                    self.notes.push(format!(
                        "the error code {wire} is called {constant}, because another one gives {usual} too"
                    ));
                }
            }
            if let Some(other) = named.insert(constant.clone(), wire.clone()) {
                let file = format!("models/{}.json", self.model.name());
                let advice = format!("gives the constant {constant}, and so does {other}; add a word to names::WORDS");
                self.problems.push(Problem::new(file, wire, advice));
            }
        }
        named.into_iter().map(|(constant, wire)| ErrorCode { constant, wire }).collect()
    }

    fn check_methods(&mut self, groups: &[Group]) {
        let mut users: BTreeMap<&str, &str> =
            ["new", "call", "config", "clone"].into_iter().map(|method| (method, "the client's own method")).collect();
        for operation in groups.iter().flat_map(|group| &group.operations) {
            if let Some(other) = users.insert(&operation.method, &operation.wire) {
                let advice =
                    format!("gives the method `{}`, and so does {other}; add a word to names::WORDS", operation.method);
                self.problem("actions", &operation.wire, &advice);
            }
        }
    }

    fn problem(&mut self, file: &str, key: &str, advice: &str) {
        self.problems.push(Problem::new(self.overrides.file(file), key, advice));
    }
}

fn group(name: &str, doc: &str) -> Group {
    Group { name: name.to_owned(), doc: doc.to_owned(), operations: Vec::new(), types: Vec::new() }
}

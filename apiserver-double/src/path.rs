//! What a request asks for, read from its method, path and query.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use http::Method;
use http::request::Parts;

use crate::kinds::{self, Kind};
use crate::refusal::Refusal;
use crate::store::Store;

/// What is done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Verb {
    /// One object is read.
    Get,
    /// A list, or a page of one.
    List,
    /// A watch is opened.
    Watch,
    /// POST.
    Create,
    /// PUT.
    Update,
    /// PATCH.
    Patch,
    /// DELETE of one object.
    Delete,
    /// DELETE of all that are selected.
    DeleteCollection,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        })
    }
}

/// A path of the API taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) namespace: String,
    pub(crate) plural: String,
    pub(crate) name: String,
    pub(crate) subresource: String,
}

/// A request for a resource.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) verb: Verb,
    pub(crate) place: Place,
    pub(crate) query: Query,
}

/// The parameters behind the question mark.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(BTreeMap<String, String>);

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        // The first of several counts, as it does for the real server.
        let mut parameters = BTreeMap::new();
        for (key, value) in form_urlencoded::parse(text.as_bytes()) {
            parameters.entry(key.into_owned()).or_insert_with(|| value.into_owned());
        }
        Self(parameters)
    }

    /// A parameter that says something.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| matches!(value.as_str(), "true" | "1"))
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let number = |text: &str| {
            text.parse().map_err(|_| Refusal::bad_request(format!("invalid value of the parameter {name}: {text:?}")))
        };
        self.get(name).map(number).transpose()
    }

    pub(crate) fn dry_run(&self) -> Result<bool, Refusal> {
        match self.get("dryRun") {
            None => Ok(false),
            Some("All") => Ok(true),
            Some(other) => Err(Refusal::new(
                422,
                "Invalid",
                format!("dryRun: Unsupported value: {other:?}: supported values: \"All\""),
            )),
        }
    }
}

impl Call {
    /// Nothing if the path is not one of a resource.
    pub(crate) fn of(request: &Parts) -> Option<Result<Self, Refusal>> {
        let place = Place::parse(request.uri.path())?;
        let query = Query::parse(request.uri.query().unwrap_or_default());
        let verb = match (&request.method, place.name.is_empty()) {
            (&Method::GET, true) if query.flag("watch") => Verb::Watch,
            (&Method::GET, true) => Verb::List,
            (&Method::GET, false) => Verb::Get,
            (&Method::POST, true) => Verb::Create,
            (&Method::PUT, false) => Verb::Update,
            (&Method::PATCH, false) => Verb::Patch,
            (&Method::DELETE, true) => Verb::DeleteCollection,
            (&Method::DELETE, false) => Verb::Delete,
            _ => {
                let message = "the server does not allow this method on the requested resource";
                return Some(Err(Refusal::new(405, "MethodNotAllowed", message)));
            }
        };
        Some(Ok(Self { verb, place, query }))
    }
}

impl Place {
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let mut parts = path.trim_matches('/').split('/');
        let group = match parts.next()? {
            "api" => "",
            "apis" => parts.next()?,
            _ => return None,
        };
        let version = parts.next()?;
        let rest = parts.map(decoded).collect::<Option<Vec<_>>>()?;
        let rest = rest.iter().map(String::as_str).collect::<Vec<_>>();
        let (namespace, rest) = match rest.as_slice() {
            // A namespace itself is an object of the cluster.
            ["namespaces"] | ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => ("", rest.as_slice()),
            ["namespaces", namespace, rest @ ..] => (*namespace, rest),
            rest => ("", rest),
        };
        let (plural, name, subresource) = match rest {
            [plural] => (*plural, "", ""),
            [plural, name] => (*plural, *name, ""),
            [plural, name, subresource] => (*plural, *name, *subresource),
            _ => return None,
        };
        let owned = |text: &str| text.to_owned();
        Some(Self {
            group: owned(group),
            version: owned(version),
            namespace: owned(namespace),
            plural: owned(plural),
            name: owned(name),
            subresource: owned(subresource),
        })
    }

    /// The kind of what is found here. In a group of which nothing is known, any resource is taken for a custom one.
    pub(crate) fn kind(&self, store: &mut Store) -> Result<Arc<Kind>, Refusal> {
        if store.table(&self.group, &self.plural).is_none() && !kinds::is_built_in_group(&self.group) {
            // Its real kind shows when the first object comes in.
            let namespaced = !self.namespace.is_empty();
            store.learn(Kind::untyped(&self.group, &self.version, &self.plural, "", namespaced));
        }
        let kind = store.table(&self.group, &self.plural).map(|table| Arc::clone(&table.kind));
        let kind = kind.filter(|kind| kind.version == self.version).ok_or_else(Refusal::no_such_path)?;
        let has_namespace = !self.namespace.is_empty();
        // Objects of all namespaces can be listed and watched at once, but not named.
        if (has_namespace && !kind.namespaced) || (kind.namespaced && !has_namespace && !self.name.is_empty()) {
            return Err(Refusal::no_such_path());
        }
        Ok(kind)
    }
}

/// A segment of a path without its percent signs.
fn decoded(segment: &str) -> Option<String> {
    if !segment.contains('%') {
        return Some(segment.to_owned());
    }
    let mut bytes = Vec::new();
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(path: &str) -> [String; 6] {
        let place = Place::parse(path).unwrap();
        [place.group, place.version, place.namespace, place.plural, place.name, place.subresource]
    }

    #[test]
    fn paths_are_taken_apart() {
        assert_eq!(parts("/api/v1/nodes"), ["", "v1", "", "nodes", "", ""]);
        assert_eq!(parts("/api/v1/nodes/a/status"), ["", "v1", "", "nodes", "a", "status"]);
        assert_eq!(parts("/api/v1/namespaces/x"), ["", "v1", "", "namespaces", "x", ""]);
        assert_eq!(parts("/api/v1/namespaces/x/status"), ["", "v1", "", "namespaces", "x", "status"]);
        assert_eq!(parts("/api/v1/namespaces/x/services/s/status"), ["", "v1", "x", "services", "s", "status"]);
        assert_eq!(parts("/apis/a.b/v1/namespaces/x/leases/l"), ["a.b", "v1", "x", "leases", "l", ""]);
        assert_eq!(parts("/api/v1/nodes/a%2Db"), ["", "v1", "", "nodes", "a-b", ""]);
        for not in ["/healthz", "/api", "/apis/apps", "/api/v1", "/api/v1/nodes/a/b/c", "/api/v1/nodes/%zz"] {
            assert_eq!(Place::parse(not), None, "{not}");
        }
    }
}

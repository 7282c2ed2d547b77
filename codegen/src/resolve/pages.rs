//! Which actions page, and how.

use crate::overrides::{PageEntry, PageRule};
use crate::plan::{Cursor, Kind, Pages, Record, Total, Wrap};

/// Page size that nearly all actions allow.
const USUAL_LARGEST_PAGE: u64 = 100;
const TOTALS: &[&str] = &["TotalCount", "Total", "TotalNum", "TotalCnt"];
const TOKENS: &[&str] = &["NextToken", "Token", "Context"];
const LIMITS: &[&str] = &["Limit", "MaxResults"];

/// What the rules made of an action.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    No,
    Yes(Pages),
    /// It has an offset, but which list has the items is not clear.
    Unclear {
        lists: Vec<String>,
    },
    /// The override can't be followed.
    Wrong(String),
}

/// Finds the pages of an action from its request, its response and the entry in the overrides.
pub(crate) fn resolve(request: &Record, response: Option<&Record>, entry: Option<&PageEntry>) -> Outcome {
    let rule = match entry {
        Some(PageEntry::Enabled(false)) => return Outcome::No,
        Some(PageEntry::Enabled(true)) => {
            return Outcome::Wrong("`page = true` says nothing; leave it out or give `{ items = … }`".to_owned());
        }
        Some(PageEntry::Rule(rule)) => rule.clone(),
        None => PageRule::default(),
    };
    let asked = entry.is_some();
    let Some(response) = response else {
        return if asked { Outcome::Wrong("has `page`, but its response is empty".to_owned()) } else { Outcome::No };
    };
    let Some(cursor) = cursor(request, response) else {
        return if asked {
            Outcome::Wrong("has `page`, but its request has no position to set".to_owned())
        } else {
            Outcome::No
        };
    };
    let lists: Vec<_> = response.fields.iter().filter(|field| field.wrap == Wrap::List).collect();
    let items = match (&rule.items, lists.as_slice()) {
        (Some(wire), _) => match lists.iter().find(|field| field.wire == *wire) {
            Some(field) => *field,
            None => return Outcome::Wrong(format!("has `page.items = \"{wire}\"`, which is no list of its response")),
        },
        (None, [field]) => *field,
        (None, lists) => {
            return Outcome::Unclear { lists: lists.iter().map(|field| field.wire.clone()).collect() };
        }
    };
    let total = match &rule.total {
        Some(wire) => match total(response, wire) {
            Some(total) => Some(total),
            None => {
                return Outcome::Wrong(format!("has `page.total = \"{wire}\"`, which is no number of its response"));
            }
        },
        None => TOTALS.iter().find_map(|wire| total(response, wire)),
    };
    Outcome::Yes(Pages {
        cursor,
        item: items.kind.clone(),
        items: items.name.clone(),
        largest: rule.max.unwrap_or(USUAL_LARGEST_PAGE),
        total,
    })
}

fn cursor(request: &Record, response: &Record) -> Option<Cursor> {
    let number = |wire: &str| {
        let field = request.by_wire(wire)?;
        let counts = matches!(field.kind, Kind::I64 | Kind::U64 | Kind::String);
        (counts && !field.wrap.is_list()).then(|| field.name.clone())
    };
    if let (Some(offset), Some(limit)) = (number("Offset"), number("Limit")) {
        return Some(Cursor::Offset { offset, limit });
    }
    let limit = LIMITS.iter().find_map(|wire| number(wire))?;
    TOKENS.iter().find_map(|wire| {
        let token = request.by_wire(wire)?;
        let next = response.by_wire(wire).or_else(|| response.by_wire("NextToken"))?;
        let fits = token.kind == Kind::String && token.wrap == Wrap::Option && next.kind == Kind::String;
        (fits && !next.wrap.is_list()).then(|| Cursor::Token {
            token: token.name.clone(),
            limit: limit.clone(),
            next: next.name.clone(),
            next_is_option: next.wrap.is_option(),
        })
    })
}

fn total(response: &Record, wire: &str) -> Option<Total> {
    let field = response.by_wire(wire)?;
    let counts = matches!(field.kind, Kind::I64 | Kind::U64 | Kind::String);
    (counts && !field.wrap.is_list()).then(|| Total {
        field: field.name.clone(),
        kind: field.kind.clone(),
        is_option: field.wrap.is_option(),
    })
}

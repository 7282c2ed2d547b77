//! Resources in the saved form of a service's state: members that hold rows with ids, and how two such states differ.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A difference between two states.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Difference {
    table: String,
    id: String,
    pub(crate) change: Change,
}

/// What happened to a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Change {
    New,
    /// Its tags were these.
    Tags(Value),
    /// It was this.
    Changed(Value),
    /// It was this, and stood at this place of its table.
    Deleted(usize, Value),
}

/// The member in which rows keep their tags.
const TAGS: &str = "tags";
/// Whoever began a task can ask for it at once.
const IMMEDIATE: &str = "tasks";

/// What changed from one state to the next, row by row.
pub(crate) fn compare(before: &Value, after: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    let (Some(before), Some(after)) = (before.as_object(), after.as_object()) else { return found };
    for (table, after) in after.iter().filter(|(table, _)| *table != IMMEDIATE) {
        if let Some(before) = before.get(table).filter(|before| *before != after)
            && let (Some(before), Some(after)) = (rows(before), rows(after))
        {
            let changes = compare_rows(&before, &after);
            found.extend(changes.into_iter().map(|(id, change)| Difference { table: table.clone(), id, change }));
        }
    }
    found
}

fn compare_rows(before: &[(&str, &Value)], after: &[(&str, &Value)]) -> Vec<(String, Change)> {
    let earlier: HashMap<&str, &Value> = before.iter().copied().collect();
    let left: HashSet<&str> = after.iter().map(|(id, _)| *id).collect();
    let gone = before.iter().enumerate().filter(|(_, (id, _))| !left.contains(id));
    let mut found: Vec<(String, Change)> =
        gone.map(|(place, (id, row))| ((*id).to_owned(), Change::Deleted(place, (*row).clone()))).collect();
    for (id, row) in after {
        let tags = row.get(TAGS).filter(|tags| tags.is_array());
        match earlier.get(id) {
            None => {
                // Tags may come later than the resource that has them.
                if tags.is_some() {
                    found.push(((*id).to_owned(), Change::Tags(Value::Array(Vec::new()))));
                }
                found.push(((*id).to_owned(), Change::New));
            }
            Some(before) if before != row => {
                if let (Some(before), Some(after)) = (before.get(TAGS), tags)
                    && before != after
                {
                    found.push(((*id).to_owned(), Change::Tags(before.clone())));
                }
                if !same_but_tags(before, row) {
                    found.push(((*id).to_owned(), Change::Changed((*before).clone())));
                }
            }
            Some(_) => {}
        }
    }
    found
}

fn same_but_tags(before: &Value, after: &Value) -> bool {
    let (Some(before), Some(after)) = (before.as_object(), after.as_object()) else { return false };
    before.len() == after.len()
        && before.iter().all(|(name, value)| name == TAGS || after.get(name).is_some_and(|after| after == value))
}

/// Makes a state look as if a difference had not come about.
pub(crate) fn undo(state: &mut Value, difference: &Difference) {
    let Some(table) = state.get_mut(&difference.table).and_then(Value::as_array_mut) else { return };
    let at = table.iter().position(|row| row.get(0).and_then(Value::as_str) == Some(&difference.id));
    let row = at.and_then(|at| table.get_mut(at)).and_then(|row| row.get_mut(1));
    match (&difference.change, row) {
        (Change::New, Some(_)) => {
            if let Some(at) = at {
                table.remove(at);
            }
        }
        (Change::Tags(tags), Some(row)) => {
            if let Some(row) = row.as_object_mut() {
                row.insert(TAGS.to_owned(), tags.clone());
            }
        }
        (Change::Changed(before), Some(row)) => *row = before.clone(),
        (Change::Deleted(place, row), None) => {
            let row = Value::Array(vec![difference.id.clone().into(), row.clone()]);
            table.insert((*place).min(table.len()), row);
        }
        (Change::New | Change::Tags(_) | Change::Changed(_), None) | (Change::Deleted(..), Some(_)) => {}
    }
}

/// The rows of a saved [`Table`](crate::table::Table): pairs of an id and an object.
fn rows(table: &Value) -> Option<Vec<(&str, &Value)>> {
    fn row(row: &Value) -> Option<(&str, &Value)> {
        match row.as_array().map(Vec::as_slice) {
            Some([Value::String(id), body @ Value::Object(_)]) => Some((id, body)),
            _ => None,
        }
    }
    table.as_array()?.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_compared_can_be_undone() {
        let states = [
            json!({"disks": [["a", {"size": 1, "tags": []}], ["b", {"size": 2, "tags": []}]], "tasks": [], "given": 1}),
            json!({"disks": [["a", {"size": 1, "tags": [{"Key": "k"}]}], ["b", {"size": 3, "tags": []}]],
                   "tasks": [["t", {}]], "given": 1}),
            json!({"disks": [["b", {"size": 3, "tags": []}], ["c", {"size": 4, "tags": [{"Key": "k"}]}]],
                   "tasks": [["t", {}]], "given": 2}),
        ];
        for (before, after) in [(0, 1), (1, 2), (0, 2), (2, 0)] {
            let differences = compare(&states[before], &states[after]);
            let mut state = states[after].clone();
            for difference in differences.iter().rev() {
                undo(&mut state, difference);
            }
            assert_eq!(state["disks"], states[before]["disks"], "{before} {after}");
        }
        assert!(compare(&states[0], &states[0]).is_empty());
        let names = |(id, change): (&str, &Change)| {
            (id.to_owned(), format!("{change:?}").split('(').next().unwrap().to_owned())
        };
        let found: Vec<_> =
            compare(&states[0], &states[1]).iter().map(|found| names((&found.id, &found.change))).collect();
        assert_eq!(found, [("a".to_owned(), "Tags".to_owned()), ("b".to_owned(), "Changed".to_owned())]);
    }
}

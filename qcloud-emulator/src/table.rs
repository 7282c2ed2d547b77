//! Resources by id, in the order of their creation.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

/// Resources by id, listed oldest first: the stable order that pages rely on.
///
/// Saved as a list of pairs, so that the order survives.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Vec<(String, T)>", into = "Vec<(String, T)>", bound = "T: Clone + Serialize + for<'a> Deserialize<'a>")]
pub(crate) struct Table<T> {
    places: HashMap<String, u64>,
    rows: BTreeMap<u64, (String, T)>,
    next: u64,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { places: HashMap::new(), rows: BTreeMap::new(), next: 0 }
    }
}

impl<T> Table<T> {
    pub(crate) fn insert(&mut self, id: impl Into<String>, row: T) {
        let id = id.into();
        self.remove(&id);
        self.places.insert(id.clone(), self.next);
        self.rows.insert(self.next, (id, row));
        self.next += 1;
    }

    pub(crate) fn get(&self, id: &str) -> Option<&T> {
        self.places.get(id).and_then(|place| self.rows.get(place)).map(|(_, row)| row)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        self.places.get(id).and_then(|place| self.rows.get_mut(place)).map(|(_, row)| row)
    }

    /// Those of these ids that there are, oldest first; everything when there are no ids. Ids that come twice count once.
    pub(crate) fn among(&self, ids: &[String]) -> impl Iterator<Item = &T> + use<'_, T> {
        let everything = ids.is_empty().then(|| self.rows.values());
        let places: BTreeSet<u64> = ids.iter().filter_map(|id| self.places.get(id).copied()).collect();
        let named = places.into_iter().filter_map(|place| self.rows.get(&place));
        everything.into_iter().flatten().chain(named).map(|(_, row)| row)
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<T> {
        self.places.remove(id).and_then(|place| self.rows.remove(&place)).map(|(_, row)| row)
    }

    pub(crate) fn contains(&self, id: &str) -> bool {
        self.places.contains_key(id)
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Oldest first.
    pub(crate) fn values(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.rows.values().map(|(_, row)| row)
    }

    /// Oldest first.
    pub(crate) fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        self.rows.values_mut().map(|(_, row)| row)
    }
}

impl<T> From<Vec<(String, T)>> for Table<T> {
    fn from(rows: Vec<(String, T)>) -> Self {
        let mut table = Self::default();
        for (id, row) in rows {
            table.insert(id, row);
        }
        table
    }
}

impl<T> From<Table<T>> for Vec<(String, T)> {
    fn from(table: Table<T>) -> Self {
        table.rows.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_order_also_when_saved() {
        let mut table = Table::default();
        for (id, row) in [("b", 1), ("a", 2), ("c", 3)] {
            table.insert(id, row);
        }
        table.remove("a");
        table.insert("a", 4);
        let saved = serde_json::to_string(&table).unwrap();
        let restored: Table<i32> = serde_json::from_str(&saved).unwrap();
        assert_eq!(restored.values().copied().collect::<Vec<_>>(), [1, 3, 4]);
        assert_eq!(restored.get("a"), Some(&4));
        let among = |ids: &[&str]| {
            let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
            restored.among(&ids).copied().collect::<Vec<_>>()
        };
        assert_eq!(among(&["a", "x", "b", "a"]), [1, 4]);
        assert_eq!(among(&[]), [1, 3, 4]);
        assert!(among(&["x"]).is_empty());
    }
}

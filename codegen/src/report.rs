//! The table and the notes that a run prints.

use std::fmt;

use crate::plan::{Counts, Plan};

/// What was generated for one model.
#[derive(Debug)]
pub(crate) struct Row {
    model: String,
    counts: Counts,
    lines: usize,
    notes: Vec<String>,
}

impl Row {
    pub(crate) fn new(plan: &Plan, lines: usize) -> Self {
        Self { model: plan.model.clone(), counts: plan.counts, lines, notes: plan.notes.clone() }
    }
}

/// All models of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
}

impl Report {
    fn total(&self) -> (Counts, usize) {
        self.rows.iter().fold((Counts::default(), 0), |(a, lines), row| {
            let b = row.counts;
            let counts = Counts {
                actions: a.actions + b.actions,
                documented: a.documented + b.documented,
                paginated: a.paginated + b.paginated,
                fields: a.fields + b.fields,
                own_docs: a.own_docs + b.own_docs,
                lexicon_docs: a.lexicon_docs + b.lexicon_docs,
                enums: a.enums + b.enums,
            };
            (counts, lines + row.lines)
        })
    }

    /// Generated lines per action, rounded up.
    #[cfg(test)]
    pub(crate) fn lines_per_action(&self) -> usize {
        let (counts, lines) = self.total();
        lines.div_ceil(counts.actions.max(1))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = [
            "model",
            "actions",
            "doc'd",
            "paged",
            "fields",
            "own doc",
            "lexicon",
            "none",
            "enums",
            "lines",
            "per action",
        ];
        let line = |f: &mut fmt::Formatter<'_>, cells: &[String]| {
            for (index, cell) in cells.iter().enumerate() {
                if index == 0 { write!(f, "{cell:<16}")? } else { write!(f, "{cell:>11}")? }
            }
            writeln!(f)
        };
        line(f, &heads.map(str::to_owned))?;
        let (all, lines) = self.total();
        let rows = self.rows.iter().map(|row| (row.model.as_str(), row.counts, row.lines)).chain([("all", all, lines)]);
        for (model, counts, lines) in rows {
            let none = counts.fields.saturating_sub(counts.own_docs + counts.lexicon_docs);
            let numbers = [
                counts.actions,
                counts.documented,
                counts.paginated,
                counts.fields,
                counts.own_docs,
                counts.lexicon_docs,
                none,
                counts.enums,
                lines,
                lines.checked_div(counts.actions).unwrap_or_default(),
            ];
            let cells: Vec<String> =
                std::iter::once(model.to_owned()).chain(numbers.iter().map(usize::to_string)).collect();
            line(f, &cells)?;
        }
        for row in &self.rows {
            for note in &row.notes {
                writeln!(f, "{}: {note}", row.model)?;
            }
        }
        Ok(())
    }
}

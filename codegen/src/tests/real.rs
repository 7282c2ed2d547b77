//! The real models.

use crate::tests::root;
use crate::{PACKAGES, generate, model, plan};

/// Generated lines per action that the whole may have.
const BUDGET: usize = 110;

fn plans() -> Vec<crate::plan::Plan> {
    let root = root();
    let models = PACKAGES.iter().flat_map(|package| package.models);
    models
        .map(|(name, _)| {
            let json = model::read(&root, &format!("models/{name}.json")).unwrap();
            plan(&root, name, &json).unwrap_or_else(|problems| panic!("{problems}"))
        })
        .collect()
}

#[test]
fn the_committed_files_are_up_to_date() {
    let (output, _) = generate(&root()).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(output.differences(&root()).unwrap(), Vec::<String>::new(), "run `cargo run -p codegen`");
}

#[test]
fn the_text_stays_in_its_budget() {
    let (_, report) = generate(&root()).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(report.lines_per_action() <= BUDGET, "{report}");
}

#[test]
fn every_action_is_described_and_classed() {
    for plan in plans() {
        assert_eq!(plan.counts.documented, plan.counts.actions, "{}", plan.model);
        assert!(plan.groups.iter().all(|group| group.name != "ungrouped"), "{}", plan.model);
    }
}

#[test]
fn every_field_has_a_doc_of_its_own_or_of_its_name() {
    for plan in plans() {
        assert_eq!(plan.counts.fields, plan.counts.own_docs + plan.counts.lexicon_docs, "{}", plan.model);
    }
}

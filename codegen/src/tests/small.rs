//! A made-up model with one of everything, and the text that comes out of it.

use std::path::Path;

use crate::{emit, plan};

#[test]
fn the_output_of_a_small_model() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixture"));
    let json = std::fs::read_to_string(root.join("models/demo-2020-01-01.json")).unwrap();
    let plan = plan(root, "demo-2020-01-01", &json).unwrap();
    let mut out = String::new();
    for (name, text) in emit::emit(&plan) {
        out.push_str(&format!("//// {name}\n{text}\n"));
    }
    for note in &plan.notes {
        out.push_str(&format!("//// note: {note}\n"));
    }
    insta::assert_snapshot!(out);
}

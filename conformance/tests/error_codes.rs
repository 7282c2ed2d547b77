//! What the predicates of an error make of every code that the models document.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail like tests")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use qcloud_core::Error;
use serde_json::Value;

/// The codes of all models.
fn codes() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let models = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    models
        .flat_map(|path| {
            let model: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
            let codes = model["error_codes"].as_array().unwrap();
            codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        })
        .collect()
}

type Predicate = (&'static str, fn(&Error) -> bool);

/// The accepted lists: `INSTA_UPDATE=always` renews them after a bump of models. Read what changes: an adapter takes it
/// at its word that a code means "not found".
#[test]
fn every_documented_code_means_what_the_lists_say() {
    let predicates: [Predicate; 8] = [
        ("is_not_found", Error::is_not_found),
        ("is_throttled", Error::is_throttled),
        ("is_quota", Error::is_quota),
        ("is_sold_out", Error::is_sold_out),
        ("is_busy", Error::is_busy),
        ("is_auth", Error::is_auth),
        ("is_retryable", Error::is_retryable),
        ("is_ambiguous", Error::is_ambiguous),
    ];
    let codes = codes();
    let mut lists = String::new();
    for (name, holds) in predicates {
        writeln!(lists, "{name}:").unwrap();
        for code in codes.iter().filter(|code| holds(&Error::service("x:Y", code.as_str(), "", "r"))) {
            writeln!(lists, "  {code}").unwrap();
        }
    }
    insta::assert_snapshot!(lists);
}

/// One meaning a code at most, as far as they exclude each other.
#[test]
fn no_code_means_two_things() {
    for code in codes() {
        let error = Error::service("x:Y", code.as_str(), "", "r");
        let meanings = [
            error.is_not_found(),
            error.is_throttled(),
            error.is_quota(),
            error.is_sold_out(),
            error.is_busy(),
            error.is_auth(),
            error.is_ambiguous(),
        ];
        assert!(meanings.iter().filter(|holds| **holds).count() <= 1, "{code}: {meanings:?}");
    }
}

//! The official examples of the API: every answer decodes, and every request survives being read and written.
//!
//! `QCLOUD_API_EXAMPLES=folder` tries another folder of the same format, without the snapshots: one
//! `<service>-<version>.json` per model, `{Action: [{"request": …, "response": {"Response": …}}]}`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail like tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use conformance::{Entry, operations};
use serde_json::Value;

type Examples = BTreeMap<String, Vec<BTreeMap<String, Value>>>;

fn given_folder() -> Option<PathBuf> {
    std::env::var_os("QCLOUD_API_EXAMPLES").map(PathBuf::from)
}

/// Calls `check` with every example that has this part, named for messages, and says how many there were.
fn for_each(part: &str, mut check: impl FnMut(&Entry, &str, &Value)) -> usize {
    let folder = given_folder().unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("api-examples"));
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    let mut count = 0;
    for file in files {
        let model = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let examples: Examples = serde_json::from_slice(&std::fs::read(&file).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for (action, examples) in examples {
            let entry = operations().find(|entry| entry.model == model && entry.action == action);
            let entry = entry.unwrap_or_else(|| panic!("{model} has no operation {action}"));
            for (number, example) in examples.iter().enumerate() {
                if let Some(value) = example.get(part) {
                    check(entry, &format!("{model} {action}[{number}]"), value);
                    count += 1;
                }
            }
        }
    }
    count
}

/// Compares with the accepted list, which `cargo insta review` or `INSTA_UPDATE=always` renews after a bump of models.
fn hold_against_snapshot(name: &str, deviations: &[String]) {
    if given_folder().is_none() {
        insta::assert_snapshot!(name, deviations.join("\n"));
    } else if !deviations.is_empty() {
        println!("{name}:\n{}", deviations.join("\n"));
    }
}

#[test]
fn every_answer_decodes() {
    let mut broken = Vec::new();
    let mut deviations = Vec::new();
    let count = for_each("response", |entry, name, answer| match (entry.decode)(answer) {
        Ok(leniencies) => deviations.extend(leniencies.iter().map(|leniency| format!("{name} {leniency}"))),
        Err(error) => broken.push(format!("{name}: {error}")),
    });
    println!("{count} answers");
    assert!(count > 0, "no examples found");
    assert!(broken.is_empty(), "{} of {count} answers do not decode:\n{}", broken.len(), broken.join("\n"));
    hold_against_snapshot("deviations_of_answers", &deviations);
}

/// Equal, where a whole number may also be written with a fraction of zero.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        _ => one == other,
    }
}

#[test]
fn every_request_survives_a_round_trip() {
    let mut lost = Vec::new();
    let mut deviations = Vec::new();
    let count = for_each("request", |entry, name, parameters| match (entry.round_trip)(parameters) {
        Ok((written, leniencies)) if leniencies.is_empty() => {
            if !same(&written, parameters) {
                lost.push(format!("{name}:\n  given   {parameters}\n  written {written}"));
            }
        }
        Ok((_, leniencies)) => deviations.extend(leniencies.iter().map(|leniency| format!("{name} {leniency}"))),
        Err(error) => deviations.push(format!("{name} is not what the definition says: {}", error.message())),
    });
    println!("{count} requests");
    assert!(count > 0, "no examples found");
    assert!(lost.is_empty(), "{} of {count} requests change on the way:\n{}", lost.len(), lost.join("\n"));
    hold_against_snapshot("deviations_of_requests", &deviations);
}

#[test]
fn every_action_has_an_operation() {
    assert_eq!(operations().count(), 1071);
}

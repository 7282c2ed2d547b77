//! The official examples of the API: every answer decodes, and every request survives being read and written.
//!
//! `QCLOUD_API_EXAMPLES=folder` tries another folder of the same format, without the snapshots: one
//! `<service>-<version>.json` per model, `{Action: [{"request": …, "response": {"Response": …}}]}`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail like tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use conformance::{Entry, operations};
use serde_json::Value;

/// Requests that contradict the definition of their own action: a text among its objects.
const CONTRADICTORY: &[&str] = &["tke-2018-05-25 ModifyRollOutSequence["];

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
/// For a given folder there is none, so all of it is shown.
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

/// The JSON paths at which two values differ. A whole number may also be written with a fraction of zero.
fn differences(given: &Value, written: &Value, path: String, found: &mut Vec<String>) {
    match (given, written) {
        (Value::Number(given), Value::Number(written)) if given.as_f64() == written.as_f64() => {}
        (Value::Array(given), Value::Array(written)) if given.len() == written.len() => {
            for (index, (given, written)) in given.iter().zip(written).enumerate() {
                differences(given, written, format!("{path}[{index}]"), found);
            }
        }
        (Value::Object(given), Value::Object(written)) => {
            let added = written.keys().filter(|name| !given.contains_key(*name));
            for name in given.keys().chain(added) {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match (given.get(name), written.get(name)) {
                    (Some(given), Some(written)) => differences(given, written, path, found),
                    _ => found.push(path),
                }
            }
        }
        _ if given == written => {}
        _ => found.push(path),
    }
}

#[test]
fn every_request_survives_a_round_trip() {
    let mut lost = Vec::new();
    let mut unreadable = Vec::new();
    let mut deviations = Vec::new();
    let count = for_each("request", |entry, name, parameters| match (entry.round_trip)(parameters) {
        Ok((written, leniencies)) => {
            let mut found = Vec::new();
            differences(parameters, &written, String::new(), &mut found);
            // What was read leniently is written as it should have been.
            found.retain(|path| !leniencies.iter().any(|leniency| leniency.path == *path));
            if !found.is_empty() {
                lost.push(format!("{name}, at {}:\n  given   {parameters}\n  written {written}", found.join(", ")));
            }
            deviations.extend(leniencies.iter().map(|leniency| format!("{name} {leniency}")));
        }
        Err(error) => {
            let line = format!("{name} is not what the definition says: {}", error.message());
            let is_known = CONTRADICTORY.iter().any(|known| name.starts_with(known));
            if is_known { deviations.push(line) } else { unreadable.push(line) }
        }
    });
    println!("{count} requests");
    assert!(count > 0, "no examples found");
    assert!(lost.is_empty(), "{} of {count} requests change on the way:\n{}", lost.len(), lost.join("\n"));
    assert!(unreadable.is_empty(), "{} of {count} requests:\n{}", unreadable.len(), unreadable.join("\n"));
    hold_against_snapshot("deviations_of_requests", &deviations);
}

#[test]
fn every_action_has_an_operation() {
    assert_eq!(operations().count(), 1071);
}

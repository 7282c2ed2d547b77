//! What the clients keep as secrets stays out of recordings, too.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail like tests")]

use std::path::Path;

use qcloud_core::testing::{ManualClock, Recorder, Replay, ScriptedTransport, config};
use qcloud_core::{Client, Raw, Service};
use serde_json::{Value, json};

/// The names of the members that the overrides of all models call sensitive.
fn sensitive() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/overrides");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().join("special.toml"));
    let mut names: Vec<String> = files
        .filter(|file| file.exists())
        .flat_map(|file| {
            let special: toml::Table = std::fs::read_to_string(file).unwrap().parse().unwrap();
            let paths = special["sensitive"].as_array().unwrap().clone();
            paths.into_iter().map(|path| path.as_str().unwrap().rsplit('.').next().unwrap().to_owned())
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

#[tokio::test]
async fn every_sensitive_member_is_left_out_of_recordings() {
    let names = sensitive();
    assert!(names.len() > 20, "{names:?}");
    let members: Value = names.iter().map(|name| (name.clone(), json!(format!("hunter2-{name}")))).collect();
    let kept = json!({ "Tags": [{ "Key": "team", "Value": "lamps" }], "NextToken": "page-2" });
    let content = json!({ "Nested": [members], "Kept": kept });

    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("recorded-secrets.jsonl");
    let transport = Recorder::new(ScriptedTransport::new().answer(content.clone()), &file).unwrap();
    let client = Client::new(&config(&transport, &ManualClock::auto()), Service::new("lamp", "2024-05-01"));
    client.call(Raw::new("MakeLamp", content)).await.unwrap();

    let text = std::fs::read_to_string(&file).unwrap();
    let shown: Vec<_> = names.iter().filter(|name| text.contains(&format!("hunter2-{name}"))).collect();
    assert!(shown.is_empty(), "add these to the names that testing::Recorder knows: {shown:?}");
    for word in ["team", "lamps", "page-2"] {
        assert!(text.contains(word), "{word} is no secret: {text}");
    }
    assert_eq!(Replay::new(&file).unwrap().remaining(), 1);
}

//! The configuration file: every key, and what is said of mistakes.

use qcloud_emulator::{Config, Quota, Task};
use serde_json::{Value, json};

use crate::client::Client;

const EXAMPLE: &str = include_str!("../../docs/emulator.toml");

fn refused(text: &str) -> String {
    Config::from_toml(text).unwrap_err().to_string()
}

#[tokio::test]
async fn the_example_has_every_key_and_is_read() {
    let emulator = Config::from_toml(EXAMPLE).unwrap().builder().build().unwrap();
    let saved: Value = serde_json::from_str(&emulator.save().unwrap()).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let example: toml::Table = EXAMPLE.parse().unwrap();
    for key in keys(&saved["settings"]) {
        assert!(example["settings"].as_table().unwrap().contains_key(&key), "{key} is not in the example");
    }
    assert_eq!(saved["settings"]["visibility"]["tags"], json!({"reads": 3}));
    assert_eq!(saved["settings"]["quotas"]["routes-per-table"], 50);
    assert_eq!(saved["settings"]["task-failures"]["disk-attach"], json!({"nth": 2}));
    assert_eq!(emulator.faults().list().len(), 4);
    assert_eq!(emulator.secret_id(), "AKIDexample");
}

#[test]
fn the_documentation_names_every_task_and_quota() {
    let page = include_str!("../../docs/knobs.md");
    let name = |value: Value| value.as_str().unwrap().to_owned();
    let tasks = Task::ALL.iter().map(|task| (name(serde_json::to_value(task).unwrap()), task.can_fail()));
    for (task, can_fail) in tasks {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{task}` |")));
        assert_eq!(
            row.unwrap_or_else(|| panic!("{task} is not in docs/knobs.md")).ends_with("| yes |"),
            can_fail,
            "{task}"
        );
    }
    for quota in Quota::ALL {
        let row = format!("| `{}` | {} |", name(serde_json::to_value(quota).unwrap()), quota.default_limit());
        assert!(page.contains(&row), "{row} is not in docs/knobs.md");
    }
}

#[tokio::test]
async fn an_empty_file_is_the_default() {
    let client = Client::of(Config::from_toml("").unwrap().builder());
    assert!(client.cvm("DescribeZones", json!({})).await.is_ok());
}

#[test]
fn mistakes_are_told_with_their_line() {
    for (text, parts) in [
        ("prot = 1", ["line 1", "unknown field `prot`"]),
        ("\n[settings]\nseeed = 1", ["line 3", "unknown field `seeed`"]),
        ("[settings]\nseed = \"x\"", ["line 2", "invalid type: string \"x\""]),
        ("[settings]\n\nbusy-instance = \"very\"", ["line 3", "unknown variant `very`"]),
        ("[settings.quotas]\nvpcs = 1", ["line 2", "unknown variant `vpcs`"]),
        ("[settings.task-durations]\ninstance-boot = -1.0", ["line 2", "no number of seconds"]),
        ("[settings.task-failures]\ndisk-create = \"always\"", ["line 1", "cannot fail"]),
        ("[settings.task-failures]\ndisk-attach = { nth = 0 }", ["line 2", "count from 1"]),
        ("[settings.denied]\n\"cvm:Fly\" = \"X\"", ["line 2", "cvm has no action `Fly`"]),
        ("[settings.rate-limits]\nper-second = { \"cvm\" = 1.0 }", ["line 2", "<service>:<action>"]),
        ("[settings.rate-limits]\nper-second = { \"cvm:*\" = 0.0 }", ["line 2", "a rate is above 0"]),
        ("[settings.visibility]\nnew = { minutes = 1 }", ["line 2", "unknown variant `minutes`"]),
        ("\n\n[[faults]]\neffect = \"explode\"", ["line 3", "not `explode`"]),
        ("clock = \"late\"", ["line 1", "not `late`"]),
        ("[settings]\nregion = \"atlantis\"", ["`region`", "no `atlantis`"]),
        ("port = ", ["line 1", "string"]),
    ] {
        let error = refused(text);
        assert!(parts.iter().all(|part| error.contains(part)), "{text}\n---\n{error}");
    }
}

//! The module `testing` does what its pages promise.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::StatusCode;
use qcloud_core::clock::Clock;
use qcloud_core::testing::{ManualClock, Recorder, Replay, ScriptedTransport, config, decode_strictly};
use qcloud_core::{Client, Effect, ErrorKind, Raw};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{LAMP, MakeLamp, action, builder, call, client};

/// A file of its own for a test, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("qcloud-core-{}-{name}", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn what_is_recorded_can_be_played_back_without_secrets() {
    let file = Scratch::new("round-trip.jsonl");
    let script = ScriptedTransport::new()
        .answer(json!({ "LampId": "l-1", "Password": "hunter2", "Nested": { "Keys": [{ "SecretKey": "hunter2" }] } }))
        .error("InvalidParameter", "no")
        .status(StatusCode::BAD_GATEWAY, "<html>gone</html>")
        .answer(json!({ "Items": [1, 2], "NextToken": "page-2" }));
    let recorder = Recorder::new(script.clone(), &file.0).unwrap();
    let clock = ManualClock::auto();
    let run = async |config: qcloud_core::Config, password: &str| {
        let client = Client::new(&config, LAMP);
        let write = |name: &str, body: Value| client.call(Raw::new(name, body));
        let make = MakeLamp { name: "desk".into(), password: password.into(), client_token: None };
        let made = client.call(make).await.unwrap();
        let wrong = write("Wrong", json!({ "A": 1 })).await.unwrap_err();
        let gateway = write("Gateway", json!({})).await.unwrap_err();
        let list = write("List", json!({})).with_region("ap-tokyo").await.unwrap();
        (made, wrong.to_string(), gateway.to_string(), list)
    };
    let recorded = run(builder(&script, &clock).transport(recorder).build().unwrap(), "password-hunter2").await;
    assert_eq!(script.remaining(), 0);

    let text = std::fs::read_to_string(&file.0).unwrap();
    assert_eq!(text.lines().count(), 4);
    for secret in ["hunter2", "AKIDtest", "TC3-HMAC", "Signature"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    assert!(text.contains("\"***\"") && text.contains("page-2") && text.contains("desk"), "{text}");

    let replay = Replay::new(&file.0).unwrap();
    assert_eq!(replay.remaining(), 4);
    // Another password and another client token, yet the same exchange.
    let played = run(builder(&script, &clock).transport(replay.clone()).build().unwrap(), "another").await;
    assert_eq!(recorded, played);
    assert_eq!(replay.remaining(), 0);
}

#[tokio::test]
async fn a_recording_answers_only_what_it_has() {
    let file = Scratch::new("mismatch.jsonl");
    let script = ScriptedTransport::new().answer(json!({}));
    let clock = ManualClock::auto();
    let recording =
        builder(&script, &clock).transport(Recorder::new(script.clone(), &file.0).unwrap()).build().unwrap();
    Client::new(&recording, LAMP).call(Raw::new("A", json!({ "X": 1 }))).await.unwrap();
    let playing = builder(&script, &clock).transport(Replay::new(&file.0).unwrap()).build().unwrap();
    let client = Client::new(&playing, LAMP);
    for wrong in [Raw::new("A", json!({ "X": 2 })), Raw::new("B", json!({ "X": 1 }))] {
        let error = client.call(wrong).await.unwrap_err();
        assert!(error.to_string().contains("the recording has no exchange left for"), "{error}");
    }
    assert!(client.call(Raw::new("A", json!({ "X": 1 }))).with_region("ap-tokyo").await.is_err());
    client.call(Raw::new("A", json!({ "X": 1 }))).await.unwrap();
    client.call(Raw::new("A", json!({ "X": 1 }))).await.unwrap_err();
}

#[test]
fn recordings_that_cannot_be_read_or_made_say_why() {
    let error = Replay::new("/nowhere/at/all").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    assert!(
        Recorder::new(ScriptedTransport::new(), "/nowhere/at/all").unwrap_err().to_string().contains("/nowhere/at/all")
    );
    let file = Scratch::new("malformed.jsonl");
    std::fs::write(&file.0, "\n{\"action\":1}\n").unwrap();
    let error = Replay::new(&file.0).unwrap_err();
    assert!(error.to_string().contains("line 2"), "{error}");
}

#[tokio::test]
async fn a_script_that_has_run_out_says_so() {
    let transport = ScriptedTransport::new();
    let error = call(&transport, Effect::Read).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("the script has no answer left for SwitchLamp"), "{error}");
    assert_eq!(transport.requests().len(), 1);
}

#[tokio::test]
async fn steps_for_one_action_are_left_to_it() {
    let transport = ScriptedTransport::new()
        .answer_to("B", json!({ "Is": "B" }))
        .answer(json!({ "Is": "any" }))
        .answer_to("A", json!({ "Is": "A" }));
    let (client, _) = client(&transport);
    let of = async |name: &str| client.call(Raw::new(name, json!({}))).await.unwrap()["Is"].clone();
    assert_eq!((of("A").await, of("A").await, of("B").await), (json!("any"), json!("A"), json!("B")));
    assert_eq!(transport.requests().iter().map(|request| request.action.as_str()).collect::<Vec<_>>(), ["A", "A", "B"]);
}

#[tokio::test]
async fn an_answer_s_own_request_id_stays() {
    let transport = ScriptedTransport::new().answer(json!({ "RequestId": "mine" })).answer(json!({}));
    let (client, _) = client(&transport);
    assert_eq!(client.call(action(Effect::Read)).await.unwrap()["RequestId"], "mine");
    assert_eq!(client.call(action(Effect::Read)).await.unwrap()["RequestId"], "request-1");
}

#[test]
fn a_clock_can_be_set_without_waking_anyone() {
    let clock = ManualClock::new();
    let later: SystemTime = UNIX_EPOCH + Duration::from_secs(2_000_000_000);
    clock.set_now(later);
    assert_eq!((clock.now(), clock.elapsed()), (later, Duration::ZERO));
    clock.advance(Duration::from_secs(5));
    assert_eq!((clock.now(), clock.passed()), (later + Duration::from_secs(5), Duration::from_secs(5)));
    clock.advance(Duration::MAX);
    assert_eq!(clock.passed(), Duration::MAX);
}

#[tokio::test]
async fn the_ready_made_configuration_works() {
    let transport = ScriptedTransport::new().throttled().answer(json!({ "TotalCount": 0 }));
    let client = Client::new(&config(&transport, &ManualClock::auto()), LAMP);
    assert_eq!(client.call(action(Effect::Read)).await.unwrap()["TotalCount"], 0);
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default, rename_all = "PascalCase")]
struct Lamp {
    watts: i64,
    request_id: String,
}

#[test]
fn strict_decoding_lists_what_differs() {
    let (lamp, leniencies) = decode_strictly::<Lamp>(br#"{"Response":{"Watts":"5","New":1,"RequestId":"r"}}"#).unwrap();
    assert_eq!(lamp, Lamp { watts: 5, request_id: "r".into() });
    let list: Vec<_> = leniencies.iter().map(ToString::to_string).collect();
    assert_eq!(list, ["Watts: text in place of a number", "New: unknown field"]);
    let error = decode_strictly::<Lamp>(br#"{"Response":{"Watts":{}}}"#).unwrap_err();
    assert!(error.to_string().contains("`Watts`"), "{error}");
}

#[tokio::test]
async fn a_strict_configuration_refuses_what_differs() {
    struct Read;
    impl serde::Serialize for Read {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            json!({}).serialize(serializer)
        }
    }
    impl qcloud_core::Operation for Read {
        type Output = Lamp;
        fn action(&self) -> qcloud_core::Action {
            qcloud_core::Action::new(LAMP, "Read", Effect::Read)
        }
    }
    let transport = ScriptedTransport::new().answer(json!({ "Watts": 5 })).answer(json!({ "Watts": "5" }));
    let config = builder(&transport, &ManualClock::auto()).strict_decoding(true).build().unwrap();
    let client = Client::new(&config, LAMP);
    assert_eq!(client.call(Read).await.unwrap().watts, 5);
    let error = client.call(Read).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains("differs from its definition: Watts: text in place of a number"), "{error}");
}

//! A saved state, gone on with elsewhere.

use qcloud_emulator::{Delay, Emulator, Fault, StateError, Task, Visibility, When};
use serde_json::json;

use crate::caller::Caller;
use crate::client::{Client, START, builder, client};

/// So many calls that a seed leads to, the answers as they are.
async fn live(client: &Client, caller: &mut Caller, calls: usize) -> Vec<String> {
    let mut answers = Vec::new();
    for _ in 0..calls {
        let request = caller.request(client, |_| true);
        let answer = client.emulator.exchange(request.signed()).await;
        answers.push(match answer {
            Ok(response) => String::from_utf8_lossy(response.body()).into_owned(),
            Err(none) => none.to_string(),
        });
        if let Some(answer) = answers.last().and_then(|answer| serde_json::from_str(answer).ok()) {
            caller.learn(&answer);
        }
        client.pass(caller.random.u64(..3));
    }
    answers
}

fn eventful(seed: u64) -> Client {
    let mut visibility = Visibility::default();
    visibility.new = Delay::Reads(2);
    visibility.deleted = Delay::Reads(3);
    Client::of(
        builder()
            .seed(seed)
            .visibility(visibility)
            .documented_rate_limits()
            .task_failure(Task::InstanceBoot, When::Probability(0.4))
            .fault(Fault::error("InternalError.Planned").probability(0.1))
            .fault(Fault::timeout().after_execution().every(17)),
    )
}

#[tokio::test]
async fn a_restored_world_goes_on_as_the_original_would() {
    for seed in 0..8 {
        let original = eventful(seed);
        let mut caller = Caller::new(seed);
        live(&original, &mut caller, 120).await;
        let saved = original.emulator.save().unwrap();
        // Started otherwise, and used before: the saved state says what counts. Keys are the start's own.
        let other = Client::of(builder().seed(seed).page_shift(3).fault(Fault::cut()));
        live(&other, &mut Caller::new(99), 5).await;
        other.emulator.restore(&saved).unwrap();
        assert_eq!(other.emulator.save().unwrap(), saved);
        let mut same = caller.clone();
        assert_eq!(live(&original, &mut caller, 120).await, live(&other, &mut same, 120).await, "seed {seed}");
        assert_eq!(original.emulator.save().unwrap(), other.emulator.save().unwrap(), "seed {seed}");
    }
}

#[tokio::test]
async fn what_is_no_state_changes_nothing() {
    let client = client();
    let (vpc, _) = client.network().await;
    for text in ["", "[]", "{}", "{\"format\": \"qcloud-emulator state\"}"] {
        assert!(matches!(client.emulator.restore(text), Err(StateError::Unreadable(_))), "{text}");
    }
    let mut saved: serde_json::Value = serde_json::from_str(&client.emulator.save().unwrap()).unwrap();
    saved["version"] = json!(99);
    let error = client.emulator.restore(&saved.to_string()).unwrap_err();
    assert_eq!(error.to_string(), "the state has the format version 99; this emulator reads version 1");
    saved["version"] = json!(1);
    saved["world"]["regions"] = json!(7);
    assert!(client.emulator.restore(&saved.to_string()).unwrap_err().to_string().contains("expected a map"));
    let found = client.vpc("DescribeVpcs", json!({"VpcIds": [vpc]})).await.unwrap();
    assert_eq!(found["TotalCount"], 1);
}

#[tokio::test]
async fn a_clock_that_runs_never_goes_back() {
    let client = client();
    client.pass(1_000_000_000);
    let saved = client.emulator.save().unwrap();
    let later = client.emulator.clock().now();
    let running = Emulator::builder().build().unwrap();
    running.restore(&saved).unwrap();
    assert!(running.clock().now() >= later);
    let standing = Client::of(builder());
    standing.pass(2_000_000_000);
    standing.emulator.restore(&saved).unwrap();
    assert_eq!(standing.emulator.clock().now(), later);
    assert_eq!(later.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(), START + 1_000_000_000);
}

#[tokio::test]
async fn a_reset_is_a_new_start() {
    let first = eventful(4);
    let answers = live(&first, &mut Caller::new(4), 30).await;
    first.emulator.adjust(|knobs| knobs.page_shift(9).deny("*", "*"));
    first.emulator.faults().clear();
    let again = eventful(4);
    again.emulator.clock().advance(first.emulator.clock().now().duration_since(again.emulator.clock().now()).unwrap());
    first.emulator.reset();
    assert_eq!(first.emulator.calls().total(), 0);
    let (one, other) = (live(&first, &mut Caller::new(4), 30).await, live(&again, &mut Caller::new(4), 30).await);
    assert_eq!(one, other);
    assert_eq!(one.len(), answers.len());
}

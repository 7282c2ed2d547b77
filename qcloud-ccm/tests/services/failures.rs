//! What goes wrong in the cloud, and what operators are told of it.

use std::time::Duration;

use qcloud_container::kubernetes::ErrorKind;
use qcloud_container::kubernetes::load_balancers::annotations;
use serde_json::json;

use crate::cloud::{Fault, Op};
use crate::lab::{Lab, service};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn what_takes_long_makes_no_noise() {
    let lab = Lab::new();
    lab.cloud.making(4 * MINUTE);
    lab.service("web", &[80]);
    lab.pass(10 * SECOND).await;
    let writes = lab.writes();
    lab.pass(3 * MINUTE).await;
    assert!(lab.cloud.count(Op::Ensure) > 50, "it was not looked at");
    assert_eq!(lab.writes(), writes, "waiting wrote to the API server");
    lab.served("web").await;
    lab.pass(SECOND).await;
    let events = lab.events("web");
    assert_eq!(events.len(), 2, "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn what_takes_very_long_is_told() {
    let lab = Lab::new();
    lab.cloud.making(Duration::from_secs(100_000));
    lab.service("web", &[80]);
    lab.pass(30 * MINUTE).await;
    let said = lab.said("web", "SyncLoadBalancerFailed");
    assert!((3..=6).contains(&said), "{:?}", lab.events("web"));
    assert!(lab.events("web").iter().any(|(_, note, _)| note.starts_with("Still waiting")));
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_makes_no_sense_is_refused_once_and_touches_nothing() {
    let lab = Lab::new();
    let mut wrong = service("web", &[80]);
    wrong["metadata"]["annotations"] = json!({ annotations::BANDWIDTH: "much" });
    lab.put(wrong);
    lab.pass(20 * MINUTE).await;
    let events = lab.events("web");
    assert_eq!(lab.said("web", "SyncLoadBalancerFailed"), 1, "{events:?}");
    assert!(events[0].1.contains(annotations::BANDWIDTH), "{events:?}");
    assert!(lab.cloud.calls().iter().all(|(op, _)| *op == Op::Sweep));
    assert!(!lab.has_finalizer("web"));
    // Once it makes sense, it is served at once.
    lab.edit_service("web", |service| service["metadata"]["annotations"][annotations::BANDWIDTH] = json!("10"));
    lab.pass(10 * SECOND).await;
    assert!(lab.is_marked("web"));
}

#[tokio::test(start_paused = true)]
async fn what_the_cloud_refuses_for_good_is_not_tried_again() {
    let lab = Lab::new();
    lab.cloud.plan(Op::Ensure, None, 1_000, Fault::Refused(ErrorKind::InvalidArgument, None));
    lab.service("web", &[80]);
    lab.pass(5 * SECOND).await;
    // Changes that are not of the Service's own make no difference either.
    lab.node(7);
    lab.edit_service("web", |service| service["status"] = json!({ "conditions": [] }));
    lab.pass(20 * MINUTE).await;
    let ensured = lab.cloud.count(Op::Ensure);
    assert!(ensured <= 2, "tried {ensured} times");
    let events = lab.events("web");
    assert_eq!(lab.said("web", "SyncLoadBalancerFailed"), 1, "{events:?}");
    let note = &events.iter().find(|(reason, _, _)| reason == "SyncLoadBalancerFailed").unwrap().1;
    assert!(note.contains("Test.Code") && note.contains("r-1"), "{note}");
    // A look now and then: the world may have changed.
    lab.cloud.forgive();
    lab.pass(15 * MINUTE).await;
    assert!(lab.is_marked("web"));
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_service_is_worth_a_new_try() {
    let lab = Lab::new();
    lab.cloud.plan(Op::Ensure, None, 1_000, Fault::Refused(ErrorKind::InvalidArgument, None));
    lab.service("web", &[80]);
    lab.pass(MINUTE).await;
    lab.cloud.forgive();
    lab.edit_service("web", |service| service["metadata"]["labels"] = json!({ "try": "again" }));
    lab.pass(10 * SECOND).await;
    assert!(lab.is_marked("web"));
}

#[tokio::test(start_paused = true)]
async fn failures_are_repeated_with_growing_pauses_and_few_words() {
    let lab = Lab::new();
    lab.cloud.plan(Op::Ensure, None, 100_000, Fault::Refused(ErrorKind::Unavailable, None));
    lab.service("web", &[80]);
    lab.pass(60 * MINUTE).await;
    let tries = lab.cloud.count(Op::Ensure);
    assert!((10..30).contains(&tries), "{tries}");
    let events = lab.events("web");
    // One event that counts its repetitions.
    assert!(events.len() <= 4, "{events:?}");
    lab.cloud.forgive();
    lab.pass(6 * MINUTE).await;
    assert!(lab.is_marked("web"));
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_failure_is_survived() {
    let kinds = [
        ErrorKind::NotFound,
        ErrorKind::Conflict,
        ErrorKind::InUse,
        ErrorKind::Throttled,
        ErrorKind::Busy,
        ErrorKind::Unauthorized,
        ErrorKind::Unavailable,
        ErrorKind::Ambiguous,
        ErrorKind::Internal,
    ];
    for kind in kinds {
        let lab = Lab::new();
        lab.cloud.plan(Op::Ensure, None, 2, Fault::Refused(kind, Some(SECOND)));
        lab.cloud.plan(Op::Ensure, None, 1, Fault::LostAfter);
        lab.cloud.plan(Op::Delete, None, 1, Fault::Refused(kind, Some(SECOND)));
        lab.cloud.plan(Op::Delete, None, 1, Fault::LostAfter);
        lab.service("web", &[80]);
        lab.served("web").await;
        assert_eq!(lab.cloud.balancers().await.len(), 1, "{kind:?}");
        lab.delete("web");
        lab.until("gone", async || lab.shown("web").is_none()).await;
        assert!(lab.cloud.balancers().await.is_empty(), "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_slow_service_holds_up_no_other() {
    let mut lab = Lab::idle();
    lab.options.workers = 2;
    lab.start();
    lab.cloud.making(30 * MINUTE);
    for n in 0..50 {
        lab.service(&format!("slow-{n}"), &[80]);
    }
    lab.pass(MINUTE).await;
    lab.cloud.forget_calls();
    lab.service("late", &[80]);
    lab.pass(20 * SECOND).await;
    assert!(lab.cloud.calls().iter().any(|(_, name)| name == "late"));
}

//! A process that ends at any point, and the next one.

use std::time::Duration;

use serde_json::json;

use crate::cloud::{Fault, Op};
use crate::lab::Lab;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_new_process_asks_nothing_about_what_is_as_it_was() {
    let mut lab = Lab::idle();
    lab.start();
    for n in 0..100 {
        lab.service(&format!("web-{n}"), &[80, 443]);
    }
    lab.until("all served", async || (0..100).all(|n| lab.is_marked(&format!("web-{n}")))).await;
    lab.pass(MINUTE).await;
    lab.kill();
    // While nobody looks, two Services change, and one goes.
    lab.edit_service("web-3", |service| service["spec"]["ports"][0]["port"] = json!(81));
    lab.edit_service("web-4", |service| service["metadata"]["labels"] = json!({ "of": "no-concern" }));
    lab.delete("web-5");
    lab.cloud.forget_calls();
    let writes = lab.writes();
    lab.start();
    lab.pass(5 * MINUTE).await;
    let mut calls = lab.cloud.calls();
    calls.sort();
    assert_eq!(calls, [(Op::Ensure, "web-3".to_owned()), (Op::Delete, "web-5".to_owned())]);
    // Mark off and on and two events; release and two events.
    assert_eq!(lab.writes() - writes, 7);
}

#[tokio::test(start_paused = true)]
async fn a_new_process_sees_which_targets_changed() {
    let mut lab = Lab::new();
    for n in 0..10 {
        lab.service(&format!("web-{n}"), &[80]);
    }
    lab.until("all served", async || (0..10).all(|n| lab.is_marked(&format!("web-{n}")))).await;
    lab.kill();
    lab.node(3);
    lab.cloud.forget_calls();
    lab.start();
    lab.pass(MINUTE).await;
    assert_eq!((lab.cloud.count(Op::Update), lab.cloud.count(Op::Ensure)), (10, 0));
    assert_eq!(lab.targets("web-0").await, [0, 1, 2, 3]);
}

/// Kills the process in its `n`-th cloud call, after it was carried out or before; tells whether there was such a call.
async fn die_in_call(lab: &mut Lab, n: u64, after: bool) -> bool {
    lab.cloud.die(n, after);
    lab.start();
    for _ in 0..600 {
        if lab.cloud.is_dead() {
            lab.kill();
            lab.cloud.live();
            return true;
        }
        lab.pass(SECOND / 10).await;
    }
    lab.kill();
    lab.cloud.live();
    false
}

/// Kills the process in its `n`-th write to the API server.
async fn die_in_write(lab: &mut Lab, n: u64, after: bool) -> bool {
    lab.stop_at_write(n, after);
    lab.start();
    for _ in 0..600 {
        if lab.is_stopped() {
            lab.kill();
            lab.go_on();
            return true;
        }
        lab.pass(SECOND / 10).await;
    }
    lab.kill();
    lab.go_on();
    false
}

#[tokio::test(start_paused = true)]
async fn a_process_may_end_in_any_call() {
    for after in [false, true] {
        for in_write in [false, true] {
            let mut deaths = 0;
            for n in 0_u64.. {
                let mut lab = Lab::idle();
                lab.service("web", &[80]);
                let died = if in_write {
                    die_in_write(&mut lab, n, after).await
                } else {
                    die_in_call(&mut lab, n, after).await
                };
                lab.start();
                lab.served("web").await;
                assert_eq!(lab.cloud.balancers().await.len(), 1, "call {n}");
                assert_eq!((lab.ports("web").await, lab.targets("web").await), (vec![80], vec![0, 1, 2]));
                // The same for its change, and for its end.
                lab.kill();
                lab.edit_service("web", |service| service["spec"]["ports"][0]["port"] = json!(81));
                lab.node(3);
                let died_again = if in_write {
                    die_in_write(&mut lab, n, after).await
                } else {
                    die_in_call(&mut lab, n, after).await
                };
                // Back to what it was: the mark must not say that it still is.
                lab.edit_service("web", |service| service["spec"]["ports"][0]["port"] = json!(80));
                lab.server.delete("v1", "Node", "", "node-3");
                lab.start();
                lab.until("as it was", async || {
                    lab.ports("web").await == [80] && lab.targets("web").await == [0, 1, 2] && lab.is_marked("web")
                })
                .await;
                lab.kill();
                lab.delete("web");
                let died_at_last = if in_write {
                    die_in_write(&mut lab, n, after).await
                } else {
                    die_in_call(&mut lab, n, after).await
                };
                lab.start();
                lab.until("gone", async || lab.shown("web").is_none()).await;
                assert!(lab.cloud.balancers().await.is_empty(), "call {n}");
                deaths += usize::from(died) + usize::from(died_again) + usize::from(died_at_last);
                if !died && !died_again && !died_at_last {
                    break;
                }
            }
            assert!(deaths >= 3, "only {deaths} deaths");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_ends_dies_with_its_process() {
    let mut lab = Lab::idle();
    lab.cloud.plan(Op::Ensure, None, 1, Fault::Hangs);
    lab.service("web", &[80]);
    lab.start();
    lab.pass(MINUTE).await;
    assert!(!lab.is_marked("web"));
    lab.start();
    lab.served("web").await;
}

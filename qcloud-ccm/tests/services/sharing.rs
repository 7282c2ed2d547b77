//! Services that share a balancer of the user.

use std::time::Duration;

use qcloud_container::kubernetes::ErrorKind;
use qcloud_container::kubernetes::load_balancers::annotations;
use serde_json::json;

use crate::cloud::{Fault, Op, tcp};
use crate::lab::{Lab, service};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn shared(lab: &Lab, name: &str, port: u16, balancer: &str) {
    let mut service = service(name, &[port]);
    service["metadata"]["annotations"] =
        json!({ annotations::EXISTING_ID: balancer, annotations::SHARE_EXISTING: "true" });
    lab.put(service);
}

#[tokio::test(start_paused = true)]
async fn services_take_turns_at_a_shared_balancer() {
    let lab = Lab::new();
    lab.cloud.pace(2 * SECOND);
    let (one, two) = (lab.cloud.inner.make_user_balancer(), lab.cloud.inner.make_user_balancer());
    lab.cloud.inner.settle();
    for n in 0..10_u16 {
        shared(&lab, &format!("one-{n}"), 1_000 + n, &one);
        shared(&lab, &format!("two-{n}"), 2_000 + n, &two);
    }
    for n in 0..10 {
        lab.served(&format!("one-{n}")).await;
        lab.served(&format!("two-{n}")).await;
    }
    // One at a time on each balancer, and both at once.
    assert_eq!(lab.cloud.most_at_once(), (1, 2));
    assert_eq!(lab.cloud.count(Op::Ensure), 20, "who waits for a turn calls nothing");
    lab.delete("one-3");
    lab.until("gone", async || lab.shown("one-3").is_none()).await;
    assert!(lab.cloud.inner.exists(&one));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_turn_keeps_no_worker_busy() {
    let mut lab = Lab::idle();
    lab.options.workers = 2;
    lab.start();
    lab.cloud.pace(SECOND);
    let balancer = lab.cloud.inner.make_user_balancer();
    lab.cloud.inner.settle();
    for n in 0..20_u16 {
        shared(&lab, &format!("shared-{n}"), 1_000 + n, &balancer);
    }
    lab.pass(SECOND / 2).await;
    lab.service("own", &[80]);
    lab.pass(3 * SECOND).await;
    assert!(lab.cloud.calls().iter().any(|(_, name)| name == "own"), "{:?}", lab.cloud.calls());
}

#[tokio::test(start_paused = true)]
async fn a_failing_service_lets_the_others_have_their_turn() {
    let lab = Lab::new();
    let balancer = lab.cloud.inner.make_user_balancer();
    lab.cloud.inner.make_user_listener(&balancer, tcp(80));
    lab.cloud.inner.settle();
    lab.cloud.plan(Op::Ensure, Some("bad"), 1_000, Fault::Refused(ErrorKind::Unavailable, None));
    shared(&lab, "bad", 81, &balancer);
    shared(&lab, "good", 82, &balancer);
    // This port is taken by someone else.
    shared(&lab, "taken", 80, &balancer);
    lab.served("good").await;
    lab.pass(MINUTE).await;
    assert!(!lab.is_marked("taken") && !lab.is_marked("bad"));
    assert!(lab.said("taken", "SyncLoadBalancerFailed") >= 1);
}

#[tokio::test(start_paused = true)]
async fn a_service_moves_to_another_balancer() {
    let lab = Lab::new();
    let (one, two) = (lab.cloud.inner.make_user_balancer(), lab.cloud.inner.make_user_balancer());
    lab.cloud.inner.settle();
    shared(&lab, "web", 80, &one);
    lab.served("web").await;
    lab.edit_service("web", |service| service["metadata"]["annotations"][annotations::EXISTING_ID] = json!(two));
    lab.until("moved", async || lab.recorded("web").as_ref() == Some(&two) && lab.is_marked("web")).await;
    let of = |id: &str| lab.reference("web").with_existing(id);
    assert!(lab.cloud.of(&of(&one)).await.is_none(), "something is left on the first balancer");
    assert_eq!(lab.cloud.of(&of(&two)).await.unwrap().listeners.len(), 1);
    assert!(lab.cloud.inner.exists(&one) && lab.cloud.inner.exists(&two));
}

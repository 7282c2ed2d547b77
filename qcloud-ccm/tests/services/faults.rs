//! What goes wrong with the API server: in each request, and over and over under a seed.

use std::collections::BTreeMap;
use std::time::Duration;

use apiserver_double::{Fault, Verb};
use qcloud_container::kubernetes::ErrorKind;
use qcloud_container::kubernetes::load_balancers::annotations;
use serde_json::json;

use crate::cloud::{Fault as CloudFault, Op};
use crate::lab::{Lab, service};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A Service is made, changed and deleted, while this goes wrong with the `n`-th request to write it.
async fn live_through(fault: &Fault, n: u64) {
    let about = format!("{fault:?} in write {n}");
    let lab = Lab::new();
    lab.server.faults().on(Verb::Patch, "services").after(n).times(1).answer(fault.clone());
    lab.service("web", &[80]);
    lab.served("web").await;
    lab.edit_service("web", |service| service["spec"]["ports"][0]["port"] = json!(81));
    lab.node(3);
    lab.until("changed", async || {
        lab.ports("web").await == [81] && lab.targets("web").await == [0, 1, 2, 3] && lab.is_marked("web")
    })
    .await;
    assert_eq!(lab.cloud.balancers().await.len(), 1, "{about}");
    assert!(lab.has_finalizer("web"), "{about}");
    lab.delete("web");
    lab.until("gone", async || lab.shown("web").is_none()).await;
    assert!(lab.cloud.balancers().await.is_empty(), "{about}");
}

#[tokio::test(start_paused = true)]
async fn every_fault_of_a_write_is_survived() {
    let faults = [
        Fault::Refuse(500, "InternalError"),
        Fault::Refuse(503, "ServiceUnavailable"),
        Fault::Refuse(403, "Forbidden"),
        Fault::Conflict,
        Fault::TooMany { retry_after: 3 },
        Fault::LostBefore,
        Fault::LostAfter,
        Fault::Late(10 * SECOND),
        Fault::Stall,
    ];
    for fault in faults {
        for n in 0..8 {
            live_through(&fault, n).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_refuses_everything_for_a_while_is_survived() {
    for fault in [Fault::Refuse(500, "InternalError"), Fault::TooMany { retry_after: 1 }, Fault::LostBefore] {
        let lab = Lab::new();
        lab.service("old", &[80]);
        lab.served("old").await;
        lab.server.faults().on_all("*").answer(fault);
        lab.server.drop_watches();
        lab.service("new", &[80]);
        lab.delete("old");
        lab.pass(10 * MINUTE).await;
        let calls = lab.cloud.calls().iter().filter(|(op, _)| *op != Op::Sweep).count();
        assert!(calls < 20, "{calls} calls while nothing could be written down");
        lab.server.faults().clear();
        lab.served("new").await;
        lab.until("gone", async || lab.shown("old").is_none()).await;
        assert_eq!(lab.cloud.balancers().await.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn watches_that_break_miss_nothing() {
    let faults = [Fault::WatchEnd, Fault::WatchExpired, Fault::WatchCut { after: 1 }, Fault::Refuse(410, "Expired")];
    for fault in faults {
        let lab = Lab::new();
        lab.service("web", &[80]);
        lab.served("web").await;
        lab.server.faults().on(Verb::Watch, "*").times(6).answer(fault);
        lab.server.drop_watches();
        lab.server.expire_history();
        lab.edit_service("web", |service| service["spec"]["ports"][0]["port"] = json!(81));
        lab.node(3);
        lab.service("more", &[80]);
        lab.until("changed", async || {
            lab.ports("web").await == [81] && lab.targets("web").await == [0, 1, 2, 3] && lab.is_marked("web")
        })
        .await;
        lab.served("more").await;
    }
}

#[tokio::test(start_paused = true)]
async fn someone_else_who_writes_all_the_time_is_no_obstacle() {
    let lab = Lab::new();
    lab.cloud.pace(SECOND);
    lab.service("web", &[80]);
    for beat in 0..60 {
        lab.edit_service("web", |service| {
            service["metadata"]["annotations"]["example.com/beat"] = json!(beat.to_string())
        });
        lab.pass(SECOND / 3).await;
    }
    assert!(lab.is_marked("web"));
    assert_eq!(lab.annotation("web", "example.com/beat").as_deref(), Some("59"));
    assert_eq!(lab.cloud.balancers().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn events_that_cannot_be_written_stop_nothing() {
    let lab = Lab::new();
    lab.server.faults().on_all("events").answer(Fault::Refuse(403, "Forbidden"));
    lab.service("web", &[80]);
    lab.served("web").await;
}

/// Changes, faults and crashes at random; in the end everything is as the objects say.
async fn chaos(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut lab = Lab::new();
    lab.cloud.making(2 * SECOND);
    let shared = lab.cloud.inner.make_user_balancer();
    lab.cloud.inner.settle();
    let mut wanted: BTreeMap<String, u16> = BTreeMap::new();
    let faults = [
        Fault::Refuse(500, "InternalError"),
        Fault::Conflict,
        Fault::TooMany { retry_after: 2 },
        Fault::LostBefore,
        Fault::LostAfter,
        Fault::Stall,
        Fault::WatchEnd,
        Fault::WatchExpired,
    ];
    for fault in faults {
        lab.server.faults().on_all("*").probability(0.03).answer(fault);
    }
    for _ in 0..60 {
        let name = format!("web-{}", random.u8(0..6));
        match random.u8(0..14) {
            0..=3 => {
                let port = random.u16(1..1_000);
                let mut object = service(&name, &[port]);
                if name == "web-0" || name == "web-1" {
                    // These two share the user's balancer, on ports of their own.
                    let port = if name == "web-0" { 10_000 } else { 20_000 } + port;
                    object = service(&name, &[port]);
                    object["metadata"]["annotations"] = json!({
                        annotations::EXISTING_ID: shared, annotations::SHARE_EXISTING: "true",
                    });
                }
                let port = u16::try_from(object["spec"]["ports"][0]["port"].as_u64().unwrap()).unwrap();
                if lab.shown(&name).is_none() {
                    lab.put(object);
                } else if wanted.contains_key(&name) {
                    lab.edit_service(&name, |service| service["spec"]["ports"][0]["port"] = json!(port));
                } else {
                    continue;
                }
                wanted.insert(name, port);
            }
            4 | 5 => {
                lab.delete(&name);
                wanted.remove(&name);
            }
            6 => {
                if wanted.contains_key(&name) {
                    lab.edit_service(&name, |service| service["spec"]["type"] = json!("ClusterIP"));
                    lab.pass(Duration::from_millis(random.u64(0..5_000))).await;
                    lab.edit_service(&name, |service| service["spec"]["type"] = json!("LoadBalancer"));
                }
            }
            7 => lab.node(random.usize(0..8)),
            8 => drop(lab.server.delete("v1", "Node", "", &format!("node-{}", random.u8(3..8)))),
            9 => lab.server.expire_history(),
            10 => lab.server.drop_watches(),
            11 => lab.start(),
            12 => {
                let op = [Op::Ensure, Op::Update, Op::Delete, Op::Sweep][random.usize(0..4)];
                let kind = [ErrorKind::Busy, ErrorKind::Unavailable, ErrorKind::Internal][random.usize(0..3)];
                lab.cloud.plan(op, None, 2, CloudFault::Refused(kind, None));
            }
            _ => lab.cloud.plan(Op::Ensure, None, 1, CloudFault::LostAfter),
        }
        lab.pass(Duration::from_millis(random.u64(0..20_000))).await;
    }
    lab.server.faults().clear();
    lab.cloud.forgive();
    lab.pass(20 * MINUTE).await;
    let nodes: Vec<usize> = lab
        .server
        .list("v1", "Node")
        .iter()
        .map(|node| node["metadata"]["name"].as_str().unwrap().trim_start_matches("node-").parse().unwrap())
        .collect();
    for n in 0..6 {
        let name = format!("web-{n}");
        let about = format!("seed {seed}: {name}, {:?}", lab.shown(&name));
        match wanted.get(&name) {
            None => assert!(lab.shown(&name).is_none(), "{about}"),
            Some(port) => {
                assert!(lab.is_marked(&name) && !lab.addresses(&name).is_empty(), "{about}");
                let of = claimed(&lab, &name, &shared);
                let balancer = lab.cloud.of(&of).await.unwrap_or_else(|| panic!("{about}"));
                let own: Vec<u16> = balancer
                    .listeners
                    .iter()
                    .filter(|listener| listener.owned)
                    .map(|listener| listener.key.port)
                    .collect();
                assert_eq!(own, [*port], "{about}");
                let listener = balancer.listeners.iter().find(|listener| listener.owned).unwrap();
                assert_eq!(listener.targets.len(), nodes.len(), "{about}");
                assert_eq!(lab.recorded(&name).as_ref(), Some(&balancer.id), "{about}");
            }
        }
    }
    let own = wanted.keys().filter(|name| !matches!(name.as_str(), "web-0" | "web-1")).count();
    assert_eq!(lab.cloud.balancers().await.len(), own, "seed {seed}");
    assert!(lab.cloud.inner.exists(&shared), "seed {seed}");
    assert_eq!(lab.cloud.most_at_once().0, 1, "seed {seed}: two calls at once on one balancer");
}

fn claimed(lab: &Lab, name: &str, shared: &str) -> qcloud_container::kubernetes::load_balancers::LbRef {
    let of = lab.reference(name);
    if matches!(name, "web-0" | "web-1") { of.with_existing(shared) } else { of }
}

#[tokio::test(start_paused = true)]
async fn any_order_of_changes_faults_and_crashes_converges() {
    for seed in 0..40 {
        chaos(seed).await;
    }
}

//! From a Service to its balancer, and back.

use std::time::Duration;

use apiserver_double::{Fault as ServerFault, Verb};
use qcloud_container::kubernetes::ErrorKind;
use qcloud_container::kubernetes::load_balancers::{Scheduler, annotations};
use serde_json::json;

use crate::cloud::{Fault, Op};
use crate::lab::{FINALIZER, Lab, service};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test(start_paused = true)]
async fn a_service_gets_a_balancer() {
    let lab = Lab::new();
    lab.service("web", &[80, 443]);
    lab.until("the first call", async || !lab.cloud.calls().is_empty()).await;
    // Before anything is made, the Service is held.
    assert!(lab.has_finalizer("web"));
    lab.served("web").await;
    let shown = lab.shown("web").unwrap();
    assert_eq!(shown["status"]["loadBalancer"]["ingress"][0]["ipMode"], "VIP");
    let balancer = lab.balancer("web").await.unwrap();
    assert_eq!(lab.recorded("web").as_ref(), Some(&balancer.id));
    assert_eq!(lab.addresses("web"), [balancer.addresses[0].to_string()]);
    assert_eq!((lab.ports("web").await, lab.targets("web").await), (vec![80, 443], vec![0, 1, 2]));
    lab.pass(SECOND).await;
    let reasons: Vec<String> = lab.events("web").into_iter().map(|(reason, _, _)| reason).collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert_eq!((lab.said("web", "EnsuringLoadBalancer"), lab.said("web", "EnsuredLoadBalancer")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_served_service_costs_nothing() {
    let lab = Lab::verified();
    for n in 0..20 {
        lab.service(&format!("web-{n}"), &[80]);
    }
    for n in 0..20 {
        lab.served(&format!("web-{n}")).await;
    }
    lab.pass(30 * SECOND).await;
    lab.cloud.forget_calls();
    let writes = lab.writes();
    lab.pass(HOUR).await;
    let calls = lab.cloud.calls();
    assert!(calls.iter().all(|(op, _)| matches!(op, Op::Sweep | Op::Ensure)), "{calls:?}");
    assert!((5..=7).contains(&lab.cloud.count(Op::Sweep)), "{calls:?}");
    // Looks that the Services share.
    assert_eq!(lab.cloud.count(Op::Ensure), 3 * 20, "{calls:?}");
    assert_eq!(lab.writes(), writes);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_service_goes_after_its_balancer() {
    let lab = Lab::new();
    lab.service("web", &[80]);
    lab.served("web").await;
    let of = lab.reference("web");
    lab.cloud.plan(Op::Delete, None, 3, Fault::Refused(ErrorKind::Pending, Some(5 * SECOND)));
    lab.delete("web");
    lab.pass(10 * SECOND).await;
    assert!(lab.has_finalizer("web"), "it has gone before its balancer");
    lab.until("gone", async || lab.shown("web").is_none()).await;
    assert!(lab.cloud.of(&of).await.is_none());
    lab.pass(SECOND).await;
    assert_eq!((lab.said("web", "DeletingLoadBalancer"), lab.said("web", "DeletedLoadBalancer")), (1, 1));
    assert_eq!(lab.said("web", "SyncLoadBalancerFailed"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_no_balancer_any_more_gives_it_up() {
    let lab = Lab::new();
    lab.service("web", &[80]);
    lab.served("web").await;
    lab.edit_service("web", |service| service["spec"]["type"] = json!("ClusterIP"));
    lab.until("released", async || !lab.has_finalizer("web")).await;
    assert!(lab.balancer("web").await.is_none());
    assert!(lab.addresses("web").is_empty());
    assert_eq!((lab.recorded("web"), lab.annotation("web", annotations::RECORDED_FINGERPRINT)), (None, None));
    // And back.
    lab.edit_service("web", |service| service["spec"]["type"] = json!("LoadBalancer"));
    lab.served("web").await;
    assert_eq!(lab.ports("web").await, [80]);
}

#[tokio::test(start_paused = true)]
async fn a_type_that_flips_while_the_balancer_is_removed_ends_with_a_balancer() {
    let lab = Lab::new();
    lab.service("web", &[80]);
    lab.served("web").await;
    lab.cloud.pace(2 * SECOND);
    lab.edit_service("web", |service| service["spec"]["type"] = json!("ClusterIP"));
    lab.until("removal", async || lab.cloud.count(Op::Delete) == 1).await;
    lab.edit_service("web", |service| service["spec"]["type"] = json!("LoadBalancer"));
    lab.pass(30 * SECOND).await;
    lab.served("web").await;
    assert!(lab.has_finalizer("web"));
    assert_eq!((lab.ports("web").await, lab.cloud.balancers().await.len()), (vec![80], 1));
}

#[tokio::test(start_paused = true)]
async fn services_of_others_are_left_alone() {
    let mut lab = Lab::idle();
    lab.options.class = Some("qcloud".to_owned());
    lab.start();
    lab.service("plain", &[80]);
    let mut of_class = service("ours", &[80]);
    of_class["spec"]["loadBalancerClass"] = json!("qcloud");
    lab.put(of_class);
    let mut of_other = service("theirs", &[80]);
    of_other["spec"]["loadBalancerClass"] = json!("other");
    of_other["metadata"]["finalizers"] = json!([FINALIZER]);
    lab.put(of_other);
    lab.served("ours").await;
    lab.delete("theirs");
    lab.pass(60 * SECOND).await;
    assert!(lab.cloud.calls().iter().all(|(_, name)| name == "ours"), "{:?}", lab.cloud.calls());
    assert!(lab.has_finalizer("theirs"), "the finalizer of another controller was removed");
    assert!(!lab.has_finalizer("plain"));
}

#[tokio::test(start_paused = true)]
async fn only_the_class_that_made_a_balancer_gives_it_up() {
    let mut lab = Lab::new();
    let class = |lab: &mut Lab, class: Option<&str>| {
        lab.options.class = class.map(str::to_owned);
        lab.start();
        lab.cloud.forget_calls();
    };
    lab.service("web", &[80]);
    lab.service("gone", &[81]);
    lab.service("plain", &[82]);
    for name in ["web", "gone", "plain"] {
        lab.served(name).await;
    }
    // Another class is served in its place, as another Deployment does or a changed flag: nothing is taken away.
    class(&mut lab, Some("qcloud"));
    lab.delete("gone");
    lab.edit_service("plain", |service| service["spec"]["type"] = json!("ClusterIP"));
    lab.pass(HOUR).await;
    assert!(lab.cloud.calls().iter().all(|(op, _)| *op == Op::Sweep), "{:?}", lab.cloud.calls());
    assert!(lab.is_marked("web") && lab.has_finalizer("gone") && lab.has_finalizer("plain"));
    // The one that made them gives them up.
    class(&mut lab, None);
    lab.until("released", async || lab.shown("gone").is_none() && !lab.has_finalizer("plain")).await;
    lab.pass(60 * SECOND).await;
    assert_eq!(lab.cloud.balancers().await.len(), 1);
    assert_eq!(lab.cloud.count(Op::Ensure), 0, "a steady Service was worked on");
}

#[tokio::test(start_paused = true)]
async fn a_service_of_a_class_gives_its_balancer_up_when_it_is_none_any_more() {
    let mut lab = Lab::idle();
    lab.options.class = Some("qcloud".to_owned());
    lab.start();
    let mut of_class = service("web", &[80]);
    of_class["spec"]["loadBalancerClass"] = json!("qcloud");
    lab.put(of_class);
    lab.served("web").await;
    // The API server takes the class off with the type.
    lab.edit_service("web", |service| {
        service["spec"]["type"] = json!("ClusterIP");
        service["spec"].as_object_mut().unwrap().remove("loadBalancerClass");
    });
    lab.until("released", async || !lab.has_finalizer("web")).await;
    assert!(lab.balancer("web").await.is_none());
    assert_eq!(lab.annotation("web", annotations::RECORDED_CLASS), None);
}

#[tokio::test(start_paused = true)]
async fn a_skipped_service_is_left_alone() {
    let lab = Lab::new();
    lab.service("web", &[80]);
    lab.served("web").await;
    lab.edit_service("web", |service| {
        service["metadata"]["annotations"][annotations::CONTROL_MODE] = json!("skip");
        service["spec"]["ports"][0]["port"] = json!(81);
    });
    lab.pass(60 * SECOND).await;
    assert_eq!(lab.ports("web").await, [80]);
    assert!(lab.has_finalizer("web"));
    lab.delete("web");
    lab.until("gone", async || lab.shown("web").is_none()).await;
    assert!(lab.cloud.balancers().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_changed_service_changes_its_balancer() {
    let lab = Lab::new();
    lab.service("web", &[80]);
    lab.served("web").await;
    let before = (lab.recorded("web"), lab.addresses("web"));
    let writes = lab.status_writes();
    lab.edit_service("web", |service| {
        service["spec"]["ports"].as_array_mut().unwrap().push(json!({ "name": "more", "port": 81 }));
    });
    lab.until("two ports", async || lab.ports("web").await == [80, 81] && lab.is_marked("web")).await;
    assert_eq!((lab.recorded("web"), lab.addresses("web")), before);
    assert_eq!(lab.status_writes(), writes, "the status says the same and was written");
}

#[tokio::test(start_paused = true)]
async fn the_last_of_many_changes_wins() {
    let lab = Lab::new();
    lab.cloud.pace(3 * SECOND);
    lab.service("web", &[80]);
    for port in 81..90_u16 {
        lab.pass(SECOND).await;
        lab.edit_service("web", |service| service["spec"]["ports"][0]["port"] = json!(port));
    }
    lab.until("the last port", async || lab.ports("web").await == [89] && lab.is_marked("web")).await;
    assert_eq!(lab.cloud.balancers().await.len(), 1);
    lab.pass(60 * SECOND).await;
    assert_eq!(lab.ports("web").await, [89]);
}

#[tokio::test(start_paused = true)]
async fn a_service_deleted_while_its_balancer_is_made_leaves_nothing() {
    for after in [1, 60, 110, 160, 1_000, 3_000, 3_100, 3_200] {
        let lab = Lab::new();
        lab.cloud.pace(100 * SECOND / 1_000);
        lab.service("web", &[80]);
        lab.pass(Duration::from_millis(after)).await;
        lab.delete("web");
        lab.until("gone", async || lab.shown("web").is_none()).await;
        lab.pass(60 * SECOND).await;
        assert!(lab.cloud.balancers().await.is_empty(), "deleted after {after} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_made_again_under_its_name_gets_its_own_balancer() {
    let lab = Lab::new();
    lab.service("web", &[80]);
    lab.served("web").await;
    let first = lab.recorded("web");
    lab.delete("web");
    lab.until("gone", async || lab.shown("web").is_none()).await;
    lab.service("web", &[90]);
    lab.served("web").await;
    assert_ne!(lab.recorded("web"), first);
    assert_eq!((lab.ports("web").await, lab.cloud.balancers().await.len()), (vec![90], 1));
}

#[tokio::test(start_paused = true)]
async fn a_service_whose_finalizer_someone_took_leaves_nothing() {
    let lab = Lab::new();
    lab.service("web", &[80]);
    lab.served("web").await;
    lab.delete_now("web");
    lab.until("removed", async || lab.cloud.balancers().await.is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_balancer_to_be_kept_stays() {
    let lab = Lab::new();
    let mut kept = service("web", &[80]);
    kept["metadata"]["annotations"] = json!({ annotations::RETAIN: "true" });
    lab.put(kept);
    lab.served("web").await;
    let id = lab.recorded("web").unwrap();
    lab.delete("web");
    lab.until("gone", async || lab.shown("web").is_none()).await;
    assert!(lab.cloud.inner.exists(&id));
    assert!(lab.cloud.balancers().await.is_empty(), "it still counts as the cluster's");
    lab.pass(SECOND).await;
    let events = lab.events("web");
    assert!(events.iter().any(|(reason, note, _)| reason == "DeletedLoadBalancer" && note.contains(&id)), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn a_status_that_someone_wiped_is_written_again() {
    let lab = Lab::new();
    lab.service("web", &[80]);
    lab.served("web").await;
    let before = lab.addresses("web");
    lab.pass(10 * SECOND).await;
    lab.edit_service("web", |service| service["status"] = json!({ "loadBalancer": {} }));
    lab.until("written again", async || lab.addresses("web") == before).await;
}

#[tokio::test(start_paused = true)]
async fn a_balancer_is_looked_at_now_and_then() {
    let lab = Lab::verified();
    lab.service("web", &[80]);
    lab.served("web").await;
    lab.pass(60 * SECOND).await;
    lab.cloud.forget_calls();
    let events = lab.events("web").len();
    lab.pass(6 * HOUR).await;
    assert_eq!(lab.cloud.count(Op::Ensure), 6 * 3);
    assert!(lab.is_marked("web"));
    assert_eq!(lab.events("web").len(), events, "a look that finds nothing is no news");
}

#[tokio::test(start_paused = true)]
async fn certificates_and_settings_are_read_from_the_objects_that_a_service_names() {
    let lab = Lab::new();
    let mut tls = service("web", &[443]);
    tls["metadata"]["annotations"] = json!({
        annotations::SPECIFY_PROTOCOL: r#"{"443":{"protocol":["TCP_SSL"],"tls":"cert"}}"#,
        annotations::SERVICE_CONFIG: "config",
    });
    lab.put(tls);
    lab.pass(10 * SECOND).await;
    assert!(lab.events("web").iter().any(|(_, note, _)| note.contains("Secret cert")), "{:?}", lab.events("web"));
    // "cert-1" and "cert-2", in base64.
    let secret = |data: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "cert", "namespace": "default" },
            "data": { "qcloud_cert_id": data },
        })
    };
    lab.server.faults().on(Verb::Get, "secrets").answer(ServerFault::Refuse(403, "Forbidden"));
    lab.put(secret("Y2VydC0x"));
    lab.pass(60 * SECOND).await;
    assert!(lab.events("web").iter().any(|(_, note, _)| note.contains("may not read")), "{:?}", lab.events("web"));
    lab.server.faults().clear();
    lab.put(json!({
        "apiVersion": "cloud.tencent.com/v1alpha1", "kind": "TkeServiceConfig",
        "metadata": { "name": "config", "namespace": "default" },
        "spec": { "loadBalancer": { "l4Listeners": [{ "protocol": "TCP_SSL", "port": 443, "scheduler": "LEAST_CONN" }] } },
    }));
    lab.served("web").await;
    let certificates = async || {
        let settings = lab.balancer("web").await.unwrap().listeners[0].settings.clone();
        (settings.scheduler, settings.tls.unwrap().certificates.into_iter().next().unwrap())
    };
    assert_eq!(certificates().await, (Some(Scheduler::LeastConnections), "cert-1".to_owned()));
    // Nothing tells when they change: they are looked at now and then.
    lab.put(secret("Y2VydC0y"));
    lab.pass(6 * 60 * SECOND).await;
    assert_eq!(certificates().await.1, "cert-2");
}

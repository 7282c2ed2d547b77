//! Balancers that have lost their Service, and Services that have lost their balancer.

use std::time::Duration;

use qcloud_container::kubernetes::load_balancers::LoadBalancers;
use qcloud_container::kubernetes::{ClusterIdentity, ErrorKind};

use crate::cloud::{Fault, Op, tcp};
use crate::lab::Lab;

const MINUTE: Duration = Duration::from_secs(60);

/// A Service that goes while nobody looks. Gives the id of its balancer.
async fn orphan(lab: &mut Lab, name: &str) -> String {
    lab.start();
    lab.service(name, &[80]);
    lab.served(name).await;
    let id = lab.recorded(name).unwrap();
    lab.kill();
    lab.delete_now(name);
    id
}

#[tokio::test(start_paused = true)]
async fn an_orphan_is_reported_and_stays() {
    let mut lab = Lab::idle();
    let id = orphan(&mut lab, "lost").await;
    lab.start();
    lab.pass(50 * MINUTE).await;
    assert_eq!(lab.said("lost", "OrphanedLoadBalancer"), 0, "it is too early");
    lab.pass(3 * 60 * MINUTE).await;
    assert_eq!(lab.said("lost", "OrphanedLoadBalancer"), 1);
    assert!(lab.cloud.inner.exists(&id));
    assert!(lab.metrics.render().contains("qcloud_ccm_orphans 1"), "{}", lab.metrics.render());
}

#[tokio::test(start_paused = true)]
async fn an_orphan_is_deleted_when_that_is_asked_for() {
    let mut lab = Lab::idle();
    lab.options.orphans.delete = true;
    let id = orphan(&mut lab, "lost").await;
    lab.start();
    lab.service("web", &[80]);
    lab.served("web").await;
    let other = lab.cloud.inner.in_cluster(ClusterIdentity::new("other", "other"));
    let foreign = lab.cloud.inner.make_user_balancer();
    lab.cloud.plan(Op::Delete, None, 2, Fault::Refused(ErrorKind::Pending, Some(Duration::from_secs(5))));
    lab.pass(50 * MINUTE).await;
    assert!(lab.cloud.inner.exists(&id), "it is too early");
    lab.pass(40 * MINUTE).await;
    assert!(!lab.cloud.inner.exists(&id));
    assert_eq!(lab.said("lost", "DeletedOrphanedLoadBalancer"), 1);
    assert!(lab.cloud.inner.exists(&foreign) && lab.balancer("web").await.is_some());
    assert!(other.sweep_owned().await.unwrap().is_empty());
    lab.pass(15 * MINUTE).await;
    assert!(lab.metrics.render().contains("qcloud_ccm_orphans 0"));
}

#[tokio::test(start_paused = true)]
async fn an_orphan_that_someone_uses_stays() {
    let mut lab = Lab::idle();
    lab.options.orphans.delete = true;
    let id = orphan(&mut lab, "lost").await;
    lab.cloud.inner.make_user_listener(&id, tcp(8080));
    lab.start();
    lab.pass(3 * 60 * MINUTE).await;
    assert!(lab.cloud.inner.exists(&id));
    let events = lab.events("lost");
    assert!(
        events.iter().any(|(reason, note, _)| reason == "OrphanedLoadBalancer" && note.contains("8080")),
        "{events:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_balancer_is_made_again_also_when_orphans_are_left_alone() {
    let mut lab = Lab::idle();
    lab.options.orphans.report = false;
    let id = orphan(&mut lab, "lost").await;
    lab.start();
    lab.service("web", &[80]);
    lab.served("web").await;
    let gone = lab.recorded("web").unwrap();
    lab.cloud.inner.remove_balancer(&gone);
    lab.pass(3 * 60 * MINUTE).await;
    assert_ne!(lab.recorded("web").unwrap(), gone);
    assert!(lab.cloud.inner.exists(&id));
    assert_eq!(lab.said("lost", "OrphanedLoadBalancer"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_fails_deletes_nothing() {
    let mut lab = Lab::idle();
    lab.options.orphans.delete = true;
    let id = orphan(&mut lab, "lost").await;
    lab.cloud.plan(Op::Sweep, None, 1_000, Fault::Refused(ErrorKind::Unavailable, None));
    lab.start();
    lab.pass(5 * 60 * MINUTE).await;
    assert!(lab.cloud.inner.exists(&id));
    lab.cloud.forgive();
    lab.pass(2 * 60 * MINUTE).await;
    assert!(!lab.cloud.inner.exists(&id));
}

#[tokio::test(start_paused = true)]
async fn a_balancer_that_someone_deleted_is_made_again() {
    let lab = Lab::new();
    lab.service("web", &[80]);
    lab.served("web").await;
    let id = lab.recorded("web").unwrap();
    lab.cloud.inner.remove_balancer(&id);
    lab.pass(15 * MINUTE).await;
    lab.served("web").await;
    assert_ne!(lab.recorded("web").unwrap(), id);
    let address = lab.balancer("web").await.unwrap().addresses[0].to_string();
    assert_eq!(lab.addresses("web"), [address]);
}

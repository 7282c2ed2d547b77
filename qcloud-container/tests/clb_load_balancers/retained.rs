//! Balancers that stay when their Services go.

use std::time::{Duration, Instant};

use qcloud_container::kubernetes::load_balancers::conformance::Harness as _;
use qcloud_container::kubernetes::load_balancers::{DeletePolicy, LoadBalancers, OrphanTracker, Protocol, annotations};
use qcloud_container::provider::load_balancers::{CLUSTER_TAG, RETAINED_PREFIX};
use serde_json::json;

use crate::cloud::{Cloud, builder};

async fn rename(cloud: &Cloud, balancer: &str, name: &str) {
    cloud
        .clb_done("ModifyLoadBalancerAttributes", json!({ "LoadBalancerId": balancer, "LoadBalancerName": name }))
        .await;
}

#[tokio::test]
async fn a_balancer_that_is_kept_becomes_the_users() {
    let cloud = Cloud::new().await;
    let provider = cloud.provider();
    let want = cloud.spec("one", &[(80, Protocol::Tcp)]);
    let status = cloud.ensure(&provider, &want).await;
    cloud.give_up(&provider, &want, DeletePolicy::Retain).await;
    assert!(cloud.exists(&status.id).await);
    assert!(cloud.listeners(&status.id).await.is_empty());
    assert_eq!(cloud.shown(&status.id).await["Tags"], json!([]));
    // Whatever it is called from now on.
    rename(&cloud, &status.id, &want.name).await;
    assert!(provider.sweep_owned().await.unwrap().is_empty());
    assert!(provider.observe(&want.reference()).await.unwrap().is_none());
    cloud.delete(&cloud.provider(), &want).await;
    assert!(cloud.exists(&status.id).await);
}

#[tokio::test]
async fn without_the_permission_its_name_says_that_it_stays() {
    let cloud = Cloud::of(builder().deny("tag", "DetachResourcesTag")).await;
    let provider = cloud.provider();
    let mut want = cloud.spec("one", &[(80, Protocol::Tcp)]);
    let status = cloud.ensure(&provider, &want).await;
    cloud.give_up(&provider, &want, DeletePolicy::Retain).await;
    let shown = cloud.shown(&status.id).await;
    assert!(shown["LoadBalancerName"].as_str().unwrap().starts_with(RETAINED_PREFIX), "{shown}");
    assert!(shown["Tags"].as_array().unwrap().iter().any(|tag| tag["TagKey"] == CLUSTER_TAG));
    assert!(provider.sweep_owned().await.unwrap().is_empty());

    // No Service can hide its balancer behind such a name.
    want.name = format!("{RETAINED_PREFIX}web");
    let error = provider.ensure(&want).await.unwrap_err();
    assert!(error.is_final() && error.to_string().contains(annotations::CREATE_PARAMETERS), "{error}");
}

#[tokio::test]
async fn a_balancer_that_is_to_stay_is_no_orphan() {
    for retain in [false, true] {
        let cloud = Cloud::new().await;
        let mut want = cloud.spec("one", &[(80, Protocol::Tcp)]);
        want.retain = retain;
        cloud.ensure(&cloud.provider(), &want).await;
        let swept = cloud.provider().sweep_owned().await.unwrap();
        let mut tracker = OrphanTracker::new(Duration::ZERO);
        let orphans = tracker.look(&swept, &Default::default(), Instant::now());
        assert_eq!(orphans.due.len(), usize::from(!retain));
    }
}

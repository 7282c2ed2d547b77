//! Balancers, tags and groups that searches show later than they were made.

use std::time::Duration;

use qcloud_container::kubernetes::ErrorKind;
use qcloud_container::kubernetes::load_balancers::conformance::{self, Harness as _};
use qcloud_container::kubernetes::load_balancers::{Access, DeletePolicy, Existing, LoadBalancers, Protocol};
use qcloud_emulator::{Delay, Task, Visibility};
use serde_json::json;

use crate::cloud::{Cloud, Fault, builder};

const LATE: Delay = Delay::For(Duration::from_secs(8));

/// What is new, and its tags, can be late by themselves or together.
fn lags() -> [Visibility; 3] {
    let lag = |new, tags| {
        let mut visibility = Visibility::default();
        (visibility.new, visibility.tags) = (new, tags);
        visibility
    };
    [lag(LATE, Delay::None), lag(Delay::None, LATE), lag(LATE, Delay::For(Duration::from_secs(15)))]
}

#[tokio::test]
async fn the_suite_passes_however_late_things_show() {
    for lag in lags() {
        conformance::run(&Cloud::of(builder().visibility(lag)).await).await.unwrap();
    }
}

/// The Service goes before anything of its balancer is to be seen.
#[tokio::test]
async fn a_balancer_that_was_just_ordered_is_not_left_behind() {
    for lag in lags() {
        for fault in [None, Some(Fault::LostBefore), Some(Fault::Refused("InternalError"))] {
            let cloud = Cloud::of(builder().visibility(lag)).await;
            let provider = cloud.provider();
            let want = cloud.spec("one", &[(80, Protocol::Tcp)]);
            assert_eq!(provider.ensure(&want).await.unwrap_err().kind(), ErrorKind::Pending);
            if let Some(fault) = fault {
                // A look that fails does not make the process forget what it has ordered.
                cloud.fail("DescribeLoadBalancers", 10, fault);
                assert_ne!(provider.ensure(&want).await.unwrap_err().kind(), ErrorKind::Pending);
                cloud.forgive();
            }
            let unknown = provider.observe(&want.reference()).await;
            assert!(unknown.is_err() || unknown.unwrap().is_some(), "that it does not show is no proof");
            cloud.delete(&provider, &want).await;
            cloud.pass(Duration::from_secs(60));
            assert_eq!(cloud.balancers().await, Vec::<String>::new(), "{lag:?}");
        }
    }
}

/// Nobody knows whether it was ordered, as long as it could still come.
#[tokio::test]
async fn a_balancer_whose_order_got_no_answer_is_not_left_behind() {
    for lag in lags() {
        let cloud = Cloud::of(builder().visibility(lag)).await;
        let provider = cloud.provider();
        let want = cloud.spec("one", &[(80, Protocol::Tcp)]);
        cloud.fail("CreateLoadBalancer", 10, Fault::LostAfter);
        assert_eq!(provider.ensure(&want).await.unwrap_err().kind(), ErrorKind::Ambiguous);
        cloud.forgive();
        cloud.delete(&provider, &want).await;
        cloud.pass(Duration::from_secs(60));
        assert_eq!(cloud.balancers().await, Vec::<String>::new(), "{lag:?}");
    }
}

#[tokio::test]
async fn a_group_that_was_just_made_is_not_left_behind() {
    let mut lag = Visibility::default();
    (lag.new, lag.tags) = (LATE, LATE);
    let cloud = Cloud::of(builder().visibility(lag)).await;
    let provider = cloud.provider();
    let mut want = cloud.spec("one", &[(80, Protocol::Tcp)]);
    want.access = Access::open().with_source_ranges(["10.0.0.0/8".parse().unwrap()]);
    for _ in 0..100 {
        if let Err(error) = provider.ensure(&want).await {
            cloud.heed(&error);
        }
        if cloud.emulator.calls().count("CreateSecurityGroup") > 0 {
            break;
        }
    }
    cloud.delete(&provider, &want).await;
    cloud.pass(Duration::from_secs(60));
    assert_eq!((cloud.groups().await, cloud.balancers().await.len()), (0, 0));
    assert_eq!(cloud.emulator.calls().count("CreateSecurityGroup"), 1);
}

/// When the answer to its making is lost, a group is made twice.
#[tokio::test]
async fn all_groups_of_a_service_are_removed() {
    let cloud = Cloud::new().await;
    let provider = cloud.provider();
    let mut want = cloud.spec("one", &[(80, Protocol::Tcp)]);
    want.access = Access::open().with_source_ranges(["10.0.0.0/8".parse().unwrap()]);
    let status = cloud.ensure(&provider, &want).await;
    let shown = cloud.vpc("DescribeSecurityGroups", json!({ "Limit": "100" })).await;
    let all = shown["SecurityGroupSet"].as_array().unwrap().iter();
    let own = all.map(|group| group["SecurityGroupName"].as_str().unwrap()).find(|name| name.starts_with("k8s-"));
    let second = json!({ "GroupName": own.unwrap(), "GroupDescription": "the same once more" });
    cloud.vpc("CreateSecurityGroup", second).await;
    assert_eq!(cloud.groups().await, 2);
    cloud.remove_balancer(&status.id).await;
    cloud.delete(&provider, &want).await;
    assert_eq!(cloud.groups().await, 0);
}

/// What is on a balancer that is not ready can't be seen: that it shows no listeners proves nothing.
#[tokio::test]
async fn an_existing_balancer_that_is_not_ready_is_waited_for() {
    let minute = Duration::from_secs(60);
    let cloud = Cloud::of(builder().task_duration(Task::LoadBalancerCreate, minute)).await;
    let provider = cloud.provider();
    let order = json!({ "LoadBalancerType": "OPEN", "VpcId": cloud.vpc });
    let id = cloud.clb("CreateLoadBalancer", order).await["LoadBalancerIds"][0].as_str().unwrap().to_owned();
    let mut want = cloud.spec("one", &[(80, Protocol::Tcp)]);
    want.existing = Some(Existing::new(id.as_str()));
    let error = provider.delete(&want.reference(), DeletePolicy::Delete).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Pending);
    cloud.pass(minute);
    cloud.delete(&provider, &want).await;
    assert_eq!(cloud.balancers().await, [id]);
}

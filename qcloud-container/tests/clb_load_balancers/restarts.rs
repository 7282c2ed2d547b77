//! A process that takes over finds out what it must with the sweeps that all Services share.

use std::time::Duration;

use futures_util::future::join_all;
use qcloud_container::kubernetes::ErrorKind;
use qcloud_container::kubernetes::load_balancers::conformance::Harness as _;
use qcloud_container::kubernetes::load_balancers::{Access, LbSpec, LoadBalancers, Protocol};
use qcloud_emulator::{DetailPages, Quota};
use serde_json::json;

use crate::cloud::{Cloud, Fault, builder};

/// So many Services of two ports, brought up, with what a controller records on them.
async fn brought_up(cloud: &Cloud, count: usize) -> Vec<LbSpec> {
    let provider = cloud.provider();
    let ports = [(80, Protocol::Tcp), (443, Protocol::Tcp)];
    let mut wants: Vec<_> = (0..count).map(|n| cloud.spec(&format!("s{n}"), &ports)).collect();
    let mut open: Vec<&mut LbSpec> = wants.iter_mut().collect();
    for _ in 0..200 {
        let mut left = Vec::new();
        for want in open {
            match provider.ensure(want).await {
                Ok(status) => {
                    want.recorded_id = Some(status.id);
                    want.recorded_fingerprint = Some(want.fingerprint());
                }
                Err(_) => left.push(want),
            }
        }
        open = left;
        if open.is_empty() {
            break;
        }
        cloud.pass(Duration::from_secs(2));
    }
    assert!(open.is_empty());
    cloud.emulator.calls().clear();
    wants
}

#[tokio::test]
async fn a_restart_takes_two_sweeps_however_many_services_there_are() {
    for pages in [DetailPages::Rows, DetailPages::LoadBalancers] {
        let cloud = Cloud::of(builder().quota(Quota::PublicLoadBalancers, 1_000).detail_pages(pages)).await;
        let wants = brought_up(&cloud, 120).await;
        let next = cloud.provider();
        // All workers at once: they wait for one sweep.
        let statuses = join_all(wants.iter().map(|want| next.ensure(want))).await;
        for (status, want) in statuses.iter().zip(&wants) {
            assert_eq!(Some(&status.as_ref().unwrap().id), want.recorded_id.as_ref());
            assert!(!status.as_ref().unwrap().ingress.is_empty());
        }
        let counts = cloud.emulator.calls().counts();
        // 120 balancers and 240 listeners by the hundred. For 1,000 Services that makes 10 + 20.
        let rows = if pages == DetailPages::Rows { 3 } else { 2 };
        let expected = [("DescribeLoadBalancers".to_owned(), 2), ("DescribeLoadBalancersDetail".to_owned(), rows)];
        assert_eq!(counts.into_iter().collect::<Vec<_>>(), expected, "{pages:?}");
    }
}

#[tokio::test]
async fn the_drift_of_all_services_is_looked_for_together() {
    let cloud = Cloud::new().await;
    let wants = brought_up(&cloud, 30).await;
    let provider = cloud.provider();
    let mut reads = 0;
    for _ in 0..3 {
        for want in &wants {
            provider.ensure(want).await.unwrap();
        }
        assert!(cloud.emulator.calls().total() <= 2, "{:?}", cloud.emulator.calls().counts());
        cloud.emulator.calls().clear();
        cloud.pass(Duration::from_secs(601));
        reads += 1;
    }
    assert_eq!(reads, 3);
    // After half an hour each is read by itself: targets and settings show only there.
    for want in &wants {
        provider.ensure(want).await.unwrap();
    }
    let counts = cloud.emulator.calls().counts();
    assert_eq!((counts["DescribeListeners"], counts["DescribeTargets"]), (30, 30), "{counts:?}");
    assert!(counts.keys().all(|action| action.starts_with("Describe")), "{counts:?}");
}

#[tokio::test]
async fn a_record_does_not_hide_what_went_meanwhile() {
    let cloud = Cloud::new().await;
    let wants = brought_up(&cloud, 3).await;
    let id = |n: usize| wants[n].recorded_id.clone().unwrap();
    let listener = cloud.listeners(&id(0)).await[0]["ListenerId"].clone();
    cloud.clb_done("DeleteListener", json!({ "LoadBalancerId": id(0), "ListenerId": listener })).await;
    cloud.remove_balancer(&id(1)).await;
    let next = cloud.provider();
    for want in &wants {
        cloud.ensure(&next, want).await;
    }
    assert_eq!(cloud.listeners(&id(0)).await.len(), 2);
    assert_eq!(cloud.balancers().await.len(), 3);
    assert!(!cloud.balancers().await.contains(&id(1)));
}

#[tokio::test]
async fn a_record_of_another_wish_is_no_record() {
    let cloud = Cloud::new().await;
    let mut wants = brought_up(&cloud, 1).await;
    cloud.point(&mut wants[0], &[2, 3]);
    let next = cloud.provider();
    cloud.ensure(&next, &wants[0]).await;
    let state = next.observe(&wants[0].reference()).await.unwrap().unwrap();
    assert!(state.listeners.iter().all(|listener| Some(&listener.targets) == wants[0].targets.of(listener.key)));
}

/// What a process has changed itself it knows better than any record.
#[tokio::test]
async fn a_record_is_not_believed_after_other_work() {
    let cloud = Cloud::new().await;
    let first = brought_up(&cloud, 1).await.remove(0);
    let mut second = first.clone();
    cloud.point(&mut second, &[2, 3]);
    let next = cloud.provider();
    cloud.fail("BatchDeregisterTargets", 1, Fault::LostAfter);
    next.ensure(&second).await.unwrap_err();
    // Back to the first wish, whose record still stands on the Service.
    cloud.ensure(&next, &first).await;
    let state = next.observe(&first.reference()).await.unwrap().unwrap();
    assert!(state.listeners.iter().all(|listener| Some(&listener.targets) == first.targets.of(listener.key)));
}

/// The trouble of one Service is not that of all.
#[tokio::test]
async fn an_error_of_one_service_does_not_make_the_others_look_again() {
    let cloud = Cloud::new().await;
    let wants = brought_up(&cloud, 3).await;
    let next = cloud.provider();
    next.ensure(&wants[0]).await.unwrap();
    let mut wrong = wants[1].clone();
    cloud.point(&mut wrong, &[2, 3]);
    cloud.fail("BatchRegisterTargets", 1, Fault::Refused("InvalidParameterValue.Length"));
    assert!(next.ensure(&wrong).await.unwrap_err().is_final());
    next.ensure(&wants[2]).await.unwrap();
    assert_eq!(cloud.emulator.calls().count("DescribeLoadBalancers"), 1);
    // Its own balancer is looked at anew.
    cloud.remove_balancer(wants[1].recorded_id.as_ref().unwrap()).await;
    let again = cloud.ensure(&next, &wants[1]).await;
    assert_ne!(Some(again.id), wants[1].recorded_id);
}

#[tokio::test]
async fn a_failed_sweep_confirms_nothing() {
    let cloud = Cloud::new().await;
    let wants = brought_up(&cloud, 1).await;
    let next = cloud.provider();
    cloud.fail("DescribeLoadBalancersDetail", 10, Fault::Refused("InternalError"));
    assert_eq!(next.ensure(&wants[0]).await.unwrap_err().kind(), ErrorKind::Unavailable);
    cloud.forgive();
    cloud.emulator.calls().clear();
    next.ensure(&wants[0]).await.unwrap();
    assert_eq!(cloud.emulator.calls().count("DescribeListeners"), 0);
}

/// The group of source ranges has no place of its own in the sweeps of balancers.
#[tokio::test]
async fn a_group_that_lost_its_balancer_is_found_and_removed() {
    for orphan in [false, true] {
        let cloud = Cloud::new().await;
        let provider = cloud.provider();
        let mut want = cloud.spec("one", &[(80, Protocol::Tcp)]);
        want.access = Access::open().with_source_ranges(["10.0.0.0/8".parse().unwrap()]);
        let status = cloud.ensure(&provider, &want).await;
        cloud.remove_balancer(&status.id).await;
        assert_eq!(cloud.groups().await, 1);

        let other = cloud.provider_with("cluster-2", Default::default());
        assert!(other.sweep_owned().await.unwrap().is_empty());
        let next = cloud.provider();
        assert!(next.observe(&want.reference()).await.unwrap().is_some(), "the controller has to delete it");
        let swept = next.sweep_owned().await.unwrap();
        assert_eq!((swept.len(), swept[0].service_name.as_deref()), (1, Some("default/svc-one")));
        if orphan {
            let mut tracker = qcloud_container::kubernetes::load_balancers::OrphanTracker::new(Duration::ZERO);
            let due = tracker.look(&swept, &Default::default(), std::time::Instant::now()).due;
            next.delete(&due[0], Default::default()).await.unwrap();
        } else {
            cloud.delete(&next, &want).await;
        }
        assert_eq!(cloud.groups().await, 0);
        assert!(next.observe(&want.reference()).await.unwrap().is_none());
    }
}

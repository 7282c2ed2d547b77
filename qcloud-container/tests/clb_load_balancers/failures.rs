//! The cells of the failure matrix that concern load balancers, by their rows.

use std::net::IpAddr;
use std::time::Duration;

use qcloud_container::kubernetes::load_balancers::conformance::Harness as _;
use qcloud_container::kubernetes::load_balancers::{
    DeletePolicy, Existing, Family, Ingress, LbLimits, LbRef, LbSpec, ListenerKey, LoadBalancers, Node, Protocol,
    ReadContext, Service, ServiceKey, ServicePort, Target, TargetSet, annotations as names,
};
use qcloud_container::kubernetes::{ErrorKind, Exhausted, Retry};
use qcloud_container::provider::load_balancers::ClbOptions;
use qcloud_emulator::{PublicAddress, Quota, Task};
use serde_json::json;

use crate::cloud::{Cloud, Fault, builder};

const HTTP: ListenerKey = ListenerKey { port: 80, protocol: Protocol::Tcp };

#[tokio::test]
async fn row_1_a_burst_of_throttling_is_sat_out() {
    let cloud = Cloud::new().await;
    for action in ["DescribeLoadBalancers", "CreateLoadBalancer", "CreateListener", "BatchRegisterTargets"] {
        cloud.fail(action, 8, Fault::Refused("RequestLimitExceeded"));
    }
    let provider = cloud.provider();
    cloud.ensure(&provider, &cloud.spec("one", &[(80, Protocol::Tcp)])).await;
    assert_eq!(cloud.balancers().await.len(), 1);
    // What was carried out is no more than usual (the last look is the test's own).
    let counts = cloud.emulator.calls().counts();
    assert_eq!(counts["CreateLoadBalancer"] + counts["CreateListener"] + counts["BatchRegisterTargets"], 3);
}

#[tokio::test]
async fn row_2_lost_answers_leave_exactly_one_of_each() {
    for action in ["CreateLoadBalancer", "CreateListener", "BatchRegisterTargets"] {
        for fault in [Fault::LostAfter, Fault::LostBefore] {
            let cloud = Cloud::new().await;
            cloud.fail(action, 1, fault);
            let provider = cloud.provider();
            let status = cloud.ensure(&provider, &cloud.spec("one", &[(80, Protocol::Tcp), (81, Protocol::Tcp)])).await;
            assert_eq!(cloud.balancers().await, std::slice::from_ref(&status.id), "{action}");
            assert_eq!(cloud.listeners(&status.id).await.len(), 2, "{action}");
        }
    }
}

#[tokio::test]
async fn row_2_a_lost_answer_is_not_taken_for_an_outcome() {
    let cloud = Cloud::new().await;
    let provider = cloud.provider();
    let want = cloud.spec("one", &[(80, Protocol::Tcp)]);
    provider.ensure(&want).await.unwrap_err();
    cloud.pass(Duration::from_secs(3));
    cloud.fail("CreateListener", 1, Fault::LostAfter);
    let error = provider.ensure(&want).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Ambiguous, Retry::Backoff));
}

/// The balancer was made, and the process ended before the Service was patched: the next one knows no id.
#[tokio::test]
async fn row_3_a_balancer_that_was_never_recorded_is_adopted() {
    let cloud = Cloud::new().await;
    let mut want = cloud.spec("one", &[(80, Protocol::Tcp)]);
    let first = cloud.ensure(&cloud.provider(), &want).await;
    assert_eq!(cloud.ensure(&cloud.provider(), &want).await.id, first.id);
    // Neither does a wrong record lead away from it.
    want.recorded_id = Some("lb-00000000".to_owned());
    assert_eq!(cloud.ensure(&cloud.provider(), &want).await.id, first.id);
    assert_eq!(cloud.balancers().await.len(), 1);
}

#[tokio::test]
async fn row_4_a_spent_token_is_followed_by_another() {
    let cloud = Cloud::new().await;
    cloud.fail("CreateLoadBalancer", 2, Fault::Refused("InvalidParameter.ClientTokenLimitExceeded"));
    let provider = cloud.provider();
    cloud.ensure(&provider, &cloud.spec("one", &[(80, Protocol::Tcp)])).await;
    assert_eq!(cloud.balancers().await.len(), 1);
}

#[tokio::test]
async fn row_5_tasks_that_fail_are_begun_anew() {
    for action in ["CreateLoadBalancer", "CreateListener"] {
        let cloud = Cloud::new().await;
        cloud.emulator.load_balancing(cloud.emulator.region()).fail_tasks(action, 1);
        let provider = cloud.provider();
        let status = cloud.ensure(&provider, &cloud.spec("one", &[(80, Protocol::Tcp)])).await;
        assert_eq!(cloud.balancers().await, std::slice::from_ref(&status.id), "{action}");
        assert_eq!(cloud.listeners(&status.id).await.len(), 1, "{action}");
    }
}

#[tokio::test]
async fn row_5_a_task_that_keeps_failing_says_why_and_is_tried_ever_less_often() {
    for action in ["CreateLoadBalancer", "CreateListener"] {
        let cloud = Cloud::new().await;
        let traffic = cloud.emulator.load_balancing(cloud.emulator.region());
        traffic.fail_tasks(action, 100);
        let provider = cloud.provider();
        let want = cloud.spec("one", &[(80, Protocol::Tcp)]);
        let mut pauses = Vec::new();
        for _ in 0..4 {
            let error = cloud.trouble(&provider, &want).await;
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
            assert!(error.message().contains("the test wanted it so") && error.request_id().is_some(), "{error:?}");
            let Retry::After(pause) = error.retry() else { panic!("{error:?}") };
            cloud.pass(pause);
            pauses.push(pause);
        }
        assert!(pauses.is_sorted_by(|one, next| *next == *one * 2), "{pauses:?}");
        let counts = cloud.emulator.calls().counts();
        assert_eq!((counts[action], counts["DescribeTaskStatus"]), (4, 4), "{counts:?}");
        // Once it goes well there is one of it.
        traffic.fail_tasks(action, 0);
        let status = cloud.ensure(&provider, &want).await;
        assert_eq!(cloud.balancers().await, std::slice::from_ref(&status.id));
        assert_eq!(cloud.listeners(&status.id).await.len(), 1);
    }
}

#[tokio::test]
async fn row_5_a_task_that_hangs_is_waited_for_and_can_be_given_up() {
    let hour = Duration::from_secs(3600);
    let cloud = Cloud::of(builder().task_duration(Task::LoadBalancerCreate, hour)).await;
    let provider = cloud.provider();
    let want = cloud.spec("one", &[(80, Protocol::Tcp)]);
    for _ in 0..100 {
        let error = provider.ensure(&want).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Pending, "{error:?}");
        cloud.pass(Duration::from_secs(10));
    }
    assert_eq!(cloud.emulator.calls().count("CreateLoadBalancer"), 1);
    // The Service goes meanwhile: once the balancer can be removed, it is.
    assert_eq!(provider.delete(&want.reference(), DeletePolicy::Delete).await.unwrap_err().kind(), ErrorKind::Pending);
    cloud.pass(hour);
    cloud.delete(&provider, &want).await;
    assert!(cloud.balancers().await.is_empty());
}

#[tokio::test]
async fn row_6_a_bad_target_does_not_keep_the_others_out() {
    let cloud = Cloud::of(builder().poisoned_target("ins-poisoned")).await;
    let provider = cloud.provider();
    let mut want = cloud.spec("one", &[(80, Protocol::Tcp), (81, Protocol::Tcp)]);
    let good = want.targets.of(HTTP).unwrap().clone();
    want.targets.set(HTTP, good.clone().into_iter().chain([(Target::instance("ins-poisoned", 1), 10)]));
    let error = cloud.trouble(&provider, &want).await;
    assert!(!error.is_final() && error.message().contains("ins-poisoned:1 of 80/TCP"), "{error:?}");
    assert!(!error.message().contains(&cloud.machines[0]), "{error:?}");
    let state = provider.observe(&want.reference()).await.unwrap().unwrap();
    assert_eq!(state.listener(HTTP).unwrap().targets, good);
    assert_eq!(state.listener(ListenerKey::new(81, Protocol::Tcp)).unwrap().targets.len(), 2);
}

#[tokio::test]
async fn row_7_a_balancer_between_two_pages_is_not_made_twice() {
    let cloud = Cloud::of(builder().quota(Quota::PublicLoadBalancers, 1_000)).await;
    let order = json!({ "LoadBalancerType": "OPEN", "VpcId": cloud.vpc, "Number": 20, "Tags": [
        { "TagKey": "qcloud-rs-cluster", "TagValue": "cluster-1" }, { "TagKey": "qcloud-rs-service-uid", "TagValue": "many" },
    ] });
    for _ in 0..5 {
        cloud.clb_done("CreateLoadBalancer", order.clone()).await;
    }
    let want = cloud.spec("one", &[(80, Protocol::Tcp)]);
    let first = cloud.ensure(&cloud.provider(), &want).await;
    cloud.emulator.calls().clear();
    // The second page, with the Service's balancer, is lost. The token of the order is spent as well.
    let provider = cloud.provider();
    cloud.fail_call(1, Fault::NoneSeen);
    assert_eq!(provider.ensure(&want).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(cloud.emulator.calls().count("CreateLoadBalancer"), 0);
    assert_eq!(cloud.ensure(&provider, &want).await.id, first.id);
}

#[tokio::test]
async fn row_8_a_balancer_that_is_not_seen_yet_is_not_made_twice() {
    let cloud = Cloud::new().await;
    let provider = cloud.provider();
    let want = cloud.spec("one", &[(80, Protocol::Tcp)]);
    provider.ensure(&want).await.unwrap_err();
    cloud.fail("DescribeLoadBalancers", 5, Fault::NoneSeen);
    cloud.ensure(&provider, &want).await;
    assert_eq!(cloud.balancers().await.len(), 1);
    assert_eq!(cloud.emulator.calls().count("CreateLoadBalancer"), 1);
    // A new process that does not see it gives the same order again, and gets the same balancer.
    cloud.fail("DescribeLoadBalancers", 2, Fault::NoneSeen);
    cloud.ensure(&cloud.provider(), &want).await;
    assert_eq!(cloud.balancers().await.len(), 1);
}

#[tokio::test]
async fn row_9_what_others_delete_is_made_again() {
    let cloud = Cloud::new().await;
    let provider = cloud.provider();
    let want = cloud.spec("one", &[(80, Protocol::Tcp)]);
    let first = cloud.ensure(&provider, &want).await;
    let listener = cloud.listeners(&first.id).await[0]["ListenerId"].clone();
    cloud.clb_done("DeleteListener", json!({ "LoadBalancerId": first.id, "ListenerId": listener })).await;
    cloud.pass(Duration::from_secs(700));
    cloud.ensure(&provider, &want).await;
    assert_eq!(cloud.listeners(&first.id).await.len(), 1);
    cloud.remove_balancer(&first.id).await;
    // The next change finds out at once, not only after a while.
    let mut moved = want.clone();
    cloud.point(&mut moved, &[2, 3]);
    let second = cloud.ensure(&provider, &moved).await;
    assert_ne!(first.id, second.id);
    cloud.delete(&provider, &moved).await;
    cloud.delete(&provider, &moved).await;
}

#[tokio::test]
async fn row_10_a_port_of_someone_else_is_not_touched() {
    let cloud = Cloud::new().await;
    let provider = cloud.provider();
    let want = cloud.spec("one", &[(80, Protocol::Tcp)]);
    let status = cloud.ensure(&provider, &want).await;
    cloud.make_user_listener(&status.id, ListenerKey::new(90, Protocol::Tcp)).await;
    let more = cloud.spec("one", &[(80, Protocol::Tcp), (90, Protocol::Tcp)]);
    cloud.pass(Duration::from_secs(700));
    let error = provider.ensure(&more).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.message().contains("90"));
    let names: Vec<_> =
        cloud.listeners(&status.id).await.into_iter().map(|listener| listener["Port"].clone()).collect();
    assert_eq!(names, [80, 90]);
}

#[tokio::test]
async fn row_11_a_used_up_quota_is_said_and_slow() {
    let cloud = Cloud::of(builder().quota(Quota::PublicLoadBalancers, 1)).await;
    let provider = cloud.provider();
    cloud.ensure(&provider, &cloud.spec("one", &[(80, Protocol::Tcp)])).await;
    let error = provider.ensure(&cloud.spec("two", &[(80, Protocol::Tcp)])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exhausted(Exhausted::Quota), "{error:?}");
    assert!(matches!(error.retry(), Retry::After(after) if after >= Duration::from_secs(60)));
    assert!(error.request_id().is_some());
    let ports: Vec<_> = (1..=51).map(|port| (port, Protocol::Tcp)).collect();
    let error = provider.ensure(&cloud.spec("three", &ports)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_final()), (ErrorKind::OutOfRange, true));
}

#[tokio::test]
async fn row_11_quotas_of_listeners_and_targets_are_told_from_faults() {
    for quota in [Quota::ListenersPerLoadBalancer, Quota::TargetsPerRule] {
        let cloud = Cloud::of(builder().quota(quota, 1)).await;
        let provider = cloud.provider();
        let want = cloud.spec("one", &[(80, Protocol::Tcp), (81, Protocol::Tcp)]);
        let error = loop {
            match provider.ensure(&want).await.unwrap_err() {
                error if error.kind() == ErrorKind::Pending => cloud.heed(&error),
                error => break error,
            }
        };
        let slow = matches!(error.retry(), Retry::After(after) if after >= Duration::from_secs(30));
        assert!(slow, "{quota:?}: {error:?}");
        if quota == Quota::ListenersPerLoadBalancer {
            assert_eq!(error.kind(), ErrorKind::Exhausted(Exhausted::Quota), "{error:?}");
        }
        cloud.delete(&provider, &want).await;
    }
}

#[tokio::test]
async fn row_12_protection_is_lifted_for_our_own() {
    let cloud = Cloud::new().await;
    let provider = cloud.provider();
    let mut want = cloud.spec("one", &[(80, Protocol::Tcp)]);
    want.protection.deletion = Some(true);
    let status = cloud.ensure(&provider, &want).await;
    let shown = cloud.shown(&status.id).await;
    assert!(shown["AttributeFlags"].as_array().unwrap().contains(&json!("DeleteProtect")));
    cloud.delete(&provider, &want).await;
    assert!(cloud.balancers().await.is_empty());
}

#[tokio::test]
async fn row_12_a_balancer_with_traffic_stays_unless_forced() {
    let cloud = Cloud::new().await;
    let mut options = ClbOptions::new(cloud.vpc.as_str());
    options.force_delete = false;
    let careful = cloud.provider_with("cluster-1", options);
    let want = cloud.spec("one", &[(80, Protocol::Tcp)]);
    let status = cloud.ensure(&careful, &want).await;
    cloud.emulator.load_balancing(cloud.emulator.region()).set_traffic(&status.id, 50);
    let error = careful.delete(&want.reference(), DeletePolicy::Delete).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InUse, "{error:?}");
    assert!(careful.observe(&want.reference()).await.unwrap().is_some());
    cloud.delete(&cloud.provider(), &want).await;
}

#[tokio::test]
async fn row_12_what_clb_takes_for_risky_keeps_the_balancer() {
    for code in
        ["FailedOperation.TargetNumCheckRisk", "FailedOperation.TrafficCheckRisk", "FailedOperation.FrequencyCheckRisk"]
    {
        let cloud = Cloud::new().await;
        let provider = cloud.provider();
        let want = cloud.spec("one", &[(80, Protocol::Tcp)]);
        cloud.ensure(&provider, &want).await;
        cloud.fail("DeleteLoadBalancer", 1, Fault::Refused(code));
        let error = provider.delete(&want.reference(), DeletePolicy::Delete).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InUse, "{error:?}");
        assert!(matches!(error.retry(), Retry::After(after) if after >= Duration::from_secs(60)));
        assert!(provider.observe(&want.reference()).await.unwrap().is_some(), "the finalizer stays");
        cloud.delete(&provider, &want).await;
    }
}

/// An IPv6 Service with local traffic, from its object to the nodes that are reached.
#[tokio::test]
async fn row_13_a_balancer_with_an_ipv6_address_only() {
    let cloud = Cloud::new().await;
    let mut service =
        Service::new(ServiceKey::new("default", "web", "uid-1"), [ServicePort::tcp(80).with_node_port(30080)]);
    service.families = vec![Family::V6];
    (service.local_traffic, service.health_check_node_port) = (true, Some(31000));
    let mut want = LbSpec::read(&service, &ReadContext::default()).unwrap().unwrap();
    let node = |n: usize| {
        let address = IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, n as u16]);
        Node::new(format!("n{n}"), cloud.machines[n].as_str()).with_address(address)
    };
    let nodes = [node(0), node(1)];
    want.targets = TargetSet::select(&want, &nodes, None, &LbLimits::new(50, 200)).unwrap();
    // Without a subnet there is no address to take, and nothing is ordered.
    let refused = cloud.provider().ensure(&want).await.unwrap_err();
    assert!(refused.is_final() && refused.to_string().contains(names::CREATE_PARAMETERS), "{refused}");
    assert_eq!(cloud.emulator.calls().count("CreateLoadBalancer"), 0);
    let mut options = ClbOptions::new(cloud.vpc.as_str());
    options.ipv6_subnet_id = Some(cloud.subnet.clone());
    let status = cloud.ensure(&cloud.provider_with("cluster-1", options), &want).await;
    let [Ingress::Address(address, _)] = status.ingress[..] else { panic!("{status:?}") };
    assert!(address.is_ipv6());
    let traffic = cloud.emulator.load_balancing(cloud.emulator.region());
    let reached = traffic.reached_by_connection(&address.to_string(), 80, "TCP");
    assert!(reached.len() == 2 && reached.iter().all(|target| target.port == 30080), "{reached:?}");

    // The Service can name the subnet itself.
    let named = service.with_annotation(names::CREATE_PARAMETERS, json!({ "SubnetId": cloud.subnet }).to_string());
    let mut want = LbSpec::read(&named, &ReadContext::default()).unwrap().unwrap();
    want.key.uid = "uid-2".into();
    cloud.ensure(&cloud.provider(), &want).await;
}

#[tokio::test]
async fn row_13_a_balancer_reached_by_name_only() {
    let cloud = Cloud::of(builder().public_address(PublicAddress::Domain)).await;
    let provider = cloud.provider();
    let status = cloud.ensure(&provider, &cloud.spec("one", &[(80, Protocol::Tcp)])).await;
    assert!(matches!(&status.ingress[..], [Ingress::Hostname(name)] if !name.is_empty()), "{status:?}");
}

#[tokio::test]
async fn row_14_and_15_machines_that_went_are_let_go() {
    let cloud = Cloud::new().await;
    let provider = cloud.provider();
    let mut want = cloud.spec("one", &[(80, Protocol::Tcp), (81, Protocol::Tcp)]);
    cloud.ensure(&provider, &want).await;
    cloud.cvm("StopInstances", json!({ "InstanceIds": [cloud.machines[1]] })).await;
    cloud.pass(Duration::from_secs(10));
    // A machine that stands still stays a target; its health check keeps traffic away.
    cloud.ensure(&cloud.provider(), &want).await;
    cloud.cvm("TerminateInstances", json!({ "InstanceIds": [cloud.machines[0]] })).await;
    cloud.pass(Duration::from_secs(10));
    cloud.point(&mut want, &[1, 2]);
    for _ in 0..20 {
        match provider.update_targets(&want.reference(), &want.targets).await {
            Ok(()) => break,
            Err(error) => cloud.heed(&error),
        }
    }
    let state = provider.observe(&want.reference()).await.unwrap().unwrap();
    assert!(state.listeners.iter().all(|listener| Some(&listener.targets) == want.targets.of(listener.key)));
}

#[tokio::test]
async fn row_16_the_last_wish_counts() {
    let cloud = Cloud::new().await;
    let provider = cloud.provider();
    let wishes = [
        cloud.spec("one", &[(80, Protocol::Tcp)]),
        cloud.spec("one", &[(80, Protocol::Udp), (81, Protocol::Tcp)]),
        cloud.spec("one", &[(82, Protocol::Tcp)]),
    ];
    for turn in 0..12 {
        if let Err(error) = provider.ensure(&wishes[turn % 3]).await {
            cloud.heed(&error);
        }
    }
    let status = cloud.ensure(&provider, &wishes[2]).await;
    let ports: Vec<_> =
        cloud.listeners(&status.id).await.into_iter().map(|listener| listener["Port"].clone()).collect();
    assert_eq!(ports, [82]);
    // A Service that no longer wants one, in the middle of it.
    let other = cloud.spec("two", &[(80, Protocol::Tcp)]);
    provider.ensure(&other).await.unwrap_err();
    cloud.delete(&provider, &other).await;
    assert_eq!(cloud.balancers().await, [status.id]);
}

#[tokio::test]
async fn row_17_two_replicas_at_once_make_one() {
    let cloud = Cloud::new().await;
    let (one, two) = (cloud.provider(), cloud.provider());
    let want = cloud.spec("one", &[(80, Protocol::Tcp), (81, Protocol::Tcp)]);
    let (mut first, mut second) = (None, None);
    for _ in 0..100 {
        for (provider, status) in [(&one, &mut first), (&two, &mut second)] {
            match provider.ensure(&want).await {
                Ok(done) => *status = Some(done),
                Err(error) => cloud.heed(&error),
            }
        }
        if first.is_some() && second.is_some() {
            break;
        }
    }
    assert_eq!(first.unwrap().id, second.unwrap().id);
    assert_eq!(cloud.balancers().await.len(), 1);
}

#[tokio::test]
async fn row_17_services_that_share_a_balancer_at_once() {
    let cloud = Cloud::new().await;
    let provider = cloud.provider();
    let balancer = cloud.make_user_balancer().await;
    let wants: Vec<_> = (0..5)
        .map(|n| {
            let mut want = cloud.spec(&format!("s{n}"), &[(80 + n, Protocol::Tcp)]);
            want.existing = Some(Existing::shared(balancer.as_str()));
            want
        })
        .collect();
    futures_util::future::join_all(wants.iter().map(|want| cloud.ensure(&provider, want))).await;
    assert_eq!(cloud.listeners(&balancer).await.len(), 5);
}

#[tokio::test]
async fn row_18_a_refused_lookup_is_not_absence() {
    for code in ["UnauthorizedOperation", "AuthFailure.SignatureExpire", "InternalError", "RequestLimitExceeded"] {
        let cloud = Cloud::new().await;
        let provider = cloud.provider();
        let want = cloud.spec("one", &[(80, Protocol::Tcp)]);
        cloud.ensure(&provider, &want).await;
        cloud.fail("DescribeLoadBalancers", 100, Fault::Refused(code));
        let fresh = cloud.provider();
        for error in [
            fresh.observe(&want.reference()).await.unwrap_err(),
            fresh.ensure(&want).await.unwrap_err(),
            fresh.delete(&want.reference(), DeletePolicy::Delete).await.unwrap_err(),
            fresh.sweep_owned().await.unwrap_err(),
        ] {
            assert_ne!(error.kind(), ErrorKind::NotFound, "{code}");
            assert!(!error.is_final(), "{code}: {error:?}");
        }
        cloud.forgive();
        assert_eq!(cloud.balancers().await.len(), 1);
    }
}

/// The leader loses its lease in the middle, and the other replica, which has watched for long, goes on at once.
#[tokio::test]
async fn row_19_another_leader_goes_on() {
    let want = |cloud: &Cloud| cloud.spec("one", &[(80, Protocol::Tcp), (81, Protocol::Udp)]);
    for call in 0..5 {
        let cloud = Cloud::new().await;
        let want = want(&cloud);
        let (leader, standby) = (cloud.provider(), cloud.provider());
        // It has seen the cloud when nothing was there.
        assert!(standby.sweep_owned().await.unwrap().is_empty());
        cloud.fail_call(call, Fault::CrashAfter);
        assert!(cloud.until_crash(cloud.ensure(&leader, &want)).await.is_none());
        cloud.forgive();
        let status = cloud.ensure(&standby, &want).await;
        assert_eq!(cloud.balancers().await, std::slice::from_ref(&status.id), "call {call}");
        // The lease comes back to the first.
        assert_eq!(cloud.ensure(&leader, &want).await.id, status.id);
        assert_eq!(cloud.listeners(&status.id).await.len(), 2);
    }
}

#[tokio::test]
async fn targets_of_nothing_are_an_error() {
    let cloud = Cloud::new().await;
    let of = LbRef::new(ServiceKey::new("ns", "none", "none"));
    let error = cloud.provider().update_targets(&of, &Default::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

//! How many calls things take.
//!
//! | situation | budget | test |
//! |---|---|---|
//! | all nodes looked at | 50 pages for 5,000 | `instances::five_thousand_nodes_that_join_at_once_take_fifty_calls` |
//! | 100 nodes not ready, every 5 s | a batch a minute | `instances::a_hundred_nodes_that_are_not_ready_take_one_call_a_minute` |
//! | routes, nothing to do | a list each pass | `routes::a_steady_cluster_takes_one_list_a_pass` |
//! | routes of new nodes | a write each at 16 a second, or batches | `routes::a_thousand_nodes_get_their_routes_at_the_rate_that_is_allowed`, `routes::plain_tables_are_written_in_batches` |
//! | new Services | 5 calls each, looked for by twenties | `a_new_service_of_two_ports_takes_five_calls`, `many_new_services_are_looked_for_together` |
//! | Services, nothing to do | none; two sweeps for all every ten minutes | `a_steady_service_takes_no_call`, `restarts::the_drift_of_all_services_is_looked_for_together` |
//! | a node comes or goes | two writes for each balancer that had it | `changed_nodes_take_two_calls`, and `subset` for how many have it |
//! | a restart | two sweeps, and a list of routes | `restarts::a_restart_takes_two_sweeps_however_many_services_there_are`, and the routes' own |
//! | 1,000 volumes attached | 20 looks a second | `batches::a_thousand_attaches_take_at_most_20_status_calls_a_second` |
//!
//! At full size they are measured by the bench `provider`.

use std::time::Duration;

use qcloud_container::kubernetes::load_balancers::{LoadBalancers, Protocol};
use qcloud_emulator::Quota;
use serde_json::json;

use crate::cloud::{Cloud, builder};

#[tokio::test]
async fn a_new_service_of_two_ports_takes_five_calls() {
    let cloud = Cloud::new().await;
    let provider = cloud.provider();
    let want = cloud.spec("one", &[(80, Protocol::Tcp), (443, Protocol::Tcp)]);
    cloud.ensure(&provider, &want).await;
    let counts = cloud.emulator.calls().counts();
    assert!(cloud.emulator.calls().total() <= 5, "{counts:?}");
    assert_eq!(counts["CreateLoadBalancer"] + counts["CreateListener"] + counts["BatchRegisterTargets"], 3);
}

#[tokio::test]
async fn a_steady_service_takes_no_call() {
    let cloud = Cloud::new().await;
    let provider = cloud.provider();
    let want = cloud.spec("one", &[(80, Protocol::Tcp)]);
    let status = cloud.ensure(&provider, &want).await;
    cloud.emulator.calls().clear();
    for _ in 0..50 {
        cloud.pass(Duration::from_secs(10));
        assert_eq!(provider.ensure(&want).await.unwrap(), status);
    }
    assert_eq!(cloud.emulator.calls().total(), 0);
    // Then it is looked at again, with reads only.
    cloud.pass(Duration::from_secs(600));
    provider.ensure(&want).await.unwrap();
    let counts = cloud.emulator.calls().counts();
    assert!(counts.keys().all(|action| action.starts_with("Describe")), "{counts:?}");
}

#[tokio::test]
async fn changed_nodes_take_two_calls() {
    let cloud = Cloud::new().await;
    let provider = cloud.provider();
    let mut want = cloud.spec("one", &[(80, Protocol::Tcp), (443, Protocol::Tcp)]);
    cloud.ensure(&provider, &want).await;
    cloud.emulator.calls().clear();
    cloud.point(&mut want, &[1, 2, 3]);
    provider.update_targets(&want.reference(), &want.targets).await.unwrap();
    let counts = cloud.emulator.calls().counts();
    assert_eq!(
        counts.into_iter().collect::<Vec<_>>(),
        [("BatchDeregisterTargets".to_owned(), 1), ("BatchRegisterTargets".to_owned(), 1)]
    );
}

#[tokio::test]
async fn many_new_services_are_looked_for_together() {
    let cloud = Cloud::new().await;
    let provider = cloud.provider();
    let wants: Vec<_> = (0..40).map(|n| cloud.spec(&format!("s{n}"), &[(80, Protocol::Tcp)])).collect();
    let mut open: Vec<_> = wants.iter().collect();
    for _ in 0..40 {
        let mut left = Vec::new();
        for want in open {
            if provider.ensure(want).await.is_err() {
                left.push(want);
            }
        }
        open = left;
        cloud.pass(Duration::from_secs(2));
    }
    assert!(open.is_empty());
    let counts = cloud.emulator.calls().counts();
    // One sweep, and 40 balancers by twenties; a second look at each would make it four.
    assert!(counts["DescribeLoadBalancers"] <= 5, "{counts:?}");
    assert_eq!(counts["CreateLoadBalancer"], 40);
    assert!(cloud.emulator.calls().total() <= 40 * 3 + 5, "{counts:?}");
}

#[tokio::test]
async fn a_new_process_only_reads() {
    let cloud = Cloud::new().await;
    let wants: Vec<_> = (0..5).map(|n| cloud.spec(&format!("s{n}"), &[(80, Protocol::Tcp)])).collect();
    let provider = cloud.provider();
    for want in &wants {
        cloud.ensure(&provider, want).await;
    }
    cloud.emulator.calls().clear();
    let next = cloud.provider();
    for want in &wants {
        next.ensure(want).await.unwrap();
    }
    let counts = cloud.emulator.calls().counts();
    assert_eq!(counts["DescribeLoadBalancers"], 1, "{counts:?}");
    assert_eq!(cloud.emulator.calls().total(), 11, "{counts:?}");
}

#[tokio::test]
async fn a_sweep_reads_every_page() {
    let cloud = Cloud::of(builder().quota(Quota::PublicLoadBalancers, 1_000)).await;
    let order = json!({ "LoadBalancerType": "OPEN", "VpcId": cloud.vpc, "Number": 20, "Tags": [
        { "TagKey": "qcloud-rs-cluster", "TagValue": "cluster-1" }, { "TagKey": "qcloud-rs-service-uid", "TagValue": "many" },
    ] });
    for _ in 0..12 {
        cloud.clb_done("CreateLoadBalancer", order.clone()).await;
    }
    cloud.emulator.calls().clear();
    let swept = cloud.provider().sweep_owned().await.unwrap();
    assert_eq!(swept.len(), 240);
    // And one for what balancers left behind.
    assert_eq!(cloud.emulator.calls().total(), 3 + 1);
}
